import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot import __version__
from reviewbot.core import (
    ChangeSet,
    ChangeStatus,
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Evidence,
    FileChange,
    Finding,
    Hunk,
    Location,
    Reason,
    Review,
    Severity,
    Side,
    Suppression,
    Trigger,
    TriggerKind,
    Verdict,
)
from reviewbot.evidence import sarif_report
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.sarif import parse_sarif
from reviewbot.evidence.sarif_report import find_nearest_head_line, render_sarif

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
HUNK = Hunk(2, 3, 2, 2, (" kept", "-gone", " last"))
CHANGED = FileChange(
    "new.py", "old.py", ChangeStatus.RENAMED, "100644", "100644", "c" * 40, "d" * 40, hunks=(HUNK,)
)
DELETED = FileChange("gone.py", None, ChangeStatus.DELETED, "100644", "000000", "c" * 40, None)

PLACE = Location("new.py", 3, 4)


def finding(number: int, location: Location | None = PLACE, **more: Any) -> Finding:
    values: dict[str, Any] = {
        "id": f"sarif:{number}",
        "source": "sarif",
        "tool": "ruff",
        "rule": "S602",
        "severity": Severity.HIGH,
        "title": "A shell runs this",
        "location": location,
    }
    evidence = Evidence(**(values | more))
    return Finding(f"{number:016x}", evidence, location, in_diff=True)


def review(
    *findings: Finding, conclusion: Conclusion = Conclusion.PASS, blocking: tuple[str, ...] = (), **more: Any
) -> Review:
    reasons = (Reason("unreviewed", "One file was not read."),) if conclusion is Conclusion.INCOMPLETE else ()
    whole = Review(
        trigger=Trigger("r1", TriggerKind.LOCAL, "me/repo", "me", "a" * 40, "a" * 40, "b" * 40),
        changes=ChangeSet("a" * 40, "b" * 40, (CHANGED, DELETED)),
        evidence=(),
        findings=findings,
        rejected=(),
        coverage=Coverage((CoverageRow("new.py", CoverageStatus.REVIEWED, ("ruff",), "", 1, 1),)),
        verdict=Verdict(conclusion, 0 if conclusion is Conclusion.PASS else 1, blocking, (), reasons),
        notes=("Engine: analyzers.",),
        started_at="2026-01-02T03:04:05Z",
        seconds=1.5,
        budget_usd=0.0,
    )
    return replace(whole, **more)


def run_of(whole: Review) -> Any:
    (run,) = json.loads(render_sarif(whole))["runs"]
    return run


EVERYTHING = review(
    finding(1, Location("src/ä b:\udcff.py", 3, 4), cwe=("CWE-78",), message="bad\x00\ud800 [x](https://e)"),
    finding(2, severity=Severity.LOW, suppression=Suppression.BASE),
    finding(3, source="junit", tool="junit", rule="failure", title="t::x failed"),
    finding(4, Location("old.py", 3, 3, Side.LEFT), severity=Severity.CRITICAL, rule="S105"),
    finding(5, Location("gone.py", 2, 2, Side.LEFT)),
    finding(6, None, severity=Severity.INFO, rule="C901"),
    conclusion=Conclusion.INCOMPLETE,
    blocking=("0000000000000001",),
)


def test_the_run_names_the_tool_and_its_version() -> None:
    run = run_of(review())
    assert (run["tool"]["driver"]["name"], run["tool"]["driver"]["version"]) == ("reviewbot", __version__)
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_rules_are_listed_once_and_each_result_points_at_its_own() -> None:
    run = run_of(EVERYTHING)
    rules = run["tool"]["driver"]["rules"]
    assert sorted(rule["id"] for rule in rules) == ["junit/failure", "ruff/S105", "ruff/S602"]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    shell = next(rule for rule in rules if rule["id"] == "ruff/S602")
    assert shell["properties"] == {"tags": ["security", "external/cwe/cwe-078"], "security-severity": "8.0"}
    tests = next(rule for rule in rules if rule["id"] == "junit/failure")
    assert tests["properties"] == {"tags": ["tests"]}


def test_results_are_ordered_blocking_first_then_worst_first_whatever_the_input_order() -> None:
    marks = [
        one["partialFingerprints"]["reviewbotFingerprint/v1"][-1] for one in run_of(EVERYTHING)["results"]
    ]
    assert marks == ["1", "4", "3", "2"]
    turned = replace(EVERYTHING, findings=EVERYTHING.findings[::-1])
    assert render_sarif(turned) == render_sarif(EVERYTHING)


