"""Event payloads: GitHub's own webhook examples, turned to a repository of the fake and validated again.

An action without an example (`edited`) is built from one of its siblings. `schedule` is no webhook and
has neither example nor schema; that payload is ours.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from tests.contract.slice import OCTOKIT
from tests.github.fake import FakeGitHub
from tests.github.state import IssueComment, Pull, Repository

_Payload = dict[str, Any]


def pull_request_event(
    fake: FakeGitHub,
    repository: str,
    number: int,
    action: str = "opened",
    *,
    actor: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> bytes:
    """The payload of `pull_request` and `pull_request_target` (they are the same).

    ``actor`` is the sender (None: the author). ``changes`` is what an `edited` event says was changed.
    Raises ValueError where the result is not what GitHub's schema describes.
    """
    found = fake.state.repository(repository)
    pull = found.pulls[number]
    payload = _turned(fake, _example("pull_request", action), found)
    payload["action"], payload["number"] = action, number
    if action == "edited":
        payload = {key: payload[key] for key in ("action", "number", "pull_request", "repository", "sender")}
        payload["changes"] = changes or {"title": {"from": "before"}}
    if action == "synchronize":
        payload["before"], payload["after"] = pull.base_sha, pull.head_sha
    payload["sender"]["login"] = actor or pull.author
    _turn_pull_request(fake, payload["pull_request"], found, pull)
    return _checked(f"pull_request${action}", payload)


def workflow_dispatch_event(
    fake: FakeGitHub,
    repository: str,
    inputs: Mapping[str, str] | None = None,
    *,
    ref: str | None = None,
    actor: str = "octocat",
) -> bytes:
    """The payload of a manual run; GitHub sends ``inputs: null`` where the workflow declares none."""
    found = fake.state.repository(repository)
    payload = _turned(fake, _example("workflow_dispatch", None), found)
    payload["inputs"] = dict(inputs) if inputs is not None else None
    payload["ref"] = ref or f"refs/heads/{found.default_branch}"
    payload["sender"]["login"] = actor
    return _checked("workflow_dispatch$event", payload)


def schedule_event(fake: FakeGitHub, repository: str) -> bytes:
    """What the runner writes for `schedule`: the cron line and where it belongs."""
    found = fake.state.repository(repository)
    payload = _turned(fake, _example("workflow_dispatch", None), found)
    kept = {key: payload[key] for key in ("repository", "organization", "workflow") if key in payload}
    return json.dumps({"schedule": "17 3 * * 1", **kept}).encode()


def merge_group_event(
    fake: FakeGitHub,
    repository: str,
    base_sha: str,
    head_sha: str,
    *,
    base_ref: str = "refs/heads/main",
    number: int = 1,
) -> bytes:
    """The payload of a merge queue that asks for the checks of a group."""
    found = fake.state.repository(repository)
    payload = _turned(fake, _example("merge_group", "checks_requested"), found)
    ends = {"base_sha": base_sha, "head_sha": head_sha, "base_ref": base_ref}
    branch = f"refs/heads/gh-readonly-queue/main/pr-{number}-{base_sha}"
    payload["merge_group"] |= {**ends, "head_ref": branch}
    return _checked("merge_group$checks_requested", payload)


def push_event(
    fake: FakeGitHub,
    repository: str,
    branch: str,
    before: str | None,
    after: str | None,
    *,
    forced: bool = False,
) -> bytes:
    """The payload of a push; ``before`` None: the branch is new, ``after`` None: it was deleted."""
    found = fake.state.repository(repository)
    payload = _turned(fake, _example("push", None), found)
    nothing = "0" * 40
    payload |= {"ref": f"refs/heads/{branch}", "before": before or nothing, "after": after or nothing}
    payload |= {"created": before is None, "deleted": after is None, "forced": forced, "base_ref": None}
    return _checked("push$event", payload)


def workflow_run_event(
    fake: FakeGitHub, repository: str, number: int, *, run_id: int = 77, event: str = "pull_request"
) -> bytes:
    """The payload of a workflow that ended for a pull request; its list of pull requests is empty."""
    found = fake.state.repository(repository)
    pull = found.pulls[number]
    payload = _turned(fake, _example("workflow_run", "completed"), found)
    run = payload["workflow_run"]
    run |= {"id": run_id, "event": event, "head_branch": pull.head_ref, "head_sha": pull.head_sha}
    owner, _, name = (pull.head_repository or found.name).partition("/")
    run["head_repository"] |= {"full_name": f"{owner}/{name}", "name": name}
    run["head_repository"]["owner"]["login"] = owner
    run["pull_requests"] = []
    return _checked("workflow_run$completed", payload)


def comment_event(
    fake: FakeGitHub, repository: str, number: int, comment: IssueComment, *, below_issue: bool = False
) -> bytes:
    """The payload of a new comment below a pull request, or below an issue of the same number."""
    found = fake.state.repository(repository)
    payload = _turned(fake, _example("issue_comment", "created"), found)
    payload["issue"]["number"] = number
    page = f"{fake.server_url}/{found.name}/pull/{number}"
    if below_issue:
        payload["issue"].pop("pull_request", None)
    else:
        url = f"{fake.api_url}/repos/{found.name}/pulls/{number}"
        ends = {"html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch"}
        payload["issue"]["pull_request"] = {"url": url, **ends}
    kind = "Bot" if comment.author.endswith("[bot]") else "User"
    payload["comment"] |= {"id": comment.id, "body": comment.body}
    payload["comment"]["user"] |= {"login": comment.author, "type": kind}
    payload["sender"]["login"] = comment.author
    return _checked("issue_comment$created", payload)


def _turn_pull_request(fake: FakeGitHub, said: _Payload, found: Repository, pull: Pull) -> None:
    page = f"{fake.server_url}/{found.name}/pull/{pull.number}"
    url = f"{fake.api_url}/repos/{found.name}/pulls/{pull.number}"
    closed = pull.created_at if pull.state == "closed" else None
    said |= {"number": pull.number, "title": pull.title, "state": pull.state, "draft": pull.draft}
    said |= {"merged": pull.merged, "merged_at": closed if pull.merged else None, "closed_at": closed}
    said |= {"url": url, "html_url": page}
    said["user"]["login"] = pull.author
    said["base"] |= {"ref": pull.base_ref, "sha": pull.base_sha}
    said["head"] |= {"ref": pull.head_ref, "sha": pull.head_sha}
    said["head"]["repo"] = deepcopy(said["base"]["repo"])
    if pull.head_repository is None:
        said["head"]["repo"] = None
    elif pull.head_repository != found.name:
        owner, _, name = pull.head_repository.partition("/")
        said["head"]["repo"] |= {"full_name": pull.head_repository, "name": name, "fork": True, "id": 99}
        said["head"]["repo"]["owner"]["login"] = owner


def _turned(fake: FakeGitHub, payload: _Payload, found: Repository) -> _Payload:
    """Names and addresses of the example's repository become ours, everywhere."""
    theirs = payload["repository"]["full_name"]

    def turn(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turn(each) for key, each in value.items()}
        if isinstance(value, list):
            return [turn(each) for each in value]
        if not isinstance(value, str):
            return value
        value = value.replace(theirs, found.name)
        value = value.replace("https://api.github.com/", f"{fake.api_url}/")
        return value.replace("https://github.com/", f"{fake.server_url}/")

    turned: _Payload = turn(payload)
    places = [turned, *(turned["pull_request"][end] for end in ("base", "head") if "pull_request" in turned)]
    for place in places:
        repository = place.get("repo") or place["repository"]
        repository |= {"id": found.id, "name": found.name.partition("/")[2], "size": found.size_kib}
        repository |= {"default_branch": found.default_branch, "fork": False, "private": True}
        repository["owner"]["login"] = found.name.partition("/")[0]
    return turned


