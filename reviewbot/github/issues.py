"""The issues of a repository that our own identity opened: found, opened, edited; and what is said below."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviewbot.github.answers import (
    Call,
    Node,
    OwnComment,
    calls,
    check_repository,
    node_at,
    number_at,
    own_comments,
    text_at,
    url_at,
)
from reviewbot.github.api import GitHub
from reviewbot.github.errors import GitHubError
from reviewbot.github.graphql import ISSUE_COMMENTS
from reviewbot.text import show_surrogates

WHO = "query { viewer { login } }"
MAX_PAGES = 20
"""Pages of a hundred issues and pull requests of our identity, oldest first."""

MOST_COMMENT_PAGES = 5
"""Pages of a hundred comments below one issue that a run reads, the newest first."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What was said below an issue, oldest first: our own comments, and those in which people call us.

    ``is_cut``: there are older comments that nobody read.
    """

    own: tuple[OwnComment, ...]
    calls: tuple[Call, ...]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class OwnIssue:
    """An issue that the identity of our own token opened; ``is_unwanted``: closed as not planned.

    ``comments`` counts what people and we said below it.
    """

    number: int
    title: str
    body: str
    url: str
    is_open: bool
    is_unwanted: bool = False
    comments: int = 0


def read_own_issues(github: GitHub, repository: str) -> tuple[OwnIssue, ...]:
    """Every issue of ours, closed ones too, oldest first: a request for our name, and one a page of 100.

    Raises GitHubError, also where there are too many to read.
    """
    me = text_at(node_at(github.ask(WHO, {}), "data", "viewer"), "login")
    found: list[OwnIssue] = []
    query = {"creator": me, "state": "all", "sort": "created", "direction": "asc", "per_page": 100}
    for page in range(1, MAX_PAGES + 1):
        path = f"/repos/{check_repository(repository)}/issues"
        rows = github.request("GET", path, {**query, "page": page}, form=list)
        # The list holds pull requests, too; and a server that does not know the filter must not decide.
        found += [_issue(row) for row in rows if isinstance(row, dict) and _is_ours(row, me)]
        if len(rows) < 100:
            return tuple(found)
    raise GitHubError(f"{me} opened more than {MAX_PAGES * 100:,} issues and pull requests here.")


def read_talk(github: GitHub, repository: str, number: int) -> Talk:
    """The newest comments below an issue: a request a page of 100, MOST_COMMENT_PAGES at most.

    Raises GitHubError.
    """
    owner, _, name = check_repository(repository).partition("/")
    asked: dict[str, Any] = {"owner": owner, "name": name, "number": number, "before": None}
    own: tuple[OwnComment, ...] = ()
    called: tuple[Call, ...] = ()
    for _ in range(MOST_COMMENT_PAGES):
        said = node_at(github.ask(ISSUE_COMMENTS, asked), "data", "repository", "issue", "comments")
        own, called = (*own_comments(said), *own), (*calls(said), *called)
        before = node_at(said, "pageInfo")
        if before.get("hasPreviousPage") is not True:
            return Talk(own, called)
        asked["before"] = text_at(before, "startCursor")
    return Talk(own, called, is_cut=True)


def create_issue(github: GitHub, repository: str, title: str, body: str) -> OwnIssue:
    """Open an issue. Raises GitHubError."""
    path = f"/repos/{check_repository(repository)}/issues"
    return _issue(github.request("POST", path, None, {"title": title, "body": body}))


def edit_issue(github: GitHub, repository: str, number: int, changes: Mapping[str, str]) -> OwnIssue:
    """Set ``body``, ``state`` or ``state_reason`` of an issue. Raises GitHubError."""
    path = f"/repos/{check_repository(repository)}/issues/{number:d}"
    return _issue(github.request("PATCH", path, None, dict(changes)))


def _is_ours(row: Node, me: str) -> bool:
    by = row.get("user")
    return "pull_request" not in row and isinstance(by, dict) and str(by.get("login")).lower() == me.lower()


def _issue(row: Node) -> OwnIssue:
    return OwnIssue(
        number_at(row, "number"),
        text_at(row, "title"),
        show_surrogates(str(row.get("body") or "")),
        url_at(row),
        text_at(row, "state") == "open",
        row.get("state_reason") == "not_planned",
        number_at(row, "comments"),
    )
