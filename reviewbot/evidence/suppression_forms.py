"""The forms of suppression comments, and which rules a comment names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

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
