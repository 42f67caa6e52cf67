"""The run that tells of a proof: it reviews nothing and only brings our summary comment up to date.

What another job hands on is held against what stands on the pull request: the head, the hash of the patch
that the review of that head offered. Where no review of the head stands, this is no success.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reviewbot.action.ending import Ending
from reviewbot.action.inputs import InputError, Inputs
from reviewbot.action.workspace import below
from reviewbot.change.github_events import Event, PullRequestEvent
from reviewbot.change.targets import HeadMoved
from reviewbot.core import Conclusion, Reason, Trigger, Verdict
from reviewbot.earlier import Round
from reviewbot.errors import NoReview
from reviewbot.github.answers import OwnComment
from reviewbot.github.api import GitHub
from reviewbot.publish.markers import Scope
from reviewbot.publish.proof import add_proof, say_proof
from reviewbot.publish.sanitize import markdown_text, one_line
from reviewbot.publish.threads import find_summary
from reviewbot.verdict.failed import failed_review


def report_proof(
    event: Event, github: GitHub, trigger: Trigger, inputs: Inputs, environment: Mapping[str, str]
) -> Ending:
    """Say in the summary comment what became of the fix.

    Raises InputError, HeadMoved and NoReview before anything is said; ProofError after the summary says
    that the proof cannot be used; GitHubError.
    """
    from reviewbot.prove.proof_file import ProofError, parse_proof  # noqa: PLC0415 - pydantic, for this run only

    if not isinstance(event, PullRequestEvent):
        raise InputError("The input `proof` is for runs on `pull_request`.", help="Leave it out here.")
    place = _place(environment.get("GITHUB_WORKSPACE", ""), inputs.proof)
    own, last = _find_review(event, github, inputs)
    try:
        data = _read(place)
        if data is None:
            raise ProofError("The job that was to try the fix left no proof.")
        handed = parse_proof(data)
        if handed.commit != event.head_sha:
            raise ProofError("The proof is of another commit than the head of the pull request.")
        if handed.patch_sha256 != last.patch:
            raise ProofError("The proof is of another patch than the review offers.")
    except ProofError as error:
        _edit(github, event, own, f"it stays unproven. {markdown_text(one_line(str(error), 300))}")
        raise
    proof = handed.proof
    _edit(github, event, own, say_proof(proof), is_proven=proof.status == "proven")
    return _ended(trigger, proof.sentence)


def _find_review(event: PullRequestEvent, github: GitHub, inputs: Inputs) -> tuple[OwnComment, Round]:
    """Our summary of a review of this head that offers a fix."""
    conversation = github.read_conversation(event.repository, event.number)
    if conversation.pull.head_sha != event.head_sha:
        raise HeadMoved("The pull request changed since its fix was tried.")
    own, last = find_summary(conversation, Scope(event.repository, event.number), inputs.state_key)
    if own is None or last is None or last.head_sha != event.head_sha:
        raise NoReview(
            "No review of this head stands on the pull request, so there is nothing to add a proof to.",
            help="Let this job need the one that reviews.",
        )
    if not last.patch:
        raise NoReview("The review of this head offers no fix.", help="Run this job only where it does.")
    return own, last


def _place(workspace: str, named: str) -> Path:
    below(workspace, (named,), "proof")
    return Path(workspace) / named


def _read(place: Path) -> bytes | None:
    """The bytes of a plain file, one more than it may hold at most; None where there is none."""
    from reviewbot.prove.proof_file import PROOF_BYTES, ProofError  # noqa: PLC0415 - as above

    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProofError("The proof cannot be read.") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ProofError("The proof is no plain file.")
        return file.read(PROOF_BYTES + 1)


def _edit(
    github: GitHub, event: PullRequestEvent, own: OwnComment, said: str, *, is_proven: bool = False
) -> None:
    body = add_proof(own.body, said, is_proven=is_proven)
    if body.rstrip() != own.body.replace("\r\n", "\n").rstrip():
        github.edit_comment(event.repository, own.id, body)


def _ended(trigger: Trigger, sentence: str) -> Ending:
    """The end of a run that reviewed nothing; the job that did gates."""
    said = f"This run reviewed nothing; it tells of a proof. {sentence}"
    verdict = Verdict(Conclusion.INCOMPLETE, 0, (), (), (Reason("proof", said),))
    return Ending(replace(failed_review(trigger, NoReview(said, help="")), verdict=verdict))
