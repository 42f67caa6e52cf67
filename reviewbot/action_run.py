"""One run on GitHub, in order: event, commits, fetch, review, posting.

It runs after the rights were dropped (``action``). What was asked for is held against the API, the
commits go into a store of our own, and every end of the way is an ``Ending`` that can be reported.
"""

import glob
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from reviewbot.action_inputs import InputError, Inputs, parse_inputs
from reviewbot.change.fetch import fetch_store
from reviewbot.change.git import Repository
from reviewbot.change.payload import DispatchEvent, PullRequestEvent, ScheduleEvent, parse_event
from reviewbot.change.policy_file import Asked
from reviewbot.change.targets import HeadMoved, Target, find_pull_request, find_range, find_tree
from reviewbot.core import Conclusion, Review, Sha, Trigger, TriggerKind
from reviewbot.errors import NoReview, ReviewbotError
from reviewbot.github_api import GitHub, GitHubError
from reviewbot.journal import Journal
from reviewbot.pipeline import failed_review, review_repository
from reviewbot.publish.github import Posted, publish_check_run, publish_to_pull_request
from reviewbot.publish.progress import Progress
from reviewbot.request import Request
from reviewbot.scan import scan_repository
from reviewbot.settings import POLICY_PATH

LARGE_KIB = 100 * 1024
"""From this size on a repository's files are fetched one by one, as the review needs them."""

_WITHHELD = (
    *("INPUT_", "ACTIONS_", "GITHUB_TOKEN", "GH_TOKEN"),
    *("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"),
)
"""Beginnings of the names of variables that nothing below may see: inputs, tokens, the runner's files."""

