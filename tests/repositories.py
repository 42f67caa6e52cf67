"""Real temporary git repositories for the tests."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


class Sandbox:
    """A repository in a folder of its own, with git's global and system configuration switched off."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_AUTHOR_NAME": "a",
                "GIT_AUTHOR_EMAIL": "a@example.org",
                "GIT_COMMITTER_NAME": "a",
                "GIT_COMMITTER_EMAIL": "a@example.org",
            },
        )
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, path: str | bytes, content: str | bytes) -> None:
        target = os.path.join(os.fsencode(self.folder), os.fsencode(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        with open(target, "wb") as file:
            file.write(data)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()

    def commit(self, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write some files, commit everything, and return the commit."""
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "c")
        return self.git("rev-parse", "HEAD")

    def numstat(self, base: str, head: str) -> dict[str, tuple[int, int] | None]:
        """What ``git diff --numstat -z`` says; None for a file of which git counts no lines."""
        parts = iter(self.git("diff", "-M", "-C", "--numstat", "-z", base, head).split("\0"))
        rows: dict[str, tuple[int, int] | None] = {}
        for part in parts:
            if not part:
                continue
            added, deleted, path = part.split("\t", 2)
            if not path:
                next(parts)
                path = next(parts)
            rows[path] = None if added == "-" else (int(added), int(deleted))
        return rows
