"""A scan as a run on GitHub: held against the tracking issue, which is brought up to date by it."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from reviewbot.action.ending import refuse
from reviewbot.action.inputs import InputError, Inputs
from reviewbot.change.git import Repository
from reviewbot.change.github_events import DispatchEvent, ScheduleEvent
from reviewbot.change.notes import OncePerPerson, read_notes
from reviewbot.core import Review, Sha, Trigger
from reviewbot.github.api import GitHub
from reviewbot.github.errors import GitHubDenied, GitHubError, GitHubNotFound
from reviewbot.github.issues import MOST_COMMENT_PAGES, read_talk
from reviewbot.journal import Journal
from reviewbot.publish.tracking import Tracked, read_tracked, write_tracked
from reviewbot.publish.tracking_issue import Memory
from reviewbot.request import Request
from reviewbot.scan.baseline import NOT_TRACKED
from reviewbot.scan.options import DEFAULTS, ScanOptions
from reviewbot.scan.run import Scan, scan_repository
from reviewbot.steps import Step
from reviewbot.text import printable
from reviewbot.verdict.baseline import render_baseline


@dataclass(frozen=True, slots=True)
class Desk:
    """What a scan on GitHub needs beside a scan; ``github`` is None where no issue tracks it.

    ``server`` is the address of GitHub itself, for links. ``keeps``: what is known moves with this scan.
    """

    github: GitHub | None
    key: bytes | None
    server: str
    options: ScanOptions = DEFAULTS
    keeps: bool = True

    @classmethod
    def of(cls, github: GitHub | None, inputs: Inputs, environment: Mapping[str, str]) -> Self:
        """The desk of a run; ``github`` is None where another than the default branch is scanned.

        Raises InputError for a folder of state that cannot be used.
        """
        keeps = github is not None and not inputs.is_quiet
        folder = find_state_folder(Path(environment.get("GITHUB_WORKSPACE", "")), inputs.state)
        options = ScanOptions(
            state=folder if keeps else None,
            key=inputs.state_key,
            batch=inputs.batch,
            wait_seconds=inputs.wait_seconds,
        )
        server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
        return cls(github, inputs.state_key, server, options, keeps)


def find_scan_under_way(desk: Desk, repository: str) -> tuple[Sha, ...]:
    """The commit of a scan that an earlier run has left in batches, which this one goes on with; or none."""
    from reviewbot.agents.batches.ledger import head_under_way  # noqa: PLC0415 - only scans with a state need it

    options = desk.options
    if options.state is None or not options.batch:
        return ()
    head_sha = head_under_way(options.state, repository, options.key)
    return (head_sha,) if head_sha else ()


def find_state_folder(workspace: Path, named: str) -> Path | None:
    """The folder of the input ``state`` below the workspace; None where the input is empty.

    Raises InputError where it leads out of the workspace, or it or what is in it is a link or no plain file.
    """
    if not named:
        return None
    parts, folder = Path(named).parts, workspace
    if Path(named).is_absolute() or ".." in parts or not parts or "\0" in named:
        raise _unusable(named, "leads out of the workspace")
    for part in parts:
        folder /= part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise _unusable(named, "is a link or no folder")
    if folder.is_dir():
        for entry in os.scandir(folder):
            if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                raise _unusable(named, "holds a link or a folder")
    return folder


def _unusable(named: str, why: str) -> InputError:
    said = f"The input `state` is {printable(named)!r}, which {why}."
    return InputError(said, help="Give a folder of its own in the workspace, such as `.reviewbot-state`.")


def is_default_branch(event: DispatchEvent | ScheduleEvent) -> bool:
    """Whether the run is one of the default branch, as every schedule is: only those move what is known."""
    return isinstance(event, ScheduleEvent) or (
        event.default_branch is not None and event.ref == f"refs/heads/{event.default_branch}"
    )


def scan_on_github(  # noqa: PLR0917 - the five of a review, and the desk
    repository: Repository, trigger: Trigger, request: Request, journal: Journal, step: Step, desk: Desk
) -> tuple[Review, bytes | None]:
    """Scan, and bring the tracking issue up to date; the review, and the baseline file of a finished scan.

    Raises GitHubError where nobody can tell whether there is a tracking issue.
    """
    tracked, left_out = NOT_TRACKED, tuple[str, ...]()
    if desk.github:
        with step("reading the tracking issue"):
            tracked = read_tracked(desk.github, trigger.repository, desk.key)
            told, left_out = _read_notes(desk.github, trigger.repository, tracked)
        request = replace(request, told=told)
    scan = scan_repository(repository, trigger, request, journal, step, desk.options, tracked)
    scan = replace(scan, review=replace(scan.review, notes=(*scan.review.notes, *left_out)))
    review = scan.review
    if desk.github and desk.keeps and scan.compared:
        with step("writing the tracking issue"):
            review = _track(scan, tracked, desk.github, desk)
    is_whole = scan.compared is not None and scan.is_finished and not (request.paths or request.agents)
    return review, render_baseline(scan.compared.after) if is_whole and scan.compared else None


def _read_notes(
    github: GitHub, repository: str, tracked: Tracked
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """(who, text) of the notes below the tracking issue, and what was left out of them.

    Nobody is asked where the issue has no comment. Raises GitHubError: without its notes a scan would
    read all files again, and with them once more.
    """
    if tracked.issue is None or not tracked.issue.comments:
        return (), ()
    talk = read_talk(github, repository, tracked.issue.number)
    told, left_out = read_notes(OncePerPerson(github), repository, talk.calls)
    most = MOST_COMMENT_PAGES * 100
    cut = f"Notes for the agents were looked for in the newest {most} comments of the tracking issue."
    return told, (*left_out, *([cut] if talk.is_cut else []))


def _track(scan: Scan, tracked: Tracked, github: GitHub, desk: Desk) -> Review:
    """The review; a sentence says where the issue may not be written, and where that fails it is no pass."""
    if tracked.denied:
        return _told(scan.review, tracked.denied)
    if scan.compared is None:
        return scan.review
    memory = tracked.memory or Memory(None)
    if scan.is_finished:
        memory = Memory(scan.compared.after, scan.had_file)
    try:
        write_tracked(
            github, scan.review, scan.compared, memory, tracked, desk.key, server=desk.server.rstrip("/")
        )
    except (GitHubDenied, GitHubNotFound) as error:
        said = f"The tracking issue could not be written: {error} (give the job `issues: write`)."
        return _told(scan.review, said)
    except GitHubError as error:
        return refuse(scan.review, error)
    return scan.review


def _told(review: Review, sentence: str) -> Review:
    return replace(review, notes=(*review.notes, sentence))
