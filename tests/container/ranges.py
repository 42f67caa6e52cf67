"""Real ranges of public repositories, each with a planted fault, in clones that share their objects."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORIES = [Path(name) for name in os.environ.get("REVIEWBOT_TEST_REPOSITORIES", "").split(":") if name]
"""Git folders of public repositories, whose newest commits are the ranges. Nothing is written there."""

COMMITS = 12
FAULT = """

import subprocess


def convert(request):
    subprocess.run("convert " + request.args["name"], shell=True)
"""


@dataclass(frozen=True)
class RealRange:
    """The newest commits of a repository, and one more that plants a fault.

    ``folder`` is the clone, ``base`` to ``head`` the commits of the repository's own, ``planted`` the one
    whose file ``path`` has a fault at ``line``.
    """

    folder: Path
    base: str
    head: str
    planted: str
    path: str
    line: int

    def numstat(self, head: str) -> dict[str, tuple[int, int]]:
        """Added and deleted lines of every text file between base and ``head``, as git counts them."""
        parts = iter(_git(self.folder, "diff", "-M", "-C", "--numstat", "-z", self.base, head).split("\0"))
        rows: dict[str, tuple[int, int]] = {}
        for part in filter(None, parts):
            added, deleted, path = part.split("\t", 2)
            if not path:  # renamed: the old path and the new one follow
                next(parts)
                path = next(parts)
            if added != "-":
                rows[path] = (int(added), int(deleted))
        return rows


def make_range(repository: Path, folder: Path) -> RealRange:
    """Clone ``repository`` to ``folder`` and plant a fault in a Python file that its newest commits changed."""
    _git(repository, "clone", "-q", "--bare", "--shared", ".", str(folder))
    base, *_, head = reversed(
        _git(folder, "rev-list", "--first-parent", f"-{COMMITS + 1}", "HEAD").splitlines()
    )
    changed = _git(folder, "diff", "--name-only", "--diff-filter=M", base, head, "--", "*.py").splitlines()
    path = next(path for path in changed if "test" not in path and "doc" not in path)
    text = _git(folder, "show", f"{head}:{path}", strip=False) + FAULT
    blob = _git(folder, "hash-object", "-w", "--stdin", given=text)
    _git(folder, "read-tree", head)
    _git(folder, "update-index", "--cacheinfo", f"100644,{blob},{path}")
    tree = _git(folder, "write-tree")
    planted = _git(folder, "commit-tree", "-p", head, "-m", "plant a fault", tree)
    return RealRange(folder, base, head, planted, path, text.count("\n"))


def _git(folder: Path, *arguments: str, given: str | None = None, strip: bool = True) -> str:
    named = {
        f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **named,
        },
    )
    return done.stdout.strip() if strip else done.stdout
