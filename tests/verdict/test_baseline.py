import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import (
    Conclusion,
    Coverage,
    Finding,
    GateRules,
    Location,
    Reason,
    Severity,
    Suppression,
    Threshold,
    Verdict,
)
from reviewbot.errors import EvidenceError
from reviewbot.verdict.baseline import (
    BadBaseline,
    Baseline,
    Comparison,
    Entry,
    compare,
    decide_scan,
    parse_baseline,
    render_baseline,
    render_trend,
)
from reviewbot.verdict.gate import decide
from tests.publish import finding, row

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
READ = Coverage((row("app/run.py"),))
RULES = GateRules(is_scan=True)


def scan(before: Baseline | None, *findings: Finding, sha: str = TWO, **given: Any) -> Comparison:
    return compare(before, findings, given.get("coverage", READ), sha, given.get("readers", ["ruff"]))


def judge(before: Baseline | None, *findings: Finding, **given: Any) -> Verdict:
    compared = scan(before, *findings, **given)
    coverage = given.get("coverage", READ)
    verdict = decide(findings, coverage, given.get("gaps", ()), RULES)
    return decide_scan(verdict, compared, given.get("rules", RULES))


@pytest.fixture
def before() -> Baseline:
    """After a first scan that found two things."""
    return scan(None, finding(1), finding(2), sha=ONE).after


def test_a_first_scan_takes_all_as_known(before: Baseline) -> None:
    compared = scan(None, finding(1), finding(2), sha=ONE)
    assert {each.status for each in compared.findings} == {"known"}
    assert (compared.new, compared.open, compared.fixed) == ((), (), ())
    assert [(each.first_seen, each.last_seen) for each in before.entries] == [(ONE, ONE)] * 2
    assert render_trend(None, compared, is_finished=True) == (
        "There is no baseline: 2 findings taken as known."
    )


def test_a_later_scan_tells_new_open_and_fixed_apart(before: Baseline) -> None:
    compared = scan(before, finding(2), finding(3))
    assert [(each.fingerprint, each.status) for each in compared.findings] == [
        (finding(2).fingerprint, "known"),
        (finding(3).fingerprint, "new"),
    ]
    assert [entry.fingerprint for entry in compared.fixed] == [finding(1).fingerprint]
    seen = {entry.fingerprint: (entry.first_seen, entry.last_seen) for entry in compared.after.entries}
    assert seen == {finding(2).fingerprint: (ONE, TWO), finding(3).fingerprint: (TWO, TWO)}
    assert render_trend(before, compared, is_finished=True) == (
        "Since the scan of 111111111111: 1 new, 1 still open, 1 fixed (known findings: 2 then, 2 now)."
    )
    assert render_trend(before, compared, is_finished=False).endswith("the baseline stays where it was.")


def test_what_was_fixed_and_comes_back_is_new(before: Baseline) -> None:
    after = scan(before, finding(2)).after
    assert [each.fingerprint for each in scan(after, finding(1), finding(2)).new] == [finding(1).fingerprint]


def test_a_new_finding_blocks_and_a_known_one_does_not(before: Baseline) -> None:
    verdict = judge(before, finding(1), finding(2), finding(3))
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.FAIL, 1)
    assert verdict.blocking == (finding(3).fingerprint,)
    assert verdict.advisory == (finding(1).fingerprint, finding(2).fingerprint)
    assert verdict.reasons[0] == Reason("blocking_findings", "1 blocking finding, not known before.")


def test_a_scan_with_nothing_new_passes_and_says_so(before: Baseline) -> None:
    verdict = judge(before, finding(1))
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.PASS, 0)
    assert verdict.reasons[0].code == "nothing_new"


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"severity": Severity.MEDIUM}, RULES),
        ({}, replace(RULES, threshold=Threshold(Severity.CRITICAL))),
        ({}, replace(RULES, by_path={"app/run.py": Threshold(Severity.CRITICAL)})),
        ({"confidence": 0.4}, RULES),
        ({"advisory": True}, RULES),
        ({"source": "junit"}, RULES),
        ({"suppression": Suppression.BASE}, RULES),
        ({"status": "dismissed"}, RULES),
    ],
    ids=str,
)
def test_what_would_not_block_in_a_change_does_not_block_here(
    before: Baseline, change: dict[str, Any], rules: GateRules
) -> None:
    before = replace(before, readers=("junit", "ruff"))
    verdict = judge(before, finding(3, **change), rules=rules)
    assert (verdict.conclusion, verdict.blocking) == (Conclusion.PASS, ())


