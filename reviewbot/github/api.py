"""GitHub's API: the one door to PyGithub. It reads and writes what it is told and has no rule of ours.

Errors are typed and never hold the token.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reviewbot.core import Sha
from reviewbot.errors import UsageError
from reviewbot.github.answers import (
    SHARED,
    Call,
    Conversation,
    Node,
    OwnComment,
    PullRequest,
    RepositoryFacts,
    SharedPolicy,
    calls,
    check_login,
    check_name,
    check_ref,
    check_repository,
    node_at,
    number_at,
    own_comments,
    pending_reviews,
    pull_of_graphql,
    pull_of_rest,
    sha_at,
    shared_policy,
    text_at,
    unread_policy,
    url_at,
)
from reviewbot.github.connection import connect, unreachable
from reviewbot.github.errors import (
    GitHubDenied,
    GitHubError,
    GitHubLost,
    GitHubNotFound,
    GitHubRefused,
    graphql_error,
    graphql_path,
    refusal,
)
from reviewbot.github.graphql import CONVERSATION, OPEN_HEADS, SHARED_POLICY, OpenHead, open_heads

if TYPE_CHECKING:
    from github.Requester import Requester

__all__ = [
    "Call",
    "Conversation",
    "GitHub",
    "GitHubDenied",
    "GitHubError",
    "GitHubLost",
    "GitHubNotFound",
    "GitHubRefused",
    "OwnComment",
    "PullRequest",
    "RepositoryFacts",
    "SharedPolicy",
]

MAX_PAGES = 50
"""Pages of 100 comments and 100 threads of one pull request."""


class GitHub:
    """One connection to one server. ``requests`` counts what was sent so far, retries included.

    Every method raises GitHubError or one of its kinds. A request that creates something is sent again
    only where GitHub says that it did not act on it: after a rate limit.

    Raises:
        UsageError: the token is missing, or an address is not https.
    """

    def __init__(self, token: str, *, api_url: str, graphql_url: str) -> None:
        if not re.fullmatch("[!-~]+", token):
            raise UsageError(
                "The GitHub token is empty or holds blanks.", help="Set github-token; its default is enough."
            )
        self.requests = 0
        self._host = urlsplit(api_url).hostname or ""
        self._rest = connect(token, api_url, ("GET", "PATCH"), self._count)
        self._graphql = connect(token, graphql_url, ("POST",), self._count)
        self._graphql_url, self._token = graphql_url, token

    def read_conversation(self, repository: str, number: int) -> Conversation:
        """The pull request, all that we said in it and who called us: one request a page of 100 comments."""
        owner, _, name = check_repository(repository).partition("/")
        variables: dict[str, Any] = {"owner": owner, "name": name, "number": number}
        own: dict[str, list[OwnComment]] = {"comments": [], "reviewThreads": []}
        called: dict[int, Call] = {}
        for _ in range(MAX_PAGES):
            answer = self._query(self._graphql, CONVERSATION, variables, optional=SHARED)
            pull = node_at(answer, "data", "repository", "pullRequest")
            called |= {call.id: call for call in calls(node_at(pull, "comments"))}
            for kind, cursor in (("comments", "comments"), ("reviewThreads", "threads")):
                own[kind] += own_comments(node_at(pull, kind))
                variables[cursor] = node_at(pull, kind, "pageInfo").get("endCursor") or variables.get(cursor)
            if not any(node_at(pull, kind, "pageInfo").get("hasNextPage") for kind in own):
                tip = sha_at(
                    pull, *(("baseRef", "target", "oid") if pull.get("baseRef") else ("baseRefOid",))
                )
                pages = (tuple(own["comments"]), tuple(own["reviewThreads"]), tuple(called.values()))
                pending = tuple(pending_reviews(node_at(pull, "reviews")))
                shared = shared_policy(answer, owner)
                return Conversation(pull_of_graphql(pull), tip, *pages, text_at(pull, "id"), pending, shared)
        raise GitHubError(f"The pull request {number} has more than {MAX_PAGES * 100:,} comments.")

    def read_shared_policy(self, repository: str) -> SharedPolicy:
        """What the owner of a repository holds for all of them; a part of ``read_conversation``, too.

        Where it cannot be read it says so and raises nothing.
        """
        owner = check_repository(repository).partition("/")[0]
        try:
            answer = self._query(self._graphql, SHARED_POLICY, {"owner": owner}, optional=SHARED)
        except GitHubError as error:
            return unread_policy(owner, error)
        return shared_policy(answer, owner)

    def read_pull_request(self, repository: str, number: int) -> PullRequest:
        """The pull request as it is now."""
        return pull_of_rest(self._send("GET", f"/repos/{check_repository(repository)}/pulls/{number:d}"))

    def read_open_heads(self, repository: str, branch: str) -> tuple[OpenHead, ...]:
        """The open pull requests, also of forks, whose branch has this name; the newest hundred."""
        owner, _, name = check_repository(repository).partition("/")
        answer = self._query(self._graphql, OPEN_HEADS, {"owner": owner, "name": name, "branch": branch})
        return open_heads(node_at(answer, "data", "repository", "pullRequests"))

    def read_artifacts(self, repository: str, run: int) -> Node:
        """The list of what a run of a workflow left behind: one request a hundred, at most MAX_PAGES."""
        path = f"/repos/{check_repository(repository)}/actions/runs/{run:d}/artifacts"
        listed: list[Any] = []
        for page in range(1, MAX_PAGES + 1):
            answer = self._send("GET", path, {"per_page": 100, "page": page})
            found = answer.get("artifacts")
            listed += found if isinstance(found, list) else ()
            if not found or len(listed) >= number_at(answer, "total_count"):
                return {**answer, "artifacts": listed}
        raise GitHubError(f"The run {run} has more than {MAX_PAGES * 100:,} artifacts.")

    def read_runs(self, repository: str, head_sha: Sha) -> Node:
        """The list of the runs of workflows for a commit; its first fifty."""
        path = f"/repos/{check_repository(repository)}/actions/runs"
        return self._send("GET", path, {"head_sha": head_sha, "per_page": 50})

    def read_jobs(self, repository: str, run: int) -> Node:
        """The list of the jobs of a run, of its last attempt; its first hundred."""
        path = f"/repos/{check_repository(repository)}/actions/runs/{run:d}/jobs"
        return self._send("GET", path, {"filter": "latest", "per_page": 100})

    def read_annotations(self, repository: str, check_run: int) -> Sequence[object]:
        """What a check run says at lines of files; its first fifty annotations."""
        path = f"/repos/{check_repository(repository)}/check-runs/{check_run:d}/annotations"
        listed: Sequence[object] = self._call(self._rest, "GET", path, {"per_page": 50}, None, list)
        return listed

    def read_repository(self, repository: str) -> RepositoryFacts:
        """Default branch and size."""
        answer = self._send("GET", f"/repos/{check_repository(repository)}")
        return RepositoryFacts(text_at(answer, "default_branch"), number_at(answer, "size"))

    def merge_base(self, repository: str, base: Sha, head: Sha) -> Sha:
        """Where head branched off, also where head lives in a fork."""
        # Only page 1 lists the files of the comparison, which nobody needs here.
        pages = {"per_page": 1, "page": 2}
        answer = self._send(
            "GET",
            f"/repos/{check_repository(repository)}/compare/{check_ref(base)}...{check_ref(head)}",
            pages,
        )
        return sha_at(answer, "merge_base_commit", "sha")

    def resolve_commit(self, repository: str, ref: str) -> Sha:
        """The commit that a branch, a tag or an id names."""
        answer = self._send(
            "GET", f"/repos/{check_repository(repository)}/commits/{check_ref(ref)}", {"per_page": 1}
        )
        return sha_at(answer, "sha")

    def create_review(
        self, repository: str, number: int, head_sha: Sha, body: str, comments: Sequence[Mapping[str, object]]
    ) -> str:
        """Post one review that neither approves nor blocks; its address."""
        review = {"commit_id": head_sha, "event": "COMMENT", "body": body, "comments": [*map(dict, comments)]}
        return url_at(
            self._send("POST", f"/repos/{check_repository(repository)}/pulls/{number:d}/reviews", body=review)
        )

    def create_comment(self, repository: str, number: int, body: str) -> str:
        """Post a comment; its address."""
        path = f"/repos/{check_repository(repository)}/issues/{number:d}/comments"
        return url_at(self._send("POST", path, body={"body": body}))

    def edit_comment(self, repository: str, comment_id: int, body: str) -> str:
        """Replace the text of a comment; its address."""
        path = f"/repos/{check_repository(repository)}/issues/comments/{comment_id:d}"
        return url_at(self._send("PATCH", path, body={"body": body}))

    def create_check_run(  # noqa: PLR0917 - the fields of a check run, in GitHub's order
        self, repository: str, name: str, head_sha: Sha, conclusion: str, output: Node,
        details_url: str | None,
    ) -> int:  # fmt: skip
        """Post a finished check run; its number. ``output`` has title, summary, text and annotations."""
        run = {"name": name, "head_sha": head_sha, "status": "completed", "conclusion": conclusion}
        link = {"details_url": details_url} if details_url else {}
        path = f"/repos/{check_repository(repository)}/check-runs"
        return number_at(self._send("POST", path, body={**run, **link, "output": dict(output)}), "id")

    def edit_check_run(self, repository: str, check_run: int, output: Node) -> None:
        """Replace the title and the summary of a check run, and add the annotations to those it has."""
        path = f"/repos/{check_repository(repository)}/check-runs/{check_run:d}"
        self._send("PATCH", path, body={"output": dict(output)})

    def read_permission(self, repository: str, login: str) -> str:
        """What a person may do at most: admin, write (maintainers, too), read (triage, too) or none."""
        path = f"/repos/{check_repository(repository)}/collaborators/{check_login(login)}/permission"
        return text_at(self._send("GET", path), "permission")

    def react(self, repository: str, comment_id: int, content: str) -> None:
        """Put one of GitHub's reactions, such as ``eyes``, below a comment of the conversation."""
        path = f"/repos/{check_repository(repository)}/issues/comments/{comment_id:d}/reactions"
        self._send("POST", path, body={"content": content})

    def upload_sarif(self, repository: str, ref: str, commit_sha: Sha, sarif: str) -> str:
        """Hand a report to code scanning; the name of the upload. ``sarif`` is base64 of gzip.

        Without ``checkout_uri``: the paths in the report are relative to the repository.
        """
        path = f"/repos/{check_repository(repository)}/code-scanning/sarifs"
        report = {"commit_sha": commit_sha, "ref": ref, "sarif": sarif, "tool_name": "reviewbot"}
        return text_at(self._send("POST", path, body=report), "id")

    def read_sarif_status(self, repository: str, upload: str) -> tuple[str, tuple[str, ...]]:
        """What became of an upload: pending, complete or failed, and GitHub's own errors."""
        path = f"/repos/{check_repository(repository)}/code-scanning/sarifs/{check_name(upload)}"
        answer = self._send("GET", path)
        errors = answer.get("errors")
        said = tuple(map(str, errors)) if isinstance(errors, list) else ()
        return text_at(answer, "processing_status"), said

    def change(
        self, text: str, variables: Mapping[str, Any]
    ) -> tuple[Node, tuple[tuple[str, GitHubError], ...]]:
        """Send one mutation of named parts: what it answers, and the name and the error of what failed."""
        # Unlike a question this must not be sent again after a fault of the server.
        once = connect(self._token, self._graphql_url, ("GET",), self._count)
        answer = self._query(once, text, variables, partly=True)
        failed = ((graphql_path(error), graphql_error(error)) for error in answer.get("errors") or ())
        return node_at(answer, "data"), tuple(failed)

    def _query(
        self,
        requester: "Requester",
        text: str,
        variables: Mapping[str, Any],
        *,
        partly: bool = False,
        optional: str | None = None,
    ) -> Node:
        """The answer; an error is raised unless what failed is ``optional``, or a part was answered."""
        question = {"query": text, "variables": variables}
        answer: Node = self._call(requester, "POST", self._graphql_url, None, question)
        for error in answer.get("errors") or ():
            if not answer.get("data") or not (partly or graphql_path(error) == optional):
                raise graphql_error(error)
        return answer

    def request(
        self, verb: str, path: str, parameters: Node | None = None, body: object = None,
        form: type[dict[str, Any]] | type[list[Any]] = dict,
    ) -> Any:  # fmt: skip
        """What the REST API answers: an object or, where ``form`` says so, a list."""
        return self._call(self._rest, verb, path, parameters, body, form)

    def ask(self, text: str, variables: Mapping[str, Any]) -> Node:
        """The answer to a question in GraphQL."""
        return self._query(self._graphql, text, variables)

    def _send(self, verb: str, path: str, parameters: Node | None = None, body: object = None) -> Node:
        answer: Node = self._call(self._rest, verb, path, parameters, body)
        return answer

    def _call(  # noqa: PLR0917 - a request has these parts
        self, requester: "Requester", verb: str, url: str, parameters: Node | None, body: object,
        form: type[dict[str, Any]] | type[list[Any]] = dict,
    ) -> Any:  # fmt: skip
        from github import GithubException  # noqa: PLC0415 - 0.3 s, already paid by the constructor
        from requests import RequestException  # noqa: PLC0415 - as above
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - as above

        self._count()
        try:
            _, answer = requester.requestJsonAndCheck(verb, url, dict(parameters or {}), input=body)
        except GithubException as error:
            raise refusal(error.status, error.data, error.headers or {}) from None
        except (RequestException, HTTPError, OSError) as error:
            raise unreachable(self._host, error) from None
        except (RuntimeError, AssertionError, ValueError, AttributeError, TypeError):
            # Redirects to another host, HTML and broken JSON end here.
            raise GitHubLost(f"The answer of {self._host} to {verb} cannot be read.") from None
        if not isinstance(answer, form):
            raise GitHubLost(
                f"The answer of {self._host} to {verb} is no {'object' if form is dict else 'list'}."
            )
        return answer

    def _count(self) -> None:
        self.requests += 1
