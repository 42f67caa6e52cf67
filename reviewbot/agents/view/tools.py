"""The four read-only tools of the agents, over the objects of two commits and nothing else.

A model names paths; whatever is not in the tree of base or head is denied and counted (THREATS R03,
R25). There is no shell, no file system and no pattern engine of Python behind them. Whatever a model
asks, the answer is text of bounded size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

from reviewbot.agents.view.excerpts import render_file
from reviewbot.agents.view.tool_forms import (
    HITS,
    LINES_CAP,
    LISTED,
    TOOLS,
    check_arguments,
    define,
    pattern_fault,
)
from reviewbot.change.content import decode_wide, split_lines
from reviewbot.change.git import TreeEntry
from reviewbot.core import ChangeSet, FileChange, Sha
from reviewbot.errors import ReviewbotError
from reviewbot.secrets.masking import CommitSide, Masker
from reviewbot.text import one_line, visible, visible_line

BYTES_CAP = 20_000
LINE_CHARACTERS = 600
FILE_BYTES_CAP = 8 * 1024 * 1024
HIT_CHARACTERS = 240
FOUND_CHARACTERS = 160
LARGEST_TREE = 20_000
"""Files; a search through more that nobody asked for takes longer than it saves."""

KEPT_FILES = 16
"""Files whose text is kept as it is shown."""

MASKED_HITS = 20_000
"""Lines that a search goes through where its first ones hold the text only in what is masked."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool says to the model. ``denied``: it was asked for something that it never gives."""

    text: str
    denied: bool = False


class Hit(Protocol):
    """A line that a search found."""

    @property
    def path(self) -> str:
        """The path in the searched tree."""

    @property
    def line(self) -> int:
        """Its number."""

    @property
    def text(self) -> str:
        """Its text."""


class Objects(Protocol):
    """What the tools need of a repository."""

    @property
    def is_partial(self) -> bool:
        """Objects may be missing that are fetched when they are needed."""

    def tree_paths(self, tree: Sha) -> tuple[str, ...]:
        """Every path below a commit."""

    def entry_at(self, tree: Sha, path: str) -> TreeEntry | None:
        """What a path is at a commit."""

    def sizes(self, shas: Sequence[Sha]) -> dict[Sha, int]:
        """The size of each object that is here."""

    def read_object(self, sha: Sha) -> bytes:
        """The content of a blob."""

    def grep(
        self,
        tree: Sha,
        text: str,
        *,
        pathspec: Sequence[str] = (),
        fixed: bool = True,
        ignore_case: bool = False,
        max_count: int,
    ) -> Sequence[Hit]:
        """The lines of a commit that hold a text."""


