"""Hostile JSON bytes -> a checked object, and typed looks into it that name the place they fail at."""

import json
import re
from typing import Any

from reviewbot.evidence.files import FILE_CAP
from reviewbot.json_rules import BadJson, read_json
from reviewbot.text import show_surrogates

DEPTH_CAP = 100
"""The deepest nesting that is read."""
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

Node = dict[str, Any]
"""One JSON object whose values nobody has checked yet."""


class Malformed(Exception):
    """What is wrong, and where inside the document; callers add the file's name."""


def parse_json(data: bytes) -> Node:
    """Parse UTF-8, UTF-16 or UTF-32 bytes (with or without a byte order mark) into an object.

    Refused, as ``Malformed``: repeated keys, NaN and Infinity, numbers that overflow, nesting deeper
    than ``DEPTH_CAP``, anything but an object at the top.
    """
    encoding = json.detect_encoding(data)
    try:
        document = read_json(data, most=FILE_CAP, levels=DEPTH_CAP, encoding=encoding)
    except BadJson as error:
        raise Malformed(f"the file {error.naming}") from None
    if not isinstance(document, dict):
        raise Malformed("the top of the file is no JSON object")
    if _ESCAPED_SURROGATE.search(data.decode(encoding)):
        _show_surrogates_in(document)
    return document


def _show_surrogates_in(document: Node) -> None:
    """Make lone surrogates visible in every string value, in place."""
    left: list[Any] = [document]
    while left:
        parent = left.pop()
        for key, value in list(parent.items() if isinstance(parent, dict) else enumerate(parent)):
            if isinstance(value, str):
                parent[key] = show_surrogates(value)
            elif isinstance(value, dict | list):
                left.append(value)


def node_at(parent: Node, key: str) -> Node:
    """The object under ``key``; absent and null are an empty one."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{key} is no object")
    return value


def nodes_at(parent: Node, key: str, cap: int | None = None) -> list[Node]:
    """The objects (the first ``cap``) in the array under ``key``; absent and null are an empty one."""
    value = parent.get(key)
    if value is None:
        return []
    value = value[:cap] if isinstance(value, list) else None
    if value is None or not all(isinstance(item, dict) for item in value):
        raise Malformed(f"{key} is no array of objects")
    return value


def text_at(parent: Node, key: str) -> str | None:
    """The string under ``key``; None if absent or null."""
    value = parent.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{key} is no string")
    return value


def integer_at(parent: Node, key: str) -> int | None:
    """The integer under ``key``; None if absent or null."""
    value = parent.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():  # 12.0 is an integer to JSON Schema
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"{key} is no integer")
    return value


def item_at(items: list[Node], index: int | None) -> Node:
    """The object at ``index``, or an empty one if there is none (SARIF writes -1 for "not set")."""
    return items[index] if index is not None and 0 <= index < len(items) else {}
