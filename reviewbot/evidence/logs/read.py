"""A log of a red run -> ``Evidence`` of the same shape as that of JUnit files, and nothing of the rest.

No well-kept Python library reads what test runners print (those on PyPI read JUnit XML or pytest's own
JSON), so each runner has a parser here. All of them read every log: a job may run several.
"""

import re
from collections.abc import Sequence

from reviewbot.core import Evidence, Rejected, Severity
from reviewbot.errors import EvidenceError
from reviewbot.evidence.files import FILE_CAP
from reviewbot.evidence.junit import MESSAGE_CAP, JunitReport
from reviewbot.evidence.junit_places import FailedCase, find_place, list_written
from reviewbot.evidence.logs.compiled import parse_cargo, parse_go, parse_gradle, parse_surefire
from reviewbot.evidence.logs.compilers import parse_compilers
from reviewbot.evidence.logs.lines import LogFailure, Told, parse_lines
from reviewbot.evidence.logs.mocha import parse_jasmine, parse_mocha, parse_playwright
from reviewbot.evidence.logs.node import parse_ava, parse_bun, parse_deno, parse_node
from reviewbot.evidence.logs.python import parse_pytest, parse_unittest
from reviewbot.evidence.logs.scripts import parse_jest, parse_phpunit, parse_rspec, parse_vitest
from reviewbot.evidence.logs.suites import (
    parse_dotnet,
    parse_exunit,
    parse_google,
    parse_minitest,
    parse_xctest,
)
from reviewbot.evidence.logs.tap import parse_tap
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.traces import parse_frames
from reviewbot.text import cut_middle, one_line

MOST_FAILURES = 2_000
"""Failures that are kept of one log: its first ones, as what went wrong first explains most."""

MOST_LINES = 1_000_000
"""Lines of one log: each is looked at by every parser, and 64 MiB of line ends would take minutes."""

RUNNERS = {
    "pytest": parse_pytest,
    "unittest": parse_unittest,
    "Jest": parse_jest,
    "Vitest": parse_vitest,
    "Mocha": parse_mocha,
    "Jasmine": parse_jasmine,
    "Playwright": parse_playwright,
    "node:test": parse_node,
    "Bun": parse_bun,
    "Deno": parse_deno,
    "AVA": parse_ava,
    "TAP": parse_tap,
    "Go test": parse_go,
    "Cargo": parse_cargo,
    "Surefire": parse_surefire,
    "Gradle": parse_gradle,
    "RSpec": parse_rspec,
    "PHPUnit": parse_phpunit,
    "Minitest": parse_minitest,
    "ExUnit": parse_exunit,
    "GoogleTest": parse_google,
    ".NET": parse_dotnet,
    "XCTest": parse_xctest,
    "a compiler": parse_compilers,
}
"""Each parser by the name of what it reads."""

_FLAKY_HINTS = {
    "a timeout": re.compile(r"timed? ?-?out\b|TimeoutError|deadline exceeded|ETIMEDOUT", re.IGNORECASE),
    "the network": re.compile(
        r"ECONNRE(?:SET|FUSED)|\bENOTFOUND\b|EAI_AGAIN|connection (?:refused|reset)|name resolution|"
        r"network is unreachable|could not resolve host|UnknownHostException|"
        r"\b50[234] (?:bad|service|gateway)",
        re.IGNORECASE,
    ),
    "a port in use": re.compile(r"EADDRINUSE|address already in use", re.IGNORECASE),
    "the machine": re.compile(
        r"no space left on device|out of memory|OutOfMemoryError|ENOSPC", re.IGNORECASE
    ),
}


