"""A failed job -> ``Evidence``: what its log tells of tests, or else what it said at lines. Pure."""

from reviewbot.change.job_logs import Annotation, JobReport
from reviewbot.core import Evidence, Location, Severity
from reviewbot.errors import EvidenceError
from reviewbot.evidence.junit import MESSAGE_CAP, JunitReport
from reviewbot.evidence.logs.read import parse_log
from reviewbot.evidence.paths import TreePaths
from reviewbot.text import cut_middle, one_line


def parse_job(job: JobReport, tree: TreePaths, start: int = 1) -> JunitReport:
    """The failures of one job; ``start`` is the number of its first id.

    A job that failed and of which no failure can be told is a sentence in ``unfinished``, never nothing.
    """
    try:
        report = parse_log(job.log, job.title, tree, start) if job.log else None
    except EvidenceError:  # a linter, a build, a deployment
        report = None
    if report and report.evidence:
        return report
    placed = [(each, path) for each in job.annotations if (path := tree.find(each.path))]
    evidence = tuple(
        _evidence(job, each, path, f"job:{start + number}") for number, (each, path) in enumerate(placed)
    )
    said = () if evidence else (f"{job.title} failed, and what it left tells of no test that failed.",)
    return JunitReport(evidence, (), len(evidence), len(evidence), 0, 0, tuple(map(_sentence, said)))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _evidence(job: JobReport, said: Annotation, path: str, name: str) -> Evidence:
    first = one_line(said.title or said.message, 200)
    return Evidence(
        id=name,
        source="junit",
        tool="job",
        rule="failure",
        severity=Severity.HIGH,
        title=f"{_sentence(job.title)} failed: {first}",
        message=one_line(said.message, 400),
        trace=cut_middle(said.message, MESSAGE_CAP),
        location=Location(path, said.line, said.line),
        level="error",
    )
