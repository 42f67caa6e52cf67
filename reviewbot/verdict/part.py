"""What a review of a part is worth: what passed in it has not passed as a whole. Pure."""

from dataclasses import replace

from reviewbot.core import Conclusion, Reason, Review


def mark_part(review: Review) -> Review:
    """The same review, ``incomplete`` (``partial``) in the place of a pass; its exit code stays."""
    if review.verdict.conclusion is not Conclusion.PASS:
        return review
    said = "Nothing blocks in the part that was asked for; the rest was not reviewed."
    reasons = (Reason("partial", said), *review.verdict.reasons)
    verdict = replace(review.verdict, conclusion=Conclusion.INCOMPLETE, reasons=reasons)
    return replace(review, verdict=verdict)
