"""The output of Mocha, Cypress, Jasmine, Karma and Playwright -> failed tests. Pure.

Formats as Mocha 11 (all reporters with its epilogue), Cypress 13, Jasmine 5 to 7, Karma 6 and Playwright 1.5x
print them.
"""
# ruff: noqa: RUF001 - the runners' own signs

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reviewbot.evidence.logs.lines import (
    LogFailure,
    Told,
    find_first_words,
    find_named_file,
    keep_lines,
    merge,
    number,
)

_MOCHA_COUNT = re.compile(r"  (\d{1,9}) (passing|pending|failing)(?: \(.{1,20}\))?$")
_MOCHA_TEST = re.compile(r"  (\d{1,6})\) (\S.{0,1000})$")
_CYPRESS_FILE = re.compile(r"  Running:  (\S{1,400}) {2,}\(\d{1,5} of \d{1,5}\)$")
_TITLES = 20
_END_BLANKS = 3

_JASMINE_TEST = re.compile(r"(\d{1,6})\) (\S.{0,1000})$")
_JASMINE_COUNT = re.compile(r"(\d{1,9}) specs?, (\d{1,9}) failures?(?:, (\d{1,9}) pending specs?)?$")
_JASMINE_STOP = re.compile(r"(?:Pending:|\d{1,9} specs?, |Finished in |Incomplete: |Suite error: )")

_KARMA_TEST = re.compile(r"([A-Z][\w ]{1,40} [\d.]{1,30} \([^()]{1,80}\)) (\S.{0,1000}) FAILED$")
_KARMA_COUNT = re.compile(
    r".{1,120}\): Executed (\d{1,9}) of \d{1,9} (?:\((\d{1,9}) FAILED\)|.{0,40}SUCCESS)"
    r"(?: ?\(skipped (\d{1,9})\))?"
)

_PLAYWRIGHT_TEST = re.compile(
    r"  \d{1,6}\) (?:\[[^\]]{1,100}\] › )?(\S{1,400}\.[cm]?[jt]sx?):(\d{1,7}):\d{1,7} › (\S.{0,1000})$"
)
_PLAYWRIGHT_LISTED = re.compile(
    r"    (?:\[[^\]]{1,100}\] › )?(\S{1,400}\.[cm]?[jt]sx?):(\d{1,7}):\d{1,7} › (\S.{0,1000})$"
)
_PLAYWRIGHT_COUNT = re.compile(
    r"  (\d{1,9}) (failed|flaky|passed|skipped|interrupted|did not run)(?: \(.{1,20}\))?$"
)


def parse_mocha(lines: Sequence[str]) -> Told:
    """Read the end of what Mocha or Cypress printed: its counts and the numbered failures below them."""
    counts = {"passing": 0, "pending": 0, "failing": 0}
    known = False
    for line in lines:
        if line.startswith("  ") and (count := _MOCHA_COUNT.match(line)):
            counts[count[2]] += number(count[1])
            known = True
    failures = merge(_read_mocha(lines))
    return Told(
        failures=failures,
        tests=counts["passing"] + counts["failing"],
        failed=counts["failing"] if known else None,
        skipped=counts["pending"],
        known=known,
    )


def _read_mocha(lines: Sequence[str]) -> Iterator[LogFailure]:
    at, file = 0, ""
    while at < len(lines):
        line = lines[at]
        if line.startswith("  Running:") and (running := _CYPRESS_FILE.match(line)):
            file = running[1]
        if not (line.endswith(" failing") and (count := _MOCHA_COUNT.match(line))):
            at += 1
            continue
        wanted, at = number(count[1]), at + 1
        for nth in range(1, wanted + 1):
            start = next((n for n in range(at, min(at + 200, len(lines))) if _is_nth(lines[n], nth)), None)
            if start is None:
                break
            at = _mocha_end(lines, start, nth)
            yield _mocha_failure(lines, start, at, file)


def _is_nth(line: str, nth: int) -> bool:
    return line.startswith(f"  {nth}) ") and _MOCHA_TEST.match(line) is not None


def _mocha_end(lines: Sequence[str], start: int, nth: int) -> int:
    """Where a failure ends: at the next number, at several blank lines, or at plain text after its trace."""
    blanks, traced = 0, False
    for at in range(start + 1, len(lines)):
        line = lines[at]
        blanks = 0 if line else blanks + 1
        traced = traced or line.lstrip().startswith("at ")
        if _is_nth(lines[at], nth + 1) or blanks == _END_BLANKS or (traced and line and line[0] not in " \t"):
            return at
    return len(lines)


