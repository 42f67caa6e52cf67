"""The floor below triage: the files that the code alone takes for risky, whatever a model says.

A file is claimed for what it is (a workflow, a manifest, a link), for one dangerous line
(``sinks``), or for its density of risk: what its words and deleted guards weigh (``words``)
for each line that must be read. One dense place claims a large file, too, if it is dense enough.
``bench/routing.py`` measures all of it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from reviewbot.agents.floor.paths import always_claimed, is_guarded, is_prose, is_quiet
from reviewbot.agents.floor.sinks import SINKS
from reviewbot.agents.floor.words import split_words, weigh
from reviewbot.core import ChangeStatus, FileChange, Hunk

THRESHOLD = 0.41
"""The density from which on a file is claimed: ``bench/routing.py`` finds 35 % of ordinary lines there."""

PIECE_LINES = 40
WORD_COLUMNS = 2_000
"""Nobody writes longer lines by hand: words are read up to here; in code the line itself is a signal."""

_CONTEXT, _PATH, _PEAK, _QUIET = 0.3, 3.0, 0.4, 0.1
_GUARD = re.compile(
    r"-\s*(?:\}\s*)?(?:(?:else\s+)?if\b|el(?:s?if|se)\b|unless\b|guard\b|switch\b|assert|raise\b|throw\b|return\b"
    r"|continue\b|break\b|abort|panic|die\b|@\w|#\[|before_action\b|except\b|catch\b)"
)
_REASONS = {
    "authorization": "it speaks of who may do what",
    "secrets": "it handles sessions, tokens or passwords",
    "cryptography": "it handles keys, signatures, certificates or randomness",
    "database": "it builds or runs queries",
    "deserialisation": "it builds objects from bytes",
    "code-execution": "it runs commands or code",
    "file-paths": "it handles paths, uploads or archives",
    "privileges": "it handles rights, isolation or locks of the system",
    "network": "it handles addresses, requests or headers",
    "markup": "it writes or escapes markup",
    "parsing": "it takes apart text from outside",
    "memory": "it handles sizes, bounds or memory",
    "reflection": "it sets or finds properties by name",
    "validation": "it checks or trusts values",
    "guard-removed": "a condition or an early end is deleted or replaced",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """Why the security agent gets a file.

    ``line`` is in head (None: the whole file); a deleted line counts as the head line it stood before.
    """

    name: str
    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Risk:
    """How risky a change of one file is: infinite where it is always claimed; the loudest signal first."""

    score: float
    signals: tuple[Signal, ...]


_Line = tuple[int, str]
"""The head line it is, or stands before, and the line with its mark."""


def risk_signals(change: FileChange) -> tuple[Signal, ...]:
    """Why the security agent must get a file; empty where only triage decides."""
    risk = assess(change)
    return risk.signals if risk.score >= THRESHOLD else ()


def assess(change: FileChange) -> Risk:
    """The risk of a file, claimed or not. Pure; linear in the length of the hunks."""
    if whole := _whole_file(change):
        return Risk(inf, (whole,))
    quiet = is_quiet(change.path)
    hunks = [tuple(_number_lines(hunk)) for hunk in change.hunks]
    # What a deleted file protected is gone with it: its words and its path speak for it.
    kept = hunks if change.head_blob is not None else []
    if found := _dangerous_lines(kept, quiet=quiet, prose=is_prose(change.path)):
        return Risk(inf, found)
    of_path = weigh(split_words(change.path))
    weighed = [_weigh_hunk(hunk, of_path) for hunk in hunks]
    score = _mean_or_peak(weighed) * (_QUIET if quiet else 1)
    return Risk(score, _name_signals(hunks, weighed))


def _whole_file(change: FileChange) -> Signal | None:
    if change.is_symlink or change.status is ChangeStatus.TYPE_CHANGED:
        return Signal("link", "it is a link, or was one: it can lead out of its folder")
    if change.omitted:
        return Signal("not-shown", "its text was too much to be taken apart into hunks")
    for path in (change.path, change.old_path):
        if path and (claim := always_claimed(path)):
            return Signal(*claim)
    if is_guarded(change.path) or (change.old_path and is_guarded(change.old_path)):
        return Signal("guarded-path", "its path says that it guards something")
    return None


def _number_lines(hunk: Hunk) -> Iterator[_Line]:
    number = hunk.head_start if hunk.head_count else hunk.head_start + 1
    for line in hunk.lines:
        yield number, line
        number += line[:1] in ("+", " ")


def _dangerous_lines(hunks: Sequence[tuple[_Line, ...]], *, quiet: bool, prose: bool) -> tuple[Signal, ...]:
    """The first line of each dangerous kind.

    Most kinds are looked for in added lines only. A deleted line counts for the others, unless its hunk
    adds the same text again.
    """
    lines = {
        "+": [(number, line[1:]) for hunk in hunks for number, line in hunk if line.startswith("+")],
        "-": [pair for hunk in hunks for pair in _gone(hunk)],
    }
    lines["+-"] = lines["+"] + lines["-"]
    texts = {marks: "\n".join(line for _, line in some) for marks, some in lines.items()}
    found = []
    for sink in SINKS:
        counts = sink.everywhere or not quiet or (sink.in_tests and not prose)
        if counts and sink.pattern.search(texts[sink.marks]):
            # A match that spans two lines is none.
            numbers = [number for number, line in lines[sink.marks] if sink.pattern.search(line)]
            found += [Signal(sink.name, sink.reason, number) for number in numbers[:1]]
    return tuple(found)


def _gone(hunk: tuple[_Line, ...]) -> Iterator[_Line]:
    """The deleted lines of a hunk whose text it does not add again."""
    added = {line[1:].strip() for _, line in hunk if line.startswith("+")}
    for number, line in hunk:
        if line.startswith("-") and line[1:].strip() not in added:
            yield number, line[1:]


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A hunk: how many lines it changes, its density, that of its densest piece, what each signal gave."""

    changed: int
    density: float
    peak: float
    loudness: dict[str, float]


