"""The JSON of a payload that nobody checked: bytes -> objects and fields of the right types. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from reviewbot.core import Sha
from reviewbot.json_rules import BadJson, read_json
from reviewbot.text import show_surrogates

MAX_PAYLOAD_BYTES = 25 * 1024 * 1024
"""GitHub's own cap on a webhook payload."""

MAX_DEPTH = 100
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Node = Mapping[str, Any]
"""One JSON object whose values nobody has checked yet."""


class Malformed(Exception):
    """What is wrong, as the end of a sentence that begins with the payload."""


def parse_json(data: bytes) -> Node:
    """One JSON object in UTF-8, no key twice in an object; raises Malformed."""
    try:
        document = read_json(data, most=MAX_PAYLOAD_BYTES, levels=MAX_DEPTH, encoding="utf-8-sig")
    except BadJson as error:
        raise Malformed(error.naming) from None
    if not isinstance(document, dict):
        raise Malformed("is no JSON object")
    return document


def node_at(parent: Node, key: str) -> Node:
    """The object under a key; this and all below raise Malformed."""
    value = parent.get(key)
    if not isinstance(value, dict):
        raise Malformed(f"has no object {key!r}")
    return value


def node_or_empty(parent: Node, key: str) -> Node:
    """The object under a key, empty where there is none or null."""
    return {} if parent.get(key) is None else node_at(parent, key)


def text_at(parent: Node, key: str) -> str:
    """The text under a key, which is not empty; lone surrogates are made visible."""
    value = parent.get(key)
    if not isinstance(value, str) or not value:
        raise Malformed(f"has no text {key!r}")
    return show_surrogates(value)


def text_or_none(parent: Node, key: str) -> str | None:
    """The same, None where there is none or null."""
    return None if parent.get(key) is None else text_at(parent, key)


def number_at(parent: Node, key: str) -> int:
    """The whole number from 1 on under a key."""
    value = parent.get(key)
    if type(value) is not int or value < 1:
        raise Malformed(f"has no positive number {key!r}")
    return value


def flag_at(parent: Node, key: str) -> bool:
    """True or false under a key; False where an older server does not say."""
    value = parent.get(key)
    if value is not None and type(value) is not bool:
        raise Malformed(f"has a {key!r} that is neither true nor false")
    return bool(value)


def sha_at(parent: Node, key: str = "sha") -> Sha:
    """A full object id."""
    value = parent.get(key)
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        raise Malformed("has a commit that is no full object id")
    return value
