"""What GitHub knows of a repository's commits, asked of the real git repository that is served."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}

MOST_PATCH_LINES = 20_000
MOST_PATCH_BYTES = 500_000
"""Of one file: https://docs.github.com/repositories/creating-and-managing-repositories/repository-limits"""


@dataclass(frozen=True)
class DiffFile:
    """One file of a diff as GitHub lists it.

    ``places`` maps (side, line) to (hunk, position) for every line that can take a comment; positions
    count on over all hunks. It is empty where there is no patch: binary, pure rename, too large.
    """

    path: str
    previous: str | None
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str | None
    places: dict[tuple[str, int], tuple[int, int]] = field(repr=False)


class ServedRepository:
    """A git repository on disk; nothing in it is changed."""

    def __init__(self, folder: Path) -> None:
        self.git_dir = folder / ".git" if (folder / ".git").is_dir() else folder
        self._git("rev-parse", "--git-dir")
        self.diff = lru_cache(maxsize=64)(self._diff)

    def resolve(self, revision: str) -> str | None:
        """The commit of a full id, branch or tag, or None."""
        if revision.startswith("-"):
            return None
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if done.returncode == 0:
                return done.stdout.decode().strip()
        return None

    def merge_base(self, base: str, head: str) -> str | None:
        """The merge base, or None for unrelated histories."""
        done = self._run("merge-base", base, head)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def commits(self, base: str, head: str) -> list[str]:
        """Commits of head that base lacks, oldest first."""
        return self._git("rev-list", "--reverse", f"{base}..{head}").split()

    def blob(self, revision: str, path: str) -> tuple[str, bytes] | None:
        """The id and the bytes of a file at a revision, or None."""
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}:{path}")
        if done.returncode:
            return None
        oid = done.stdout.decode().strip()
        return oid, self._run("cat-file", "blob", oid).stdout

    def commit(self, sha: str) -> tuple[str, list[str], str]:
        """Tree, parents and message of a commit."""
        tree, parents, message = self._git("show", "-s", "--format=%T%x00%P%x00%B", sha).split("\0", 2)
        return tree, parents.split(), message.strip()

    def _diff(self, base: str, head: str) -> tuple[DiffFile, ...]:
        """The two-dot diff of two commits; callers pass the merge base as ``base``."""
        options = ("--no-ext-diff", "--no-textconv", "--no-color", "-M", "--full-index")
        rows = _parse_raw(self._git("diff", *options, "--raw", "--numstat", "-z", base, head))
        sections = re.split(
            r"^(?=diff --git )", self._git("diff", *options, "-p", "-U3", base, head), flags=re.M
        )
        rest = iter([each for each in sections if each])
        files = []
        for row in rows:
            # A changed type is shown as the deletion of one file and the creation of another.
            files.append(_file(row, [next(rest) for _ in range(1 + (row.kind == "T"))]))
        return tuple(files)

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            raise ValueError(done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace")

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = ["git", f"--git-dir={self.git_dir}", "-c", "safe.directory=*", "-c", "core.quotePath=false"]
        return subprocess.run([*command, *arguments], env=git_environment(), capture_output=True, check=False)


def git_environment() -> dict[str, str]:
    """Nobody's configuration."""
    return {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


@dataclass
class _Row:
    kind: str
    path: str
    previous: str | None
    sha: str
    only_mode: bool
    additions: int = 0
    deletions: int = 0

    @property
    def status(self) -> str:
        return "changed" if self.only_mode else _STATUS[self.kind]


def _parse_raw(text: str) -> list[_Row]:
    parts = iter(text.split("\0"))
    rows: dict[str, _Row] = {}
    for part in parts:
        if part.startswith(":"):
            _, _, base_blob, head_blob, kind = part.split(" ")
            previous = next(parts)
            path = next(parts) if kind[0] in "RC" else previous
            sha = base_blob if kind == "D" else head_blob
            only_mode = base_blob == head_blob and kind == "M"
            rows[path] = _Row(kind[0], path, previous if path != previous else None, sha, only_mode)
        elif part:
            added, deleted, path = part.split("\t", 2)
            if not path:
                next(parts)
                path = next(parts)
            if added != "-":
                rows[path].additions, rows[path].deletions = int(added), int(deleted)
    return list(rows.values())


def _file(row: _Row, sections: list[str]) -> DiffFile:
    hunks = [text[found.start() :] for text in sections if (found := re.search(r"^@@ ", text, flags=re.M))]
    patch: str | None = "".join(hunks).removesuffix("\n")
    assert patch is not None
    if (
        row.additions + row.deletions > MOST_PATCH_LINES
        or len(patch.encode()) > MOST_PATCH_BYTES
        or not patch
    ):
        patch = None
    places = _places(patch) if patch is not None else {}
    return DiffFile(row.path, row.previous, row.status, row.sha, row.additions, row.deletions, patch, places)


def _places(patch: str) -> dict[tuple[str, int], tuple[int, int]]:
    places: dict[tuple[str, int], tuple[int, int]] = {}
    hunk, left, right = 0, 0, 0
    for position, line in enumerate(patch.split("\n")):
        header = _HUNK.match(line)
        if header:
            hunk, left, right = hunk + 1, int(header[1]), int(header[2])
            continue
        if line[:1] in ("-", " "):
            places["LEFT", left] = (hunk, position)
            left += 1
        if line[:1] in ("+", " "):
            places["RIGHT", right] = (hunk, position)
            right += 1
    return places
