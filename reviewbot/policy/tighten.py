"""Inputs of an action on top of the policy: they come with the change, so they only make it stricter."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reviewbot.policy.cascade import SCALARS, parse_argument, resolve_settings
from reviewbot.settings import POLICY_PATH, Policy, Settings, hyphenated, shown_value
from reviewbot.text import printable

ENGINES = ("analyzers", "auto", "claude")
"""From the least to the most that an engine demands."""


def tighten_settings(
    policies: Sequence[Policy], inputs: Mapping[str, object]
) -> tuple[Settings, tuple[str, ...]]:
    """The cascade for an action, whose inputs may come from the change itself: they only make it stricter.

    What no policy says about engine and budget the inputs decide freely. Returns the settings and one
    sentence for each input that did not count. Raises UsageError for a value that cannot be used.
    """
    settings = resolve_settings(policies, {})
    given = {name: parse_argument(name, inputs[name]) for name in SCALARS if inputs.get(name) is not None}
    counted = {name: value for name, value in given.items() if _tightens(settings, name, value)}
    ignored = [name for name in given if name not in counted and given[name] != getattr(settings, name)]
    notes = tuple(
        f"The input {hyphenated(name)} ({shown_value(given[name])}) did not count: it would weaken "
        f"{shown_value(getattr(settings, name))} ({printable(settings.origins[name], 200)}). "
        f"Set it in {POLICY_PATH} on the base branch."
        for name in ignored
    )
    origins = {name: f"the input {hyphenated(name)}" for name in counted}
    return replace(
        settings,
        **counted,  # type: ignore[arg-type]  # each value went through its own parser
        origins={**settings.origins, **origins},
        from_argv=frozenset(counted),
        only_tightened=True,
    ), notes


def _tightens(settings: Settings, name: str, value: Any) -> bool:
    current, is_free = getattr(settings, name), settings.origins[name] == "built-in"
    match name:
        case "engine":
            return is_free or ENGINES.index(value) > ENGINES.index(current)
        case "budget_usd":
            return is_free or value < current
        case "fail_on":
            return bool(value.rank < current.rank)
        case "minimum_confidence":
            return bool(value < current)
    return (name, value) in (("on_incomplete", "fail"), ("fail_on_tests", True))
