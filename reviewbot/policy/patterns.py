"""The one door to pathspec: patterns that select paths by the rules of git's ignore files."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from reviewbot.errors import UsageError
from reviewbot.text import printable

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LONGEST_NAME = 255
"""Characters in one part of a path (NAME_MAX of POSIX systems)."""


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
    """
    if max(map(len, path.split("/"))) > LONGEST_NAME:
        return None
    result = _specification(patterns).check_file(
        path.replace("\n", "\N{REPLACEMENT CHARACTER}"), separators=()
    )
    return result.index if result.include else None


@lru_cache(maxsize=1024)
def _specification(patterns: tuple[str, ...]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 0.09 s that only runs with patterns pay

    return GitIgnoreSpec.from_lines(patterns, backend="simple")
