"""Which results the source itself silences, and whether the change brought the silence.

Our analyzers run with all ignores off, and SARIF says that a result is suppressed but not since when.
A comment that already stands in the base blob is honoured; one that the change adds is not.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reviewbot.core import ChangeSet, Evidence, FileChange, Hunk, Sha, Suppression
from reviewbot.evidence.sources import line_numbers, parse_source

Place = Literal["line", "before", "file", "range"]
"""Where a comment of this form must stand: on the result's lines, on the line before, anywhere, above."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of suppression comment. Group ``rules``, where it matched, lists the rules it names."""

    place: Place
    pattern: re.Pattern[str]


_CODES = r"(?P<rules>[A-Za-z]+[A-Za-z0-9_-]*\d*(?:[,\s]+[A-Z]+\d+)*)"
_BRACKET = r"\[(?P<rules>[^\]]*)\]"


def _form(place: Place, pattern: str) -> Form:
    return Form(place, re.compile(pattern, re.IGNORECASE))


# What each tool itself documents; ours run with all of these switched off.
FORMS: Mapping[str, tuple[Form, ...]] = {
    "ruff": (
        _form("line", rf"#\s*noqa(?::\s*{_CODES})?"),
        _form("line", r"#\s*nosec\b(?::?\s*(?P<rules>[BS]\d+(?:[,\s]+[BS]\d+)*))?"),
        _form("line", rf"#\s*ruff:\s*ignore{_BRACKET}"),
        _form("before", rf"^\s*#\s*ruff:\s*ignore{_BRACKET}"),
        _form("range", rf"^\s*#\s*ruff:\s*disable{_BRACKET}"),
        _form("file", rf"^\s*#\s*(?:ruff|flake8):\s*noqa(?::\s*{_CODES})?"),
        _form("file", rf"^\s*#\s*ruff:\s*file-ignore{_BRACKET}"),
    ),
    "zizmor": (_form("line", rf"#\s*zizmor:\s*ignore{_BRACKET}"),),
    "hadolint": (
        _form("before", r"^\s*#\s*hadolint\s+(?:\S+\s+)*?ignore\s*=\s*(?P<rules>[\w,\s]+)"),
        _form("file", r"^\s*#\s*hadolint\s+global\s+ignore\s*=\s*(?P<rules>[\w,\s]+)"),
        _form("before", r"#\s*shellcheck\s+disable\s*=\s*(?P<rules>[\w,]+)"),
    ),
    "detect-secrets": (
        _form("line", r"pragma: ?(?:allow|white)list[ -]secret"),
        _form("before", r"pragma: ?allowlist[ -]nextline[ -]secret"),
    ),
}
# Any tool's, for SARIF that only says "suppressed in source": nearby, whatever looks like a silencing word
_ANY = re.compile(
    r"\b(NOLINT|nosemgrep|nosec|noqa|noinspection|lgtm|codeql|NOSONAR|ggignore|gosec|kics-scan|checkov:skip"
    r"|clippy::|pragma)|ignore|suppress|disable|allow|skip|ts-expect-error",
    re.IGNORECASE,
)
_ANY_IN_FILE = re.compile(
    r"(ruff|flake8):\s*(noqa|file-ignore|disable)|pylint:\s*(skip-file|disable)|eslint-disable(?!-(next-)?line)"
    r"|hadolint\s+global|mypy:\s*ignore-errors|@ts-nocheck|NOLINTBEGIN|biome-ignore-all|rubocop:disable"
    r"|phpcs:\s*(ignoreFile|disable)|pragma\s+warning\s+disable|SuppressWarnings|SuppressFBWarnings",
    re.IGNORECASE,
)
_NOSEC = re.compile(r"B(\d+)")


def mark_suppressions(
    evidence: Iterable[Evidence], changes: ChangeSet, read_blob: Callable[[Sha], bytes]
) -> tuple[Evidence, ...]:
    """Give each result on head its suppression: BASE, CHANGE or what it had.

    A SARIF result that claims to be suppressed in source stays CHANGE unless a comment of the base is
    found for it: a claim alone silences nothing. Raises whatever ``read_blob`` raises.
    """
    files = {change.path: change for change in changes.files if change.head_blob is not None}
    read: dict[str, _Comments] = {}

    def mark(item: Evidence) -> Evidence:
        place = item.location
        if place is None or place.path not in files or item.revision not in (None, changes.head_sha):
            return item
        claimed = item.suppression is Suppression.CHANGE
        if item.source == "junit" or not (claimed or item.source == "analyzer"):
            return item
        if files[place.path].is_submodule or files[place.path].omitted:
            return item
        if place.path not in read:
            read[place.path] = _Comments.of(files[place.path], read_blob)
        return replace(item, suppression=read[place.path].judge(item))

    return tuple(mark(item) for item in evidence)


