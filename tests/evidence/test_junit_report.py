import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import (
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Location,
    Reason,
    Review,
    Verdict,
)
from reviewbot.evidence.junit import parse_junit
from reviewbot.evidence.junit_report import render_junit
from reviewbot.evidence.paths import TreePaths
from tests.evidence.test_sarif_report import EVERYTHING, finding, review

TREE = TreePaths(["new.py", "old.py", "big.py"])
UNREAD = CoverageRow("big.py", CoverageStatus.UNREVIEWED, (), "too <large>", 3, 0)


def outcomes(whole: Review) -> tuple[int, int, int]:
    report = parse_junit(render_junit(whole).encode("utf-8"), "own.xml", TREE)
    return report.tests, report.failures, report.errors


def test_a_pass_is_all_green() -> None:
    assert outcomes(review()) == (1, 0, 0)
    assert outcomes(review(finding(1))) == (2, 0, 0)


def test_a_blocking_finding_is_a_failure_and_so_is_the_verdict() -> None:
    whole = review(finding(1), finding(2), conclusion=Conclusion.FAIL, blocking=(f"{1:016x}",))
    assert outcomes(whole) == (3, 2, 0)
    report = parse_junit(render_junit(whole).encode(), "own.xml", TREE)
    verdict, blocker = report.evidence
    assert (verdict.title, verdict.message) == ("reviewbot.verdict::verdict failed", "1 finding blocks")
    assert blocker.location == Location("new.py", 3, 3)
    assert "A shell runs this" in blocker.message


def test_an_unread_file_and_an_incomplete_verdict_are_errors() -> None:
    verdict = Verdict(Conclusion.INCOMPLETE, 1, (), (), (Reason("unreviewed", "big.py was not read."),))
    whole = review(coverage=Coverage((UNREAD,)), verdict=verdict)
    assert outcomes(whole) == (2, 0, 2)
    assert "unreviewed: big.py was not read." in render_junit(whole)
    assert "too &lt;large&gt;" in render_junit(whole)


def test_the_counts_in_the_attributes_are_those_of_the_elements() -> None:
    whole = replace(EVERYTHING, coverage=Coverage((UNREAD,)))
    root = ElementTree.fromstring(render_junit(whole))
    for node in (root, *root.findall("testsuite")):
        counted = [len(node.findall(f".//{tag}")) for tag in ("testcase", "failure", "error", "skipped")]
        assert counted == [int(node.get(key, "")) for key in ("tests", "failures", "errors", "skipped")]


def test_two_findings_of_one_rule_in_one_place_have_two_names() -> None:
    root = ElementTree.fromstring(render_junit(review(finding(1), finding(2))))
    names = [case.get("name") for case in root.iter("testcase")]
    assert names == ["verdict", "ruff/S602 at new.py:3", "ruff/S602 at new.py:3 #2"]


@pytest.mark.parametrize(
    "char", ["\x00", "\x1b", "\r", "\x7f", "\x85", "\ud800", "\udcff", "\ufffe", "\uffff"]
)
def test_characters_that_xml_cannot_hold_are_shown(char: str) -> None:
    text = render_junit(review(finding(1, title=f"a{char}b", message=f"c{char}d")))
    shown = f"&lt;U+{ord(char):04X}&gt;"
    assert f"c{shown}d" in text
    ElementTree.fromstring(text)


RUNNER_COMMAND = re.compile(r"^[^\S\n]*::|##\[", re.MULTILINE)


def test_nothing_hidden_and_no_line_feed_stands_in_an_attribute() -> None:
    path = "a\n::error::x\u202e.py"
    whole = review(
        finding(1, Location(path, 1, 1), title="t\n::stop::x", message="m\u2028n", trace="\r::warning::w"),
        coverage=Coverage((replace(UNREAD, path=path),)),
    )
    text = render_junit(whole)
    assert text.count('file="a&lt;U+000A&gt;::error::x&lt;U+202E&gt;.py"') == 2
    assert "m&lt;U+2028&gt;n" in text
    assert not any(char in text for char in "\u202e\u2028\r")


@pytest.mark.parametrize("command", ["::error::x", "  ::set-output name=a::b", "##[error]x", "a ##[group]b"])
def test_no_line_is_a_command_to_a_workflow_runner(command: str) -> None:
    verdict = Verdict(Conclusion.INCOMPLETE, 1, (), (), (Reason("unreviewed", f"x\n{command}"),))
    whole = review(
        finding(1, title=command, message=f"a\n{command}", trace=f"b\n{command}", rule=command),
        coverage=Coverage((replace(UNREAD, reason=f"c\n{command}"),)),
        verdict=verdict,
    )
    text = render_junit(whole)
    assert not RUNNER_COMMAND.search(text)
    for node in ElementTree.fromstring(text).iter():
        assert not RUNNER_COMMAND.search("\n".join(["x", node.text or "", *node.attrib.values()])), (
            node.attrib
        )


@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_any_text_is_valid_xml_with_one_failure_for_one_blocker(text: str, path: str) -> None:
    whole = review(
        finding(1, Location(path, 1, 1), title=text, message=text, rule=text),
        conclusion=Conclusion.FAIL,
        blocking=(f"{1:016x}",),
    )
    assert outcomes(whole) == (2, 2, 0)
