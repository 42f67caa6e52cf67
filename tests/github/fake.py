"""A GitHub of our own on 127.0.0.1: TLS, REST, GraphQL and git, with state, rules and faults.

    with FakeGitHub() as fake:
        fake.add_repository("octo/app", sandbox.folder)
        fake.add_pull_request("octo/app", 1, base_ref="main", head_sha=head)
        token = fake.token()
        ...  # a real client: fake.api_url, fake.graphql_url, fake.server_url, fake.ca_file
        assert fake.refused == [] and len(fake.api_requests) <= 6

Every request and every answer of ours is compared with GitHub's own description (``tests/contract``);
what does not agree stands in ``refused``. What GitHub refuses by its rules (a line outside the diff, a
missing permission) is an ordinary answer of 4xx: look at ``requests`` for those. Files: ``state`` what
is remembered, ``site`` what becomes of a request, ``rules`` GitHub's unwritten rules, ``rest`` and
``graphql`` the two APIs, ``views`` how answers are spelled, ``served`` and ``git_http`` the git side,
``server`` sockets, ``events`` payloads, ``world`` an example for the fake's own tests.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.contract.slice import missing_packages
from tests.github.served import ServedRepository
from tests.github.server import start_server
from tests.github.site import Fault, Recorded, Site
from tests.github.state import (
    Artifact,
    CheckRun,
    Issue,
    IssueComment,
    Job,
    Pull,
    Repository,
    Review,
    ReviewComment,
    State,
    Token,
)

GITHUB_TOKEN_DEFAULT: Mapping[str, str] = {"contents": "read", "pull-requests": "write"}
DELETED = "(deleted)"
"""As ``head_repository``: the fork of the pull request is gone."""


class FakeGitHub:
    """The public face; a context manager. Skips the test where the npm packages are missing."""

    def __init__(self, *, enterprise: bool = False) -> None:
        """``enterprise``: the API at the paths of GitHub Enterprise Server, and at no other."""
        reason = missing_packages()
        if reason:
            import pytest

            pytest.skip(reason)
        self.state = State()
        self.site = Site(self.state, rest="/api/v3" if enterprise else "/api")
        self.requests: list[Recorded] = self.site.requests
        self.refused: list[str] = self.site.refused
        self._folder = tempfile.TemporaryDirectory(prefix="fake-github-")
        self.ca_file = Path(self._folder.name) / "ca.pem"
        """What a client must trust; nothing else vouches for the server."""

    def __enter__(self) -> Self:
        self._server = start_server(self.site, self.ca_file)
        self.state.origin = f"https://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    @property
    def server_url(self) -> str:
        """GITHUB_SERVER_URL; git repositories are at ``{server_url}/{owner}/{name}`` with or without .git."""
        return self.state.origin

    @property
    def api_url(self) -> str:
        """GITHUB_API_URL."""
        return f"{self.state.origin}{self.site.rest}"

    @property
    def graphql_url(self) -> str:
        """GITHUB_GRAPHQL_URL."""
        return f"{self.state.origin}{self.site.graphql}"

    @property
    def api_requests(self) -> list[Recorded]:
        """Requests to REST and GraphQL, git left out."""
        return [each for each in self.requests if not each.is_git]

    def add_repository(
        self,
        name: str,
        folder: Path,
        default_branch: str = "main",
        permissions: Mapping[str, str] | None = None,
        size_kib: int = 100,
    ) -> None:
        """Serve a git repository, bare or not. ``permissions``: login -> admin|maintain|write|triage|read."""
        served = ServedRepository(folder)
        found = Repository(
            self.state.clock.next_id(), name, served, default_branch, permissions or {}, size_kib
        )
        self.state.repositories[name.lower()] = found

    def set_branch(self, repository: str, name: str, sha: str) -> None:
        """Let the API see a branch (the served folder is left alone); git itself serves any commit by id."""
        self.state.repository(repository).branches[name] = sha

    def add_pull_request(
        self,
        repository: str,
        number: int,
        *,
        base_ref: str,
        head_sha: str,
        head_ref: str = "feature",
        head_repository: str | None = None,
        draft: bool = False,
        state: str = "open",
        merged: bool = False,
        author: str = "octocat",
    ) -> None:
        """``head_repository`` None: a branch of the same repository; another name: a fork; DELETED: a lost fork."""
        found = self.state.repository(repository)
        base = found.resolve(base_ref)
        if base is None:
            raise ValueError(f"no branch {base_ref} in {repository}: set_branch() names one")
        head_name = None if head_repository == DELETED else head_repository or found.name
        found.pulls[number] = Pull(
            number, base_ref, base, head_ref, head_sha, head_name, draft, state, merged, author,
            f"Change {number}", self.state.clock.now(), [head_sha],
        )  # fmt: skip

    def move_head(self, repository: str, number: int, head_sha: str) -> None:
        """Push to the pull request: a new head, and base.sha is the base branch's tip again."""
        found, pull = self.state.repository(repository), self._pull(repository, number)
        pull.head_sha = head_sha
        pull.base_sha = found.resolve(pull.base_ref) or pull.base_sha
        pull.known_heads.append(head_sha)

    def change_pull_request(self, repository: str, number: int, **values: object) -> None:
        """Set fields of ``state.Pull``: draft=False, state="closed", base_ref=... ."""
        pull = self._pull(repository, number)
        for name, value in values.items():
            if not hasattr(pull, name):
                raise AttributeError(name)
            setattr(pull, name, value)

    def token(
        self,
        *,
        permissions: Mapping[str, str] = GITHUB_TOKEN_DEFAULT,
        identity: str = "github-actions[bot]",
    ) -> str:
        """A new token. Two tokens of one identity see each other's comments as their own."""
        text = f"ghs_{len(self.state.tokens):036d}"
        self.state.tokens[text] = Token(text, dict(permissions), identity)
        return text

    def fail_next(
        self,
        method: str,
        path: str,
        status: int,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
    ) -> None:
        """Answer the next ``times`` requests whose path the regular expression finds with this.

        ``body``: str or bytes are sent as they are, None is GitHub's error form, anything else is JSON.
        ``status`` 0 closes the connection without an answer. The path is that at the socket: /api/repos/….
        """
        self.site.faults.append(Fault(method.upper(), re.compile(path), status, body, headers or {}, times))

    def limit_secondary_next(self, method: str, path: str, *, retry_after: int = 1, times: int = 1) -> None:
        """The secondary rate limit: 403 with retry-after, as for too many comments at a time."""
        body = {
            "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
        }
        self.fail_next(method, path, 403, body, {"Retry-After": str(retry_after)}, times=times)

    def exhaust_rate_limit(self, reset: int = 1_893_456_000) -> None:
        """From now on no requests are left: 403 naming the second (Unix time) at which there are more."""
        self.site.rate_limit_remaining, self.site.rate_limit_reset = 0, reset

    def reviews(self, repository: str, number: int) -> list[Review]:
        """Reviews, oldest first, pending ones included."""
        return list(self._pull(repository, number).reviews)

    def review_comments(self, repository: str, number: int) -> list[ReviewComment]:
        """Comments on lines, oldest first."""
        return list(self._pull(repository, number).review_comments)

    def issue_comments(self, repository: str, number: int) -> list[IssueComment]:
        """Comments in the conversation, oldest first."""
        return list(self._conversation(repository, number).issue_comments)

    def reactions(self, repository: str) -> list[tuple[int, str, str]]:
        """Comment, who and which reaction, oldest first."""
        return list(self.state.repository(repository).reactions)

    def issues(self, repository: str) -> list[Issue]:
        """Issues, oldest first; a test may edit them as a person would."""
        return list(self.state.repository(repository).issues.values())

    def check_runs(self, repository: str) -> list[CheckRun]:
        """Check runs, oldest first."""
        return list(self.state.repository(repository).check_runs)

    def add_issue_comment(self, repository: str, number: int, author: str, body: str) -> IssueComment:
        """Somebody writes a comment (any author: ``github-actions[bot]`` is another workflow)."""
        now = self.state.clock.now()
        comment = IssueComment(self.state.clock.next_id(), author, body, now, now)
        self._conversation(repository, number).issue_comments.append(comment)
        return comment

    def edit_issue_comment(self, comment: IssueComment, body: str) -> None:
        """Somebody changes what a comment says."""
        comment.body, comment.updated_at = body, self.state.clock.now()

    def answer_thread(self, repository: str, number: int, comment: ReviewComment, author: str) -> None:
        """Somebody answers below a comment at a line."""
        clock, pull = self.state.clock, self._pull(repository, number)
        said = replace(comment, id=clock.next_id(), author=author, body="No.", reply_to=comment.id)
        pull.review_comments.append(said)

    def add_artifact(
        self, repository: str, name: str, data: bytes, *, run_id: int = 77, expired: bool = False
    ) -> None:
        """A run of a workflow uploads a zip file."""
        made = Artifact(self.state.clock.next_id(), run_id, name, data, expired)
        self.state.repository(repository).artifacts.append(made)

    def add_job(
        self,
        repository: str,
        name: str,
        log: bytes | None,
        *,
        head_sha: str,
        run_id: int = 77,
        conclusion: str = "failure",
        annotations: Sequence[dict[str, object]] = (),
    ) -> None:
        """A job of a run of a workflow ends."""
        number = self.state.clock.next_id()
        made = Job(number, run_id, name, head_sha, conclusion, log, tuple(annotations))
        self.state.repository(repository).jobs.append(made)

    def add_pending_review(self, repository: str, number: int, author: str = "github-actions[bot]") -> Review:
        """Somebody began a review and did not submit it."""
        pull, clock = self._pull(repository, number), self.state.clock
        review = Review(clock.next_id(), author, "", "PENDING", pull.head_sha, clock.now())
        pull.reviews.append(review)
        return review

    def _conversation(self, repository: str, number: int) -> Pull | Issue:
        found = self.state.repository(repository).conversation(number)
        assert found is not None
        return found

    def _pull(self, repository: str, number: int) -> Pull:
        return self.state.repository(repository).pulls[number]
