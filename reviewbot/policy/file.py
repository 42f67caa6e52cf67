"""The policy file: bytes -> ``Policy``.

Imported only where there is a policy, because with its libraries it costs 0.25 s of CPU.
"""

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from reviewbot.policy.model import (
    ALLOWED,
    FALLBACK_KEYS,
    PATTERN,
    PRICE_KEYS,
    ROOT_KEYS,
    RULE_KEYS,
    FallbackEntry,
    PolicyFile,
    PriceEntry,
)
from reviewbot.policy.source import Place, PolicySource, hyphenated, shown
from reviewbot.settings import Fallback, ModelPrice, PathRule, Policy
from reviewbot.text import printable


def parse_policy(data: bytes, where: str) -> Policy:
    """The policy that ``data``, the bytes of the file ``where``, holds.

    ``where`` may end in `` at COMMIT``. An empty file is an empty policy. Keys are hyphenated;
    underscores are a synonym. Raises PolicyError, one sentence with file, line, key and what is
    allowed, for anything that is not exactly a policy.
    """
    file = PolicySource(data, where)
    try:
        parsed = PolicyFile.model_validate(file.tree)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        found = sorted(
            (file.start(one["loc"]), _problem(file.tree, one["type"], one["loc"])) for one in details
        )
        more = f" ({len(found) - 1} more to correct)" if len(found) > 1 else ""
        raise file.error(found[0][0], found[0][1] + more) from None
    named = sorted(parsed.model_fields_set - {"exclude", "paths"})
    rules = (
        (text, PathRule(text, rule.fail_on, rule.minimum_confidence)) for text, rule in parsed.paths.items()
    )
    return Policy(
        where=where,
        values={name: (_frozen(getattr(parsed, name)), file.origin((hyphenated(name),))) for name in named},
        exclude=tuple((text, file.origin(("exclude", number))) for number, text in enumerate(parsed.exclude)),
        path_rules=tuple((rule, file.origin(("paths", text))) for text, rule in rules),
    )


def _frozen(value: object) -> object:
    if isinstance(value, FallbackEntry):
        tiers = [name for name in FALLBACK_KEYS if name in value.model_fields_set]
        return tuple(Fallback(tier, tuple(getattr(value, tier))) for tier in tiers)
    if isinstance(value, dict):
        return tuple(_price(model, entry) for model, entry in value.items())
    return tuple(value) if isinstance(value, list) else value


def _price(model: str, entry: PriceEntry) -> ModelPrice:
    given = {"cache_read": entry.input, "cache_write": 1.25 * entry.input, "cache_write_1h": 2 * entry.input}
    given |= {name: getattr(entry, name) for name in entry.model_fields_set}
    return ModelPrice(model, **given)


def _problem(tree: Any, kind: str, place: Place) -> str:
    """One clause: which key, what it holds, what is allowed."""
    *parents, last = place
    if kind == "extra_forbidden":
        owners = {
            "prices": (PRICE_KEYS, "a price"),
            "fallback-models": (FALLBACK_KEYS, "the fallback models"),
        }
        known, owner = owners.get(str(parents[0]) if parents else "", (RULE_KEYS, "a path rule"))
        known, owner = (known, owner) if parents else (ROOT_KEYS, "the policy")
        close = get_close_matches(hyphenated(str(last)).lower(), known, n=1)
        guess = f"did you mean `{close[0]}`?" if close else f"allowed are {', '.join(known)}"
        return f"`{printable(str(last))}` is no key of {owner}; {guess}"
    match place:
        case ("prices", str(), *_) if said := _price_problem(tree, kind, place):
            return said
        case ("exclude", int()):
            return f"`exclude` holds {shown(_value(tree, place))}, which must be {PATTERN}"
        case ("paths", str(pattern), "[key]"):
            return f"`paths` names {shown(pattern)}, which must be {PATTERN}, without `!`"
        case ("paths", str(pattern)):
            held = shown(_value(tree, place))
            keys = " and ".join(f"`{key}`" for key in RULE_KEYS)
            return f"{shown(pattern)} in `paths` is {held} but must be a mapping with one or both of {keys}"
    key, holds = (str(parents[0]), "holds") if isinstance(last, int) else (str(last), "is")
    return f"`{key}` {holds} {shown(_value(tree, place))} but must be {ALLOWED[key]}"


def _price_problem(tree: Any, kind: str, place: Place) -> str:
    """What is wrong with a model in `prices`; empty where it is one of its numbers."""
    match place:
        case (_, str(model), "[key]"):
            return f"`prices` names {shown(model)}, which must be {ALLOWED['security-model']}"
        case (_, str(model), str(key)) if kind == "missing":
            return f"{shown(model)} in `prices` has no `{key}`; give {ALLOWED[key]}"
        case (_, str(model)):
            held = shown(_value(tree, place))
            return f"{shown(model)} in `prices` is {held} but must be a mapping with `input` and `output`"
    return ""


def _value(tree: Any, place: Place) -> Any:
    for step in place:
        tree = tree[step]
    return tree
