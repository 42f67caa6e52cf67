"""Which results the source itself silences, and whether the change brought the silence.

Our analyzers run with all ignores off, and SARIF says that a result is suppressed but not since when.
A comment that already stands in the base blob is honoured; one that the change adds is not.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from itertools import accumulate
from typing import NamedTuple

from reviewbot.change.hunks import HunkLine, numbered_lines
from reviewbot.core import ChangeSet, Evidence, FileChange, Hunk, Location, Severity, Sha, Side, Suppression
from reviewbot.evidence.python_text import comment_columns
from reviewbot.evidence.sources import line_numbers, parse_source
from reviewbot.evidence.suppression_forms import (
    ANY,
    ANY_IN_FILE,
    EVERY_FORM,
    FORMS,
    MAY_BE_FORM,
    MOST_COMPARISONS,
    RANGE_END,
    OldCode,
    Place,
    is_similar,
    names_in_file,
    names_in_full,
    names_rule,
)

LONGEST_LINE = 2_000
"""A longer line is generated text: no comment in it silences anything."""
NEARBY_LINES = 50
"""A statement or a block of comments is read no further than this for the comment of one result."""
LINES_BELOW_CLAIM = 10
"""A result may name only a statement's first line, and its comment stand on the last one."""


class _Match(NamedTuple):
    """One suppression comment: its line, its folded text, the rules it names (None: every rule)."""

    line: int
    text: str
    rules: str | None


def mark_suppressions(
    evidence: Iterable[Evidence], changes: ChangeSet, read_blob: Callable[[Sha], bytes]
) -> tuple[Evidence, ...]:
    """Give each result on head its suppression: BASE, CHANGE or what it had.

    A SARIF result that claims to be suppressed in source stays CHANGE unless a comment of the base is
    found for it: a claim alone silences nothing. Where the change touched the code that a comment is
    about, the comment counts as old only if it names the rule in full and the code still calls the same
    names and is at least 60 % the old text, one new line for each old one. Of a result that is high or
    worse every added line must be so, and hold no name that its old line lacks. No comment excuses a
    secret of a known format on an added line. Raises whatever ``read_blob`` raises.
    """
    files = {change.path: change for change in changes.files if change.head_blob is not None}
    marked = list(evidence)
    by_path: dict[str, list[int]] = {}
    for index, item in enumerate(marked):
        if item.location and item.location.path in files and _may_be_silenced(item, changes.head_sha):
            by_path.setdefault(item.location.path, []).append(index)
    for path, indexes in by_path.items():  # file by file, so that one file's text is held at a time
        if files[path].is_submodule or files[path].omitted:
            continue
        comments = _Comments.of(files[path], read_blob)
        for index in indexes:
            marked[index] = replace(marked[index], suppression=comments.judge(marked[index]))
    return tuple(marked)


def _may_be_silenced(item: Evidence, head: Sha) -> bool:
    claimed = item.source == "sarif" and item.suppression is Suppression.CHANGE
    return item.revision in (None, head) and (claimed or item.source == "analyzer")


