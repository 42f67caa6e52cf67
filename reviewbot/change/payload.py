"""The event that a workflow runner hands over: bytes -> what happened to which repository.

Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Payloads differ by age and by
server, so only what is used must be there; what is there must have its type.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping

from reviewbot.change.github_events import (
    CommentEvent,
    DispatchEvent,
    Event,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    ScheduleEvent,
    WorkflowRunEvent,
)
from reviewbot.change.payload_json import (
    Malformed,
    Node,
    flag_at,
    node_at,
    node_or_empty,
    number_at,
    parse_json,
    sha_at,
    text_at,
    text_or_none,
)
from reviewbot.core import TriggerKind
from reviewbot.errors import ReviewbotError
from reviewbot.text import show_surrogates, visible_line

REVIEWED_ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review", "edited")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*/(?!\.\.?$)[A-Za-z0-9_.-]+")
_BRANCH = "refs/heads/"
_QUEUED = re.compile(r"^refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,9})-[0-9a-f]{40,64}$")


class EventError(ReviewbotError):
    """An event that is unknown, or whose payload cannot be read."""

    help = (
        "Run reviewbot on pull_request, pull_request_target, merge_group, push, issue_comment, "
        "workflow_run, workflow_dispatch or schedule; the README shows the workflows."
    )


class NotReviewed(ReviewbotError):
    """An event after which there is nothing to review, which must not pass as a review."""

    exit_code = 3
    reason = "no_review"
    help = f"Let the workflow run on the types {', '.join(REVIEWED_ACTIONS)} only."


def parse_event(name: str, data: bytes, environment: Mapping[str, str]) -> Event:
    """Read the payload of the event ``name`` (GITHUB_EVENT_NAME); ``environment`` is the runner's.

    Raises:
        EventError: the event is not supported, or the payload is empty, malformed or of another
            repository than GITHUB_REPOSITORY. NotReviewed: an action or a push without a change.
    """
    read = _readers().get(name)
    if read is None:
        raise EventError(f"The event {ascii(name)[:80]} is not supported.")
    try:
        payload = parse_json(data)
        return read(payload, _repository(payload, environment), environment)
    except Malformed as error:
        raise EventError(f"The payload of the event {name} {visible_line(str(error))[:300]}.") from None


def event_kind(name: str) -> TriggerKind:
    """What a report calls the event of this name, also where its payload could not be read."""
    known = {"pull_request_target": "pull_request"}.get(name, name)
    return TriggerKind(known) if known in list(TriggerKind) else TriggerKind.LOCAL


def _readers() -> Mapping[str, Callable[[Node, str, Mapping[str, str]], Event]]:
    """Every event that is understood; anything else is an error."""
    return {
        "pull_request": _pull_request,
        "pull_request_target": _pull_request,
        "merge_group": _merge_group,
        "push": _push,
        "issue_comment": _comment,
        "workflow_run": _workflow_run,
        "workflow_dispatch": _dispatch,
        "schedule": _schedule,
    }


def _pull_request(payload: Node, repository: str, environment: Mapping[str, str]) -> PullRequestEvent:
    _check_action(payload, REVIEWED_ACTIONS, "pull request")
    pull = node_at(payload, "pull_request")
    head, base = node_at(pull, "head"), node_at(pull, "base")
    head_repository = text_or_none(node_or_empty(head, "repo"), "full_name")
    return PullRequestEvent(
        action=text_at(payload, "action"),
        repository=repository,
        number=number_at(pull, "number"),
        head_sha=sha_at(head),
        head_ref=text_at(head, "ref"),
        head_repository=head_repository,
        base_ref=text_at(base, "ref"),
        base_tip=sha_at(base),
        is_fork=head_repository is None or head_repository.lower() != repository.lower(),
        is_draft=flag_at(pull, "draft"),
        state=text_at(pull, "state"),
        author=text_or_none(node_or_empty(pull, "user"), "login") or "ghost",
        actor=_actor(payload, environment),
        size_kib=_size_kib(payload),
    )


def _merge_group(payload: Node, repository: str, environment: Mapping[str, str]) -> MergeGroupEvent:
    _check_action(payload, ("checks_requested",), "merge group")
    group = node_at(payload, "merge_group")
    base_ref = text_at(group, "base_ref")
    if not base_ref.startswith(_BRANCH):
        raise Malformed("has a merge group whose base is no branch")
    named = _QUEUED.search(text_at(group, "head_ref"))
    return MergeGroupEvent(
        repository=repository,
        head_sha=sha_at(group, "head_sha"),
        base_sha=sha_at(group, "base_sha"),
        base_branch=base_ref.removeprefix(_BRANCH),
        pull_number=int(named[1]) if named else None,
        actor=_actor(payload, environment),
        size_kib=_size_kib(payload),
    )


def _push(payload: Node, repository: str, environment: Mapping[str, str]) -> PushEvent:
    ref, before, after = text_at(payload, "ref"), sha_at(payload, "before"), sha_at(payload, "after")
    if not ref.startswith(_BRANCH):
        what = f"{visible_line(ref)[:80]} is no branch"
        raise NotReviewed(f"Nothing was reviewed: {what}.", help="Let `push` name `branches:`, no tags.")
    if not after.strip("0"):
        raise NotReviewed("Nothing was reviewed: the branch was deleted.", help="This run can be ignored.")
    return PushEvent(
        repository=repository,
        branch=ref.removeprefix(_BRANCH),
        before=before if before.strip("0") else None,
        after=after,
        actor=_actor(payload, environment),
        default_branch=text_at(node_at(payload, "repository"), "default_branch"),
        size_kib=_size_kib(payload),
    )


def _comment(payload: Node, repository: str, environment: Mapping[str, str]) -> CommentEvent:
    _check_action(payload, ("created",), "comment")
    issue, comment = node_at(payload, "issue"), node_at(payload, "comment")
    user = node_or_empty(comment, "user")
    return CommentEvent(
        repository=repository,
        number=number_at(issue, "number"),
        on_pull_request=issue.get("pull_request") is not None,
        comment_id=number_at(comment, "id"),
        body=text_at(comment, "body") if comment.get("body") else "",
        author=text_or_none(user, "login") or "ghost",
        by_person=user.get("type") == "User",
        actor=_actor(payload, environment),
        size_kib=_size_kib(payload),
    )


def _workflow_run(payload: Node, repository: str, environment: Mapping[str, str]) -> WorkflowRunEvent:
    _check_action(payload, ("completed",), "run of a workflow")
    run = node_at(payload, "workflow_run")
    if (event := text_at(run, "event")) not in ("pull_request", "pull_request_target"):
        what = f"the workflow ran on {visible_line(event)[:80]}, not for a pull request"
        raise NotReviewed(f"Nothing was reviewed: {what}.", help="Name a workflow of pull requests.")
    head = node_or_empty(run, "head_repository")
    if not head:
        raise NotReviewed("Nothing was reviewed: the fork is gone.", help="This run can be ignored.")
    return WorkflowRunEvent(
        repository=repository,
        run_id=number_at(run, "id"),
        head_sha=sha_at(run, "head_sha"),
        head_branch=text_at(run, "head_branch"),
        head_owner=text_at(node_at(head, "owner"), "login"),
        actor=_actor(payload, environment),
        size_kib=_size_kib(payload),
    )


def _check_action(payload: Node, understood: tuple[str, ...], what: str) -> None:
    action = text_at(payload, "action")
    if action not in understood:
        raise NotReviewed(
            f"Nothing was reviewed: the {what} was {visible_line(action)[:80]}.",
            help=f"Let the workflow run on the types {', '.join(understood)} only.",
        )


def _dispatch(payload: Node, repository: str, environment: Mapping[str, str]) -> DispatchEvent:
    return DispatchEvent(
        repository=repository,
        ref=text_at(payload, "ref"),
        actor=_actor(payload, environment),
        inputs=dict(_inputs(node_or_empty(payload, "inputs"))),
        default_branch=text_or_none(node_or_empty(payload, "repository"), "default_branch"),
        size_kib=_size_kib(payload),
    )


def _schedule(payload: Node, repository: str, environment: Mapping[str, str]) -> ScheduleEvent:
    return ScheduleEvent(
        repository=repository,
        actor=_actor(payload, environment),
        default_branch=text_or_none(node_or_empty(payload, "repository"), "default_branch"),
        size_kib=_size_kib(payload),
    )


def _repository(payload: Node, environment: Mapping[str, str]) -> str:
    """The repository of the payload (a schedule may have none), which must be the runner's own."""
    own = environment.get("GITHUB_REPOSITORY", "")
    named = text_or_none(node_or_empty(payload, "repository"), "full_name") or own
    if not _REPOSITORY.fullmatch(named):
        raise Malformed(f"names no repository: repository.full_name is {ascii(named)[:80]}")
    if own and own.lower() != named.lower():
        raise Malformed(f"is of {named}, but GITHUB_REPOSITORY is {ascii(own)[:140]}")
    return named


def _actor(payload: Node, environment: Mapping[str, str]) -> str:
    sender = text_or_none(node_or_empty(payload, "sender"), "login")
    return sender or show_surrogates(environment.get("GITHUB_ACTOR", "")) or "unknown"


def _size_kib(payload: Node) -> int | None:
    size = node_or_empty(payload, "repository").get("size")
    return size if type(size) is int and size >= 0 else None


def _inputs(node: Node) -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        if isinstance(value, dict | list):
            raise Malformed(f"has an input {ascii(name)[:80]} that is no text")
        if value is not None:
            yield show_surrogates(name), show_surrogates(value) if type(value) is str else json.dumps(value)
