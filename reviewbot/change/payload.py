"""The event that a workflow runner hands over: bytes -> what happened to which repository.

Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Payloads differ by age and by
server, so only what is used must be there; what is there must have its type.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from reviewbot.core import Sha
from reviewbot.errors import ReviewbotError
from reviewbot.text import show_surrogates, visible_line

MAX_PAYLOAD_BYTES = 25 * 1024 * 1024
"""GitHub's own cap on a webhook payload."""

MAX_DEPTH = 100
REVIEWED_ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review", "edited")
PULL_REQUEST_EVENTS = ("pull_request", "pull_request_target")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*/(?!\.\.?$)[A-Za-z0-9_.-]+")

Node = Mapping[str, Any]
"""One JSON object whose values nobody has checked yet."""


class EventError(ReviewbotError):
    """An event that is unknown, or whose payload cannot be read."""

    help = "Run reviewbot on pull_request, workflow_dispatch or schedule; the README shows the workflows."


class NotReviewed(ReviewbotError):
    """An event after which there is nothing to review, which must not pass as a review."""

    exit_code = 3
    reason = "no_review"
    help = f"Let the workflow run on the types {', '.join(REVIEWED_ACTIONS)} only."


@dataclass(frozen=True, slots=True)
class PullRequestEvent:
    """Something happened to a pull request. ``base_tip`` is the tip of the base branch at that time.

    ``head_repository`` is None where the fork was deleted; it is a fork all the same. ``author`` opened
    the pull request (``ghost`` where the account is gone), ``actor`` caused the event.
    """

    action: str
    repository: str
    number: int
    head_sha: Sha
    head_ref: str
    head_repository: str | None
    base_ref: str
    base_tip: Sha
    is_fork: bool
    is_draft: bool
    state: str
    author: str
    actor: str
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class DispatchEvent:
    """Somebody started the workflow by hand; ``inputs`` are those of the workflow, not of the action."""

    repository: str
    ref: str
    actor: str
    inputs: Mapping[str, str]
    default_branch: str | None
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class ScheduleEvent:
    """The clock started the workflow."""

    repository: str
    actor: str
    default_branch: str | None
    size_kib: int | None


def parse_event(
    name: str, data: bytes, environment: Mapping[str, str]
) -> PullRequestEvent | DispatchEvent | ScheduleEvent:
    """Read the payload of the event ``name`` (GITHUB_EVENT_NAME); ``environment`` is the runner's.

    Raises:
        EventError: the event is not supported, or the payload is empty, malformed or of another
            repository than GITHUB_REPOSITORY. NotReviewed: a pull request action without a change.
    """
    if name not in (*PULL_REQUEST_EVENTS, "workflow_dispatch", "schedule"):
        raise EventError(f"The event {ascii(name)[:80]} is not supported.")
    try:
        payload = _parse_json(data)
        repository = _repository(payload, environment)
        if name == "schedule":
            return _schedule(payload, repository, environment)
        read = _dispatch if name == "workflow_dispatch" else _pull_request
        return read(payload, repository, environment)
    except _Malformed as error:
        raise EventError(f"The payload of the event {name} {visible_line(str(error))[:300]}.") from None


def _pull_request(payload: Node, repository: str, environment: Mapping[str, str]) -> PullRequestEvent:
    action = _text(payload, "action")
    if action not in REVIEWED_ACTIONS:
        raise NotReviewed(f"Nothing was reviewed: the pull request was {visible_line(action)[:80]}.")
    pull = _node(payload, "pull_request")
    head, base = _node(pull, "head"), _node(pull, "base")
    head_repository = _text_or_none(_node_or_empty(head, "repo"), "full_name")
    return PullRequestEvent(
        action=action,
        repository=repository,
        number=_number(pull, "number"),
        head_sha=_sha(head),
        head_ref=_text(head, "ref"),
        head_repository=head_repository,
        base_ref=_text(base, "ref"),
        base_tip=_sha(base),
        is_fork=head_repository is None or head_repository.lower() != repository.lower(),
        is_draft=_flag(pull, "draft"),
        state=_text(pull, "state"),
        author=_text_or_none(_node_or_empty(pull, "user"), "login") or "ghost",
        actor=_actor(payload, environment),
        size_kib=_size_kib(payload),
    )