def test_paths_are_percent_encoded_from_their_bytes() -> None:
    physical = run_of(EVERYTHING)["results"][0]["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "src/%C3%A4%20b%3A%FF.py"
    assert physical["region"] == {"startLine": 3, "endLine": 4}


def test_a_deleted_line_is_shown_at_the_nearest_head_line_and_says_so() -> None:
    critical = run_of(EVERYTHING)["results"][1]
    physical = critical["locations"][0]["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == ("new.py", 2)
    assert "line 3 of the base version" in critical["message"]["text"]


def test_findings_without_a_place_in_head_and_the_reasons_are_notifications() -> None:
    invocation = run_of(EVERYTHING)["invocations"][0]
    assert invocation["executionSuccessful"] is False
    texts = [one["message"]["text"] for one in invocation["toolExecutionNotifications"]]
    assert texts[:2] == ["unreviewed: One file was not read.", "Engine: analyzers."]
    assert any("line 2 of gone.py, which head does not have" in text for text in texts)
    assert any(text.startswith("ruff/C901: ") for text in texts)
    assert len(texts) == 4


def test_only_a_comment_of_the_base_suppresses() -> None:
    suppressed = [one for one in run_of(EVERYTHING)["results"] if "suppressions" in one]
    assert [one["partialFingerprints"]["reviewbotFingerprint/v1"][-1] for one in suppressed] == ["2"]
    assert suppressed[0]["suppressions"][0]["kind"] == "inSource"
    for kind in (Suppression.CHANGE, Suppression.EXTERNAL, Suppression.NONE):
        assert "suppressions" not in run_of(review(finding(1, suppression=kind)))["results"][0]


def test_messages_make_no_links_and_hold_no_lone_surrogate() -> None:
    text = run_of(EVERYTHING)["results"][0]["message"]["text"]
    assert "](" not in text
    assert "<U+D800>" in text


@pytest.mark.parametrize("command", ["::error::x", "##[error]x", "a ##[group]b"])
def test_no_line_is_a_command_to_a_workflow_runner_and_nothing_is_hidden(command: str) -> None:
    said = f"{command}\n{command}\u202e"
    verdict = Verdict(Conclusion.INCOMPLETE, 1, (), (), (Reason("unreviewed", said),))
    ours: dict[str, Any] = {"title": said, "message": said, "rule": command, "tool": command}
    whole = review(
        finding(1, **ours), finding(2, Location("gone.py", 1, 1, Side.LEFT), **ours), verdict=verdict
    )
    text = render_sarif(whole)
    assert "##[" not in text
    assert not any(line.lstrip().startswith("::") for line in text.split("\n"))
    assert "\\u202e" not in text and "<U+202E>" in text
    (run,) = json.loads(text)["runs"]
    for one in (*run["results"], *run["invocations"][0]["toolExecutionNotifications"]):
        assert not any(line.lstrip().startswith("::") for line in one["message"]["text"].split("\n"))


def test_what_github_would_not_take_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif_report, "RESULT_CAP", 3)
    monkeypatch.setattr(sarif_report, "NOTIFICATION_CAP", 4)
    run = run_of(
        review(*(finding(number) for number in range(5)), *(finding(number, None) for number in range(9)))
    )
    assert len(run["results"]) == 3
    texts = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert texts[0].startswith("2 more findings are not here")
    assert texts[-1] == "8 more notifications are not here."


def test_what_we_write_we_read() -> None:
    tree = TreePaths(["new.py", "src/ä b:\udcff.py"])
    found = parse_sarif(render_sarif(EVERYTHING).encode(), "own.sarif", tree)
    assert [one.severity for one in found.evidence] == [
        Severity.HIGH,
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.LOW,
    ]
    assert found.evidence[0].location == Location("src/ä b:\udcff.py", 3, 4)
    assert found.evidence[0].cwe == ("CWE-78",)
    assert found.unfinished == ("reviewbot says it did not finish (own.sarif).",)


HUNKS = (Hunk(2, 2, 1, 0, ("-b", "-c")), Hunk(6, 0, 5, 2, ("+x", "+y")), Hunk(8, 1, 9, 1, ("-h", "+H")))


@pytest.mark.parametrize(
    ("base", "head"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 4), (7, 7), (8, 9), (9, 10), (100, 101)]
)
def test_the_nearest_head_line_follows_the_hunks(base: int, head: int) -> None:
    # hunks without context, as --unified=0 gives them; line 8 of base was replaced by line 9 of head
    change = replace(CHANGED, hunks=(HUNKS[0], replace(HUNKS[1], head_start=5), HUNKS[2]))
    assert find_nearest_head_line(change, base) == head


def find_schema() -> Any:
    found = sorted(CONTRACT.glob("node_modules/@microsoft/sarif-multitool*/**/sarif-2.1.0.json"))
    if not found:
        pytest.skip("the SARIF schema is not installed: npm ci --prefix tests/contract --ignore-scripts")
    return json.loads(found[0].read_text("utf-8-sig"))


@pytest.mark.parametrize("whole", [EVERYTHING, review()], ids=["everything", "nothing"])
def test_the_published_schema_accepts_it(whole: Review) -> None:
    jsonschema.validate(json.loads(render_sarif(whole)), find_schema())


@given(st.text(max_size=30), st.text(min_size=1, max_size=30), st.integers(1, 10**6))
def test_any_text_in_a_finding_gives_utf8_json_that_we_read(text: str, rule: str, line: int) -> None:
    whole = review(finding(1, Location("new.py", line, line), title=text, message=text, rule=rule, tool="t"))
    found = parse_sarif(render_sarif(whole).encode("utf-8"), "own.sarif", TreePaths(["new.py"]))
    assert [one.location for one in found.evidence] == [Location("new.py", line, line)]
