"""The one issue in which the scans of a repository say what they found: found, read, opened, edited, closed.

It is known by our identity and its marker, or its title where somebody took the marker away: a baseline
that was there must not vanish in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reviewbot.core import Review
from reviewbot.github.api import GitHub
from reviewbot.github.errors import GitHubDenied, GitHubNotFound
from reviewbot.github.issues import OwnIssue, create_issue, edit_issue, read_own_issues
from reviewbot.publish.markers import Scope, read_marker
from reviewbot.publish.tracking_issue import (
    TITLE,
    Memory,
    listed_findings,
    parse_memory,
    render_tracking_issue,
    unread_entries,
)
from reviewbot.verdict.baseline import Comparison


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the tracking issue says before a scan; ``issue`` is None where there is none yet.

    ``is_signed``: the memory carries the signature of this run's key. ``gone`` says why a baseline that
    the issue should hold is not to be had. ``denied``: the token may not read or write issues, and why.
    """

    issue: OwnIssue | None = None
    memory: Memory | None = None
    is_signed: bool = False
    gone: str = ""
    denied: str = ""


def read_tracked(github: GitHub, repository: str, key: bytes | None) -> Tracked:
    """Find the tracking issue and what it keeps; two requests.

    Raises GitHubError where nobody knows whether there is one: a scan must not take all as known then.
    """
    try:
        issues = read_own_issues(github, repository)
    except (GitHubDenied, GitHubNotFound) as error:
        return Tracked(denied=f"There is no tracking issue: {error} (give the job `issues: write`).")
    found = _find(issues, repository, key)
    return _read(found, repository, key) if found else Tracked()


def _find(issues: tuple[OwnIssue, ...], repository: str, key: bytes | None) -> OwnIssue | None:
    """The oldest one that we signed, else the oldest with a marker, else the oldest with our title."""

    def is_marked(issue: OwnIssue, by: bytes | None) -> bool:
        marker = read_marker(issue.body, Scope(repository, issue.number), by)
        return marker is not None and marker.kind == "tracking"

    signed = (issue for issue in issues if key and is_marked(issue, key))
    marked = (issue for issue in issues if is_marked(issue, None))
    named = (issue for issue in issues if issue.title == TITLE)
    return next(signed, None) or next(marked, None) or next(named, None)


def _read(issue: OwnIssue, repository: str, key: bytes | None) -> Tracked:
    name = f"tracking issue #{issue.number}"
    marker = read_marker(issue.body, Scope(repository, issue.number), key)
    if marker is None or marker.kind != "tracking":
        what = "does not carry the signature of this `state-key`" if key else "has lost its last line"
        return Tracked(issue, gone=f"The {name} {what}.")
    memory = parse_memory(marker.data, name)
    if memory is None:
        return Tracked(issue, gone=f"The last line of the {name} cannot be read.")
    gone = f"The baseline did not fit into the {name}." if memory.left_out else ""
    return Tracked(issue, memory, key is not None, gone)


def write_tracked(  # noqa: PLR0917 - what is said, where, and what was there
    github: GitHub, review: Review, compared: Comparison, memory: Memory, before: Tracked, key: bytes | None,
    *, server: str,
) -> OwnIssue:  # fmt: skip
    """Bring the issue up to date, opening it where there is none: one request, two for a new one.

    It is closed where nothing is left, and open again where something is, unless a person closed it as not
    planned and nothing is new. The same text is not sent twice. Raises GitHubError.
    """
    repository = review.trigger.repository
    issue = before.issue or create_issue(github, repository, TITLE, "The first scan is written here.")
    body = render_tracking_issue(
        review, compared, memory, server=server, scope=Scope(repository, issue.number), key=key
    )
    changes = _changes(issue, body, review, compared)
    return edit_issue(github, repository, issue.number, changes) if changes else issue


def _changes(issue: OwnIssue, body: str, review: Review, compared: Comparison) -> Mapping[str, str]:
    # GitHub may hand out carriage returns and drop white space at the end.
    is_same = issue.body.replace("\r\n", "\n").rstrip() == body.rstrip()
    changes = {} if is_same else {"body": body}
    if not listed_findings(review) and not unread_entries(review, compared):
        return {**changes, "state": "closed", "state_reason": "completed"} if issue.is_open else changes
    if issue.is_open or (issue.is_unwanted and not compared.new):
        return changes
    return {**changes, "state": "open"}
