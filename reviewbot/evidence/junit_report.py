"""A review -> JUnit XML, for CI systems that show test reports and nothing else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reviewbot.core import Conclusion, CoverageStatus, Finding, Review, Side
from reviewbot.text import cut, one_line, visible, visible_line, without_runner_commands

_TEXT_CAP = 8_000
_NO_XML = re.compile("[\ufffe\uffff]")  # section 2.2 of XML 1.0; what else it refuses is hidden text


_Outcome = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class _Case:
    """One testcase: how it ended and what it prints."""

    name: str
    outcome: _Outcome
    headline: str = ""
    text: str = ""
    kind: str = ""
    path: str = ""
    line: int = 0


def render_junit(review: Review) -> str:
    """Three suites: the verdict, the findings, the files that nobody read.

    A blocking finding is a failure, any other a passed case that prints itself, an unreviewed file an
    error. The case ``verdict`` passes only if the review passed; an incomplete review that policy lets
    be neutral is a skipped case, as it lets merge.
    """
    blocking = frozenset(review.verdict.blocking)
    findings = sorted(review.findings, key=lambda one: _order(one, blocking))
    unread = [row for row in review.coverage.files if row.status is CoverageStatus.UNREVIEWED]
    suites = {
        "reviewbot.verdict": [_verdict_case(review)],
        "reviewbot.findings": [_finding_case(one, one.fingerprint in blocking) for one in findings],
        "reviewbot.coverage": [
            _Case(
                f"{visible_line(row.path)} is reviewed",
                "error",
                row.reason,
                row.reason,
                "unreviewed",
                row.path,
            )
            for row in unread
        ],
    }
    body = "".join(_render_suite(name, cases) for name, cases in suites.items() if cases)
    every = [case for cases in suites.values() for case in cases]
    counts = f"{_render_counts(every)}{_attribute('time', f'{review.seconds:.3f}')}"
    root = f'<testsuites name="reviewbot"{counts}>\n{body}</testsuites>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'


def _order(finding: Finding, blocking: frozenset[str]) -> tuple[bool, int, str, int, str]:
    place = finding.location
    path, line = (place.path, place.start_line) if place else ("", 0)
    return finding.fingerprint not in blocking, -finding.severity.rank, path, line, finding.fingerprint


def _verdict_case(review: Review) -> _Case:
    verdict = review.verdict
    text = "\n".join(f"{reason.code}: {reason.detail}" for reason in verdict.reasons)
    if verdict.conclusion is Conclusion.PASS:
        return _Case("verdict", "passed", text=text)
    blocking = len(verdict.blocking)
    headline = f"{blocking} finding{'s block' if blocking > 1 else ' blocks'}" if blocking else text
    outcome: _Outcome = "failure" if verdict.conclusion is Conclusion.FAIL else "error"
    if verdict.exit_code == 0:
        outcome = "skipped"  # incomplete and neutral: it lets merge, so no viewer may turn red
    return _Case("verdict", outcome, headline or verdict.conclusion.value, text, verdict.conclusion.value)


def _finding_case(finding: Finding, blocks: bool) -> _Case:
    """The name holds rule and place; the words of the tool are the text."""
    place = finding.location
    side = " in the base version" if place and place.side is Side.LEFT else ""
    where = f"{visible_line(place.path)}:{place.start_line}{side}" if place else "no line of the change"
    evidence = finding.evidence
    title = one_line(evidence.title, 300)
    parts = (
        f"{finding.severity.value}: {title}",
        where,
        evidence.message.strip(),
        evidence.trace,
        finding.note,
    )
    return _Case(
        name=f"{finding.rule} at {where}",
        outcome="failure" if blocks else "passed",
        headline=title,
        text=cut("\n".join(part for part in parts if part and part != title), _TEXT_CAP),
        kind=finding.rule,
        path=place.path if place else "",
        line=place.start_line if place and not side else 0,
    )


def _render_suite(name: str, cases: list[_Case]) -> str:
    """One suite. Viewers tell cases apart by name, so a repeated name gets a number."""
    seen: dict[str, int] = {}
    lines = [f"  <testsuite{_attribute('name', name)}{_render_counts(cases)}>\n"]
    for case in cases:
        shown = one_line(case.name, 500)
        seen[shown] = seen.get(shown, 0) + 1
        number = f" #{seen[shown]}" if seen[shown] > 1 else ""
        lines.append(_render_case(name, case, f"{shown}{number}"))
    return "".join([*lines, "  </testsuite>\n"])


def _render_case(suite: str, case: _Case, name: str) -> str:
    attributes = [("classname", suite), ("name", name), ("file", case.path)]
    attributes.append(("line", str(case.line) if case.line else ""))
    start = "".join(_attribute(key, value) for key, value in attributes if value)
    if case.outcome == "passed":
        inside = f"<system-out>{_escape(case.text)}</system-out>" if case.text else ""
    else:
        told = _attribute("message", one_line(case.headline, 500))
        told += _attribute("type", one_line(case.kind, 200)) if case.outcome != "skipped" else ""
        inside = f"<{case.outcome}{told}>{_escape(case.text)}</{case.outcome}>"
    return f'    <testcase{start} time="0">{inside}</testcase>\n'


def _render_counts(cases: Iterable[_Case]) -> str:
    outcomes = [case.outcome for case in cases]
    numbers = (len(outcomes), outcomes.count("failure"), outcomes.count("error"), outcomes.count("skipped"))
    names = ("tests", "failures", "errors", "skipped")
    return "".join(_attribute(name, str(number)) for name, number in zip(names, numbers, strict=True))


def _attribute(name: str, value: str) -> str:
    return f' {name}="{_escape(visible_line(value))}"'


def _escape(text: str) -> str:
    """Text for content or attribute: nothing hidden, nothing that XML cannot hold, no runner command.

    CI jobs print this file and the texts in it; a workflow runner obeys what looks like a command.
    """
    text = _NO_XML.sub(lambda match: f"<U+{ord(match.group()):04X}>", without_runner_commands(visible(text)))
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(char, entity)
    return text
