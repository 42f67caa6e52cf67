"""What a reviewer would look for first, found before it is asked: it saves a dear model a turn.

Plain searches through head for the names in the hunks: where those that new lines use are defined, and
who uses those that the change touches. Best effort within a bound: what is not found, or finds no room,
the model can search for itself. A search reads the whole tree, so each name is sought once in a run, and
what the floor claims is looked around while triage is asked.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from reviewbot.agents.view.symbols import defined_on, find_symbols, names_patterns, used_on
from reviewbot.agents.view.tools import Hit
from reviewbot.core import FileChange
from reviewbot.testlike import is_test_path
from reviewbot.text import visible_line

MOST_TOKENS = 1_000
"""Of a task's prompt, at three bytes a token: about what one round of a search tool costs."""

MOST_NAMES = 12
MOST_ROWS = 12
"""Lines of each of the two kinds that are shown."""

MOST_BESIDES = 2
"""Of them, lines of tests and of prose: they say how a name is used, but not who can reach it."""

PROSE = (".md", ".rst", ".txt")

EVERYWHERE = 60
"""A name that more lines of the product use, or define, tells nothing: a word such as `default`."""

AMBIGUOUS = 4
"""A name that the product defines more often is that of many methods: which of them is meant is not seen."""

LOOKED_AT = 5_000
"""Lines of one search that are looked at; most only mention the names."""


class Surroundings:
    """Looks around parts of a change. Threads may share it; a name is sought once.

    ``find`` gives the first lines of head that a POSIX extended expression matches, nothing where it
    cannot; ``show`` the line as models may see it.
    """

    def __init__(self, find: Callable[[str, int], Sequence[Hit]], show: Callable[[Hit], str]) -> None:
        self._find = find
        self._show = show
        self._lock = threading.Lock()
        self._defined: dict[str, list[Hit]] = {}
        self._used: dict[str, list[Hit]] = {}
        self._rows: dict[tuple[str, int], str] = {}

    def look_around(self, parts: Sequence[FileChange]) -> str:
        """Lines of head that belong to what the hunks of some files speak of, or nothing."""
        names = find_symbols(parts, MOST_NAMES)
        shown = _Shown(parts)
        with self._lock:
            self._seek((*names.used, *names.changed))
            kinds = (
                ("Definitions of names that new lines use:", names.used, self._defined, AMBIGUOUS),
                (
                    "Uses of names that the change defines or redefines:",
                    names.changed,
                    self._used,
                    EVERYWHERE,
                ),
            )
            rows: list[str] = []
            for title, wanted, known, most in kinds:
                unseen = [hit for hit in _first_hits(wanted, known, most) if not shown.holds(hit)]
                if known is self._used:
                    unseen = [hit for hit in unseen if not shown.defines(hit, wanted)]
                said = [self._row(hit) for hit in shown.choose(unseen)]
                rows += [title, *said] if said else []
        return _cut(rows)

    def _row(self, hit: Hit) -> str:
        place = (hit.path, hit.line)
        if place not in self._rows:
            self._rows[place] = f"{visible_line(hit.path)}:{hit.line}: {self._show(hit)}"
        return self._rows[place]

    def _seek(self, names: Iterable[str]) -> None:
        """Search for the names that were not sought yet."""
        new = [name for name in dict.fromkeys(names) if name not in self._defined]
        for name in new:
            self._defined[name], self._used[name] = [], []
        for pattern in names_patterns(new):
            for hit in self._find(pattern, LOOKED_AT):
                for name in defined_on(hit.text).intersection(new):
                    self._defined[name].append(hit)
                for name in used_on(hit.text).intersection(new):
                    self._used[name].append(hit)


class _Shown:
    """The lines of head that the hunks of some files show."""

    def __init__(self, parts: Sequence[FileChange]) -> None:
        self._hunks: dict[str, list[range]] = {}
        for part in parts:
            ranges = (range(hunk.head_start, hunk.head_start + hunk.head_count) for hunk in part.hunks)
            self._hunks.setdefault(part.path, []).extend(ranges)

    def holds(self, hit: Hit) -> bool:
        return any(hit.line in lines for lines in self._hunks.get(hit.path, ()))

    def defines(self, hit: Hit, names: Sequence[str]) -> bool:
        """Whether a line of these files defines one of the names: it is what changed. In another file it
        may be a sibling that has the check.
        """
        return hit.path in self._hunks and not defined_on(hit.text).isdisjoint(names)

    def choose(self, hits: Sequence[Hit]) -> list[Hit]:
        """The lines to show, those of the product first, and of it those in a language of these files."""
        endings = {PurePosixPath(path).suffix for path in self._hunks}
        product = [hit for hit in hits if not _is_beside(hit.path)]
        product.sort(key=lambda hit: PurePosixPath(hit.path).suffix not in endings)
        besides = [hit for hit in hits if _is_beside(hit.path)]
        return [*product, *besides[:MOST_BESIDES]][:MOST_ROWS]


def _is_beside(path: str) -> bool:
    return is_test_path(path) or path.endswith(PROSE)


def _first_hits(names: Sequence[str], known: Mapping[str, Sequence[Hit]], most: int) -> list[Hit]:
    """The hits of names that at most so many lines of the product hold, each line once: the rarest name
    first, and in git's order.
    """
    counts = {name: sum(not _is_beside(hit.path) for hit in known[name]) for name in names}
    kept = [name for name in sorted(names, key=counts.__getitem__) if counts[name] <= most]
    return list({(hit.path, hit.line): hit for name in kept for hit in known[name]}.values())


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
