"""JUnit XML from any test runner -> ``Evidence``. Counts come from elements, never from attributes.

Counters in attributes only serve to notice that elements are missing.

There is no standard; the dialects read here are those of pytest, Surefire, Gradle, Jest, Vitest,
gotestsum, nextest, PHPUnit, RSpec and their like. Built for hostile files: no DTD, no entities, caps.
"""

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from reviewbot.core import Evidence, Rejected, Severity, Sha
from reviewbot.errors import EvidenceError
from reviewbot.evidence.files import FILE_CAP
from reviewbot.evidence.junit_places import FailedCase, find_place, list_written
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.traces import parse_frames
from reviewbot.text import cut_middle, one_line

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DEPTH_CAP = 64
ELEMENT_CAP = 1_000_000
PROBLEM_CAP = 25_000
UNFINISHED_CAP = 10
MESSAGE_CAP = 8_000
_TRACE_CAP = 64_000
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_WORDS = frozenset(
    "commit commitid commitsha commithash revision gitcommit gitcommitid gitcommitidfull gitcommitsha"
    " gitcommithash gitsha githash gitrevision githeadsha githubsha headsha cicommitsha cicommit buildcommit"
    " vcsrevision scmrevision scmcommit buildvcsnumber buildsourceversion circlesha1 sha".split()
)
_SUITES = ("testsuites", "testsuite")
_PROBLEMS = ("failure", "error")
_RERUN = ("rerunFailure", "rerunError")
_FLAKY = ("flakyFailure", "flakyError")
_SAID = (*_PROBLEMS, *_RERUN, *_FLAKY)
_FAILED_WORDS = {
    **dict.fromkeys(("fail", "failed", "failure"), "failure"),
    **dict.fromkeys(("error", "errored"), "error"),
}


@dataclass(frozen=True, slots=True)
class JunitReport:
    """What one JUnit file says. ``tests`` counts cases, the other numbers count elements.

    ``unfinished`` are sentences about the suites whose own counters name more than stands in them: the
    file was cut or filtered, so its silence means nothing.
    """

    evidence: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...]
    tests: int
    failures: int
    errors: int
    skipped: int
    unfinished: tuple[str, ...] = ()


@dataclass(slots=True)
class _Element:
    """An open element: its attributes, the commit that a property in it names, what stands in it.

    ``problems`` counts failures, errors, reruns and flakes. ``is_cut``: a suite in it misses elements.
    """

    tag: str
    attributes: dict[str, str]
    revision: Sha | None = None
    tests: int = 0
    problems: int = 0
    skipped: int = 0
    counts_otherwise: bool = False
    is_cut: bool = False

    def count(self, child: "_Element") -> None:
        """Add a closed child and what stood in it."""
        self.tests += child.tests + (child.tag == "testcase")
        self.problems += child.problems + (child.tag in _SAID)
        self.skipped += child.skipped + (child.tag == "skipped")
        self.counts_otherwise |= child.counts_otherwise
        self.is_cut |= child.is_cut


@dataclass(frozen=True, slots=True)
class _Problem:
    """One failure, error or flaky element with what it stands in, innermost first."""

    tag: str
    attributes: dict[str, str]
    trace: str
    scopes: tuple[_Element, ...]
    case: FailedCase


@dataclass(slots=True)
class _Tally:
    """What has been read so far."""

    tests: int = 0
    skipped: int = 0
    problems: list[_Problem] = field(default_factory=list)
    flaky: list[_Problem] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def parse_junit(data: bytes, name: str, tree: TreePaths, start: int = 1) -> JunitReport:
    """Parse one JUnit file; ``name`` is its name for error messages, ``start`` the number of its first id.

    Raises EvidenceError for anything but JUnit XML within the caps (64 MiB, 64 levels, 1,000,000
    elements, 25,000 failures), for a document type, and for a file without a single test case.
    """
    if len(data) > FILE_CAP:
        raise EvidenceError(f"{name} is larger than {FILE_CAP // 2**20} MiB")
    tally = _read_tally(data, name)
    if tally.tests == 0 and not tally.problems:
        raise EvidenceError(
            f"{name} holds no test case",
            help="Check that the tests ran: an empty report shows nothing.",
        )
    cases = [problem.case for problem in (*tally.problems, *tally.flaky)]
    taught = tree.learn({path for case in cases for path in list_written(case)})
    return JunitReport(
        evidence=tuple(_to_evidence(p, f"junit:{start + i}", taught) for i, p in enumerate(tally.problems)),
        rejected=tuple(_to_rejected(problem, taught) for problem in tally.flaky),
        tests=tally.tests,
        failures=sum(problem.tag == "failure" for problem in tally.problems),
        errors=sum(problem.tag == "error" for problem in tally.problems),
        skipped=tally.skipped,
        unfinished=_cap_unfinished(tally.unfinished, name),
    )


