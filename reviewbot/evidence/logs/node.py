"""The output of node's own test runner, of Bun, Deno and AVA -> failed tests. Pure.

Formats as Node 20 to 24 (``spec`` and ``dot``), Bun 1, Deno 2 and AVA 6 and 7 print them.
``tap`` reads what else they print.
"""

import re
from collections.abc import Iterator, Sequence

from reviewbot.evidence.logs.lines import LogFailure, Told, find_first_words, keep_lines, merge, number

_NODE_START = re.compile(r"(?:✖ failing tests:|Failed tests:)$")
_NODE_PLACE = re.compile(r"test at (\S{1,400}?):(\d{1,7}):\d{1,7}$")
_NODE_TEST = re.compile(r"✖ (.{1,1000}?)(?: \([\d.]{1,20}ms\))?$")
_NODE_COUNT = re.compile(r"ℹ (tests|fail|cancelled|skipped) (\d{1,9})$")  # noqa: RUF001 - as node prints it
_NODE_PARENT = re.compile(r" {1,4}'\d{1,9} subtests? failed'$")

_BUN_TEST = re.compile(r"(?:✗|\(fail\)) (.{1,1000}?)(?: \[[\d.]{1,20}\w{1,2}\])?$")
_BUN_FILE = re.compile(r"(?:::group::)?(\S{1,400}\.[cm]?[jt]sx?):$")
_BUN_COUNT = re.compile(r" {1,3}(\d{1,9}) (pass|fail|skip|todo)$")
_BUN_OTHER = re.compile(r"(?:✓|»|\(pass\)|\(skip\)|\(todo\)|::(?:error|endgroup))")

_DENO_TEST = re.compile(r"(\S.{0,1000}) => (\S{1,400}\.\w{1,5}):(\d{1,7}):\d{1,7}$")
_DENO_COUNT = re.compile(
    r"(?:FAILED|ok) \| (\d{1,9}) passed(?: \([^)]{1,40}\))? \| (\d{1,9}) failed(.{0,200})"
)

_AVA_TEST = re.compile(r"  ✘ \[fail\]: (.{1,1000}?)(?: (?:Error|Rejected promise|Test).{0,100})?$")
_AVA_COUNT = re.compile(r"  (\d{1,9}) tests? (failed|passed|skipped)$")
_AVA_END = re.compile(r"  (?:─|\d{1,9} tests? \w+)$")


def parse_node(lines: Sequence[str]) -> Told:
    """Read the list of failed tests that ``node --test`` prints at its end.

    Its counts hold the parents of failed tests, so they only tell of a list that is not there.
    """
    failures = merge(_read_node(lines))
    counts: dict[str, int] = {}
    for line in lines:
        if found := _NODE_COUNT.match(line):
            counts[found[1]] = counts.get(found[1], 0) + number(found[2])
    failed = counts.get("fail", 0) + counts.get("cancelled", 0)
    return Told(
        failures=failures,
        tests=counts.get("tests", 0),
        failed=failed if counts and not failures else None,
        skipped=counts.get("skipped", 0),
        known=bool(failures) or "tests" in counts,
    )


def _read_node(lines: Sequence[str]) -> Iterator[LogFailure]:
    inside, place = False, ("", 0)
    start = -1
    for at, line in enumerate([*lines, "test at end.js:1:1"]):
        found = _NODE_PLACE.match(line) if line.startswith("test at ") else None
        test = _NODE_TEST.match(line) if line.startswith("✖ ") else None
        other = bool(line) and line[0] not in " \t"
        if start >= 0 and other:
            if not _NODE_PARENT.match(find_next(lines, start + 1)):
                yield _node_failure(lines, start, at, place)
            start, place = -1, ("", 0)
        if _NODE_START.match(line):
            inside = True
        elif found:
            place = (found[1], number(found[2]))
        elif inside and test:
            start = at
        elif inside and other:
            inside = False


def find_next(lines: Sequence[str], start: int) -> str:
    """The first line from ``start`` on that is not blank; empty if there is none near."""
    return next((line for line in lines[start : start + 5] if line.strip()), "")


def _node_failure(lines: Sequence[str], start: int, end: int, place: tuple[str, int]) -> LogFailure:
    test = _NODE_TEST.match(lines[start])
    block = keep_lines(lines[start + 1 : end])
    name = test[1] if test else ""
    file, line = place
    return LogFailure(
        "node", name, start, file, file=file, line=line, lines=block,
        message=find_first_words(block).strip("'"),
    )  # fmt: skip


