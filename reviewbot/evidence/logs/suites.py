"""The output of GoogleTest, .NET, Minitest, ExUnit and XCTest -> failed tests. Pure.

Formats as GoogleTest 1.1x (also below ctest), ``dotnet test`` of .NET 6 to 10, Minitest 5 and Rails, ExUnit
1.1x, and XCTest on macOS and Linux print them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from reviewbot.evidence.logs.lines import LogFailure, Told, find_first_words, keep_lines, merge, number

_CTEST = re.compile(r"\d{1,6}: ")
_GOOGLE_RUN = re.compile(r"\[ RUN      \] (\S{1,500})$")
_GOOGLE_FAILED = re.compile(r"\[  FAILED  \] (\S{1,500}?)(?:, where .{1,500})?(?: \(\d{1,9} ms\))?$")
_GOOGLE_COUNT = re.compile(r"\[={10}\] (\d{1,9}) tests? from .{1,60} ran\.")
_GOOGLE_LISTED = re.compile(r"\[  FAILED  \] (\d{1,9}) tests?, listed below:$")

_DOTNET_TEST = re.compile(
    r" {0,4}[Ff]ailed (\S.{0,800}?) (?:\[(?:< )?[\d,. ]{1,12} ?(?:ms|m|s|h)[^\]]{0,20}\]|\([\dhms ]{2,30}\))$"
)
_DOTNET_STOP = re.compile(
    r" {0,4}(?:[Ff]ailed|[Pp]assed|[Ss]kipped) \S|(?:Failed|Passed)! +-|Test [Rr]un|\[xUnit|Total tests:"
)
_DOTNET_COUNT = re.compile(
    r"(?:Failed|Passed)! +- Failed: +(\d{1,9}), Passed: +(\d{1,9}), Skipped: +(\d{1,9}), Total: +(\d{1,9})"
)
_DOTNET_LABELS = ("Error Message:", "Stack Trace:")

_MINITEST_KIND = re.compile(r"(?:  \d{1,6}\) )?(Failure|Error):$")
_MINITEST_TEST = re.compile(r"(\S{1,300})#(\S.{0,300}?)(?: \[(\S{1,400}):(\d{1,7})\])?:$")
_MINITEST_COUNT = re.compile(
    r"(\d{1,9}) (?:runs|tests), \d{1,9} assertions, (\d{1,9}) failures, (\d{1,9}) errors, (\d{1,9}) skips"
)
_MINITEST_STOP = re.compile(
    r"  \d{1,6}\) (?:Failure|Error|Skipped):$|(?:bin/)?rails test \S|Finished in |Failure:$|Error:$"
)

_EXUNIT_TEST = re.compile(r"  \d{1,6}\) ((?:test|doctest|property|feature) .{1,600}) \(([\w.]{1,300})\)$")
_EXUNIT_PLACE = re.compile(r"     (\S{1,400}\.exs?):(\d{1,7})$")
_EXUNIT_COUNT = re.compile(
    r"(?:\d{1,9} \w{1,20}, ){0,3}(\d{1,9}) tests?, (\d{1,9}) failures?(?:, \d{1,9} \w{1,20}){0,3}$"
)

_XCTEST = re.compile(
    r"(\S{1,400}\.(?:swift|mm?)):(\d{1,7}): error: "
    r"(?:-\[(\S{1,300}) (\S{1,300})\]|([\w.]{1,300})\.(\w{1,300})) : (.{1,500})$"
)
_XCTEST_COUNT = re.compile(
    r"\s+Executed (\d{1,9}) tests?, with (?:\d{1,9} tests? skipped and )?(\d{1,9}) failures?"
)


def parse_google(lines: Sequence[str]) -> Told:
    """Read what GoogleTest printed, or ctest of it."""
    plain = [_CTEST.sub("", line, count=1) if line[:1].isdigit() else line for line in lines]
    ends = [end for line in plain if line.startswith("[=====") and (end := _GOOGLE_COUNT.match(line))]
    listed = [found for line in plain if "listed below" in line and (found := _GOOGLE_LISTED.match(line))]
    failures = merge(_read_google(plain))
    return Told(
        failures=failures,
        tests=sum(number(end[1]) for end in ends),
        failed=sum(number(found[1]) for found in listed) if ends or listed else None,
        known=bool(ends or failures),
    )


def _read_google(lines: Sequence[str]) -> Iterator[LogFailure]:
    running, start = "", 0
    for at, line in enumerate(lines):
        if not line.startswith("[ "):
            continue
        if run := _GOOGLE_RUN.match(line):
            running, start = run[1], at
        elif (test := _GOOGLE_FAILED.match(line)) and "." in test[1] and not _GOOGLE_LISTED.match(line):
            block = keep_lines(lines[start + 1 : at]) if running == test[1] else ()
            said = " ".join(row.strip() for row in block[1:3]) or find_first_words(block)
            owner, _, name = test[1].partition(".")
            yield LogFailure("googletest", name, at, owner, lines=block, message=said)
            running = ""


def parse_dotnet(lines: Sequence[str]) -> Told:
    """Read what ``dotnet test`` printed."""
    ends = [end for line in lines if "! " in line[:10] and (end := _DOTNET_COUNT.match(line))]
    failures = merge(_read_dotnet(lines))
    return Told(
        failures=failures,
        tests=sum(number(end[4]) for end in ends),
        failed=sum(number(end[1]) for end in ends) if ends else None,
        skipped=sum(number(end[3]) for end in ends),
        known=bool(ends or failures),
    )


def _read_dotnet(lines: Sequence[str]) -> Iterator[LogFailure]:
    name, start = "", 0
    for at, line in enumerate([*lines, "Test run"]):
        if name and _DOTNET_STOP.match(line):
            block = keep_lines([row for row in lines[start + 1 : at] if row.strip() not in _DOTNET_LABELS])
            head = name.partition("(")[0]
            owner = head.rpartition(".")[0]
            short = name[len(owner) :].removeprefix(".")
            yield LogFailure("dotnet", short, start, owner, lines=block, message=find_first_words(block))
            name = ""
        if "ailed " in line[:12] and (test := _DOTNET_TEST.match(line)):
            name, start = test[1], at


def parse_minitest(lines: Sequence[str]) -> Told:
    """Read what Minitest printed, in Rails, too, which tells of each failure where it happens."""
    ends = [end for line in lines if " assertions, " in line and (end := _MINITEST_COUNT.match(line))]
    failures = merge(_read_minitest(lines))
    return Told(
        failures=failures,
        tests=sum(number(end[1]) for end in ends),
        failed=sum(number(end[2]) + number(end[3]) for end in ends) if ends else None,
        skipped=sum(number(end[4]) for end in ends),
        known=bool(ends or failures),
    )


def _read_minitest(lines: Sequence[str]) -> Iterator[LogFailure]:
    for at, line in enumerate(lines[:-1]):
        kind = _MINITEST_KIND.match(line) if line.endswith(("Failure:", "Error:")) else None
        test = _MINITEST_TEST.match(lines[at + 1]) if kind else None
        if kind is None or test is None:
            continue
        end = next(
            (n for n in range(at + 2, min(at + 1_000, len(lines)))
             if _MINITEST_STOP.match(lines[n]) or _MINITEST_COUNT.match(lines[n])),
            min(at + 1_000, len(lines)),
        )  # fmt: skip
        block = keep_lines(lines[at + 2 : end])
        what: Literal["failure", "error"] = "error" if kind[1] == "Error" else "failure"
        owner, name, file, placed = test.groups()
        yield LogFailure(
            "minitest", name, at, owner, what, file or "", number(placed), block, find_first_words(block)
        )


def parse_exunit(lines: Sequence[str]) -> Told:
    """Read what ``mix test`` printed."""
    failures = merge(_read_exunit(lines))
    ends = [end for line in lines if " failure" in line and (end := _EXUNIT_COUNT.match(line))]
    return Told(
        failures=failures,
        tests=sum(number(end[1]) for end in ends) if failures else 0,
        failed=sum(number(end[2]) for end in ends) if ends and failures else None,
        known=bool(failures),
    )


def _read_exunit(lines: Sequence[str]) -> Iterator[LogFailure]:
    for at, line in enumerate(lines[:-1]):
        test = _EXUNIT_TEST.match(line) if line.endswith(")") and ") " in line[:10] else None
        place = _EXUNIT_PLACE.match(lines[at + 1]) if test else None
        if test is None or place is None:
            continue
        end = at + 2
        while end < len(lines) and (not lines[end] or lines[end].startswith("     ")):
            end += 1
        block = keep_lines(lines[at + 2 : end])
        yield LogFailure(
            "exunit", test[1], at, test[2], file=place[1], line=number(place[2]), lines=block,
            message=find_first_words(block),
        )  # fmt: skip


def parse_xctest(lines: Sequence[str]) -> Told:
    """Read what XCTest printed; the place of each failed assertion is in its line."""
    failures = merge(_read_xctest(lines))
    ends = [end for line in lines if "Executed " in line and (end := _XCTEST_COUNT.match(line))]
    most = max((number(end[1]) for end in ends), default=0)  # each suite counts, and the last one all of them
    return Told(failures, tests=most, known=bool(ends or failures))


def _read_xctest(lines: Sequence[str]) -> Iterator[LogFailure]:
    for at, line in enumerate(lines):
        found = _XCTEST.match(line) if ": error: " in line else None
        if found:
            file, placed, owner, name, plain_owner, plain_name, said = found.groups()
            yield LogFailure(
                "xctest", name or plain_name, at, owner or plain_owner, file=file, line=number(placed),
                lines=(line,), message=said,
            )  # fmt: skip
