"""The behaviour that reads: it looks at the change, calls the tools, and quotes what it was shown.

Everything it says is built from the request: the shape of the answer from the schema, the calls from the
tools that are offered, every quote from the change or from what a tool answered.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reviewbot.testing.eyes import GUARDS, Sign, built_name, has_sign, is_test_path, signs_in
from reviewbot.testing.fill import SAME, fill, find_list, has_list_of
from reviewbot.testing.mending import mend
from reviewbot.testing.page import Hunk, Line, Page, Result, read_page
from reviewbot.testing.wire import ToolCall, Turn

Json = Mapping[str, Any]

FILES_READ = 8
SEARCHES = 2
SHOWN_CHARACTERS = 200
"""A tool may cut long lines: so much of a line must have been shown."""
LINES_BEFORE = 15
LINES_READ = 45


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line that may be at fault. ``name`` is the variable to follow where the line alone shows nothing."""

    path: str
    line: Line
    sign: Sign | None
    name: str = ""
    beside: str = ""

    @property
    def is_deleted(self) -> bool:
        """Whether what is wrong is that the line is gone."""
        return self.line.sign == "-"


def read(body: Json) -> Turn:
    """Route, look for faults or explain failures, as the schema asks; tools first, where they are offered."""
    page = read_page(body)
    shape = find_list(page.schema) if page.schema else None
    if page.schema is None or shape is None:
        return Turn(f"{len(page.hunks)} hunks in {len(page.paths)} files.", "Nothing but prose is asked for.")
    item = shape[1]
    if not has_list_of(item, page.schema, "path", "text"):
        return _answer(page, shape[0], [_route(page, path) for path in page.paths], "Sorting the files.")
    if has_list_of(item, page.schema, "find", "replace"):
        calls = _calls(page, [(hunk.path, hunk.lines[0]) for hunk in mend(page).hunks])
        if calls:
            return Turn(_aside(body, "Reading what failed."), "What changed on the way?", calls)
        return _answer(page, shape[0], mend(page).facts, "Following the failure back to the change.")
    suspects = find_suspects(page.hunks)
    calls = _calls(page, [(suspect.path, suspect.line) for suspect in suspects])
    if calls:
        return Turn(_aside(body, "Looking closer."), f"{len(suspects)} lines to look at.", calls)
    return _answer(page, shape[0], [*_findings(page, suspects)], "Weighing what was read.")


def _answer(page: Page, name: str, entries: list[dict[str, Any]], thinking: str) -> Turn:
    assert page.schema is not None
    filled = fill(page.schema, {name: entries})
    return Turn(json.dumps(filled, ensure_ascii=False), thinking)


def _aside(body: Json, text: str) -> str:
    """Text beside tool calls: the larger models put it into their thinking."""
    return text if "haiku" in body["model"] else ""


def find_suspects(hunks: tuple[Hunk, ...]) -> list[Suspect]:
    """Added lines that look dangerous or build what may become so, and deleted checks."""
    found = []
    for hunk in hunks:
        if is_test_path(hunk.path):
            continue
        added = hunk.signed("+")
        for line in added:
            sign = next(signs_in(hunk.path, line.text), None)
            name = built_name(line.text)
            if sign or name:
                found.append(Suspect(hunk.path, line, sign, name))
        kept = "\n".join(line.text for line in hunk.lines if line.sign != "-")
        found += [
            Suspect(hunk.path, line, sign)
            for line in hunk.signed("-")
            for sign in [next(signs_in(hunk.path, line.text, GUARDS), None)]
            if sign and not sign.pattern.search(kept)
        ]
    return sorted(found, key=lambda suspect: suspect.sign is None)


def _route(page: Page, path: str) -> dict[str, Any]:
    """What triage says of one file."""
    own = tuple(hunk for hunk in page.hunks if hunk.path == path)
    suspects = find_suspects(own)
    signs = [suspect.sign for suspect in suspects if suspect.sign]
    lines = sum(line.sign != " " for hunk in own for line in hunk.lines)
    reason = signs[0].says if signs else f"{lines} changed lines without a dangerous construct"
    risk = (("high",) if signs else ("medium",)) if suspects else ("low" if lines else "none",)
    agents = [("security",)] if suspects else []
    return {"path": path, "risk": risk, "reason": reason, "agents": agents}


def _calls(page: Page, places: list[tuple[str, Line]]) -> tuple[ToolCall, ...]:
    """The calls of this turn: files first, then who else names what was read; none once both are done."""
    if page.is_last or not places:
        return ()
    if page.turns == 0:
        return tuple(_reading_calls(page.tools, places))
    return tuple(_search_calls(page, places)) if page.turns == 1 else ()


