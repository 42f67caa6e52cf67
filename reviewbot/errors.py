"""Everything that can go wrong in a way a user can mend: one tree, one exit code and one remedy each.

The command line turns these into a single sentence and the process exit code; nothing else may exit.
"""

import errno
import os
import traceback
from pathlib import Path
from typing import ClassVar


class ReviewbotError(Exception):
    """A problem the user can act on.

    ``str(error)`` says what is wrong and where; ``help`` says what to do about it;
    ``exit_code`` is the row of the table in README.md (verdicts and exit codes); ``reason`` is the code
    that a verdict gives as its reason where this error ended the review.
    """

    exit_code: ClassVar[int] = 2
    reason: ClassVar[str] = "bad_arguments"
    help: ClassVar[str] = "Run `reviewbot --help` to see how to call it."

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.remedy = help if help is not None else self.help

    @property
    def sentences(self) -> str:
        """What is wrong and what to do, ready to be shown."""
        said = str(self).strip()
        stop = "" if said.endswith((".", "!", "?")) else "."
        return f"{said}{stop} {self.remedy}".strip()


class UsageError(ReviewbotError):
    """Arguments that contradict each other or make no sense."""


class RepositoryError(ReviewbotError):
    """The repository cannot be read."""

    help = "Name a git repository with --repo DIR."


class UnknownRevision(RepositoryError):
    """A revision that the repository does not have."""

    help = "Check the spelling with `git log`, or fetch it first with `git fetch origin REVISION`."


class ShallowRepository(RepositoryError):
    """A commit that is needed lies beyond the shallow boundary."""

    help = "Fetch the missing history: `git fetch --unshallow` (or `--deepen=50`), or name another --base."


class SameRevisions(RepositoryError):
    """The user named two revisions that are one commit."""

    help = "Name two different commits with --base and --head."


class CombinedDiff(ReviewbotError):
    """A combined (``--cc``) diff, which has several bases and therefore no line numbers of one change."""

    help = "Produce the diff of two commits: `git diff BASE HEAD`."


class MalformedDiff(ReviewbotError):
    """Bytes that are not a git diff."""

    help = "Produce the diff with `git diff BASE HEAD`."


class EvidenceError(ReviewbotError):
    """A SARIF or JUnit file that cannot be read."""

    reason = "bad_evidence"
    help = "Check that the tool that wrote the file finished, then run reviewbot again."


class PolicyError(ReviewbotError):
    """A policy file with unknown keys or values of the wrong kind."""

    reason = "bad_policy"
    help = "Correct the file; `reviewbot schema policy` prints what it may contain."


class OutputError(ReviewbotError):
    """The reports cannot be written."""

    help = "Name a folder you can write to with --out DIR."


class NoReview(ReviewbotError):
    """Nothing was reviewed, so nothing may pass."""

    exit_code = 3
    reason = "no_review"
    help = "Run it again; if this happens again, please report it with the message above."


FREE_SPACE = "Free some space there, or name another folder in TMPDIR."
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def own_fault(problem: Exception) -> NoReview:
    """The error for what nobody expected: a machine at its limits, else a fault of ours.

    Of a fault it tells what and where it was, and nothing of the data it held.
    """
    if isinstance(problem, OSError) and problem.errno in _FULL:
        full = f"The temporary folder cannot be written ({os.strerror(problem.errno or 0).lower()})."
        return NoReview(full, help=FREE_SPACE)
    if isinstance(problem, MemoryError):
        return NoReview("This machine has too little memory for the review.", help="Run it on a larger one.")
    frames = traceback.extract_tb(problem.__traceback__)
    here = str(Path(__file__).parent)
    place = next((frame for frame in reversed(frames) if frame.filename.startswith(here)), frames[-1])
    where = f"{type(problem).__name__} at {Path(place.filename).name}:{place.lineno}"
    return NoReview(f"reviewbot itself failed ({where}).")


class Interrupted(ReviewbotError):
    """A person or the runner stopped the review, so nothing may pass."""

    exit_code = 3
    reason = "no_review"
    help = "Run it again. What models had cost by then is in journal.jsonl."


class MissingCredentials(ReviewbotError):
    """Credentials are missing where they should be."""

    reason = "missing_credentials"
    help = "Set ANTHROPIC_API_KEY, or choose the engine `analyzers` for a review without model agents."
