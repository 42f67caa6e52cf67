"""The output of Go test, Cargo test, Surefire and Gradle -> failed tests. Pure.

Formats as Go 1.2x, Cargo and nextest, Surefire 2.12 to 3.5 and Gradle 6 to 9 print them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from reviewbot.evidence.logs.lines import LogFailure, Told, find_first_words, keep_lines, merge, number

_GO_END = re.compile(r" {0,40}--- (FAIL|PASS|SKIP): (\S{1,500}) \([\d.]+s\)$")
_GO_RUN = re.compile(r"=== (?:RUN|CONT|NAME) +(\S{1,500})$")
_GO_PACKAGE = re.compile(r"(ok  |FAIL|---)\t(\S{1,500})(?:\t| \[|$)(?:.*\[(build|setup) failed\])?")
_GO_PANIC = re.compile(r"(?:panic: |fatal error: )(.{1,500})$")

_CARGO_TEST = re.compile(r"test (.{1,500}?) \.\.\. (FAILED|ok|ignored)\b")
_CARGO_BLOCK = re.compile(r"---- (.{1,500}?) std(?:out|err) ----$")
_CARGO_RUNNING = re.compile(r" +Running (?:unittests )?(\S{1,400}\.rs)(?: \(|$)")
_CARGO_DOC = re.compile(r"(\S{1,400}\.rs) - .{0,400}\(line (\d{1,7})\)")
_CARGO_MADE = re.compile(r"(panicked at \S{1,400}\.rs):\d{1,7}:\d{1,7}")
_CARGO_COUNT = re.compile(r"test result: \w+\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored;")
_NEXTEST = re.compile(
    r" +(?:TRY \d+ )?(FAIL|FLAKY \d+/\d+|SIGABRT|TIMEOUT) \[ *[\d.]+s\] (?:\( *\d+/\d+\) )?"
    r"(\S{1,200}) (\S{1,400})$"
)

_LEVEL = re.compile(r"\[(?:ERROR|INFO|WARNING|WARN|DEBUG)\] {0,4}")
_SUREFIRE = re.compile(r" ?[\d.,]{1,20} ?s(?:ec)? {1,9}<<< (FAILURE|ERROR)!")
_SUREFIRE_OLD = re.compile(r"(.{1,400})\(([\w.$]{1,300})\)$")
_SUREFIRE_COUNT = re.compile(
    r"Tests run: (\d{1,9}), Failures: (\d{1,9}), Errors: (\d{1,9}), Skipped: (\d{1,9})(?:, Flakes: \d{1,9})?$"
)
_SUREFIRE_FLAKE = re.compile(r"([\w.$]{1,400})$")

_GRADLE = re.compile(r"([\w.$][^>]{0,400}?)( > .{1,600}) FAILED$")
_GRADLE_COUNT = re.compile(r"(\d{1,9}) tests? completed(?:, (\d{1,9}) failed)?(?:, (\d{1,9}) skipped)?$")


def parse_go(lines: Sequence[str]) -> Told:
    """Read what ``go test`` printed, with or without ``-v``.

    A test whose subtests failed is told by those. ``failed`` stays unknown: Go prints no counts.
    """
    failures = list(_read_go(lines))
    ids = {(failure.owner, failure.name) for failure in failures}
    parents = {(owner, name.rpartition("/")[0]) for owner, name in ids if "/" in name}
    leaves = merge(one for one in failures if (one.owner, one.name) not in parents)
    ended = any(_GO_PACKAGE.match(line) for line in lines if line.startswith(("ok  \t", "FAIL\t")))
    passed = sum(line.startswith("--- PASS: ") for line in lines)
    return Told(leaves, tests=passed + len(leaves), known=ended or bool(leaves))


def _read_go(lines: Sequence[str]) -> Iterator[LogFailure]:
    """A test's output stands before its ``--- FAIL`` line (with -v) or below it; its package comes last."""
    said: dict[str, list[str]] = {}
    ended: dict[str, LogFailure] = {}  # a log may name one test a hundred thousand times
    current = ""
    panic: tuple[int, str] | None = None
    for at, line in enumerate(lines):
        if line.startswith("=== ") and (run := _GO_RUN.match(line)):
            current = run[1]
        elif line.lstrip().startswith("--- ") and (end := _GO_END.match(line)):
            current = end[2]
            if end[1] == "FAIL":
                ended.setdefault(current, LogFailure("go", current, at))
        elif line.startswith(("ok  \t", "FAIL\t")) and (package := _GO_PACKAGE.match(line)):
            if panic and not ended:  # it ended the program before any test could say that it failed
                name = current or "panic"
                ended[name] = LogFailure("go", name, panic[0], kind="error", message=panic[1])
            yield from (_go_failure(one, package[2], said) for one in ended.values())
            said, ended, current, panic = {}, {}, "", None
        elif current or ended or panic or line.startswith(("panic: ", "fatal error: ")):
            if panic is None and (found := _GO_PANIC.match(line)):
                panic = (at, found[1])
            said.setdefault(current or "panic", []).append(line)
    yield from (_go_failure(one, "", said) for one in ended.values())