def test_only_what_is_new_and_below_the_threshold_is_not_called_nothing_new(before: Baseline) -> None:
    assert judge(before, finding(3, Severity.LOW)).reasons == ()


def test_a_new_finding_fails_also_a_scan_that_the_budget_ended(before: Baseline) -> None:
    verdict = judge(before, finding(3), gaps=[Reason("budget", "Spent.")])
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.FAIL, 1)
    assert [reason.code for reason in verdict.reasons] == ["blocking_findings", "budget"]
    verdict = judge(before, finding(1), gaps=[Reason("budget", "Spent.")])
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.INCOMPLETE, 0)
    assert [reason.code for reason in verdict.reasons] == ["budget"]


@pytest.mark.parametrize("status", ["unreviewed", "excluded"])
def test_what_stands_in_a_file_that_was_not_read_again_is_neither_open_nor_fixed(
    before: Baseline, status: str
) -> None:
    compared = scan(before, coverage=Coverage((row("app/run.py", status),)))
    assert (compared.fixed, compared.open) == ((), ())
    assert compared.after.entries == before.entries


def test_what_nobody_could_find_again_is_neither_open_nor_fixed(before: Baseline) -> None:
    said = finding(3, source="agent", tool="security", rule="sql-injection")
    both = scan(before, finding(1), finding(2), said, readers=["ruff", "agent"]).after
    assert both.readers == ("agent", "ruff")
    analyzers_only = scan(both, finding(1), finding(2), sha=THREE)
    assert analyzers_only.fixed == ()
    assert {entry.reader: entry.last_seen for entry in analyzers_only.after.entries}["agent"] == TWO
    assert [
        entry.reader for entry in scan(both, finding(1), finding(2), readers=["ruff", "agent"]).fixed
    ] == ["agent"]


def test_a_file_that_is_gone_took_its_findings_with_it_whoever_found_them(before: Baseline) -> None:
    compared = scan(before, coverage=Coverage(()), readers=[])
    assert len(compared.fixed) == 2
    assert compared.after.entries == ()


def test_a_reader_that_takes_part_for_the_first_time_finds_what_was_there(before: Baseline) -> None:
    said = finding(3, source="agent", tool="security", rule="sql-injection")
    compared = scan(before, finding(1), finding(2), said, readers=["ruff", "agent"])
    assert (compared.new, compared.adopted) == ((), 1)
    assert "1 known of readers that take part for the first time" in render_trend(
        before, compared, is_finished=True
    )
    again = scan(compared.after, said, replace(said, fingerprint="f" * 16), readers=["ruff", "agent"])
    assert [each.fingerprint for each in again.new] == ["f" * 16]


def test_a_reader_that_found_nothing_at_first_has_taken_part_all_the_same() -> None:
    before = scan(None, finding(1), readers=["ruff", "sarif"], sha=ONE).after
    said = finding(3, source="sarif", tool="semgrep")
    assert [each.fingerprint for each in scan(before, said).new] == [said.fingerprint]


def moved(number: int, path: str, fingerprint: str) -> Finding:
    place = Location(path, 10 * number, 10 * number)
    return replace(finding(number, location=place), fingerprint=fingerprint)


def test_a_finding_whose_file_moved_is_the_same_one(before: Baseline) -> None:
    here = moved(1, "lib/run.py", "e" * 16), moved(2, "lib/run.py", "d" * 16)
    compared = scan(before, *here, coverage=Coverage((row("lib/run.py"),)))
    assert (compared.new, compared.fixed, len(compared.open)) == ((), (), 2)
    assert {entry.first_seen for entry in compared.after.entries} == {ONE}
    assert {entry.path for entry in compared.after.entries} == {"lib/run.py"}


