"""What the container of the action does: an event of a workflow to a posted review and an exit code.

The order is the protection (THREATS R28): as root only the runner's files are opened and the report
folder is made; then the process becomes the workspace's owner; only then the event is parsed, commits
are fetched into a store of our own, and anything of the change is read.
"""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from reviewbot.action.ending import Ending
from reviewbot.action.rights import (
    drop_rights,
    find_workspace,
    make_report_folder,
    owner_to_become,
    read_start_file,
)
from reviewbot.action.run import conduct
from reviewbot.change.payload import EventError
from reviewbot.errors import NoReview, OutputError, ReviewbotError
from reviewbot.journal import Journal
from reviewbot.publish.annotations import render_annotations
from reviewbot.publish.comment import render_job_summary
from reviewbot.publish.files import PATCH, render, write_reports
from reviewbot.publish.runner_files import RunnerFiles
from reviewbot.publish.sanitize import one_line, terminal_text
from reviewbot.scan.baseline import FILE_NAME, write_baseline
from reviewbot.telemetry.spans import open_telemetry, run_of, tell_verdict

STOPPED = 128
"""Exit codes above this name the signal that ended the run."""

EVENT_BYTES = 25 * 1024 * 1024
"""GitHub caps a payload at 25 MB: https://docs.github.com/webhooks/webhook-events-and-payloads."""


@dataclass(frozen=True, slots=True)
class Started:
    """What was opened and read before the rights were dropped. ``event`` is an error where it is missing."""

    files: RunnerFiles
    folder: Path
    event: bytes | ReviewbotError


def run_action(environment: Mapping[str, str], out: TextIO | None = None) -> int:
    """Run the action in the environment of its step; returns the exit code of the job.

    ``out`` takes the log of the step (by default standard output).

    Raises ReviewbotError only where not even the reports can be written.
    """
    started = start(environment)
    try:
        with open_telemetry(environment, _say) as telemetry:
            journal = Journal(telemetry=telemetry)
            with telemetry.watch(run_of("action")) as operation:
                ending = conduct(started.event, environment, journal)
                tell_verdict(operation, ending.review.verdict)
            if ending.exit_code > STOPPED:
                _ignore_signals()
            return _finish(ending, started, environment, journal, out or sys.stdout)
    finally:
        started.files.close()


def start(environment: Mapping[str, str]) -> Started:
    """Do what needs root, then stop being root. Nothing of the change is read here."""
    workspace = find_workspace(environment)
    owner = owner_to_become(workspace)
    files = RunnerFiles.open(environment)
    try:
        event = _read_event(environment)
        folder = make_report_folder(workspace, owner)
        drop_rights(owner)
    except BaseException:
        files.close()
        raise
    return Started(files, folder, event)


def _ignore_signals() -> None:
    """Let a run that was stopped write what it knows and end: a runner sends several signals."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _read_event(environment: Mapping[str, str]) -> bytes | ReviewbotError:
    named = environment.get("GITHUB_EVENT_PATH", "")
    help_ = "Let the runner set GITHUB_EVENT_PATH, and mount what it names into the container."
    if not named:
        return EventError("GITHUB_EVENT_PATH is not set, so there is no event to act on.", help=help_)
    try:
        data = read_start_file(Path(named), EVENT_BYTES)
    except (OSError, ValueError) as error:
        why = ((error.strerror if isinstance(error, OSError) else None) or "unreadable").lower()
        return EventError(f"The event file {named!a} cannot be read: {why}.", help=help_)
    if not data.strip():
        return EventError(f"The event file {named!a} is empty.", help=help_)
    return data


def _finish(
    ending: Ending, started: Started, environment: Mapping[str, str], journal: Journal, out: TextIO
) -> int:
    """Say it everywhere it can be said; what one place refuses keeps it from no other."""
    review = ending.review
    code = max(review.verdict.exit_code, ending.exit_code)
    problems = [*ending.problems]
    for write in (
        lambda: write_reports(review, started.folder, journal.data()),
        lambda: write_baseline(started.folder, ending.baseline),
        lambda: started.files.write_summary(render_job_summary(review, gate=ending.gate)),
        lambda: started.files.write_outputs(_outputs(ending, started.folder, environment)),
    ):
        try:
            write()
        except OutputError as error:
            problems.append(error.sentences)
            code = max(code, error.exit_code)
        except Exception as error:  # what one of them dies of must not silence the others
            problems.append(f"A part of the result could not be written ({type(error).__name__}).")
            code = max(code, NoReview.exit_code)
    out.write(render(review, "text", width=100))
    if ending.annotated:
        out.write(render_annotations(review))
    out.flush()
    for problem in problems:
        _say(problem)
    return code


def _say(sentence: str) -> None:
    sys.stderr.write(f"reviewbot: {terminal_text(one_line(sentence, 600))}\n")


def _outputs(ending: Ending, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    review = ending.review
    workspace = Path(environment.get("GITHUB_WORKSPACE", ""))
    spent = [outcome.usd for outcome in review.outcomes]
    known = [usd for usd in spent if usd is not None]
    return {
        "verdict": review.verdict.conclusion.value,
        "findings": str(len(review.findings)),
        "blocking": str(len(review.verdict.blocking)),
        "cost-usd": f"{sum(known):.4f}" if len(known) == len(spent) else "unknown",
        "report": str((folder / "report.json").relative_to(workspace)),
        "sarif": str((folder / "report.sarif").relative_to(workspace)),
        "baseline": str((folder / FILE_NAME).relative_to(workspace)) if ending.baseline else "",
        "patch": str((folder / PATCH).relative_to(workspace)) if review.patch else "",
    }
