"""The texts of a change, and the names of its files, as models may have been shown them."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol

from reviewbot.change.content import decode_wide
from reviewbot.core import ChangeSet, ChangeStatus, LineRanges, Sha, Side
from reviewbot.errors import RepositoryError
from reviewbot.secrets.masking import CommitSide, Masker
from reviewbot.text import visible, visible_line
from reviewbot.verdict import grounding
from reviewbot.verdict.grounding import fold

_RETURN = "<U+000D>"


class Objects(grounding.Objects, Protocol):
    """What is needed of a repository to find what models quote."""

    def tree_paths(self, tree: Sha) -> tuple[str, ...]:
        """Every path below a commit."""


class Text(NamedTuple):
    """A text to search in, and the number in the file of each of its lines."""

    whole: str
    numbers: Sequence[int]


class Blobs:
    """The texts of both commits by path; the few that were asked for last are kept."""

    def __init__(self, changes: ChangeSet, objects: Objects) -> None:
        self.changes = changes
        self.by_path = {change.path: change for change in changes.files}
        self._objects = objects
        self._meant: dict[str, list[str]] = {}
        for change in changes.files:
            renamed = change.old_path if change.status is ChangeStatus.RENAMED else None
            for name in {visible_line(change.path), renamed and visible_line(renamed)} - {None}:
                self._meant.setdefault(str(name), []).append(change.path)
        self.head = lru_cache(maxsize=4)(self._head)
        self.base = lru_cache(maxsize=4)(self._base)
        self.plain = lru_cache(maxsize=4)(self._plain)
        self.folded = lru_cache(maxsize=4)(self._folded)

    def named(self, path: str) -> list[str]:
        """Every path that a model may mean by a name: names are shown to it with hidden characters spelled.

        Two names can look the same, and a renamed file has its old name in the base.
        """
        shown = visible_line(path)
        meant = self._meant.get(shown, ())
        others = () if meant or "<U+" not in shown else self._hidden_names.get(shown, ())
        return [*dict.fromkeys((path, *meant, *others))]

    @cached_property
    def _hidden_names(self) -> dict[str, list[str]]:
        """The paths of head that are not shown as they are, by what is shown."""
        found: dict[str, list[str]] = {}
        for path in self._objects.tree_paths(self.changes.head_sha):
            if (shown := visible_line(path)) != path:
                found.setdefault(shown, []).append(path)
        return found

    def changed(self, path: str, side: Side) -> LineRanges:
        """The lines of a file that make a place touch the change, and those around a deletion."""
        change = self.by_path.get(path)
        if change is None:
            return ()
        if side is Side.LEFT:
            return change.deleted
        return (*change.added, *((gap, gap + 1) for gap in change.gaps))

    def _head(self, path: str) -> str | None:
        change = self.by_path.get(path)
        return self._read(change.head_blob) if change else self._read_at(self.changes.head_sha, path)

    def _base(self, path: str) -> str | None:
        """The base text of a changed file, by its path in head; other files are the same in both."""
        change = self.by_path.get(path)
        return self._read(change.base_blob) if change else None

    def _plain(self, path: str, side: Side) -> Text:
        """The text as it is, line ends of Windows aside."""
        text = (self.head if side is Side.RIGHT else self.base)(path) or ""
        plain = text.replace("\r\n", "\n")
        return Text(plain, range(1, plain.count("\n") + 2))

    def _folded(self, path: str, side: Side) -> Text:
        """The text as models are shown it, white space folded, without empty lines."""
        text = (self.head if side is Side.RIGHT else self.base)(path) or ""
        rows = ((fold_line(line), number) for number, line in enumerate(text.split("\n"), 1))
        kept = [(line, number) for line, number in rows if line]
        return Text("\n".join(line for line, _ in kept), tuple(number for _, number in kept))

    def _read_at(self, commit: Sha, path: str) -> str | None:
        try:
            entry = self._objects.entry_at(commit, path) if path and "\0" not in path else None
        except RepositoryError:
            return None
        return self._read(entry.sha) if entry and entry.kind == "blob" else None

    def _read(self, sha: Sha | None) -> str | None:
        try:
            data = self._objects.read_object(sha) if sha else None
        except RepositoryError:
            data = None
        wide = decode_wide(data) if data else None
        return wide if data is None or wide is not None else data.decode("utf-8", "surrogateescape")


class MaskedBlobs(Blobs):
    """The same texts with secrets hidden, as models are shown them."""

    def __init__(self, changes: ChangeSet, objects: Objects, masker: Masker) -> None:
        self._masker = masker
        super().__init__(changes, objects)

    def _head(self, path: str) -> str | None:
        return self._masked(path, "head", super()._head(path))

    def _base(self, path: str) -> str | None:
        change = self.by_path.get(path)
        name = change.old_path or path if change else path
        return self._masked(name, "base", super()._base(path))

    def _masked(self, path: str, side: CommitSide, text: str | None) -> str | None:
        if text is None:
            return None
        return "\n".join(self._masker.mask_lines(path, side, text.split("\n")))


def fold_line(line: str) -> str:
    """A line as models are shown it, with white space folded and without carriage returns at its end."""
    shown = fold(visible(line.rstrip("\r")))
    end = len(shown)
    while shown.endswith(_RETURN, 0, end):
        end -= len(_RETURN)
        end -= shown[end - 1 : end] == " "
    return shown[:end]
