"""The output of Jest, Vitest, RSpec and PHPUnit -> failed tests. Pure.

Formats as Jest 30, Vitest 4, RSpec 3 and PHPUnit 11 print them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from reviewbot.evidence.logs.lines import LogFailure, Told, find_first_words, keep_lines, merge, number

_JEST_FILE = re.compile(r"\s{0,4}(?:FAIL|PASS)\s+(\S{1,400}\.[cm]?[jt]sx?)(?:\s+\([\d.]+ m?s\))?\s*$")
_JEST_TEST = re.compile(r"  ● (.{1,1000})$")
_JEST_STOP = re.compile(
    r"(?:Test Suites:|Tests:|Snapshots:|Summary of all failing tests|\s{0,4}(?:FAIL|PASS)\s)"
)
_JEST_COUNT = re.compile(r"Tests:\s+(.+?)(\d{1,9}) total")
_JEST_SUITE = "Test suite failed to run"

_VITEST = re.compile(
    r"\s{0,2}FAIL\s+(?:\|[^|]{1,100}\| )?(\S{1,400}\.[cm]?[jt]sx?)(?: > (.{1,1000}?)| \[ .{1,400} \])$"
)
_VITEST_STOP = re.compile(r"⎯{5,}")
_VITEST_COUNT = re.compile(r"\s{2,}Tests\s+(.+?)\s+\((\d{1,9})\)\s*$")
_VITEST_RETRY = re.compile(r"\s+✓ (.{1,500}?)(?:\s+\d+ ?ms)? \(retry x\d+\)")

_RSPEC_FAILURE = re.compile(r"  \d{1,6}\) (.{1,1000})$")
_RSPEC_STOP = re.compile(r"(?:Finished in |Failed examples:|Top \d)")
_RSPEC_LOAD = re.compile(r"An error occurred while loading (\S{1,400}?)\.?$")
_RSPEC_LIST = re.compile(r"rspec '?(\S{1,400}?\.rb)(?::(\d{1,7})|\[[\d:]+\])'? # (.{1,1000})$")
_RSPEC_COUNT = re.compile(
    r"(\d{1,9}) examples?, (\d{1,9}) failures?(?:, (\d{1,9}) pending)?(?:, (\d{1,9}) errors? occurred)?"
)

_PHP_KIND = re.compile(r"There (?:was|were) \d{1,9} (failure|error|.{1,60}?)s?:\s*$")
_PHP_TEST = re.compile(r"\d{1,6}\) ([\w\\]{1,400})::(.{1,600})$")
_PHP_STOP = re.compile(r"(?:--\s*$|FAILURES!|ERRORS!|WARNINGS!|OK|There (?:was|were) \d)")
_PHP_COUNT = re.compile(r"Tests: (\d{1,9}), Assertions: \d{1,9}(.*)\.$")


def _counted(text: str, *words: str) -> int:
    found = (re.search(rf"(?<!\d)(\d{{1,9}}) {word}\b", text) for word in words)
    return sum(number(match[1]) for match in found if match)


def parse_jest(lines: Sequence[str]) -> Told:
    """Read what Jest printed; its default reporter tells of each failure twice where many suites fail."""
    failures = merge(_read_jest(lines))
    ends = [end for line in lines if line.startswith("Tests:") and (end := _JEST_COUNT.match(line))]
    suites = sum(failure.name == _JEST_SUITE for failure in failures)
    return Told(
        failures=failures,
        tests=sum(number(end[2]) for end in ends),
        failed=sum(_counted(end[1], "failed") for end in ends) + suites if ends else None,
        skipped=sum(_counted(end[1], "skipped", "todo") for end in ends),
        known=bool(ends or failures),
    )


def _read_jest(lines: Sequence[str]) -> Iterator[LogFailure]:
    file, title, start = "", "", 0
    for at, line in enumerate([*lines, "Tests:"]):
        test = _JEST_TEST.match(line) if line.startswith("  ● ") else None
        stop = _JEST_STOP.match(line)
        if title and (test or stop):
            block = keep_lines(lines[start + 1 : at])
            kind: Literal["failure", "error"] = "error" if title == _JEST_SUITE else "failure"
            if file:
                yield LogFailure("jest", title, start, file, kind, file, 0, block, find_first_words(block))
            title = ""
        if stop:
            named = _JEST_FILE.match(line)
            file = named[1] if named else "" if stop[0].startswith("Test") else file
        elif test and test[1].strip() not in ("Console", "Cannot log after tests are done."):
            title, start = test[1].strip(), at


def parse_vitest(lines: Sequence[str]) -> Told:
    """Read what Vitest printed; failures with one message share its block."""
    failures = merge(_read_vitest(lines))
    ends = [end for line in lines if "Tests " in line and (end := _VITEST_COUNT.match(line))]
    suites = sum(failure.kind == "error" for failure in failures)
    retried = (found[1] for line in lines if "retry x" in line and (found := _VITEST_RETRY.match(line)))
    return Told(
        failures=failures,
        flaky=tuple(dict.fromkeys(retried)),
        tests=sum(number(end[2]) for end in ends),
        failed=sum(_counted(end[1], "failed") for end in ends) + suites if ends else None,
        skipped=sum(_counted(end[1], "skipped", "todo") for end in ends),
        known=bool(ends or failures),
    )


def _read_vitest(lines: Sequence[str]) -> Iterator[LogFailure]:
    open_: list[LogFailure] = []
    start = 0
    for at, line in enumerate([*lines, "⎯" * 5]):
        head = _VITEST.match(line) if "FAIL" in line[:12] else None
        if open_ and (head or _VITEST_STOP.match(line)):
            block = keep_lines(lines[start + 1 : at])
            if block or not head:
                yield from (replace(one, lines=block, message=find_first_words(block)) for one in open_)
                open_ = []
        if head:
            name, kind = head[2] or "collection", "failure" if head[2] else "error"
            open_.append(LogFailure("vitest", name, at, head[1], kind, head[1]))  # type: ignore[arg-type]
            start = at


def parse_rspec(lines: Sequence[str]) -> Told:
    """Read what RSpec printed in its progress or documentation format."""
    listed = {
        found[3].strip(): (found[1], number(found[2]))
        for line in lines
        if line.startswith("rspec ") and (found := _RSPEC_LIST.match(line))
    }
    failures = [
        replace(one, file=listed.get(one.name, ("", 0))[0], line=listed.get(one.name, ("", 0))[1])
        for one in _read_rspec(lines)
    ]
    told = {failure.name for failure in failures}
    at = len(lines)
    failures += [
        LogFailure("rspec", name, at, file=file, line=line)
        for name, (file, line) in listed.items()
        if name not in told
    ]
    ends = [end for line in lines if " example" in line and (end := _RSPEC_COUNT.match(line))]
    return Told(
        failures=merge(failures),
        tests=sum(number(end[1]) for end in ends),
        failed=sum(number(end[2]) + number(end[4]) for end in ends) if ends else None,
        skipped=sum(number(end[3]) for end in ends),
        known=bool(ends or failures),
    )


def _read_rspec(lines: Sequence[str]) -> Iterator[LogFailure]:
    name, start, inside = "", 0, False
    for at, line in enumerate([*lines, "Finished in "]):
        test = _RSPEC_FAILURE.match(line) if inside else None
        load = _RSPEC_LOAD.match(line)
        stop = _RSPEC_STOP.match(line)
        if name and (test or stop or load):
            yield _rspec_failure(name, start, keep_lines(lines[start + 1 : at]))
            name = ""
        if line.startswith("Failures:"):
            inside = True
        if stop:
            inside = False
        elif test:
            name, start = test[1].strip(), at
        elif load:
            name, start = f"loading {load[1]}", at


def _rspec_failure(name: str, at: int, block: tuple[str, ...]) -> LogFailure:
    message = next((line.strip() for line in block[1:] if line.strip()), find_first_words(block))
    file = name.removeprefix("loading ") if name.startswith("loading ") else ""
    return LogFailure("rspec", name, at, "", "error" if file else "failure", file, 0, block, message)


def parse_phpunit(lines: Sequence[str]) -> Told:
    """Read what PHPUnit printed; warnings, notices and risky tests are no failures."""
    failures = merge(_read_phpunit(lines))
    ends = [end for line in lines if line.startswith("Tests: ") and (end := _PHP_COUNT.match(line))]
    bad = re.compile(r", (?:Failures|Errors): (\d{1,9})")
    passed = [
        found for line in lines if (found := re.match(r"OK \((\d{1,9}) tests?, \d+ assertions?\)", line))
    ]
    return Told(
        failures=failures,
        tests=sum(number(end[1]) for end in (*ends, *passed)),
        failed=sum(number(count) for end in ends for count in bad.findall(end[2]))
        if ends or passed
        else None,
        known=bool(ends or passed or failures),
    )


def _read_phpunit(lines: Sequence[str]) -> Iterator[LogFailure]:
    kind, start = "", 0
    open_: re.Match[str] | None = None
    for at, line in enumerate([*lines, "OK"]):
        test = _PHP_TEST.match(line) if kind in ("failure", "error") else None
        if open_ and (test or _PHP_STOP.match(line)):
            block = keep_lines(lines[start + 1 : at])
            name, said = open_[2].strip(), find_first_words(block)
            yield LogFailure("phpunit", name, start, open_[1], kind, "", 0, block, said)  # type: ignore[arg-type]
            open_ = None
        if found := _PHP_KIND.match(line):
            kind = found[1]
        elif test:
            open_, start = test, at
