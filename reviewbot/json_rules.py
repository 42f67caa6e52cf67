"""Strict JSON, the one way in which JSON of others is read: what two readers could take for two things,
or what would end a reader, is refused. Pure."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

MOST_DIGITS = 19
"""Of an integer: as many as 64 bits need."""

MOST_FLOAT_CHARACTERS = 400


class BadJson(ValueError):
    """Text that is no strict JSON: what is wrong, as the end of a sentence that begins with the text.

    The message quotes nothing of the text; ``naming`` is the same with the name of a key that stands twice.
    """

    def __init__(self, said: str, naming: str = "") -> None:
        super().__init__(said)
        self.naming = naming or said


def read_json(data: str | bytes, *, most: int, levels: int, encoding: str = "utf-8") -> Any:
    """The value of a JSON text of at most ``most`` bytes (of a string: characters) and ``levels`` of nesting.

    Raises:
        BadJson: anything else, a key twice in an object, NaN and Infinity, a number of no sensible size.
    """
    if len(data) > most:
        unit = "characters" if isinstance(data, str) else "bytes"
        raise BadJson(f"has more than {most:,} {unit}")
    try:
        # Decoded here, because `json` would also take UTF-16 and UTF-32 where nobody asked for them.
        text = data if isinstance(data, str) else data.decode(encoding)
        found = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer, parse_float=_float
        )
    except RecursionError:
        raise BadJson("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise BadJson(f"is not {error.encoding.upper()} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadJson(f"is not JSON at {place} ({error.msg})" if text.strip() else "is empty") from None
    if is_deeper_than(found, levels):
        raise BadJson(f"is nested deeper than {levels} levels")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = ascii(repeated_key(pairs))[:80]
        raise BadJson("has a key twice in one object", f"has the key {twice} twice in one object")
    return found


def _refuse(text: str) -> NoReturn:
    raise BadJson(f"holds {text}, which is no JSON number")


def _integer(text: str) -> int:
    digits = len(text.removeprefix("-"))
    if digits > MOST_DIGITS:
        raise BadJson(f"holds an integer of {digits} digits")
    return int(text)


def _float(text: str) -> float:
    number = float(text[:MOST_FLOAT_CHARACTERS])
    if len(text) > MOST_FLOAT_CHARACTERS or not math.isfinite(number):
        raise BadJson("holds a number that is too large")
    return number


def repeated_key(pairs: Sequence[tuple[str, Any]]) -> str | None:
    """The first key that stands twice among the pairs of one object, or None."""
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
