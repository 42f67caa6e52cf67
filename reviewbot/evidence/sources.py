"""Head files as analyzers may see them, and what analyzers hand back.

A file reaches a tool as UTF-8 text under a name of ours. Tools disagree about where lines end, so each
placed file carries a map from the tool's line numbers to ours (split at line feeds only, as git does).
"""

import codecs
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from reviewbot.core import Evidence, FileChange, LineRanges, Location, Rejected, Severity

BATCH_FILES = 400
MAX_CALLS = 40
"""Calls of one analyzer in one run: bounds the search for the file that makes it crash."""

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")
_BOM = b"\xef\xbb\xbf"
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263
_SLOW_CODECS = frozenset({"idna", "punycode", "undefined"})  # quadratic, and no source code uses them
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_TRIAL_FOLDERS = frozenset(
    "test tests testing testdata test_data fixture fixtures __tests__ __mocks__ spec specs "
    "example examples sample samples doc docs".split()
)
_TRIAL_NAMES = re.compile(
    r"(test_.*|.*_tests?\.\w+|.*\.(test|spec)\.\w+|.*Tests?\.(java|kt|cs)|conftest\.py)", re.DOTALL
)
_DOCUMENTS = (".md", ".rst", ".adoc", ".mdx")  # no .txt: requirements.txt is no document


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of an analyzer's severity table: how bad, how sure (0 to 1), and ``reason`` for both."""

    severity: Severity
    confidence: float
    cwe: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """One head file: its change and its decoded lines (without line feeds)."""

    change: FileChange
    lines: tuple[str, ...]
    excluded: bool = False

    @property
    def path(self) -> str:
        """The path of the file in the repository."""
        return self.change.path

    @property
    def last_line(self) -> int:
        """The number of the last line; a final line feed starts no line."""
        return max(1, len(self.lines) - (self.lines[-1] == ""))

    @property
    def is_python(self) -> bool:
        """By its extension or, without one, its ``#!`` line."""
        if PurePosixPath(self.path).suffix:
            return self.path.endswith(PYTHON_SUFFIXES)
        return self.lines[0].startswith("#!") and "python" in self.lines[0]


@dataclass(frozen=True, slots=True)
class Placed:
    """A source written for a tool. ``ours[n]`` is our line number of the tool's line ``n + 1``."""

    source: Source
    file: Path
    ours: Sequence[int]

    def locate(self, first: object, last: object) -> Location | None:
        """Our location of the tool's lines (from 1), or None where they are no lines of the file."""
        if not isinstance(first, int) or not isinstance(last, int) or not 1 <= first <= len(self.ours):
            return None
        start = min(self.ours[first - 1], self.source.last_line)
        end = min(self.ours[min(last, len(self.ours)) - 1], self.source.last_line)
        return Location(self.source.path, start, max(start, end))


@dataclass(frozen=True, slots=True)
class Completed:
    """How one call of a program ended; ``problem`` says why its output must not be used."""

    stdout: bytes
    stderr: str
    exit_code: int | None
    seconds: float
    problem: str | None = None
    hopeless: bool = False
    """No call with other files would end better: the program is missing or the time is up."""


class Bench(Protocol):
    """The place where analyzers work: a fresh folder, and the only door to subprocesses."""

    def place(self, name: str, text: str) -> Path:
        """Write ``text`` as UTF-8 under ``name`` in a new folder of its own."""

    def call(self, program: str, arguments: Sequence[str]) -> Completed:
        """Run a program (found in trusted folders, or an absolute path) to its end."""


@dataclass(frozen=True, slots=True)
class AnalyzerCall:
    """One call of one analyzer, for the journal."""

    name: str
    files: int
    seconds: float
    exit_code: int | None
    results: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call said; ``failure`` is why it said nothing, ``unread`` the files it could not read."""

    completed: Completed
    evidence: tuple[Evidence, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that one analyzer said. ``read`` are the paths whose rules all ran, ``failed`` path to reason."""

    evidence: tuple[Evidence, ...] = ()
    read: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    calls: tuple[AnalyzerCall, ...] = ()


def parse_source(change: FileChange, blob: bytes, *, excluded: bool = False) -> Source:
    """Decode a head blob: UTF-8 with invalid bytes replaced, or a Python file's own encoding."""
    rows = blob.removeprefix(_BOM).split(b"\n")
    suffix = PurePosixPath(change.path).suffix
    may_be_python = suffix in PYTHON_SUFFIXES or (not suffix and rows[0].startswith(b"#!"))
    lines = _decode_by_cookie(rows) if may_be_python else None
    return Source(change, lines or tuple(row.decode("utf-8", "replace") for row in rows), excluded)