def _cap_unfinished(sentences: list[str], name: str) -> tuple[str, ...]:
    more = len(sentences) - UNFINISHED_CAP
    rest = [f"{more:,} more suites miss elements, too ({name})."] if more > 0 else []
    return (*sentences[:UNFINISHED_CAP], *rest)


def _read_tally(data: bytes, name: str) -> _Tally:
    """Run the XML parser and give each of its complaints a sentence."""
    # Imported here: 0.02 s that runs without a JUnit file need not pay.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, iterparse  # noqa: PLC0415

    reader = _Reader(name)
    try:
        for event, element in iterparse(BytesIO(data), ("start", "end"), forbid_dtd=True):
            if event == "start":
                reader.open(element)
            else:
                reader.close(element)
    except DefusedXmlException:
        raise EvidenceError(
            f"{name} declares a document type or an entity, which no JUnit report needs",
            help="Remove the <!DOCTYPE ...> from the file.",
        ) from None
    except ParseError as error:
        raise EvidenceError(f"{name} is no XML that can be read: {error}") from None
    except (LookupError, ValueError) as error:
        raise EvidenceError(f"{name} is in an encoding that cannot be read: {error}") from None
    return reader.tally


class _Reader:
    """Walks the elements of one file and keeps only what failed."""

    def __init__(self, name: str) -> None:
        self.tally = _Tally()
        self._name = name
        self._open: list[_Element] = []
        self._nodes: list[Element] = []
        self._elements = 0
        self._in_case: list[_Problem] = []

    def open(self, node: "Element") -> None:
        """Note a start tag, whose attributes are complete already, and check the caps."""
        tag = node.tag.rpartition("}")[2]
        self._elements += 1
        if self._elements > ELEMENT_CAP:
            raise EvidenceError(f"{self._name} holds more than {ELEMENT_CAP:,} elements")
        if len(self._open) >= DEPTH_CAP:
            raise EvidenceError(f"{self._name} is nested deeper than {DEPTH_CAP} levels")
        if not self._open and tag not in _SUITES:
            raise EvidenceError(
                f"{self._name} is no JUnit report: its root is <{one_line(tag, 60)}>, not <testsuites>",
                help="Let the test runner write JUnit XML (JUnit, not NUnit, xUnit or TRX).",
            )
        if tag == "testcase" and any(element.tag == "testcase" for element in self._open):
            raise EvidenceError(f"{self._name} is no JUnit report: a <testcase> stands in a <testcase>")
        self._open.append(_Element(tag, dict(node.attrib)))
        self._nodes.append(node)

    def close(self, node: "Element") -> None:
        """Take what an end tag completes, and free its memory."""
        element = self._open.pop()
        self._nodes.pop()
        scopes = tuple(e for e in reversed(self._open) if e.tag in _SUITES or e.tag == "testcase")
        parent = self._open[-1].tag if self._open else ""
        if parent == "testcase" or parent in _SUITES:
            self._take(element, node, scopes)
        elif element.tag == "property" and parent == "properties" and scopes:
            _note_revision(element.attributes, scopes[0])
        if element.tag == "testcase":
            self.tally.tests += 1
            self._take_status(element, scopes)
            self._settle_case()
        if element.tag in _SUITES and not element.is_cut and (what := _find_missing(element)):
            element.is_cut = True
            suite = one_line(element.attributes.get("name", ""), 100) or "without a name"
            self.tally.unfinished.append(f"The test suite {suite} {what} ({self._name}).")
        if self._open:
            self._open[-1].count(element)
        if parent not in _PROBLEMS and self._nodes:
            self._nodes[-1].remove(node)  # a million passed tests must not fill the memory

    def _take(self, element: _Element, node: "Element", scopes: tuple[_Element, ...]) -> None:
        """A problem of the open case, or of the suite itself (a suite that could not start)."""
        if element.tag == "skipped":
            self.tally.skipped += 1
        if element.tag not in _SAID:
            return
        trace = cut_middle("".join(node.itertext()), _TRACE_CAP)
        frames = tuple(parse_frames(trace if trace.strip() else element.attributes.get("message", "")))
        case = FailedCase(tuple(scope.attributes for scope in scopes), frames)
        tag = element.tag.removeprefix("rerun").lower() if element.tag in _RERUN else element.tag
        if element.tag in _RERUN and any(problem.tag in _PROBLEMS for problem in self._in_case):
            return  # Surefire repeats below a failure what each further try said
        self._in_case.append(_Problem(tag, element.attributes, trace, scopes, case))
        if scopes[0].tag != "testcase":
            self._settle_case()

    def _take_status(self, case: _Element, scopes: tuple[_Element, ...]) -> None:
        """A case that only its ``status`` or ``result`` calls failed, without an element that says so."""
        words = [case.attributes.get(key, "") for key in ("status", "result")]
        case.counts_otherwise = words == ["run", ""] or any(
            scope.attributes.get("name") in ("pytest", "pytest tests") for scope in scopes
        )
        tag = next((_FAILED_WORDS[word.lower()] for word in words if word.lower() in _FAILED_WORDS), None)
        if tag is None or case.problems or case.skipped:
            return
        case.problems = 1
        every = (case, *scopes)
        failed = FailedCase(tuple(scope.attributes for scope in every), ())
        message = {"message": "The report marks it as failed and says no more."}
        self._in_case.append(_Problem(tag, message, "", every, failed))

    def _settle_case(self) -> None:
        """Failed, or passed on a retry: flaky elements alone mean that the last try passed."""
        failed = [problem for problem in self._in_case if problem.tag in _PROBLEMS]
        self.tally.problems.extend(failed)
        self.tally.flaky.extend([] if failed else self._in_case[:1])
        self._in_case = []
        if len(self.tally.problems) > PROBLEM_CAP:
            raise EvidenceError(f"{self._name} holds more than {PROBLEM_CAP:,} failures")


