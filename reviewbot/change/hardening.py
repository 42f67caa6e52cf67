"""How git is called so that nothing of a repository or of the user's configuration takes part (THREATS R05).

Shared by the two callers of the git program, ``change.git`` and ``change.fetch``; nothing here runs it.
"""

import os
import re
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reviewbot.core import Sha
from reviewbot.errors import FREE_SPACE, NoReview, RepositoryError, UnknownRevision

FULL_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
HARDENED = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.attributesFile=/dev/null",
    "-c", "safe.bareRepository=explicit", "-c", "protocol.allow=never", "--no-pager", "--no-replace-objects",
)  # fmt: skip

REPAIR = "Try `git fsck` there; where git is too old for the repository, update git."
"""What to do where git cannot read a repository that is there."""

EMPTY_TREE = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
# Everything that configuration could change about a diff is said explicitly.
DIFF = (
    "diff-tree", "-r", "-M", "-C", "-l1000", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative",
    "--submodule=short", "--ignore-submodules=none", "--diff-algorithm=myers",
)  # fmt: skip
PATCH = ("-p", "--full-index", "--unified=3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/")


def git_env(home: Path) -> dict[str, str]:
    """All that git sees of the outside; ``home`` is an empty folder of ours."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
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


def make_store(folder: Path, object_format: str) -> Path:
    """An empty bare repository in a new folder, with no configuration but what it is; may raise NoReview."""
    sha256 = "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
    version = sha256 if object_format == "sha256" else "\trepositoryformatversion = 0\n"
    try:
        for part in ("objects", "refs"):
            (folder / part).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/unborn\n")
        (folder / "config").write_text(f"[core]\n\tbare = true\n{version}")
    except OSError as error:
        raise _no_room(error) from None
    return folder


def find_git() -> str:
    """git by absolute path, so that no program in a current folder can stand in for it."""
    folders = [part for part in os.get_exec_path() if Path(part).is_absolute()]
    found = shutil.which("git", path=os.pathsep.join(folders))
    if not found:
        raise RepositoryError("git is not installed.", help="Install git 2.32 or later.")
    return found


def bound_process(pid: int, *, memory: int, output: int | None = None) -> None:
    """Cap the memory of a process in bytes, and what it may write to one file (its output, say)."""
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))
        if output is not None:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (output, output))


def full_id(sha: Sha) -> Sha:
    """Only full object ids reach git, so nothing can be read as an option or a revision expression."""
    if not FULL_ID.fullmatch(sha):
        raise UnknownRevision(f"{ascii(sha)[:80]} is not a full object id.")
    return sha


def last_line(stderr: bytes) -> str:
    """The last thing git said, as printable ASCII; an indented line belongs to the one before."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if len(lines) > 1 and lines[-1][0].isspace():
        lines[-2:] = [f"{lines[-2].strip()} {lines[-1].strip()}"]
    return ascii(lines[-1][:300])[1:-1] if lines else "it gave no reason."


def unreadable(stderr: bytes) -> RepositoryError:
    """The error for a call of git that failed."""
    return RepositoryError(f"git could not read the repository: {last_line(stderr)}", help=REPAIR)


@contextmanager
def own_folder() -> Iterator[Path]:
    """An empty folder of ours for as long as it is needed. Raises NoReview where none can be made."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="reviewbot-git-")
    except OSError as error:
        raise _no_room(error) from None
    with folder as name:
        yield Path(name)


def _no_room(error: OSError) -> NoReview:
    why = (error.strerror or "unknown reason").lower()
    return NoReview(f"No temporary folder can be made ({why}).", help=FREE_SPACE)
