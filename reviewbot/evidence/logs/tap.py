"""The Test Anything Protocol -> failed tests. Pure.

As tap, tape, AVA, Mocha, Vitest and node print it, and bats, prove ``-v`` and other shell and Perl tests;
https://testanything.org, versions 12 to 14. Subtests are told by their depth.
"""

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

_VERSION = re.compile(r"TAP version 1[2-4]$")
_PLAN = re.compile(r"1\.\.(\d{1,9})(?: # .{0,200})?$")
_RESULT = re.compile(r"( {0,80})(not )?ok\b(?: (\d{1,9}))?(?: -)? ?(.{0,1000})$")
_DIRECTIVE = re.compile(r"(?:^| )# *(?:TODO|SKIP)\b", re.IGNORECASE)
_TIME = re.compile(r" # (?:time=|in )[\d.]{1,20} ?\w{0,3}(?: \{)?$")
_SUBTEST = re.compile(r"( {0,80})# Subtest: (.{1,1000})$")
_COMMENT = re.compile(r"# (?!tests|pass|fail|ok|todo|skip)(\S.{0,500})$")
_YAML = re.compile(r" *[\w']{1,40}: ?")
_FILE = re.compile(r"\S{1,400}\.(?:[cm]?[jt]sx?|t|bats|sh)$")
_PERL = re.compile(r" {0,80}#   Failed (?:\(TODO\) )?test (?:'(.{1,500})'|at .{1,500})$")
_PERL_PLACE = re.compile(r"(?: {0,80}#   )?.{0,60}\bat (\S{1,400}) line (\d{1,7})\.$")
_PROVE_END = re.compile(r"Result: (?:FAIL|PASS|NOTESTS)$")
_PLACE = re.compile(r" *location: '?(\S{1,400}?):(\d{1,7}):\d{1,7}'?$")


def parse_tap(lines: Sequence[str]) -> Told:
    """Read a TAP stream; of nested tests the innermost that failed are told.

    A line such as ``not ok`` counts only in a log that has a plan or a version, too.
    """
    if not any(line.startswith(("1..", "TAP ", "Result: ")) and _is_frame(line) for line in lines):
        return Told()
    failures = merge(_join_perl(list(_read_tap(lines)), list(_read_perl(lines))))
    results = [
        found for line in lines if line.startswith(("ok ", "not ok ")) and (found := _RESULT.match(line))
    ]
    skipped = sum(bool(_DIRECTIVE.search(found[4])) for found in results)
    return Told(
        failures, (), max(len(results), len(failures)), None, skipped, known=bool(results or failures)
    )


def _is_frame(line: str) -> bool:
    """Whether a line is a plan, a version or the end of ``prove``."""
    return any(pattern.match(line) for pattern in (_PLAN, _VERSION, _PROVE_END))


def _read_perl(lines: Sequence[str]) -> Iterator[LogFailure]:
    """What Perl's Test::More says of a failed test, apart from its result and often before it."""
    for at, line in enumerate(lines):
        test = _PERL.match(line) if "#   Failed " in line else None
        if test is None:
            continue
        place = next((found for row in lines[at : at + 2] if (found := _PERL_PLACE.match(row))), None)
        indent = line[: line.index("#") + 1]
        end = at + 1
        while end < len(lines) and lines[end].startswith(f"{indent}  ") and "#   Failed " not in lines[end]:
            end += 1
        block = keep_lines([row.removeprefix(indent) for row in lines[at + 1 : end]])
        file, at_line = (place[1], number(place[2])) if place else ("", 0)
        name = test[1] or f"line {at_line}"
        said = " ".join(row.strip() for row in block[1:3]) or f"{name} failed"
        yield LogFailure("tap", name, at, file=file, line=at_line, lines=block, message=said)


def _join_perl(results: list[LogFailure], perl: list[LogFailure]) -> Iterator[LogFailure]:
    """Results with what was said of them, and what was said of tests whose results are not shown."""
    said = {one.name: one for one in perl}
    for result in results:
        one = said.pop(result.name, None)
        yield replace(one, owner=result.owner) if one and not result.file else result
    if not results:
        yield from said.values()


