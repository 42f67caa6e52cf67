"""What stands in a request: the hunks of the change, the answers of tools, everything else as words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reviewbot.testing.accounting import content_blocks

Json = Mapping[str, Any]

_HUNK = re.compile(r"@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_PATH_FORMS = (
    re.compile(r"^=+ (.+) \([^()]*\)$"),
    re.compile(r"""\b(?:path|file|name|source)\s*[=:]\s*"([^"]+)\""""),
    re.compile(r"^\+\+\+ (?:b/)?([^\t]+)"),
    re.compile(r"^diff --git a/.+ b/(.+)$"),
    re.compile(r"^\W*(?:path|file)\s*[=:]\s*`?([^\s`]+)", re.IGNORECASE),
    re.compile(r"^(?:#+|=+|\*+)\s+`?([^\s`]+[./][^\s`]*)`?"),
)
_LAST_TURN = re.compile(r"(?i)last turn|final answer now|no more tool")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk: ``sign`` is "+", "-" or " ", ``number`` counts in head (in base for "-")."""

    sign: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """A hunk of the change."""

    path: str
    lines: tuple[Line, ...]

    def signed(self, sign: str) -> list[Line]:
        """The lines with one sign."""
        return [line for line in self.lines if line.sign == sign]


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered to a call."""

    name: str
    input: Json
    text: str
    is_error: bool

    def lines(self) -> list[str]:
        """What the tool showed, line by line; the first may be a header of the tool."""
        return self.text.split("\n")


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a request holds, taken apart.

    ``paths``: the files whose change it shows, in order. ``words``: what stands outside of hunks.
    ``turns``: how often tools were used. ``is_last``: the request asks for the answer now.
    """

    hunks: tuple[Hunk, ...]
    paths: tuple[str, ...]
    words: str
    results: tuple[Result, ...]
    tools: tuple[Json, ...]
    schema: Json | None
    turns: int
    is_last: bool


def read_page(body: Json) -> Page:
    """Take a request apart."""
    texts = [
        block["text"]
        for message in body["messages"]
        if message["role"] == "user"
        for block in content_blocks(message["content"])
        if block["type"] == "text"
    ]
    hunks, paths, words = read_change("\n".join(texts))
    turns = sum(
        content_blocks(message["content"])[-1]["type"] == "tool_use"
        for message in body["messages"]
        if message["role"] == "assistant"
    )
    asked = (body.get("output_config") or {}).get("format") or {}
    tools = tuple(body.get("tools") or ())
    is_last = bool(turns and _LAST_TURN.search(texts[-1]))
    return Page(hunks, paths, words, tuple(_results(body)), tools, asked.get("schema"), turns, is_last)


def read_change(text: str) -> tuple[tuple[Hunk, ...], tuple[str, ...], str]:
    """The hunks of a text, the paths that stand before them, and the rest of it."""
    lines = text.split("\n")
    # Where the change has headers of the strictest form, nothing else is one: prose may look like others.
    strict = any(_PATH_FORMS[0].search(line) for line in lines)
    forms = _PATH_FORMS[:1] if strict else _PATH_FORMS
    hunks: list[Hunk] = []
    paths: dict[str, None] = {}
    words: list[str] = []
    path, at = "", 0
    while at < len(lines):
        header = _HUNK.search(lines[at])
        if header and path:
            body = _hunk_lines(lines[at + 1 :], header)
            hunks.append(Hunk(path, tuple(body)))
            at += 1 + len(body)
            continue
        found = _path_in(lines[at], forms)
        if found:
            path = found
            paths[path] = None
        words.append(lines[at])
        at += 1
    return tuple(hunks), tuple(paths), "\n".join(words)


def _path_in(line: str, forms: tuple[re.Pattern[str], ...]) -> str:
    for form in forms:
        match = form.search(line)
        if match and match[1] != "/dev/null":
            return match[1].strip()
    return ""


def _hunk_lines(lines: list[str], header: re.Match[str]) -> list[Line]:
    """The lines of a hunk: as many as its header says, or until one that cannot belong to it."""
    old, new = int(header[1]), int(header[3])
    old_end = old + int(header[2] if header[2] is not None else 1)
    new_end = new + int(header[4] if header[4] is not None else 1)
    found = []
    for line in lines:
        sign = line[:1] or " "
        if sign not in "+- \\" or (old >= old_end and new >= new_end and sign != "\\"):
            break
        found.append(Line(sign, old if sign == "-" else new, line[1:]))
        old += sign in "- "
        new += sign in "+ "
    return found


def _results(body: Json) -> Iterator[Result]:
    calls = {
        block["id"]: block
        for message in body["messages"]
        for block in content_blocks(message["content"])
        if block["type"] == "tool_use"
    }
    for message in body["messages"]:
        for block in content_blocks(message["content"]):
            if block["type"] == "tool_result":
                call = calls[block["tool_use_id"]]
                text = "\n".join(part["text"] for part in content_blocks(block.get("content", "")))
                yield Result(call["name"], call["input"], text, bool(block.get("is_error")))
