"""JSON schemas of structured outputs and strict tools: what the real API takes, and whether a value fits.

Rules: Anthropic's structured outputs page (closed objects, no number or length limits, no recursion).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

KEYWORDS = frozenset(
    "type properties required additionalProperties items enum const anyOf allOf $ref $defs definitions "
    "default format pattern description title minItems".split()
)
TYPES = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
FORMATS = frozenset("date-time time date duration email hostname uri ipv4 ipv6 uuid".split())
_HARD_PATTERN = re.compile(r"\\[bB1-9]|\(\?[=!<]")
MAXIMUM_OPTIONAL = 24
MAXIMUM_UNIONS = 16


def schema_faults(schemas: Sequence[tuple[str, Any]]) -> list[str]:
    """What the API would refuse in the (name, schema) pairs of one request; empty where all is well."""
    faults = [f"{name}{fault}" for name, schema in schemas for fault in _faults(schema, schema, "", ())]
    if faults:
        return faults
    nodes = [node for _, schema in schemas for node in walk(schema)]
    optional = sum(len(set(node.get("properties", ())) - set(node.get("required", ()))) for node in nodes)
    unions = sum("anyOf" in node for node in nodes)
    if optional > MAXIMUM_OPTIONAL or unions > MAXIMUM_UNIONS:
        faults.append(
            f": Schema is too complex for compilation: {optional} optional parameters (at most "
            f"{MAXIMUM_OPTIONAL}) and {unions} union types (at most {MAXIMUM_UNIONS})"
        )
    return faults


def walk(schema: Any) -> Iterator[Json]:
    """The schema and all schemas inside it, definitions included, references not followed."""
    if not isinstance(schema, dict):
        return
    yield schema
    for _, inner in _inner(schema):
        yield from walk(inner)


def _faults(schema: Any, root: Json, where: str, seen: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where}: a schema must be an object"
        return
    yield from _keyword_faults(schema, where)
    if isinstance(schema.get("$ref"), str):
        yield from _reference_faults(schema["$ref"], root, where, seen)
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        missing = set(schema.get("required", ())) - set(schema.get("properties", ()))
        if missing:
            yield f"{where}: 'required' names no property: {sorted(missing)}"
    for place, inner in _inner(schema):
        yield from _faults(inner, root, f"{where}.{place}", seen)


def _inner(schema: Json) -> Iterator[tuple[str, Any]]:
    """The schemas right inside a schema, with their place."""
    for key in ("properties", "$defs", "definitions"):
        yield from ((f"{key}.{name}", inner) for name, inner in schema.get(key, {}).items())
    for key in ("anyOf", "allOf"):
        yield from ((f"{key}.{number}", inner) for number, inner in enumerate(schema.get(key, ())))
    if "items" in schema:
        yield "items", schema["items"]


def _keyword_faults(schema: Json, where: str) -> Iterator[str]:
    for key in sorted(set(schema) - KEYWORDS):
        yield f"{where}: property '{key}' is not supported"
    if "type" in schema and schema["type"] not in TYPES:
        yield f"{where}: type {schema['type']!r} is not supported"
    if not set(schema) & {"type", "enum", "const", "anyOf", "allOf", "$ref"}:
        yield f"{where}: a schema needs a type, an enum, a const, anyOf, allOf or $ref"
    if schema.get("minItems", 0) not in (0, 1):
        yield f"{where}: 'minItems' values other than 0 and 1 are not supported"
    if schema.get("format", "uuid") not in FORMATS:
        yield f"{where}: format {schema['format']!r} is not supported"
    if _HARD_PATTERN.search(schema.get("pattern", "")):
        yield f"{where}: pattern {schema['pattern']!r} is not supported"
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    if any(isinstance(value, dict | list) for value in values):
        yield f"{where}: enum values must be plain"


def _reference_faults(ref: str, root: Json, where: str, seen: tuple[str, ...]) -> Iterator[str]:
    if ref in seen:
        yield f"{where}: recursive schemas are not supported ({ref})"
    elif resolve({"$ref": ref}, root) is None:
        yield f"{where}: $ref {ref!r} does not point into this schema"
    else:
        yield from _faults(resolve({"$ref": ref}, root), root, where, (*seen, ref))


def resolve(schema: Json, root: Json) -> Any:
    """The schema that a ``$ref`` names, or the schema itself; None where the name leads nowhere."""
    if "$ref" not in schema:
        return schema
    node: Any = root
    if not schema["$ref"].startswith("#/"):
        return None
    for part in schema["$ref"][2:].split("/"):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def fits(value: Any, schema: Json, root: Json | None = None) -> bool:
    """Whether a value is what a schema (one that ``schema_faults`` lets through) asks for."""
    root = root if root is not None else schema
    node = resolve(schema, root)
    if "enum" in node and value not in node["enum"]:
        return False
    if "const" in node and value != node["const"]:
        return False
    if "anyOf" in node and not any(fits(value, each, root) for each in node["anyOf"]):
        return False
    if not all(fits(value, each, root) for each in node.get("allOf", ())):
        return False
    return _fits_type(value, node, root)


def _fits_type(value: Any, node: Any, root: Json) -> bool:
    wanted = node.get("type")
    if wanted is None:
        return True
    right = isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
    if right and isinstance(value, list):
        enough = len(value) >= node.get("minItems", 0)
        return enough and ("items" not in node or all(fits(each, node["items"], root) for each in value))
    if right and isinstance(value, dict):
        inner = node.get("properties", {})
        return (
            set(node.get("required", ())) <= set(value)
            and set(value) <= set(inner)
            and all(fits(each, inner[name], root) for name, each in value.items())
        )
    return right
