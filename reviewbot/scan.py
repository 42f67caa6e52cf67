"""The story of one scan: the whole tree of a commit, read as the change that adds all of it.

Until there is a baseline a scan gates nothing: what it finds is ``known``, and ending at the budget is
neutral. The share that was read stands in the first line of its verdict.
"""

import math
from dataclasses import replace
from uuid import uuid4

from reviewbot.change.events import resolve_commit
from reviewbot.change.git import Repository
from reviewbot.core import CoverageStatus, Reason, Review, Trigger, TriggerKind, Verdict
from reviewbot.journal import Journal
from reviewbot.pipeline import Step, review_repository
from reviewbot.request import Request


def scan_local(request: Request, since: str | None, journal: Journal, step: Step) -> Review:
    """Scan a local repository at ``request.head``, whole or what changed since a revision.

    Raises:
        ReviewbotError: only before the tree is known; afterwards failures are in the verdict.
    """
    with Repository(request.folder) as repository:
        head_sha = resolve_commit(repository, request.head or "HEAD", "--head")
        base_sha = resolve_commit(repository, since, "--since") if since else repository.empty_tree
        folder = repository.work_tree or repository.git_dir
        trigger = Trigger(
            run_id=uuid4().hex,
            kind=TriggerKind.LOCAL,
            repository=folder.name,
            actor="local",
            base_sha=base_sha,
            policy_sha=head_sha,
            head_sha=head_sha,
        )
        return scan_repository(repository, trigger, request, journal, step)


def scan_repository(
    repository: Repository, trigger: Trigger, request: Request, journal: Journal, step: Step
) -> Review:
    """Scan the tree at ``trigger.head_sha`` of a repository that holds it.

    Raises:
        ReviewbotError: only before the tree is known; afterwards failures are in the verdict.
    """
    review = review_repository(repository, trigger, replace(request, is_scan=True), journal, step)
    whole = trigger.base_sha == repository.empty_tree
    what = "the whole tree" if whole else f"what changed since {trigger.base_sha[:12]}"
    note = f"Scanned {what} at {trigger.head_sha[:12]}. A scan gates nothing yet: there is no baseline."
    return replace(review, notes=(note, *review.notes), verdict=_with_share(review))


def _with_share(review: Review) -> Verdict:
    """The verdict whose first reason, where the budget ended the scan, says how much was read."""
    budget = [reason for reason in review.verdict.reasons if reason.code == "budget"]
    if not budget:
        return review.verdict
    coverage = review.coverage
    files = [row for row in coverage.files if row.status is not CoverageStatus.EXCLUDED]
    read = [row for row in files if row.status is not CoverageStatus.UNREVIEWED]
    lines = sum(row.added_lines for row in files)
    share = coverage.reviewed_lines / lines if lines else len(read) / max(1, len(files))
    detail = (
        f"{math.floor(100 * share)}% of the lines and {len(read)} of {len(files)} files were read before the "
        f"budget of ${review.budget_usd:.2f} ended it."
    )
    others = (reason for reason in review.verdict.reasons if reason.code != "budget")
    return replace(review.verdict, reasons=(Reason("budget", detail), *others))
