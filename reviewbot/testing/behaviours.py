"""The minds of the scripted model: one that reads, and those that go wrong in the ways models do.

A behaviour is a function of the request body that returns a Turn. All of them build on what the reader
says, so that what they say is about the request, only wrong.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from reviewbot.testing.fill import fill, find_list
from reviewbot.testing.page import read_page
from reviewbot.testing.reader import read
from reviewbot.testing.wire import ToolCall, Turn

Json = Mapping[str, Any]
Behaviour = Callable[[Json], Turn]


def invent(body: Json) -> Turn:
    """Quote what is not there: every quoted text is changed until it stands nowhere in the request."""
    turn = read(body)
    if turn.calls or not turn.text.startswith("{"):
        return turn
    known = json.dumps(body, ensure_ascii=False)
    return replace(turn, text=json.dumps(_invented(json.loads(turn.text), known), ensure_ascii=False))


def _invented(value: Any, known: str) -> Any:
    if isinstance(value, list):
        return [_invented(each, known) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _invented(each, known) for key, each in value.items()}
    if "path" in value and isinstance(value.get("text"), str):
        text = f"{value['text']} and {value['text'].strip()[::-1]}"
        while text in known:
            text += text[::-1]
        changed["text"] = text
    return changed


def skip(body: Json) -> Turn:
    """Find nothing: triage sends every file past everybody, the others report nothing."""
    page = read_page(body)
    shape = find_list(page.schema) if page.schema else None
    if page.schema is None or shape is None:
        return Turn("Nothing to say.")
    name, item = shape
    entries = []
    if "path" in item.get("properties", {}):
        nothing = {"risk": ("none", "low"), "reason": "nothing to look at", "agents": []}
        entries = [{"path": path, **nothing} for path in page.paths]
    return Turn(json.dumps(fill(page.schema, {name: entries})), "Nothing here matters.")


def refuse(body: Json) -> Turn:
    """Decline: status 200, no text, ``stop_reason`` refusal."""
    return Turn(stop_reason="refusal", thinking=f"{len(body['messages'])} messages are too much.")


def truncate(body: Json) -> Turn:
    """Stop in the middle of the answer with ``max_tokens``."""
    turn = read(body)
    return (
        turn if turn.calls else replace(turn, text=turn.text[: len(turn.text) // 2], stop_reason="max_tokens")
    )


def break_schema(body: Json) -> Turn:
    """Answer JSON that does not fit: a verdict nobody asked for, and one property missing."""
    turn = read(body)
    if turn.calls or not turn.text.startswith("{"):
        return turn
    answer = json.loads(turn.text)
    answer.pop(next(iter(answer), ""), None)
    return replace(turn, text=json.dumps({**answer, "verdict": "pass"}))


def talk(body: Json) -> Turn:
    """Put prose around the JSON."""
    turn = read(body)
    return turn if turn.calls else replace(turn, text=f"Here is my review:\n{turn.text}\nAnything else?")


def call_for_ever(body: Json) -> Turn:
    """Call tools and never answer, where there are tools."""
    page = read_page(body)
    if not page.tools:
        return read(body)
    tool = page.tools[page.turns % len(page.tools)]
    path = page.paths[page.turns % len(page.paths)] if page.paths else ""
    facts = {"path": path, "text": path, "prefix": path, "start_line": page.turns + 1}
    return Turn(thinking="One more look.", calls=(ToolCall(tool["name"], fill(tool["input_schema"], facts)),))


def call_strangers(body: Json) -> Turn:
    """Call a tool that was not offered, and one with an argument it does not have; then read."""
    page = read_page(body)
    if page.turns or not page.tools:
        return read(body)
    first = page.tools[0]["name"]
    calls = (ToolCall(f"{first}_as_root", {"path": "/etc/passwd"}), ToolCall(first, {"file_descriptor": 1}))
    return Turn(thinking="What else is there?", calls=calls)


def pause(body: Json) -> Turn:
    """End the first turn with ``pause_turn``, and go on when it is sent back."""
    if body["messages"][-1]["role"] == "assistant" or len(body["messages"]) > 1:
        return read({**body, "messages": [m for m in body["messages"] if not _is_pause(m)]})
    return Turn("One moment.", "This takes long.", stop_reason="pause_turn")


def _is_pause(message: Json) -> bool:
    texts = [block.get("text") for block in message["content"] if isinstance(block, dict)]
    return message["role"] == "assistant" and "One moment." in texts


BEHAVIOURS: Mapping[str, Behaviour] = {
    "reader": read,
    "inventor": invent,
    "skipper": skip,
    "refuser": refuse,
    "truncator": truncate,
    "invalid": break_schema,
    "talker": talk,
    "endless": call_for_ever,
    "stranger": call_strangers,
    "pauser": pause,
}
"""The behaviours by name."""
