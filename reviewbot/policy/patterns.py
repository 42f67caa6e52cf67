"""The one door to pathspec: patterns that select paths by the rules of git's ignore files."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING

from reviewbot.errors import NoReview, UsageError
from reviewbot.text import printable

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LONGEST_NAME = 255
"""Characters in one part of a path (NAME_MAX of POSIX systems)."""

MOST_SECONDS = 0.2
"""A path whose match may take longer, on a slow machine, is not matched at all."""

_FOLDER_SECONDS, _LETTER_SECONDS = 6e-8, 2e-9
"""What one way to share the folders (the letters) of a path among ``**`` (among ``*``) takes at most."""


class TooManyWays(NoReview):
    """A path of the change on which patterns would be tried for minutes."""

    help = "Write the pattern with fewer `*`, or rename the file."


def parse_patterns(patterns: Iterable[str], option: str) -> tuple[str, ...]:
    """Patterns of paths, as git's ignore files have them; raises UsageError for one that means nothing."""
    given = tuple(patterns)
    try:
        if given:
            _specification(given)
        if any(not pattern.strip() or pattern.startswith("#") for pattern in given):
            raise ValueError
    except ValueError:
        shown = ", ".join(printable(pattern) for pattern in given)
        raise UsageError(
            f"{option} {shown} cannot be used.", help="Give patterns of paths, such as `src/**`."
        ) from None
    return given


def is_selected(patterns: tuple[str, ...], path: str) -> bool:
    """Whether patterns select a path, by git's rules; without any every path is selected."""
    return not patterns or matching(patterns, path) is not None


def matching(patterns: tuple[str, ...], path: str) -> int | None:
    """The number of the pattern that selects ``path``, by git's own rules, or None.

    pathspec compiles to regular expressions in which ``.`` stops at a line feed and ``$`` matches
    before a last one, so a file name could slip past a rule with one: it is matched without. Its
    regular expressions backtrack, too: a name longer than any file system takes matches nothing.

    Raises TooManyWays where it would take long: a change may name its files to that end.
    """
    parts = path.split("/")
    if max(map(len, parts)) > LONGEST_NAME:
        return None
    if _seconds(_shape(patterns), parts) > MOST_SECONDS:
        raise TooManyWays(
            f"The patterns {printable(', '.join(patterns), 200)} cannot be tried on {printable(path, 200)}: "
            "too many of its parts may stand for their stars."
        )
    result = _specification(patterns).check_file(
        path.replace("\n", "\N{REPLACEMENT CHARACTER}"), separators=()
    )
    return result.index if result.include else None


@lru_cache(maxsize=1024)
def _shape(patterns: tuple[str, ...]) -> tuple[int, int]:
    """The most ``**`` in one of the patterns, one without a slash having one, and most ``*`` in one part."""
    parts = [pattern.strip().lstrip("!").rstrip("/").split("/") for pattern in patterns]
    folders = max((each.count("**") + (len(each) == 1) for each in parts), default=0)
    runs = (len(re.findall(r"\*+", part)) for each in parts for part in each if part != "**")
    return folders, max(runs, default=0)


def _seconds(shape: tuple[int, int], parts: Sequence[str]) -> float:
    folders, letters = shape
    ways = sum(comb(len(part) + 1, letters) for part in parts)
    return comb(len(parts) + 1, folders) * _FOLDER_SECONDS + ways * _LETTER_SECONDS


@lru_cache(maxsize=1024)
def _specification(patterns: tuple[str, ...]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 0.09 s that only runs with patterns pay

    return GitIgnoreSpec.from_lines(patterns, backend="simple")
