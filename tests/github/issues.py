"""Issues over REST: listed by who opened them (pull requests are among them), opened, edited."""

from collections.abc import Mapping
from typing import Any

from tests.github import views
from tests.github.calls import Call, Route, page
from tests.github.contract import contract
from tests.github.rules import Answer, Refusal, check_body
from tests.github.state import Issue, Pull, Repository, State

_ISSUES = "/repos/{owner}/{repo}/issues"


def _show(state: State, found: Repository, issue: Issue) -> dict[str, Any]:
    url, site = f"{views.repository_url(state, found)}/issues/{issue.number}", f"{state.origin}/{found.name}"
    known: dict[str, Any] = {
        "id": issue.number + 900_000,
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "user": views.user(state, issue.author),
        "state": issue.state,
        "state_reason": issue.state_reason,
        "url": url,
        "html_url": f"{site}/issues/{issue.number}",
        "created_at": issue.created_at,
        "updated_at": issue.created_at,
        "comments": len(issue.issue_comments),
        "closed_at": None if issue.state == "open" else issue.created_at,
    }
    return contract().fill("issue", known)


def _pull_as_issue(state: State, found: Repository, pull: Pull) -> dict[str, Any]:
    issue = Issue(pull.number, pull.author, pull.title, "", pull.created_at, pull.state)
    urls = views.pull_urls(state, found, pull)
    links = {name: urls[name] for name in ("url", "html_url", "diff_url", "patch_url")}
    return {**_show(state, found, issue), "html_url": urls["html_url"], "pull_request": links}


def _list(call: Call) -> Answer:
    found, asked = call.repository, call.query
    _refuse_where_disabled(found)
    pulls = [_pull_as_issue(call.state, found, each) for each in found.pulls.values()]
    rows = [*pulls, *(_show(call.state, found, each) for each in found.issues.values())]
    rows = [row for row in rows if asked.get("creator") in (None, row["user"]["login"])]
    rows = [row for row in rows if asked.get("state", "open") in ("all", row["state"])]
    rows.sort(key=lambda row: str(row["created_at"]), reverse=asked.get("direction", "desc") == "desc")
    return page(call, rows)


def _refuse_where_disabled(found: Repository) -> None:
    if not found.has_issues:
        raise Refusal(410, "Issues are disabled for this repo")


def _create(call: Call) -> Answer:
    found, said = call.repository, call.body
    _refuse_where_disabled(found)
    number = max([0, *found.pulls, *found.issues]) + 1
    body = check_body(said["body"]) if said.get("body") else ""
    issue = Issue(number, call.token.identity, str(said["title"]), body, call.state.clock.now())
    found.issues[number] = issue
    return Answer(201, _show(call.state, found, issue))


def _edit(call: Call) -> Answer:
    found, said = call.repository, call.body
    issue = found.issues.get(int(call.values["issue_number"]))
    if issue is None:
        raise Refusal(404, "Not Found")
    if "body" in said:
        issue.body = check_body(said["body"])
    if said.get("state", issue.state) != issue.state:
        issue.state = said["state"]
        issue.state_reason = said.get("state_reason") or _usual_reason(said)
    return Answer(200, _show(call.state, found, issue))


def _usual_reason(said: Mapping[str, Any]) -> str:
    return "completed" if said["state"] == "closed" else "reopened"


ROUTES = (
    Route("GET", _ISSUES, ("issues:read",), _list),
    Route("POST", _ISSUES, ("issues:write",), _create),
    Route("PATCH", f"{_ISSUES}/{{issue_number}}", ("issues:write",), _edit),
)
