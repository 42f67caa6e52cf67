"""GitHub's rules that its description does not state, each with the error GitHub answers.

Messages as users of the API report them: a review is created whole or not at all, and the error names
the kind of problem but not which comment has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.github.served import DiffFile

LONGEST_BODY = 65_536
DOCUMENTATION = "https://docs.github.com/rest"


@dataclass(frozen=True)
class Answer:
    """An answer before it is sent; ``body`` is JSON, text or bytes."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """GitHub says no."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        body: dict[str, Any] = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
        if errors is not None:
            body["errors"] = errors
        self.answer = Answer(status, body)


@dataclass(frozen=True)
class Place:
    """Where a review comment stands."""

    path: str
    line: int
    side: str
    start_line: int | None
    start_side: str | None
    position: int
    diff_hunk: str


def check_body(body: object) -> str:
    """An issue comment's text. Raises Refusal (422)."""
    wrong = body_problem(body)
    if wrong:
        raise _invalid("IssueComment", "unprocessable", "data", wrong)
    return str(body)


def body_problem(body: object) -> str | None:
    """GitHub's sentence for a text that is empty or too long."""
    if not isinstance(body, str) or not body.strip():
        return "Body can't be blank"
    if len(body) > LONGEST_BODY:
        return f"Body is too long (maximum is {LONGEST_BODY} characters)"
    return None


def check_review_body(body: str | None, event: str | None, comments: int) -> str:
    """A review's own text, which an APPROVE or a review with comments may lack. Raises Refusal (422)."""
    text = body or ""
    needed = event in ("COMMENT", "REQUEST_CHANGES") and not comments
    wrong = body_problem(text) if needed or text.strip() else None
    if wrong:
        raise refused_review(wrong)
    return text


def refused_review(message: str) -> Refusal:
    """The 422 of a whole review: its errors are plain sentences."""
    return Refusal(422, "Unprocessable Entity", [message])


def refused_thread(message: str) -> Refusal:
    """The 422 of a single review comment: its errors are objects."""
    return _invalid("PullRequestReviewComment", "custom", "pull_request_review_thread", message)


def _invalid(resource: str, code: str, field_name: str, message: str) -> Refusal:
    error = {"resource": resource, "code": code, "field": field_name, "message": message}
    return Refusal(422, "Validation Failed", [error])


def place_comment(files: tuple[DiffFile, ...], comment: Mapping[str, Any]) -> Place | str:
    """Where in the diff a comment stands, or GitHub's sentence for why it cannot."""
    wrong = body_problem(comment["body"])
    if wrong:
        return wrong
    file = next((each for each in files if each.path == comment["path"]), None)
    if file is None:
        return "Path could not be resolved"
    spot = _end(file, comment)
    if spot is None:
        return "Line could not be resolved"
    side, line = spot
    hunk, position = file.places[spot]
    start_line = comment.get("start_line")
    if start_line is None:
        return Place(file.path, line, side, None, None, position, _hunk_text(file, position))
    start_side = comment.get("start_side") or side
    start = file.places.get((start_side, start_line))
    if start is None or start[0] != hunk:
        return "Pull request review thread start line must be part of the same hunk as the line."
    if start[1] >= position:
        return "Pull request review thread start line must precede the end line."
    return Place(file.path, line, side, start_line, start_side, position, _hunk_text(file, position))


def _end(file: DiffFile, comment: Mapping[str, Any]) -> tuple[str, int] | None:
    if comment.get("line") is None:
        wanted = comment.get("position")
        return next((spot for spot, (_, position) in file.places.items() if position == wanted), None)
    spot = (comment.get("side") or "RIGHT", comment["line"])
    return spot if spot in file.places else None


def _hunk_text(file: DiffFile, position: int) -> str:
    """The hunk up to the line, as GitHub shows it above a comment."""
    lines = (file.patch or "").split("\n")[: position + 1]
    start = max(index for index, line in enumerate(lines) if line.startswith("@@ "))
    return "\n".join(lines[start:])
