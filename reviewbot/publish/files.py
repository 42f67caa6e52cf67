"""The reports as files, and the one table of formats.

A folder may lie in a workspace that the change wrote to: it is opened once without following a
link, and every file is created inside that open folder.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from reviewbot.core import Review
from reviewbot.errors import OutputError, UsageError
from reviewbot.evidence.junit_report import render_junit
from reviewbot.evidence.sarif_report import render_sarif
from reviewbot.publish.codequality import render_codequality
from reviewbot.publish.markdown import render_markdown
from reviewbot.publish.metrics import render_metrics
from reviewbot.publish.report import render_json
from reviewbot.publish.terminal import render_terminal

_RENDERERS: Final[dict[str, Callable[[Review, int, bool], str]]] = {
    "text": lambda review, width, color: render_terminal(review, width=width, color=color),
    "json": lambda review, _width, _color: render_json(review),
    "markdown": lambda review, _width, _color: render_markdown(review),
    "sarif": lambda review, _width, _color: render_sarif(review),
    "junit": lambda review, _width, _color: render_junit(review),
    "codequality": lambda review, _width, _color: render_codequality(review),
}

FORMATS: Final = tuple(_RENDERERS)
"""What ``--format`` takes."""

_REPORTS: Final[dict[str, Callable[[Review], str]]] = {
    "report.json": render_json,
    "report.md": render_markdown,
    "report.sarif": render_sarif,
    "report.junit.xml": render_junit,
    "metrics.prom": render_metrics,
}
JOURNAL: Final = "journal.jsonl"
PATCH: Final = "fix.patch"


def render(review: Review, format: str, *, width: int = 80, color: bool = False) -> str:
    """The review in one of FORMATS. ``width`` (columns) and ``color`` concern ``text`` only.

    Raises UsageError for another format.
    """
    if format not in _RENDERERS:
        raise UsageError(f"there is no format {format!r}", help=f"Use one of {', '.join(FORMATS)}.")
    return _RENDERERS[format](review, width, color)


def prepare_folder(folder: Path) -> None:
    """Make the folder and take away an earlier run's reports, which would speak for another change.

    Raises OutputError where the folder cannot be used.
    """
    with _opened(folder) as folder_fd:
        for name in (*_REPORTS, JOURNAL, PATCH):
            _refuse_link(folder_fd, name)
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder_fd)


def write_reports(review: Review, folder: Path, journal: bytes) -> tuple[Path, ...]:
    """Write every report and ``journal.jsonl`` into ``folder``, which is created where it is missing.

    The review's patch becomes ``fix.patch``; without one there is no such file.

    Each file is replaced as a whole. What one of them cannot do keeps none of the others from being
    written; its file of an earlier run is removed, because it would speak for another change.
    Raises OutputError, after writing the rest, with the name of each file that failed.
    """
    contents: dict[str, Callable[[], bytes]] = {
        **{name: _encoded(renderer, review) for name, renderer in _REPORTS.items()},
        JOURNAL: lambda: journal,
        **({PATCH: lambda: review.patch} if review.patch else {}),
    }
    failures: dict[str, Exception] = {}
    with _opened(folder) as folder_fd:
        if not review.patch:
            with suppress(OSError):
                os.unlink(PATCH, dir_fd=folder_fd)
        for name, content in contents.items():
            try:
                _replace(folder_fd, name, content)
            # A publisher fails alone, whatever it dies of.
            except Exception as error:
                failures[name] = error
    if failures:
        said = "; ".join(f"{name}: {_said(error)}" for name, error in failures.items())
        raise OutputError(f"not every report could be written to {folder}: {said}") from next(
            iter(failures.values())
        )
    return tuple(folder / name for name in contents)


def _encoded(renderer: Callable[[Review], str], review: Review) -> Callable[[], bytes]:
    return lambda: renderer(review).encode("utf-8")


def _said(error: Exception) -> str:
    if isinstance(error, OutputError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        if folder.is_symlink():
            raise OutputError(f"{folder} is a symbolic link, which is not followed")
        folder.mkdir(parents=True, exist_ok=True)
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder: {error.strerror}") from error
    try:
        yield folder_fd
    finally:
        os.close(folder_fd)


def _replace(folder_fd: int, name: str, content: Callable[[], bytes]) -> None:
    """Put new content under ``name`` as a whole, or leave nothing under it."""
    temporary = f".{name}.{os.getpid()}.tmp"
    _refuse_link(folder_fd, name)
    try:
        _write_new(folder_fd, temporary, content())
        os.replace(temporary, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except BaseException:
        for left in (temporary, name):
            with suppress(OSError):
                os.unlink(left, dir_fd=folder_fd)
        raise


def _refuse_link(folder_fd: int, name: str) -> None:
    try:
        mode = os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a symbolic link, which is not followed" if stat.S_ISLNK(mode) else "not a regular file"
        raise OutputError(f"{name} is {kind}")


def _write_new(folder_fd: int, name: str, content: bytes) -> None:
    with suppress(FileNotFoundError):  # a run that was killed may have left it
        os.unlink(name, dir_fd=folder_fd)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(name, flags, 0o666, dir_fd=folder_fd), "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(content)