def _find_missing(suite: _Element) -> str:
    """What a suite's counters name beyond its elements, nested suites included; empty if nothing.

    Generous, as counters differ: Surefire may count reruns, pytest a case and its teardown, ESLint its
    failures as errors.
    """
    found = {"failures": suite.problems, "errors": suite.problems}
    if not suite.counts_otherwise:  # Catch2 and doctest count assertions as tests, pytest passed subtests
        found["tests"] = suite.tests + suite.problems + suite.skipped
    for name, most in found.items():
        written = suite.attributes.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,18}", written) and int(written) > most:
            held = suite.tests if name == "tests" else suite.problems
            return f"counts {int(written):,} {name} but holds {held:,}, so the report was cut or filtered"
    return ""


def _note_revision(attributes: dict[str, str], scope: _Element) -> None:
    """``<property name="git.commit" value="…">`` with a full id names the commit that was tested."""
    word = re.sub(r"[^a-z0-9]", "", attributes.get("name", "")[:100].lower())
    value = attributes.get("value", "").lower()
    if word in _COMMIT_WORDS and _SHA.fullmatch(value) and scope.revision is None:
        scope.revision = value


def _to_evidence(problem: _Problem, id: str, tree: TreePaths) -> Evidence:
    place = find_place(problem.case, tree)
    return Evidence(
        id=id,
        source="junit",
        tool="junit",
        rule=problem.tag,
        severity=Severity.HIGH,
        title=f"{_test_id(problem)} failed",
        message=_message(problem),
        trace=_trace(problem),
        location=place.location,
        related=place.related,
        level="error",
        revision=next((scope.revision for scope in problem.scopes if scope.revision), None),
        snippet=place.snippet,
    )


def _to_rejected(problem: _Problem, tree: TreePaths) -> Rejected:
    location = find_place(problem.case, tree).location
    path = location.path if location else None
    return Rejected("junit", problem.tag, path, f"flaky: passed on retry ({_test_id(problem)})")


def _test_id(problem: _Problem) -> str:
    """``classname::name``; the name alone where the class only repeats it (Jest)."""
    owner, name = problem.case.classname, problem.scopes[0].attributes.get("name", "")
    if owner and name and owner != name:
        return one_line(f"{owner[:1_000]}::{name[:1_000]}", 300)
    return one_line(name or owner, 300) or "a test without a name"


def _message(problem: _Problem) -> str:
    """One line: of the message; of the trace its last, or its first where it ends in calls; else the kind."""
    message, trace = problem.attributes.get("message", "").strip(), problem.trace.strip()
    lines = trace.splitlines()
    ends_in_calls = bool(lines) and lines[-1].lstrip().startswith("at ")
    said = message.splitlines()[:1] or (lines[:1] if ends_in_calls else lines[-1:])
    return one_line(said[0] if said else problem.attributes.get("type", ""), 500)


def _trace(problem: _Problem) -> str:
    """The trace, after the message where that says more."""
    message, trace = problem.attributes.get("message", "").strip(), problem.trace.strip()
    parts = [message] if message and message not in trace else []
    return cut_middle("\n".join([*parts, trace]).strip(), MESSAGE_CAP)
