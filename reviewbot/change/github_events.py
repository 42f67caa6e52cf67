"""What happened on GitHub: the events that are understood, as values; ``payload`` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from reviewbot.core import Sha


@dataclass(frozen=True, slots=True)
class PullRequestEvent:
    """Something happened to a pull request. ``base_tip`` is the tip of the base branch at that time.

    ``head_repository`` is None where the fork was deleted; it is a fork all the same. ``author`` opened
    the pull request (``ghost`` where the account is gone), ``actor`` caused the event.
    """

    action: str
    repository: str
    number: int
    head_sha: Sha
    head_ref: str
    head_repository: str | None
    base_ref: str
    base_tip: Sha
    is_fork: bool
    is_draft: bool
    state: str
    author: str
    actor: str
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class MergeGroupEvent:
    """A merge queue asks whether a group may be merged. ``base_sha`` is what the group stands on.

    ``base_branch`` is the branch it will be merged into, without ``refs/heads/``; ``pull_number`` the pull
    request that the group adds, as far as the name of its branch tells.
    """

    repository: str
    head_sha: Sha
    base_sha: Sha
    base_branch: str
    pull_number: int | None
    actor: str
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class PushEvent:
    """Somebody pushed to a branch; ``before`` is None where the push created it."""

    repository: str
    branch: str
    before: Sha | None
    after: Sha
    actor: str
    default_branch: str
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class CommentEvent:
    """Somebody wrote a comment below a pull request, or, ``on_pull_request`` False, below an issue.

    ``author`` wrote it; ``by_person`` is False for a bot. ``body`` is what was written, nothing removed.
    """

    repository: str
    number: int
    on_pull_request: bool
    comment_id: int
    body: str
    author: str
    by_person: bool
    actor: str
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class WorkflowRunEvent:
    """A workflow ended that ran for a pull request of ``head_owner``'s branch; the payload names no number.

    GitHub leaves the list of pull requests empty for forks, so nothing of it is used.
    """

    repository: str
    run_id: int
    head_sha: Sha
    head_branch: str
    head_owner: str
    actor: str
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class DispatchEvent:
    """Somebody started the workflow by hand; ``inputs`` are those of the workflow, not of the action."""

    repository: str
    ref: str
    actor: str
    inputs: Mapping[str, str]
    default_branch: str | None
    size_kib: int | None


@dataclass(frozen=True, slots=True)
class ScheduleEvent:
    """The clock started the workflow."""

    repository: str
    actor: str
    default_branch: str | None
    size_kib: int | None


Event = (
    PullRequestEvent
    | MergeGroupEvent
    | PushEvent
    | CommentEvent
    | WorkflowRunEvent
    | DispatchEvent
    | ScheduleEvent
)
