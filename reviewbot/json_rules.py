"""What strict JSON must not do, whoever reads it: say a key twice, nest without end. Pure."""

from collections.abc import Sequence
from typing import Any


def repeated_key(pairs: Sequence[tuple[str, Any]]) -> str | None:
    """The first key that stands twice among the pairs of one object, or None."""
    if len(dict(pairs)) == len(pairs):
        return None
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return None


def is_deeper_than(document: object, levels: int) -> bool:
    """Whether objects and arrays stand in one another more than ``levels`` deep."""
    level: list[Any] = [document]
    for _ in range(levels + 1):
        level = [node for node in level if type(node) in (dict, list)]
        if not level:
            return False
        level = [child for node in level for child in (node.values() if type(node) is dict else node)]
    return True
