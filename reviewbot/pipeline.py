"""The story of one review, in order: commits, change, settings, evidence, agents, findings, verdict.

It owns no rules. Everything that fails after the change set is known still ends in a Review, so that
the reports can say what happened.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime

from reviewbot.change.changeset import load_change_set
from reviewbot.change.events import local_trigger
from reviewbot.change.git import Repository
from reviewbot.change.instructions import read_instructions
from reviewbot.change.moved import settle_exclusions
from reviewbot.core import Review, Trigger
from reviewbot.evidence.held import hide_secrets, make_masker
from reviewbot.journal import Journal
from reviewbot.patch_review import offer_patch
from reviewbot.publish.memory import recall
from reviewbot.request import Request
from reviewbot.settings import gate_rules
from reviewbot.steps import (
    Recorded,
    Run,
    Step,
    ask_agents,
    collect,
    defer_low,
    judge_safely,
    leaves_readings,
    read_before,
    readers_of,
    settle,
    terms_of,
)
from reviewbot.verdict.before import note_of
from reviewbot.verdict.coverage import build_coverage
from reviewbot.verdict.gate import decide
from reviewbot.verdict.grounding import ground_evidence
from reviewbot.verdict.known import add_carried, dismiss
from reviewbot.verdict.quotes import ground_claims
from reviewbot.verdict.withholding import withhold


def review_change(request: Request, journal: Journal, step: Step) -> Review:
    """Review one change of a local repository.

    Raises:
        ReviewbotError: only before the change set is known; afterwards failures are in the verdict.
    """
    with Repository(request.folder) as repository:
        trigger, notes = local_trigger(repository, request.base, request.head)
        review = review_repository(repository, trigger, request, journal, step)
        return replace(review, notes=(*notes, *review.notes))


def review_repository(  # noqa: PLR0917 - the five of a review, and what an earlier run left
    repository: Repository,
    trigger: Trigger,
    request: Request,
    journal: Journal,
    step: Step,
    recorded: Recorded | None = None,
) -> Review:
    """Review the change that ``trigger`` names, in a repository that holds its commits.

    ``recorded`` takes the place of what programs and models would say.

    Raises:
        ReviewbotError: only before the change set is known; afterwards failures are in the verdict.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    journal.write("run_started", run_id=trigger.run_id, base_sha=trigger.base_sha, head_sha=trigger.head_sha)
    with step("reading the change"):
        changes = load_change_set(repository, trigger.base_sha, trigger.head_sha)
    journal.write("change_loaded", files=len(changes.files))
    run = Run(request, repository, trigger, changes, journal, step, recorded=recorded)
    review = judge_safely(run, lambda: _judge(run), lambda failed: failed)
    verdict = review.verdict
    journal.write(
        "decided", conclusion=verdict.conclusion, exit_code=verdict.exit_code, blocking=list(verdict.blocking)
    )
    return replace(review, started_at=started, seconds=round(time.monotonic() - clock, 3))


def _judge(run: Run) -> Review:
    request, repository, changes, trigger = run.request, run.repository, run.changes, run.trigger
    settled = settle(run)
    settings, engine = settled.settings, settled.engine
    changes, excluded = settle_exclusions(repository, trigger.policy_sha, changes, settings, request.paths)
    run = replace(run, changes=changes)
    collected = collect(run, settings, excluded, is_scan=request.is_scan)
    masker = make_masker(request, changes, repository.read_object, collected)
    collected = hide_secrets(collected, masker)
    instructions = _instructions(run)
    terms = terms_of(settings, instructions) if engine.name == "claude" else ""
    before = read_before(run, collected, terms)
    agents = ask_agents(run, settings, collected, excluded, masker, instructions, before) if terms else None
    outcomes = agents.outcomes if agents else ()
    said, dropped = ground_claims([c for o in outcomes for c in o.claims], changes, repository, masker)
    carried = recall(request.last, changes, repository, request.state_key)
    kept, lost = ground_claims(carried, changes, repository, masker)
    said = add_carried(said, kept)
    findings, repeated = ground_evidence((*collected.evidence, *said), changes, repository, collected.masks)
    findings = dismiss(findings, request.dismissed)
    readers = readers_of(agents, before) if agents else None
    if request.is_scan:
        findings = tuple(replace(finding, status="known") for finding in findings)
    coverage = build_coverage(changes, excluded, collected.scanned, collected.failed, readers)
    gaps = (*([engine.reason] if engine.reason else []), *collected.gaps, *(agents.gaps if agents else ()))
    paths = {finding.location.path for finding in findings if finding.location}
    rules = gate_rules(settings, paths, is_scan=request.is_scan)
    findings = defer_low(run, findings, rules)
    patch = offer_patch(run, settings, findings, masker, ask_models=engine.name == "claude")
    caps = run.purse.tell(request, settings, run.journal) if agents else ()
    notes = (*note_of(before, len(changes.files)), *(agents.notes if agents else ()))
    review = Review(
        trigger=trigger,
        changes=changes,
        verdict=decide(findings, coverage, gaps, rules),
        coverage=coverage,
        evidence=(*collected.evidence, *said),
        findings=findings,
        rejected=(*collected.rejected, *dropped, *lost, *repeated),
        outcomes=(*outcomes, *patch.outcomes),
        notes=(*settled.notes, *collected.notes, *engine.notes, *notes, *patch.notes, *caps),
        budget_usd=settings.budget_usd if run.purse.budget_usd is None else run.purse.budget_usd,
        patch=patch.data,
        caps=run.purse.caps,
        charged_usd=run.purse.charged_usd,
        terms=terms if leaves_readings(request, agents) else "",
        suggests=settings.suggestions and not trigger.is_fork,
        fix_rounds=settings.fix_rounds,
        hides_unproven=settings.unproven_fixes == "hide",
    )
    return withhold(review, masker)


def _instructions(run: Run) -> tuple[tuple[str, str], ...]:
    paths = [change.path for change in run.changes.files]
    return (*run.request.told, *read_instructions(run.repository, run.trigger.policy_sha, paths))
