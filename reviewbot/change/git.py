"""Read-only git objects by id: the one door to the git program.

Two places are kept apart. The user's own git folder is asked only which commits revisions name. All
objects are read through a bare store of our own that borrows the object folder and nothing else: no
configuration, attributes, hooks, replace refs, grafts or work tree of the repository take part
(THREATS R05, R25).
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from reviewbot.change.entries import DiffEntry, parse_diff_entries
from reviewbot.change.locate import find_common_dir, find_git_dir
from reviewbot.core import Sha
from reviewbot.errors import NoReview, RepositoryError, UnknownRevision

SECONDS = 300
"""A git call that takes longer is given up."""

BIG_FILE_BYTES = 32 * 1024 * 1024
"""git treats larger files as binary, which bounds the memory of a diff; the ledger tells them apart."""

PATHS_PER_CALL = 500
"""Paths given to git as arguments at a time."""

MAX_BLOB_BYTES = 2 * BIG_FILE_BYTES
EMPTY_TREE = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_FULL_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HARDENED = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.attributesFile=/dev/null",
    "-c", "safe.bareRepository=explicit", "-c", "protocol.allow=never",
    "-c", f"core.bigFileThreshold={BIG_FILE_BYTES}", "--no-pager", "--no-replace-objects",
)  # fmt: skip
# Everything that configuration could change about a diff is said explicitly.
_DIFF = (
    "diff-tree", "-r", "-M", "-C", "-l1000", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative",
    "--submodule=short", "--ignore-submodules=none", "--diff-algorithm=myers",
)  # fmt: skip
_PATCH = ("-p", "--full-index", "--unified=3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/")


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What a path is at a commit."""

    mode: str
    kind: str
    sha: Sha


