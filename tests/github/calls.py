"""A call of a REST endpoint, the route it took, and the pages of its answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.github.rules import Answer, Refusal
from tests.github.state import Issue, Pull, Repository, State, Token


@dataclass(frozen=True)
class Call:
    """A request whose token and form were already accepted."""

    state: State
    token: Token
    path: str
    values: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    accept: str

    @property
    def repository(self) -> Repository:
        """The repository of the path. Raises Refusal (404)."""
        name = f"{self.values['owner']}/{self.values['repo']}".lower()
        if name not in self.state.repositories:
            raise Refusal(404, "Not Found")
        return self.state.repositories[name]

    @property
    def pull(self) -> Pull:
        """The pull request of the path. Raises Refusal (404)."""
        number = int(self.values.get("pull_number") or self.values["issue_number"])
        if number not in self.repository.pulls:
            raise Refusal(404, "Not Found")
        return self.repository.pulls[number]

    @property
    def conversation(self) -> Pull | Issue:
        """The pull request or the issue of the path. Raises Refusal (404)."""
        found = self.repository.conversation(int(self.values["issue_number"]))
        if found is None:
            raise Refusal(404, "Not Found")
        return found


@dataclass(frozen=True)
class Route:
    """One operation of the description; ``permissions`` are alternatives."""

    method: str
    template: str
    permissions: tuple[str, ...]
    answer: Callable[[Call], Answer]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The values in the path, or None."""
        pattern = re.sub(r"\{(ref|basehead)\}", r"(?P<\1>.+)", self.template)
        pattern = re.sub(r"(?<!\?P<)\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return found.groupdict() if found else None


def page_bounds(call: Call) -> tuple[int, int]:
    """The first item of the page and how many it may hold: 30 unless asked, at most 100."""
    size = min(100, max(1, int(call.query.get("per_page", "30"))))
    return (max(1, int(call.query.get("page", "1"))) - 1) * size, size


def page(call: Call, items: Sequence[Any]) -> Answer:
    """One page of a list, with links to the others."""
    first, size = page_bounds(call)
    return Answer(200, list(items[first : first + size]), links(call, len(items)))


def links(call: Call, count: int) -> dict[str, str]:
    """The Link header: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
    first, size = page_bounds(call)
    page, last = first // size + 1, max(1, -(-count // size))
    targets = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page == 1:
        del targets["prev"], targets["first"]
    if page >= last:
        del targets["next"], targets["last"]
    parts = []
    for name, number in targets.items():
        query = urlencode({**call.query, "page": number})
        parts.append(f'<{call.state.origin}/api{call.path}?{query}>; rel="{name}"')
    return {"Link": ", ".join(parts)} if parts else {}
