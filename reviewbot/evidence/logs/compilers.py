"""What compilers say of code that they refuse -> failures with a file and a line. Pure.

Formats: GCC, Clang, Swift and mypy; javac, also through Maven; tsc; rustc; Go; kotlinc; C#. Warnings are
no failures.
"""

import re
from collections.abc import Iterator, Sequence

from reviewbot.evidence.logs.lines import LogFailure, Told, keep_lines

MOST = 50
"""Errors that are kept: one mistake makes a compiler say hundreds, and the first ones tell."""

_PATH = r"((?:file://)?(?:[A-Za-z]:[\\/])?[^\s:()\[\]'\"]{1,400}\.[A-Za-z]\w{0,9})"
_FORMS = (
    re.compile(rf"{_PATH}:(\d{{1,7}})(?::\d{{1,7}})?: (?:fatal )?error(?: \w+)?: (.{{1,500}})$"),
    re.compile(rf"\[ERROR\] {_PATH}:\[(\d{{1,7}}),\d{{1,7}}\] (.{{1,500}})$"),
    re.compile(rf"{_PATH}\((\d{{1,7}}),\d{{1,7}}\): error \w{{1,20}}: (.{{1,500}})$"),
    re.compile(rf"{_PATH}:(\d{{1,7}}):\d{{1,7}} - error \w{{1,20}}: (.{{1,500}})$"),
    re.compile(rf"e: {_PATH}:(\d{{1,7}}):\d{{1,7}}:? (.{{1,500}})$"),
)
_ASSERTION = re.compile(r"(?:-\[\S{1,300} \S{1,300}\]|[\w.]{1,300}\.\w{1,300}) : ")  # XCTest's
_GO = re.compile(r"(?:vet: )?(?:\./)?([^\s:]{1,400}\.go):(\d{1,7}):(?:\d{1,7}:)? (.{1,500})$")
_GO_PACKAGE = re.compile(r"# (\S{1,400})(?: \[\S{1,400}\])?$")
_RUST = re.compile(r"error(?:\[E\d{4}\])?: (.{1,500})$")
_RUST_PLACE = re.compile(r" *--> (\S{1,400}\.rs):(\d{1,7}):\d{1,7}$")


def parse_compilers(lines: Sequence[str]) -> Told:
    """Read the first 50 errors of compilers; ``failed`` stays unknown, as they print no counts of tests."""
    found: dict[tuple[str, int, str], LogFailure] = {}
    for failure in _read_errors(lines):
        found.setdefault((failure.file, failure.line, failure.message), failure)
        if len(found) == MOST:
            break
    return Told(tuple(found.values()), known=bool(found))


def _read_errors(lines: Sequence[str]) -> Iterator[LogFailure]:
    package = ""
    for at, line in enumerate(lines):
        if line.startswith("# "):
            named = _GO_PACKAGE.match(line)
            package = named[1] if named else ""
        elif package and (go := _GO.match(line)):
            yield _error(lines, at, go.groups(), package)
        elif line.startswith("error") and (rust := _RUST.match(line)):
            place = next((p for row in lines[at + 1 : at + 4] if (p := _RUST_PLACE.match(row))), None)
            if place:
                yield _error(lines, at, (*place.groups(), rust[1]))
        elif package and not line.startswith(("\t", " ")):
            package = ""
        if "rror" in line or line.startswith(("e: ", "[ERROR] ")):
            form = next((found for pattern in _FORMS if (found := pattern.match(line))), None)
            if form and not _ASSERTION.match(form[3]):
                yield _error(lines, at, form.groups())


def _error(lines: Sequence[str], at: int, said: Sequence[str], package: str = "") -> LogFailure:
    """The error with the code that the compiler shows below it."""
    file, line, message = said
    end = at + 1
    while end < min(at + 12, len(lines)) and lines[end].startswith((" ", "\t")):
        end += 1
    return LogFailure(
        runner="compiler",
        name=f"compiling {file}:{line}",
        at=at,
        owner=package,
        kind="error",
        file=file,
        line=int(line),
        lines=keep_lines(lines[at:end]),
        message=message.strip(),
    )
