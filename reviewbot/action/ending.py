"""How a run on GitHub ends: a review, what gates by it, and what became of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reviewbot.core import Conclusion, Reason, Review, Trigger, Verdict
from reviewbot.errors import NoReview, ReviewbotError
from reviewbot.publish.code_scanning import SarifTaker, publish_sarif
from reviewbot.publish.commands import Followed
from reviewbot.publish.github import Posted
from reviewbot.verdict.failed import failed_review
from reviewbot.verdict.part import mark_part


@dataclass(frozen=True, slots=True)
class Ending:
    """A review, what it means for the merge, and what became of it on GitHub.

    ``baseline`` is the file that a finished scan leaves for a person to commit.
    """

    review: Review
    gate: str = ""
    posted: Posted | None = None
    problems: tuple[str, ...] = ()
    exit_code: int = 0
    baseline: bytes | None = None

    @property
    def annotated(self) -> bool:
        """Whether the log must say what no comment says."""
        return self.posted is None or self.posted.denied or bool(self.posted.problems)


def answered(trigger: Trigger, followed: Followed) -> Ending:
    """The end of a run that only answered a comment: it reviewed nothing, and gates nothing either."""
    review = failed_review(trigger, NoReview(followed.sentence, help=""))
    reasons = (Reason("command", followed.sentence),)
    verdict = Verdict(Conclusion.INCOMPLETE, 0, (), (), reasons)
    return Ending(replace(review, verdict=verdict), "", None, followed.problems)


def advised(review: Review) -> Ending:
    """The end of a run whose findings are advice: files were left unread on purpose, and nothing gates.

    What is wrong with the setup stays an error.
    """
    verdict = review.verdict
    if verdict.exit_code > 1:
        return Ending(review)
    reason = Reason("command", "Only a part of the agents was asked: this is advice and no verdict.")
    verdict = Verdict(Conclusion.INCOMPLETE, 0, (), verdict.advisory, (reason, *verdict.reasons))
    return Ending(replace(review, verdict=verdict))


def upload_to_code_scanning(
    ending: Ending, github: SarifTaker, environment: Mapping[str, str], *, is_scan: bool
) -> Ending:
    """The same ending, with sentences where the findings did not become alerts of code scanning."""
    said = publish_sarif(ending.review, github, environment, is_scan=is_scan)
    return replace(ending, problems=(*ending.problems, *said))


QUIET = "This run was asked to post nothing and to keep nothing: its reports are all that it leaves."


def quiet(review: Review, *, is_part: bool) -> Ending:
    """The end of a run that posts nothing; what passed in a part has not passed as a whole."""
    return Ending(mark_part(review) if is_part else review, QUIET)


def refuse(review: Review, error: ReviewbotError) -> Review:
    """The same review, its verdict no success whatever it was."""
    refused = failed_review(review.trigger, error, review.changes).verdict
    verdict = replace(
        review.verdict,
        conclusion=Conclusion.FAIL if review.verdict.blocking else Conclusion.INCOMPLETE,
        exit_code=max(review.verdict.exit_code, refused.exit_code),
        reasons=(*refused.reasons[:1], *review.verdict.reasons),
    )
    return replace(review, verdict=verdict)
