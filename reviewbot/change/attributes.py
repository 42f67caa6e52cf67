"""gitattributes(5) as ``git check-attr`` tells them."""

from collections.abc import Iterator


def parse_attributes(output: bytes) -> dict[str, dict[str, str]]:
    """Read what ``git check-attr -z`` prints: path -> attribute -> value."""
    fields = [part.decode("utf-8", "surrogateescape") for part in output.split(b"\0")]
    result: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        result.setdefault(path, {})[name] = value
    return result


def folders_above(path: str) -> Iterator[str]:
    """The folders above a path as prefixes: ``""``, ``"a/"``, ``"a/b/"``."""
    at = 0
    while at >= 0:
        yield path[:at]
        at = path.find("/", at) + 1 or -1
