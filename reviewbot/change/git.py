"""Read-only git objects by id: the one door to the git program.

Two places are kept apart. The user's own git folder is asked only which commits revisions name. All
objects are read through a bare store of our own that borrows the object folder and nothing else: no
configuration, attributes, hooks, replace refs, grafts or work tree of the repository take part
(THREATS R05, R25).
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from reviewbot.change import hardening
from reviewbot.change.attributes import folders_above, in_calls, parse_attributes
from reviewbot.change.entries import DiffEntry, parse_diff_entries
from reviewbot.change.grep import GREP_SECONDS, MAX_GREP_MEMORY, MAX_GREP_OUTPUT, GrepHit, Search, SearchError
from reviewbot.change.hardening import FULL_ID, HARDENED, find_git, full_id, git_env, last_line, make_store
from reviewbot.change.locate import find_common_dir, find_git_dir
from reviewbot.change.partial import Absent
from reviewbot.core import Sha
from reviewbot.errors import NoReview, RepositoryError

__all__ = ["GrepHit", "Repository", "SearchError", "TreeEntry"]

SECONDS = 300
"""A git call that takes longer is given up."""

BIG_FILE_BYTES = 32 * 1024 * 1024
"""git treats larger files as binary, which bounds the memory of a diff; the ledger tells them apart."""

MAX_BLOB_BYTES = 2 * BIG_FILE_BYTES
MAX_OUTPUT_BYTES = 128 * 1024 * 1024
MAX_MEMORY = 2 * 1024 * 1024 * 1024
"""Both of one call: a few trees that hold each other unfold into more paths than any memory holds."""

SEARCHES = 2
"""Searches that run at a time: each may take GREP_SECONDS of every core and MAX_GREP_MEMORY."""

_HARDENED = (*HARDENED, "-c", f"core.bigFileThreshold={BIG_FILE_BYTES}")


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
        self._absent = Absent(fetch_missing, self._read, self._sizes_here)
        self.git_dir, self.work_tree = find_git_dir(folder)
        self.common_dir = find_common_dir(self.git_dir)
        self._git = find_git()
        self._lock = threading.Lock()
        self._searches = threading.BoundedSemaphore(SEARCHES)
        self._cat: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._home = stack.enter_context(hardening.own_folder())
            self.object_format = self._ask("rev-parse", "--show-object-format").decode().strip()
            self._store = make_store(self._home / "store", self.object_format)
            stack.callback(self._stop_cat)
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
        asked = None if "\0" in named else self._try(*given)
        name = asked.decode("ascii", "replace").strip() if asked else ""
        return name if FULL_ID.fullmatch(name) else None

    def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """The best common ancestor of two commits, or None."""
        found = self._try("merge-base", full_id(one), full_id(other))
        return found.decode().split("\n")[0] if found else None

    def parents(self, commit: Sha) -> tuple[Sha, ...]:
        """The parents that the commit object names, whether or not they are here (a shallow clone)."""
        header = self.read_object(commit).partition(b"\n\n")[0]
        lines = (line for line in header.split(b"\n") if line.startswith(b"parent "))
        return tuple(line[7:].decode() for line in lines)

    def symbolic_ref(self, name: str) -> str | None:
        """The ref that another one points to, such as ``origin/HEAD`` to ``origin/main``; or None."""
        found = self._try("symbolic-ref", "--quiet", name)
        return _text(found).strip() if found else None

    def remotes(self) -> tuple[str, ...]:
        """The names of the configured remotes."""
        return tuple(self._ask("remote").decode("utf-8", "surrogateescape").split())

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
        rows = self._read("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=names.encode())
        pairs = (row.split(" ") for row in rows.decode().splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if pair[1].isdigit()}

    def read_object(self, sha: Sha) -> bytes:
        """The content of a blob or commit.

        Raises:
            RepositoryError: the object is missing or larger than 64 MiB.
        """
        with self._lock:
            content = self._read_object(full_id(sha))
            if content is None and self._absent.fetch([sha]):
                content = self._read_object(sha)
        if content is None:
            raise RepositoryError(
                f"The object {sha} is not in this clone.",
                help="Fetch it (a partial clone leaves objects out): `git fetch --refetch`.",
            )
        return content

    def tree_paths(self, tree: Sha) -> tuple[str, ...]:
        """Every path below a commit or tree."""
        listing = self._read("ls-tree", "-r", "-z", "--name-only", "--full-tree", full_id(tree))
        return tuple(_text(name) for name in listing.split(b"\0") if name)

    def entry_at(self, tree: Sha, path: str) -> TreeEntry | None:
        """What ``path`` is at a commit or tree, or None."""
        return self.entries_at(tree, [path]).get(path)

    def entries_at(self, tree: Sha, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What each of the paths is at a commit or tree; a path that is not there is left out."""
        found = {}
        for some in in_calls(paths):
            rows = self._read("ls-tree", "-z", "--full-tree", full_id(tree), "--", *some)
            for row in filter(None, rows.split(b"\0")):
                meta, _, name = row.partition(b"\t")
                mode, kind, sha = meta.decode().split(" ")
                found[_text(name)] = TreeEntry(mode, kind, sha)
        return {path: found[path] for path in paths if path in found}

    def diff_entries(self, base: Sha, head: Sha) -> tuple[DiffEntry, ...]:
        """The files that differ, with git's own line counts, in git's order."""
        self._absent.fetch_compared(full_id(base), full_id(head))
        output = self._read(*hardening.DIFF, "--raw", "--numstat", "-z", "--no-abbrev", base, head)
        return parse_diff_entries(output)

    @contextmanager
    def diff_lines(self, base: Sha, head: Sha) -> Iterator[IO[bytes]]:
        """The patch as a stream of lines; git has run without a fault when the block ends."""
        self._absent.fetch_compared(full_id(base), full_id(head))
        with self._running(SECONDS, *hardening.DIFF, *hardening.PATCH, base, head) as (process, errors):
            assert process.stdout
            yield process.stdout
            process.stdout.read()
            if process.wait():
                raise RepositoryError(f"git could not write the diff: {_said(errors)}")

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
        return search.parse(self._search(arguments), max_count)

    def attributes(self, tree: Sha, paths: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """gitattributes(5) of ``paths`` as the ``.gitattributes`` files of one commit give them.

        Older git has no ``check-attr --source``: the attribute files on the way to the paths are put
        into an index of their own, which ``--cached`` then asks.
        """
        folders = folders_above(paths, lambda names: self.entries_at(tree, names))
        index = self._home / "attributes-index"
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
        self._read("update-index", "-z", "--add", "--index-info", stdin=b"".join(rows), index=index)
        asked = _bytes("".join(f"{path}\0" for path in paths))
        found = self._read("check-attr", "--cached", "-z", "--stdin", *names, stdin=asked, index=index)
        return parse_attributes(found)

    # How git is called.

    def _argv(self, git_dir: Path, *arguments: str) -> list[str]:
        return [self._git, f"--git-dir={git_dir}", *_HARDENED, *arguments]

    def _environment(self, objects: Path | None = None, index: Path | None = None) -> dict[str, str]:
        """All that git sees of the outside: ``objects`` to borrow and an ``index`` to use, if any."""
        variables = git_env(self._home)
        if objects:
            variables["GIT_OBJECT_DIRECTORY"] = str(objects)
        if index:
            variables["GIT_INDEX_FILE"] = str(index)
        return variables

    def _read(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
        """Ask our own store; any failure is an error."""
        environment = self._environment(self.common_dir / "objects", index)
        return self._run(self._argv(self._store, *arguments), stdin, environment)

    def _ask(self, *arguments: str) -> bytes:
        """Ask the user's own git folder; any failure is an error."""
        return self._run(self._argv(self.git_dir, *arguments), b"", self._environment())

    def _try(self, *arguments: str) -> bytes | None:
        """Ask the user's own git folder; None where git says no."""
        try:
            return self._ask(*arguments)
        except RepositoryError:
            return None

    def _run(self, argv: list[str], stdin: bytes, environment: dict[str, str]) -> bytes:
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE,
                cwd=self._home, env=environment,
            ) as process,
        ):  # fmt: skip
            hardening.bound_process(process.pid, memory=MAX_MEMORY, output=MAX_OUTPUT_BYTES)
            try:
                _, errors = process.communicate(stdin, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise NoReview(f"git took longer than {SECONDS} seconds and was stopped.") from None
            except BaseException:
                process.kill()
                raise
            if output.seek(0, os.SEEK_END) >= MAX_OUTPUT_BYTES:
                raise NoReview(f"git printed more than {MAX_OUTPUT_BYTES >> 20} MiB and was stopped.")
            if process.returncode and b"ut of memory" in errors:
                raise NoReview(f"git needed more than {MAX_MEMORY >> 20} MiB of memory and was stopped.")
            if process.returncode:
                raise hardening.unreadable(errors)
            output.seek(0)
            return output.read()

    def _start(self, *arguments: str, stdin: int, stderr: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """A process over our own store whose output is read while it runs."""
        return subprocess.Popen(
            self._argv(self._store, *arguments), stdin=stdin, stdout=subprocess.PIPE, stderr=stderr,
            cwd=self._home, env=self._environment(self.common_dir / "objects"),
        )  # fmt: skip

    @contextmanager
    def _running(
        self, seconds: float, *arguments: str
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """A process over our own store and the file of its complaints; it ends with the block."""
        with (
            tempfile.TemporaryFile() as errors,
            self._start(*arguments, stdin=subprocess.DEVNULL, stderr=errors) as process,
        ):
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                yield process, errors
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()

    def _search(self, arguments: Sequence[str]) -> bytes:
        """What git grep prints, up to one byte over the cap."""
        with self._searches, self._running(GREP_SECONDS, *arguments) as (process, errors):
            assert process.stdout
            hardening.bound_process(process.pid, memory=MAX_GREP_MEMORY)
            output = process.stdout.read(MAX_GREP_OUTPUT + 1)
            if len(output) > MAX_GREP_OUTPUT:
                process.kill()
            elif process.wait() < 0:
                raise SearchError(f"The search took longer than {GREP_SECONDS} seconds.")
            elif process.returncode > 1:
                raise SearchError(f"git could not search: {_said(errors)}")
            return output

    def _read_object(self, sha: Sha) -> bytes | None:
        if self._cat is None:
            self._cat = self._start("cat-file", "--batch", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cat = self._cat
        assert cat and cat.stdin and cat.stdout
        cat.stdin.write(f"{sha}\n".encode())
        cat.stdin.flush()
        header = cat.stdout.readline().decode().split()
        if len(header) != 3:
            return None
        size = int(header[2])
        content: bytes = cat.stdout.read(min(size, MAX_BLOB_BYTES))
        left = size - len(content)
        while left > 0:
            left -= len(cat.stdout.read(min(left, 1 << 20)))
        cat.stdout.read(1)
        if size > MAX_BLOB_BYTES:
            raise RepositoryError(f"The object {sha} is larger than {MAX_BLOB_BYTES >> 20} MiB.")
        return content

    def _stop_cat(self) -> None:
        if self._cat:
            self._cat.kill()
            self._cat.communicate()
            self._cat = None


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    return last_line(errors.read())


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