def _read_tap(lines: Sequence[str]) -> Iterator[LogFailure]:
    """Failures with the names of the tests around them; a test that failed below is told by what is below."""
    above: list[tuple[int, str]] = []
    failed: set[int] = set()  # the depths at which the test that is open has failures
    comment, has_subtests = "", False
    parents = dict(_name_parents(lines))
    for at, line in enumerate(lines):
        result = _RESULT.match(line) if "ok" in line[:90] else None
        sub = _SUBTEST.match(line) if "# Subtest: " in line else None
        indented = result or sub
        depth = (len(indented[1]) if indented else len(line) - len(line.lstrip())) // 4
        if sub or at in parents:  # Vitest writes the parent first, with a brace behind it
            above = [*((d, name) for d, name in above if d < depth), (depth, sub[2] if sub else parents[at])]
            has_subtests = True
        elif line.strip() == "}":
            failed = {d for d in failed if d <= depth}
        elif result:
            is_told = any(d > depth for d in failed)
            failed = {d for d in failed if d <= depth}
            if result[2] and not _DIRECTIVE.search(result[4]):
                failed.add(depth)
                names = [name for d, name in above if d < depth]
                if not is_told:
                    yield _tap_failure(lines, at, result, names, "" if has_subtests else comment)
        elif line.startswith("# ") and (said := _COMMENT.match(line)):
            comment = said[1]


def _name_parents(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines of results that open a brace, with their names."""
    for at, line in enumerate(lines):
        if line.endswith("{") and (result := _RESULT.match(line)):
            yield at, _TIME.sub("", result[4])


def _tap_failure(
    lines: Sequence[str], at: int, result: re.Match[str], above: Sequence[str], comment: str
) -> LogFailure:
    indent = len(result[1])
    end = at + 1
    while end < len(lines) and _belongs(lines[end], indent):
        end += 1
    block = list(_strip_block(lines[at + 1 : end], indent))
    placed = next((found for line in block if (found := _PLACE.match(line))), None)
    of_tape = comment if any(line.lstrip().startswith("operator: ") for line in block) else ""
    name = _TIME.sub("", result[4]).strip() or f"test {result[3] or '?'}"
    owner = " > ".join(part for part in (*above, of_tape) if part)
    kept = keep_lines([line for line in block if not _PLACE.match(line)])
    said = _first_said(kept) or f"{name} is not ok"
    file = placed[1] if placed else next((part for part in above if _FILE.match(part)), find_named_file(said))
    line = number(placed[2]) if placed else 0
    return LogFailure("tap", name, at, owner, file=file, line=line, lines=kept, message=said)


def _belongs(line: str, indent: int) -> bool:
    """Whether a line speaks of the result above it: deeper than that, a comment, or blank."""
    rest = line[indent:]
    if line[:indent].strip() or _RESULT.match(line):
        return False
    return not rest or rest.startswith("  ") or (rest.startswith("#") and "# Subtest" not in rest)


def _strip_block(lines: Sequence[str], indent: int) -> Iterator[str]:
    """The block without its indent and comment signs; lines of a ``stack:`` as traces write them."""
    stack = -1
    for line in lines:
        text = line[indent:].removeprefix("#")
        inner = len(text) - len(text.lstrip())
        if text.strip() in ("---", "..."):
            continue
        if stack >= 0 and text.strip() and inner <= stack:
            stack = -1
        plain = text.strip()
        yield f"    at {plain}" if stack >= 0 and not plain.startswith("at ") else text
        if plain.startswith("stack:"):
            stack = inner


def _first_said(block: Sequence[str]) -> str:
    """What the block says went wrong: its ``error`` or ``message``, else what was wanted.

    Empty for other YAML; of plain text its first line.
    """
    values = {key: value for key, value in _read_values(block) if value}
    for key in ("error", "message"):
        if key in values:
            return values[key]
    if {"expected", "actual"} <= values.keys():
        return f"expected {values['expected']}, got {values['actual']}"
    plain = [line.strip() for line in block if line.strip()]
    if plain and _YAML.match(plain[0]):
        return ""
    return next((line for line in plain if not line.startswith("(in ")), "")


def _read_values(block: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The keys and one-line values of a YAML block; of a longer value its first line."""
    for at, line in enumerate(block):
        key, colon, value = line.strip().partition(":")
        if not colon or " " in key.strip("'"):
            continue
        if value.strip() in ("|", "|-", ">", ">-"):
            value = find_first_words(block[at + 1 : at + 3])
        yield key, value.strip().strip("\"'")