class Repository:
    """A repository opened for reading; use it as a context manager.

    Raises:
        RepositoryError: ``folder`` is not in a git repository, or git is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.git_dir, self.work_tree = find_git_dir(folder)
        self.common_dir = find_common_dir(self.git_dir)
        self._git = _find_git()
        self._lock = threading.Lock()
        self._cat: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reviewbot-git-")))
            self.object_format = self._ask("rev-parse", "--show-object-format").decode().strip()
            self._store = self._make_store()
            stack.callback(self._stop_cat)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def empty_tree(self) -> Sha:
        """The id of the tree that holds nothing: the base of a root commit."""
        return EMPTY_TREE[self.object_format]

    @property
    def is_shallow(self) -> bool:
        """History was cut off when this repository was cloned or fetched."""
        return (self.common_dir / "shallow").is_file()

    @property
    def is_partial(self) -> bool:
        """Objects may be missing that git would fetch when it needs them (git-clone(1), --filter)."""
        return any((self.common_dir / "objects" / "pack").glob("*.promisor"))

    def resolve(self, revision: str, kind: str = "commit") -> Sha | None:
        """The full id of what a revision names, or None."""
        if "\0" in revision:
            return None
        asked = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{{kind}}}")
        name = asked.decode("ascii", "replace").strip() if asked else ""
        return name if _FULL_ID.fullmatch(name) else None

    def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """The best common ancestor of two commits, or None."""
        found = self._try("merge-base", _full(one), _full(other))
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
        """Whether the object is in this clone."""
        return sha in self.sizes([sha])

    def sizes(self, shas: Iterable[Sha]) -> dict[Sha, int]:
        """The size in bytes of each object that is here."""
        names = "".join(f"{_full(sha)}\n" for sha in shas)
        rows = self._read("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=names.encode())
        pairs = (row.split(" ") for row in rows.decode().splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if pair[1].isdigit()}

    def read_object(self, sha: Sha) -> bytes:
        """The content of a blob or commit.

        Raises:
            RepositoryError: the object is missing or larger than 64 MiB.
        """
        with self._lock:
            return self._read_object(_full(sha))

    def tree_paths(self, tree: Sha) -> tuple[str, ...]:
        """Every path below a commit or tree."""
        listing = self._read("ls-tree", "-r", "-z", "--name-only", "--full-tree", _full(tree))
        return tuple(_text(name) for name in listing.split(b"\0") if name)

    def entry_at(self, tree: Sha, path: str) -> TreeEntry | None:
        """What ``path`` is at a commit or tree, or None."""
        return self.entries_at(tree, [path]).get(path)

    def entries_at(self, tree: Sha, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What each of the paths is at a commit or tree; a path that is not there is left out."""
        found = {}
        for at in range(0, len(paths), PATHS_PER_CALL):
            some = paths[at : at + PATHS_PER_CALL]
            rows = self._read("ls-tree", "-z", "--full-tree", _full(tree), "--", *some)
            for row in filter(None, rows.split(b"\0")):
                meta, _, name = row.partition(b"\t")
                mode, kind, sha = meta.decode().split(" ")
                found[_text(name)] = TreeEntry(mode, kind, sha)
        return {path: found[path] for path in paths if path in found}

    def diff_entries(self, base: Sha, head: Sha) -> tuple[DiffEntry, ...]:
        """The files that differ, with git's own line counts, in git's order."""
        output = self._read(*_DIFF, "--raw", "--numstat", "-z", "--no-abbrev", _full(base), _full(head))
        return parse_diff_entries(output)

    @contextmanager
    def diff_lines(self, base: Sha, head: Sha) -> Iterator[IO[bytes]]:
        """The patch as a stream of lines; git has run without a fault when the block ends."""
        diff = (*_DIFF, *_PATCH, _full(base), _full(head))
        with (
            tempfile.TemporaryFile() as errors,
            self._start(*diff, stdin=subprocess.DEVNULL, stderr=errors) as process,
        ):
            assert process.stdout
            timer = threading.Timer(SECONDS, process.kill)
            timer.start()
            try:
                yield process.stdout
                process.stdout.read()
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()
            if process.wait():
                errors.seek(0)
                raise RepositoryError(f"git could not write the diff: {_last_line(errors.read())}")

    def attributes(self, tree: Sha, paths: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """gitattributes(5) of ``paths`` as the ``.gitattributes`` files of one commit give them.

        Older git has no ``check-attr --source``: the attribute files on the way to the paths are put
        into an index of their own, which ``--cached`` then asks.
        """
        folders = {folder for path in paths for folder in _ancestors(path)}
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
        self._read("update-index", "-z", "--add", "--index-info", stdin=b"".join(rows), index=index)
        asked = _bytes("".join(f"{path}\0" for path in paths))
        found = self._read("check-attr", "--cached", "-z", "--stdin", *names, stdin=asked, index=index)
        fields = [_text(part) for part in found.split(b"\0")]
        result: dict[str, dict[str, str]] = {}
        for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
            result.setdefault(path, {})[name] = value
        return result

    # How git is called.

    def _make_store(self) -> Path:
        store = self._home / "store"
        for folder in ("objects", "refs"):
            (store / folder).mkdir(parents=True)
        (store / "HEAD").write_text("ref: refs/heads/unborn\n")
        sha256 = "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
        version = sha256 if self.object_format == "sha256" else "\trepositoryformatversion = 0\n"
        (store / "config").write_text(f"[core]\n\tbare = true\n{version}")
        return store

    def _argv(self, git_dir: Path, *arguments: str) -> list[str]:
        return [self._git, f"--git-dir={git_dir}", *_HARDENED, *arguments]

    def _environment(self, objects: Path | None = None, index: Path | None = None) -> dict[str, str]:
        """All that git sees of the outside: ``objects`` to borrow and an ``index`` to use, if any."""
        variables = {
            "PATH": os.defpath,
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_GRAFT_FILE": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
        }
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
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, timeout=SECONDS, check=False,
                cwd=self._home, env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NoReview(f"git took longer than {SECONDS} seconds and was stopped.") from None
        if done.returncode:
            raise RepositoryError(f"git could not read the repository: {_last_line(done.stderr)}")
        return done.stdout

    def _start(self, *arguments: str, stdin: int, stderr: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """A process over our own store whose output is read while it runs."""
        return subprocess.Popen(
            self._argv(self._store, *arguments), stdin=stdin, stdout=subprocess.PIPE, stderr=stderr,
            cwd=self._home, env=self._environment(self.common_dir / "objects"),
        )  # fmt: skip

    def _read_object(self, sha: Sha) -> bytes:
        if self._cat is None:
            self._cat = self._start("cat-file", "--batch", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cat = self._cat
        assert cat and cat.stdin and cat.stdout
        cat.stdin.write(f"{sha}\n".encode())
        cat.stdin.flush()
        header = cat.stdout.readline().decode().split()
        if len(header) != 3:
            raise RepositoryError(
                f"The object {sha} is not in this clone.",
                help="Fetch it (a partial clone leaves objects out): `git fetch --refetch`.",
            )
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


def _full(sha: Sha) -> Sha:
    """Only full object ids reach git, so nothing can be read as an option or a revision expression."""
    if not _FULL_ID.fullmatch(sha):
        raise UnknownRevision(f"{ascii(sha)[:80]} is not a full object id.")
    return sha


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ancestors(path: str) -> Iterator[str]:
    """The folders above a path as prefixes: ``""``, ``"a/"``, ``"a/b/"``."""
    at = 0
    while at >= 0:
        yield path[:at]
        at = path.find("/", at) + 1 or -1


def _last_line(stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return ascii(lines[-1][:300])[1:-1] if lines else "it gave no reason."


def _find_git() -> str:
    """git by absolute path, so that no program in a current folder can stand in for it."""
    folders = [part for part in os.get_exec_path() if Path(part).is_absolute()]
    found = shutil.which("git", path=os.pathsep.join(folders))
    if not found:
        raise RepositoryError("git is not installed.", help="Install git 2.32 or later.")
    return found
