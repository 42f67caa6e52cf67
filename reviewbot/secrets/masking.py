"""Secrets are hidden: from what people are shown, and before that from what models are shown.

Pure. Places are those that programs found (``Mask``); beyond them a text is searched for keys,
certificates and known formats, and files of settings for values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from reviewbot.core import ChangeSet, Evidence, FileChange, Hunk, Mask, Sha
from reviewbot.secrets.shapes import (
    Span,
    find_blocks,
    find_settings,
    has_long_run,
    is_edge,
    is_name,
    is_settings,
    may_hold_block,
    narrow,
    random_runs,
)

MASK = "*" * 8
"""What stands for a secret, whatever its length."""

KEPT_CHARACTERS = 4
LONG_SECRET = 12
"""Characters from which on the first ones of a secret may be shown, to tell which one it is."""

SHORTEST_VALUE = 8
"""Characters of a secret that is looked for by its text: a shorter one stands in ordinary words."""

VALUES = 2_000
"""How many texts are looked for in what models are shown; those of a file are hidden by their place, too."""

CommitSide = Literal["head", "base"]


def mask(line: str, spans: Iterable[Span], *, kept: int = KEPT_CHARACTERS, stand_in: str = MASK) -> str:
    """The line with the union of some spans hidden; of a long one its first ``kept`` characters stay."""
    shown: list[str] = []
    at = 0
    for start, end in _union(spans, len(line)):
        shown += (line[at : start + (kept if end - start >= LONG_SECRET else 0)], stand_in)
        at = end
    return "".join(shown) + line[at:]


def _union(spans: Iterable[Span], length: int) -> list[Span]:
    joined: list[Span] = []
    for first, last in sorted((start, length if end < 0 else min(end, length)) for start, end in spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        elif first < last:
            joined.append((first, last))
    return joined


def find_nothing(line: str) -> Iterable[Span]:
    """No known format: for those who have no table of them at hand."""
    return ()


@dataclass(frozen=True, slots=True)
class Masker:
    """What is hidden from models.

    ``places``: path in head -> line -> columns. ``values``: texts of secrets, hidden wherever they stand.
    ``held``: the run's own secrets. ``find``: where known formats stand in a line.
    """

    places: Mapping[str, Mapping[int, Sequence[Span]]] = field(default_factory=dict, repr=False)
    values: tuple[str, ...] = field(default=(), repr=False)
    held: tuple[str, ...] = field(default=(), repr=False)
    find: Callable[[str], Iterable[Span]] = find_nothing

    def mask_lines(self, path: str, side: CommitSide, lines: Sequence[str], first: int = 1) -> list[str]:
        """The lines of a file from line ``first`` on, as models may see them.

        ``lines`` must be all lines from the first one of any key or certificate that they hold.
        """
        spans = self._spans(path, side, dict(enumerate(lines, first)))
        if may_hold_block("\n".join(lines)):
            for row, found in find_blocks(lines).items():
                spans.setdefault(row + first - 1, []).extend(found)
        return [mask(line, spans.get(number, ()), kept=0) for number, line in enumerate(lines, first)]

    def mask_text(self, text: str) -> str:
        """Any text that is no file: the output of a test, a note, what a program said."""
        return "\n".join(self.mask_lines("", "base", text.split("\n")))

    def _spans(self, path: str, side: CommitSide, lines: Mapping[int, str]) -> dict[int, list[Span]]:
        """The places on some numbered lines, keys and certificates aside."""
        whole = "\n".join(lines.values())
        values = [value for value in (*self.held, *self.values[:VALUES]) if value in whole]
        places = self.places.get(path, {}) if side == "head" else {}
        settings = is_settings(path)
        found: dict[int, list[Span]] = {}
        for number, line in lines.items():
            spans = [part for start, end in places.get(number, ()) for part in narrow(line, start, end)]
            spans += self.find(line)
            spans += find_settings(path, line) if settings else ()
            spans += (span for value in values for span in _find_all(value, line))
            if spans:
                found[number] = spans
        return found

    def mask_change(
        self, change: FileChange, read_lines: Callable[[Sha], Sequence[str] | None]
    ) -> FileChange:
        """The file with the secrets in its hunks hidden; ``read_lines`` gives all lines of a blob."""
        if not change.hunks:
            return change
        numbered = [_number(hunk) for hunk in change.hunks]
        hidden = {
            "head": self._hidden(change, "head", numbered, read_lines),
            "base": self._hidden(change, "base", numbered, read_lines),
        }
        hunks = tuple(
            replace(
                hunk,
                heading=self._heading(change, hunk),
                lines=tuple(_mask_row(line, rows, hidden) for line, rows in zip(hunk.lines, at, strict=True)),
            )
            for hunk, at in zip(change.hunks, numbered, strict=True)
        )
        return change if hunks == change.hunks else replace(change, hunks=hunks)

    def _heading(self, change: FileChange, hunk: Hunk) -> str:
        """git cuts it at 80 bytes, so half a secret of a known format may stand there."""
        if is_settings(change.path) or is_settings(change.old_path or ""):
            return ""
        text = self.mask_text(hunk.heading)
        return mask(text, random_runs(text), kept=0)

    def _hidden(
        self,
        change: FileChange,
        side: CommitSide,
        numbered: Sequence[Sequence["_Numbers"]],
        read_lines: Callable[[Sha], Sequence[str] | None],
    ) -> dict[int, list[Span]]:
        path, blob = (
            (change.path, change.head_blob)
            if side == "head"
            else (change.old_path or change.path, change.base_blob)
        )
        shown = {
            getattr(at, side): line[1:]
            for hunk, rows in zip(change.hunks, numbered, strict=True)
            for line, at in zip(hunk.lines, rows, strict=True)
            if getattr(at, side)
        }
        found = self._spans(path, side, shown)
        if blob and any(map(_may_be_key, shown.values())):
            lines = read_lines(blob)
            blocks = find_blocks(lines if lines is not None else list(shown.values()))
            numbers = range(1, len(lines) + 1) if lines is not None else list(shown)
            for row, spans in blocks.items():
                if (number := numbers[row - 1]) in shown:
                    found.setdefault(number, []).extend(spans)
        return found


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Where a line of a hunk stands; 0 for the side that does not have it."""

    base: int
    head: int