def _dispatch(payload: Node, repository: str, environment: Mapping[str, str]) -> DispatchEvent:
    return DispatchEvent(
        repository=repository,
        ref=_text(payload, "ref"),
        actor=_actor(payload, environment),
        inputs=dict(_inputs(_node_or_empty(payload, "inputs"))),
        default_branch=_text_or_none(_node_or_empty(payload, "repository"), "default_branch"),
        size_kib=_size_kib(payload),
    )


def _schedule(payload: Node, repository: str, environment: Mapping[str, str]) -> ScheduleEvent:
    return ScheduleEvent(
        repository=repository,
        actor=_actor(payload, environment),
        default_branch=_text_or_none(_node_or_empty(payload, "repository"), "default_branch"),
        size_kib=_size_kib(payload),
    )


def _repository(payload: Node, environment: Mapping[str, str]) -> str:
    """The repository of the payload (a schedule may have none), which must be the runner's own."""
    own = environment.get("GITHUB_REPOSITORY", "")
    named = _text_or_none(_node_or_empty(payload, "repository"), "full_name") or own
    if not _REPOSITORY.fullmatch(named):
        raise _Malformed(f"names no repository: repository.full_name is {ascii(named)[:80]}")
    if own and own.lower() != named.lower():
        raise _Malformed(f"is of {named}, but GITHUB_REPOSITORY is {ascii(own)[:140]}")
    return named


def _actor(payload: Node, environment: Mapping[str, str]) -> str:
    sender = _text_or_none(_node_or_empty(payload, "sender"), "login")
    return sender or show_surrogates(environment.get("GITHUB_ACTOR", "")) or "unknown"


def _size_kib(payload: Node) -> int | None:
    size = _node_or_empty(payload, "repository").get("size")
    return size if type(size) is int and size >= 0 else None


def _inputs(node: Node) -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        if isinstance(value, dict | list):
            raise _Malformed(f"has an input {ascii(name)[:80]} that is no text")
        if value is not None:
            yield show_surrogates(name), show_surrogates(value) if type(value) is str else json.dumps(value)


# JSON that nobody checked.


class _Malformed(Exception):
    """What is wrong, as the end of a sentence that begins with the payload."""


def _parse_json(data: bytes) -> Node:
    if len(data) > MAX_PAYLOAD_BYTES:
        raise _Malformed(f"is larger than {MAX_PAYLOAD_BYTES >> 20} MiB")
    if not data.strip():
        raise _Malformed("is empty")
    try:
        document = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer
        )
    except RecursionError:
        raise _Malformed("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise _Malformed(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _Malformed(f"is no JSON at line {error.lineno}, column {error.colno}") from None
    if not isinstance(document, dict):
        raise _Malformed("is no JSON object")
    _check_depth(document)
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node = dict(pairs)
    if len(node) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Malformed(f"has the key {ascii(twice)[:80]} twice in one object")
    return node


def _refuse(text: str) -> NoReturn:
    raise _Malformed(f"holds {text}, which is no JSON number")


def _integer(text: str) -> int:
    if len(text) > 18:
        raise _Malformed(f"holds an integer of {len(text)} digits")
    return int(text)


def _check_depth(document: Node) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        children = (child for node in level for child in (node.values() if type(node) is dict else node))
        level = [child for child in children if type(child) in (dict, list)]
        if not level:
            return
    raise _Malformed(f"is nested deeper than {MAX_DEPTH} levels")


def _node(parent: Node, key: str) -> Node:
    value = parent.get(key)
    if not isinstance(value, dict):
        raise _Malformed(f"has no object {key!r}")
    return value


def _node_or_empty(parent: Node, key: str) -> Node:
    return {} if parent.get(key) is None else _node(parent, key)


def _text(parent: Node, key: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str) or not value:
        raise _Malformed(f"has no text {key!r}")
    return show_surrogates(value)


def _text_or_none(parent: Node, key: str) -> str | None:
    return None if parent.get(key) is None else _text(parent, key)


def _number(parent: Node, key: str) -> int:
    value = parent.get(key)
    if type(value) is not int or value < 1:
        raise _Malformed(f"has no positive number {key!r}")
    return value


def _flag(parent: Node, key: str) -> bool:
    """False where an older server does not say."""
    value = parent.get(key)
    if value is not None and type(value) is not bool:
        raise _Malformed(f"has a {key!r} that is neither true nor false")
    return bool(value)


def _sha(parent: Node) -> Sha:
    value = parent.get("sha")
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        raise _Malformed("has a commit that is no full object id")
    return value
