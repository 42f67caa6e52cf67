"""The files by which a step speaks to its runner: outputs and the job summary.

A container action starts as root. The files belong to the runner, so they are opened before rights are
dropped and written after. Only these two: what GITHUB_ENV and GITHUB_PATH hold would reach later steps.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#environment-files
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from reviewbot.errors import OutputError

SUMMARY_BYTES = 1024 * 1024
"""A runner refuses the summary of a step that is larger."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_VALUE = re.compile(r"[A-Za-z0-9._/-]{0,500}")
_CUT = "\n\n… the rest is left out: a job summary holds at most 1 MiB.\n"


class RunnerFileError(OutputError):
    """A file of the runner that cannot be used."""

    help = "Let the runner set GITHUB_OUTPUT and GITHUB_STEP_SUMMARY, and mount what they name."


@dataclass(slots=True)
class RunnerFiles:
    """Open descriptors of the two files; None where the runner named none, as outside of GitHub."""

    outputs: int | None
    summary: int | None

    @classmethod
    def open(cls, environment: Mapping[str, str]) -> Self:
        """Open what ``environment`` names, for appending. Raises RunnerFileError."""
        files = cls(None, None)
        try:
            files.outputs = _open(environment, "GITHUB_OUTPUT")
            files.summary = _open(environment, "GITHUB_STEP_SUMMARY")
        except RunnerFileError:
            files.close()
            raise
        return files

    def write_outputs(self, outputs: Mapping[str, str]) -> None:
        """Set the outputs of the step, all or none.

        Raises RunnerFileError for a name or a value beyond ``[A-Za-z0-9._/-]``: an output may end up in
        anybody's shell, so nothing that the change or a model wrote can be one.
        """
        for name, value in outputs.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise RunnerFileError(
                    f"the output {name!a} cannot have the value {value[:80]!a}",
                    help="Use letters, digits, dots, hyphens, underscores and slashes only.",
                )
        if self.outputs is not None and outputs:
            mark = f"reviewbot:{secrets.token_hex(16)}"  # the colon is in no value
            lines = (f"{name}<<{mark}\n{value}\n{mark}\n" for name, value in outputs.items())
            _write(self.outputs, "".join(lines).encode("ascii"), "GITHUB_OUTPUT")

    def write_summary(self, text: str) -> None:
        """Add Markdown to the job summary; what would not fit is cut at the end of a line and said."""
        if self.summary is None:
            return
        free = SUMMARY_BYTES - os.fstat(self.summary).st_size
        data = text.encode("utf-8", "backslashreplace")
        if len(data) > free:
            kept = data[: max(0, free - len(_CUT.encode()))]
            data = kept[: kept.rfind(b"\n") + 1] + _CUT.encode()
        if len(data) <= free:
            _write(self.summary, data, "GITHUB_STEP_SUMMARY")

    def close(self) -> None:
        """Close both files; a second time does nothing."""
        for descriptor in (self.outputs, self.summary):
            if descriptor is not None:
                os.close(descriptor)
        self.outputs = self.summary = None


def _open(environment: Mapping[str, str], variable: str) -> int | None:
    path = environment.get(variable, "")
    if not path:
        return None
    # Not created: the runner makes its files first. O_NONBLOCK: a named pipe must not hold us up.
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise RunnerFileError(f"{variable} names {path!a}, which cannot be opened: {said}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunnerFileError(f"{variable} names {path!a}, which is not a regular file")
    return descriptor


def _write(descriptor: int, data: bytes, variable: str) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise RunnerFileError(f"the file of {variable} cannot be written: {error.strerror}") from error
