"""The change as a model reads it: hunks with a lean header, in batches of bounded size.

A line of a file always keeps git's first character, so no content can look like a header (``===`` or
``@@``). Hidden characters are shown as ``<U+XXXX>``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from reviewbot.change.content import line_reader, with_whole_text
from reviewbot.core import ChangeSet, ChangeStatus, Evidence, FileChange, Hunk, Sha
from reviewbot.errors import RepositoryError
from reviewbot.secrets.masking import Masker, is_hidden_whole
from reviewbot.text import one_line, visible, visible_line

BYTES_PER_TOKEN = 3
"""Code has 3 to 4 bytes a token with the tokenizer of 2026, so an estimate errs on the safe side."""

DELETED_LINES = 300
"""So much of a file that is gone altogether is shown; the tools read the rest in the base commit."""

LIST_BYTES = 9_000
_LONGEST_ESCAPE = 9
HEADING_CHARACTERS = 80
"""git's own bound for what it prints behind ``@@``."""


def is_withheld_change(change: FileChange) -> bool:
    """Whether a file, masked as models see it, holds nothing but key material: there is nothing to read.

    The name in head alone decides: what a file was called before says nothing of what it is now.
    """
    return is_hidden_whole(change)


def mask_changes(changes: ChangeSet, masker: Masker, read: Callable[[Sha], bytes]) -> ChangeSet:
    """The change as models may see it: every secret in it hidden, and all lines of what has no hunks.

    What cannot be read keeps its hunks, masked by what they say themselves.
    """

    read_lines = line_reader(read)

    def shown(change: FileChange) -> FileChange:
        # `tasks.select_readable` meets the same error and says so in the ledger.
        with suppress(RepositoryError):
            change = change if change.is_binary or change.omitted else with_whole_text(change, read)
        return masker.mask_change(change, read_lines)

    return replace(changes, files=tuple(map(shown, changes.files)))


def mask_evidence(evidence: Iterable[Evidence], masker: Masker) -> tuple[Evidence, ...]:
    """What programs said, as models may see it: the output of a failed test may hold a secret, too."""

    def shown(item: Evidence) -> Evidence:
        said = (item.title, item.message, item.trace)
        title, message, trace = map(masker.mask_text, said)
        return (
            item
            if (title, message, trace) == said
            else replace(item, title=title, message=message, trace=trace)
        )

    return tuple(map(shown, evidence))


