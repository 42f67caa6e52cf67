"""The lines of parsed hunks, with their numbers in base and head."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reviewbot.core import Hunk, LineRanges


class HunkLine(NamedTuple):
    """One line: git's first character, its text, and its numbers.

    A line that is in one side only has the number there; on the other side it has the number of the
    line that follows it.
    """

    sign: str
    text: str
    base: int
    head: int


def numbered_lines(hunk: Hunk) -> Iterator[HunkLine]:
    """The lines of a hunk, the no-newline markers left out."""
    # A side of length 0 is numbered by the line before it (POSIX diff -u).
    base = hunk.base_start + (hunk.base_count == 0)
    head = hunk.head_start + (hunk.head_count == 0)
    for line in hunk.lines:
        sign = line[0]
        if sign == "\\":
            continue
        yield HunkLine(sign, line[1:], base, head)
        base += sign != "+"
        head += sign != "-"


def count_ranges(hunks: Iterable[Hunk]) -> tuple[LineRanges, LineRanges, tuple[int, ...]]:
    """Added head lines, deleted base lines, and the head lines right after which lines were deleted."""
    added: list[list[int]] = []
    deleted: list[list[int]] = []
    gaps: list[int] = []
    for hunk in hunks:
        for sign, _, base, head in numbered_lines(hunk):
            if sign == "+":
                _extend(added, head)
            elif sign == "-":
                _extend(deleted, base)
                if not gaps or gaps[-1] != head - 1:
                    gaps.append(head - 1)
    return tuple((a, b) for a, b in added), tuple((a, b) for a, b in deleted), tuple(gaps)


def _extend(ranges: list[list[int]], line: int) -> None:
    if ranges and ranges[-1][1] == line - 1:
        ranges[-1][1] = line
    else:
        ranges.append([line, line])
