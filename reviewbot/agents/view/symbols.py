"""The names that a change speaks of: what its hunks define, and what their new lines use. Pure.

It reads no grammar: a few words that define something in most languages, and a name before a bracket.
A name that is missed costs a model one search; a wrong one is not found and costs nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reviewbot.core import FileChange, Hunk

DEFINING = "def|class|func|function|fn|interface|struct|enum|trait|type|module|protocol|record|object"
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]{3,59}"
_DEFINED = re.compile(rf"\b(?:{DEFINING})\s+(?:\([^)]*\)\s*)?({_NAME})")
_ASSIGNED = re.compile(
    rf"\b(?:const|let|var)\s+({_NAME})\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|{_NAME}\s*=>)"
)
_METHOD = re.compile(
    r"^\s*(?:(?:public|private|protected|internal|static|final|async|override)\s+)+"
    rf"(?:[\w<>\[\],.?]+\s+){{0,3}}({_NAME})\s*\("
)
_USED = re.compile(rf"(?<![\w$])({_NAME})\s*\(")
_APPLIED = re.compile(rf"(?<![\w$])({_NAME})\s*[(<{{,)]")
_IMPORT = re.compile(r"\s*(?:(?:import|from|use|using|#\s*include)\b|[\w$]+\s*,?\s*$)|.*\brequire\(")
_LINE_CHARACTERS = 300
_PATTERN_CHARACTERS = 500
_COMMON = frozenset(
    """assert append assertEqual assertTrue await bool catch close console dict else enumerate error expect
    export extend filter float format getattr hasattr include isinstance items join keys list load log
    main make match open panic parse print println printf push range read replace require return send
    setattr setup sizeof slice sorted split startswith endswith strip string strlen super switch test
    this throw toString tuple typeof update values void while write zip""".split()
)
"""Names that stand everywhere: a search for them tells nothing."""

_IGNORED = _COMMON | frozenset(DEFINING.split("|"))


@dataclass(frozen=True, slots=True)
class Symbols:
    """``changed`` are names whose definition the hunks touch, ``used`` those that new lines call."""

    changed: tuple[str, ...]
    used: tuple[str, ...]


def find_symbols(changes: Iterable[FileChange], most: int) -> Symbols:
    """The names of some changed files, those that stand there most often first, ``most`` of each kind."""
    changed: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for change in changes:
        for hunk in change.hunks:
            added = [line[1:] for line in hunk.lines if line[:1] == "+"]
            changed.update(_touched(hunk))
            used.update(name for line in added for name in _USED.findall(line[:2_000]))
    for name in (*changed, *_IGNORED):
        used.pop(name, None)
    kept = [name for name, _ in changed.most_common() if name not in _IGNORED]
    return Symbols(tuple(kept[:most]), tuple(name for name, _ in used.most_common(most)))


def _touched(hunk: Hunk) -> Iterator[str]:
    """The names that added or deleted lines define, and of the nearest definition above such a line."""
    above = _defined(hunk.heading)
    for line in hunk.lines:
        names = _defined(line[1:])
        if line[:1] in ("+", "-"):
            yield from (*above, *names)
            above = ()
        elif names:
            above = names


def _defined(line: str) -> Sequence[str]:
    return [name for pattern in (_DEFINED, _ASSIGNED, _METHOD) for name in pattern.findall(line[:2_000])]


def defined_on(line: str) -> frozenset[str]:
    """The names that a line defines; of a long line its beginning counts."""
    return frozenset(_defined(line[:_LINE_CHARACTERS]))


def used_on(line: str) -> frozenset[str]:
    """The names that a line calls, hands over or inherits from; none where it only imports them.

    Routes hand their handlers over, and a check in a class holds for what inherits from it.
    """
    if _IMPORT.match(line[:_LINE_CHARACTERS]):
        return frozenset()
    return frozenset(_APPLIED.findall(line[:_LINE_CHARACTERS]))


def names_patterns(names: Iterable[str]) -> list[str]:
    """POSIX extended expressions, each of at most 500 characters, for lines that hold one of the names."""
    patterns: list[str] = []
    for name in (name.replace("$", "[$]") for name in names):
        if patterns and len(patterns[-1]) + 1 + len(name) <= _PATTERN_CHARACTERS:
            patterns[-1] += f"|{name}"
        else:
            patterns.append(name)
    return patterns
