"""Which files of a change an earlier round read as they are, so that no model need read them again. Pure.

Only a round that we signed counts, of the same merge base (or the same tree, in a merge queue), whose agents
were told the same, and which could leave behind all that its agents found: what they said of a file that is
not read again is carried.
"""

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from reviewbot.core import ChangeSet, Coverage, CoverageStatus, FileChange, Sha
from reviewbot.earlier import FILE_DIGITS, READERS, Reading, Round


@dataclass(frozen=True, slots=True)
class ReadBefore:
    """What an earlier round says of one file: its status, the agents, and the head it was read at."""

    status: CoverageStatus
    by: tuple[str, ...]
    head_sha: Sha


def digest_terms(texts: Iterable[str]) -> str:
    """One digest of everything that the agents are told beyond the change."""
    whole = sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogateescape")
        whole.update(f"{len(data)}:".encode() + data)
    return whole.hexdigest()[:32]


def files_read_before(
    last: Round,
    key: bytes | None,
    changes: ChangeSet,
    terms: str,
    *,
    named: Collection[str] = (),
    same_tree: bool = False,
) -> Mapping[str, ReadBefore]:
    """The files that need not be read again, by path.

    ``named`` are paths of which a program says something: triage alone is not enough for those.
    ``same_tree``: the head of the last round has the very tree of this one.
    """
    if not key or last.forgotten or not terms or last.terms != terms:
        return {}
    if last.base_sha != changes.base_sha and not same_tree:
        return {}
    known = {name: reading for reading in last.readings for name in reading.files}
    found = {}
    for change in changes.files:
        reading = known.get(name_change(change, key))
        if reading is None or (reading.status == CoverageStatus.TRIAGED and change.path in named):
            continue
        found[change.path] = ReadBefore(CoverageStatus(reading.status), reading.by, reading.head_sha)
    return found


def next_readings(changes: ChangeSet, coverage: Coverage, key: bytes) -> tuple[Reading, ...]:
    """What this round leaves: what its agents read, and what was read before it."""
    by_path = {change.path: change for change in changes.files}
    groups: dict[tuple[Sha, str, tuple[str, ...]], list[str]] = {}
    for row in coverage.files:
        by = tuple(name for name in row.by if name in READERS)
        if by and row.path in by_path and row.status in (CoverageStatus.REVIEWED, CoverageStatus.TRIAGED):
            group = (row.read_at or changes.head_sha, row.status.value, by)
            groups.setdefault(group, []).append(name_change(by_path[row.path], key))
    return tuple(Reading(*group, tuple(files)) for group, files in groups.items())


def name_change(change: FileChange, key: bytes) -> str:
    """What is the same only while the file's change is, byte for byte."""
    parts = (change.status, change.path, change.old_path, change.base_mode, change.head_mode)
    said = "\0".join(str(part) for part in (*parts, change.base_blob, change.head_blob))
    data = b"file\0" + said.encode("utf-8", "surrogateescape")
    return hmac.new(key, data, "sha256").hexdigest()[:FILE_DIGITS]


def note_of(before: Mapping[str, ReadBefore], total: int) -> tuple[str, ...]:
    """A sentence that says what was not read again, or none."""
    if not before:
        return ()
    heads = list(dict.fromkeys(each.head_sha[:12] for each in before.values()))
    more = f" and {len(heads) - 3} more" if len(heads) > 3 else ""
    return (
        f"{len(before)} of {total} changed files are as agents read them in an earlier round (at "
        f"{', '.join(heads[:3])}{more}) and were not read again; `/reviewbot review full` reads everything.",
    )
