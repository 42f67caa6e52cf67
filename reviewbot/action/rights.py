"""What a container that starts as root does first, and how it stops being root (THREATS R28).

The runner starts a container action as root with the workspace of another user. The report folder is
made while that is still possible; then the process becomes the owner of the workspace for good, before
any byte of the change is read.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reviewbot.errors import OutputError, UsageError

NOBODY = 65534
"""Who to become where the workspace itself is root's: uid and gid of ``nobody`` (Debian, Alpine)."""

REPORT_FOLDER = "reviewbot-report"
MOST_FOLDERS = 100


class RightsError(UsageError):
    """The process is root and cannot become anybody else."""

    help = "Start the container with `--user`, or leave it the capabilities SETUID, SETGID and CHOWN."


@dataclass(frozen=True, slots=True)
class Owner:
    """A user and a group by number."""

    uid: int
    gid: int


def find_workspace(environment: Mapping[str, str]) -> Path:
    """The folder that the runner calls the workspace.

    Raises UsageError where it is not named or is no folder.
    """
    named = environment.get("GITHUB_WORKSPACE", "")
    if not named:
        raise UsageError(
            "GITHUB_WORKSPACE is not set.",
            help="`reviewbot action` runs as a step of a workflow; elsewhere use `reviewbot review`.",
        )
    folder = Path(named)
    if not folder.is_absolute() or not folder.is_dir():
        raise UsageError(
            f"GITHUB_WORKSPACE names {named!a}, which is no folder.",
            help="Mount the workspace into the container under that name.",
        )
    return folder


def owner_to_become(workspace: Path) -> Owner | None:
    """The owner of the workspace, ``nobody`` where that is root; None where the process is not root."""
    if os.geteuid() != 0:
        return None
    found = workspace.stat()
    if found.st_uid == 0:
        return Owner(NOBODY, NOBODY)
    return Owner(found.st_uid, found.st_gid or NOBODY)


def make_report_folder(workspace: Path, owner: Owner | None) -> Path:
    """A new folder below the workspace, given to ``owner``: what is there already is never used.

    No link is followed, neither below the workspace nor where the folder goes. Raises OutputError.
    """
    try:
        above = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(workspace, error) from None
    try:
        name = _make_new(above)
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        try:
            _give(folder, owner)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unusable(workspace, error) from None
    finally:
        os.close(above)
    return workspace / name


def _give(folder: int, owner: Owner | None) -> None:
    if owner is None:
        return
    try:
        os.fchown(folder, owner.uid, owner.gid)
    except OSError as error:
        raise RightsError(
            f"The container runs as root and cannot give a folder to user {owner.uid}: {_why(error)}."
        ) from None


def _make_new(above: int) -> str:
    for number in range(1, MOST_FOLDERS + 1):
        name = REPORT_FOLDER if number == 1 else f"{REPORT_FOLDER}-{number}"
        try:
            os.mkdir(name, 0o755, dir_fd=above)
        except FileExistsError:
            continue
        return name
    raise OutputError(
        f"The workspace holds {MOST_FOLDERS} folders {REPORT_FOLDER} already.", help="Remove them."
    )


def _unusable(workspace: Path, error: OSError) -> OutputError:
    return OutputError(
        f"No report folder can be made in {str(workspace)!a}: {_why(error)}.",
        help="Give the user of the container the right to write to the workspace.",
    )


def read_start_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of the runner's, read while it may be; at most ``limit`` and one more.

    Raises OSError.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "It is no regular file")
        return file.read(limit + 1)


def drop_rights(owner: Owner | None) -> None:
    """Become ``owner`` for good, without any further group; None changes nothing.

    Raises RightsError where the process stays root.
    """
    if owner is None:
        return
    try:
        os.setgroups([])
        os.setresgid(owner.gid, owner.gid, owner.gid)
        os.setresuid(owner.uid, owner.uid, owner.uid)
    except OSError as error:
        raise RightsError(
            f"The container runs as root and cannot become user {owner.uid}: {_why(error)}."
        ) from None
    if 0 in (*os.getresuid(), *os.getresgid()) or os.getgroups():
        raise RightsError(f"The container runs as root and did not become user {owner.uid}.")


def _why(error: OSError) -> str:
    return (error.strerror or "unknown reason").lower()