def _go_failure(one: LogFailure, package: str, said: dict[str, list[str]]) -> LogFailure:
    block = keep_lines([line for line in said.get(one.name, []) if line not in ("FAIL", "PASS")])
    return replace(one, owner=package, lines=block, message=one.message or find_first_words(block))


def parse_cargo(lines: Sequence[str]) -> Told:
    """Read what ``cargo test`` or ``cargo nextest`` printed."""
    ends = [end for line in lines if line.startswith("test result:") and (end := _CARGO_COUNT.match(line))]
    failures = merge(_read_cargo(lines))
    flaky = [
        f"{found[2]}::{found[3]}"
        for line in lines
        if "FLAKY" in line and (found := _NEXTEST.match(line)) and found[1].startswith("FLAKY")
    ]
    names = {failure.id for failure in failures if failure.runner == "nextest"} - set(flaky)
    return Told(
        failures=tuple(one for one in failures if one.runner != "nextest" or one.id in names),
        flaky=tuple(flaky),
        tests=sum(number(end[1]) + number(end[2]) + number(end[3]) for end in ends),
        failed=sum(number(end[2]) for end in ends) if ends else None,
        skipped=sum(number(end[3]) for end in ends),
        known=bool(ends or failures or flaky),
    )


def _read_cargo(lines: Sequence[str]) -> Iterator[LogFailure]:
    running, name, start = "", "", 0
    for at, line in enumerate([*lines, "failures:"]):
        block = _CARGO_BLOCK.match(line) if line.startswith("---- ") else None
        if name and (block or line == "failures:" or line.startswith("test result:")):
            yield _cargo_failure(name, start, running, keep_lines(lines[start + 1 : at]))
            name = ""
        if block:
            name, start = block[1], at
        elif found := _CARGO_RUNNING.match(line):
            running = "" if found[1].endswith(("src/lib.rs", "src/main.rs")) else found[1]
        elif line.startswith("test ") and (test := _CARGO_TEST.match(line)) and test[2] == "FAILED":
            yield _cargo_failure(test[1], at, running, ())
        elif "[" in line and (found := _NEXTEST.match(line)) and not found[1].startswith("FLAKY"):
            yield LogFailure("nextest", found[3], at, found[2])


def _cargo_failure(name: str, at: int, running: str, block: tuple[str, ...]) -> LogFailure:
    doc, name = _CARGO_DOC.match(name), name.removesuffix(" - should panic")
    if doc:  # its lines count in a file that was made for it
        block = tuple(_CARGO_MADE.sub(r"\1", row) for row in block)
    file, line = (doc[1], number(doc[2])) if doc else (running, 0)
    return LogFailure("cargo", name, at, "", "failure", file, line, block, _panic_words(block))


