"""The review of a change that could not be judged."""

from collections.abc import Iterable
from dataclasses import replace

from reviewbot.core import ChangeSet, Coverage, GateRules, Outcome, Reason, Review, Trigger
from reviewbot.errors import ReviewbotError
from reviewbot.verdict.coverage import build_coverage
from reviewbot.verdict.gate import decide


def failed_review(
    trigger: Trigger,
    error: ReviewbotError,
    changes: ChangeSet | None = None,
    outcomes: Iterable[Outcome] = (),
) -> Review:
    """The review of a change that could not be judged: nothing was read, and the error is the reason.

    ``outcomes`` are the tasks of agents that ended before: what they cost stays on the bill.
    """
    changes = changes or ChangeSet(trigger.base_sha, trigger.head_sha, ())
    failed = {change.path: "the review failed" for change in changes.files}
    verdict = decide((), Coverage(()), (Reason(error.reason, error.sentences),), GateRules())
    coverage = build_coverage(changes, {}, {}, failed)
    return Review(
        trigger, changes, verdict, coverage, outcomes=tuple(replace(o, claims=()) for o in outcomes)
    )
