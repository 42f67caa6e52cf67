"""A review again from its journal, through the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewbot.replay import JournalError, parse_journal
from reviewbot.testing import ScriptedModel
from tests.repositories import Sandbox
from tests.test_cli import REPORTS, run
from tests.test_patch_review import FAILED, SUM, TESTS

BAD = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
Records = list[dict[str, Any]]


@pytest.fixture
def told(sandbox: Sandbox) -> Sandbox:
    """A repository with a review of its last commit by agents in ``reports``."""
    sandbox.commit({"README.md": "# A\n"})
    sandbox.commit({"app/run.py": BAD, "app/area.py": "def area(a, b):\n    return a * b\n"})
    with ScriptedModel("reader") as model:
        done = run(
            "review", "--out", "reports", "--journal", "full", cwd=sandbox.folder,
            ANTHROPIC_BASE_URL=model.base_url, ANTHROPIC_API_KEY="sk-ant-needle",
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return sandbox


def journal_of(sandbox: Sandbox) -> Path:
    return sandbox.folder / "reports" / "journal.jsonl"


def report_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return loaded


def test_a_replay_asks_nobody_and_comes_to_the_same_verdict_and_findings(told: Sandbox) -> None:
    done = run("replay", "reports", "--out", "again", cwd=told.folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert {path.name for path in (told.folder / "again").iterdir()} >= REPORTS
    before, after = report_of(told.folder / "reports"), report_of(told.folder / "again")
    assert before["verdict"] == after["verdict"]
    assert before["verdict"]["conclusion"] == "fail"
    assert before["findings"] == after["findings"]
    assert before["coverage"] == after["coverage"]
    assert "no model was asked" in done.stdout


def test_a_full_journal_holds_what_was_sent_and_said_and_no_key_of_ours(told: Sandbox) -> None:
    data = journal_of(told).read_text()
    records = [json.loads(line) for line in data.splitlines()]
    asked = [record for record in records if record["event"] == "model_asked"]
    assert {record["agent"] for record in asked} == {"triage", "security", "verify"}
    assert "os.system" in json.dumps(asked)
    assert any(record["event"] == "model_said" and record["text"] for record in records)
    assert "needle" not in data


def test_a_review_with_a_fix_is_replayed_with_the_fix_and_what_its_own_review_said(sandbox: Sandbox) -> None:
    sandbox.commit({"app.py": SUM, "test_app.py": TESTS})
    sandbox.commit({"app.py": SUM.replace("+", "-")})
    (sandbox.folder.parent / "junit.xml").write_text(FAILED)
    with ScriptedModel("reader") as model:
        first = run(
            "review", "--out", "reports", "--journal", "full", "--junit", "../junit.xml", cwd=sandbox.folder,
            ANTHROPIC_BASE_URL=model.base_url, ANTHROPIC_API_KEY="k",
        )  # fmt: skip
        asked = len(model.requests)
        done = run("replay", "reports", "--out", "again", cwd=sandbox.folder)
        assert len(model.requests) == asked
    assert first.returncode == done.returncode
    before, after = (sandbox.folder / name for name in ("reports", "again"))
    fix = (before / "fix.patch").read_bytes()
    assert b"+    return one + other" in fix
    assert (after / "fix.patch").read_bytes() == fix
    assert [agent["name"] for agent in report_of(after)["agents"]] == ["triage", "test_fix", "security"]
    for name in ("verdict", "findings", "agents"):
        assert report_of(before)[name] == report_of(after)[name]


def test_a_fix_that_a_changed_journal_makes_of_a_fault_is_withheld(sandbox: Sandbox) -> None:
    sandbox.commit({"app.py": SUM, "test_app.py": TESTS})
    sandbox.commit({"app.py": SUM.replace("+", "-")})
    (sandbox.folder.parent / "junit.xml").write_text(FAILED)
    with ScriptedModel("reader") as model:
        run(
            "review", "--out", "reports", "--journal", "full", "--junit", "../junit.xml", cwd=sandbox.folder,
            ANTHROPIC_BASE_URL=model.base_url, ANTHROPIC_API_KEY="k",
        )  # fmt: skip
    path = journal_of(sandbox)
    path.write_text(path.read_text().replace("return one + other", "return eval(one + other)"))
    run("replay", "reports", "--out", "again", cwd=sandbox.folder)
    assert not (sandbox.folder / "again" / "fix.patch").exists()


def test_a_review_without_models_is_replayed_too(told: Sandbox) -> None:
    run("review", "--out", "plain", "--journal", "full", "--engine", "analyzers", cwd=told.folder)
    done = run("replay", "plain", "--format", "json", cwd=told.folder)
    assert json.loads(done.stdout)["verdict"] == report_of(told.folder / "plain")["verdict"]


def change(records: Records, event: str, **fields: Any) -> Records:
    return [{**record, **fields} if record["event"] == event else record for record in records]


def without(*events: str) -> Callable[[Records], Records]:
    return lambda records: [record for record in records if record["event"] not in events]


FAULTS: list[tuple[Callable[[Records], Records], str]] = [
    (without("settled", "collected", "agents_said"), "is not full"),
    (without("decided"), "ends before its review did"),
    (without("collected"), "ends before its review did"),
    (without("agents_said"), "lacks what the agents said"),
    (lambda records: records * 2, "holds several reviews"),
    (lambda records: [{"event": "analyzer_ran"}], "no journal of a review"),
    (lambda records: change(records, "settled", version=2), "another version of reviewbot"),
    (lambda records: change(records, "collected", collected={"evidence": 1}), "another version of reviewbot"),
    (lambda records: [*records, {"event": "review_failed"}], "failed, so there is nothing to replay"),
]


@pytest.mark.parametrize(("spoil", "words"), FAULTS)
def test_a_journal_that_cannot_be_replayed_says_why(
    told: Sandbox, spoil: Callable[[Records], Records], words: str
) -> None:
    records = [json.loads(line) for line in journal_of(told).read_bytes().splitlines()]
    data = "".join(json.dumps(record) + "\n" for record in spoil(records)).encode()
    with pytest.raises(JournalError, match=words):
        parse_journal(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no journal"),
        (b'{"event": "a"}', "cut off"),
        (b"[]\n", "Line 1"),
        (b"[" * 9_999 + b"\n", "Line 1"),
    ],
)
def test_bytes_that_are_no_journal_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(JournalError, match=words):
        parse_journal(data)


@given(st.binary(max_size=200), st.integers(0, 5_000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_do_anything_but_be_refused(data: bytes, place: int) -> None:
    start = b'{"event": "run_started"}\n{"event": "settled", "version": 1, "settled": null}\n'
    with pytest.raises(JournalError):
        parse_journal(start[: place % len(start)] + data)


def test_claims_of_a_changed_journal_are_held_against_the_code_again(told: Sandbox) -> None:
    path = journal_of(told)
    path.write_text(path.read_text().replace("os.system('ls ' + name)", "os.system('rm ' + name)"))
    done = run("replay", "reports", "--format", "json", cwd=told.folder)
    said = [finding for finding in json.loads(done.stdout)["findings"] if finding["source"] == "agent"]
    assert said == []
    assert [f for f in report_of(told.folder / "reports")["findings"] if f["source"] == "agent"]


def test_another_end_than_the_one_then_is_told(told: Sandbox) -> None:
    path = journal_of(told)
    path.write_text(path.read_text().replace('"conclusion": "fail"', '"conclusion": "pass"'))
    done = run("replay", "reports", cwd=told.folder)
    assert done.returncode == 1
    assert "the run itself had decided 'pass'" in done.stderr


def test_wrong_places_are_a_sentence_and_exit_2(told: Sandbox, tmp_path: Path) -> None:
    absent = run("replay", "nowhere", cwd=told.folder)
    assert absent.returncode == 2 and "cannot be read" in absent.stderr
    same = run("replay", "reports", "--out", "reports", cwd=told.folder)
    assert same.returncode == 2 and "would be replaced" in same.stderr
    other = Sandbox(tmp_path / "other")
    other.commit({"a": "1"})
    lost = run("replay", str(told.folder / "reports"), cwd=other.folder)
    assert lost.returncode == 2 and "The repository lacks" in lost.stderr


def test_a_full_journal_is_for_a_machine_of_ones_own(told: Sandbox) -> None:
    full = ("review", "--journal", "full")
    in_ci = run(*full, "--out", "more", "--engine", "analyzers", cwd=told.folder, CI="true")
    assert in_ci.returncode == 2 and "CI does not keep it" in in_ci.stderr
    assert not (told.folder / "more").exists()
    nowhere = run(*full, cwd=told.folder)
    assert nowhere.returncode == 2 and "nowhere to be kept" in nowhere.stderr
