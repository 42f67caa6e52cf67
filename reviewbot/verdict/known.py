"""What was known before this review: findings that people dismissed, and those of earlier rounds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reviewbot.core import Evidence, Finding, Location


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


def dismiss(findings: Sequence[Finding], dismissed: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings; those ``dismissed`` are marked as such and say by whom. Sentences by fingerprint."""
    return tuple(
        replace(finding, status="dismissed", note=" ".join(filter(None, (finding.note, said))))
        if (said := dismissed.get(finding.fingerprint)) is not None
        else finding
        for finding in findings
    )
