"""Where a failed test lies: what a JUnit file says of it -> ``Location`` in the head tree."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reviewbot.core import Location
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.traces import TraceFrame
from reviewbot.testlike import is_test_path

_RELATED_CAP = 10
_PART_CAP = 12
_FILE_KEYS = ("file", "filepath", "filename")
_EXTENSIONS = (
    *(".py", ".java", ".kt", ".groovy", ".scala", ".cs", ".rb", ".php", ".go", ".rs"),
    *(".ts", ".tsx", ".js", ".jsx", ".mjs", ".swift", ".cpp", ".cc", ".c"),
)
_GO_FILE = re.compile(r"[^/\\]+\.go")
_DOTTED = re.compile(r"[^\s/\\]+")


@dataclass(frozen=True, slots=True)
class CasePlace:
    """Where a test failed, what else its trace names in the tree, and the code line the trace shows."""

    location: Location | None
    related: tuple[Location, ...] = ()
    snippet: str | None = None


@dataclass(frozen=True, slots=True)
class FailedCase:
    """A test as its report names it. ``scopes`` holds the attributes of case and suites, innermost first."""

    scopes: tuple[Mapping[str, str], ...]
    frames: tuple[TraceFrame, ...]

    @property
    def classname(self) -> str:
        """The ``classname`` (Surefire, pytest) or ``class`` (PHPUnit) of the case."""
        return self.scopes[0].get("classname") or self.scopes[0].get("class") or ""


def list_written(case: FailedCase) -> Iterator[str]:
    """The paths that a failed case names, for ``TreePaths.learn``."""
    yield from (scope[key] for scope in case.scopes for key in _FILE_KEYS if scope.get(key))
    yield from (frame.path for frame in case.frames)


def find_place(case: FailedCase, tree: TreePaths) -> CasePlace:
    """Place a failed test.

    The file is that of its attributes; else the file of the last frame in a test file, else of the last
    frame in the tree, else the one its class name means. The line is that of the last frame in the file,
    else the attribute's, else 1.
    """
    folder = _find_folder(case, tree)
    found = [(_find_frame(frame, folder, tree), frame) for frame in case.frames]
    placed = [(path, frame) for path, frame in found if path is not None]
    named, line = _find_named(case, tree)
    own = named or _find_class(case, tree)
    chosen = _last(placed, lambda path: path == own)
    if chosen is None and named is None:
        chosen = _last(placed, is_test_path) or _last(placed, lambda _: True)
    if chosen is not None:
        location = Location(chosen[0], chosen[1].line, chosen[1].line)
    elif own is not None:
        location = Location(own, line, line)
    else:
        return CasePlace(None)
    others = dict.fromkeys(Location(path, frame.line, frame.line) for path, frame in placed)
    if own is not None and own != location.path:
        others[Location(own, line, line)] = None
    others.pop(location, None)
    return CasePlace(location, tuple(others)[-_RELATED_CAP:], chosen[1].snippet if chosen else None)


def _last(placed: list[tuple[str, TraceFrame]], fits: Callable[[str], bool]) -> tuple[str, TraceFrame] | None:
    return next((one for one in reversed(placed) if fits(one[0])), None)


def _find_named(case: FailedCase, tree: TreePaths) -> tuple[str | None, int]:
    """File and line of the attributes, the innermost first.

    Jest, Vitest and Playwright write the path as class or suite name. pytest counts ``line`` from 0.
    """
    for scope in case.scopes:
        for key in (*_FILE_KEYS, "classname", "name"):
            written = scope.get(key, "")
            if key in ("classname", "name") and not re.search(r"[/\\.]", written):
                continue
            if (path := tree.find(written)) is not None:
                line = scope.get("line", "") if key in _FILE_KEYS else ""
                number = int(line) if re.fullmatch(r"[0-9]{1,7}", line) else 0
                is_pytest = any(one.get("name") == "pytest" for one in case.scopes[1:])
                return path, max(1, number + (1 if is_pytest and line else 0))
    return None, 1


def _find_frame(frame: TraceFrame, folder: str | None, tree: TreePaths) -> str | None:
    """The tree's path of a frame. Go names only the file, which lies in the folder of its package."""
    if folder is not None and _GO_FILE.fullmatch(frame.path):
        path = tree.find(f"{folder}/{frame.path}")
        if path is not None:
            return path
    return tree.find(frame.path)


def _find_folder(case: FailedCase, tree: TreePaths) -> str | None:
    """``example.org/me/repo/pkg/expr`` -> ``pkg/expr``: the longest end of the path that is a folder."""
    for scope in case.scopes:
        package = (scope.get("classname") or scope.get("name", ""))[:1_000].split("/")[:_PART_CAP]
        ends = ("/".join(package[first:]) for first in range(len(package)))
        folder = next((end for end in ends if tree.has_folder(end)), None)
        if folder:
            return folder
    return None


def _find_class(case: FailedCase, tree: TreePaths) -> str | None:
    """``tests.test_x.TestY`` -> ``tests/test_x.py``; ``com.foo.BarTest$Inner`` -> ``…/com/foo/BarTest.java``.

    At last the class name alone, if one file has it: C# and Kotlin do not tie folders to namespaces.
    """
    name = re.split(r"[$+{\[(]", case.classname[:1_000], maxsplit=1)[0]
    parts = re.split(r"::|\.|\\", name)[:_PART_CAP]
    if not _DOTTED.fullmatch(name.replace("\\", ".")) or not all(parts):
        return None
    shortest = 1 if len(parts) <= 2 else 2
    names = [parts[:length] for length in range(len(parts), shortest - 1, -1)] + [parts[-1:]]
    for stem in (stem for stem in names if tree.has_stem(stem[-1])):
        for extension in _EXTENSIONS:
            if (path := tree.find("/".join(stem) + extension)) is not None:
                return path
    return None
