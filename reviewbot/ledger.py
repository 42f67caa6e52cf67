"""The nouns of the ledger: what became of every changed file."""

from dataclasses import dataclass
from enum import StrEnum


class CoverageStatus(StrEnum):
    """What became of a changed file."""

    REVIEWED = "reviewed"
    TRIAGED = "triaged"
    EXCLUDED = "excluded"
    UNREVIEWED = "unreviewed"


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One line of the ledger. ``by`` names who read the file; ``reason`` the rule or the failure.

    ``cause`` is the code of the run's own reason (an outage, the budget) that left the file unread.
    ``read_at`` is the head of the earlier round in which agents read it; empty where that was this one.
    """

    path: str
    status: CoverageStatus
    by: tuple[str, ...]
    reason: str
    added_lines: int
    deleted_lines: int
    cause: str = ""
    read_at: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The ledger of every changed file."""

    files: tuple[CoverageRow, ...]

    def count(self, status: CoverageStatus) -> int:
        """How many files have this status."""
        return sum(row.status is status for row in self.files)

    @property
    def added_lines(self) -> int:
        """Lines the change adds, over all files."""
        return sum(row.added_lines for row in self.files)

    @property
    def deleted_lines(self) -> int:
        """Lines the change deletes, over all files."""
        return sum(row.deleted_lines for row in self.files)

    @property
    def secret_scan_share(self) -> float | None:
        """The share of the read lines that only the secret scan read, 0 to 1; None where none was read."""
        read = (row for row in self.files if row.status is CoverageStatus.REVIEWED)
        alone = sum(row.added_lines for row in read if row.by == ("detect-secrets",))
        return alone / self.reviewed_lines if self.reviewed_lines else None

    @property
    def reviewed_lines(self) -> int:
        """Added lines of the files that were reviewed or triaged."""
        read = (CoverageStatus.REVIEWED, CoverageStatus.TRIAGED)
        return sum(row.added_lines for row in self.files if row.status in read)
