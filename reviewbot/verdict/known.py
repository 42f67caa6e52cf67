"""What was known before this review: findings that people dismissed, and those of earlier rounds. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from reviewbot.core import ChangeSet, Evidence, FileChange, Finding, Location, Severity, Side, Suppression
from reviewbot.verdict.grounding import touches


def add_carried(fresh: Sequence[Evidence], carried: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """What was said now, and what an earlier round said and nobody said again at least as strongly."""
    kept = (old for old in carried if not any(_covers(new, old) for new in fresh))
    return (*fresh, *(replace(old, id=f"K{number}") for number, old in enumerate(kept, 1)))


def _covers(new: Evidence, old: Evidence) -> bool:
    same = (new.tool, new.rule) == (old.tool, old.rule) and _overlap(new.location, old.location)
    weaker = new.severity.rank < old.severity.rank or new.confidence < old.confidence
    return same and not weaker and new.advisory <= old.advisory


def _overlap(one: Location | None, other: Location | None) -> bool:
    if one is None or other is None or (one.path, one.side) != (other.path, other.side):
        return False
    return one.start_line <= other.end_line and other.start_line <= one.end_line


def defer(
    findings: Sequence[Finding], opened: Collection[str], blocking: Collection[str], since: ChangeSet
) -> tuple[Finding, ...]:
    """The findings; those marked ``deferred`` that the author heard nothing of when the same lines were read.

    Only what is low, does not block, and was not ``opened`` in the last round is deferred, and only on lines
    that did not change ``since`` then: whoever fixes a finding should not get another one for old lines.
    """
    changed = {change.path: change for change in since.files}
    return tuple(
        replace(finding, status="deferred")
        if is_deferrable(finding, opened, blocking) and _is_unchanged(finding.location, changed)
        else finding
        for finding in findings
    )


def is_deferrable(finding: Finding, opened: Collection[str], blocking: Collection[str]) -> bool:
    """Whether a finding may be deferred if its lines are old."""
    new = finding.status == "new" and finding.fingerprint not in (*opened, *blocking)
    said = finding.evidence.source != "junit" and finding.evidence.suppression is not Suppression.BASE
    return new and said and finding.in_diff and finding.severity.rank <= Severity.LOW.rank


def _is_unchanged(at: Location | None, changed: Mapping[str, FileChange]) -> bool:
    if at is None:
        return False
    change = changed.get(at.path)
    if change is None:
        return True
    return at.side is Side.RIGHT and change.old_path is None and not (change.omitted or touches(change, at))


def dismiss(findings: Sequence[Finding], dismissed: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings; those ``dismissed`` are marked as such and say by whom. Sentences by fingerprint."""
    return tuple(
        replace(finding, status="dismissed", note=" ".join(filter(None, (finding.note, said))))
        if (said := dismissed.get(finding.fingerprint)) is not None
        else finding
        for finding in findings
    )
