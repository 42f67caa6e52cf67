"""Our frozen values as plain JSON values, and back: what a full journal keeps. Pure.

The way back believes nothing: every field must be there, be known and have its type.
"""

import sys
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


def to_plain(value: object) -> Any:
    """The value as what JSON holds. Raises TypeError for a type that a record does not know."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_plain(getattr(value, each.name)) for each in fields(value) if each.init}
    if isinstance(value, Mapping):
        return {_key(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return [to_plain(item) for item in sorted(value)]
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


def from_plain(kind: type[Kind], value: object) -> Kind:
    """A value of ``kind`` from what ``to_plain`` made of it. Raises ValueError, with the place in it."""
    built: Kind = _build(kind, value, kind.__name__)
    return built


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a record cannot hold a key of type {type(key).__name__}")
    return key


def _build(hint: Any, value: Any, where: str) -> Any:  # noqa: PLR0911 - one for each kind of type
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _build_union(inner, value, where)
    if origin is Literal:
        return value if value in inner else _refuse(where)
    if origin in (tuple, frozenset, list):
        return _build_row(origin, inner, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(value, dict), where)
        return {key: _build(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint in (object, Any):
        return value
    if isinstance(hint, type):
        return _build_single(hint, value, where)
    return _refuse(where)


def _build_union(inner: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and NoneType in inner:
        return None
    for hint in inner:
        try:
            return _build(hint, value, where)
        except ValueError as error:
            problem = error
    raise problem


def _build_row(origin: Any, inner: tuple[Any, ...], value: Any, where: str) -> Any:
    _expect(isinstance(value, list), where)
    if origin is tuple and inner[-1] is not Ellipsis:
        _expect(len(inner) == len(value), where)
        return tuple(_build(hint, item, where) for hint, item in zip(inner, value, strict=True))
    return origin(_build(inner[0], item, f"{where}[{place}]") for place, item in enumerate(value))


def _build_single(hint: type, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        return _build_fields(hint, value, where)
    if issubclass(hint, tuple):  # a NamedTuple
        hints = _hints(hint)
        _expect(isinstance(value, list) and len(value) == len(hints), where)
        return hint(*(_build(each, item, where) for each, item in zip(hints.values(), value, strict=True)))
    if issubclass(hint, Enum):
        return hint(value)  # raises ValueError itself
    if hint is float:
        # An int may be too large for a float, and JSON as Python reads it has NaN.
        _expect(type(value) in (int, float) and abs(value) <= sys.float_info.max, where)
        return float(value)
    _expect(type(value) is hint, where)
    return value


def _build_fields(hint: type, value: Any, where: str) -> Any:
    names = {each.name for each in fields(hint) if each.init}
    _expect(isinstance(value, dict) and set(value) == names, where)
    hints = _hints(hint)
    return hint(**{name: _build(hints[name], value[name], f"{where}.{name}") for name in names})


@lru_cache
def _hints(hint: type) -> dict[str, Any]:
    return get_type_hints(hint)


def _expect(is_good: bool, where: str) -> None:
    if not is_good:
        _refuse(where)


def _refuse(where: str) -> Any:
    raise ValueError(f"{where[:200]} is not what this version writes")