def _mocha_failure(lines: Sequence[str], start: int, end: int, file: str) -> LogFailure:
    """The titles stand below each other, each deeper; the last one ends in a colon."""
    titles, at = [lines[start].partition(") ")[2].strip()], start
    while not titles[-1].endswith(":") and at + 1 < min(end, start + _TITLES):
        at += 1
        titles.append(lines[at].strip())
    if not titles[-1].endswith(":"):
        titles, at = titles[:1], start
    block = keep_lines(lines[at + 1 : end])
    said = find_first_words(block)
    name = " ".join(titles).removesuffix(":")
    return LogFailure("mocha", name, start, file=file or find_named_file(said), lines=block, message=said)


def parse_jasmine(lines: Sequence[str]) -> Told:
    """Read what Jasmine printed, or Karma, which runs it in browsers."""
    failures = merge([*_read_jasmine(lines), *_read_karma(lines)])
    ends = [end for line in lines if " spec" in line and (end := _JASMINE_COUNT.match(line))]
    karma = [end for line in lines if "Executed " in line and (end := _KARMA_COUNT.match(line))]
    ends += karma[-1:]  # it prints its counts over and over
    return Told(
        failures=failures,
        tests=sum(number(end[1]) for end in ends),
        failed=sum(number(end[2]) for end in ends) if ends else None,
        skipped=sum(number(end[3]) for end in ends),
        known=bool(ends or failures),
    )


def _read_jasmine(lines: Sequence[str]) -> Iterator[LogFailure]:
    name, start = "", 0
    for at, line in enumerate([*lines, "Finished in "]):
        below = lines[at + 1] if at + 1 < len(lines) else ""
        test = _JASMINE_TEST.match(line) if below == "  Message:" else None
        if name and (test or _JASMINE_STOP.match(line)):
            block = [row for row in lines[start + 1 : at] if row.strip() not in ("Message:", "Stack:")]
            yield LogFailure("jasmine", name, start, lines=keep_lines(block), message=find_first_words(block))
            name = ""
        if test:
            name, start = test[2].strip(), at


def _read_karma(lines: Sequence[str]) -> Iterator[LogFailure]:
    for at, line in enumerate(lines):
        if line.endswith(" FAILED") and (test := _KARMA_TEST.match(line)):
            end = at + 1
            while end < len(lines) and lines[end].startswith(("\t", "    ")):
                end += 1
            block = keep_lines(lines[at + 1 : end])
            yield LogFailure("karma", test[2], at, lines=block, message=find_first_words(block))


def parse_playwright(lines: Sequence[str]) -> Told:
    """Read what Playwright's list, line, dot and GitHub reporters printed; a retry that passed is flaky."""
    counts: dict[str, int] = {}
    listed: dict[str, list[LogFailure]] = {"failed": [], "flaky": [], "interrupted": []}
    under = ""
    for at, line in enumerate(lines):
        if count := _PLAYWRIGHT_COUNT.match(line):
            under = count[2]
            counts[under] = counts.get(under, 0) + number(count[1])
        elif under in listed and (test := _PLAYWRIGHT_LISTED.match(line)):
            listed[under].append(_playwright_failure(test, at))
        else:
            under = ""
    flaky = {one.id for one in listed["flaky"]}
    told = merge([*_read_playwright(lines), *listed["failed"], *listed["interrupted"]])
    failures = tuple(one for one in told if one.id not in flaky)
    known = bool(failures or flaky)
    return Told(
        failures=failures,
        flaky=tuple(dict.fromkeys(flaky)),
        tests=sum(counts.values()) if known else 0,
        failed=counts.get("failed", 0) + counts.get("interrupted", 0) if known and counts else None,
        skipped=counts.get("skipped", 0) if known else 0,
        known=known,
    )


def _read_playwright(lines: Sequence[str]) -> Iterator[LogFailure]:
    failure: LogFailure | None = None
    for at, line in enumerate([*lines, "  0 failed"]):
        test = _PLAYWRIGHT_TEST.match(line) if ") " in line[:12] else None
        if failure and (test or _PLAYWRIGHT_COUNT.match(line)):
            block = keep_lines(lines[failure.at + 1 : at])
            yield replace(failure, lines=block, message=find_first_words(block))
            failure = None
        if test:
            failure = _playwright_failure(test, at)


def _playwright_failure(test: re.Match[str], at: int) -> LogFailure:
    file, line, name = test.groups()
    return LogFailure("playwright", name.rstrip("─ "), at, file, file=file, line=number(line))