@dataclass(frozen=True, slots=True)
class _Comments:
    """The head lines of one file, and those whose text the change brought in."""

    lines: tuple[str, ...]
    added: frozenset[int]
    moved: Mapping[int, frozenset[str]]
    """For an added line, the comments that stood on a deleted line of the same hunk."""

    @classmethod
    def of(cls, change: FileChange, read_blob: Callable[[Sha], bytes]) -> "_Comments":
        assert change.head_blob is not None
        lines = parse_source(change, read_blob(change.head_blob)).lines
        moved = {number: found for hunk in change.hunks for number, found in _moved(hunk).items()}
        return cls(lines, frozenset(line_numbers(change.added)), moved)

    def judge(self, item: Evidence) -> Suppression:
        """BASE where a comment of the base silences the item, CHANGE where only new ones do."""
        if item.source == "sarif":
            return self._judge_claim(item)
        found = list(self._find(item))
        if any(self._stood_in_base(number, text) for number, text in found):
            return Suppression.BASE
        return Suppression.CHANGE if found else item.suppression

    def _judge_claim(self, item: Evidence) -> Suppression:
        """A tool says "in source" but not by what: one new comment that it may mean is enough to doubt."""
        assert item.location is not None
        first, last = item.location.start_line, min(item.location.end_line, len(self.lines))
        found = list(self._search(range(max(1, first - 1), last + 1), _ANY))
        found = found or list(self._search(range(1, len(self.lines) + 1), _ANY_IN_FILE))
        known = found and all(self._stood_in_base(number, text) for number, text in found)
        return Suppression.BASE if known else Suppression.CHANGE

    def _stood_in_base(self, number: int, text: str) -> bool:
        return number not in self.added or text in self.moved.get(number, ())

    def _find(self, item: Evidence) -> Iterable[tuple[int, str]]:
        """(line, text of the comment) of every comment that silences the item."""
        assert item.location is not None
        first, last = item.location.start_line, min(item.location.end_line, len(self.lines))
        for form in FORMS.get(item.tool, ()):
            for number, text, rules in self._matches(form, first, last):
                if _names(rules, item.rule):
                    yield number, text

    def _matches(self, form: Form, first: int, last: int) -> Iterable[tuple[int, str, str | None]]:
        for number in self._where(form.place, first, last):
            for match in form.pattern.finditer(self.lines[number - 1]):
                rules = match.groupdict().get("rules")
                if form.place == "range" and self._is_closed(number, first, rules):
                    continue
                yield number, _comment(match), rules

    def _where(self, place: Place, first: int, last: int) -> Iterable[int]:
        if place == "line":
            # a statement over several lines may carry its comment on any of them
            return range(first, min(last, first + 50) + 1)
        if place == "before":
            above = first - 1
            while above > 1 and self.lines[above - 1].lstrip().startswith("#"):
                above -= 1
            return range(max(1, above), first)
        return range(1, (first if place == "range" else len(self.lines)) + 1)

    def _is_closed(self, opened: int, first: int, rules: str | None) -> bool:
        ends = re.compile(r"^\s*#\s*ruff:\s*enable\[(?P<rules>[^\]]*)\]", re.IGNORECASE)
        between = self.lines[opened : first - 1]
        return any((end := ends.match(line)) and end["rules"] == rules for line in between)

    def _search(self, numbers: Iterable[int], pattern: re.Pattern[str]) -> Iterable[tuple[int, str]]:
        for number in numbers:
            for match in pattern.finditer(self.lines[number - 1]):
                yield number, _comment(match)


def _comment(match: re.Match[str]) -> str:
    """The comment's own text from the match to the end of its line, white space folded."""
    return " ".join(match.string[match.start() :].split())


def _names(rules: str | None, rule: str) -> bool:
    """Whether a comment's list (None: every rule) names the rule; ``S6`` names ``S602``."""
    if rules is None:
        return True
    listed = re.split(r"[,\s]+", rules.strip())
    if any(listed_rule.upper() == rule.upper() for listed_rule in listed):
        return True
    prefixes = [_NOSEC.sub(r"S\1", code) for code in listed if re.fullmatch(r"[A-Z]+\d*", code)]
    return bool(re.fullmatch(r"[A-Z]+\d+", rule)) and any(code and rule.startswith(code) for code in prefixes)


def _moved(hunk: Hunk) -> dict[int, frozenset[str]]:
    """Comments of added lines that also stood on a deleted line of the hunk, matched one for one."""
    left: Counter[str] = Counter()
    added: list[tuple[int, str]] = []
    number = hunk.head_start
    for line in hunk.lines:
        if line.startswith("-"):
            left.update(_suppressions(line[1:]))
        elif line.startswith("+"):
            added += ((number, text) for text in _suppressions(line[1:]))
        number += line[:1] in ("+", " ")
    moved: dict[int, set[str]] = {}
    for number, text in added:
        if left[text] > 0:
            left[text] -= 1
            moved.setdefault(number, set()).add(text)
    return {number: frozenset(texts) for number, texts in moved.items()}


def _suppressions(line: str) -> Sequence[str]:
    """The text of every suppression comment on a line, each once."""
    every = [form.pattern for forms in FORMS.values() for form in forms]
    found = (_comment(match) for pattern in (*every, _ANY, _ANY_IN_FILE) for match in pattern.finditer(line))
    return tuple(dict.fromkeys(found))
