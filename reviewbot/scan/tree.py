"""The middle of a scan: the tree of one commit to a Review, in the order of ``pipeline``.

Beside a review it uses what agents read in earlier scans, and leaves what they read in this one.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import read_settings
from reviewbot.core import Coverage, CoverageStatus, GateRules, Review, Trigger
from reviewbot.engine import choose_engine
from reviewbot.journal import Journal
from reviewbot.patch_review import offer_patch
from reviewbot.request import Request
from reviewbot.scan.prepared import NOBODY, prepare
from reviewbot.settings import gate_rules
from reviewbot.steps import Run, Step, judge_safely
from reviewbot.verdict.coverage import build_coverage
from reviewbot.verdict.gate import decide
from reviewbot.verdict.grounding import ground_evidence
from reviewbot.verdict.known import dismiss
from reviewbot.verdict.memory import ScanMemory
from reviewbot.verdict.quotes import ground_claims
from reviewbot.verdict.withholding import withhold

if TYPE_CHECKING:
    pass

OWN_FILE = "the baseline of reviewbot itself"


@dataclass(frozen=True, slots=True)
class ScannedTree:
    """A Review of the whole tree, and what its end needs beside it.

    ``rules`` are None where it failed before they were known. ``readers`` took part (``reader_of``).
    ``readings`` are to be kept, by their keys; ``reused`` counts the files of earlier ones.
    """

    review: Review
    rules: GateRules | None = None
    readers: frozenset[str] = frozenset()
    readings: Mapping[str, str] = field(default_factory=dict)
    reused: int = 0


def scan_tree(  # noqa: PLR0917 - the five of a review, and the memory that only a scan has
    repository: Repository,
    trigger: Trigger,
    request: Request,
    journal: Journal,
    step: Step,
    memory: ScanMemory | None = None,
) -> ScannedTree:
    """Read the tree at ``trigger.head_sha``; files that ``memory`` knows are not read by agents again,
    unless ``request.full``. A live scan keeps there what it reads as it reads it.

    Raises:
        ReviewbotError: only before the tree is known; afterwards failures are in the verdict.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    journal.write("run_started", run_id=trigger.run_id, base_sha=trigger.base_sha, head_sha=trigger.head_sha)
    with step("reading the tree"):
        changes = load_change_set(repository, repository.empty_tree, trigger.head_sha)
    journal.write("change_loaded", files=len(changes.files))
    run = Run(request, repository, trigger, changes, journal, step)
    scanned = judge_safely(run, lambda: _judge(run, memory), ScannedTree)
    review = replace(scanned.review, started_at=started, seconds=round(time.monotonic() - clock, 3))
    return replace(scanned, review=review)


def _judge(scan: Run, memory: ScanMemory | None) -> ScannedTree:
    request, repository, trigger = scan.request, scan.repository, scan.trigger
    settings, policy_notes = read_settings(repository, trigger.policy_sha, request.asked)
    engine = choose_engine(settings.engine, request.environment, secrets_possible=request.secrets_possible)
    prepared = prepare(scan, settings)
    scan, excluded, collected, masker = prepared.run, prepared.excluded, prepared.collected, prepared.masker
    changes, asked = scan.changes, NOBODY
    if engine.name == "claude":
        from reviewbot.scan.asking import ask  # noqa: PLC0415 - 0.06 s that only scans by agents need

        asked = ask(prepared, memory)
    said, dropped = ground_claims(asked.claims, changes, repository, masker)
    findings, repeated = ground_evidence((*collected.evidence, *said), changes, repository, collected.masks)
    findings = dismiss(tuple(replace(each, status="known") for each in findings), request.dismissed)
    coverage = build_coverage(changes, excluded, collected.scanned, collected.failed, asked.readers)
    rules = gate_rules(settings, {each.location.path for each in findings if each.location}, is_scan=True)
    gaps = (*([engine.reason] if engine.reason else []), *collected.gaps, *asked.gaps)
    patch = offer_patch(scan, settings, findings, masker, ask_models=engine.name == "claude")
    caps = scan.purse.tell(request, settings, scan.journal) if asked.readers else ()
    review = Review(
        trigger=trigger,
        changes=changes,
        verdict=decide(findings, coverage, gaps, rules),
        coverage=_explain_rows(coverage, asked.reused),
        evidence=(*collected.evidence, *said),
        findings=findings,
        rejected=(*collected.rejected, *dropped, *repeated),
        outcomes=(*asked.outcomes, *patch.outcomes),
        notes=(*policy_notes, *collected.notes, *engine.notes, *asked.notes, *patch.notes, *caps),
        budget_usd=settings.budget_usd if scan.purse.budget_usd is None else scan.purse.budget_usd,
        patch=patch.data,
        caps=scan.purse.caps,
        charged_usd=scan.purse.charged_usd,
    )
    readers = frozenset((*settings.analyzers, *_handed_in(request), *(["agent"] if asked.readers else [])))
    return ScannedTree(withhold(review, masker), rules, readers, asked.readings, len(asked.reused))


def _handed_in(request: Request) -> list[str]:
    sources = (("sarif", request.sarif), ("junit", (*request.junit, *request.logs)))
    return [name for name, patterns in sources if patterns]


def _explain_rows(coverage: Coverage, reused: Mapping[str, str]) -> Coverage:
    """The ledger, where a row that rests on an earlier reading says so."""
    read = (CoverageStatus.REVIEWED, CoverageStatus.TRIAGED)
    return Coverage(
        tuple(
            replace(row, reason="; ".join(filter(None, (row.reason, reused[row.path]))))
            if row.path in reused and row.status in read
            else row
            for row in coverage.files
        )
    )