def _number(hunk: Hunk) -> list[_Numbers]:
    base, head = hunk.base_start + (hunk.base_count == 0), hunk.head_start + (hunk.head_count == 0)
    rows = []
    for line in hunk.lines:
        sign = line[:1]
        rows.append(_Numbers(base if sign in (" ", "-") else 0, head if sign in (" ", "+") else 0))
        base, head = base + (sign in (" ", "-")), head + (sign in (" ", "+"))
    return rows


def _mask_row(line: str, at: _Numbers, hidden: Mapping[str, Mapping[int, Sequence[Span]]]) -> str:
    spans = [*hidden["base"].get(at.base, ()), *hidden["head"].get(at.head, ())]
    return line[0] + mask(line[1:], spans, kept=0) if spans else line


def _may_be_key(line: str) -> bool:
    return has_long_run(line) or may_hold_block(line) or "END " in line


def _find_all(value: str, line: str) -> Iterable[Span]:
    at = line.find(value)
    while at >= 0:
        yield at, at + len(value)
        at = line.find(value, at + len(value))


def is_hidden_whole(change: FileChange) -> bool:
    """Whether nothing but hidden lines is left of a file that may be a key or a certificate.

    ``change`` is as ``Masker.mask_change`` gives it.
    """
    lines = [line[1:] for hunk in change.hunks for line in hunk.lines if line[0] != "\\"]
    return (
        is_settings(change.path)
        and any(MASK in line for line in lines)
        and all(not line.strip() or line.strip() == MASK or is_edge(line) for line in lines)
    )


def build_masker(  # noqa: PLR0917 - what a run knows of secrets, as its one caller has it
    evidence: Iterable[Evidence],
    masks: Mapping[str, Sequence[Mask]],
    changes: ChangeSet,
    read_lines: Callable[[Sha], Sequence[str] | None],
    find: Callable[[str], Iterable[Span]] = find_nothing,
    held: Iterable[str] = (),
) -> Masker:
    """The masker of a run. ``masks`` are places by path in head, beyond those that evidence names."""
    places: dict[str, dict[int, list[Span]]] = {}
    named = ((item.location.path, item.masks) for item in evidence if item.location and item.masks)
    for path, spans in (*named, *masks.items()):
        for line, start, end in spans:
            places.setdefault(path, {}).setdefault(line, []).append((start, end))
    values: dict[str, None] = {}
    blobs = {change.path: change.head_blob for change in changes.files}
    for path, rows in places.items():
        lines = (read_lines(blob) if (blob := blobs.get(path)) else None) or ()
        values.update(dict.fromkeys(_values(lines, rows)))
    return Masker(places, tuple(values), tuple(one for one in held if len(one) >= SHORTEST_VALUE), find)


def _values(lines: Sequence[str], rows: Mapping[int, Sequence[Span]]) -> Iterable[str]:
    for number, spans in rows.items():
        for start, end in spans if number <= len(lines) else ():
            for first, last in narrow(lines[number - 1], start, end):
                text = lines[number - 1][first:last].strip()
                # Linters guess by a variable's name (token == "environment"): hidden everywhere, such a
                # word would blank the names of modules and files. At its own place it stays hidden.
                if len(text) >= SHORTEST_VALUE and not is_name(text):
                    yield text