def _reading_calls(tools: tuple[Json, ...], places: list[tuple[str, Line]]) -> Iterator[ToolCall]:
    tool = _find_tool(tools, "path", "line")
    seen: list[tuple[str, str, int]] = []
    for path, line in places if tool else ():
        assert tool is not None
        side = "base" if line.sign == "-" else "head"
        is_near = any(key[:2] == (path, side) and abs(key[2] - line.number) < LINES_BEFORE for key in seen)
        if is_near or len(seen) == FILES_READ:
            continue
        seen.append((path, side, line.number))
        start = max(1, line.number - LINES_BEFORE)
        facts = {"path": path, "side": (side,), "start_line": start, "end_line": start + LINES_READ}
        yield ToolCall(tool["name"], fill(tool["input_schema"], {**facts, "max_lines": LINES_READ}))


def _search_calls(page: Page, places: list[tuple[str, Line]]) -> Iterator[ToolCall]:
    """Search for the functions that enclose the suspects: who calls them?"""
    tool = _find_tool(page.tools, "text")
    names: dict[str, None] = {}
    for path, line in places:
        for hunk in page.hunks:
            if hunk.path == path and line in hunk.lines:
                names |= dict.fromkeys(_enclosing(hunk, line))
    for name in [*names][:SEARCHES] if tool else ():
        assert tool is not None
        yield ToolCall(tool["name"], fill(tool["input_schema"], {"text": f"{name}("}))


def _enclosing(hunk: Hunk, line: Line) -> Iterator[str]:
    before = hunk.lines[: hunk.lines.index(line) + 1]
    for other in reversed(before):
        match = re.search(r"\b(?:def|func|function|fn|sub)\s+(?:\([^)]*\)\s*)?(\w+)\s*\(", other.text)
        if match:
            yield match[1]
            return
    match = re.search(r"\b(\w{3,})\(", line.text)
    if match:
        yield match[1]


def _find_tool(tools: tuple[Json, ...], *parts: str) -> Json | None:
    """The first tool that has a property for each part of a name, or one that means the same."""
    for tool in tools:
        names = [SAME.get(name, name) for name in tool["input_schema"].get("properties", {})]
        if all(any(part in name for name in names) for part in parts):
            return tool
    return None


def _findings(page: Page, suspects: list[Suspect]) -> Iterator[dict[str, Any]]:
    told: set[tuple[str, int, str]] = set()
    for suspect in suspects:
        judged = _judge(page, suspect)
        if judged is None or judged.sign is None:
            continue
        key = (judged.path, judged.line.number, judged.sign.words[0])
        if key not in told:
            told.add(key)
            yield _finding(judged, was_read=bool(page.results))


def _judge(page: Page, suspect: Suspect) -> Suspect | None:
    """What the tools' answers make of a suspect; None where they do not bear it out."""
    results = [each for each in page.results if not each.is_error and each.input.get("path") == suspect.path]
    shown = [text for result in results for text in result.lines()]
    if suspect.sign:
        whole = suspect.line.text.strip()[:SHOWN_CHARACTERS]
        return suspect if not shown or any(whole in text for text in shown) or suspect.is_deleted else None
    return _follow(page, suspect, results)


def _follow(page: Page, suspect: Suspect, results: list[Result]) -> Suspect | None:
    """A dangerous line that a tool showed and that uses the name the suspect gives a value to."""
    uses = re.compile(rf"\b{re.escape(suspect.name)}\b")
    added = {line.text for hunk in page.hunks if hunk.path == suspect.path for line in hunk.signed("+")}
    for result in results:
        lines = result.lines()
        starts = [at for at, text in enumerate(lines) if text == suspect.line.text]
        for at, text in enumerate(lines):
            is_below = any(0 < at - start <= LINES_READ for start in starts)
            if is_below and text not in added and uses.search(text) and has_sign(suspect.path, text):
                sign = next(signs_in(suspect.path, text))
                return replace(suspect, sign=sign, beside=text)
    return None


def _finding(suspect: Suspect, *, was_read: bool) -> dict[str, Any]:
    sign, line = suspect.sign, suspect.line
    assert sign is not None
    quotes = [_quote(suspect.path, line.number, line.text)]
    if suspect.beside:
        quotes.append(_quote(suspect.path, line.number + 1, suspect.beside))
    sure = was_read and not suspect.is_deleted
    return {
        "rule": sign.words,
        "severity": (sign.severity,),
        "confidence": ("shown", "high", 0.9) if sure else ("likely", "medium", 0.7),
        "title": f"{sign.says[:1].upper()}{sign.says[1:]}",
        "body": f"{suspect.path}, line {line.number}: {sign.says}.",
        "quotes": quotes,
    }


def _quote(path: str, number: int, text: str) -> dict[str, Any]:
    return {"path": path, "start_line": number, "end_line": number, "text": text}
