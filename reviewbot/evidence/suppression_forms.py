"""The forms of suppression comments, which rules a comment names, and how like the old code new code is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, cached_property, lru_cache
from typing import Literal

from reviewbot.change.hunks import numbered_lines
from reviewbot.core import Hunk

Place = Literal["line", "before", "file", "range"]
"""Where a comment of this form must stand: on the result's lines, on the line before, anywhere, above."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of suppression comment. Group ``rules``, where it matched, lists the rules it names."""

    place: Place
    pattern: re.Pattern[str]


_CODES = r"[A-Za-z]+[A-Za-z0-9_-]*\d*(?:[,\s]+[A-Z]+\d+)*"
_LIST = rf"(?:\s*:\s*(?P<rules>{_CODES}|))?"
"""A colon with nothing behind it that could be a rule names nothing, not every rule."""
_BRACKET = r"\[(?P<rules>[^\[\]]*)\]"


def _form(place: Place, pattern: str) -> Form:
    return Form(place, re.compile(pattern, re.IGNORECASE))


# What each tool itself documents; ours run with all of these switched off.
FORMS: Mapping[str, tuple[Form, ...]] = {
    "ruff": (
        _form("line", rf"#\s*noqa\b{_LIST}"),
        _form("line", r"#\s*nosec\b(?:\s*:?\s*(?P<rules>[BS]\d+(?:[,\s]+[BS]\d+)*|[a-z]+(?:_[a-z]+)+))?"),
        _form("line", rf"#\s*ruff:\s*ignore{_BRACKET}"),
        _form("before", rf"^\s*#\s*ruff:\s*ignore{_BRACKET}"),
        _form("range", rf"^\s*#\s*ruff:\s*disable{_BRACKET}"),
        _form("file", rf"^\s*#\s*(?:ruff|flake8):\s*noqa\b{_LIST}"),
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
ANY = re.compile(
    r"\b(NOLINT|nosemgrep|nosec|noqa|noinspection|lgtm|codeql|NOSONAR|ggignore|gosec|kics-scan|checkov:skip"
    r"|clippy::|pragma)|ignore|suppress|disable|allow|skip|ts-expect-error",
    re.IGNORECASE,
)
ANY_IN_FILE = re.compile(
    r"(ruff|flake8):\s*(noqa|file-ignore|disable)|pylint:\s*(skip-file|disable)|eslint-disable(?!-(next-)?line)"
    r"|hadolint\s+global|mypy:\s*ignore-errors|@ts-nocheck|NOLINTBEGIN|biome-ignore-all|rubocop:disable"
    r"|phpcs:\s*(ignoreFile|disable)|pragma\s+warning\s+disable|SuppressWarnings|SuppressFBWarnings",
    re.IGNORECASE,
)
_NOSEC = re.compile(r"B(\d+)")
RANGE_END = re.compile(rf"^\s*#\s*ruff:\s*enable{_BRACKET}", re.IGNORECASE)
EVERY_FORM = (*(form.pattern for forms in FORMS.values() for form in forms), ANY, ANY_IN_FILE)
MAY_BE_FORM = re.compile(rf"ruff:|flake8:|zizmor:|hadolint|shellcheck|{ANY.pattern}", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _listed(rules: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names of a comment's list in capitals, and those that are prefixes of codes."""
    listed = re.split(r"[,\s]+", rules.strip())
    codes = (_NOSEC.sub(r"S\1", code) for code in listed if re.fullmatch(r"[A-Z]+\d*", code))
    return frozenset(code.upper() for code in listed), tuple(code for code in codes if code)


def names_rule(rules: str | None, rule: str) -> bool:
    """Whether a comment's list (None: every rule) names the rule; ``S6`` names ``S602``."""
    if rules is None:
        return True
    listed, prefixes = _listed(rules)
    return rule.upper() in listed or (bool(re.fullmatch(r"[A-Z]+\d+", rule)) and rule.startswith(prefixes))


def names_in_full(rules: str | None, rule: str) -> bool:
    """Whether a comment's list holds the rule's whole code; neither ``noqa`` alone nor ``S6`` does."""
    if rules is None:
        return False
    listed, codes = _listed(rules)
    return rule.upper() in listed or rule in codes


_NO_NAMES = re.compile(r"\s*(?:[^\w\s@]*\s*$|\*/|--|\W*all\b)")


def names_in_file(text: str, rule: str) -> bool:
    """Whether what follows a file-wide comment's words names the rule, or no rule at all."""
    named = re.search(rf"(?<![\w.-]){re.escape(rule)}(?![\w.-])", text)
    return named is not None or _NO_NAMES.match(text) is not None


_LITERAL = re.compile(
    r"""\#[^\r\n]*+|(?P<prefix>(?<!\w)[A-Za-z]{1,2})?(?P<body>"""
    r"""(?P<triple>"{3}|'{3})(?:[^\\"']++|\\.|(?!(?P=triple))["'])*(?:(?P=triple)|\\?\Z)"""
    r"""|(?P<quote>["'])(?:[^\\\r\n"']++|\\.|(?!(?P=quote))["'])*(?:(?P=quote)|\\?(?=[\r\n])|\\?\Z))""",
    re.DOTALL,
)
_NAME = re.compile(r"[^\W\d]\w*+")
_OPTION = re.compile(r"(?<!\S)--?[\w-]++")


def code_names(lines: Sequence[str], is_python: bool) -> list[tuple[str, ...]]:
    """The names on each line in order; of Python without strings and comments, else without options.

    A string with values in it is code, and holds names. Linear in the text, also where it does not parse.
    """
    if not is_python:
        return [tuple(_NAME.findall(_OPTION.sub(" ", line))) for line in lines]
    text, parts, after = "\n".join(lines), [], 0
    for found in _LITERAL.finditer(text):
        parts.append(text[after : found.start()])
        after = found.end()
        if not (found["prefix"] and {*found["prefix"].lower()} & {*"ft"}):
            parts.append(" " + "\n" * found[0].count("\n"))
        elif _is_plain(found["body"].strip("\"'")):
            parts.append(found[0])
        else:  # since Python 3.12 quotes inside the braces may be the string's own: where it ends is unknown
            after = found.start()
            break
    return [tuple(_NAME.findall(line)) for line in "".join((*parts, text[after:])).split("\n")]


def _is_plain(text: str) -> bool:
    """Whether all braces of a string with values are closed and no quote stands in it."""
    rest = text.replace("{{", "").replace("}}", "")
    return rest.count("{") == rest.count("}") and not {*text} & {*"\"'"}


_CALL = re.compile(r"(?<![\w.])([\w.]++)\s*+\(")
MOST_COMPARISONS = 500
"""Of edited lines with their old text, in one file; beyond, a moved comment counts as a new one."""
SIMILAR = 0.6


def is_similar(old: str, new: str) -> bool:
    """Whether both call the same names in the same order, and at least 60 % of their text is the same."""
    if not old or max(len(old), len(new)) > 200 or _CALL.findall(old) != _CALL.findall(new):
        return False
    return SequenceMatcher(None, old, new, autojunk=False).ratio() >= SIMILAR


class OldCode:
    """Tells of a file's added lines which say the same as a line that their hunk deletes."""

    def __init__(self, hunks: Iterable[Hunk], lines: Sequence[str], *, is_python: bool) -> None:
        self._lines, self._is_python = lines, is_python
        self._deleted = _deleted_by(hunks)
        self._comparisons = 0
        self.holds = cache(self._holds)

    def _holds(self, number: int) -> bool:
        """Whether the added line is blank, a comment, or similar to a deleted one with no name besides."""
        if number > len(self._lines):
            return True
        new, line = self._names[number - 1], self._lines[number - 1].strip()
        if not new and (not line or line.startswith("#")):
            return True
        for old in self._deleted.get(number, ()):
            self._comparisons += 1
            if self._comparisons > MOST_COMPARISONS:
                return False
            if is_similar(old.strip(), line) and _is_part(new, code_names([old], self._is_python)[0]):
                return True
        return False

    @cached_property
    def _names(self) -> list[tuple[str, ...]]:
        return code_names(self._lines, self._is_python)


def _deleted_by(hunks: Iterable[Hunk]) -> dict[int, list[str]]:
    """Added line -> what its hunk deletes."""
    found: dict[int, list[str]] = {}
    for hunk in hunks:
        lines = tuple(numbered_lines(hunk))
        deleted = [line.text for line in lines if line.sign == "-"]
        if deleted:
            found.update((line.head, deleted) for line in lines if line.sign == "+")
    return found


def _is_part(new: Sequence[str], old: Sequence[str]) -> bool:
    """Whether the old names hold the new ones, in their order."""
    rest = iter(old)
    return all(name in rest for name in new)
