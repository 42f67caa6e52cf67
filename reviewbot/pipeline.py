"""The story of one review, in order: commits, change, settings, evidence, agents, findings, verdict.

It owns no rules. Everything that fails after the change set is known still ends in a Review, so that
the reports can say what happened.
"""

import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.change.changeset import load_change_set
from reviewbot.change.events import local_trigger
from reviewbot.change.exclusions import find_excluded
from reviewbot.change.git import Repository
from reviewbot.change.instructions import read_instructions
from reviewbot.change.policy_file import read_settings
from reviewbot.core import ChangeSet, Coverage, GateRules, Reason, Review, Trigger
from reviewbot.engine import choose_engine
from reviewbot.errors import NoReview, ReviewbotError
from reviewbot.evidence.collect import Collected, collect_evidence, read_handed_in
from reviewbot.journal import Journal
from reviewbot.request import Request
from reviewbot.settings import Settings, gate_rules
from reviewbot.verdict.coverage import Readers, build_coverage
from reviewbot.verdict.gate import decide
from reviewbot.verdict.grounding import ground_evidence
from reviewbot.verdict.quotes import ground_claims

if TYPE_CHECKING:
    from reviewbot.agents.subagents import AgentsReview

Step = Callable[[str], AbstractContextManager[None]]
"""Wraps a part of the work that may take long, with words for it."""


@dataclass(frozen=True, slots=True)
class _Run:
    """The half of a review that is known once the change set is."""

    request: Request
    repository: Repository
    trigger: Trigger
    changes: ChangeSet
    journal: Journal
    step: Step


def review_change(request: Request, journal: Journal, step: Step) -> Review:
    """Review one change of a local repository.

    Raises:
        ReviewbotError: only before the change set is known; afterwards failures are in the verdict.
    """
    with Repository(request.folder) as repository:
        trigger, notes = local_trigger(repository, request.base, request.head)
        review = review_repository(repository, trigger, request, journal, step)
        return replace(review, notes=(*notes, *review.notes))


def review_repository(
    repository: Repository, trigger: Trigger, request: Request, journal: Journal, step: Step
) -> Review:
    """Review the change that ``trigger`` names, in a repository that holds its commits.

    Raises:
        ReviewbotError: only before the change set is known; afterwards failures are in the verdict.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    journal.write("run_started", run_id=trigger.run_id, base_sha=trigger.base_sha, head_sha=trigger.head_sha)
    with step("reading the change"):
        changes = load_change_set(repository, trigger.base_sha, trigger.head_sha)
    journal.write("change_loaded", files=len(changes.files))
    review = _judge_safely(_Run(request, repository, trigger, changes, journal, step))
    verdict = review.verdict
    journal.write(
        "decided", conclusion=verdict.conclusion, exit_code=verdict.exit_code, blocking=list(verdict.blocking)
    )
    return replace(review, started_at=started, seconds=round(time.monotonic() - clock, 3))


def failed_review(trigger: Trigger, error: ReviewbotError, changes: ChangeSet | None = None) -> Review:
    """The review of a change that could not be judged: nothing was read, and the error is the reason."""
    changes = changes or ChangeSet(trigger.base_sha, trigger.head_sha, ())
    failed = {change.path: "the review failed" for change in changes.files}
    verdict = decide((), Coverage(()), (Reason(error.reason, error.sentences),), GateRules())
    return Review(trigger, changes, verdict, build_coverage(changes, {}, {}, failed))


def _judge_safely(run: _Run) -> Review:
    try:
        return _judge(run)
    except ReviewbotError as problem:
        error = problem
    except Exception as problem:  # a fault of ours must end in a verdict, never in a pass
        place = traceback.extract_tb(problem.__traceback__)[-1]
        where = f"{type(problem).__name__} at {Path(place.filename).name}:{place.lineno}"
        error = NoReview(f"reviewbot itself failed ({where}).")
    run.journal.write("review_failed", error=type(error).__name__, detail=ascii(str(error))[1:-1])
    return failed_review(run.trigger, error, run.changes)


def _judge(run: _Run) -> Review:
    request, repository, changes, trigger = run.request, run.repository, run.changes, run.trigger
    settings, policy_notes = read_settings(repository, trigger.policy_sha, request.asked)
    engine = choose_engine(settings.engine, request.environment, secrets_possible=request.secrets_possible)
    excluded = find_excluded(repository, trigger.policy_sha, changes.files, settings)
    collected = _collect(run, settings, excluded)
    agents = _ask_agents(run, settings, collected, excluded) if engine.name == "claude" else None
    outcomes = agents.outcomes if agents else ()
    said, dropped = ground_claims([claim for o in outcomes for claim in o.claims], changes, repository)
    findings, repeated = ground_evidence((*collected.evidence, *said), changes, repository, collected.masks)
    readers = _readers(agents) if agents else None
    if request.is_scan:
        findings = tuple(replace(finding, status="known") for finding in findings)
    coverage = build_coverage(changes, excluded, collected.scanned, collected.failed, readers)
    gaps = (*([engine.reason] if engine.reason else []), *collected.gaps, *(agents.gaps if agents else ()))
    paths = {finding.location.path for finding in findings if finding.location}
    return Review(
        trigger=trigger,
        changes=changes,
        verdict=decide(findings, coverage, gaps, gate_rules(settings, paths, is_scan=request.is_scan)),
        coverage=coverage,
        evidence=(*collected.evidence, *said),
        findings=findings,
        rejected=(*collected.rejected, *dropped, *repeated),
        outcomes=outcomes,
        notes=(*policy_notes, *collected.notes, *engine.notes, *(agents.notes if agents else ())),
        budget_usd=settings.budget_usd,
    )


def _readers(agents: "AgentsReview") -> Readers:
    return Readers(agents.reviewed, agents.triaged, agents.failed, agents.causes, frozenset(agents.withheld))


def _collect(run: _Run, settings: Settings, excluded: Mapping[str, str]) -> Collected:
    request, repository, changes = run.request, run.repository, run.changes
    with run.step("reading the evidence"):
        roots = (repository.work_tree, request.environment.get("GITHUB_WORKSPACE"))
        handed_in = read_handed_in(
            request.sarif,
            request.junit,
            lambda: repository.tree_paths(changes.head_sha),
            [str(root) for root in roots if root],
        )
    with run.step("running the analyzers"):
        collected = collect_evidence(
            repository,
            changes,
            handed_in,
            analyzers=settings.analyzers,
            excluded=excluded,
            is_scan=request.is_scan,
        )
    for call in collected.runs:
        run.journal.write("analyzer_ran", **asdict(call))
    return collected


def _ask_agents(
    run: _Run, settings: Settings, collected: Collected, excluded: Mapping[str, str]
) -> "AgentsReview":
    from reviewbot.agents.claude import connect  # noqa: PLC0415 - anthropic costs 1.6 s of CPU
    from reviewbot.agents.subagents import review_with_agents  # noqa: PLC0415

    with run.step("asking the model agents"):
        return review_with_agents(
            run.changes,
            collected.evidence,
            excluded,
            run.repository,
            connect(run.request.environment),
            budget_usd=settings.budget_usd,
            models=settings.models,
            journal=run.journal,
            instructions=read_instructions(
                run.repository, run.trigger.policy_sha, [change.path for change in run.changes.files]
            ),
        )