JOB_GATE = "The exit code of this job is the gate: require the job in a branch rule or a required workflow."
CHECK_GATE = "The gate is the check run `reviewbot` on the reviewed commit."
ADVISORY = (
    "This review is advisory: this event gates by a check run on the reviewed commit, and none was written "
    "(give the job `checks: write`)."
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A review, what it means for the merge, and what became of it on GitHub."""

    review: Review
    gate: str = ""
    posted: Posted | None = None
    problems: tuple[str, ...] = ()
    exit_code: int = 0

    @property
    def annotated(self) -> bool:
        """Whether the log must say what no comment says."""
        return self.posted is None or self.posted.denied or bool(self.posted.problems)


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
    except Exception as problem:  # a fault of ours must end in a verdict and its reports, too
        place = traceback.extract_tb(problem.__traceback__)[-1]
        where = f"{type(problem).__name__} at {Path(place.filename).name}:{place.lineno}"
        error = NoReview(f"reviewbot itself failed ({where}).")
    journal.write("run_failed", error=type(error).__name__, detail=ascii(str(error))[1:-1])
    ending = run.write_check(failed_review(run.trigger, error))
    return replace(ending, exit_code=max(ending.exit_code, error.exit_code))


class _Run:
    """One run, with what is known of it so far, so that every end of it can be reported."""

    def __init__(self, environment: Mapping[str, str], journal: Journal) -> None:
        self.environment, self.journal = environment, journal
        self.step = Progress(sys.stderr).step
        self.inputs = Inputs()
        self.github: GitHub | None = None
        self.size_kib: int | None = None
        self.secrets_possible = True
        self.is_scan = False
        self.is_pull_request = environment.get("GITHUB_EVENT_NAME", "") == "pull_request"
        self.trigger = Trigger(
            run_id=uuid4().hex,
            kind=_kind(environment.get("GITHUB_EVENT_NAME", "")),
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
        with self.step("asking GitHub for the commits"):
            target = self._find_target(event, github)
        self.trigger = target.trigger
        self.journal.write("target_found", head_sha=target.trigger.head_sha, requests=github.requests)
        with tempfile.TemporaryDirectory(prefix="reviewbot-") as folder:
            with self.step("fetching the commits"):
                repository = self._fetch(Path(folder) / "store")
            with repository:
                ending = self._review_and_publish(repository, target, github)
        self.journal.write("published", requests=github.requests, problems=len(ending.problems))
        return ending

    def _learn(self, event: PullRequestEvent | DispatchEvent | ScheduleEvent) -> None:
        """Take from the event what the report of any end should name."""
        self.size_kib = event.size_kib
        self.trigger = replace(self.trigger, repository=event.repository, actor=event.actor)
        if isinstance(event, PullRequestEvent):
            self.secrets_possible = not (self.is_pull_request and event.is_fork)
            self.trigger = replace(
                self.trigger,
                kind=TriggerKind.PULL_REQUEST,
                head_sha=event.head_sha,
                pull_number=event.number,
                is_fork=event.is_fork,
            )

    def _connect(self) -> GitHub:
        if not self.inputs.token:
            raise InputError(
                "The input `github-token` is empty.",
                help="Leave it out (the job's own token is the default), or name a secret that is set.",
            )
        return GitHub(
            self.inputs.token,
            api_url=self.environment.get("GITHUB_API_URL") or "https://api.github.com",
            graphql_url=self.environment.get("GITHUB_GRAPHQL_URL") or "https://api.github.com/graphql",
        )

    def _find_target(self, event: PullRequestEvent | DispatchEvent | ScheduleEvent, github: GitHub) -> Target:
        inputs = self.inputs
        if isinstance(event, PullRequestEvent):
            _refuse_choices(inputs)
            return find_pull_request(github, self.trigger, drafts=False)
        if inputs.mode == "scan" or (isinstance(event, ScheduleEvent) and inputs.mode == "auto"):
            if inputs.base or inputs.pull_request is not None:
                raise InputError("A scan reads one commit whole: it takes neither `base` nor `pull-request`.")
            self.is_scan = True
            # Any of these names a commit; a runner sets the second, and the last is the default branch.
            return find_tree(
                github, self.trigger, inputs.head or self.environment.get("GITHUB_SHA") or "HEAD"
            )
        if inputs.pull_request is not None:
            if inputs.base or inputs.head:
                raise InputError("The input `pull-request` excludes `base` and `head`.")
            self.trigger = replace(self.trigger, pull_number=inputs.pull_request)
            return find_pull_request(github, self.trigger, drafts=True)
        if inputs.base and inputs.head:
            return find_range(github, self.trigger, inputs.base, inputs.head)
        raise InputError(
            "Nothing says what to review.",
            help="Give the input `pull-request`, or `base` and `head`, or `mode: scan`.",
        )

    def _fetch(self, folder: Path) -> Repository:
        trigger, server = self.trigger, self.environment.get("GITHUB_SERVER_URL") or "https://github.com"
        named = (trigger.head_sha, trigger.base_sha, trigger.policy_sha)
        wanted: Sequence[Sha] = tuple(dict.fromkeys(sha for sha in named if sha))
        partial = self.size_kib is None or self.size_kib > LARGE_KIB
        store = fetch_store(
            folder,
            f"{server.rstrip('/')}/{trigger.repository}.git",
            self.inputs.token,
            wanted,
            partial=partial,
            environment=_passed_on(self.environment),
        )
        return Repository(store.git_dir, fetch_missing=store.fetch_objects if partial else None)

    def _review_and_publish(self, repository: Repository, target: Target, github: GitHub) -> Ending:
        ending = self._publish(self._review(repository, target), target, github)
        if not self._turned_out_read_only(ending):
            return ending
        # Neither a key nor the right to write: this run was given no secrets, and cannot be.
        self.secrets_possible = False
        return replace(ending, review=self._review(repository, target))

    def _review(self, repository: Repository, target: Target) -> Review:
        trigger, read = target.trigger, review_repository
        if self.is_scan:
            trigger, read = replace(trigger, base_sha=repository.empty_tree), scan_repository
        review = read(repository, trigger, self._request(), self.journal, self.step)
        return replace(review, notes=tuple(note for note in (target.note, *review.notes) if note))

    def _turned_out_read_only(self, ending: Ending) -> bool:
        missing = any(reason.code == "missing_credentials" for reason in ending.review.verdict.reasons)
        denied = ending.posted is not None and ending.posted.denied
        return self.is_pull_request and self.secrets_possible and missing and denied

    def _request(self) -> Request:
        inputs, workspace = self.inputs, self.environment.get("GITHUB_WORKSPACE", "")
        environment = {**_passed_on(self.environment), "CI": "true"}
        if inputs.anthropic_key:
            environment["ANTHROPIC_API_KEY"] = inputs.anthropic_key
        if inputs.base_url:
            environment["ANTHROPIC_BASE_URL"] = inputs.base_url
        return Request(
            sarif=_below(workspace, inputs.sarif),
            junit=_below(workspace, inputs.junit),
            asked=Asked(path=inputs.policy or POLICY_PATH, overrides=inputs.overrides, tighten=True),
            environment=environment,
            secrets_possible=self.secrets_possible,
        )

    def _job_address(self) -> str | None:
        run, server = self.environment.get("GITHUB_RUN_ID", ""), self.environment.get("GITHUB_SERVER_URL", "")
        if not (run.isascii() and run.isdigit() and server.startswith("https://")):
            return None
        return f"{server}/{self.trigger.repository}/actions/runs/{run}"

    def _publish(self, review: Review, target: Target, github: GitHub) -> Ending:
        ending = self.write_check(review)
        if target.conversation is None:
            return ending
        with self.step("posting the review"):
            posted = publish_to_pull_request(
                review,
                github,
                target.conversation,
                limit=self.inputs.max_comments,
                key=self.inputs.state_key,
                gate=ending.gate,
            )
        if posted.moved:
            review = _refuse(review, HeadMoved("The pull request changed while it was reviewed."))
        problems = (*ending.problems, *posted.problems)
        return replace(ending, review=review, posted=posted, problems=problems)

    def write_check(self, review: Review) -> Ending:
        """Where the job's exit code gates nothing, write the verdict on the commit, also that of a failure.

        Whoever gates on the check must not find an older one in its place, so a check that cannot be
        written is no success; but a token without the right makes the review advisory.
        """
        if review.trigger.kind is TriggerKind.PULL_REQUEST:
            return Ending(review, JOB_GATE)
        if self.github is None or not review.trigger.head_sha:
            return Ending(review, ADVISORY)
        try:
            written = publish_check_run(
                review, self.github, review.trigger.repository, details_url=self._job_address()
            )
        except GitHubError as error:
            problem = f"The check run could not be written: {error.sentences}"
            return Ending(review, ADVISORY, None, (problem,), error.exit_code)
        return Ending(review, CHECK_GATE if written else ADVISORY)


def _refuse_choices(inputs: Inputs) -> None:
    """On a pull request the workflow file may come from the change itself: it must not choose commits."""
    chosen = {
        "mode": inputs.mode != "auto",
        "pull-request": inputs.pull_request is not None,
        "base": bool(inputs.base),
        "head": bool(inputs.head),
    }
    for name, given in chosen.items():
        if given:
            raise InputError(
                f"The input `{name}` cannot be used on a pull request: the event says what is reviewed.",
                help="Leave it out here; it is for `workflow_dispatch` and `schedule`.",
            )


def _refuse(review: Review, error: ReviewbotError) -> Review:
    """The same review, its verdict no success whatever it was."""
    refused = failed_review(review.trigger, error, review.changes).verdict
    verdict = replace(
        review.verdict,
        conclusion=Conclusion.FAIL if review.verdict.blocking else Conclusion.INCOMPLETE,
        exit_code=max(review.verdict.exit_code, refused.exit_code),
        reasons=(*refused.reasons[:1], *review.verdict.reasons),
    )
    return replace(review, verdict=verdict)


def _kind(name: str) -> TriggerKind:
    """The kind that a report names where the event could not be read."""
    known = {"pull_request_target": "pull_request"}.get(name, name)
    return TriggerKind(known) if known in list(TriggerKind) else TriggerKind.LOCAL


def _passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the inputs, the tokens and the runner's files."""
    return {name: value for name, value in environment.items() if not name.startswith(_WITHHELD)}


def _below(workspace: str, patterns: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(Path(glob.escape(workspace)) / pattern) for pattern in patterns)