def parse_log(data: bytes, name: str, tree: TreePaths, start: int = 1) -> JunitReport:
    """Parse one log; ``name`` is its name for error messages, ``start`` the number of its first id.

    Raises EvidenceError for more than 64 MiB or a million lines, and for a log without any output that is
    known: a file that tells nothing must not look like tests that passed.
    """
    if len(data) > FILE_CAP:
        raise EvidenceError(f"{name} is larger than {FILE_CAP // 2**20} MiB")
    if data.count(b"\n") > MOST_LINES:
        raise EvidenceError(f"{name} has more than {MOST_LINES:,} lines")
    lines = parse_lines(data)
    told = {runner: parse(lines) for runner, parse in RUNNERS.items()}
    if not any(one.known for one in told.values()):
        raise EvidenceError(
            f"{name} holds no test output that is known",
            help="Hand in the log of a step that ran tests (pytest, Jest, Go test, Maven and others are "
            "known), or a JUnit file.",
        )
    failures = sorted((one for each in told.values() for one in each.failures), key=lambda one: one.at)
    kept = failures[:MOST_FAILURES]
    cases = [_case(failure) for failure in kept]
    taught = tree.learn({path for case in cases for path in list_written(case)})
    evidence = tuple(
        _evidence(failure, case, f"log:{start + index}", taught)
        for index, (failure, case) in enumerate(zip(kept, cases, strict=True))
    )
    return JunitReport(
        evidence=evidence,
        rejected=tuple(
            Rejected("junit", "failure", None, f"flaky: passed on retry ({one_line(test, 300)})")
            for each in told.values()
            for test in each.flaky
        ),
        tests=sum(max(each.tests, len(each.failures)) for each in told.values()),
        failures=sum(failure.kind == "failure" for failure in failures),
        errors=sum(failure.kind == "error" for failure in failures),
        skipped=sum(each.skipped for each in told.values()),
        unfinished=_find_missing(told, len(failures) - len(kept), name),
    )


def _find_missing(told: dict[str, Told], left_out: int, name: str) -> tuple[str, ...]:
    """Sentences for what a runner counts and the log does not tell, and for what is past the cap."""
    sentences = [
        f"{runner} counts {each.failed:,} failures but the log tells of {len(each.failures):,}, "
        f"so it was cut ({name})."
        for runner, each in told.items()
        if each.failed is not None and each.failed > len(each.failures)
    ]
    if left_out:
        sentences.append(f"{left_out:,} failures after the first {MOST_FAILURES:,} were left out ({name}).")
    return tuple(sentences)


def _case(failure: LogFailure) -> FailedCase:
    """The failure as a JUnit file would tell it, so that one set of rules places both."""
    scope = {"name": failure.name, "classname": failure.owner}
    if failure.file:
        scope |= {"file": failure.file, "line": str(failure.line)}
    return FailedCase((scope,), tuple(parse_frames("\n".join(failure.lines))))


def _evidence(failure: LogFailure, case: FailedCase, id: str, tree: TreePaths) -> Evidence:
    place = find_place(case, tree)
    return Evidence(
        id=id,
        source="junit",
        tool="log",
        rule=failure.kind,
        severity=Severity.HIGH,
        title=f"{one_line(failure.id[:2_000], 300)} failed",
        message=_message(failure),
        trace=cut_middle("\n".join(failure.lines), MESSAGE_CAP),
        location=place.location,
        related=place.related,
        level="error",
        snippet=place.snippet,
    )


def _message(failure: LogFailure) -> str:
    said = one_line(failure.message or f"The log names it as a {failure.kind} and says no more.", 400)
    hints = find_flaky_hints((failure.message, *failure.lines))
    return f"{said} (it names {' and '.join(hints)}: it may be flaky)" if hints else said


def find_flaky_hints(lines: Sequence[str]) -> tuple[str, ...]:
    """What in the output of a failure speaks of its surroundings rather than of the code."""
    # Only what runners print as the error: quoted code may name a timeout and mean nothing by it.
    said = "\n".join(line for line in lines if line[:1] not in (" ", ">", "\t") or "panic" in line)[:20_000]
    return tuple(name for name, pattern in _FLAKY_HINTS.items() if pattern.search(said))
