"""The cascade: which value each setting has, and where that comes from. Pure.

The weakest first: built-in, the policies in their order, their ``paths:`` sections, the command line.
Policy bytes are parsed in ``file``, which is imported only where there are any.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from reviewbot.core import Severity
from reviewbot.errors import UsageError
from reviewbot.settings import (
    ANALYZERS,
    LOGIN,
    MAXIMUM_BUDGET_USD,
    MODEL_ID,
    MOST_ROUNDS,
    Analyzer,
    Engine,
    OnIncomplete,
    Policy,
    Settings,
    Unproven,
)
from reviewbot.text import printable

SCALARS = (
    "engine",
    "fail_on",
    "minimum_confidence",
    "fail_on_tests",
    "on_incomplete",
    "budget_usd",
    "budget_usd_per_pull_request",
    "budget_usd_per_month",
    "triage_model",
    "test_fix_model",
    "security_model",
    "fallback_models",
    "verify",
    "suggestions",
    "fix_rounds",
    "unproven_fixes",
    "prices",
    "analyzers",
    "skip_authors",
)
"""The fields of ``Settings`` of which a later layer replaces an earlier one."""


def resolve_settings(policies: Sequence[Policy], argv: Mapping[str, object]) -> Settings:
    """The cascade: built-in < ``policies`` in their order < their path rules < ``argv``.

    ``argv`` is keyed by the field names of ``Settings`` (keys that are none of them are not settings
    and are left alone); None means not given, and so does False for ``fail_on_tests``, a flag that can
    only tighten. Patterns of several policies add up; of two path rules the later wins. Raises
    UsageError for a value that its option cannot take.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys((*SCALARS, "exclude", "path_rules"), "built-in")
    for policy in policies:
        for name, (value, origin) in policy.values.items():
            values[name], origins[name] = value, origin
    given = {name: argv[name] for name in SCALARS if argv.get(name) is not None}
    if given.get("fail_on_tests") is False:
        del given["fail_on_tests"]
    for name, value in given.items():
        values[name], origins[name] = parse_argument(name, value), option_name(name)
    exclude = [entry for policy in policies for entry in policy.exclude]
    rules = [entry for policy in policies for entry in policy.path_rules]
    origins |= _origins_of("exclude", [origin for _, origin in exclude])
    origins |= _origins_of("path_rules", [origin for _, origin in rules])
    return Settings(
        **values,
        exclude=tuple(pattern for pattern, _ in exclude),
        path_rules=tuple(rule for rule, _ in rules),
        origins=origins,
        policies=tuple(policy.where for policy in policies),
        from_argv=frozenset(given),
    )


def _origins_of(name: str, origins: list[str]) -> dict[str, str]:
    """The origin of each entry, and of the list as a whole where it has any entry."""
    each = {f"{name}[{number}]": origin for number, origin in enumerate(origins)}
    return each | ({name: ", ".join(dict.fromkeys(origins))} if origins else {})


def option_name(name: str) -> str:
    """The option of the command line that sets a field."""
    return "--" + name.replace("_", "-")


def parse_argument(name: str, value: object) -> object:
    """The value of one command line option as its field holds it; raises UsageError."""
    parse, allowed = _ARGUMENTS[name]
    try:
        return parse(value)
    except (ValueError, TypeError, OverflowError, KeyError):
        shown = printable(str(value))
        raise UsageError(f"{option_name(name)} {shown} cannot be used.", help=f"Give {allowed}.") from None


def _one_of(*allowed: str) -> tuple[Callable[[Any], object], str]:
    def parse(value: Any) -> str:
        return allowed[allowed.index(value)]

    return parse, f"one of {', '.join(allowed)}"


def _number(largest: float, allowed: str) -> tuple[Callable[[Any], object], str]:
    def parse(value: Any) -> float:
        number = float(value)
        if isinstance(value, bool) or not 0 <= number <= largest:  # NaN is not within
            raise ValueError
        return number

    return parse, allowed


def _parse_rounds(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_ROUNDS:
        raise ValueError
    return value


def _parse_flag(value: Any) -> bool:
    if value is not True:
        raise ValueError
    return True


def _parse_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _parse_analyzers(value: Any) -> tuple[Analyzer, ...]:
    known: dict[str, Analyzer] = {name: name for name in ANALYZERS}
    names = tuple(known[name] for name in (value.split(",") if isinstance(value, str) else value))
    if len(set(names)) != len(names):
        raise ValueError
    return names


def _parse_logins(value: Any) -> tuple[str, ...]:
    names = tuple(value.split(",") if isinstance(value, str) else value)
    if len(set(names)) != len(names) or not all(re.fullmatch(LOGIN, name) for name in names):
        raise ValueError
    return names


def _parse_model(value: Any) -> str:
    if not (isinstance(value, str) and re.fullmatch(MODEL_ID, value)):
        raise ValueError
    return value


_MODEL = (_parse_model, "the id of a model, such as claude-opus-5-5")
_ARGUMENTS: Mapping[str, tuple[Callable[[Any], object], str]] = {
    "engine": _one_of(*get_args(Engine)),
    "fail_on": (Severity, f"one of {', '.join(Severity)}"),
    "minimum_confidence": _number(1, "a number from 0 to 1"),
    "fail_on_tests": (_parse_flag, "a flag without a value"),
    "on_incomplete": _one_of(*get_args(OnIncomplete)),
    "budget_usd": _number(MAXIMUM_BUDGET_USD, f"a number of dollars from 0 to {MAXIMUM_BUDGET_USD:.0f}"),
    "triage_model": _MODEL,
    "test_fix_model": _MODEL,
    "security_model": _MODEL,
    "verify": (_parse_switch, "true or false"),
    "suggestions": (_parse_switch, "true or false"),
    "fix_rounds": (_parse_rounds, f"a whole number from 0 to {MOST_ROUNDS}"),
    "unproven_fixes": _one_of(*get_args(Unproven)),
    "analyzers": (_parse_analyzers, f"a list of {', '.join(ANALYZERS)}, each at most once"),
    "skip_authors": (_parse_logins, "a list of logins, such as renovate[bot], each at most once"),
}