class Toolbox:
    """The tools over one change. ``changes`` are masked already; ``masker`` hides the secrets of files.

    Threads may share it.
    """

    def __init__(self, repository: Objects, changes: ChangeSet, masker: Masker) -> None:
        self._objects = repository
        self._changes = changes
        self._masker = masker
        self._shown = lru_cache(maxsize=KEPT_FILES)(self._read_shown)
        self._named = lru_cache(maxsize=KEPT_FILES)(self._read_named)
        self._run: dict[str, Callable[..., ToolResult]] = {
            "read_file": self._read_file,
            "list_files": self._list_files,
            "search": self._search,
            "show_diff": self._show_diff,
        }

    def definitions(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The tools as the API wants them; the same names give the same bytes."""
        return [define(name) for name in names]

    def call(self, name: str, arguments: object) -> ToolResult:
        """Answer a call. Nothing that a model asks raises; an unknown tool or argument is denied."""
        known = name.strip().lower() if isinstance(name, str) else ""
        if known not in TOOLS:
            return ToolResult(f"There is no tool of this name; there are {', '.join(TOOLS)}.", denied=True)
        checked = check_arguments(TOOLS[known], arguments)
        if isinstance(checked, str):
            return ToolResult(checked, denied=True)
        try:
            return self._run[known](**checked)
        except ReviewbotError as error:
            return ToolResult(f"This could not be read: {one_line(str(error), 300)}")

    def read_lines(self, path: str, side: CommitSide) -> Sequence[str] | None:
        """The lines of a file as models are shown them; None for what is absent, too large or no text.

        ``path`` is git's name in head, of a deleted file in base.
        """
        change = self._by_path.get(visible_line(path))
        if side == "base" and change:
            path = change.old_path or path
        return self._named(path, side)

    def has_in_head(self, path: str) -> bool:
        """Whether head has a file of this name, as models are shown names."""
        return path in self._head_paths

    def find_lines(self, expression: str, most: int) -> Sequence[Hit]:
        """The first lines of head that an expression matches, not masked yet: see ``show_line``.

        Nothing where the search would be slow: in a tree of very many files, and in a partial store,
        which would first fetch them all.
        """
        if self._objects.is_partial or len(self._head_paths) > LARGEST_TREE:
            return ()
        try:
            return self._objects.grep(self._changes.head_sha, expression, fixed=False, max_count=most)
        except ReviewbotError:
            return ()

    def show_line(self, hit: Hit) -> str:
        """A found line of head as models are shown it."""
        return _cut_line(self._shown_hit(hit, "head").strip(), FOUND_CHARACTERS)

    def _read_named(self, path: str, side: CommitSide) -> Sequence[str] | None:
        """As ``read_lines``, with the name that the file has in that commit."""
        try:
            entry = self._objects.entry_at(self._side(side)[1], path)
            if entry is None or entry.kind != "blob":
                return None
            if self._objects.sizes([entry.sha]).get(entry.sha, 0) > FILE_BYTES_CAP:
                return None
            return self._shown(entry.sha, path, side)
        except ReviewbotError:
            return None

    def _read_shown(self, sha: Sha, path: str, side: CommitSide) -> Sequence[str] | None:
        """The lines of a text with secrets masked and hidden characters shown, or None for a binary file."""
        data = self._objects.read_object(sha)
        if not data:
            return []
        if b"\0" in data and decode_wide(data) is None:
            return None
        lines = self._masker.mask_lines(path, side, split_lines(data))
        return visible("\n".join(lines)).removesuffix("\n").split("\n")

    # The names that a model may use.

    @cached_property
    def _head_paths(self) -> dict[str, str]:
        return {visible_line(path): path for path in self._objects.tree_paths(self._changes.head_sha)}

    @cached_property
    def _base_paths(self) -> dict[str, str]:
        return {visible_line(path): path for path in self._objects.tree_paths(self._changes.base_sha)}

    @cached_property
    def _by_path(self) -> dict[str, FileChange]:
        return {visible_line(change.path): change for change in self._changes.files}

    # The tools.

    def _side(self, side: CommitSide) -> tuple[dict[str, str], Sha]:
        """The paths of a commit by what is shown of them, and its id."""
        if side == "head":
            return self._head_paths, self._changes.head_sha
        return self._base_paths, self._changes.base_sha

    def _read_file(self, path: str, side: CommitSide, start_line: int, max_lines: int) -> ToolResult:
        paths, commit = self._side(side)
        if path not in paths:
            return self._no_such_file(path, side)
        entry = self._objects.entry_at(commit, paths[path])
        if entry is None or entry.kind != "blob":
            return ToolResult(f"{path} is a submodule: its content is in another repository.")
        size = self._objects.sizes([entry.sha]).get(entry.sha, 0)
        if size > FILE_BYTES_CAP:
            return ToolResult(f"{path} has {size:,} bytes, too many to be read; search in it instead.")
        lines = self._shown(entry.sha, paths[path], side)
        if lines is None:
            return ToolResult(f"{path} is a binary file of {size:,} bytes.")
        link = " (a symbolic link; this is its target)" if entry.mode == "120000" else ""
        return _page(f"{path} at {side}{link}", lines, start_line, max_lines)

    def _no_such_file(self, path: str, side: str) -> ToolResult:
        shown = visible_line(path[:200])
        other, where = (self._base_paths, "base") if side == "head" else (self._head_paths, "head")
        if path in other:
            return ToolResult(f"{shown} is not in {side}; it is in {where}.")
        return ToolResult(
            f"No file {shown} is in either commit. Use list_files or search to find its path.", denied=True
        )

    def _list_files(self, prefix: str) -> ToolResult:
        found = [path for path in self._head_paths if path.startswith(prefix)]
        if not found:
            foreign = prefix.startswith(("/", "~")) or ".." in prefix.split("/") or "\0" in prefix
            return ToolResult(f"No file of head begins with {visible_line(prefix[:200])!r}.", denied=foreign)
        total, rows = len(found), found
        if total > LISTED:
            counts: dict[str, int] = {}
            for path in found:
                name, slash, _ = path[len(prefix) :].partition("/")
                counts[prefix + name + slash] = counts.get(prefix + name + slash, 0) + 1
            rows = [f"{name} ({n} files)" if name.endswith("/") else name for name, n in counts.items()]
        return _page(f"{total:,} files", rows, 1, LISTED, how="call list_files with a longer prefix")

    def _search(self, text: str, regex: bool, path: str, side: CommitSide) -> ToolResult:
        fault = pattern_fault(text, regex=regex)
        if fault:
            return ToolResult(fault, denied=True)
        paths, _ = self._side(side)
        place = path.rstrip("/")
        if place and place not in paths:
            inside = next((real for shown, real in paths.items() if shown.startswith(f"{place}/")), "")
            if not inside:
                return ToolResult(f"{visible_line(path[:200])} is no file or folder of {side}.", denied=True)
            pathspec = [inside[: _folder_length(inside, place.count("/") + 1)]]
        else:
            pathspec = [paths[place]] if place else []
        rows, is_all = self._find_rows(text, pathspec, side, fixed=not regex)
        if not rows and not is_all:
            return ToolResult("What is masked holds too many such lines; name another path.")
        if not rows:
            return ToolResult(f"No line of {side} holds it.")
        more = "" if is_all else " or more; name a path or a longer text to see the others"
        count = "1 line" if len(rows) == 1 else f"{len(rows)} lines"
        return _page(f"{count}{more}", rows, 1, HITS)

    def _find_rows(
        self, text: str, pathspec: Sequence[str], side: CommitSide, *, fixed: bool
    ) -> tuple[list[str], bool]:
        """The lines that may be shown, and whether they are all.

        A text that stands only in what is masked is not found: the answer would tell that it is there.
        Such lines must not crowd out the others.
        """
        commit = self._side(side)[1]
        for most in (HITS + 1, MASKED_HITS):
            found = self._objects.grep(commit, text, pathspec=pathspec, fixed=fixed, max_count=most)
            rows: list[str] = []
            for hit in found:
                line = self._shown_hit(hit, side)
                if not fixed or visible(text) in line:
                    shown = _cut_line(line.strip(), HIT_CHARACTERS)
                    rows.append(f"{visible_line(hit.path)}:{hit.line}: {shown}")
                if len(rows) > HITS:
                    return rows[:HITS], False
            if len(found) < most:
                return rows, True
        return rows, False

    def _shown_hit(self, hit: Hit, side: CommitSide) -> str:
        """The line as read_file shows it; in a large file as it is by itself."""
        lines = self._named(hit.path, side)
        if lines is not None and hit.line <= len(lines):
            return lines[hit.line - 1]
        return visible(self._masker.mask_lines(hit.path, side, [hit.text], hit.line)[0])

    def _show_diff(self, path: str, start_line: int) -> ToolResult:
        change = self._by_path.get(path)
        if change is None:
            known = path in self._head_paths or path in self._base_paths
            said = "is not changed; use read_file" if known else "is in neither commit"
            return ToolResult(f"{visible_line(path[:200])} {said}.", denied=not known)
        lines = render_file(change).removesuffix("\n").split("\n")
        why = change.omitted or ("binary file" if change.is_binary else "no line changed")
        if len(lines) == 1:
            return ToolResult(f"{lines[0]}\n({why})")
        return _page(f"diff of {path}", lines, start_line, LINES_CAP)


def _page(title: str, lines: Sequence[str], start: int, most: int, how: str = "") -> ToolResult:
    """Some lines under a title that numbers them, with the way to the next ones."""
    if not lines:
        return ToolResult(f"[{title}: empty]")
    if start > len(lines):
        return ToolResult(f"[{title}: it has {len(lines)} lines; start_line is past the end]")
    first = max(start, 1)
    shown: list[str] = []
    left = BYTES_CAP
    for line in lines[first - 1 : first - 1 + min(max(most, 1), LINES_CAP)]:
        kept = _cut_line(line, LINE_CHARACTERS)
        left -= len(kept.encode("utf-8", "replace")) + 1
        if left < 0 and shown:
            break
        shown.append(kept)
    last = first + len(shown) - 1
    rows = [f"[{title}, {first}-{last} of {len(lines)}]", *shown]
    if last < len(lines):
        rows.append(f"[more: {how or f'call again with start_line={last + 1}'}]")
    return ToolResult("\n".join(rows))


def _cut_line(line: str, most: int) -> str:
    return line if len(line) <= most else f"{line[:most]} [… {len(line) - most} more characters]"


def _folder_length(path: str, depth: int) -> int:
    """The length of the first ``depth`` folders of a path."""
    return len("/".join(path.split("/")[:depth]))