def _decode_by_cookie(rows: Sequence[bytes]) -> tuple[str, ...] | None:
    cookie = next((found for row in rows[:2] if (found := _COOKIE.match(row))), None)
    if cookie is None:
        return None
    encoding = cookie.group(1).decode("ascii", "replace")
    try:
        if codecs.lookup(encoding).name in _SLOW_CODECS:
            return None
        return tuple(row.decode(encoding) for row in rows)
    except (LookupError, ValueError):
        return None


def unfold(lines: Sequence[str], breaks: re.Pattern[str]) -> tuple[str, Sequence[int]]:
    """Turn every further line break a tool knows into a line feed; also return the map back to our lines."""
    if not any(map(breaks.search, lines)):
        return "\n".join(lines), range(1, len(lines) + 1)
    text: list[str] = []
    ours: list[int] = []
    for number, line in enumerate(lines, 1):
        pieces = breaks.split(line.removesuffix("\r"))
        text += pieces
        ours += [number] * len(pieces)
    return "\n".join(text), tuple(ours)


def in_batches(
    name: str, files: Sequence[Placed], scan: Callable[[Sequence[Placed]], Outcome]
) -> tuple[tuple[Outcome, ...], dict[str, str], tuple[AnalyzerCall, ...]]:
    """Scan in bounded batches; halve one that fails, so that a single bad file costs only itself.

    Returns what the good calls said, the paths that no call could read, and all calls.
    """
    queue = deque(files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES))
    outcomes: list[Outcome] = []
    failed: dict[str, str] = {}
    calls: list[AnalyzerCall] = []
    while queue:
        batch = queue.popleft()
        outcome = scan(batch)
        done = outcome.completed
        calls.append(AnalyzerCall(name, len(batch), done.seconds, done.exit_code, len(outcome.evidence)))
        if outcome.failure is None:
            outcomes.append(outcome)
            failed.update(outcome.unread)
        elif len(batch) == 1 or done.hopeless or len(calls) >= MAX_CALLS:
            failed.update(dict.fromkeys((placed.source.path for placed in batch), outcome.failure))
        else:
            queue += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    return tuple(outcomes), failed, tuple(calls)


def parse_json(name: str, done: Completed, exit_codes: Sequence[int]) -> tuple[Any, str | None]:
    """The JSON a tool printed, or one sentence why there is none."""
    if done.problem is not None:
        return None, f"{name} {done.problem}"
    if done.exit_code not in exit_codes:
        return (
            None,
            f"{name} ended with exit code {done.exit_code}: {clean(done.stderr, 200) or 'no message'}",
        )
    try:
        return json.loads(done.stdout), None
    except (ValueError, RecursionError):
        return None, f"{name} printed something that is not JSON"


def clean(text: object, limit: int = 300) -> str:
    """One line of a tool's message: control characters become spaces, long ones are cut."""
    line = " ".join(_CONTROL.sub(" ", str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def is_trial(path: str) -> bool:
    """Tests, fixtures, examples and documents: code and secrets there are rarely what runs."""
    parts = PurePosixPath(path)
    return (
        any(part.lower() in _TRIAL_FOLDERS for part in parts.parts[:-1])
        or bool(_TRIAL_NAMES.fullmatch(parts.name))
        or parts.suffix.lower() in _DOCUMENTS
    )


def lower(severity: Severity) -> Severity:
    """One step down, but never below low."""
    steps = {Severity.CRITICAL: Severity.HIGH, Severity.HIGH: Severity.MEDIUM, Severity.MEDIUM: Severity.LOW}
    return steps.get(severity, severity)


def level_of(severity: Severity) -> Literal["error", "warning", "note"]:
    """SARIF's level for a severity."""
    if severity.rank >= Severity.HIGH.rank:
        return "error"
    return "warning" if severity is Severity.MEDIUM else "note"


def make_evidence(tool: str, code: str, rule: Rule, title: str, location: Location) -> Evidence:
    """One result of an analyzer, rated by its row of the table; the caller gives it an ``id`` later."""
    return Evidence(
        id="",
        source="analyzer",
        tool=tool,
        rule=code,
        severity=rule.severity,
        title=title,
        message=f"Why {rule.severity}: {rule.reason}.",
        location=location,
        level=level_of(rule.severity),
        confidence=rule.confidence,
        cwe=(rule.cwe,) if rule.cwe else (),
        advisory=rule.severity is Severity.INFO,
    )


def line_numbers(ranges: LineRanges) -> list[int]:
    """Every line of the ranges, in order."""
    return [number for first, last in ranges for number in range(first, last + 1)]
