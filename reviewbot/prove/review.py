"""``reviewbot review --prove``: the review's fix is tried at once, and a fix that failed may go back.

This runs code of the repository, so it needs a yes that a person gave: ``--yes``, or an answer at a terminal.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from reviewbot.core import Review
from reviewbot.errors import ReviewbotError, UsageError
from reviewbot.prove.result import Attempt, Proof
from reviewbot.prove.run import ProveRequest, prove_patch
from reviewbot.publish.patch import AGENT, without_edits
from reviewbot.publish.sanitize import terminal_text
from reviewbot.text import cut_middle, one_line

OUTPUT_TOLD = 6_000
"""Characters of a failed attempt's output that test_fix is told."""

_WORTH_ANOTHER = ("still_failing", "worse", "weakened")

Again = Callable[[tuple[str, str], float], Review]
"""A further review by test_fix alone: what it is told (who, text), and the dollars it may cost."""


def ask_consent(command: str, asking: TextIO, answers: TextIO | None, *, is_given: bool) -> None:
    """Make sure that a person wants ``command`` to be run on the change.

    Raises UsageError where nobody said yes.
    """
    if is_given:
        return
    if answers is None or not (answers.isatty() and asking.isatty()):
        raise UsageError(
            "--prove runs code of the repository, and nobody is at a terminal to agree to that.",
            help="Add --yes where that is safe, such as a job without secrets.",
        )
    asking.write(
        f"This runs `{terminal_text(one_line(command, 200))}` on the code of the change, in bubblewrap where "
        "it is installed. Go on? [y/N] "
    )
    asking.flush()
    if answers.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("Nobody agreed to run the tests.", help="Leave --prove out, or answer y.")


def prove_review(
    review: Review, request: ProveRequest, environment: Mapping[str, str], again: Again
) -> Review:
    """The review with its fix proven, or with a sentence that says why it is not.

    A fix that failed goes back with the output of its tests, as often as the policy says and while there is
    money left. The last that was tried is the review's. The verdict stays what it is.
    """
    if not review.patch:
        return replace(review, notes=(*review.notes, "There is no fix to prove."))
    try:
        return _prove(review, request, environment, again)
    except ReviewbotError as problem:  # the review is done and paid for
        said = f"The fix could not be proven: {problem.sentences}"
        return replace(review, notes=(*review.notes, said))


def _prove(review: Review, request: ProveRequest, environment: Mapping[str, str], again: Again) -> Review:
    proof, notes = _try(review.patch, request, environment)
    tried = {review.patch}
    failed: list[str] = []
    while proof.status in _WORTH_ANOTHER and len(failed) < review.fix_rounds:
        left = review.budget_usd - review.cost_usd
        if left <= 0 or not review.cost_is_complete:
            break
        other = again(("reviewbot prove", _tell(review.patch, proof)), left)
        review = replace(review, outcomes=(*review.outcomes, *other.outcomes))
        if not other.patch or other.patch in tried:
            break
        tried.add(other.patch)
        failed.append(f"A fix before it failed: {proof.sentence}")
        review = _adopt(review, other)
        proof, notes = _try(review.patch, request, environment)
    return _conclude(review, proof, (*failed, *notes))


def _adopt(review: Review, other: Review) -> Review:
    """The review with the fix of another: its patch, and the edits of the findings that it is made of."""
    fixes = {
        finding.fingerprint: finding
        for finding in other.findings
        if finding.evidence.tool == AGENT and finding.evidence.edits
    }
    kept = tuple(
        fixes.pop(finding.fingerprint, without_edits(finding)) if finding.evidence.tool == AGENT else finding
        for finding in review.findings
    )
    verdict = replace(review.verdict, advisory=(*review.verdict.advisory, *fixes))
    return replace(review, patch=other.patch, findings=(*kept, *fixes.values()), verdict=verdict)


def _conclude(review: Review, proof: Proof, notes: tuple[str, ...]) -> Review:
    if proof.status == "proven":
        return replace(review, proof=proof.sentence, notes=(*review.notes, proof.sentence, *notes))
    if review.hides_unproven:
        said = f"A fix was tried and is not shown, as the policy wants: {proof.sentence}"
        return replace(review, patch=b"", notes=(*review.notes, said, *notes))
    said = f"The fix is an idea and no more: {proof.sentence}"
    return replace(review, notes=(*review.notes, said, *notes))


def _try(
    patch: bytes, request: ProveRequest, environment: Mapping[str, str]
) -> tuple[Proof, tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="reviewbot-fix-") as folder:
        place = Path(folder) / "fix.patch"
        place.write_bytes(patch)
        proof, setting = prove_patch(replace(request, patch=place), environment)
    return proof, setting.notes


def _tell(patch: bytes, proof: Proof) -> str:
    """What test_fix is told of an attempt: data, like all output of tests."""
    run: Attempt = proof.with_patch or proof.without
    tried = cut_middle(patch.decode("utf-8", "replace"), OUTPUT_TOLD)
    said = cut_middle(run.output, OUTPUT_TOLD)
    return (
        f"This fix was tried on head and failed. {proof.sentence}\n\n{tried}\n\n"
        f"Output of the tests with it:\n{said}\n\nHead is without it. Give another fix, or none."
    )
