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

from reviewbot.core import ChangeSet, Evidence, FileChange, Location, Severity, Sha, Side, Suppression
from reviewbot.evidence.python_text import comment_columns
from reviewbot.evidence.sources import line_numbers, parse_source
from reviewbot.evidence.suppression_forms import (
    ANY,
    ANY_IN_FILE,
    FORMS,
    RANGE_END,
    OldCode,
    Place,
    names_in_file,
    names_in_full,
    names_rule,
)
from reviewbot.evidence.suppression_moves import (
    LONGEST_LINE,
    NEARBY_LINES,
    comment_text,
    find_moved,
    find_rewritten,
    has_lost_end,
    only_comment,
)

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
        self._moved = find_moved(change.hunks, is_python=columns is not None)
        self._rewritten = find_rewritten(change.hunks)
        self._old_code = OldCode(change.hunks, lines, is_python=columns is not None)
        self._lost_end = has_lost_end(change.hunks)
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
        texts = [comment_text(match) for match in ANY.finditer(self._line(number))]
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
        return line if self._columns is None else only_comment(line, self._columns.get(number))

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
            _Match(number, comment_text(match), match.groupdict().get("rules"))
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
