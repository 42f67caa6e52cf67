"""The story of one scan: the whole tree of a commit, read as the change that adds all of it.

What it finds is held against a baseline: what is new blocks as it would in a change, what was there
before does not. Without a baseline all of it is ``known``. Only a scan that finished moves the baseline.
Ending at the budget is neutral, and the share that was read stands in the first line of the verdict.
"""

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace

from reviewbot.change.events import make_local_trigger, resolve_commit
from reviewbot.change.git import Repository
from reviewbot.core import Conclusion, CoverageStatus, Reason, Review, Trigger, Verdict
from reviewbot.errors import ReviewbotError
from reviewbot.journal import Journal
from reviewbot.pipeline import review_repository
from reviewbot.publish.tracking import Tracked
from reviewbot.request import BatchOptions, Request
from reviewbot.scan.baseline import NOT_TRACKED, Known, find_baseline, write_baseline
from reviewbot.scan.options import DEFAULTS, LAST, ScanOptions
from reviewbot.scan.tree import ScannedTree, scan_tree
from reviewbot.spend.caps import explain_cap
from reviewbot.steps import LEFT_TO_THE_NEXT_RUN, Step, conclude_batches
from reviewbot.text import dollars
from reviewbot.verdict.baseline import (
    BASELINE_PATH,
    Baseline,
    Comparison,
    compare,
    decide_scan,
    render_baseline,
    render_trend,
)
from reviewbot.verdict.failed import failed_review
from reviewbot.verdict.memory import ScanMemory

