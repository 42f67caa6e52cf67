"""What the fake GitHub remembers. Plain values that a test may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.github.served import DiffFile, ServedRepository


@dataclass(frozen=True)
class Token:
    """``permissions`` as a workflow file spells them: name -> read|write."""

    text: str
    permissions: Mapping[str, str]
    identity: str

    @property
    def is_bot(self) -> bool:
        """An installation's token, as GITHUB_TOKEN is one."""
        return self.identity.endswith("[bot]")

    def may(self, *wanted: str) -> bool:
        """Whether one of ``name:level`` is granted; write includes read, metadata is always there."""
        for each in wanted:
            name, level = each.split(":")
            granted = "read" if name == "metadata" else self.permissions.get(name, "none")
            if granted == level or granted == "write":
                return True
        return False


@dataclass
class IssueComment:
    """A comment in the conversation."""

    id: int
    author: str
    body: str
    created_at: str
    updated_at: str
    minimized: str | None = None


@dataclass
class Review:
    """A review; ``state`` is PENDING until it is submitted."""

    id: int
    author: str
    body: str
    state: str
    commit_id: str
    created_at: str


@dataclass
class ReviewComment:
    """A comment on lines of the diff; it begins a thread, or is an answer in that of ``reply_to``."""

    id: int
    review_id: int
    author: str
    body: str
    commit_id: str
    path: str
    line: int
    side: str
    start_line: int | None
    start_side: str | None
    diff_hunk: str
    position: int
    created_at: str
    reply_to: int | None = None
    minimized: str | None = None
    resolved: bool = False


@dataclass
class CheckRun:
    """A check run as it was last sent. ``values`` are the fields of the request."""

    id: int
    app: str
    head_sha: str
    values: dict[str, object]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.values["name"])

    @property
    def conclusion(self) -> str | None:
        """Its conclusion, None while it runs."""
        said = self.values.get("conclusion")
        return None if said is None else str(said)

    @property
    def output(self) -> dict[str, object]:
        """title, summary, text, annotations as they were sent."""
        said = self.values.get("output")
        return said if isinstance(said, dict) else {}


@dataclass(frozen=True)
class Artifact:
    """What a run of a workflow uploaded; ``expired`` ones are listed and cannot be fetched."""

    id: int
    run_id: int
    name: str
    data: bytes = field(repr=False)
    expired: bool = False


@dataclass(frozen=True)
class Job:
    """A finished job of a run of a workflow; its check run has the same id. ``log`` None: it is gone."""

    id: int
    run_id: int
    name: str
    head_sha: str
    conclusion: str
    log: bytes | None = field(repr=False)
    annotations: tuple[dict[str, object], ...] = ()


@dataclass
class SarifUpload:
    """A report that code scanning took; ``log`` is what it holds, ``pending`` how often it is said to wait."""

    id: str
    ref: str
    commit_sha: str
    log: dict[str, Any] = field(default_factory=dict, repr=False)
    pending: int = 0
    errors: tuple[str, ...] = ()


@dataclass
class Pull:
    """A pull request. ``base_sha`` is the tip of the base branch when head last moved, as GitHub has it."""

    number: int
    base_ref: str
    base_sha: str
    head_ref: str
    head_sha: str
    head_repository: str | None
    draft: bool
    state: str
    merged: bool
    author: str
    title: str
    created_at: str
    known_heads: list[str] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    review_comments: list[ReviewComment] = field(default_factory=list)
    issue_comments: list[IssueComment] = field(default_factory=list)


@dataclass
class Issue:
    """An issue that is no pull request; ``state`` is open or closed."""

    number: int
    author: str
    title: str
    body: str
    created_at: str
    state: str = "open"
    state_reason: str | None = None
    issue_comments: list[IssueComment] = field(default_factory=list)


@dataclass
class Repository:
    """One repository; ``branches`` stand above those of the served folder."""

    id: int
    name: str
    served: ServedRepository
    default_branch: str
    collaborators: Mapping[str, str]
    size_kib: int
    branches: dict[str, str] = field(default_factory=dict)
    has_code_scanning: bool = True
    is_hidden: bool = False
    is_saml_locked: bool = False
    sarifs: list[SarifUpload] = field(default_factory=list)
    sarif_pending: int = 0
    sarif_errors: tuple[str, ...] = ()
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    has_issues: bool = True
    check_runs: list[CheckRun] = field(default_factory=list)
    reactions: list[tuple[int, str, str]] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    @property
    def conversations(self) -> "list[Pull | Issue]":
        """Everything below which people talk."""
        return [*self.pulls.values(), *self.issues.values()]

    def conversation(self, number: int) -> "Pull | Issue | None":
        """The pull request or the issue of this number."""
        return self.pulls.get(number) or self.issues.get(number)

    def resolve(self, revision: str) -> str | None:
        """The commit of an id, a branch, ``heads/branch`` or ``owner:branch``."""
        revision = revision.rpartition(":")[2].removeprefix("heads/")
        return self.branches.get(revision) or self.served.resolve(revision)

    def diff(self, pull: Pull) -> tuple[DiffFile, ...]:
        """The three-dot diff of a pull request."""
        base = self.served.merge_base(self.resolve(pull.base_ref) or pull.base_sha, pull.head_sha)
        return self.served.diff(base, pull.head_sha) if base else ()


class Clock:
    """Ids that grow and a time that moves on a second with each of them."""

    def __init__(self) -> None:
        self._count = count(1)
        self._start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def next_id(self) -> int:
        """A number nothing else has."""
        return 1_000 + next(self._count)

    def now(self) -> str:
        """A later time than any before."""
        return (self._start + timedelta(seconds=next(self._count))).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class State:
    """Everything; one lock around each request keeps it whole."""

    origin: str = ""
    clock: Clock = field(default_factory=Clock)
    tokens: dict[str, Token] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)

    def repository(self, name: str) -> Repository:
        """A repository by owner/name in any case."""
        return self.repositories[name.lower()]
