"""A search through one commit: what ``git grep`` is asked and what it answers. Nothing here runs it.

The patterns come from models. An expression is POSIX extended (git's own engine); one whose
repetitions multiply is refused, because compiling it takes all the memory there is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod

from reviewbot.core import Sha
from reviewbot.errors import RepositoryError

GREP_SECONDS = 20
MAX_GREP_OUTPUT = 4 * 1024 * 1024
MAX_GREP_MEMORY = 1024 * 1024 * 1024
MAX_PATTERN_CHARACTERS = 500
MAX_LINE_BYTES = 2_000
_REPETITION = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_MAX_REPETITIONS = 1_000
_HIT = re.compile(rb"(.*?)\0(\d+)[:\0]([^\n]*)(?:\n|\Z)", re.DOTALL)


class SearchError(RepositoryError):
    """A search that cannot be run, or that was stopped."""

    help = "Search for something simpler that is found less often, or in fewer folders."


@dataclass(frozen=True, slots=True)
class GrepHit:
    """One line that matches; ``text`` is at most 2,000 bytes of it, decoded as paths are."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """What is sought below a commit or tree; ``pathspec`` are paths and folders, none means everywhere.

    Raises:
        SearchError: the text is empty, too long, of several lines, or repeats too often.
    """

    tree: Sha
    text: str
    pathspec: tuple[str, ...]
    fixed: bool
    ignore_case: bool

    def __post_init__(self) -> None:
        fault = _fault(self.text, self.fixed)
        if fault:
            raise SearchError(f"The search text {ascii(self.text)[:80]} {fault}.")
        if any(not path or "\0" in path for path in self.pathspec):
            raise SearchError("A path to search in is empty or holds a NUL.")

    def arguments(self) -> list[str]:
        """The arguments of git for it."""
        shown = ["-z", "-n", "-I", "--full-name", "--no-color", "--no-textconv"]
        case = ["-i"] if self.ignore_case else []
        engine = "-F" if self.fixed else "-E"
        return ["grep", *shown, *case, engine, "-e", self.text, self.tree, "--", *self.pathspec]

    def parse(self, output: bytes, max_count: int) -> tuple[GrepHit, ...]:
        """The first hits in what git printed, of which more than ``MAX_GREP_OUTPUT`` was not read.

        Raises:
            SearchError: that much was printed, and it holds fewer than ``max_count`` hits.
        """
        is_cut = len(output) > MAX_GREP_OUTPUT
        whole = output[: output.rfind(b"\n") + 1] if is_cut else output
        hits = tuple(islice(_parse_hits(whole, f"{self.tree}:".encode()), max_count))
        if is_cut and len(hits) < max_count:
            raise SearchError(f"The search found more than {MAX_GREP_OUTPUT >> 20} MiB of lines.")
        return hits


def _fault(text: str, fixed: bool) -> str | None:
    if not 0 < len(text) <= MAX_PATTERN_CHARACTERS:
        return f"must have 1 to {MAX_PATTERN_CHARACTERS} characters"
    if re.search("[\n\0]", text):
        return "must be one line"
    if re.search("[\ud800-\udc7f\udd00-\udfff]", text):
        return "holds half a character"
    counts = [int((last or first or "1")[:6]) for first, last in _REPETITION.findall(text)]
    return None if fixed or prod(max(1, n) for n in counts) <= _MAX_REPETITIONS else "repeats too often"


def _parse_hits(output: bytes, prefix: bytes) -> Iterator[GrepHit]:
    """Read ``git grep -z -n`` over one tree: ``TREE:path NUL line NUL text LF`` (older git: a colon)."""
    at = 0
    while at < len(output):
        match = _HIT.match(output, at + len(prefix))
        if match is None or not output.startswith(prefix, at):
            raise SearchError("git grep printed something that cannot be read.")
        path, line, text = match.groups()
        yield GrepHit(_text(path), int(line), _text(text[:MAX_LINE_BYTES]))
        at = match.end()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
