"""Fill any JSON schema with facts by the names of its properties: what lets one reader answer any shape."""

from collections.abc import Mapping
from typing import Any

from reviewbot.testing.schemas import resolve

Json = Mapping[str, Any]

SAME = {
    "line": "start_line",
    "first_line": "start_line",
    "last_line": "end_line",
    "quote": "text",
    "code": "text",
    "evidence": "quotes",
    "places": "quotes",
    "file": "path",
    "description": "body",
    "explanation": "body",
    "why": "body",
    "headline": "title",
    "name": "title",
    "category": "rule",
    "kind": "rule",
    "query": "text",
    "pattern": "text",
    "old": "find",
    "new": "replace",
}
"""Other names that a schema may use for what the reader knows."""

_MISSING = object()


def fill(schema: Json, facts: Json, root: Json | None = None) -> Any:
    """A value that fits the schema, made of facts where a property has the name of one.

    A fact is a text, a number, a list (of facts for the items), or for an enum the words to look for in
    its values, best first. A required property without a fact gets the least value of its type.
    """
    root = root if root is not None else schema
    return _fill(resolve(schema, root), facts, root, _MISSING)


def _fill(node: Json, facts: Json, root: Json, fact: Any) -> Any:
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return choose(node["enum"], fact if isinstance(fact, tuple) else (fact,))
    options = [resolve(each, root) for each in (*node.get("anyOf", ()), *node.get("allOf", ())[:1])]
    if options:
        is_left_out = fact is _MISSING and {"type": "null"} in options
        chosen = next(each for each in options if each.get("type") != "null")
        return None if is_left_out else _fill(chosen, facts, root, fact)
    if node.get("type") == "object":
        return _fill_object(node, fact if isinstance(fact, dict) else facts, root)
    if node.get("type") == "array":
        return _fill_array(node, facts, root, fact)
    return _fill_plain(node.get("type"), fact)


def _fill_plain(kind: Any, fact: Any) -> Any:
    """A text, a number, true or false; what there is no fact for is empty, 0 or false."""
    if kind == "string":
        return "" if fact is _MISSING else str(fact[0] if isinstance(fact, tuple) else fact)
    if kind == "boolean":
        return fact is True
    numbers = [
        each for each in (fact if isinstance(fact, tuple) else (fact,)) if isinstance(each, int | float)
    ]
    return (numbers or [0])[0] if kind in ("integer", "number") else None


def _fill_object(node: Json, facts: Json, root: Json) -> dict[str, Any]:
    needed = node.get("required", ())
    filled = {}
    for name, inner in node.get("properties", {}).items():
        fact = facts.get(name, facts.get(SAME.get(name, name), _MISSING))
        if name in needed or fact is not _MISSING:
            filled[name] = _fill(resolve(inner, root), facts, root, fact)
    return filled


def _fill_array(node: Json, facts: Json, root: Json, fact: Any) -> list[Any]:
    items = resolve(node.get("items", {}), root)
    if fact is _MISSING:
        return [_fill(items, facts, root, _MISSING)] if node.get("minItems") else []
    parts = fact if isinstance(fact, list | tuple) else [fact]
    return [_fill(items, facts, root, part) for part in parts]


def choose(values: list[Any], words: tuple[Any, ...]) -> Any:
    """The value of an enum that a word names: as a whole, then as a part; else ``other``; else the first."""
    texts = {str(value).lower(): value for value in values}
    for word in words:
        if str(word).lower() in texts:
            return texts[str(word).lower()]
        for text, value in texts.items():
            if str(word).lower() in text:
                return value
    return texts.get("other", values[0])


def find_list(schema: Json) -> tuple[str, Json] | None:
    """The first property of a schema that is a list of objects: its name and the schema of an item."""
    for name, inner in resolve(schema, schema).get("properties", {}).items():
        node = resolve(inner, schema)
        item = resolve(node.get("items", {}), schema)
        if node.get("type") == "array" and item.get("type") == "object":
            return name, item
    return None


def has_list_of(item: Json, root: Json, *names: str) -> bool:
    """Whether an object has a list of objects that have all these properties (or ones that mean the same)."""
    for inner in item.get("properties", {}).values():
        node = resolve(inner, root)
        below = resolve(node.get("items", {}), root).get("properties", {})
        known = {SAME.get(name, name) for name in below} | set(below)
        if node.get("type") == "array" and set(names) <= known:
            return True
    return False
