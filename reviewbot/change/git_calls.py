"""How git is called: the one door to the git program for reading, with bounds on each call.

The user's own git folder is only asked (``ask``) which commits revisions name. Everything else is read
from a bare store of our own that borrows the object folder (THREATS R05, R25).
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reviewbot.change import hardening
from reviewbot.change.grep import GREP_SECONDS, MAX_GREP_MEMORY, MAX_GREP_OUTPUT, SearchError
from reviewbot.change.hardening import HARDENED, git_env, last_line
from reviewbot.core import Sha
from reviewbot.errors import NoReview, RepositoryError

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


class GitCalls:
    """Calls of ``program`` from ``home``, a folder of ours that holds the bare ``store``.

    ``git_dir`` is the user's git folder, ``objects`` the object folder that the store borrows.
    """

    def __init__(self, program: str, home: Path, git_dir: Path, objects: Path) -> None:
        self.home, self.store = home, home / "store"
        self._program, self._git_dir, self._objects = program, git_dir, objects
        self._searches = threading.BoundedSemaphore(SEARCHES)
        self._cat: subprocess.Popen[bytes] | None = None

    def _argv(self, git_dir: Path, *arguments: str) -> list[str]:
        return [self._program, f"--git-dir={git_dir}", *_HARDENED, *arguments]

    def _environment(self, objects: Path | None = None, index: Path | None = None) -> dict[str, str]:
        """All that git sees of the outside: ``objects`` to borrow and an ``index`` to use, if any."""
        variables = git_env(self.home)
        if objects:
            variables["GIT_OBJECT_DIRECTORY"] = str(objects)
        if index:
            variables["GIT_INDEX_FILE"] = str(index)
        return variables

    def read(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
        """Ask our own store; any failure is an error."""
        environment = self._environment(self._objects, index)
        return self._run(self._argv(self.store, *arguments), stdin, environment)

    def ask(self, *arguments: str) -> bytes:
        """Ask the user's own git folder; any failure is an error."""
        return self._run(self._argv(self._git_dir, *arguments), b"", self._environment())

    def try_to_ask(self, *arguments: str) -> bytes | None:
        """Ask the user's own git folder; None where git says no."""
        try:
            return self.ask(*arguments)
        except RepositoryError:
            return None

    def _run(self, argv: list[str], stdin: bytes, environment: dict[str, str]) -> bytes:
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE,
                cwd=self.home, env=environment,
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
            self._argv(self.store, *arguments), stdin=stdin, stdout=subprocess.PIPE, stderr=stderr,
            cwd=self.home, env=self._environment(self._objects),
        )  # fmt: skip

    @contextmanager
    def running(self, seconds: float, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
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

    def search(self, arguments: Sequence[str]) -> bytes:
        """What git grep prints, up to one byte over the cap."""
        with self._searches, self.running(GREP_SECONDS, *arguments) as (process, errors):
            assert process.stdout
            hardening.bound_process(process.pid, memory=MAX_GREP_MEMORY)
            output = process.stdout.read(MAX_GREP_OUTPUT + 1)
            if len(output) > MAX_GREP_OUTPUT:
                process.kill()
            elif process.wait() < 0:
                raise SearchError(f"The search took longer than {GREP_SECONDS} seconds.")
            elif process.returncode > 1:
                raise SearchError(f"git could not search: {said_by(errors)}")
            return output

    def read_object(self, sha: Sha) -> bytes | None:
        """The content of an object, or None where it is not here; one caller at a time.

        Raises:
            RepositoryError: it is larger than 64 MiB.
        """
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

    def close(self) -> None:
        """End what still runs."""
        if self._cat:
            self._cat.kill()
            self._cat.communicate()
            self._cat = None


def said_by(errors: IO[bytes]) -> str:
    """The last line of what git complained of."""
    errors.seek(0)
    return last_line(errors.read())
