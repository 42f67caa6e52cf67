"""gitattributes(5) as ``git check-attr`` tells them, and the folders whose files are asked for."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

LEVELS = 8
"""Folders of a path that are asked for at a time."""

PATHS_PER_CALL = 500
BYTES_PER_CALL = 256 * 1024
"""Of paths given to git as arguments at a time; Linux takes 2 MiB, and less where the stack is small."""


def parse_attributes(output: bytes) -> dict[str, dict[str, str]]:
    """Read what ``git check-attr -z`` prints: path -> attribute -> value."""
    fields = [part.decode("utf-8", "surrogateescape") for part in output.split(b"\0")]
    result: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        result.setdefault(path, {})[name] = value
    return result


def folders_above(paths: Iterable[str], existing: Callable[[Sequence[str]], Collection[str]]) -> set[str]:
    """The folders above some paths as prefixes: ``""``, ``"a/"``, ``"a/b/"``.

    Below ``LEVELS`` only those of which ``existing`` says that they are there: a change may make folders a
    thousand deep, whose names together are longer than any memory. It is asked for each LEVELS once.
    """
    found: set[str] = set()
    left = dict.fromkeys(paths, 0)
    while left:
        deeper: dict[str, int] = {}
        for path, at in left.items():
            end = at
            for _ in range(LEVELS):
                found.add(path[:end])
                end = path.find("/", end) + 1
                if not end:
                    break
            else:
                deeper[path] = end
        names = sorted({path[: end - 1] for path, end in deeper.items()})
        there = frozenset(existing(names)) if names else frozenset()
        left = {path: end for path, end in deeper.items() if path[: end - 1] in there}
    return found


def in_calls(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """The paths in parts that git takes as arguments of one call."""
    some: list[str] = []
    size = 0
    for path in paths:
        length = len(path.encode("utf-8", "surrogateescape"))
        if some and (len(some) == PATHS_PER_CALL or size + length > BYTES_PER_CALL):
            yield some
            some, size = [], 0
        some.append(path)
        size += length
    if some:
        yield some