def parse_bun(lines: Sequence[str]) -> Told:
    """Read what ``bun test`` printed: the output of a test stands before the line that says it failed."""
    if not any(line.startswith("bun test v") for line in lines):
        return Told()
    failures = merge(_read_bun(lines))
    counts: dict[str, int] = {}
    for line in lines:
        if found := _BUN_COUNT.match(line):
            counts[found[2]] = counts.get(found[2], 0) + number(found[1])
    return Told(
        failures=failures,
        tests=sum(counts.values()),
        failed=counts.get("fail", 0) if counts else None,
        skipped=counts.get("skip", 0) + counts.get("todo", 0),
        known=True,
    )


def _read_bun(lines: Sequence[str]) -> Iterator[LogFailure]:
    file, start = "", 0
    for at, line in enumerate(lines):
        if named := _BUN_FILE.match(line):
            file, start = named[1], at + 1
        elif line.startswith(("✗ ", "(fail) ")) and (test := _BUN_TEST.match(line)):
            block = keep_lines(lines[start:at])
            said = next((row for row in block if "rror: " in row[:60]), find_first_words(block))
            yield LogFailure("bun", test[1], at, file, file=file, lines=block, message=said)
            start = at + 1
        elif _BUN_OTHER.match(line):
            start = at + 1 if not line.startswith("::error") else start


def parse_deno(lines: Sequence[str]) -> Told:
    """Read what ``deno test`` printed."""
    ends = [end for line in lines if " passed" in line and (end := _DENO_COUNT.match(line))]
    failures = merge(_read_deno(lines)) if ends or " ERRORS" in lines or " ERRORS " in lines else ()
    return Told(
        failures=failures,
        tests=sum(number(end[1]) + number(end[2]) for end in ends),
        failed=sum(number(end[2]) for end in ends) if ends else None,
        known=bool(ends or failures),
    )


def _read_deno(lines: Sequence[str]) -> Iterator[LogFailure]:
    inside, open_ = False, None
    for at, line in enumerate([*lines, " FAILURES"]):
        test = _DENO_TEST.match(line) if inside and " => " in line else None
        ends = line.strip() == "FAILURES"
        if open_ and (test or ends):
            begin, found = open_
            block = keep_lines(lines[begin + 1 : at])
            yield LogFailure(
                "deno", found[1], begin, found[2], file=found[2], line=number(found[3]), lines=block,
                message=find_first_words(block).removeprefix("error: "),
            )  # fmt: skip
            open_ = None
        if line.strip() == "ERRORS":
            inside = True
        elif ends:
            inside = False
        elif test:
            open_ = (at, test)


def parse_ava(lines: Sequence[str]) -> Told:
    """Read what AVA printed: a list of all tests, then what it says of each failed one."""
    failures = merge(_read_ava(lines))
    counts = {found[2]: number(found[1]) for line in lines if (found := _AVA_COUNT.match(line))}
    return Told(
        failures=failures,
        tests=sum(counts.values()) if failures else 0,
        failed=counts.get("failed") if failures else None,
        skipped=counts.get("skipped", 0) if failures else 0,
        known=bool(failures),
    )


def _read_ava(lines: Sequence[str]) -> Iterator[LogFailure]:
    """A title of its own, two columns in, begins what is said of a test; it ends at the next title."""
    tests = {
        test[1]: at
        for at, line in enumerate(lines)
        if "✘ [fail]: " in line and (test := _AVA_TEST.match(line))
    }
    starts = [at for at, line in enumerate(lines) if line[2:] in tests and line.startswith("  ")]
    told: dict[str, tuple[str, ...]] = {}
    for start in starts:
        end = next(
            (
                at
                for at in range(start + 1, len(lines))
                if lines[at][2:] in tests or _AVA_END.match(lines[at])
            ),
            len(lines),
        )
        told.setdefault(lines[start][2:], keep_lines(lines[start + 1 : end]))
    for name, at in tests.items():
        block = told.get(name, ())
        said = next((row.strip() for row in block if "rror: " in row), find_first_words(block))
        yield LogFailure("ava", name, at, lines=block, message=said)