class _Comments:
    """The suppression comments of one head file. What holds for the whole file is looked up once."""

    def __init__(self, change: FileChange, lines: Sequence[str], columns: Mapping[int, int] | None) -> None:
        self._lines, self._columns = lines, columns
        self._added = frozenset(line_numbers(change.added))
        self._touched = sorted(self._added)
        self._gaps = change.gaps
        self._moved = _moved(change.hunks, is_python=columns is not None)
        self._rewritten = _rewritten(change.hunks)
        self._old_code = OldCode(change.hunks, lines, is_python=columns is not None)
        self._lost_end = _lost_end(change.hunks)
        self._of_line = cache(self._find_of_line)
        self._of_place = cache(self._find_of_place)
        self._of_file = cache(self._find_of_file)
        self._ranges = cache(self._find_ranges)

    @classmethod
    def of(cls, change: FileChange, read_blob: Callable[[Sha], bytes]) -> "_Comments":
        assert change.head_blob is not None
        source = parse_source(change, read_blob(change.head_blob))
        return cls(change, source.lines, comment_columns(source.lines) if source.is_python else None)

    def judge(self, item: Evidence) -> Suppression:
        """BASE where a comment of the base silences the item, CHANGE where only new ones do."""
        if item.source == "sarif":
            return self._judge_claim(item)
        assert item.location is not None
        place = replace(
            item.location,
            end_line=max(item.location.start_line, min(item.location.end_line, len(self._lines))),
        )
        first, last = place.start_line, place.end_line
        found = [match for match in self._near(item.tool, first, last) if names_rule(match.rules, item.rule)]
        olds = {self._is_old(match, item, place) for match in found} | self._of_file(item.tool, item.rule)
        for old in (True, False):
            if self._ranges(item.tool, item.rule, old).holds(first):
                olds.add(old and not self._lost_end)
        if True in olds and not self._is_new_secret(item):
            return Suppression.BASE
        return Suppression.CHANGE if olds else item.suppression

    def _is_new_secret(self, item: Evidence) -> bool:
        assert item.location is not None
        is_known_format = item.tool == "detect-secrets" and item.severity.rank >= Severity.HIGH.rank
        return is_known_format and item.location.start_line in self._added

    def _is_old(self, match: _Match, item: Evidence, place: Location) -> bool:
        """Whether the base had this comment for this code."""
        if not self._keeps_code(item):
            return False
        first, last = place.start_line, place.end_line
        names = names_in_full(match.rules, item.rule)
        if match.line < first and first in self._added and match.line not in self._added:
            # the comment stands still above code that the change put there
            return names and first in self._rewritten
        if match.line in self._added:
            return names and match.text in self._moved.get(match.line, ())
        others = [(other.start_line, other.end_line) for other in item.related if other.path == place.path]
        return names or not any(self._touches(*lines) for lines in ((first, last), *others))

    def _keeps_code(self, item: Evidence) -> bool:
        """Of a result that may block: whether what the change added inside it is old code, little edited."""
        if item.severity.rank < Severity.HIGH.rank or item.location is None:
            return True
        for place in (item.location, *item.related):
            if place.path == item.location.path and place.side is Side.RIGHT:
                start = bisect_left(self._touched, place.start_line)
                added = self._touched[start : bisect_right(self._touched, place.end_line)]
                if len(added) > NEARBY_LINES or not all(map(self._old_code.holds, added)):
                    return False
        return True

    def _touches(self, first: int, last: int) -> bool:
        """Whether the change added a line of the range or deleted one inside it."""
        added = bisect_left(self._touched, first) < bisect_right(self._touched, last)
        return added or bisect_left(self._gaps, first) < bisect_left(self._gaps, last)

    def _judge_claim(self, item: Evidence) -> Suppression:
        """A tool says "in source" but not by what: one new comment that it may mean is enough to doubt."""
        assert item.location is not None
        first, last = item.location.start_line, item.location.end_line
        lines = self._claimable_in(first - 1, last)
        near = self._claimable_in(first - 1, last + LINES_BELOW_CLAIM)
        known = all(n not in self._added or self._moved_with_name(n, item.rule) for n in near)
        if not lines:
            known = known and self._file_claims == {True} and self._is_named_in_file(item.rule)
        return Suppression.BASE if known and self._keeps_code(item) else Suppression.CHANGE

    def _claimable_in(self, first: int, last: int) -> Sequence[int]:
        return self._claimable[bisect_left(self._claimable, first) : bisect_right(self._claimable, last)]

    def _is_named_in_file(self, rule: str) -> bool:
        return any(names_in_file(text, rule) for text in self._file_texts)

    def _moved_with_name(self, number: int, rule: str) -> bool:
        texts = [_comment(match) for match in ANY.finditer(self._line(number))]
        named = re.compile(rf"(?<![\w.-]){re.escape(rule)}(?![\w.-])")
        return all(text in self._moved.get(number, ()) and named.search(text) for text in texts)

    @cached_property
    def _claimable(self) -> list[int]:
        """The lines with a word that some tool may take for a silencing comment."""
        return [number for number in range(1, len(self._lines) + 1) if ANY.search(self._line(number))]

    @cached_property
    def _file_texts(self) -> frozenset[str]:
        """What stands behind the words that may silence a whole file for some tool."""
        numbers = range(1, len(self._lines) + 1)
        lines = (self._line(number) for number in numbers)
        return frozenset(line[found.end() :] for line in lines if (found := ANY_IN_FILE.search(line)))

    @cached_property
    def _file_claims(self) -> set[bool]:
        """Of the lines that may silence a whole file for some tool: whether they are old (True) or new."""
        numbers = range(1, len(self._lines) + 1)
        return {number not in self._added for number in numbers if ANY_IN_FILE.search(self._line(number))}

    def _stood_in_base(self, match: _Match, rule: str) -> bool:
        if match.line not in self._added:
            return True
        named = names_in_full(match.rules, rule)
        return named and match.text in self._moved.get(match.line, ())

    def _line(self, number: int) -> str:
        """The line; of Python only its comment, at its place."""
        line = self._lines[number - 1]
        if len(line) > LONGEST_LINE:
            return ""
        return line if self._columns is None else _only_comment(line, self._columns.get(number))

    def _near(self, tool: str, first: int, last: int) -> Iterator[_Match]:
        # a statement over several lines may carry its comment on any of them
        for number in range(first, min(last, first + NEARBY_LINES) + 1):
            yield from self._of_line(tool, "line", number)
        above = first - 1
        while above > max(1, first - NEARBY_LINES) and self._lines[above - 1].lstrip().startswith("#"):
            above -= 1
        for number in range(max(1, above), first):
            yield from self._of_line(tool, "before", number)

    def _find_of_line(self, tool: str, place: Place, number: int) -> tuple[_Match, ...]:
        return tuple(
            _Match(number, _comment(match), match.groupdict().get("rules"))
            for form in FORMS.get(tool, ())
            if form.place == place
            for match in form.pattern.finditer(self._line(number))
        )

    def _everywhere(self, tool: str, place: Place, rule: str) -> Iterator[_Match]:
        return (match for match in self._of_place(tool, place) if names_rule(match.rules, rule))

    def _find_of_place(self, tool: str, place: Place) -> tuple[_Match, ...]:
        if all(form.place != place for form in FORMS.get(tool, ())):
            return ()
        numbers = range(1, len(self._lines) + 1)
        return tuple(match for number in numbers for match in self._find_of_line(tool, place, number))

    def _find_of_file(self, tool: str, rule: str) -> frozenset[bool]:
        """Of the comments that silence the rule in the whole file: whether they are old (True) or new."""
        return frozenset(self._stood_in_base(match, rule) for match in self._everywhere(tool, "file", rule))

    def _find_ranges(self, tool: str, rule: str, old: bool) -> "_Ranges":
        """The parts of the file in which an old (or new) ``disable`` comment silences the rule."""
        found = [m for m in self._everywhere(tool, "range", rule) if self._stood_in_base(m, rule) is old]
        ends: dict[str, list[int]] = {}
        for number in range(1, len(self._lines) + 1) if found else ():
            if end := RANGE_END.match(self._line(number)):
                ends.setdefault(end["rules"], []).append(number)
        reach: list[int] = []
        for match in found:
            closing = ends.get(match.rules or "", [])
            index = bisect_right(closing, match.line)
            reach.append(closing[index] if index < len(closing) else len(self._lines))
        return _Ranges([match.line for match in found], list(accumulate(reach, max)))


