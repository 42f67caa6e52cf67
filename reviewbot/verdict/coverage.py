"""The ledger: what became of every changed file."""

from collections.abc import Mapping

from reviewbot.core import ChangeSet, Coverage, CoverageRow, CoverageStatus, FileChange


def build_coverage(
    changes: ChangeSet,
    excluded: Mapping[str, str],
    scanned: Mapping[str, tuple[str, ...]],
    failed: Mapping[str, str],
) -> Coverage:
    """One row for each changed file.

    Args:
        excluded: path to the named rule that excludes it.
        scanned: path to the analyzers that read it.
        failed: path to the reason why an analyzer that should have read it did not.
    """
    return Coverage(tuple(_row(change, excluded, scanned, failed) for change in changes.files))


def _row(
    change: FileChange,
    excluded: Mapping[str, str],
    scanned: Mapping[str, tuple[str, ...]],
    failed: Mapping[str, str],
) -> CoverageRow:
    path = change.path
    by = scanned.get(path, ())
    if path in excluded:
        status, by, reason = CoverageStatus.EXCLUDED, (), excluded[path]
    elif change.omitted:
        status, by, reason = CoverageStatus.UNREVIEWED, (), change.omitted
    elif path in failed:
        status, reason = CoverageStatus.UNREVIEWED, failed[path]
    elif by:
        status, reason = CoverageStatus.REVIEWED, ""
    elif has_nothing_to_scan(change):
        status, by, reason = CoverageStatus.REVIEWED, ("reviewbot",), "nothing to scan"
    else:
        status, reason = CoverageStatus.UNREVIEWED, "no analyzer read it"
    return CoverageRow(path, status, by, reason, change.added_lines, change.deleted_lines)


def has_nothing_to_scan(change: FileChange) -> bool:
    """A deletion, a pure rename, a mode change or an empty file: no line was added."""
    return change.omitted is None and (change.head_blob is None or not change.added)
