"""The ledger: what became of every changed file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reviewbot.core import ChangeSet, Coverage, CoverageRow, CoverageStatus, FileChange
from reviewbot.verdict.before import ReadBefore

KEY_MATERIAL = "key material, never shown to a model"


@dataclass(frozen=True, slots=True)
class Readers:
    """What the model agents did, by path: who finished it, why triage let it be, why nobody read it.

    ``causes`` are the codes of the reasons behind ``failed``; what is ``withheld`` no model is shown.
    What was read ``before``, in an earlier round, was not read again.
    """

    reviewed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    triaged: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    before: Mapping[str, ReadBefore] = field(default_factory=dict)


def build_coverage(
    changes: ChangeSet,
    excluded: Mapping[str, str],
    scanned: Mapping[str, tuple[str, ...]],
    failed: Mapping[str, str],
    agents: Readers | None = None,
) -> Coverage:
    """One row for each changed file.

    Args:
        changes: the change.
        excluded: path to the named rule that excludes it.
        scanned: path to the analyzers that read it.
        failed: path to the reason why an analyzer that should have read it did not.
        agents: what the model agents read; None in the deterministic engine, where analyzers suffice.
    """
    rows = (_row(change, excluded, scanned, failed, agents) for change in changes.files)
    return Coverage(tuple(rows))


def _row(
    change: FileChange,
    excluded: Mapping[str, str],
    scanned: Mapping[str, tuple[str, ...]],
    failed: Mapping[str, str],
    agents: Readers | None,
) -> CoverageRow:
    path = change.path
    by = scanned.get(path, ())
    if path in excluded:
        status, by, reason = CoverageStatus.EXCLUDED, (), excluded[path]
    elif change.omitted:
        status, by, reason = CoverageStatus.UNREVIEWED, (), change.omitted
    elif path in failed:
        status, reason = CoverageStatus.UNREVIEWED, failed[path]
    elif agents and path in agents.before:
        return _read_before(change, by, agents.before[path])
    elif agents and (path in agents.failed or path in agents.reviewed or path in agents.triaged):
        status, by, reason = _by_agents(path, by, agents)
    elif by and (not agents or path in agents.withheld):
        status, reason = CoverageStatus.REVIEWED, KEY_MATERIAL if agents else ""
    elif has_nothing_to_scan(change):
        status, by, reason = CoverageStatus.REVIEWED, ("reviewbot",), "nothing to scan"
    else:
        status, reason = CoverageStatus.UNREVIEWED, "no agent read it" if agents else "no analyzer read it"
    cause = agents.causes.get(path, "") if agents and reason == agents.failed.get(path) else ""
    return CoverageRow(path, status, by, reason, change.added_lines, change.deleted_lines, cause)


def _read_before(change: FileChange, by: tuple[str, ...], known: ReadBefore) -> CoverageRow:
    reason = f"read in an earlier round, at {known.head_sha[:12]}, and the same since"
    lines = (change.added_lines, change.deleted_lines)
    return CoverageRow(change.path, known.status, (*known.by, *by), reason, *lines, read_at=known.head_sha)


def _by_agents(
    path: str, by: tuple[str, ...], agents: Readers
) -> tuple[CoverageStatus, tuple[str, ...], str]:
    if path in agents.failed:
        return CoverageStatus.UNREVIEWED, by, agents.failed[path]
    if path in agents.reviewed:
        return CoverageStatus.REVIEWED, (*agents.reviewed[path], *by), ""
    return CoverageStatus.TRIAGED, ("triage", *by), agents.triaged[path]


def has_nothing_to_scan(change: FileChange) -> bool:
    """A deletion, a pure rename, a mode change or an empty file: no line was added."""
    return change.omitted is None and (change.head_blob is None or not change.added)
