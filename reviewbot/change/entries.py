"""Which files differ between two commits, as git itself counts them."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from reviewbot.core import Sha
from reviewbot.errors import RepositoryError

_REFUSED = frozenset(("", ".", "..", ".git"))
"""Parts of paths, in any case, that git refuses to check out."""


@dataclass(frozen=True, slots=True)
class DiffEntry:
    """One row of ``git diff --raw`` joined with its row of ``--numstat``.

    ``added_lines`` and ``deleted_lines`` are None where git counts none because a side is binary.
    """

    path: str
    old_path: str
    letter: str
    base_mode: str
    head_mode: str
    base_blob: Sha | None
    head_blob: Sha | None
    added_lines: int | None = None
    deleted_lines: int | None = None

    @property
    def blobs(self) -> list[Sha]:
        """The blobs of both sides; a gitlink names a commit of another repository, not a blob."""
        gitlink = "160000"
        sides = ((self.base_mode, self.base_blob), (self.head_mode, self.head_blob))
        return [sha for mode, sha in sides if sha and mode != gitlink]


def parse_diff_entries(output: bytes) -> tuple[DiffEntry, ...]:
    """Read what ``git diff-tree --raw --numstat -z --no-abbrev`` prints.

    Source: git-diff(1), "Raw output format" and "--numstat".

    Raises:
        RepositoryError: a path stands there twice, or is one that git checks out nowhere: what a reader would
            then get is not what was read here (git-fsck(1): duplicateEntries, fullPathname, hasDotdot, …).
    """
    parts = iter(output.split(b"\0"))
    entries: dict[str, DiffEntry] = {}
    for part in parts:
        if part.startswith(b":"):
            base_mode, head_mode, base, head, letter = part[1:].decode().split(" ")
            old_path = _text(next(parts))
            path = _text(next(parts)) if letter[0] in "RC" else old_path
            _check(path, entries)
            entries[path] = DiffEntry(
                path, old_path, letter[0], base_mode, head_mode, _present(base), _present(head)
            )
        elif part:
            added, deleted, name = part.split(b"\t", 2)
            if not name:  # a rename or copy: the two names follow
                next(parts)
                name = next(parts)
            entry = entries[_text(name)]
            if added != b"-":
                entries[entry.path] = replace(entry, added_lines=int(added), deleted_lines=int(deleted))
    return tuple(entries.values())


def _check(path: str, known: Collection[str]) -> None:
    why = ""
    if path in known:
        why = "stands twice in one tree"
    elif _REFUSED & {part.lower() for part in path.split("/")}:
        why = "is no path that git checks out"
    if why:
        raise RepositoryError(
            f"{ascii(path)[1:-1][:200]} {why}.",
            help="Run `git fsck` in the repository; commit the files again under names that git takes.",
        )


def _present(sha: str) -> Sha | None:
    return None if set(sha) == {"0"} else sha


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