def estimate_tokens(text: str) -> int:
    """How many tokens a text has at most, as a rule."""
    return -(-_size(text) // BYTES_PER_TOKEN)


def render_file(change: FileChange) -> str:
    """A file's header and its hunks, each line as git has it."""
    parts = [f"=== {visible_line(change.path)} ({_describe(change)})"]
    parts += [_render_hunk(hunk) for hunk in change.hunks]
    return "\n".join(parts) + "\n"


def _render_hunk(hunk: Hunk) -> str:
    header = f"@@ -{hunk.base_start},{hunk.base_count} +{hunk.head_start},{hunk.head_count} @@"
    header += f" {one_line(hunk.heading, HEADING_CHARACTERS)}" if hunk.heading else ""
    return visible("\n".join((header, *hunk.lines, "")))[:-1]


def _describe(change: FileChange) -> str:
    words = [change.status.value.replace("_", " ")]
    if change.old_path:
        words[0] += f" from {visible_line(change.old_path)}"
    words.append(f"+{change.added_lines} -{change.deleted_lines}")
    if change.base_mode != change.head_mode and change.base_blob and change.head_blob:
        words.append(f"mode {change.base_mode} to {change.head_mode}")
    if change.is_symlink:
        words.append("symbolic link: its text is its target")
    left = change.added_lines + change.deleted_lines - _changed_lines(change.hunks)
    if left > 0 and change.hunks:
        words.append(f"{left} of these changed lines are not shown here")
    return ", ".join(words)


def _changed_lines(hunks: Iterable[Hunk]) -> int:
    return sum(line[0] in "+-" for hunk in hunks for line in hunk.lines)


def render_list(changes: Sequence[FileChange], cap: int = LIST_BYTES) -> str:
    """Every changed file with its line counts, a line for each folder; past the cap folders are counted.

    Files of one folder stand in braces behind it: ``app/{run.py +1 -0; web.py +2 -1}``.
    """
    folders: dict[str, list[str]] = {}
    for change in changes:
        folder, _, name = visible_line(change.path).rpartition("/")
        mark = "" if change.status is ChangeStatus.MODIFIED else f" {change.status.value}"
        counts = f"+{change.added_lines} -{change.deleted_lines}"
        folders.setdefault(folder, []).append(f"{name}{mark} {counts}")
    lines: list[str] = []
    left, files_left = cap, len(changes)
    for folder, names in folders.items():
        place = f"{folder}/" if folder else ""
        line = f"{place}{names[0]}" if len(names) == 1 else f"{place}{{{'; '.join(names)}}}"
        left -= _size(line) + 1
        if left < 0:
            lines.append(f"… and {files_left} more changed files in {len(folders) - len(lines)} more folders")
            break
        lines.append(line)
        files_left -= len(names)
    return "\n".join(lines) + "\n"


def without_tail(change: FileChange) -> FileChange:
    """A deleted file cut to its first lines; any other file as it is."""
    if change.head_blob is not None or change.deleted_lines <= DELETED_LINES or not change.hunks:
        return change
    lines = change.hunks[0].lines[:DELETED_LINES]
    return replace(change, hunks=(replace(change.hunks[0], base_count=len(lines), lines=lines),))


def batch_files(
    changes: Sequence[FileChange], budget_tokens: int, most_files: int = 1_000
) -> list[tuple[FileChange, ...]]:
    """The files in batches of at most ``budget_tokens``, a folder's files together where they fit.

    Folders keep the order of their first file. A file that fits no batch is split by hunks, then by
    lines, then inside a line: each part is the file with some of its hunks.
    """
    batches: list[tuple[FileChange, ...]] = []
    current: list[FileChange] = []
    size = 0
    for group in _by_folder(changes):
        parts = [
            (part, estimate_tokens(render_file(part))) for one in group for part in _split(one, budget_tokens)
        ]
        total = sum(tokens for _, tokens in parts)
        starts_anew = size + total > budget_tokens >= total and 4 * size > 3 * budget_tokens
        for part, tokens in parts:
            if current and (starts_anew or size + tokens > budget_tokens or len(current) >= most_files):
                batches.append(tuple(current))
                current, size = [], 0
            starts_anew = False
            current.append(part)
            size += tokens
    return [*batches, tuple(current)] if current else batches


def _by_folder(changes: Iterable[FileChange]) -> list[list[FileChange]]:
    folders: dict[str, list[FileChange]] = {}
    for change in changes:
        folders.setdefault(change.path.rpartition("/")[0], []).append(change)
    return list(folders.values())


def _split(change: FileChange, budget_tokens: int) -> Iterator[FileChange]:
    """The file in parts that fit, each with its header."""
    if estimate_tokens(render_file(change)) <= budget_tokens:
        yield change
        return
    header = estimate_tokens(render_file(replace(change, hunks=()))) + 20
    room = max(budget_tokens - header, 100) * BYTES_PER_TOKEN
    pieces = [piece for hunk in change.hunks for piece in _split_hunk(hunk, room)]
    kept: list[Hunk] = []
    size = 0
    for piece in pieces:
        more = _size(_render_hunk(piece)) + 1
        if kept and size + more > room:
            yield replace(change, hunks=tuple(kept))
            kept, size = [], 0
        kept.append(piece)
        size += more
    yield replace(change, hunks=tuple(kept))


def _split_hunk(hunk: Hunk, room: int) -> Iterator[Hunk]:
    """The hunk in pieces of at most ``room`` bytes; a piece of a line counts as that line."""
    if _size(_render_hunk(hunk)) + 1 <= room:
        yield hunk
        return
    base, head = hunk.base_start + (hunk.base_count == 0), hunk.head_start + (hunk.head_count == 0)
    kept: list[str] = []
    first, size = (base, head), 60
    for line in hunk.lines:
        for at, chunk in enumerate(_split_line(line, room - 60)):
            more = _size(visible(chunk)) + 1
            if kept and size + more > room:
                yield _hunk(first, (base, head), kept)
                kept, first, size = [], (base, head), 60
            kept.append(chunk)
            size += more
            base += at == 0 and line[0] in " -"
            head += at == 0 and line[0] in " +"
    yield _hunk(first, (base, head), kept)


def _split_line(line: str, room: int) -> list[str]:
    if _size(visible(line)) + 1 <= room:
        return [line]
    step = max(room // _LONGEST_ESCAPE - 1, 1)
    return [line[0] + line[at : at + step] for at in range(1, len(line), step)]


def _hunk(first: tuple[int, int], after: tuple[int, int], lines: Sequence[str]) -> Hunk:
    counts = [end - start for start, end in zip(first, after, strict=True)]
    starts = [start - (count == 0) for start, count in zip(first, counts, strict=True)]
    return Hunk(starts[0], counts[0], starts[1], counts[1], tuple(lines))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