def _weigh_hunk(lines: tuple[_Line, ...], of_path: dict[str, float]) -> _Weighed:
    loudness = _loudness(lines, of_path)
    density = _density(lines, loudness)
    pieces = [_density(piece, _loudness(piece, of_path)) for piece in _pieces(lines)]
    return _Weighed(_count_changed(lines), density, max(pieces, default=density), loudness)


def _pieces(lines: tuple[_Line, ...]) -> Iterator[tuple[_Line, ...]]:
    """A large hunk in parts of about PIECE_LINES, so that plain lines do not thin out a risky place."""
    if len(lines) <= PIECE_LINES * 3 // 2:
        return
    count = -(-len(lines) // PIECE_LINES)
    size = -(-len(lines) // count)
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


def _count_changed(lines: tuple[_Line, ...]) -> int:
    return sum(line[:1] in ("+", "-") for _, line in lines)


def _loudness(lines: tuple[_Line, ...], of_path: dict[str, float]) -> dict[str, float]:
    """How much each signal gives: changed words whole, the words around them in part, guards one each."""
    words = split_words("\n".join(line[1:WORD_COLUMNS] for _, line in lines if line[:1] in ("+", "-")))
    around = split_words("\n".join(line[1:WORD_COLUMNS] for _, line in lines if line[:1] == " "))
    loudness = weigh(words)
    for weights, factor in ((weigh(around - words), _CONTEXT), (of_path, _PATH)):
        for name, weight in weights.items():
            loudness[name] = loudness.get(name, 0.0) + factor * weight
    if guards := sum(bool(_GUARD.match(line)) for _, line in lines):
        loudness["guard-removed"] = float(guards)
    return loudness


def _density(lines: tuple[_Line, ...], loudness: dict[str, float]) -> float:
    """The weight for each changed line; the constants keep a change of one plain line below the floor."""
    changed = _count_changed(lines)
    return (1 + sum(loudness.values())) / (changed + 8) if changed else 0.0


def _mean_or_peak(hunks: list[_Weighed]) -> float:
    """The mean density over the changed lines of a file, or its densest place at a discount."""
    changed = sum(hunk.changed for hunk in hunks)
    if not changed:
        return 0.0
    mean = sum(hunk.density * hunk.changed for hunk in hunks) / changed
    return max(mean, _PEAK * max(hunk.peak for hunk in hunks))


def _name_signals(hunks: list[tuple[_Line, ...]], weighed: list[_Weighed]) -> tuple[Signal, ...]:
    """The loudest signals of a file: those that give at least half as much as the first."""
    loudness: Counter[str] = Counter()
    for hunk in weighed:
        loudness.update(hunk.loudness)
    ranked = loudness.most_common()
    loud = [name for name, weight in ranked if weight * 2 >= ranked[0][1]]
    changed = [line for hunk in hunks for line in hunk if line[1][:1] in ("+", "-")]
    return tuple(Signal(name, _REASONS[name], _first_line(changed, name)) for name in loud if changed)


def _first_line(changed: list[_Line], name: str) -> int:
    """The first changed line that speaks for a signal, else (the path or the context does) the first."""
    for number, line in changed:
        if name == "guard-removed" and _GUARD.match(line):
            return number
        if name in weigh(split_words(line[1:WORD_COLUMNS])):
            return number
    return changed[0][0]
