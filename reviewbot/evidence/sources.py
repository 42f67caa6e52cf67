"""Head files as analyzers may see them, and what analyzers hand back.

A file reaches a tool as UTF-8 text under a name of ours. Tools disagree about where lines end, so each
placed file carries a map from the tool's line numbers to ours (split at line feeds only, as git does).
"""

import codecs
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from reviewbot.change.content import decode_wide
from reviewbot.core import Evidence, FileChange, LineRanges, Location, Mask, Rejected, Severity

BATCH_FILES = 400
MAX_CALLS = 40
"""Calls of one analyzer in one run: bounds the search for the file that makes it crash."""

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")
_BOM = b"\xef\xbb\xbf"
_COOKIE = re.compile(
    rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)"
)  # PEP 263, as tokenize.detect_encoding reads it
_NO_CODE = re.compile(rb"[ \t\f]*(?:#|$)")
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_ALIASES = re.compile(r"(utf-8|latin-1|iso-8859-1|iso-latin-1)(?:-.*)?")
_ODD_CODECS = frozenset("idna punycode undefined unicode-escape raw-unicode-escape".split())
"""The first two are quadratic, the last two warn; source code uses none of them."""
_PROBE = bytes(range(128)) + rb" \u000a\x0a +ACM-+AAo- ~{VP~} " + b"\x1b$B!!\x1b(B \x1b$)C\x0e!!\x0f"
"""ASCII that a codec with escapes of its own does not leave as it is."""
_SHEBANG = re.compile(
    r"#!(?:.*[/\s'\"])?(?:(?:i|micro)?python[\w.+-]*|pypy[\w.+-]*|(?:uv|pipx|hatch|pdm)\s+run)(?=[\s'\"]|$)"
)
_NO_SCRIPTS = frozenset(
    ".md .rst .adoc .mdx .txt .htm .html .json .yml .yaml .toml .xml .csv .ipynb .log .out .patch .diff"
    " .j2 .jinja .jinja2 .mako .tmpl .tpl .template .in .c .h .go .rs .java .kt .cs .css".split()
)
"""What a file of these suffixes is, its first line does not change. A script may have any name."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of an analyzer's severity table: how bad, how sure (0 to 1), and ``reason`` for both."""

    severity: Severity
    confidence: float
    cwe: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """One head file: its change and its decoded lines (without line feeds).

    ``unread`` says why these lines are not what Python would run; "" where they are. ``is_plain`` is
    whether they are the blob's UTF-8 character for character, so that columns are the blob's too.
    """

    change: FileChange
    lines: tuple[str, ...]
    excluded: bool = False
    unread: str = ""
    is_plain: bool = True

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
        """By its extension in any case or, where that says nothing else, its ``#!`` line."""
        return _is_python(self.path, self.lines[0])


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
    masks: Mapping[str, tuple[Mask, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All that one analyzer said. ``read`` are the paths whose rules all ran, ``failed`` path to reason.

    ``masks`` are places of secrets by path, beyond those of the evidence.
    """

    evidence: tuple[Evidence, ...] = ()
    read: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    calls: tuple[AnalyzerCall, ...] = ()
    masks: Mapping[str, tuple[Mask, ...]] = field(default_factory=dict)


def parse_source(change: FileChange, blob: bytes, *, excluded: bool = False) -> Source:
    """Decode a head blob: UTF-8 with invalid bytes replaced, UTF-16 or 32 with a mark, or as Python would."""
    wide = decode_wide(blob)
    if wide is not None:
        return Source(change, tuple(wide.split("\n")), excluded, is_plain=False)
    rows = blob.removeprefix(_BOM).split(b"\n")
    lines = tuple(row.decode("utf-8", "replace") for row in rows)
    plain = Source(change, lines, excluded, is_plain=not blob.startswith(_BOM))
    # a byte order mark and another encoding than UTF-8 is a syntax error
    encoding = _cookie(rows) if plain.is_python and plain.is_plain else None
    if encoding in (None, "utf-8"):
        return plain
    return _decode_as(encoding, rows, plain)


def _is_python(path: str, first_line: str) -> bool:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in PYTHON_SUFFIXES:
        return True
    return suffix not in _NO_SCRIPTS and bool(_SHEBANG.match(first_line[:256]))


def _cookie(rows: Sequence[bytes]) -> str | None:
    """The encoding that a comment on line 1 names, or one on line 2 below a line without code."""
    # a lone carriage return ends a line for Python, and two of its lines are in our first two
    heads = _LINE_ENDS.split(b"\n".join(rows[:2]))[:2]
    for head in heads:
        if found := _COOKIE.match(head):
            name = found[1].decode("ascii", "replace").replace("_", "-")
            known = _ALIASES.fullmatch(name.lower())
            return known[1] if known else name
        if not _NO_CODE.match(head):
            return None
    return None


def _decode_as(encoding: str, rows: Sequence[bytes], plain: Source) -> Source:
    try:
        is_superset = (
            codecs.lookup(encoding).name not in _ODD_CODECS
            and _PROBE.decode(encoding) == _PROBE.decode("ascii")
        )  # fmt: skip
    except (LookupError, ValueError):
        is_superset = False
    if not is_superset:
        why = f"the file names the encoding {clean(encoding, 40)}, in which ASCII may mean other text"
        return replace(plain, unread=why)
    try:
        lines = tuple(row.decode(encoding) for row in rows)
    except ValueError:
        return plain  # Python refuses the file
    return replace(plain, lines=lines, is_plain=False)


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
