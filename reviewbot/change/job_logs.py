"""What the failed jobs of a commit said: their logs and annotations, read from GitHub's API.

Names, logs and annotations come from code of the change, so they are data with caps (THREATS R19, R24):
only jobs of the reviewed commit count, and nothing in them says which commit that is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewbot.core import Sha
from reviewbot.github.errors import GitHubDenied, GitHubError
from reviewbot.text import one_line, printable

MOST_RUNS = 5
MOST_JOBS = 5
LOG_BYTES = 16 * 1024 * 1024
"""Kept of one log: its first and its last half."""

_RED = ("failure", "timed_out")


class Reader(Protocol):
    """What of ``github_api.GitHub`` is needed here. Every method may raise GitHubError."""

    def read_runs(self, repository: str, head_sha: Sha) -> Mapping[str, Any]:
        """The runs of workflows for a commit."""

    def read_jobs(self, repository: str, run: int) -> Mapping[str, Any]:
        """The jobs of a run."""

    def read_annotations(self, repository: str, check_run: int) -> Sequence[object]:
        """What a job said at lines."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A failure that a job names at a line of a file; ``path`` as it wrote it."""

    path: str
    line: int
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class JobReport:
    """A failed job: what to call it, its log (its middle may be left out) and its annotations."""

    title: str
    log: bytes
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedJobs:
    """The reports of failed jobs; ``unread`` are sentences about what could not be read."""

    reports: tuple[JobReport, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    title: str


def fetch_failed_jobs(
    github: Reader,
    download: Callable[[int, int], bytes],
    repository: str,
    head_sha: Sha,
    runs: Sequence[int],
    *,
    is_whole: bool,
) -> FailedJobs:
    """The failed jobs of ``head_sha`` in ``runs`` and, unless they are the whole, in its other runs.

    ``download`` takes a job's id and the most bytes. What GitHub refuses ends in ``unread``.
    """
    unread: list[str] = []
    try:
        if not is_whole:
            runs = (*runs, *_red_runs(github.read_runs(repository, head_sha), head_sha))
        listings = [github.read_jobs(repository, run) for run in dict.fromkeys(runs)][:MOST_RUNS]
    except GitHubError as error:
        return FailedJobs(unread=(_refused("The jobs of the commit", error),))
    found = list({job.id: job for each in listings for job in _red_jobs(each, head_sha)}.values())
    if len(found) > MOST_JOBS:
        unread.append(f"{len(found)} jobs failed, of which {MOST_JOBS} were read.")
    reports = [_read(github, download, repository, job, unread) for job in found[:MOST_JOBS]]
    return FailedJobs(tuple(report for report in reports if report), tuple(dict.fromkeys(unread)))


def _red_runs(listing: Mapping[str, Any], head_sha: Sha) -> Iterator[int]:
    for node in _nodes(listing.get("workflow_runs")):
        if (
            node.get("conclusion") in _RED
            and node.get("head_sha") == head_sha
            and type(node.get("id")) is int
        ):
            yield node["id"]


def _red_jobs(listing: Mapping[str, Any], head_sha: Sha) -> Iterator[_Job]:
    for node in _nodes(listing.get("jobs")):
        number, name = node.get("id"), node.get("name")
        if node.get("conclusion") in _RED and node.get("head_sha") == head_sha and type(number) is int:
            yield _Job(number, f"the job {printable(name if isinstance(name, str) else str(number))!r}")


def _read(
    github: Reader,
    download: Callable[[int, int], bytes],
    repository: str,
    job: _Job,
    unread: list[str],
) -> JobReport | None:
    """One job as far as it may be read, or None for nothing at all."""
    log = b""
    annotations: tuple[Annotation, ...] = ()
    try:
        log = download(job.id, LOG_BYTES)
    except GitHubError as error:
        unread.append(_refused(f"The log of {job.title}", error))
    try:
        annotations = tuple(parse_annotations(github.read_annotations(repository, job.id)))
    except GitHubDenied:
        unread.append("Annotations of failed jobs were not read: the token lacks `checks: read`.")
    except GitHubError as error:
        unread.append(_refused(f"What {job.title} says at lines", error))
    return JobReport(job.title, log, annotations) if log or annotations else None


def parse_annotations(listing: Sequence[object]) -> Iterator[Annotation]:
    """The failures of a list of annotations, as GitHub answers it; what has another form is passed over."""
    for node in _nodes(listing):
        path, line, said = node.get("path"), node.get("start_line"), node.get("message")
        if node.get("annotation_level") != "failure" or not (isinstance(path, str) and isinstance(said, str)):
            continue
        title = node.get("title")
        yield Annotation(
            path[:1_000],
            line if type(line) is int and 0 < line < 10_000_000 else 1,
            one_line(title, 200) if isinstance(title, str) else "",
            said[:8_000],
        )


def _nodes(listing: object) -> Iterator[Mapping[str, Any]]:
    yield from (node for node in listing if isinstance(node, dict)) if isinstance(listing, list) else ()


def _refused(what: str, error: GitHubError) -> str:
    if isinstance(error, GitHubDenied):
        return f"{what} could not be read: the token lacks `actions: read`."
    return one_line(f"{what} could not be read: {error}", 400)
