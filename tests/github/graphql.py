"""The GraphQL endpoint: GitHub's own schema (a slice) decides what may be asked, state answers it.

A field that is in the schema but not answered here is a gap of the fake and is reported as one; it
never comes back as a silent null.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.contract.slice import read_graphql_slice
from tests.github import views
from tests.github.graphql_pages import connection, problem
from tests.github.mutations import mutations, node_id, pull_id
from tests.github.rules import Answer
from tests.github.state import IssueComment, Pull, Repository, Review, ReviewComment, State, Token

_Object = dict[str, Any]


@dataclass
class Executed:
    """The answer, and what breaks the contract: a query against the schema, or a gap of the fake."""

    answer: Answer
    problems: list[str] = field(default_factory=list)


def execute(state: State, token: Token, request: object) -> Executed:
    """Answer one POST body. GitHub answers 200 to a bad query as well, with ``errors`` in it."""
    from graphql import execute_sync, parse, validate

    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        body = {"message": "A query attribute must be specified and must be a string."}
        return Executed(Answer(400, body), ["GraphQL: no query"])
    try:
        document = parse(request["query"])
    except Exception as error:
        return _broken([error])
    problems = validate(_schema(), document)
    if problems:
        return _broken(problems)
    gaps: list[str] = []
    done = execute_sync(
        _schema(),
        document,
        root_value=_Viewpoint(state, token).root(),
        variable_values=request.get("variables") or {},
        operation_name=request.get("operationName"),
        context_value=gaps,
        field_resolver=_resolve,
    )
    answer: _Object = {"data": done.data}
    answer |= {"errors": _errors(done.errors)} if done.errors else {}
    wrong_variables = [str(each) for each in done.errors or () if each.path is None]
    return Executed(Answer(200, answer), [*gaps, *wrong_variables])


@cache
def _schema() -> Any:
    from graphql import build_schema

    return build_schema(read_graphql_slice())


def _broken(errors: Sequence[Any]) -> Executed:
    body = {"errors": [{"message": getattr(each, "message", str(each))} for each in errors]}
    return Executed(Answer(200, body), [f"GraphQL: {each}" for each in errors])


def _errors(errors: Sequence[Any]) -> list[_Object]:
    """GitHub puts the kind beside the message, under ``type``."""
    found = []
    for each in errors:
        formatted = dict(each.formatted)
        extensions = formatted.pop("extensions", None) or {}
        found.append({**extensions, **formatted})
    return found


def _resolve(source: Any, info: Any, **arguments: Any) -> Any:
    if info.field_name not in source:
        gap = f"the fake does not answer {info.parent_type.name}.{info.field_name}: tests/github/graphql.py"
        info.context.append(gap)
        raise ValueError(gap)
    value = source[info.field_name]
    return value(**arguments) if callable(value) else value


@dataclass(frozen=True)
class _Viewpoint:
    """State as one token sees it."""

    state: State
    token: Token

    def root(self) -> _Object:
        asked = {"viewer": _viewer(self.token), "repository": self._repository}
        return {**asked, "rateLimit": self._rate_limit, **mutations(self.state, self.token, self._shown)}

    def _rate_limit(self, dryRun: bool = False) -> _Object:  # noqa: N803 - GitHub's name
        return {
            "cost": 1,
            "limit": 5000,
            "remaining": 4999,
            "used": 1,
            "nodeCount": 0,
            "resetAt": "2026-01-02T04:00:00Z",
        }

    def _repository(self, owner: str, name: str, followRenames: bool = True) -> _Object:  # noqa: N803
        found = self.state.repositories.get(f"{owner}/{name}".lower())
        if found is None or found.is_hidden:
            raise problem("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        if found.is_saml_locked:
            raise problem("FORBIDDEN", "Resource protected by organization SAML enforcement.")
        return self._repository_object(found)

    def _repository_object(self, found: Repository) -> _Object:
        return {
            "name": found.name.partition("/")[2],
            "nameWithOwner": found.name,
            "url": f"{self.state.origin}/{found.name}",
            "databaseId": found.id,
            "isPrivate": True,
            "isFork": False,
            "diskUsage": found.size_kib,
            "defaultBranchRef": lambda: self._branch(found, found.default_branch),
            "ref": lambda **asked: self._branch(found, asked["qualifiedName"].removeprefix("refs/heads/")),
            "object": lambda oid=None, expression=None: self._object(found, oid or expression),
            "pullRequest": lambda number: self._pull(found, number),
            "issue": lambda number: self._issue(found, number),
            "pullRequests": lambda **asked: self._pulls(found, **asked),
        }

    def _pulls(self, found: Repository, *, headRefName: str, states: list[str], last: int) -> _Object:  # noqa: N803
        if not self.token.may("pull-requests:read"):
            raise problem("FORBIDDEN", "Resource not accessible by integration")
        open_ones = [each for each in found.pulls.values() if each.state == "open" and states == ["OPEN"]]
        named = [each for each in open_ones if each.head_ref == headRefName]
        return connection(named, lambda each: self._pull(found, each.number))(last=last)

    def _branch(self, found: Repository, name: str) -> _Object | None:
        sha = found.branches.get(name) or found.served.resolve(name)
        if sha is None:
            return None
        return {"name": name, "prefix": "refs/heads/", "target": self._commit(found, sha)}

    def _object(self, found: Repository, named: str) -> _Object | None:
        """A commit, or what ``revision:path`` names, as `git rev-parse` reads it."""
        revision, colon, path = named.partition(":")
        if not colon:
            return self._commit(found, named)
        if not self.token.may("contents:read"):
            raise problem("FORBIDDEN", "Resource not accessible by integration")
        blob = found.served.blob(found.default_branch if revision == "HEAD" else revision, path)
        if blob is None:
            return None
        oid, data = blob
        is_binary = b"\0" in data
        shown = {"text": None if is_binary else data.decode("utf-8", "replace"), "isBinary": is_binary}
        return {"__typename": "Blob", "oid": oid, "isTruncated": len(data) > 512_000, **shown}

    def _commit(self, found: Repository, revision: str) -> _Object | None:
        sha = found.resolve(revision)
        url = f"{self.state.origin}/{found.name}/commit/{sha}"
        return {"__typename": "Commit", "oid": sha, "abbreviatedOid": sha[:7], "url": url} if sha else None

    def _issue(self, found: Repository, number: int) -> _Object:
        if not self.token.may("issues:read"):
            raise problem("FORBIDDEN", "Resource not accessible by integration")
        if number not in found.issues:
            raise problem("NOT_FOUND", f"Could not resolve to an Issue with the number of {number}.")
        issue = found.issues[number]
        urls = views.issue_urls(self.state, found, issue)
        return {
            "number": number,
            "title": issue.title,
            "body": issue.body,
            "comments": connection(issue.issue_comments, lambda each: self._comment(urls, each)),
        }

    def _pull(self, found: Repository, number: int) -> _Object:
        if not self.token.may("pull-requests:read"):
            raise problem("FORBIDDEN", "Resource not accessible by integration")
        if number not in found.pulls:
            raise problem("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        pull = found.pulls[number]
        urls = views.pull_urls(self.state, found, pull)
        return {
            "id": pull_id(found, pull),
            "number": number,
            "databaseId": number + 500_000,
            "title": pull.title,
            "body": "",
            "url": urls["html_url"],
            "state": "MERGED" if pull.merged else pull.state.upper(),
            "closed": pull.state == "closed",
            "merged": pull.merged,
            "isDraft": pull.draft,
            "locked": False,
            "isCrossRepository": pull.head_repository != found.name,
            "author": _actor(pull.author),
            "viewerDidAuthor": pull.author == self.token.identity,
            "createdAt": pull.created_at,
            "baseRefName": pull.base_ref,
            "baseRefOid": pull.base_sha,
            "baseRef": lambda: self._branch(found, pull.base_ref),
            "baseRepository": lambda: self._repository_object(found),
            "repository": lambda: self._repository_object(found),
            "headRefName": pull.head_ref,
            "headRefOid": pull.head_sha,
            "headRepository": lambda: self._head_repository(found, pull),
            "headRepositoryOwner": None
            if pull.head_repository is None
            else {"__typename": "User", "login": pull.head_repository.partition("/")[0]},
            "changedFiles": lambda: len(found.diff(pull)),
            "additions": lambda: sum(each.additions for each in found.diff(pull)),
            "deletions": lambda: sum(each.deletions for each in found.diff(pull)),
            "comments": connection(pull.issue_comments, lambda each: self._comment(urls, each)),
            "reviews": self._reviews(found, urls, pull),
            "reviewThreads": connection(
                [each for each in self._visible(pull) if each.reply_to is None],
                lambda each: self._thread(found, pull, urls, each),
            ),
        }  # fmt: skip

    def _head_repository(self, found: Repository, pull: Pull) -> _Object | None:
        if pull.head_repository is None:
            return None
        whole = self.state.repositories.get(pull.head_repository.lower())
        return {**self._repository_object(whole or found), "nameWithOwner": pull.head_repository}

    def _visible(self, pull: Pull) -> list[ReviewComment]:
        """Comments of another's pending review are not shown."""
        own = self.token.identity
        hidden = {each.id for each in pull.reviews if each.state == "PENDING" and each.author != own}
        return [each for each in pull.review_comments if each.review_id not in hidden]

    def _said(self, said: IssueComment | ReviewComment | Review, url: str) -> _Object:
        changed = said.updated_at if isinstance(said, IssueComment) else said.created_at
        return {
            "id": node_id(said),
            "databaseId": said.id,
            "fullDatabaseId": str(said.id),
            "author": _actor(said.author),
            "viewerDidAuthor": said.author == self.token.identity,
            "viewerCanUpdate": said.author == self.token.identity,
            "body": said.body,
            "bodyText": said.body,
            "url": url,
            "createdAt": said.created_at,
            "updatedAt": changed,
            "lastEditedAt": changed if changed != said.created_at else None,
            **_minimized(said),
        }

    def _comment(self, urls: Mapping[str, str], said: IssueComment) -> _Object:
        return self._said(said, f"{urls['html_url']}#issuecomment-{said.id}")

    def _reviews(self, found: Repository, urls: Mapping[str, str], pull: Pull) -> Callable[..., _Object]:
        def answer(*, states: list[str] | None = None, author: str | None = None, **bounds: Any) -> _Object:
            own = self.token.identity
            seen = [
                each
                for each in pull.reviews
                if (each.state != "PENDING" or each.author == own)
                and (states is None or each.state in states)
                and (author is None or each.author == author)
            ]
            return connection(seen, lambda each: self._review(found, urls, pull, each))(**bounds)

        return answer

    def _shown(self, found: Repository, pull: Pull, said: Review) -> _Object:
        return self._review(found, views.pull_urls(self.state, found, pull), pull, said)

    def _review(self, found: Repository, urls: Mapping[str, str], pull: Pull, said: Review) -> _Object:
        comments = [each for each in pull.review_comments if each.review_id == said.id]
        return {
            **self._said(said, f"{urls['html_url']}#pullrequestreview-{said.id}"),
            "state": said.state,
            "pullRequest": lambda: self._pull(found, pull.number),
            "commit": {"__typename": "Commit", "oid": said.commit_id, "abbreviatedOid": said.commit_id[:7]},
            "comments": connection(comments, lambda each: self._line_comment(urls, pull, each)),
        }

    def _thread(self, found: Repository, pull: Pull, urls: Mapping[str, str], said: ReviewComment) -> _Object:
        current = next((each for each in found.diff(pull) if each.path == said.path), None)
        outdated = current is None or said.diff_hunk.split("\n")[-1] not in (current.patch or "").split("\n")
        answers = [each for each in self._visible(pull) if each.reply_to == said.id]
        return {
            "id": f"PRRT_{said.id}",
            "path": said.path,
            "line": None if outdated else said.line,
            "startLine": None if outdated else said.start_line,
            "originalLine": said.line,
            "originalStartLine": said.start_line,
            "diffSide": said.side,
            "startDiffSide": said.start_side,
            "isOutdated": outdated,
            "isResolved": said.resolved,
            "isCollapsed": said.resolved,
            "resolvedBy": None,
            "comments": connection([said, *answers], lambda each: self._line_comment(urls, pull, each)),
        }

    def _line_comment(self, urls: Mapping[str, str], pull: Pull, said: ReviewComment) -> _Object:
        pending = {each.id for each in pull.reviews if each.state == "PENDING"}
        return {
            **self._said(said, f"{urls['html_url']}#discussion_r{said.id}"),
            "state": "PENDING" if said.review_id in pending else "SUBMITTED",
            "path": said.path,
            "line": said.line,
            "startLine": said.start_line,
            "originalLine": said.line,
            "originalStartLine": said.start_line,
            "diffHunk": said.diff_hunk,
            "replyTo": None,
        }


def _minimized(said: IssueComment | ReviewComment | Review) -> _Object:
    reason = None if isinstance(said, Review) else said.minimized
    return {"isMinimized": reason is not None, "minimizedReason": reason}


def _viewer(token: Token) -> _Object:
    return {"login": token.identity, "url": f"https://github.com/{token.identity}"}


def _actor(login: str) -> _Object:
    """An app's comments carry its name without ``[bot]``, although ``viewer`` has it: names do not compare."""
    kind = "Bot" if login.endswith("[bot]") else "User"
    return {"__typename": kind, "login": login.removesuffix("[bot]")}
