"""Suppression comments that a change moved with their code, and code that it wrote anew below one. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reviewbot.change.hunks import HunkLine, numbered_lines
from reviewbot.core import Hunk
from reviewbot.evidence.python_text import comment_columns
from reviewbot.evidence.suppression_forms import (
    ANY_IN_FILE,
    EVERY_FORM,
    MAY_BE_FORM,
    MOST_COMPARISONS,
    RANGE_END,
    is_similar,
)

LONGEST_LINE = 2_000
"""A longer line is generated text: no comment in it silences anything."""
NEARBY_LINES = 50
"""A statement or a block of comments is read no further than this for the comment of one result."""


def only_comment(line: str, column: int | None) -> str:
    """The line with all but the comment at ``column`` blanked; empty where there is none."""
    if column is None:
        return ""
    before = line[:column]
    return (before if before.isspace() else "." * column) + line[column:]


def comment_text(match: re.Match[str]) -> str:
    """The comment's own text from the match to the end of its line, white space folded."""
    return " ".join(match.string[match.start() :].split())


class _Carrier(NamedTuple):
    """A line of a hunk that carries suppression comments, and the code that they are about."""

    number: int
    texts: tuple[str, ...]
    code: str


def find_moved(hunks: Iterable[Hunk], *, is_python: bool) -> dict[int, frozenset[str]]:
    """The comments of added lines that also stood on a similar deleted line of the hunk, one for one."""
    moved: dict[int, set[str]] = {}
    comparisons = 0
    for hunk in hunks:
        left: dict[str, list[str]] = {}
        for carrier in _carriers(hunk, "-", is_python=is_python):
            for text in carrier.texts:
                left.setdefault(text, []).append(carrier.code)
        for carrier in _carriers(hunk, "+", is_python=is_python) if left else ():
            for text in carrier.texts:
                for index, code in enumerate(left.get(text, ())):
                    comparisons += 1
                    if comparisons > MOST_COMPARISONS:
                        break
                    if is_similar(code, carrier.code):
                        del left[text][index]
                        moved.setdefault(carrier.number, set()).add(text)
                        break
    return {number: frozenset(texts) for number, texts in moved.items()}


def _carriers(hunk: Hunk, sign: str, *, is_python: bool) -> Iterator[_Carrier]:
    """The deleted (``-``) or added (``+``) lines with a comment; one by itself is about the next line."""
    lines = tuple(numbered_lines(hunk))
    for index, carrier in enumerate(lines):
        if carrier.sign != sign or len(carrier.text) >= LONGEST_LINE:
            continue
        if found := _suppressions(carrier.text, is_python):
            code = carrier.text[: min(start for start, _ in found)].rstrip(" \t#/*-")
            following = lines[index + 1 : index + 1 + NEARBY_LINES]
            code = code or next((line.text for line in following if _is_code(line, sign)), "")
            yield _Carrier(carrier.head, tuple(dict.fromkeys(said for _, said in found)), code.strip())


def find_rewritten(hunks: Iterable[Hunk]) -> frozenset[int]:
    """The first added line of each block of edits whose first deleted line was similar code."""
    found: set[int] = set()
    for hunk in hunks:
        old: str | None = None
        new: HunkLine | None = None
        for line in (*numbered_lines(hunk), HunkLine(" ", "", 0, 0)):
            if line.sign == "-":
                old = old if old is not None else line.text.strip()
            elif line.sign == "+":
                new = new or line
            else:
                if old is not None and new is not None and is_similar(old, new.text.strip()):
                    found.add(new.head)
                old = new = None
    return frozenset(found)


def has_lost_end(hunks: Iterable[Hunk]) -> bool:
    """Whether the change deletes the end of a range, be it to move it: what is covered besides is new."""
    return any(line[:1] == "-" and RANGE_END.match(line[1:]) for hunk in hunks for line in hunk.lines)


def _is_code(line: HunkLine, sign: str) -> bool:
    text = line.text.strip()
    return line.sign in (sign, " ") and text != "" and not text.startswith(("#", "//"))


def _suppressions(line: str, is_python: bool) -> Sequence[tuple[int, str]]:
    """(column, text) of every suppression comment on a line."""
    if is_python:  # of a hunk one line is all there is to tell a string by
        line = only_comment(line, comment_columns([line]).get(1))
    if not (MAY_BE_FORM.search(line) or ANY_IN_FILE.search(line)):
        return ()
    return tuple((m.start(), comment_text(m)) for pattern in EVERY_FORM for m in pattern.finditer(line))
