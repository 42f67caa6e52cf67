"""SECURITY.md says what is measured, and names tests that exist."""

import re
from pathlib import Path

import pytest

from tests.hostile import redteam
from tests.hostile.captive import CAPTIVES
from tests.hostile.corpus import OURS, SURFACES, Corpus, read_corpus

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "SECURITY.md").read_text()


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def measured() -> str:
    return DOCUMENT.partition(redteam.BEGIN)[2].partition(redteam.END)[0].lstrip("\n")


def rows() -> list[redteam.Row]:
    found = re.findall(r"^\| ([^|*]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", measured(), re.MULTILINE)
    numbers = [(name, *(int(number.replace(",", "")) for number in counts)) for name, *counts in found]
    assert all(tried == held + broken for _, tried, held, broken in numbers)
    return [redteam.Row(name, tried, broken) for name, tried, _, broken in numbers]


def test_the_table_is_the_one_that_the_bench_prints_and_nothing_is_broken() -> None:
    [(texts, digest, minds)] = re.findall(
        r"^(\d+) texts \(corpus `([0-9a-f]{12})`\), (\d+) captured models\.$", measured(), re.MULTILINE
    )
    corpus = Corpus(("",) * int(texts), digest)
    assert redteam.render_table(rows(), corpus) == measured()
    assert int(minds) == len(CAPTIVES)
    assert [row.broken for row in rows()] == [0] * len(rows())
    names = [surface(OURS[:1]).surface for surface in SURFACES]
    assert [row.surface for row in rows()[: len(names)]] == names
    assert [row.tried for row in rows()[: len(names)]] == [int(texts) * len(CAPTIVES)] * len(names)
    assert [row.tried for row in rows()[len(names) :]] == [int(texts)] * 2


def test_the_table_counts_the_corpus_that_lies_here() -> None:
    corpus = read_corpus()
    [(texts, digest)] = re.findall(r"^(\d+) texts \(corpus `([0-9a-f]{12})`\)", measured(), re.MULTILINE)
    if digest != corpus.digest:
        pytest.skip(f"the table counts another corpus than {corpus.digest}, which is read here")
    assert int(texts) == len(corpus.texts)


def test_a_new_table_takes_the_place_of_the_old_one() -> None:
    changed = redteam.put_table(DOCUMENT, "| x |\n")
    assert f"{redteam.BEGIN}\n| x |\n{redteam.END}" in changed
    assert redteam.put_table(changed, measured()) == DOCUMENT


def test_there_is_a_private_way_to_report_a_fault_with_a_time() -> None:
    text = section("Reporting a vulnerability")
    assert "privately" in text
    assert "working days" in text


def test_each_row_of_the_standards_names_tests_that_exist() -> None:
    lines = [
        line
        for line in section("What standards ask").splitlines()
        if re.match(r"\| (?!risk|function|-)", line)
    ]
    assert [line.split()[1] for line in lines if "LLM" in line] == [
        "LLM01",
        "LLM03",
        "LLM04",
        "LLM06",
        "LLM10",
    ]
    assert [line.split()[1] for line in lines if "LLM" not in line] == ["Govern", "Map", "Measure", "Manage"]
    tests = "".join(path.read_text() for path in (ROOT / "tests/hostile").glob("test_*.py"))
    for line in lines:
        shown = re.findall(r"`((?:tests|bench|reviewbot)/[\w./]+)`", line)
        assert shown, line
        assert all((ROOT / path).is_file() for path in shown), line
        for rule in re.findall(r"\bR(\d\d)\b", line):
            assert re.search(rf"def test(?:_r\d\d)*_r{rule}_", tests), rule


def test_the_limits_say_that_a_pass_is_no_approval() -> None:
    assert "A pass is not an approval" in section("Limits")
    assert "can stay\n  silent" in section("Limits")
