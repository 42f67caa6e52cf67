"""Read-only git objects by id: what a repository answers; ``git_calls`` is the door to the git program.

Two places are kept apart. The user's own git folder is asked only which commits revisions name. All
objects are read through a bare store of our own that borrows the object folder and nothing else: no
configuration, attributes, hooks, replace refs, grafts or work tree of the repository take part
(THREATS R05, R25).
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from reviewbot.change import hardening
from reviewbot.change.attributes import folders_above, in_calls, parse_attributes
from reviewbot.change.entries import DiffEntry, parse_diff_entries
from reviewbot.change.git_calls import SECONDS, GitCalls, said_by
from reviewbot.change.grep import GrepHit, Search, SearchError
from reviewbot.change.hardening import FULL_ID, find_git, full_id, make_store
from reviewbot.change.locate import find_common_dir, find_git_dir
from reviewbot.change.partial import Absent
from reviewbot.core import Sha
from reviewbot.errors import RepositoryError

__all__ = ["GrepHit", "Repository", "SearchError", "TreeEntry"]


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What a path is at a commit."""

    mode: str
    kind: str
    sha: Sha


class Repository:
    """A repository opened for reading; use it as a context manager.

    ``fetch_missing`` brings objects that a partial store left out (``change.fetch``): those of a
    comparison or a search in one call, and any other once, when it is asked for.

    Raises:
        RepositoryError: ``folder`` is not in a git repository, or git is not installed.
    """

    def __init__(self, folder: Path, fetch_missing: Callable[[Sequence[Sha]], None] | None = None) -> None:
        self.fetch_missing = fetch_missing
        self.git_dir, self.work_tree = find_git_dir(folder)
        self.common_dir = find_common_dir(self.git_dir)
        self._git = find_git()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            home = stack.enter_context(hardening.own_folder())
            self._calls = GitCalls(self._git, home, self.git_dir, self.common_dir / "objects")
            self._absent = Absent(self.fetch_missing, self._calls.read, self._sizes_here)
            self.object_format = self._calls.ask("rev-parse", "--show-object-format").decode().strip()
            make_store(self._calls.store, self.object_format)
            stack.callback(self._calls.close)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def empty_tree(self) -> Sha:
        """The id of the tree that holds nothing: the base of a root commit."""
        return hardening.EMPTY_TREE[self.object_format]

    @property
    def is_shallow(self) -> bool:
        """History was cut off when this repository was cloned or fetched."""
        return (self.common_dir / "shallow").is_file()

    @property
    def is_partial(self) -> bool:
        """Objects may be missing that git would fetch when it needs them (git-clone(1), --filter)."""
        return any((self.common_dir / "objects" / "pack").glob("*.promisor"))

    def resolve(self, revision: str, kind: str = "commit") -> Sha | None:
        """The full id of what a revision names, or None; without a ``kind`` also of what is not here."""
        named = f"{revision}^{{{kind}}}" if kind else revision
        given = ("rev-parse", "--verify", "--quiet", "--end-of-options", named)
        asked = None if "\0" in named else self._calls.try_to_ask(*given)
        name = asked.decode("ascii", "replace").strip() if asked else ""
        return name if FULL_ID.fullmatch(name) else None

    def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """The best common ancestor of two commits, or None."""
        found = self._calls.try_to_ask("merge-base", full_id(one), full_id(other))
        return found.decode().split("\n")[0] if found else None

    def parents(self, commit: Sha) -> tuple[Sha, ...]:
        """The parents that the commit object names, whether or not they are here (a shallow clone)."""
        header = self.read_object(commit).partition(b"\n\n")[0]
        lines = (line for line in header.split(b"\n") if line.startswith(b"parent "))
        return tuple(line[7:].decode() for line in lines)

    def symbolic_ref(self, name: str) -> str | None:
        """The ref that another one points to, such as ``origin/HEAD`` to ``origin/main``; or None."""
        found = self._calls.try_to_ask("symbolic-ref", "--quiet", name)
        return _text(found).strip() if found else None

    def remotes(self) -> tuple[str, ...]:
        """The names of the configured remotes."""
        return tuple(self._calls.ask("remote").decode("utf-8", "surrogateescape").split())

    def has(self, sha: Sha) -> bool:
        """Whether the object is in this clone, without fetching it."""
        return sha in self._sizes_here([sha])

    def sizes(self, shas: Iterable[Sha]) -> dict[Sha, int]:
        """The size in bytes of each object that is here, or can be fetched."""
        asked = list(shas)
        self._absent.fetch_absent(asked)
        return self._sizes_here(asked)

    def _sizes_here(self, shas: Iterable[Sha]) -> dict[Sha, int]:
        names = "".join(f"{full_id(sha)}\n" for sha in shas)
        rows = self._calls.read("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=names.encode())
        pairs = (row.split(" ") for row in rows.decode().splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if pair[1].isdigit()}

    def read_object(self, sha: Sha) -> bytes:
        """The content of a blob or commit.

        Raises:
            RepositoryError: the object is missing or larger than 64 MiB.
        """
        with self._lock:
            content = self._calls.read_object(full_id(sha))
            if content is None and self._absent.fetch([sha]):
                content = self._calls.read_object(sha)
        if content is None:
            raise RepositoryError(
                f"The object {sha} is not in this clone.",
                help="Fetch it (a partial clone leaves objects out): `git fetch --refetch`.",
            )
        return content

    def tree_paths(self, tree: Sha) -> tuple[str, ...]:
        """Every path below a commit or tree."""
        listing = self._calls.read("ls-tree", "-r", "-z", "--name-only", "--full-tree", full_id(tree))
        return tuple(_text(name) for name in listing.split(b"\0") if name)

    def entry_at(self, tree: Sha, path: str) -> TreeEntry | None:
        """What ``path`` is at a commit or tree, or None."""
        return self.entries_at(tree, [path]).get(path)

    def entries_at(self, tree: Sha, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What each of the paths is at a commit or tree; a path that is not there is left out."""
        found = {}
        for some in in_calls(paths):
            rows = self._calls.read("ls-tree", "-z", "--full-tree", full_id(tree), "--", *some)
            for row in filter(None, rows.split(b"\0")):
                meta, _, name = row.partition(b"\t")
                mode, kind, sha = meta.decode().split(" ")
                found[_text(name)] = TreeEntry(mode, kind, sha)
        return {path: found[path] for path in paths if path in found}

    def diff_entries(self, base: Sha, head: Sha) -> tuple[DiffEntry, ...]:
        """The files that differ, with git's own line counts, in git's order."""
        self._absent.fetch_compared(full_id(base), full_id(head))
        output = self._calls.read(*hardening.DIFF, "--raw", "--numstat", "-z", "--no-abbrev", base, head)
        return parse_diff_entries(output)

    @contextmanager
    def diff_lines(self, base: Sha, head: Sha) -> Iterator[IO[bytes]]:
        """The patch as a stream of lines; git has run without a fault when the block ends."""
        self._absent.fetch_compared(full_id(base), full_id(head))
        with self._calls.running(SECONDS, *hardening.DIFF, *hardening.PATCH, base, head) as (process, errors):
            assert process.stdout
            yield process.stdout
            process.stdout.read()
            if process.wait():
                raise RepositoryError(f"git could not write the diff: {said_by(errors)}")

    def grep(
        self, tree: Sha, text: str, *, pathspec: Sequence[str] = (), fixed: bool = True,
        ignore_case: bool = False, max_count: int,
    ) -> tuple[GrepHit, ...]:  # fmt: skip
        """The first ``max_count`` lines of the text files of a commit or tree that hold ``text``.

        ``pathspec`` are paths and folders, taken literally. ``fixed`` off: a POSIX extended expression.
        Letters outside ASCII have case, and any dot in an expression stands for one byte.

        Raises:
            SearchError: it takes too long or finds too much, the expression is malformed, or a partial
                store lacks more than 2,000 of the files.
        """
        search = Search(full_id(tree), text, tuple(pathspec), fixed, ignore_case)
        arguments = search.arguments()
        self._absent.fetch_searched(tree, pathspec)
        return search.parse(self._calls.search(arguments), max_count)

    def attributes(self, tree: Sha, paths: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """gitattributes(5) of ``paths`` as the ``.gitattributes`` files of one commit give them.

        Older git has no ``check-attr --source``: the attribute files on the way to the paths are put
        into an index of their own, which ``--cached`` then asks.
        """
        folders = folders_above(paths, lambda names: self.entries_at(tree, names))
        index = self._calls.home / "attributes-index"
        index.unlink(missing_ok=True)
        files = self.entries_at(tree, [f"{folder}.gitattributes" for folder in sorted(folders)])
        rows = [
            _bytes(f"{entry.mode} {entry.sha} 0\t{path}\0")
            for path, entry in files.items()
            if entry.kind == "blob" and entry.mode != "120000"
        ]
        if not rows:
            return {}
        self._absent.fetch_absent([entry.sha for entry in files.values() if entry.kind == "blob"])
        self._calls.read("update-index", "-z", "--add", "--index-info", stdin=b"".join(rows), index=index)
        asked = _bytes("".join(f"{path}\0" for path in paths))
        found = self._calls.read("check-attr", "--cached", "-z", "--stdin", *names, stdin=asked, index=index)
        return parse_attributes(found)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
