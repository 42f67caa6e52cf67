"""File names as git writes them in a patch: quoted like C strings where they hold unusual bytes."""

import re

from reviewbot.errors import MalformedDiff

_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)")


def unquote_name(name: str) -> str:
    """Undo git's C-style quoting (``core.quotePath``); a name without quotes is returned unchanged."""
    match = _QUOTED.fullmatch(name)
    if not match:
        return name
    raw = bytearray()
    at = 0
    inner = match[1]
    for escape in _ESCAPE.finditer(inner):
        raw += inner[at : escape.start()].encode("utf-8", "surrogateescape")
        code = escape[1]
        if code[0] in "01234567":
            raw.append(int(code, 8) & 0xFF)
        elif code in _ESCAPES:
            raw.append(_ESCAPES[code])
        else:
            raise MalformedDiff(f"The quoted file name {ascii(name)[:200]} has an unknown escape \\{code!a}.")
        at = escape.end()
    raw += inner[at:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def names_of_git_line(text: str) -> tuple[str, str]:
    """``a/NAME b/NAME`` where both names are the same, the only case in which no other header has them."""
    quoted = [match[0] for match in _QUOTED.finditer(text)]
    if text.startswith('"') and quoted:
        first = quoted[0]
        second = text[len(first) + 1 :]
    elif quoted and text.endswith(quoted[-1]):
        second = quoted[-1]
        first = text[: -len(second) - 1]
    else:
        half = len(text) // 2
        first, second = text[:half], text[half + 1 :]
    names = unquote_name(first).partition("/")[2], unquote_name(second).partition("/")[2]
    if not names[0] or names[0] != names[1]:
        raise MalformedDiff(f"The line `diff --git {ascii(text)[:200]}` names no file.")
    return names