UNSIGNED = (
    "The baseline in the tracking issue is not signed (give a `state-key`): what it does not hold is new, "
    "and what it holds proves nothing."
)
ADOPTED = "What readers found that the committed baseline has not had blocks once its next one is committed."


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan and what it was held against; ``compared`` is None where it was held against nothing.

    ``is_finished``: its baseline is the one from now on. ``had_file``: that before was a committed one.
    """

    review: Review
    compared: Comparison | None = None
    is_finished: bool = False
    had_file: bool = False


def scan_local(
    request: Request, since: str | None, journal: Journal, step: Step, options: ScanOptions = DEFAULTS
) -> Review:
    """Scan a local repository at ``request.head``, whole or what changed since a revision.

    Raises:
        ReviewbotError: only before the tree is known; afterwards failures are in the verdict.
    """
    with Repository(request.folder) as repository:
        head_sha = resolve_commit(repository, request.head or "HEAD", "--head")
        part = since if since != LAST else None
        base_sha = resolve_commit(repository, part, "--since") if part else repository.empty_tree
        trigger = make_local_trigger(repository, base_sha=base_sha, policy_sha=head_sha, head_sha=head_sha)
        return scan_repository(repository, trigger, request, journal, step, options).review


def scan_repository(  # noqa: PLR0917 - the five of a review, and what only a scan has
    repository: Repository,
    trigger: Trigger,
    request: Request,
    journal: Journal,
    step: Step,
    options: ScanOptions = DEFAULTS,
    tracked: Tracked = NOT_TRACKED,
) -> Scan:
    """Scan the tree at ``trigger.head_sha`` of a repository that holds it.

    A scan of what changed since a revision is held against no baseline and moves none.

    Raises:
        ReviewbotError: only before the tree is known; afterwards failures are in the verdict.
    """
    batches = BatchOptions(options.state, options.wait_seconds, options.key) if options.batch else None
    request = replace(request, is_scan=True, full=options.full, batches=batches, state=options.state)
    if options.out:
        write_baseline(options.out, None)
    if trigger.base_sha != repository.empty_tree:
        if batches:
            request = replace(request, batches=replace(batches, is_part=True))
        review = review_repository(repository, trigger, request, journal, step)
        what = f"Scanned what changed since {trigger.base_sha[:12]} at {trigger.head_sha[:12]}."
        note = f"{what} Only a scan of the whole tree is held against a baseline: this one gates nothing."
        notes = (note, *_tell_other_line(repository, trigger), *review.notes)
        review = replace(review, notes=notes, verdict=_with_share(review))
        return _forget(Scan(review), request)
    with ExitStack() as stack:
        try:
            memory = _open(options, trigger, stack)
            known = find_baseline(repository, trigger.head_sha, memory, tracked)
        except ReviewbotError as error:
            return Scan(failed_review(trigger, error))
        # A full scan reads anew, and what it reads takes the place of what was kept.
        scanned = scan_tree(repository, trigger, request, journal, step, memory)
        return _forget(_conclude(scanned, known, memory, options, journal), request)


def _tell_other_line(repository: Repository, trigger: Trigger) -> tuple[str, ...]:
    """A sentence where the base is no ancestor of the head; none where the history to tell is not there."""
    base, head = trigger.base_sha, trigger.head_sha
    if repository.is_shallow or repository.merge_base(base, head) == base:
        return ()
    return (f"{base[:12]} is no ancestor of {head[:12]}: what only {base[:12]} has counts as deleted.",)


def _forget(scan: Scan, request: Request) -> Scan:
    """The scan, once what was asked in batches for it is forgotten."""
    try:
        conclude_batches(request, scan.review)
    except ReviewbotError as error:
        return Scan(_refuse(scan.review, error))
    return scan


def _open(options: ScanOptions, trigger: Trigger, stack: ExitStack) -> ScanMemory | None:
    if options.state is None:
        return None
    return stack.enter_context(ScanMemory(options.state, trigger.repository, options.key))


def _conclude(
    scanned: ScannedTree, known: Known, memory: ScanMemory | None, options: ScanOptions, journal: Journal
) -> Scan:
    """Hold the scan against the baseline, and move that where the scan finished."""
    review, rules = scanned.review, scanned.rules
    is_finished = review.verdict.conclusion is not Conclusion.INCOMPLETE
    compared = compare(
        known.baseline, review.findings, review.coverage, review.trigger.head_sha, scanned.readers
    )
    verdict = decide_scan(review.verdict, compared, rules) if known.baseline and rules else review.verdict
    journal.write(
        "compared",
        new=len(compared.new),
        open=len(compared.open),
        fixed=len(compared.fixed),
        is_finished=is_finished,
        conclusion=verdict.conclusion,
        exit_code=verdict.exit_code,
    )
    review = replace(review, findings=compared.findings, verdict=verdict)
    notes = _notes(scanned, known, compared, is_finished=is_finished)
    review = replace(review, notes=(*notes, *review.notes), verdict=_with_share(review))
    is_left = any(reason.code in LEFT_TO_THE_NEXT_RUN for reason in review.verdict.reasons)
    try:
        # The next run asks what this one did, to the letter: then what is under way answers it.
        if memory and not (options.batch and is_left):
            memory.keep(scanned.readings)
        if is_finished:
            _move(compared.after, known, memory, options)
    except ReviewbotError as error:
        return Scan(_refuse(review, error))
    return Scan(review, compared if scanned.rules else None, is_finished, known.is_file)


def _notes(scanned: ScannedTree, known: Known, compared: Comparison, *, is_finished: bool) -> tuple[str, ...]:
    trigger, files = scanned.review.trigger, len(scanned.review.changes.files)
    where = f" (baseline: {BASELINE_PATH} at this commit)" if known.is_file else ""
    reused = f"{scanned.reused} of {files} files are unchanged since agents read them, and cost nothing now."
    return (
        f"Scanned the whole tree at {trigger.head_sha[:12]}{where}.",
        render_trend(known.baseline, compared, is_finished=is_finished),
        *([reused] if scanned.reused else []),
        *([ADOPTED] if compared.adopted and known.is_file else []),
        *(["Without a baseline a scan gates nothing."] if known.baseline is None else []),
        *([UNSIGNED] if known.is_unsigned else []),
    )


def _move(after: Baseline, known: Known, memory: ScanMemory | None, options: ScanOptions) -> None:
    if options.out:
        write_baseline(options.out, render_baseline(after))
    if memory:
        memory.finish(after, had_file=known.is_file)


def _refuse(review: Review, error: ReviewbotError) -> Review:
    """The same scan, which does not pass: what it found could not be kept for the next one."""
    verdict = review.verdict
    conclusion = Conclusion.FAIL if verdict.blocking else Conclusion.INCOMPLETE
    return replace(
        review,
        verdict=replace(
            verdict,
            conclusion=conclusion,
            exit_code=max(verdict.exit_code, error.exit_code),
            reasons=(Reason(error.reason, error.sentences), *verdict.reasons),
        ),
    )


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
        f"budget of {dollars(review.budget_usd)} ended it."
    )
    binding = min(review.caps, key=lambda cap: cap.left_usd, default=None)
    if binding is not None and binding.left_usd <= review.budget_usd:
        detail = f"{detail} {explain_cap(binding)}"
    others = (reason for reason in review.verdict.reasons if reason.code != "budget")
    return replace(review.verdict, reasons=(Reason("budget", detail), *others))
