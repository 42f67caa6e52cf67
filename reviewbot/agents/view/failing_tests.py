"""What somebody who explains failed tests reads first: the tests, and what they use of the repository. Pure.

Best effort within a bound: the text of each failed test, then the beginnings of what it uses from the
files that it imports. What is not found, or finds no room, the model can read for itself.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from reviewbot.agents.view.passages import Passage, ReadLines, widen
from reviewbot.agents.view.symbols import defined_on
from reviewbot.core import Evidence, FileChange
from reviewbot.text import visible_line

MOST_TOKENS = 2_000
"""Of the task's prompt, at three bytes a token: about what two rounds of reading files cost."""

MOST_TESTS = 6
TEST_LINES = 50
USED_LINES = 12
"""Lines of a definition that a test uses; its signature and what it does first."""

_MOST_IMPORTS = 12
_AROUND = 8
_ROOTS = ("", "src/", "lib/", "src/main/java/", "src/main/kotlin/")
_FROM = re.compile(r"\s*from\s+(\.*[\w.]*)\s+import\s+([\w ,(]*)")
_IMPORT = re.compile(r"\s*import\s+(?:static\s+)?([\w.]+)")
_RELATIVE = re.compile(r"""(?:\bfrom|\bimport|\brequire\()\s*['"](\.{1,2}/[^'"]{1,200})['"]""")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def look_at_tests(
    failures: Iterable[Evidence],
    parts: Sequence[FileChange],
    read: ReadLines,
    exists: Callable[[str], bool],
) -> str:
    """Lines of head under headers with path and numbers, or nothing.

    ``parts`` are shown as hunks already. ``read`` gives lines as models are shown them, ``exists`` says
    whether head has a path.
    """
    tests = list(islice(_find_tests(failures, read), MOST_TESTS))
    used = [place for test in tests for place in _find_used(test, read, exists)]
    shown: list[str] = []
    left = MOST_TOKENS * 3
    for place in (*widen(tests, 0), *widen(used, 0)):
        text = _render(place, read(place.path, "head") or ()) if not _is_shown(place, parts) else ""
        left -= len(text.encode("utf-8", "replace"))
        if left < 0:
            break
        shown.append(text)
    return "".join(shown)


def _render(place: Passage, lines: Sequence[str]) -> str:
    body = "\n".join(lines[place.first - 1 : place.last])
    return f"=== {visible_line(place.path)} in head, from line {place.first}\n{body}\n"


def _is_shown(place: Passage, parts: Sequence[FileChange]) -> bool:
    """Whether the hunks show all of it."""
    return any(
        hunk.head_start <= place.first and place.last < hunk.head_start + hunk.head_count
        for part in parts
        if part.path == place.path
        for hunk in part.hunks
    )


# The tests.


def _find_tests(failures: Iterable[Evidence], read: ReadLines) -> Iterator[Passage]:
    """The text of each failed test whose file is known."""
    found = set()
    for item in failures:
        lines = read(item.location.path, "head") if item.location else None
        if not item.location or not lines:
            continue
        said = item.location.start_line
        first = _find_start(item.title, lines, said)
        last = _end_of(lines, first, TEST_LINES) if first else min(said + _AROUND, len(lines))
        place = Passage(item.location.path, "head", first or max(1, said - _AROUND), last)
        if place not in found and (first or 1 < said <= len(lines)):
            found.add(place)
            yield place


def _find_start(title: str, lines: Sequence[str], near: int) -> int | None:
    """The line on which a test begins, of several the nearest before the one that failed."""
    name = title.rpartition("::")[2].strip()
    words = _WORD.findall(name.partition("[")[0])
    quoted = tuple(f"{mark}{name}{mark}" for mark in "'\"`")
    places = [
        number
        for number, line in enumerate(lines, 1)
        if (words and words[-1] in defined_on(line)) or any(text in line for text in quoted)
    ]
    return min(places, key=lambda number: (number > near > 1, abs(number - near)), default=None)


def _end_of(lines: Sequence[str], first: int, most: int) -> int:
    """The last line of what begins on a line: what is indented deeper, and a bracket that closes it."""
    depth = _indent(lines[first - 1])
    last = first
    for number, line in enumerate(lines[first : first + most - 1], first + 1):
        if line.strip() and _indent(line) <= depth:
            return number if line.strip()[0] in "})]" else last
        last = number if line.strip() else last
    return last


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


# What they use.


def _find_used(test: Passage, read: ReadLines, exists: Callable[[str], bool]) -> Iterator[Passage]:
    """Where the imported files of the repository define what the text of a test names."""
    lines = read(test.path, "head") or ()
    words = set(_WORD.findall("\n".join(lines[test.first - 1 : test.last])))
    paths = dict.fromkeys(path for line in lines for path in _imported(line, test.path, exists))
    for path in islice(paths, _MOST_IMPORTS):
        source = read(path, "head") or ()
        for number, line in enumerate(source, 1):
            if words & defined_on(line):
                yield Passage(path, "head", number, _end_of(source, number, USED_LINES))


def _imported(line: str, path: str, exists: Callable[[str], bool]) -> Iterator[str]:
    """The files of the repository that a line of a file imports."""
    for stem in _stems(line[:300], posixpath.dirname(path)):
        ending = posixpath.splitext(path)[1]
        for name in (stem, f"{stem}{ending}", f"{stem}/__init__.py", f"{stem}/index{ending}"):
            if name != path and exists(name):
                yield name
                break


def _stems(line: str, folder: str) -> Iterator[str]:
    """Paths that an import may mean, without their endings."""
    for relative in _RELATIVE.findall(line):
        yield posixpath.normpath(posixpath.join(folder, relative))
    modules = [match.group(1) for match in (_IMPORT.match(line),) if match]
    if match := _FROM.match(line):
        module = match.group(1)
        joint = "" if not module or module.endswith(".") else "."
        modules += [module, *(f"{module}{joint}{name}" for name in _WORD.findall(match.group(2)))]
    for module in modules:
        dots = len(module) - len(module.lstrip("."))
        stem = module[dots:].replace(".", "/")
        if dots:
            yield posixpath.normpath(posixpath.join(folder, *[".."] * (dots - 1), stem))
        elif stem:
            yield from (f"{root}{stem}" for root in _ROOTS)
            yield posixpath.join(folder, stem)