def _example(event: str, action: str | None) -> _Payload:
    """A copy of an example that is valid by the schema (some are older than it)."""
    of_event = next(each["examples"] for each in _examples() if each["name"] == event)
    kind = f"{event}${action or 'event'}"
    for example in of_event:
        if example.get("action") == action and not _problems(kind, example):
            return deepcopy(example)
    if (event, action) == ("pull_request", "edited"):
        return _example(event, "reopened")
    raise ValueError(f"there is no valid example of {kind}")


@cache
def _examples() -> Any:
    return json.loads((OCTOKIT / "webhooks-examples" / "api.github.com" / "index.json").read_bytes())


@cache
def _definitions() -> Any:
    return json.loads((OCTOKIT / "webhooks-schemas" / "schema.json").read_bytes())["definitions"]


def _problems(kind: str, payload: _Payload) -> list[str]:
    from jsonschema import Draft7Validator

    schema = {"$ref": f"#/definitions/{kind}", "definitions": _definitions()}
    return [
        f"{error.json_path}: {error.message[:200]}" for error in Draft7Validator(schema).iter_errors(payload)
    ]


def _checked(kind: str, payload: _Payload) -> bytes:
    problems = _problems(kind, payload)
    if problems:
        raise ValueError(f"not a {kind} payload: {problems}")
    return json.dumps(payload).encode()
