"""The nouns of a review: frozen values with no behaviour beyond validation. Paths are the bytes git stores,
decoded as UTF-8 with ``surrogateescape``. Lines are numbered from 1; ranges include both ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from reviewbot.claims import Edit
from reviewbot.claims import Outcome as Outcome  # noqa: PLC0414 - had from here by all
from reviewbot.ledger import Coverage as Coverage  # noqa: PLC0414 - had from here by all
from reviewbot.ledger import CoverageRow as CoverageRow  # noqa: PLC0414
from reviewbot.ledger import CoverageStatus as CoverageStatus  # noqa: PLC0414
from reviewbot.severity import Severity as Severity  # noqa: PLC0414 - had from here by all
from reviewbot.spend.caps import Cap

Sha = str
"""A full object id: 40 hex digits (SHA-1) or 64 (SHA-256)."""

Mask = tuple[int, int, int]
"""A head line, its first column to hide and the one after the last; columns from 0, -1 is the end."""

LineRanges = tuple[tuple[int, int], ...]
"""Sorted, disjoint (first, last) pairs."""


class Side(StrEnum):
    """Which blob a line number counts in: RIGHT is head, LEFT is base (GitHub's names)."""

    RIGHT = "RIGHT"
    LEFT = "LEFT"


class TriggerKind(StrEnum):
    """What asked for the run."""

    PULL_REQUEST = "pull_request"
    SCHEDULE = "schedule"
    WORKFLOW_DISPATCH = "workflow_dispatch"
    ISSUE_COMMENT = "issue_comment"
    WORKFLOW_RUN = "workflow_run"
    MERGE_GROUP = "merge_group"
    PUSH = "push"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Who asked for a review of what.

    ``base_sha`` is the merge base, ``policy_sha`` the commit the policy is read from and
    ``head_sha`` what is reviewed: three commits that are never mixed.
    """

    run_id: str
    kind: TriggerKind
    repository: str
    actor: str
    base_sha: Sha
    policy_sha: Sha
    head_sha: Sha
    pull_number: int | None = None
    is_fork: bool = False


class ChangeStatus(StrEnum):
    """What happened to a file between base and head."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    COPIED = "copied"
    MODE_CHANGED = "mode_changed"
    TYPE_CHANGED = "type_changed"


@dataclass(frozen=True, slots=True)
class Hunk:
    """One ``@@`` block.

    ``lines`` keep git's first character (`` ``, ``+``, ``-``, or ``\\`` for the no-newline marker)
    and lose only the final line feed: a form feed or a lone carriage return stays inside its line.
    ``heading`` is what git prints behind ``@@``: the line that names the function around the hunk.
    """

    base_start: int
    base_count: int
    head_start: int
    head_count: int
    lines: tuple[str, ...]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of the change.

    ``added`` are the head lines that the change added, ``deleted`` the base lines it deleted.
    ``gaps`` are the head lines directly after which base lines were deleted (0: before line 1).
    ``omitted`` says why the hunks are not here although the file has text to read.
    """

    path: str
    old_path: str | None
    status: ChangeStatus
    base_mode: str
    head_mode: str
    base_blob: Sha | None
    head_blob: Sha | None
    added_lines: int = 0
    deleted_lines: int = 0
    is_binary: bool = False
    hunks: tuple[Hunk, ...] = ()
    added: LineRanges = ()
    deleted: LineRanges = ()
    gaps: tuple[int, ...] = ()
    omitted: str | None = None

    @property
    def is_submodule(self) -> bool:
        """Head (or, for a deletion, base) is a gitlink: a commit of another repository."""
        return "160000" in (self.head_mode, self.base_mode if self.head_blob is None else "")

    @property
    def is_symlink(self) -> bool:
        """Head (or, for a deletion, base) is a symbolic link, whose content is its target as text."""
        return "120000" in (self.head_mode, self.base_mode if self.head_blob is None else "")


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Every file that differs between two commits, in git's order."""

    base_sha: Sha
    head_sha: Sha
    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """A range of lines in one file."""

    path: str
    start_line: int
    end_line: int
    side: Side = Side.RIGHT

    def __post_init__(self) -> None:
        if not 1 <= self.start_line <= self.end_line:
            raise ValueError(f"lines {self.start_line}-{self.end_line} are no range")


EvidenceSource = Literal["sarif", "junit", "analyzer", "agent"]
"""``agent`` is what a model said, after its quotes were found in the blobs (``verdict.quotes``)."""


class Suppression(StrEnum):
    """Who silenced a result, if anybody did."""

    NONE = "none"
    BASE = "base"
    """By a comment that already stands in the base blob: honoured."""
    CHANGE = "change"
    """By a comment that the change itself adds: shown, lowers nothing."""
    EXTERNAL = "external"
    """By something outside the source, which we cannot check: shown, lowers nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a program said about the change.

    ``rule`` is the tool's own id without the tool's name. ``location`` is where the tool saw it, in
    the commit ``revision`` (None: head); ``related`` are further places that belong to it.
    ``snippet`` is the text of the first line as the tool saw it. ``masks`` are the places of secrets in
    ``location.path``, which nothing may show.
    ``trace`` is text to be shown as it is, such as a stack trace. ``advisory`` evidence never blocks,
    whatever its severity. ``edits`` apply exactly once each to the blobs of head; nobody has run the result.
    """

    id: str
    source: EvidenceSource
    tool: str
    rule: str
    severity: Severity
    title: str
    message: str = ""
    location: Location | None = None
    related: tuple[Location, ...] = ()
    level: Literal["error", "warning", "note", "none"] = "warning"
    confidence: float = 1.0
    cwe: tuple[str, ...] = ()
    revision: Sha | None = None
    snippet: str | None = None
    suppression: Suppression = Suppression.NONE
    masks: tuple[Mask, ...] = ()
    trace: str = ""
    advisory: bool = False
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """A few head (or base) lines around a finding, secrets already masked; ``lines[0]`` is ``start_line``."""

    start_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Evidence that was anchored to the change (or, ``location`` None, could not be, and says why).

    ``fingerprint`` is 16 hex digits that survive moved lines. ``quote`` is the text of the location.
    A ``deferred`` finding is low, new, and on lines that did not change since the last round.
    """

    fingerprint: str
    evidence: Evidence
    location: Location | None
    in_diff: bool
    status: Literal["new", "known", "dismissed", "deferred"] = "new"
    quote: str = ""
    frame: Frame | None = None
    note: str = ""

    @property
    def rule(self) -> str:
        """The rule with its tool as prefix, such as ``ruff/S602``."""
        return f"{self.evidence.tool}/{self.evidence.rule}"

    @property
    def severity(self) -> Severity:
        """The severity of what was said."""
        return self.evidence.severity


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something said that did not become a finding, and why."""

    source: str
    rule: str
    path: str | None
    why: str


class Conclusion(StrEnum):
    """The three ends of a review."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is: a code from a closed list and one sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on a finding blocks: at or above both."""

    fail_on: Severity = Severity.HIGH
    minimum_confidence: float = 0.5


@dataclass(frozen=True, slots=True)
class GateRules:
    """What the gate needs of the settings. ``by_path`` holds the paths with a threshold of their own."""

    threshold: Threshold = Threshold()
    by_path: Mapping[str, Threshold] = field(default_factory=dict)
    fail_on_tests: bool = False
    on_incomplete: Literal["fail", "neutral"] = "neutral"
    is_scan: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision: ``blocking`` and ``advisory`` are fingerprints."""

    conclusion: Conclusion
    exit_code: int
    blocking: tuple[str, ...]
    advisory: tuple[str, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """The one value that every publisher takes. ``patch`` holds the edits for failed tests.

    ``proof`` is the sentence of a proof that its tests pass with the patch; empty: nobody has proven it.
    ``suggests``: the policy wants fixes as GitHub's suggestion blocks, and the author may push to the branch.
    ``fix_rounds``: how often a fix that fails its proof may go back. ``hides_unproven``: a fix without a
    proof is not shown.

    ``notes`` are sentences about the run that a reader must know (engine, policy file, what is not read).
    ``terms`` is a digest of what the agents were told beyond the change; empty where none was asked.
    ``caps`` hold over several runs. ``charged_usd`` is the most that this one may have cost, as far as
    prices are known: it counts calls whose answer never came, which ``cost_usd`` does not.
    """

    trigger: Trigger
    changes: ChangeSet
    verdict: Verdict
    coverage: Coverage
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()
    started_at: str = ""
    seconds: float = 0.0
    budget_usd: float = 2.00
    patch: bytes = b""
    terms: str = ""
    proof: str = ""
    suggests: bool = False
    fix_rounds: int = 1
    hides_unproven: bool = False
    caps: tuple[Cap, ...] = ()
    charged_usd: float = 0.0

    @property
    def shows_fix(self) -> bool:
        """Whether the fix may be shown; ``patch`` may also be there to be tried."""
        return bool(self.proof) or not self.hides_unproven

    @property
    def cost_usd(self) -> float:
        """Dollars spent on model calls, as far as their prices are known."""
        return sum(outcome.usd or 0.0 for outcome in self.outcomes)

    @property
    def cost_is_complete(self) -> bool:
        """Whether the price of every call is known."""
        return all(outcome.usd is not None for outcome in self.outcomes)
