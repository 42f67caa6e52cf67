"""Report files on disk: patterns from the command line -> names and bytes."""

import os
import stat
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Literal

from reviewbot.errors import EvidenceError

FILE_CAP = 64 * 1024 * 1024
"""The largest report that is read, in bytes."""
TOTAL_CAP = 256 * 1024 * 1024
"""The most that is read for one kind of report, in bytes, so that many files cannot fill the memory."""


def read_evidence_files(
    patterns: Sequence[str], kind: Literal["SARIF", "JUnit", "log"]
) -> list[tuple[str, bytes]]:
    """Read every file that a pattern (``*``, ``?``, ``[ab]``, ``**``) names, sorted by name, each once.

    Raises EvidenceError naming the pattern that matches nothing, or the file that is a folder, no
    regular file, unreadable, or larger than 64 MiB; also when all files together pass 256 MiB.
    """
    named: dict[Path, str] = {}
    for name in sorted({name for pattern in patterns for name in _match(pattern, kind)}):
        named.setdefault(Path(name).resolve(), name)
    files: list[tuple[str, bytes]] = []
    total = 0
    for name in named.values():
        files.append((name, _read(name, kind)))
        total += len(files[-1][1])
        if total > TOTAL_CAP:
            raise EvidenceError(
                f"the {kind} files up to {name} hold more than {TOTAL_CAP // 2**20} MiB",
                help="Name fewer files, or split the review into several runs.",
            )
    return files


def _match(pattern: str, kind: str) -> list[str]:
    """The files of one pattern. Folders that a closing ``**`` matches by its nature are passed over."""
    if "\0" in pattern:
        raise EvidenceError(f"the {kind} pattern {pattern!r} holds a NUL character")
    if not has_magic(pattern) or os.path.lexists(pattern):
        names = [pattern] if os.path.lexists(pattern) else []
    else:
        names = glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
    if Path(pattern).name == "**":  # glob gives the folder itself, too, even one that does not exist
        names = [name for name in names if not Path(name).is_dir() and os.path.lexists(name)]
    if not names:
        raise EvidenceError(
            f"no {kind} file matches {pattern}",
            help="Check the path and that the step which writes the file ran before reviewbot.",
        )
    return names


def _read(name: str, kind: str) -> bytes:
    """Read one regular file. Opened without blocking, so that a named pipe cannot hang the run."""
    try:
        if Path(name).is_dir():
            raise EvidenceError(f"{name} is a folder", help=f"Name the {kind} files in it, as {name}/**/*.")
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EvidenceError(f"{name} is no regular file", help=f"Name a {kind} file.")
            data = file.read(FILE_CAP + 1)
    except OSError as error:
        raise EvidenceError(
            f"cannot read the {kind} file {name}: {error.strerror or error}",
            help="Check that the file exists and that this user may read it.",
        ) from error
    if len(data) > FILE_CAP:
        raise EvidenceError(
            f"the {kind} file {name} is larger than {FILE_CAP // 2**20} MiB",
            help="Split the report, or leave results out of it with the tool's own settings.",
        )
    return data
