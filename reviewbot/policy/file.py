"""The policy file: bytes -> ``Policy``.

Imported only where there is a policy, because with its libraries it costs 0.25 s of CPU. Scalars are
read by the core schema of YAML 1.2 (``yes``, ``off`` and ``1:30`` are text), as editors read them.
"""

import json
import re
from bisect import bisect_left
from difflib import get_close_matches
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError

from reviewbot.errors import PolicyError
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
from reviewbot.settings import Fallback, ModelPrice, PathRule, Policy
from reviewbot.text import printable

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_DEPTH = 20

_Place = tuple[str | int, ...]
"""Where a value stands in the file: keys and list positions from the root."""


def parse_policy(data: bytes, where: str) -> Policy:
    """The policy that ``data``, the bytes of the file ``where``, holds.

    ``where`` may end in `` at COMMIT``. An empty file is an empty policy. Keys are hyphenated;
    underscores are a synonym. Raises PolicyError, one sentence with file, line, key and what is
    allowed, for anything that is not exactly a policy.
    """
    file = _File(data, where)
    try:
        parsed = PolicyFile.model_validate(file.tree)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        found = sorted(
            (file.line(one["loc"]), _problem(file.tree, one["type"], one["loc"])) for one in details
        )
        more = f" ({len(found) - 1} more to correct)" if len(found) > 1 else ""
        raise file.error(found[0][0], found[0][1] + more) from None
    named = sorted(parsed.model_fields_set - {"exclude", "paths"})
    rules = (
        (text, PathRule(text, rule.fail_on, rule.minimum_confidence)) for text, rule in parsed.paths.items()
    )
    return Policy(
        where=where,
        values={name: (_frozen(getattr(parsed, name)), file.origin((_hyphenated(name),))) for name in named},
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


def _hyphenated(name: str) -> str:
    return name.replace("_", "-")


def _problem(tree: Any, kind: str, place: _Place) -> str:
    """One clause: which key, what it holds, what is allowed."""
    *parents, last = place
    if kind == "extra_forbidden":
        owners = {
            "prices": (PRICE_KEYS, "a price"),
            "fallback-models": (FALLBACK_KEYS, "the fallback models"),
        }
        known, owner = owners.get(str(parents[0]) if parents else "", (RULE_KEYS, "a path rule"))
        known, owner = (known, owner) if parents else (ROOT_KEYS, "the policy")
        close = get_close_matches(_hyphenated(str(last)).lower(), known, n=1)
        guess = f"did you mean `{close[0]}`" if close else f"allowed are {', '.join(known)}"
        return f"`{printable(str(last))}` is no key of {owner}; {guess}"
    match place:
        case ("prices", str(), *_) if said := _price_problem(tree, kind, place):
            return said
        case ("exclude", int()):
            return f"`exclude` holds {_shown(_value(tree, place))}, which must be {PATTERN}"
        case ("paths", str(pattern), "[key]"):
            return f"`paths` names {_shown(pattern)}, which must be {PATTERN}, without `!`"
        case ("paths", str(pattern)):
            held = _shown(_value(tree, place))
            keys = " and ".join(f"`{key}`" for key in RULE_KEYS)
            return f"{_shown(pattern)} in `paths` is {held} but must be a mapping with one or both of {keys}"
    key, holds = (str(parents[0]), "holds") if isinstance(last, int) else (str(last), "is")
    return f"`{key}` {holds} {_shown(_value(tree, place))} but must be {ALLOWED[key]}"


def _price_problem(tree: Any, kind: str, place: _Place) -> str:
    """What is wrong with a model in `prices`; empty where it is one of its numbers."""
    match place:
        case (_, str(model), "[key]"):
            return f"`prices` names {_shown(model)}, which must be {ALLOWED['security-model']}"
        case (_, str(model), str(key)) if kind == "missing":
            return f"{_shown(model)} in `prices` has no `{key}`; give {ALLOWED[key]}"
        case (_, str(model)):
            held = _shown(_value(tree, place))
            return f"{_shown(model)} in `prices` is {held} but must be a mapping with `input` and `output`"
    return ""


def _value(tree: Any, place: _Place) -> Any:
    for step in place:
        tree = tree[step]
    return tree


def _shown(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


class _Composer(yaml.SafeLoader):
    """PyYAML's composer without what a policy needs least: anchors, aliases, tags, deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            self._refuse(event, f"values are nested more than {MAXIMUM_DEPTH} deep")
        if getattr(event, "anchor", None) is not None:
            self._refuse(event, "an anchor or alias (& or *) may not stand in a policy")
        if getattr(event, "tag", None) is not None:
            self._refuse(event, "a tag (!) may not stand in a policy; quote text that begins with !")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refuse(self, event: yaml.Event, problem: str) -> NoReturn:
        raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)  # type: ignore[arg-type]


class _File:
    """One file as plain values (``tree``) that still know their lines, counted by line feeds as git does."""

    def __init__(self, data: bytes, where: str) -> None:
        name = re.fullmatch(r"(.*?)( at [0-9a-f]{7,64})?", where, re.DOTALL)
        assert name
        self._name, self._commit = printable(name[1], 300), name[2] or ""
        self._lines: dict[_Place, int] = {}
        if len(data) > MAXIMUM_BYTES:
            raise self.error(1, f"the file has {len(data)} bytes but may have {MAXIMUM_BYTES} at most")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self.error(line, "the file is not UTF-8 text; save it as UTF-8") from None
        self._feeds = [found.start() for found in re.finditer("\n", text)]
        # YAML 1.1 breaks lines here, editors and git do not: a key could hide behind a comment.
        self._hidden = [found.start() for found in re.finditer("\r(?!\n)|[\x85\u2028\u2029]", text)]
        root = self._compose(text)
        empty = root is None or (isinstance(root, yaml.ScalarNode) and not root.value and not root.style)
        self.tree = {} if empty else self._plain(root, ())
        if not isinstance(self.tree, dict):
            raise self.error(
                self.line(()), f"the policy is {_shown(self.tree)} but must be a mapping of keys"
            )

    def error(self, line: int, problem: str) -> PolicyError:
        """The error for ``problem``, a clause."""
        return PolicyError(f"{self._name}:{line}{self._commit}: {problem}.")

    def line(self, place: _Place) -> int:
        """The line, from 1, of ``place`` or of what it stands in."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def origin(self, place: _Place) -> str:
        """Where ``place`` stands, such as ``.github/reviewbot.yml:3 at 1a2b3c4d``."""
        return f"{self._name}:{self.line(place)}{self._commit}"

    def _line_at(self, index: int) -> int:
        return bisect_left(self._feeds, index) + 1

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            loader = _Composer(text)
            return loader.get_single_node()
        except yaml.reader.ReaderError as error:
            problem = f"U+{error.character:04X} may not stand in YAML; write it as an escape"
            raise self.error(self._line_at(error.position), problem) from None
        except yaml.MarkedYAMLError as error:
            at = self._line_at(error.problem_mark.index) if error.problem_mark else 1
            problem = ", ".join(text for text in (error.context, error.problem) if text)
            hint = "; quote text that begins with & or *" if re.search("alias|anchor", problem) else ""
            raise self.error(
                at, f"this is not the YAML of a policy: {printable(problem, 160)}{hint}"
            ) from None
        except (ValueError, OverflowError):  # PyYAML lets them pass, as for "\UFFFFFFFF"
            raise self.error(self._line_at(loader.index), "an escape or directive is out of range") from None

    def _plain(self, node: yaml.Node | None, place: _Place) -> Any:
        """``node`` as a dict, list or scalar; notes the line of everything in it."""
        assert node is not None
        self._note(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*place, number)) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, place)

    def _note(self, node: yaml.Node, place: _Place) -> None:
        index = node.start_mark.index
        line = self._line_at(index)
        before = bisect_left(self._hidden, index) - 1
        if before >= 0 and self._line_at(self._hidden[before]) == line:
            raise self.error(
                line, "text stands behind a line break that is no line feed; break lines by line feeds"
            )
        self._lines[place] = line

    def _mapping(self, node: yaml.MappingNode, place: _Place) -> dict[str, Any]:
        inner = {"paths": RULE_KEYS, "prices": PRICE_KEYS}
        known = ROOT_KEYS if not place else inner.get(str(place[0]), ()) if len(place) == 2 else ()
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            written = self._key(key_node)
            key = _hyphenated(written) if _hyphenated(written) in known else written
            if key in values:
                first = self.line((*place, key))
                raise self.error(
                    self._line_at(key_node.start_mark.index),
                    f"`{printable(written)}` is given twice, first in line {first}; keep one",
                )
            values[key] = self._plain(value_node, (*place, key))
            self._note(key_node, (*place, key))
        return values

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(
                self._line_at(node.start_mark.index), "a key is a list or mapping but must be text"
            )
        return self._text(node)

    def _text(self, node: yaml.ScalarNode) -> str:
        text = str(node.value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self.error(
                self._line_at(node.start_mark.index),
                "an escape stands for half a character; write the character itself",
            )
        return text

    def _scalar(self, node: yaml.ScalarNode, place: _Place) -> str | float | bool:
        text = self._text(node)
        if node.style:
            return text
        if text in {"", "~", "null", "Null", "NULL"}:
            key = f"`{printable(str(place[-1]))}`" if place and isinstance(place[-1], str) else "this entry"
            raise self.error(self.line(place), f"{key} has no value; give it one or remove it")
        if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
            return text.lower() == "true"
        if re.fullmatch(r"[-+]?[0-9]{1,18}", text):
            return int(text)
        if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
            return float(text)
        special = re.fullmatch(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text)
        return float(special[0].replace(".", "")) if special else text
