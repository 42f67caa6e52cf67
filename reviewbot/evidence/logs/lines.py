"""The bytes of a log -> plain lines, and the nouns of its parsers. Pure.

Logs are hostile text: every pattern of this room sees at most 2,000 characters of a line and is anchored
at its start, so that the time stays linear in the length of the log.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

LINE_CAP = 2_000
"""Characters of a line that are read."""

TRACE_LINES = 400
"""Lines of one failure that are kept: its first and last ones."""

# ECMA-48: control sequences, and operating system commands such as hyperlinks.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[@-Z\\^_])")
# GitHub begins each line with a time, and `gh run view --log` puts job and step before it.
_STAMP = re.compile(
    r"\ufeff?(?:[^\t\n]{1,200}\t[^\t\n]{1,200}\t)?\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z ?"
)
_NAMED_FILE = re.compile(r"\(((?:[A-Za-z]:)?[^()\s]{1,400}\.[cm]?[jt]sx?)\)$")
_COMMAND = re.compile(r"##\[(?:error|warning|group|endgroup|debug|command)\]")


@dataclass(frozen=True, slots=True)
class LogFailure:
    """One failed test, or one thing that did not compile, as a log tells it.

    ``owner`` is a class, module, package or file; ``file`` a path as written and ``line`` a line in it
    (0: unknown); ``at`` the log's line that names it, from 0; ``lines`` what was said of it.
    """

    runner: str
    name: str
    at: int
    owner: str = ""
    kind: Literal["failure", "error"] = "failure"
    file: str = ""
    line: int = 0
    lines: tuple[str, ...] = ()
    message: str = ""

    @property
    def id(self) -> str:
        """``owner::name``, or the one of them that there is."""
        return "::".join(part for part in (self.owner, self.name) if part)


@dataclass(frozen=True, slots=True)
class Told:
    """What one parser read: failures in the log's order, tests that passed on a retry, the runner's counts.

    ``failed`` is None where the runner printed no summary. ``known``: the log holds output of this runner.
    """

    failures: tuple[LogFailure, ...] = ()
    flaky: tuple[str, ...] = ()
    tests: int = 0
    failed: int | None = None
    skipped: int = 0
    known: bool = False


def parse_lines(data: bytes) -> list[str]:
    """The lines of a log without colours, times of a CI service, and what a progress bar overwrote."""
    lines = []
    for raw in data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        line = raw[: 4 * LINE_CAP]
        if "\x1b" in line:
            line = _ESCAPE.sub("", line)
        line = _STAMP.sub("", line, count=1) if _STAMP.match(line) else line
        line = line.rstrip().rpartition("\r")[2][:LINE_CAP]
        lines.append(_COMMAND.sub("", line, count=1) if line.startswith("##[") else line)
    return lines


def keep_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """What is kept of one failure: without the blank lines around it, its middle left out if it is long."""
    first, last = 0, len(lines)
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    if last - first <= TRACE_LINES:
        return tuple(lines[first:last])
    half = TRACE_LINES // 2
    left_out = f"[… {last - first - 2 * half:,} lines left out …]"
    return (*lines[first : first + half], left_out, *lines[last - half : last])


def find_first_words(block: Sequence[str]) -> str:
    """The first line that says something."""
    return next((line.strip() for line in block if line.strip()), "")


def find_named_file(said: str) -> str:
    """The file in brackets at the end of a message: Mocha's only word on where a test timed out."""
    found = _NAMED_FILE.search(said[-500:])
    return found[1] if found else ""


def merge(failures: Iterable[LogFailure]) -> tuple[LogFailure, ...]:
    """One failure for each owner and name: runners tell of most twice, once with a trace and once without."""
    found: dict[tuple[str, str, str], LogFailure] = {}
    for failure in failures:
        key = (failure.file, failure.owner, failure.name)
        known = found.get(key)
        if known is None:
            found[key] = failure
        elif not known.lines and failure.lines:
            found[key] = replace(failure, at=known.at, message=failure.message or known.message)
    return tuple(sorted(found.values(), key=lambda failure: failure.at))


def number(text: str | None) -> int:
    """The digits of a count, capped where a runner would never get."""
    return min(int(text[:9]), 10_000_000) if text and text.isascii() and text.isdigit() else 0
