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
from reviewbot.change.instructions import read_instructions
from reviewbot.change.moved import settle_exclusions
from reviewbot.change.policy_file import read_settings
from reviewbot.claims import Claim, Outcome
from reviewbot.core import ChangeSet, Coverage, CoverageStatus, GateRules, Reason, Review, Trigger
from reviewbot.engine import choose_engine
from reviewbot.evidence.collect import Collected
from reviewbot.evidence.held import hide_secrets, make_masker
from reviewbot.journal import Journal
from reviewbot.patch_review import offer_patch
from reviewbot.request import Request
from reviewbot.secrets.masking import Masker
from reviewbot.settings import Settings, gate_rules
from reviewbot.steps import Run, Step, ask_agents, collect, judge_safely, readers_of
from reviewbot.verdict.baseline import BASELINE_PATH
from reviewbot.verdict.coverage import Readers, build_coverage
from reviewbot.verdict.gate import decide
from reviewbot.verdict.grounding import ground_evidence
from reviewbot.verdict.known import dismiss
from reviewbot.verdict.memory import ScanMemory
from reviewbot.verdict.quotes import ground_claims
from reviewbot.verdict.withholding import withhold

if TYPE_CHECKING:
    from reviewbot.agents.results import Watch
    from reviewbot.scan.readings import Reading

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
    changes, excluded = settle_exclusions(
        repository, trigger.policy_sha, scan.changes, settings, request.paths
    )
    # Its hashes look like secrets, and to read it anew would cost something in every scan.
    excluded = {**excluded, **{c.path: OWN_FILE for c in changes.files if c.path == BASELINE_PATH}}
    scan = replace(scan, changes=changes)
    collected = collect(scan, settings, excluded, is_scan=True)
    masker = make_masker(request, changes, repository.read_object, collected)
    collected = hide_secrets(collected, masker)
    asked = (
        _ask_agents(scan, settings, collected, excluded, masker, memory)
        if engine.name == "claude"
        else _Asked()
    )
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the agents of this scan and of earlier ones said; ``readers`` is None where none were asked.

    ``reused``: why a file that rests on an earlier reading counts as read, by path.
    """

    claims: tuple[Claim, ...] = ()
    readers: Readers | None = None
    outcomes: tuple[Outcome, ...] = ()
    gaps: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    reused: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, str] = field(default_factory=dict)


def _ask_agents(  # noqa: PLR0917 - what the agents get, and what earlier scans know
    scan: Run,
    settings: Settings,
    collected: Collected,
    excluded: Mapping[str, str],
    masker: Masker,
    memory: ScanMemory | None,
) -> _Asked:
    from reviewbot.scan.readings import (  # noqa: PLC0415 - 0.06 s that only scans by agents need
        add_readings,
        close_readings,
        explain,
        hash_recipe,
        make_readings,
        open_claims,
    )

    changes = scan.changes
    paths = [change.path for change in changes.files]
    read = read_instructions(scan.repository, scan.trigger.policy_sha, paths)
    instructions = (*scan.request.told, *read)
    recipe = hash_recipe(settings.models, instructions)
    reused = _recall(scan, memory, recipe, excluded)
    watch = _keep_at_once(scan, memory, recipe, settings.models) if memory else None
    unread, still_open = {*excluded, *reused}, open_claims(reused.values())
    agents = ask_agents(
        scan, settings, collected, unread, masker, instructions, watch=watch, earlier=still_open
    )
    reused = close_readings(reused, agents)
    said = (claim for outcome in agents.outcomes for claim in outcome.claims)
    new = {} if agents.by_fallback else make_readings(agents, changes)
    return _Asked(
        claims=(*said, *(claim for reading in reused.values() for claim in reading.claims)),
        readers=add_readings(readers_of(agents), reused),
        outcomes=agents.outcomes,
        gaps=agents.gaps,
        notes=agents.notes,
        reused={path: explain(reading) for path, reading in reused.items()},
        readings=_by_key(recipe, changes, {**reused, **new}),
    )


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


def _recall(
    scan: Run, memory: ScanMemory | None, recipe: str, excluded: Mapping[str, str]
) -> "dict[str, Reading]":
    """What earlier scans made of files of this tree, by path."""
    from reviewbot.scan.readings import choose_readings, key_of  # noqa: PLC0415 - as above

    if memory is None or scan.request.full:
        return {}
    kept = memory.recall({key_of(recipe, change) for change in scan.changes.files})
    reused = choose_readings(kept, recipe, scan.changes, excluded)
    scan.journal.write("readings_reused", files=len(reused))
    return reused


def _keep_at_once(scan: Run, memory: ScanMemory, recipe: str, models: Mapping[str, str]) -> "Watch | None":
    """What keeps readings while the agents work; None in batches, which the next run goes on with itself,
    and asks for that what this one did, to the letter.
    """
    from reviewbot.agents.spec import SPECS  # noqa: PLC0415 - as above
    from reviewbot.scan.progress import ReadingsUnderWay  # noqa: PLC0415

    if scan.request.batches:
        return None
    verify = SPECS["verify"]
    has_second_look = bool(models.get(verify.name) or models.get(verify.model_tier))
    return ReadingsUnderWay(
        scan.changes, recipe, memory.keep, scan.journal, has_second_look=has_second_look
    ).watch


def _by_key(recipe: str, changes: ChangeSet, readings: "Mapping[str, Reading]") -> dict[str, str]:
    """The readings as they are kept; of two files with the same content that count which more agents read."""
    from reviewbot.scan.readings import key_of, rank_of, render_reading  # noqa: PLC0415 - as above

    files = [change for change in changes.files if change.path in readings]
    files.sort(key=lambda change: rank_of(readings[change.path]))
    return {key_of(recipe, change): render_reading(readings[change.path]) for change in files}