def _panic_words(block: Sequence[str]) -> str:
    """The line after ``panicked at …:`` says why; other tests end with ``Error: …``."""
    for at, line in enumerate(block):
        if " panicked at " in line:
            return next((row.strip() for row in block[at + 1 : at + 2] if row.strip()), line.strip())
    return find_first_words(block)


def parse_surefire(lines: Sequence[str]) -> Told:
    """Read what Maven's Surefire and Failsafe printed."""
    plain = [_LEVEL.sub("", line, count=1) if line.startswith("[") else line for line in lines]
    ends = [end for line in plain if line.startswith("Tests run:") and (end := _SUREFIRE_COUNT.match(line))]
    failures = merge(_read_surefire(lines, plain))
    flaky = tuple(dict.fromkeys(_read_flakes(plain)))
    failures = tuple(one for one in failures if f"{one.owner}.{one.name}" not in flaky)
    return Told(
        failures=failures,
        flaky=flaky,
        tests=sum(number(end[1]) for end in ends),
        failed=sum(number(end[2]) + number(end[3]) for end in ends) if ends else None,
        skipped=sum(number(end[4]) for end in ends),
        known=bool(ends or failures),
    )


def _read_surefire(lines: Sequence[str], plain: Sequence[str]) -> Iterator[LogFailure]:
    for at, line in enumerate(plain):
        if "<<< " not in line or line.startswith("Tests run:"):
            continue
        head, _, rest = line.partition("Time elapsed:")
        found, head = _SUREFIRE.match(rest), head.rstrip().removesuffix("--").rstrip()
        if found is None or not head:
            continue
        stop = next(
            (n for n in range(at + 1, len(lines)) if _LEVEL.match(lines[n]) or "<<< " in plain[n]
             or plain[n].startswith(("Results", "Tests run:"))),
            len(lines),
        )  # fmt: skip
        block = keep_lines(lines[at + 1 : stop])
        old = _SUREFIRE_OLD.match(head)
        owner, name = (old[2], old[1]) if old else _split_method(head)
        kind: Literal["failure", "error"] = "failure" if found[1] == "FAILURE" else "error"
        yield LogFailure("surefire", name, at, owner, kind, "", 0, block, find_first_words(block))


def _split_method(written: str) -> tuple[str, str]:
    """``com.foo.BarTest.adds`` and ``com.foo.BarTest.adds(int)[1]`` -> class and method."""
    head = re.split(r"[({\[ ]", written, maxsplit=1)[0]
    owner, _, name = head.rpartition(".")
    return owner, name + written[len(head) :]


def _read_flakes(plain: Sequence[str]) -> Iterator[str]:
    inside = False
    for line in plain:
        if line.startswith("Flakes:"):
            inside = True
        elif inside and (found := _SUREFIRE_FLAKE.match(line.strip())):
            yield found[1]
        elif inside and not line.strip().startswith("Run "):
            inside = False


def parse_gradle(lines: Sequence[str]) -> Told:
    """Read what Gradle printed of its tests."""
    ends = [end for line in lines if " completed" in line and (end := _GRADLE_COUNT.match(line))]
    failures = merge(_read_gradle(lines))
    return Told(
        failures=failures,
        tests=sum(number(end[1]) for end in ends),
        failed=sum(number(end[2]) for end in ends) if ends else None,
        skipped=sum(number(end[3]) for end in ends),
        known=bool(ends or failures),
    )


def _read_gradle(lines: Sequence[str]) -> Iterator[LogFailure]:
    for at, line in enumerate(lines):
        found = _GRADLE.match(line) if line.endswith(" FAILED") else None
        if found is None:
            continue
        stop = at + 1
        while stop < len(lines) and (not lines[stop].strip() or lines[stop].startswith((" ", "\t"))):
            stop += 1
        block = keep_lines(lines[at + 1 : stop])
        name = found[2][3:]
        yield LogFailure("gradle", name, at, found[1], "failure", "", 0, block, find_first_words(block))
