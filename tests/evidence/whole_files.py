"""Change sets made by hand: head files, and base files where there are some."""

import difflib
import hashlib
from collections.abc import Callable, Mapping

from reviewbot.core import ChangeSet, ChangeStatus, FileChange, Hunk, LineRanges, Sha

HEAD, BASE = "1" * 40, "0" * 40
Blobs = dict[Sha, bytes]


def store(blobs: Blobs, content: bytes) -> Sha:
    sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    blobs[sha] = content
    return sha


def count_lines(content: bytes) -> int:
    return content.count(b"\n") + (not content.endswith(b"\n")) if content else 0


def added_file(path: str, content: str | bytes, blobs: Blobs, mode: str = "100644") -> FileChange:
    data = content.encode() if isinstance(content, str) else content
    lines = count_lines(data)
    return FileChange(
        path,
        None,
        ChangeStatus.ADDED,
        "000000",
        mode,
        None,
        store(blobs, data),
        added_lines=lines,
        added=((1, lines),) if lines else (),
    )


def modified_file(path: str, base: str, head: str, blobs: Blobs) -> FileChange:
    old, new = base.split("\n")[:-1], head.split("\n")[:-1]
    hunks: list[Hunk] = []
    added: list[int] = []
    deleted: list[int] = []
    gaps: list[int] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        lines = (*(f"-{line}" for line in old[i1:i2]), *(f"+{line}" for line in new[j1:j2]))
        hunks.append(Hunk(i1 + 1, i2 - i1, j1 + 1, j2 - j1, lines))
        added += range(j1 + 1, j2 + 1)
        deleted += range(i1 + 1, i2 + 1)
        gaps += [j2] if i2 > i1 else []
    return FileChange(
        path,
        None,
        ChangeStatus.MODIFIED,
        "100644",
        "100644",
        store(blobs, base.encode()),
        store(blobs, head.encode()),
        added_lines=len(added),
        deleted_lines=len(deleted),
        hunks=tuple(hunks),
        added=_ranges(added),
        deleted=_ranges(deleted),
        gaps=tuple(gaps),
    )


def _ranges(numbers: list[int]) -> LineRanges:
    return tuple((number, number) for number in numbers)


def change_set(*files: FileChange) -> ChangeSet:
    return ChangeSet(BASE, HEAD, files)


def whole_files(files: Mapping[str, str | bytes]) -> tuple[ChangeSet, Callable[[Sha], bytes]]:
    blobs: Blobs = {}
    return change_set(*(added_file(path, text, blobs) for path, text in files.items())), blobs.__getitem__
