"""All evidence about a change: the files handed in, the analyzers, and what calls for a person."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reviewbot.change.git import Repository
from reviewbot.change.job_logs import FailedJobs, JobReport
from reviewbot.core import ChangeSet, Evidence, Mask, Reason, Rejected
from reviewbot.evidence.analyzers import run_analyzers
from reviewbot.evidence.attention import call_attention
from reviewbot.evidence.files import read_evidence_files
from reviewbot.evidence.hidden import find_hidden
from reviewbot.evidence.junit import JunitReport, parse_junit
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.sarif import parse_sarif
from reviewbot.evidence.sources import AnalyzerCall
from reviewbot.evidence.suppressions import mark_suppressions


@dataclass(frozen=True, slots=True)
class Collected:
    """Evidence and what it leaves open.

    ``scanned`` and ``failed`` are the analyzers' ledger by path; ``masks`` are places of secrets by path;
    ``gaps`` are reasons why the evidence is not whole; ``notes`` are sentences for the reader.
    """

    evidence: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...]
    scanned: Mapping[str, tuple[str, ...]]
    failed: Mapping[str, str]
    masks: Mapping[str, tuple[Mask, ...]]
    notes: tuple[str, ...]
    gaps: tuple[Reason, ...]
    runs: tuple[AnalyzerCall, ...]


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What the evidence files say; ``unsure`` are sentences about failed jobs that tell less than all."""

    evidence: tuple[Evidence, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Reason, ...] = ()
    unsure: tuple[str, ...] = ()


def collect_evidence(
    repository: Repository,
    changes: ChangeSet,
    handed_in: HandedIn,
    *,
    analyzers: Collection[str],
    excluded: Collection[str],
    is_scan: bool = False,
) -> Collected:
    """Run the analyzers on the change and mark what its source suppresses.

    In a scan nothing is being changed: no notice calls for a person, and the comments that stand in the
    tree count.
    """
    run = run_analyzers(changes, repository.read_object, names=analyzers, excluded=excluded)
    notices = () if is_scan else call_attention(changes)
    every = (*run.evidence, *find_hidden(changes, repository.read_object), *notices, *handed_in.evidence)
    judged = _as_base(changes) if is_scan else changes
    return Collected(
        evidence=mark_suppressions(every, judged, repository.read_object),
        rejected=(*handed_in.rejected, *run.rejected),
        scanned=run.scanned,
        failed=run.failed,
        masks=run.masks,
        notes=handed_in.notes,
        gaps=handed_in.gaps,
        runs=run.runs,
    )


def _as_base(changes: ChangeSet) -> ChangeSet:
    """The tree as a change of nothing: what stands in head stood there before."""
    return replace(
        changes,
        files=tuple(
            replace(
                change, base_blob=change.head_blob, old_path=None, hunks=(), added=(), deleted=(), gaps=()
            )
            for change in changes.files
        ),
    )


def read_handed_in(  # noqa: PLR0917 - the kinds of evidence
    sarif: Sequence[str],
    junit: Sequence[str],
    tree_paths: Callable[[], Sequence[str]],
    roots: Sequence[str],
    logs: Sequence[str] = (),
    jobs: FailedJobs | None = None,
    *,
    tests_block: bool = False,
) -> HandedIn:
    """The SARIF and JUnit files and logs that the patterns name, as evidence about paths of the head tree.

    A failed test that a JUnit file tells of, too, is taken from there: a log says no more of it. Of a
    failed job the log counts or, where it tells of no test, what the job said at lines. ``tests_block``:
    the policy lets failed tests block.

    Raises:
        EvidenceError: a pattern that matches nothing, or a file that cannot be read whole.
    """
    failed_jobs = jobs.reports if jobs else ()
    if not (sarif or junit or logs or failed_jobs):
        return HandedIn()
    tree = TreePaths(tree_paths(), roots)
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    notes: list[str] = []
    gaps: list[Reason] = []
    for name, data in read_evidence_files(sarif, "SARIF"):
        log = parse_sarif(data, name, tree, start=len(evidence) + 1)
        evidence += log.evidence
        rejected += log.rejected
        notes += log.notes
        gaps += (Reason("unfinished_evidence", sentence) for sentence in log.unfinished)
    reports = _read_reports(junit, logs, failed_jobs, tree)
    tests = failed = 0
    titles: set[str] = set()
    unsure: list[str] = []
    for kind, parse in reports:
        report = parse(len(evidence) + 1)
        repeated = {item.title for item in report.evidence} & titles if kind != "JUnit" else set()
        evidence += (item for item in report.evidence if item.title not in repeated)
        titles.update(item.title for item in report.evidence)
        rejected += report.rejected
        if kind == "job":
            unsure += report.unfinished
        else:
            gaps += (Reason("unfinished_evidence", sentence) for sentence in report.unfinished)
        tests += report.tests - len(repeated)
        failed += report.failures + report.errors - len(repeated)
    if reports:
        meaning = "they block" if tests_block else "they block with --fail-on-tests only"
        failures = f"{failed} failed ({meaning})" if failed else "0 failed"
        notes.append(f"Tests handed in: {tests}, of which {failures}.")
    return HandedIn(tuple(evidence), tuple(rejected), tuple(notes), tuple(gaps), tuple(unsure))


def _read_reports(
    junit: Sequence[str], logs: Sequence[str], failed_jobs: Sequence[JobReport], tree: TreePaths
) -> list[tuple[str, Callable[[int], JunitReport]]]:
    """Each report of tests by its kind, those that say most first, to be parsed from a first id on."""
    # The kinds that files.py lists are words of its sentences only.
    return [
        *(
            ("JUnit", partial(parse_junit, data, name, tree))
            for name, data in read_evidence_files(junit, "JUnit")
        ),
        *(("log", partial(_parse_log, data, name, tree)) for name, data in read_evidence_files(logs, "log")),
        *(("job", partial(_parse_job, job, tree)) for job in failed_jobs),
    ]


def tell_unread(handed_in: HandedIn, unread: Sequence[str], *, is_needed: bool) -> HandedIn:
    """What failed jobs left open, among it ``unread``: notes, or gaps where the verdict needs the tests."""
    open_ = tuple(dict.fromkeys((*handed_in.unsure, *unread)))
    if not is_needed:
        return replace(handed_in, notes=(*handed_in.notes, *open_), unsure=())
    gaps = tuple(Reason("unfinished_evidence", sentence) for sentence in open_)
    return replace(handed_in, gaps=(*handed_in.gaps, *gaps), unsure=())


def _parse_job(job: JobReport, tree: TreePaths, start: int) -> JunitReport:
    from reviewbot.evidence.logs.jobs import parse_job  # noqa: PLC0415 - as below

    return parse_job(job, tree, start)


def _parse_log(data: bytes, name: str, tree: TreePaths, start: int) -> JunitReport:
    # Imported here: its many patterns cost 0.03 s that runs without a log need not pay.
    from reviewbot.evidence.logs.read import parse_log  # noqa: PLC0415

    return parse_log(data, name, tree, start)
