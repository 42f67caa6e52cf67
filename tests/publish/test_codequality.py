import json

from reviewbot.core import Location, Severity, Side, Suppression
from reviewbot.publish.codequality import render_codequality
from tests.publish import finding, review


def test_an_entry_has_what_gitlab_asks_for() -> None:
    made = review(finding(1, Severity.HIGH, message="Pass a list."), blocking=1)
    assert json.loads(render_codequality(made)) == [
        {
            "description": "`subprocess` call with `shell=True` identified, security issue. Pass a list.",
            "check_name": "ruff/S602",
            "fingerprint": "0000000000000001",
            "severity": "critical",
            "location": {"path": "app/run.py", "lines": {"begin": 10}},
        }
    ]


def test_each_severity_has_its_word_at_gitlab() -> None:
    made = review(*(finding(n, severity) for n, severity in enumerate(Severity, 1)))
    assert [entry["severity"] for entry in json.loads(render_codequality(made))] == [
        "blocker",
        "critical",
        "major",
        "minor",
        "info",
    ]


def test_only_open_findings_with_a_place_in_the_diff_are_listed() -> None:
    made = review(
        finding(1),
        finding(2, in_diff=False),
        finding(3, location=None),
        finding(4, suppression=Suppression.BASE),
        finding(5, status="dismissed"),
        finding(6, in_diff=False, location=None, source="junit"),
        blocking=1,
    )
    assert [entry["fingerprint"][-1] for entry in json.loads(render_codequality(made))] == ["1"]


def test_a_failed_test_that_blocks_is_listed_wherever_it_stands() -> None:
    made = review(finding(1, in_diff=False, source="junit"), blocking=1)
    assert len(json.loads(render_codequality(made))) == 1


def test_text_is_visible_on_one_line_and_paths_are_exact() -> None:
    made = review(finding(1, title="a\u202e\nb", location=Location("caf\udce9.py", 3, 4, Side.LEFT)))
    printed = render_codequality(made)
    assert printed.isascii()
    entry = json.loads(printed)[0]
    assert entry["description"] == "On a deleted line: a<U+202E> b."
    assert entry["location"] == {"path": "caf\udce9.py", "lines": {"begin": 3}}
