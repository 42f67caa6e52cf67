"""What a reviewer would look for first, found before it is asked: it saves a dear model a turn.

Two plain searches through head for the names in the hunks: where those that new lines use are defined,
and who uses those that the change touches. Best effort within a bound: what is not found, or finds no
room, the model can search for itself.
"""

from collections.abc import Callable, Sequence

from reviewbot.agents.symbols import callers_pattern, definitions_pattern, find_symbols
from reviewbot.core import FileChange
from reviewbot.text import visible_line

MOST_TOKENS = 1_000
"""Of a task's prompt, at three bytes a token: about what one round of a search tool costs."""

MOST_NAMES = 12
MOST_ROWS = 12
"""Lines of each of the two kinds that are shown; many more are looked at, since the hunks hold some."""

_LOOKED_AT = 200

Row = tuple[str, int, str]
"""A path as models are shown it, the number of a line in head, and the line."""

FindLines = Callable[[str, int], Sequence[Row]]
"""The first lines of head that a POSIX extended expression matches, masked; nothing where it cannot."""


def look_around(parts: Sequence[FileChange], find: FindLines) -> str:
    """Lines of head that belong to what the hunks of some files speak of, or nothing."""
    names = find_symbols(parts, MOST_NAMES)
    kinds = (
        ("Definitions of names that new lines use:", names.used, definitions_pattern),
        ("Uses of names that the change defines or redefines:", names.changed, callers_pattern),
    )
    rows: list[str] = []
    for title, wanted, pattern in kinds:
        hits = find(pattern(wanted), _LOOKED_AT) if wanted else ()
        unseen = [hit for hit in hits if not _is_shown(hit, parts)][:MOST_ROWS]
        rows += [title, *(f"{path}:{line}: {text}" for path, line, text in unseen)] if unseen else []
    return _cut(rows)


def _is_shown(hit: Row, parts: Sequence[FileChange]) -> bool:
    path, line, _ = hit
    return any(
        hunk.head_start <= line < hunk.head_start + hunk.head_count
        for part in parts
        if visible_line(part.path) == path
        for hunk in part.hunks
    )


def _cut(rows: Sequence[str]) -> str:
    """As many rows as there is room for."""
    kept: list[str] = []
    left = MOST_TOKENS * 3
    for row in rows:
        left -= len(row.encode("utf-8", "replace")) + 1
        if left < 0:
            break
        kept.append(row)
    return "".join(f"{row}\n" for row in kept)