class _Ranges(NamedTuple):
    """Ranges by their first line; ``reach[n]`` is the furthest last line of the first n + 1 of them."""

    starts: list[int]
    reach: list[int]

    def holds(self, line: int) -> bool:
        """Whether a range holds the line."""
        before = bisect_right(self.starts, line)
        return before > 0 and self.reach[before - 1] >= line


def _only_comment(line: str, column: int | None) -> str:
    if column is None:
        return ""
    before = line[:column]
    return (before if before.isspace() else "." * column) + line[column:]


def _comment(match: re.Match[str]) -> str:
    """The comment's own text from the match to the end of its line, white space folded."""
    return " ".join(match.string[match.start() :].split())


class _Carrier(NamedTuple):
    """A line of a hunk that carries suppression comments, and the code that they are about."""

    number: int
    texts: tuple[str, ...]
    code: str


def _moved(hunks: Iterable[Hunk], *, is_python: bool) -> dict[int, frozenset[str]]:
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


def _rewritten(hunks: Iterable[Hunk]) -> frozenset[int]:
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


def _lost_end(hunks: Iterable[Hunk]) -> bool:
    """Whether the change deletes the end of a range, be it to move it: what is covered besides is new."""
    return any(line[:1] == "-" and RANGE_END.match(line[1:]) for hunk in hunks for line in hunk.lines)


def _is_code(line: HunkLine, sign: str) -> bool:
    text = line.text.strip()
    return line.sign in (sign, " ") and text != "" and not text.startswith(("#", "//"))


def _suppressions(line: str, is_python: bool) -> Sequence[tuple[int, str]]:
    """(column, text) of every suppression comment on a line."""
    if is_python:  # of a hunk one line is all there is to tell a string by
        line = _only_comment(line, comment_columns([line]).get(1))
    if not (MAY_BE_FORM.search(line) or ANY_IN_FILE.search(line)):
        return ()
    return tuple((m.start(), _comment(m)) for pattern in EVERY_FORM for m in pattern.finditer(line))
