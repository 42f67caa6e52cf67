"""Where a scan's baseline comes from, and where it goes: the committed file, issue, state, ``--out``."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from reviewbot.change.git import Repository
from reviewbot.core import Sha
from reviewbot.errors import OutputError, ReviewbotError
from reviewbot.publish.tracking import Tracked
from reviewbot.verdict.baseline import BASELINE_PATH, BadBaseline, Baseline, parse_baseline
from reviewbot.verdict.memory import ScanMemory

FILE_NAME = "baseline.json"
NOT_TRACKED = Tracked()

ISSUE = (
    f"Commit the `baseline.json` of that scan's reports as {BASELINE_PATH}; or delete the issue, to take all "
    "that is found as known."
)


class BaselineMissing(ReviewbotError):
    """A baseline that was there is gone, so nobody can tell what is new."""

    exit_code: ClassVar[int] = 1
    reason: ClassVar[str] = "baseline_missing"
    help: ClassVar[str] = (
        f"Put {BASELINE_PATH} back; or remove the folder of --state, too, to take all that is found as known."
    )


@dataclass(frozen=True, slots=True)
class Known:
    """The baseline of a scan, if there is any.

    ``is_file``: it is the committed one. ``is_unsigned``: others may have written it (``publish.tracking``).
    """

    baseline: Baseline | None
    is_file: bool = False
    is_unsigned: bool = False


def find_baseline(
    repository: Repository, head_sha: Sha, memory: ScanMemory | None, tracked: Tracked = NOT_TRACKED
) -> Known:
    """The baseline committed at ``head_sha``, or else that of the last scan that finished.

    The committed one decides because a person has looked at it. Then comes the signed one of the tracking
    issue, the state, and last an unsigned issue: it can only make the scan stricter than none would.

    Raises:
        BadBaseline: it cannot be read. BaselineMissing: there was one, and it is gone.
        StateError: the state cannot be read.
    """
    entry = repository.entry_at(head_sha, BASELINE_PATH)
    where = f"{BASELINE_PATH} at {head_sha[:12]}"
    if entry is not None:
        if entry.kind != "blob" or entry.mode == "120000":
            raise BadBaseline(
                f"{where} is not a regular file.", help="Make it a file; links are not followed."
            )
        return Known(parse_baseline(repository.read_object(entry.sha), where), is_file=True)
    last = memory.last_scan() if memory else None
    if last is not None and last.had_file:
        raise BaselineMissing(f"There is no {where}, but there was one at the last scan ({last.sha[:12]}).")
    if tracked.memory and tracked.memory.had_file:
        raise BaselineMissing(
            f"There is no {where}, but the last scan had one, as its issue says.", help=ISSUE
        )
    return _kept(memory.baseline() if memory else None, tracked)


def _kept(state: Baseline | None, tracked: Tracked) -> Known:
    """What no person committed, the most trusted first. Raises BaselineMissing."""
    issue = tracked.memory.baseline if tracked.memory else None
    if issue is not None and tracked.is_signed:
        return Known(issue)
    if state is not None:
        return Known(state)
    if tracked.gone:
        raise BaselineMissing(tracked.gone, help=ISSUE)
    return Known(issue, is_unsigned=issue is not None)


def write_baseline(folder: Path, data: bytes | None) -> None:
    """Replace ``baseline.json`` in ``folder``; None takes away that of an earlier scan.

    The folder may lie in a workspace that others write to: no link is followed.

    Raises:
        OutputError: it cannot be written.
    """
    temporary = f".{FILE_NAME}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder: {error.strerror}") from error
    try:
        for name in (FILE_NAME, temporary):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder_fd)
        if data is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(os.open(temporary, flags, 0o666, dir_fd=folder_fd), "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(data)
            os.replace(temporary, FILE_NAME, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except OSError as error:
        raise OutputError(f"{folder / FILE_NAME} cannot be written: {error.strerror}") from error
    finally:
        os.close(folder_fd)