def test_a_copy_beside_the_first_or_one_more_in_the_moved_file_is_new(before: Baseline) -> None:
    copy = moved(1, "lib/run.py", "e" * 16)
    both = Coverage((row("app/run.py"), row("lib/run.py")))
    assert scan(before, finding(1), finding(2), copy, coverage=both).new
    three = [moved(1, "lib/run.py", name * 16) for name in "abc"]
    compared = scan(before, *three, coverage=Coverage((row("lib/run.py"),)))
    assert (len(compared.new), len(compared.open)) == (1, 2)


def test_another_text_in_another_file_is_new(before: Baseline) -> None:
    other = replace(moved(1, "lib/run.py", "e" * 16), quote="os.system(x)")
    assert scan(before, other, coverage=Coverage((row("lib/run.py"),))).new


def test_what_was_silenced_is_not_recorded_and_new_when_it_speaks_again(before: Baseline) -> None:
    quiet = scan(before, finding(3, suppression=Suppression.BASE))
    assert quiet.new == ()
    assert finding(3).fingerprint not in {entry.fingerprint for entry in quiet.after.entries}
    assert [each.fingerprint for each in scan(quiet.after, finding(3)).new] == [finding(3).fingerprint]


def test_a_dismissed_finding_stays_dismissed(before: Baseline) -> None:
    assert scan(before, finding(1, status="dismissed")).findings[0].status == "dismissed"


def test_the_file_has_one_finding_a_line_and_comes_back_the_same(before: Baseline) -> None:
    data = render_baseline(before)
    assert sum(b'"fingerprint"' in line for line in data.splitlines()) == 2
    back = parse_baseline(data, "b.json")
    assert (back.commit, back.readers, set(back.entries)) == (ONE, ("ruff",), set(before.entries))
    assert render_baseline(replace(back, entries=back.entries[::-1])) == data
    assert parse_baseline(render_baseline(replace(before, entries=())), "b.json").entries == ()


@given(st.lists(st.tuples(st.text(st.characters(), max_size=8), st.text(st.characters(), max_size=8))))
def test_any_names_come_back_the_same(names: list[tuple[str, str]]) -> None:
    entries = tuple(
        Entry(f"{n:016x}", "a" * 16, "ruff", rule, "high", path, ONE, TWO)
        for n, (rule, path) in enumerate(names)
    )
    back = parse_baseline(render_baseline(Baseline(ONE, ("ruff",), entries)), "b.json")
    assert set(back.entries) == set(entries)


def spoilt(**changes: Any) -> bytes:
    node = {
        "fingerprint": "a" * 16,
        "anchor": "b" * 16,
        "reader": "ruff",
        "rule": "ruff/S602",
        "severity": "high",
        "path": "a.py",
        "first_seen": ONE,
        "last_seen": ONE,
        **changes,
    }
    whole = {"schema_version": 1, "commit": ONE, "readers": ["ruff"], "findings": [node]}
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"schema_version": 1}',
        b'{"schema_version": 2, "commit": "", "readers": [], "findings": []}',
        b'{"schema_version": 1, "commit": "HEAD", "readers": [], "findings": []}',
        json.dumps({"schema_version": 1, "commit": ONE, "readers": {}, "findings": []}).encode(),
        json.dumps({"schema_version": 1, "commit": ONE, "readers": [1], "findings": []}).encode(),
        json.dumps({"schema_version": 1, "commit": ONE, "readers": [], "findings": [1]}).encode(),
        spoilt(fingerprint="xyz"),
        spoilt(fingerprint=None),
        spoilt(severity="bad"),
        spoilt(severity=[]),
        spoilt(path=7),
        spoilt(more=1),
        spoilt(first_seen="\n" * 3),
        b"[" * 100_000,
        b'{"schema_version": 1' + b" " * 50_000_000,
    ],
    ids=lambda data: ascii(data[:40]),
)
def test_anything_else_is_refused_in_one_sentence_that_names_the_file(data: bytes) -> None:
    with pytest.raises(BadBaseline) as caught:
        parse_baseline(data, ".github/x.json at 123")
    assert ".github/x.json at 123" in str(caught.value)
    assert "\n" not in caught.value.sentences
    assert isinstance(caught.value, EvidenceError)


def test_the_good_twin_of_the_spoilt_ones_is_read() -> None:
    assert len(parse_baseline(spoilt(), "b.json").entries) == 1
