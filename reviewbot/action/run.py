"""One run on GitHub, in order: event, commits, fetch, review, posting.

It runs after the rights were dropped (``action``). What was asked for is held against the API, the
commits go into a store of our own, and every end of the way is an ``Ending`` that can be reported.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from uuid import uuid4

from reviewbot.action.ending import QUIET, Ending, advised, answered, quiet, refuse, upload_to_code_scanning
from reviewbot.action.evidence import Place, fetch_artifacts, fetch_commits, fetch_jobs
from reviewbot.action.inputs import (
    InputError,
    Inputs,
    api_url,
    parse_inputs,
    refuse_choices,
    reviewed_environment,
)
from reviewbot.action.report import report_proof
from reviewbot.action.scan import Desk, find_scan_under_way, is_default_branch, scan_on_github
from reviewbot.action.trigger import trigger_of
from reviewbot.action.workspace import below, below_workspace
from reviewbot.change.command import Command, Verb
from reviewbot.change.git import Repository
from reviewbot.change.github_events import CommentEvent, DispatchEvent, Event, ScheduleEvent, WorkflowRunEvent
from reviewbot.change.job_logs import FailedJobs
from reviewbot.change.payload import event_kind, parse_event
from reviewbot.change.skipped import refuse_skipped_author
from reviewbot.change.targets import (
    HeadMoved,
    HeadUnknown,
    Named,
    Target,
    find_named,
    find_of_event,
    find_scanned,
    refuse_moved_head,
)
from reviewbot.core import Review, Sha, Trigger
from reviewbot.engine import will_ask_claude
from reviewbot.errors import Interrupted, ReviewbotError, own_fault
from reviewbot.github.api import GitHub, GitHubError, SharedPolicy
from reviewbot.journal import Journal
from reviewbot.pipeline import review_repository
from reviewbot.publish.checks import (
    ADVISORY,
    CHECK_GATE,
    JOB_GATE,
    JOB_GATES,
    check_name,
    publish_check_run,
)
from reviewbot.publish.commands import follow_command, report_review
from reviewbot.publish.github import Posted, publish_to_pull_request
from reviewbot.publish.issue_commands import follow_below_issue
from reviewbot.publish.memory import remember
from reviewbot.publish.progress import Progress
from reviewbot.publish.threads import last_round, with_memory
from reviewbot.request import Request
from reviewbot.signals import Terminated
from reviewbot.verdict.failed import failed_review

FEW_REQUESTS = 2
"""After so many there is room for one more within six (DESIGN §7): three are left to post the review."""


def conduct(event: bytes | ReviewbotError, environment: Mapping[str, str], journal: Journal) -> Ending:
    """Review and post what ``event`` asks for; whatever goes wrong is in the Ending.

    ``event`` is the payload, or why there is none; ``environment`` is the step's.
    """
    run = _Run(environment, journal)
    try:
        if isinstance(event, ReviewbotError):
            raise event
        return run.conduct(event)
    except ReviewbotError as problem:
        error = problem
    except Terminated as stop:  # the runner gives a cancelled job seconds: no request, only the files
        return run.stopped(stop)
    except Exception as problem:  # a fault of ours must end in a verdict and its reports, too
        error = own_fault(problem)
    journal.write("run_failed", error=type(error).__name__, detail=ascii(str(error))[1:-1])
    ending = run.write_check(failed_review(run.trigger, error))
    return run.reply(replace(ending, exit_code=max(ending.exit_code, error.exit_code)))


class _Run:
    """One run, with what is known of it so far, so that every end of it can be reported."""

    def __init__(self, environment: Mapping[str, str], journal: Journal) -> None:
        self.environment, self.journal = environment, journal
        self.step = Progress(sys.stderr).step
        self.inputs = Inputs()
        self.github: GitHub | None = None
        self.size_kib: int | None = None
        self.secrets_possible = True
        self.is_scan = self.is_tracked = False
        self.baseline: bytes | None = None
        self.asked_by: CommentEvent | None = None
        self.command = Command(Verb.REVIEW)
        self.shared_policy: SharedPolicy | None = None
        self.review: Review | None = None
        self.run_id: int | None = None
        self.jobs = FailedJobs()
        self.evidence = Path(environment.get("GITHUB_WORKSPACE", ""))
        self.is_pull_request = environment.get("GITHUB_EVENT_NAME", "") == "pull_request"
        self.trigger = Trigger(
            run_id=uuid4().hex,
            kind=event_kind(environment.get("GITHUB_EVENT_NAME", "")),
            repository=environment.get("GITHUB_REPOSITORY", ""),
            actor=environment.get("GITHUB_ACTOR", ""),
            base_sha="",
            policy_sha="",
            head_sha="",
        )

    def conduct(self, data: bytes) -> Ending:
        """Event to ending. Raises ReviewbotError where no commit was reviewed."""
        self.inputs = parse_inputs(self.environment)
        event = parse_event(self.environment.get("GITHUB_EVENT_NAME", ""), data, self.environment)
        self._learn(event)
        github = self.github = self._connect()
        if self.inputs.proof:
            return report_proof(event, github, self.trigger, self.inputs, self.environment)
        if isinstance(event, CommentEvent):
            follow = follow_command if event.on_pull_request else follow_below_issue
            followed = follow(event, github, self.inputs.state_key)
            self.journal.write("command_followed", wants_review=followed.review is not None)
            if followed.review is None:
                return answered(self.trigger, followed)
            self.asked_by, self.command = event, followed.review
        if self._asks_claude():
            from reviewbot.agents.api.claude import preload  # noqa: PLC0415 - only where models are asked

            preload()
        with self.step("asking GitHub for the commits"):
            target = self._find_target(event, github)
        said, name = target.conversation or target.history, target.trigger.repository
        self.shared_policy = said.shared_policy if said else github.read_shared_policy(name)
        self.trigger = target.trigger
        self.journal.write("target_found", head_sha=target.trigger.head_sha, requests=github.requests)
        with tempfile.TemporaryDirectory(prefix="reviewbot-") as folder:
            with self.step("fetching the commits"):
                last = last_round(target, self.inputs.state_key)
                wished = (last.head_sha,) if last else self._under_way()
                repository = fetch_commits(self._place(), Path(folder) / "store", self.trigger, wished)
            if self.run_id is not None:
                self.evidence = Path(folder) / "artifacts"
                with self.step("fetching the artifacts"):
                    fetch_artifacts(github, self._place(), self.run_id, self.evidence)
            if self.inputs.job_logs:
                with self.step("fetching the logs of failed jobs"):
                    self.jobs = fetch_jobs(github, self._place(), self.trigger.head_sha, self.run_id)
            with repository:
                ending = self._review_and_publish(repository, target, github)
            if self.inputs.upload_sarif and not (self.command.is_advice or self.inputs.is_quiet):
                with self.step("handing the findings to code scanning"):
                    ending = upload_to_code_scanning(ending, github, self.environment, is_scan=self.is_scan)
        ending = replace(self.reply(ending), baseline=self.baseline)
        self.journal.write("published", requests=github.requests, problems=len(ending.problems))
        return ending

    def stopped(self, stop: Terminated) -> Ending:
        """The ending of a run that a signal ended, whatever it had found by then."""
        error = Interrupted("The review was interrupted.")
        known = stop.review or (refuse(self.review, error) if self.review else None)
        self.journal.write("run_stopped", signal=stop.number)
        gate = JOB_GATE if self.trigger.kind in JOB_GATES else ADVISORY
        return Ending(known or failed_review(self.trigger, error), gate, exit_code=128 + stop.number)

    def _asks_claude(self) -> bool:
        environment = reviewed_environment(self.environment, self.inputs)
        return will_ask_claude(self.inputs.overrides.get("engine"), environment)

    def reply(self, ending: Ending) -> Ending:
        """Tell whoever asked for this review in a comment what became of it."""
        event, self.asked_by = self.asked_by, None
        if event is None or self.github is None:
            return ending
        problems = report_review(event, self.command, self.github, ending.review, self.inputs.state_key)
        return replace(ending, problems=(*ending.problems, *problems))

    def _learn(self, event: Event) -> None:
        """Take from the event what the report of any end should name."""
        self.size_kib = event.size_kib
        self.trigger = trigger_of(self.trigger, event)
        self.run_id = event.run_id if isinstance(event, WorkflowRunEvent) else None

    def _connect(self) -> GitHub:
        if not self.inputs.token:
            raise InputError(
                "The input `github-token` is empty.",
                help="Leave it out (the job's own token is the default), or name a secret that is set.",
            )
        return GitHub(
            self.inputs.token,
            api_url=api_url(self.environment),
            graphql_url=self.environment.get("GITHUB_GRAPHQL_URL") or "https://api.github.com/graphql",
        )

    def _find_target(self, event: Event, github: GitHub) -> Target:
        inputs = self.inputs
        if not isinstance(event, DispatchEvent | ScheduleEvent):
            refuse_choices(inputs)
            return find_of_event(github, self.trigger, event)
        self.is_scan = inputs.mode == "scan" or (isinstance(event, ScheduleEvent) and inputs.mode == "auto")
        self.trigger = replace(self.trigger, pull_number=inputs.pull_request)
        named = Named(inputs.pull_request, inputs.base, inputs.head)
        if inputs.for_scans and not self.is_scan:
            said = f"The input `{inputs.for_scans[0]}` is for scans."
            raise InputError(said, help="Leave it out, or set `mode: scan`.")
        if self.is_scan:
            self.is_tracked = is_default_branch(event) and not inputs.head
            return find_scanned(github, self.trigger, named, self.environment.get("GITHUB_SHA", ""))
        return find_named(github, self.trigger, named)

    def _place(self) -> Place:
        return Place(self.trigger.repository, self.inputs, self.environment, self.size_kib)

    def _review_and_publish(self, repository: Repository, target: Target, github: GitHub) -> Ending:
        asked = self._request()
        refuse_skipped_author(repository, target, asked.asked)
        self._stop_if_superseded(target, github)
        request, notes = with_memory(asked, target, github, self.inputs.state_key)
        review = self._review(repository, target, request, notes)
        if self.command.is_advice:
            return advised(review)
        if self.inputs.is_quiet:
            return quiet(review, is_part=self.inputs.is_part)
        ending = self._publish(review, target, github, repository)
        if not self._turned_out_read_only(ending):
            return ending
        # Neither a key nor the right to write: this run was given no secrets, and cannot be.
        self.secrets_possible = False
        request = replace(request, secrets_possible=False)
        return replace(ending, review=self._review(repository, target, request, notes))

    def _review(
        self, repository: Repository, target: Target, request: Request, notes: Sequence[str]
    ) -> Review:
        trigger = replace(target.trigger, base_sha=target.trigger.base_sha or repository.empty_tree)
        if self.is_scan:
            review, self.baseline = scan_on_github(
                repository, trigger, request, self.journal, self.step, self._desk()
            )
        else:
            review = review_repository(repository, trigger, request, self.journal, self.step)
        review = replace(review, notes=tuple(note for note in (*notes, *review.notes) if note))
        self.review = below_workspace(review, str(self.evidence))
        return self.review

    def _under_way(self) -> tuple[Sha, ...]:
        return find_scan_under_way(self._desk(), self.trigger.repository) if self.is_scan else ()

    def _desk(self) -> Desk:
        return Desk.of(self.github if self.is_tracked else None, self.inputs, self.environment)

    def _stop_if_superseded(self, target: Target, github: GitHub) -> None:
        """Ask no model about a head that is no longer there. Raises HeadMoved."""
        if self._asks_claude() and github.requests <= FEW_REQUESTS:
            refuse_moved_head(github, target.trigger)

    def _turned_out_read_only(self, ending: Ending) -> bool:
        missing = any(reason.code == "missing_credentials" for reason in ending.review.verdict.reasons)
        read_only = ending.posted is not None and ending.posted.read_only
        return self.is_pull_request and self.secrets_possible and missing and read_only

    def _request(self) -> Request:
        inputs, folder = self.inputs, str(self.evidence)
        return Request(
            sarif=below(folder, inputs.sarif, "sarif"),
            junit=below(folder, inputs.junit, "junit"),
            logs=below(folder, inputs.logs, "logs"),
            jobs=self.jobs,
            asked=inputs.asked(self.shared_policy),
            environment=reviewed_environment(self.environment, inputs),
            secrets_possible=self.secrets_possible,
            full=self.command.full,
            agents=self.command.agents or inputs.agents,
            paths=inputs.paths,
            secrets=tuple(
                filter(
                    None,
                    (
                        inputs.anthropic_key,
                        inputs.token,
                        (inputs.state_key or b"").decode("utf-8", "surrogateescape"),
                    ),
                )
            ),
        )

    def _job_address(self) -> str | None:
        run, server = self.environment.get("GITHUB_RUN_ID", ""), self.environment.get("GITHUB_SERVER_URL", "")
        if not (run.isascii() and run.isdigit() and server.startswith("https://")):
            return None
        return f"{server}/{self.trigger.repository}/actions/runs/{run}"

    def _publish(self, review: Review, target: Target, github: GitHub, repository: Repository) -> Ending:
        key, checked = self.inputs.state_key, cache(lambda: self.write_check(review))
        if target.conversation is None:
            return checked()
        with self.step("posting the review"):
            posted = publish_to_pull_request(
                review,
                github,
                target.conversation,
                limit=self.inputs.max_comments,
                key=key,
                gate=lambda: checked().gate,
                remembered=remember(review, repository, key) if key else (),
            )
        ending = self._refused(review, posted) or checked()
        return replace(ending, posted=posted, problems=(*ending.problems, *posted.problems))

    def _refused(self, review: Review, posted: Posted) -> Ending | None:
        """The ending of a review that is no longer known to be about what would merge, else None."""
        if posted.moved:
            error: ReviewbotError = HeadMoved("The pull request changed while it was reviewed.")
        elif posted.unread:
            error = HeadUnknown("The head of the pull request could not be read again after the review.")
        else:
            return None
        return self.write_check(refuse(review, error))

    def write_check(self, review: Review) -> Ending:
        """Where the job's exit code gates nothing, write the verdict on the commit, also that of a failure.

        Whoever gates on the check must not find an older one in its place, so a check that cannot be
        written is no success; but a token without the right makes the review advisory.
        """
        if review.trigger.kind in JOB_GATES:
            return Ending(review, JOB_GATE)
        if self.inputs.is_quiet:
            return Ending(review, QUIET)
        if self.github is None or not review.trigger.head_sha or self.command.is_advice:
            return Ending(review, ADVISORY)
        name = check_name(review.trigger, is_scan=self.is_scan)
        try:
            written = publish_check_run(
                review,
                self.github,
                review.trigger.repository,
                name=name,
                details_url=self._job_address(),
            )
        except GitHubError as error:
            problem = f"The check run could not be written: {error.sentences}"
            return Ending(review, ADVISORY, None, (problem,), error.exit_code)
        gate = CHECK_GATE.format(name) if written else ADVISORY
        return Ending(review, gate, None, written.problems if written else ())
