"""Where a quote stands in a file, and the lines around it. Pure.

The rule is that of grounding: white space folded, empty lines left out, the text decides and the line
number only chooses between several places. Lines are as models are shown them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from reviewbot.claims import Quote
from reviewbot.text import visible

AROUND = 25
"""Lines shown before and after a quote."""

SHORTEST_QUOTE = 3
"""Characters that are no blanks: less text stands everywhere."""

MOST_PLACES = 2_000
KEPT = 8
"""Files whose text is kept."""

Side = Literal["head", "base"]
SIDES: tuple[Side, Side] = ("head", "base")

ReadLines = Callable[[str, Side], Sequence[str] | None]
"""The lines of a file at one commit as models are shown them; None where there is none to be shown."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A range of lines (from 1, both ends in it) of a file at one commit."""

    path: str
    side: Side
    first: int
    last: int


class Pages:
    """The files of both commits as models are shown them; those asked for last are kept."""

    def __init__(self, read_lines: ReadLines) -> None:
        self.lines = lru_cache(maxsize=KEPT)(read_lines)
        self.folded = lru_cache(maxsize=KEPT)(self._folded)

    def _folded(self, path: str, side: Side) -> tuple[str, Sequence[int]]:
        """The text with white space folded and no empty line, and the number of each line that is left."""
        rows = ((_fold(line), number) for number, line in enumerate(self.lines(path, side) or (), 1))
        kept = [(line, number) for line, number in rows if line]
        return "\n".join(line for line, _ in kept), [number for _, number in kept]


def find_quote(quote: Quote, pages: Pages) -> Passage | None:
    """The place of a quote, in head before base, the nearest to its line numbers; None for nowhere."""
    for text in _spellings(quote.text):
        wanted = "\n".join(line for line in map(_fold, text.split("\n")) if line)
        if len("".join(wanted.split())) < SHORTEST_QUOTE:
            continue
        for side in SIDES:
            places = islice(_places(wanted, *pages.folded(quote.path, side)), MOST_PLACES)
            nearest = min(places, key=lambda place: abs(place[0] - quote.start_line), default=None)
            if nearest:
                return Passage(quote.path, side, *nearest)
    return None


def widen(passages: Sequence[Passage], around: int = AROUND) -> tuple[Passage, ...]:
    """The passages with the lines around them, those that meet joined, in order of file and line.

    The last line may lie past the end of the file.
    """
    joined: list[Passage] = []
    for one in sorted(passages, key=lambda each: (each.path, each.side, each.first)):
        first, last = max(1, one.first - around), one.last + around
        before = joined[-1] if joined else None
        if before and (before.path, before.side) == (one.path, one.side) and first <= before.last + 1:
            joined[-1] = Passage(one.path, one.side, before.first, max(before.last, last))
        else:
            joined.append(Passage(one.path, one.side, first, last))
    return tuple(joined)


def _places(wanted: str, whole: str, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    line = before = 0
    at = whole.find(wanted)
    while at >= 0:
        line += whole.count("\n", before, at)
        yield numbers[line], numbers[line + wanted.count("\n")]
        before, at = at, whole.find(wanted, at + len(wanted))


def _spellings(text: str) -> Iterator[str]:
    """The text as said; then, where every line begins with a diff's sign, without it."""
    said = text.strip("\n")
    yield said
    lines = [line for line in said.split("\n") if line]
    if lines and all(line[0] in "+- " for line in lines) and any(line[0] in "+-" for line in lines):
        yield "\n".join(line[1:] for line in lines)


def _fold(line: str) -> str:
    return " ".join(visible(line.rstrip("\r")).split())
