"""What becomes of one request: faults, who asks, what is asked, the answer, and a look back at it."""

import base64
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.github.calls import Call, Route
from tests.github.contract import contract
from tests.github.git_http import serve_git
from tests.github.graphql import execute
from tests.github.rest import find_route, forbidden
from tests.github.rules import DOCUMENTATION, Answer, Refusal
from tests.github.state import State, Token

_GIT = re.compile(r"/(?P<owner>[^/]+)/(?P<repo>[^/]+?)(?:\.git)?/(?P<service>info/refs|git-upload-pack)")


@dataclass(frozen=True)
class Request:
    """A request as it came in; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query; the last of equal names."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Recorded:
    """One request at the socket, its answer's status (0: none was given), and what it carried."""

    method: str
    path: str
    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_git(self) -> bool:
        """A request of git, not of the API."""
        return not self.path.startswith(("/api/", "/graphql", "/blob/"))

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Fault:
    """An answer that was arranged for the next ``times`` requests that match."""

    method: str
    path: re.Pattern[str]
    status: int
    body: object
    headers: Mapping[str, str]
    times: int


class Site:
    """Everything behind the socket. Thread-safe: state changes under one lock, git runs outside it."""

    def __init__(self, state: State, rest: str = "/api") -> None:
        self.state, self.rest = state, rest
        self.graphql = "/graphql" if rest == "/api" else "/api/graphql"
        self.requests: list[Recorded] = []
        self.refused: list[str] = []
        self.faults: list[Fault] = []
        self.rate_limit_remaining = 5_000
        self.rate_limit_reset = 1_893_456_000
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Answer | None:
        """The answer, recorded. None: close the connection."""
        problems: list[str] = []
        fault = self._take_fault(request)
        if fault is not None:
            answer = _faulty(fault)
        elif request.path == self.graphql:
            with self._lock:
                answer = self._with_limits(self._graphql(request, problems))
        elif request.path.startswith(f"{self.rest}/"):
            with self._lock:
                answer = self._with_limits(self._rest(request, problems))
        elif request.path.startswith("/blob/"):
            answer = self._blob(request)
        else:
            answer = self._git(request)
        done = Recorded(request.method, request.target, answer.status, request.body, request.headers)
        with self._lock:
            self.requests.append(done)
            self.refused.extend(f"{request.method} {request.target}: {each}" for each in problems)
        return answer if answer.status else None

    def _take_fault(self, request: Request) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.method == request.method and fault.path.search(request.target):
                    fault.times -= 1
                    return fault
            return None

    def _with_limits(self, answer: Answer) -> Answer:
        headers = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(self.rate_limit_remaining),
            "X-RateLimit-Reset": str(self.rate_limit_reset),
            "X-RateLimit-Used": str(5_000 - self.rate_limit_remaining),
        }
        return Answer(answer.status, answer.body, {**headers, **answer.headers})

    def _gate(self, request: Request) -> Token | Answer:
        """Who asks, or why not: no user agent, no token, no requests left."""
        if not request.headers.get("user-agent"):
            return _error(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            )
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        token = self.state.tokens.get(text.strip()) if kind.lower() in ("bearer", "token") else None
        if token is None:
            return _error(401, "Bad credentials" if text else "Requires authentication")
        if self.rate_limit_remaining <= 0:
            return _error(
                403,
                "API rate limit exceeded for installation. If you reach out to GitHub Support for help, please include the request ID.",
            )
        self.rate_limit_remaining -= 1
        return token

    def _rest(self, request: Request, problems: list[str]) -> Answer:
        path = request.path.removeprefix(self.rest)
        token = self._gate(request)
        if isinstance(token, Answer):
            problems.extend(contract().schema_problems("basic-error", token.body))
            return token
        found = find_route(request.method, path)
        if found is None:
            problems.append("no endpoint of the slice: tests/contract/slice.py, tests/github/rest.py")
            return _error(404, "Not Found")
        route, values = found
        wrong = _judge_request(route, values, request)
        answer = self._refuse_form(wrong) if wrong else self._dispatch(route, values, request, token, path)
        problems.extend(wrong)
        problems.extend(f"own answer: {each}" for each in _judge_answer(route, values, answer))
        return answer

    def _refuse_form(self, wrong: list[str]) -> Answer:
        return Refusal(422, "Invalid request.\n\n" + "\n".join(wrong), []).answer

    def _dispatch(
        self, route: Route, values: dict[str, str], request: Request, token: Token, path: str
    ) -> Answer:
        body = json.loads(request.body) if request.body else None
        accept = request.headers.get("accept", "")
        call = Call(self.state, token, path, values, request.query, body, accept)
        try:
            if "owner" in values:
                _ = call.repository
            if not token.may(*route.permissions):
                return forbidden(route)
            return route.answer(call)
        except Refusal as refusal:
            return refusal.answer

    def _graphql(self, request: Request, problems: list[str]) -> Answer:
        if request.method != "POST":
            return _error(404, "Not Found")
        token = self._gate(request)
        if isinstance(token, Answer):
            return token
        try:
            asked = json.loads(request.body)
        except ValueError:
            problems.append("the body is no JSON")
            return _error(400, "Problems parsing JSON")
        done = execute(self.state, token, asked)
        problems.extend(done.problems)
        return done.answer

    def _blob(self, request: Request) -> Answer:
        """The store that artifacts and logs are fetched from: it refuses whoever brings a token, as Azure's does."""
        name, _, number = request.path.removeprefix("/blob/").rpartition("/")
        if "authorization" in request.headers or request.query != {"sig": "secret"}:
            return Answer(400, "Authentication information is not given in the correct format.")
        held = self.state.repositories[name.lower()]
        blobs = {
            **{each.id: each.data for each in held.artifacts},
            **{each.id: each.log for each in held.jobs},
        }
        return Answer(200, blobs[int(number)])

    def _git(self, request: Request) -> Answer:
        """GitHub's git takes a token as the password of any user, and hides what the token cannot read."""
        found = _GIT.fullmatch(request.path)
        if found is None:
            return Answer(404, "Not Found")
        token = self.state.tokens.get(_basic_password(request.headers.get("authorization", "")))
        if token is None:
            return Answer(401, "Requires authentication", {"WWW-Authenticate": 'Basic realm="GitHub"'})
        repository = self.state.repositories.get(f"{found['owner']}/{found['repo']}".lower())
        if repository is None or not token.may("contents:read"):
            return Answer(404, "Repository not found.")
        if request.query.get("service", "git-upload-pack") != "git-upload-pack":
            return Answer(403, "Write access to repository not granted.")
        query = urlsplit(request.target).query
        service = found["service"]
        return serve_git(repository.served, request.method, service, query, request.headers, request.body)


def _faulty(fault: Fault) -> Answer:
    body = fault.body
    if body is None:
        body = {
            "message": "Arranged failure",
            "documentation_url": DOCUMENTATION,
            "status": str(fault.status),
        }
    return Answer(fault.status, body, fault.headers)


def _error(status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)})


def _basic_password(header: str) -> str:
    kind, _, text = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _judge_request(route: Route, values: Mapping[str, str], request: Request) -> list[str]:
    if request.body:
        try:
            json.loads(request.body)
        except ValueError:
            return ["the body is no JSON"]
    return contract().request_problems(route.method, route.template, values, request.query, request.body)


def _judge_answer(route: Route, values: Mapping[str, str], answer: Answer) -> list[str]:
    if not isinstance(answer.body, dict | list):
        return []  # a diff as text: the description knows the media type for comparisons only
    body: Any = answer.body
    if isinstance(body, dict) and isinstance(body.get("head"), dict) and body["head"].get("repo", "") is None:
        # GitHub answers null once a fork is deleted; its description does not say so.
        body = {**body, "head": {**body["head"], "repo": body["base"]["repo"]}}
    return contract().answer_problems(
        route.method, route.template, values, answer.status, json.dumps(body).encode()
    )
