"""The story of one review, in order: commits, change, settings, evidence, findings, verdict.

It owns no rules. Everything that fails after the change set is known still ends in a Review, so that
the reports can say what happened.
"""

import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reviewbot.change.changeset import load_change_set
from reviewbot.change.events import local_trigger
from reviewbot.change.exclusions import ATTRIBUTES, excluded_by_rule
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import read_settings
from reviewbot.core import (
    ChangeSet,
    Coverage,
    Evidence,
    Finding,
    GateRules,
    Reason,
    Rejected,
    Review,
    Trigger,
    Verdict,
)
from reviewbot.engine import choose_engine
from reviewbot.errors import NoReview, ReviewbotError
from reviewbot.evidence.collect import collect_evidence, read_handed_in
from reviewbot.journal import Journal
from reviewbot.settings import (
    Settings,
    excluded_by,
    gate_rules,
)
from reviewbot.verdict.coverage import build_coverage
from reviewbot.verdict.gate import decide, reason_code
from reviewbot.verdict.grounding import ground_evidence

Step = Callable[[str], AbstractContextManager[None]]
"""Wraps a part of the work that may take long, with words for it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for. ``overrides`` are settings by field name; ``environment`` is the process's."""

    folder: Path
    base: str | None = None
    head: str | None = None
    sarif: tuple[str, ...] = ()
    junit: tuple[str, ...] = ()
    policy: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Run:
    """The half of a review that is known once the change set is."""

    request: Request
    repository: Repository
    trigger: Trigger
    changes: ChangeSet
    journal: Journal
    step: Step


@dataclass(frozen=True, slots=True)
class _Judged:
    """The half of a Review that comes after the change set."""

    verdict: Verdict
    coverage: Coverage
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    budget_usd: float = Settings().budget_usd


def review_change(request: Request, journal: Journal, step: Step) -> Review:
    """Review one change of a local repository.

    Raises:
        ReviewbotError: only before the change set is known; afterwards failures are in the verdict.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    with Repository(request.folder) as repository:
        trigger, notes = local_trigger(repository, request.base, request.head)
        journal.write(
            "run_started", run_id=trigger.run_id, base_sha=trigger.base_sha, head_sha=trigger.head_sha
        )
        with step("reading the change"):
            changes = load_change_set(repository, trigger.base_sha, trigger.head_sha)
        journal.write("change_loaded", files=len(changes.files))
        judged = _judge_safely(_Run(request, repository, trigger, changes, journal, step))
    verdict = judged.verdict
    journal.write(
        "decided", conclusion=verdict.conclusion, exit_code=verdict.exit_code, blocking=list(verdict.blocking)
    )
    return Review(
        trigger=trigger,
        changes=changes,
        evidence=judged.evidence,
        findings=judged.findings,
        rejected=judged.rejected,
        coverage=judged.coverage,
        verdict=verdict,
        notes=(*notes, *judged.notes),
        started_at=started,
        seconds=round(time.monotonic() - clock, 3),
        budget_usd=judged.budget_usd,
    )


def _judge_safely(run: _Run) -> _Judged:
    try:
        return _judge(run)
    except ReviewbotError as problem:
        error = problem
    except Exception as problem:  # a fault of ours must end in a verdict, never in a pass
        place = traceback.extract_tb(problem.__traceback__)[-1]
        where = f"{type(problem).__name__} at {Path(place.filename).name}:{place.lineno}"
        error = NoReview(f"reviewbot itself failed ({where}).")
    run.journal.write("review_failed", error=type(error).__name__, detail=ascii(str(error))[1:-1])
    failed = {change.path: "the review failed" for change in run.changes.files}
    reason = Reason(reason_code(error), error.sentences)
    verdict = decide((), Coverage(()), (reason,), GateRules())
    return _Judged(verdict, build_coverage(run.changes, {}, {}, failed))


def _judge(run: _Run) -> _Judged:
    request, repository, changes = run.request, run.repository, run.changes
    settings, policy_note = read_settings(
        repository, run.trigger.policy_sha, request.policy, request.overrides
    )
    engine = choose_engine(settings.engine, request.environment)
    excluded = _find_excluded(run, settings)
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
            repository, changes, handed_in, analyzers=settings.analyzers, excluded=excluded
        )
    for call in collected.runs:
        run.journal.write("analyzer_ran", **asdict(call))
    findings, repeated = ground_evidence(collected.evidence, changes, repository, collected.masks)
    coverage = build_coverage(changes, excluded, collected.scanned, collected.failed)
    reasons = ([engine.reason] if engine.reason else []) + list(collected.gaps)
    paths = {finding.location.path for finding in findings if finding.location}
    return _Judged(
        verdict=decide(findings, coverage, reasons, gate_rules(settings, paths)),
        coverage=coverage,
        evidence=collected.evidence,
        findings=findings,
        rejected=(*collected.rejected, *repeated),
        notes=tuple(note for note in (policy_note, *collected.notes, engine.note) if note),
        budget_usd=settings.budget_usd,
    )


def _find_excluded(run: _Run, settings: Settings) -> dict[str, str]:
    changes = run.changes.files
    paths = [change.path for change in changes]
    attributes = run.repository.attributes(run.trigger.policy_sha, paths, ATTRIBUTES)
    named = {
        change.path: excluded_by_rule(change, attributes.get(change.path, {}))
        or excluded_by(settings, change.path)
        for change in changes
    }
    return {path: rule for path, rule in named.items() if rule}
