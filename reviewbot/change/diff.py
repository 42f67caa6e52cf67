"""A git diff as bytes to file patches: the one door to unidiff.

Files and hunks are told apart by counting hunk lines, so text inside a hunk that looks like a header
stays text. Lines end at line feeds only; unidiff is given text that was split that way. Names come
from git's headers, C-style quotes undone (git-diff(1), "Generating patch text with -p").
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from reviewbot.change.names import names_of_git_line, unquote_name
from reviewbot.core import ChangeStatus, Hunk
from reviewbot.errors import CombinedDiff, MalformedDiff

HUNK_HEADER = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
LINES_AT_ONCE = 5_000
"""unidiff keeps an object a line: it is given this many at a time."""

LINES_PER_FILE = 1_000_000
LINES_PER_CHANGE = 2_500_000
BYTES_PER_CHANGE = 96 * 1024 * 1024
BYTES_AT_ONCE = 1024 * 1024
ABSENT = "000000"


@dataclass(frozen=True, slots=True)
class FilePatch:
    """One file as the patch alone describes it; ``omitted`` says why its hunks are not here."""

    path: str
    old_path: str
    status: ChangeStatus
    base_mode: str
    head_mode: str
    is_binary: bool
    hunks: tuple[Hunk, ...]
    added_lines: int
    deleted_lines: int
    omitted: str | None = None


@dataclass(slots=True)
class _Section:
    """The header lines and hunks of one ``diff --git`` block while it is read."""

    git_line: str
    headers: dict[str, str] = field(default_factory=dict)
    is_binary: bool = False
    hunks: list[Hunk] = field(default_factory=list)
    added: int = 0
    deleted: int = 0
    omitted: str | None = None


@dataclass(slots=True)
class _Budget:
    """How much of the change may still be held."""

    lines: int = LINES_PER_CHANGE
    size: int = BYTES_PER_CHANGE


def parse_diff(lines: Iterable[bytes]) -> Iterator[FilePatch]:
    """Read a git diff, given as lines that keep their line feed (a binary file object will do).

    A file that turns into another kind (say, a symlink into a regular file) is two blocks in git's
    text and one FilePatch here, as it is one row of ``--numstat``.

    Raises:
        CombinedDiff: a ``diff --cc`` or ``diff --combined`` block.
        MalformedDiff: a hunk that is shorter or longer than its header says, or no diff at all.
    """
    before: FilePatch | None = None
    for patch in _read_patches(lines):
        if before and _is_type_change(before, patch):
            before = _merge_type_change(before, patch)
            continue
        if before:
            yield before
        before = patch
    if before:
        yield before


def _read_patches(lines: Iterable[bytes]) -> Iterator[FilePatch]:
    reader = iter(lines)
    section: _Section | None = None
    budget = _Budget()
    seen_text = False
    for first in reader:
        pending: bytes | None = first
        while pending is not None:  # a hunk hands back the line that follows it
            line, pending = pending, None
            if line.startswith((b"diff --cc ", b"diff --combined ", b"@@@ ")):
                name = _decode(line).removeprefix("diff ").strip()[:200]
                raise CombinedDiff(
                    f"The diff is a combined one ({name!a}): it compares with several parents."
                )
            if line.startswith(b"diff --git "):
                if section:
                    yield _finish(section)
                section = _Section(_decode(line)[len("diff --git ") :])
            elif section and line.startswith(b"@@ "):
                pending = _read_hunk(section, line, reader, budget)
            elif section and not section.hunks:
                _read_header(section, line)
            seen_text = seen_text or bool(line.strip())
    if section:
        yield _finish(section)
    elif seen_text:
        raise MalformedDiff("The text holds no `diff --git` line, so it is not a git diff.")


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").rstrip("\n")


def _read_header(section: _Section, line: bytes) -> None:
    text = _decode(line)
    if text.startswith(("Binary files ", "GIT binary patch")):
        section.is_binary = True
        return
    for key in (
        "old mode ", "new mode ", "deleted file mode ", "new file mode ", "copy from ", "copy to ",
        "rename from ", "rename to ", "--- ", "+++ ", "index ",
    ):  # fmt: skip
        if text.startswith(key):
            section.headers.setdefault(key.strip(), text[len(key) :])
            return


def _read_hunk(section: _Section, header: bytes, reader: Iterator[bytes], budget: _Budget) -> bytes | None:
    """Read one hunk into the section; return the line that follows it, if there is one."""
    match = HUNK_HEADER.match(header)
    if not match:
        raise MalformedDiff(f"The hunk header {header[:80]!r} of {section.git_line[:200]!a} cannot be read.")
    base_start, head_start = int(match[1]), int(match[3])
    base_left = int(match[2]) if match[2] is not None else 1
    head_left = int(match[4]) if match[4] is not None else 1
    heading = _decode(header[match.end() :]).strip()
    hunk = Hunk(base_start, base_left, head_start, head_left, (), heading)
    kept: list[str] = []
    block: list[bytes] = []
    while base_left > 0 or head_left > 0:
        line = next(reader, None)
        if line is None:
            raise MalformedDiff(f"A hunk of {section.git_line[:200]!a} is shorter than its header says.")
        base_left, head_left = _count_line(section, line, base_left, head_left)
        block.append(line)
        if len(block) == LINES_AT_ONCE or len(line) > BYTES_AT_ONCE:
            kept += _keep(block, section, budget)
            block = []
    following = next(reader, None)
    if following is not None and following.startswith(b"\\"):
        block.append(following)
        following = next(reader, None)
    kept += _keep(block, section, budget)
    section.hunks.append(replace(hunk, lines=tuple(kept)))
    return following


def _keep(block: list[bytes], section: _Section, budget: _Budget) -> list[str]:
    """The parsed lines, or none where the section or the change has grown too large to be held."""
    budget.lines -= len(block)
    budget.size -= sum(map(len, block))
    too_long = section.added + section.deleted > LINES_PER_FILE
    if section.omitted or too_long or budget.lines < 0 or budget.size < 0:
        lines, size = f"{LINES_PER_FILE:,} lines", f"{BYTES_PER_CHANGE >> 20} MiB"
        section.omitted = f"too large: more than {lines} changed in it, or {size} in the whole change"
        section.hunks = []
        return []
    return _parse_block(block, section)


def _count_line(section: _Section, line: bytes, base_left: int, head_left: int) -> tuple[int, int]:
    match line[:1]:
        case b"+":
            section.added += 1
            head_left -= 1
        case b"-":
            section.deleted += 1
            base_left -= 1
        case b" " | b"\n" | b"\r":  # a bare line feed: diff.suppressBlankEmpty
            base_left -= 1
            head_left -= 1
        case b"\\":
            pass
        case _:
            raise MalformedDiff(f"A hunk of {section.git_line[:200]!a} holds the line {line[:60]!r}.")
    if base_left < 0 or head_left < 0:
        raise MalformedDiff(f"A hunk of {section.git_line[:200]!a} is longer than its header says.")
    return base_left, head_left


def _parse_block(block: list[bytes], section: _Section) -> list[str]:
    """Let unidiff parse some lines of a hunk, under a header of their own."""
    if not block:
        return []
    if all(line.startswith(b"\\") for line in block):
        return [_decode(line) for line in block]
    first = [line[:1] for line in block]
    base_count = len(first) - first.count(b"+") - first.count(b"\\")
    head_count = len(first) - first.count(b"-") - first.count(b"\\")
    # `\r` alone in front of the line feed is an empty context line too; unidiff wants its blank back.
    text = b"".join(b" " + line if line[:1] in (b"\n", b"\r") else line for line in block)
    header = f"--- a/x\n+++ b/x\n@@ -1,{base_count} +1,{head_count} @@\n"
    try:
        patched = PatchSet.from_string(header + text.decode("utf-8", "surrogateescape"))[0]
    except UnidiffParseError as error:
        raise MalformedDiff(
            f"A hunk of {section.git_line[:200]!a} cannot be parsed: {ascii(error)[:200]}."
        ) from None
    return [
        f"{line.line_type or ' '}{line.value}".removesuffix("\n") for line in chain.from_iterable(patched)
    ]


def _finish(section: _Section) -> FilePatch:
    headers = section.headers
    old_path, path = _names(section)
    base_mode, head_mode = _modes(headers)
    if "new file mode" in headers:
        status = ChangeStatus.ADDED
    elif "deleted file mode" in headers:
        status = ChangeStatus.DELETED
    elif "rename to" in headers:
        status = ChangeStatus.RENAMED
    elif "copy to" in headers:
        status = ChangeStatus.COPIED
    elif "new mode" in headers and not section.hunks and not section.is_binary:
        status = ChangeStatus.MODE_CHANGED
    else:
        status = ChangeStatus.MODIFIED
    return FilePatch(
        path=path,
        old_path=old_path,
        status=status,
        base_mode=base_mode,
        head_mode=head_mode,
        is_binary=section.is_binary,
        hunks=() if section.omitted else tuple(section.hunks),
        added_lines=section.added,
        deleted_lines=section.deleted,
        omitted=section.omitted,
    )


def _modes(headers: dict[str, str]) -> tuple[str, str]:
    if "new file mode" in headers:
        return ABSENT, headers["new file mode"]
    if "deleted file mode" in headers:
        return headers["deleted file mode"], ABSENT
    if "old mode" in headers:
        return headers["old mode"], headers.get("new mode", headers["old mode"])
    mode = headers.get("index", "").partition(" ")[2] or "100644"
    return mode, mode


def _names(section: _Section) -> tuple[str, str]:
    headers = section.headers
    for verb in ("rename", "copy"):
        if f"{verb} from" in headers and f"{verb} to" in headers:
            return unquote_name(headers[f"{verb} from"]), unquote_name(headers[f"{verb} to"])
    if "---" in headers and "+++" in headers:
        # git ends a name that holds a blank with a tab, so that patch(1) sees no time stamp.
        old, new = (unquote_name(headers[side].removesuffix("\t")) for side in ("---", "+++"))
        old_path = old.partition("/")[2] if old != "/dev/null" else None
        path = new.partition("/")[2] if new != "/dev/null" else None
        return old_path or path or "", path or old_path or ""
    return names_of_git_line(section.git_line)


def _is_type_change(before: FilePatch, after: FilePatch) -> bool:
    return (
        before.status is ChangeStatus.DELETED
        and after.status is ChangeStatus.ADDED
        and before.path == after.path
        and before.base_mode[:3] != after.head_mode[:3]
    )


def _merge_type_change(before: FilePatch, after: FilePatch) -> FilePatch:
    return replace(
        after,
        status=ChangeStatus.TYPE_CHANGED,
        base_mode=before.base_mode,
        is_binary=before.is_binary or after.is_binary,
        hunks=before.hunks + after.hunks,
        deleted_lines=before.deleted_lines,
        omitted=before.omitted or after.omitted,
    )
