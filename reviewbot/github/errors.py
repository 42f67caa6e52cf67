"""How GitHub refuses: a status, a message and headers -> one typed error with a remedy. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from reviewbot.errors import ReviewbotError
from reviewbot.text import one_line


class GitHubError(ReviewbotError):
    """GitHub cannot be reached, or its answer cannot be read."""

    exit_code = 3
    reason = "no_review"
    help = "Run it again later; https://www.githubstatus.com tells whether GitHub has a problem."


class GitHubLost(GitHubError):
    """No answer came, or none that tells whether GitHub did what it was asked to do."""


class GitHubDenied(GitHubError):
    """The token is wrong or lacks a right (401, 403)."""

    help = "Check the github-token and the `permissions:` of the workflow."

    @property
    def is_read_only(self) -> bool:
        """The token lacks the right; a locked conversation and a blocked account are other refusals."""
        return "not accessible by" in str(self)


class GitHubNotFound(GitHubError):
    """What was asked for does not exist, or the token may not see it (404)."""

    help = "Check the name and number, and that the github-token may read the repository."


class GitHubRefused(GitHubError):
    """GitHub will not take what was sent (422); ``details`` are its own messages."""

    help = "If this happens again, please report it with the message above."

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details


def refusal(status: int, data: object, headers: Mapping[str, str]) -> GitHubError:
    """The error for an answer of 400 and above; ``headers`` have names in lower case."""
    said = data.get("message") if isinstance(data, dict) else None
    message = f": {one_line(said, 300)}" if isinstance(said, str) and said else ""
    reset = headers.get("x-ratelimit-reset", "")
    is_spent = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    if status == 429 or (status == 403 and (is_spent or "rate limit" in message.lower())):
        until = f" until {_clock(reset)}" if headers.get("x-ratelimit-remaining") == "0" and reset else ""
        return GitHubError(f"GitHub's rate limit is used up{until}.", help="Run it again after that.")
    if status in (401, 403):
        needed = one_line(headers.get("x-accepted-github-permissions", ""), 200)
        hint = f" (it accepts {needed})" if needed else ""
        return GitHubDenied(f"GitHub refused the token with status {status}{message}{hint}")
    if status in (404, 410):
        return GitHubNotFound(f"GitHub does not have what was asked for, or hides it{message}")
    if status == 422:
        return GitHubRefused(f"GitHub would not take the request{message}", tuple(_details(data)))
    kind = GitHubLost if status >= 500 else GitHubError
    return kind(f"GitHub answered with status {status}{message}")


def graphql_error(error: object) -> GitHubError:
    """The error for one of the ``errors`` of a GraphQL answer, which comes with status 200."""
    kind, said = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, None)
    message = f": {one_line(str(said), 300)}" if said else ""
    if kind == "NOT_FOUND":
        return GitHubNotFound(f"GitHub does not have what was asked for, or hides it{message}")
    if kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
        return GitHubDenied(f"GitHub refused the token{message}")
    if kind in ("RATE_LIMITED", "RATE_LIMIT"):
        return GitHubError(f"GitHub's rate limit is used up{message}", help="Run it again in an hour.")
    return GitHubError(f"GitHub could not answer{message}")


def graphql_path(error: object) -> str:
    """The name of the part of a GraphQL request that an error is about; empty where it does not say."""
    path = error.get("path") if isinstance(error, dict) else None
    return str(path[0]) if isinstance(path, list) and path else ""


def _details(data: object) -> Iterator[str]:
    errors = data.get("errors") if isinstance(data, dict) else None
    for error in errors if isinstance(errors, list) else [errors] if errors else []:
        if isinstance(error, dict):
            parts = (str(error[key]) for key in ("resource", "field", "code", "message") if error.get(key))
            yield one_line(" ".join(parts), 300)
        else:
            yield one_line(str(error), 300)


def _clock(seconds: str) -> str:
    try:
        return datetime.fromtimestamp(float(seconds), UTC).strftime("%H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
