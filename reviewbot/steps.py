"""What a review and a scan do alike: the run so far, evidence, and an end that is always a verdict."""

import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, Outcome, Review, Trigger
from reviewbot.errors import Interrupted, NoReview, ReviewbotError
from reviewbot.evidence.collect import Collected, collect_evidence, read_handed_in
from reviewbot.evidence.held import make_masker
from reviewbot.journal import Journal
from reviewbot.request import Request
from reviewbot.settings import Settings
from reviewbot.signals import Terminated
from reviewbot.verdict.failed import failed_review
from reviewbot.verdict.withholding import withhold

Step = Callable[[str], AbstractContextManager[None]]
"""Wraps a part of the work that may take long, with words for it."""

Judged = TypeVar("Judged")


@dataclass(frozen=True, slots=True)
class Run:
    """The half of a review that is known once the change set is; ``spent`` are the agents' tasks so far."""

    request: Request
    repository: Repository
    trigger: Trigger
    changes: ChangeSet
    journal: Journal
    step: Step
    spent: list[Outcome] = field(default_factory=list)


def judge_safely(run: Run, judge: Callable[[], Judged], failed: Callable[[Review], Judged]) -> Judged:
    """What ``judge`` makes of the run, or ``failed`` of the review that says why it could not."""
    try:
        return judge()
    except ReviewbotError as problem:
        error = problem
    except Terminated as stop:  # the reports must say so before the process ends
        interrupted = Interrupted("The review was interrupted.")
        stop.review = failed_review(run.trigger, interrupted, run.changes, run.spent)
        raise
    except Exception as problem:  # a fault of ours must end in a verdict, never in a pass
        place = traceback.extract_tb(problem.__traceback__)[-1]
        where = f"{type(problem).__name__} at {Path(place.filename).name}:{place.lineno}"
        error = NoReview(f"reviewbot itself failed ({where}).")
    run.journal.write("review_failed", error=type(error).__name__, detail=ascii(str(error))[1:-1])
    masker = make_masker(run.request, run.changes, run.repository.read_object)
    return failed(withhold(failed_review(run.trigger, error, run.changes, run.spent), masker))


def collect(run: Run, settings: Settings, excluded: Mapping[str, str], *, is_scan: bool) -> Collected:
    """The evidence that was handed in, and what the analyzers say."""
    request, repository, changes = run.request, run.repository, run.changes
    with run.step("reading the evidence"):
        roots = (repository.work_tree, request.environment.get("GITHUB_WORKSPACE"))
        handed_in = read_handed_in(
            request.sarif,
            request.junit,
            lambda: repository.tree_paths(changes.head_sha),
            [str(root) for root in roots if root],
            request.logs,
        )
    with run.step("running the analyzers"):
        collected = collect_evidence(
            repository, changes, handed_in, analyzers=settings.analyzers, excluded=excluded, is_scan=is_scan
        )
    for call in collected.runs:
        run.journal.write("analyzer_ran", **asdict(call))
    return collected
