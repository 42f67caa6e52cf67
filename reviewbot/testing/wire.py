"""The shapes of the Messages API: a turn of the model as one JSON message or as server-sent events."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reviewbot.testing.accounting import Charge, count_tokens

Json = Mapping[str, Any]
CHUNK = 40
"""Characters of one delta of a stream."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants to use."""

    name: str
    input: Json


@dataclass(frozen=True, slots=True)
class Turn:
    """What a behaviour says: ``thinking`` (billed, shown only where asked), ``text``, tool calls.

    ``stop_reason`` is told by the server (tool_use, end_turn, or max_tokens where the answer was cut)
    unless it is given here, as for a refusal.
    """

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A turn as blocks of the API, with the tokens they cost."""

    blocks: tuple[dict[str, Any], ...]
    stop_reason: str
    output_tokens: int
    thinking_tokens: int


def build_answer(turn: Turn, body: Json, mark: str) -> Answer:
    """Blocks of a turn, cut at ``max_tokens``; 0 only fills the cache.

    ``mark`` is unique for this answer: ids are made from it.
    """
    limit = body["max_tokens"]
    if limit == 0:
        return Answer((), "max_tokens", 0, 0)
    blocks: list[dict[str, Any]] = []
    thinking_tokens = 0
    if (body.get("thinking") or {}).get("type") != "disabled":
        shown = (body.get("thinking") or {}).get("display") == "summarized"
        thinking_tokens = min(limit, count_tokens(turn.thinking))
        blocks.append(
            {"type": "thinking", "thinking": turn.thinking if shown else "", "signature": f"sig-{mark}"}
        )
    spent, is_cut = thinking_tokens, False
    for block in _visible_blocks(turn, mark):
        cost = count_tokens(block)
        is_cut = is_cut or spent + cost > limit
        if is_cut and block["type"] == "text":
            keep = block["text"][: max(0, limit - spent - count_tokens({**block, "text": ""}))]
            blocks += [{**block, "text": keep}] if keep else []
            spent = limit
        elif not is_cut:
            blocks.append(block)
            spent += cost
    if is_cut:
        return Answer(tuple(blocks), "max_tokens", limit, thinking_tokens)
    usual = "tool_use" if turn.calls else "end_turn"
    return Answer(tuple(blocks), turn.stop_reason or usual, max(1, spent), thinking_tokens)


def _visible_blocks(turn: Turn, mark: str) -> Iterator[dict[str, Any]]:
    if turn.text:
        yield {"type": "text", "text": turn.text}
    for number, call in enumerate(turn.calls):
        yield {
            "type": "tool_use",
            "id": f"toolu_{mark}_{number}",
            "name": call.name,
            "input": dict(call.input),
        }


def render_message(answer: Answer, charge: Charge, model: str, mark: str) -> dict[str, Any]:
    """The ``message`` object of an answer."""
    refused = answer.stop_reason == "refusal"
    return {
        "id": f"msg_{mark}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(answer.blocks),
        "stop_reason": answer.stop_reason,
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": "cyber", "explanation": None} if refused else None,
        "usage": charge.usage(),
    }


def render_events(message: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events that stream a message: (name, data), in the order of the streaming page."""
    usage = message["usage"]
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": start}
    yield "ping", {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty, deltas = _deltas(block)
        yield (
            "content_block_start",
            {"type": "content_block_start", "index": index, "content_block": empty},
        )
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    delta = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    told = {key: usage[key] for key in usage if key.endswith("_tokens")}
    yield "message_delta", {"type": "message_delta", "delta": delta, "usage": told}
    yield "message_stop", {"type": "message_stop"}


def _deltas(block: Json) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and what is added to it."""
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in _cut(block["text"])]
    if block["type"] == "tool_use":
        parts = _cut(json.dumps(block["input"], ensure_ascii=False))
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in parts]
    thoughts = [{"type": "thinking_delta", "thinking": part} for part in _cut(block["thinking"])]
    signature = {"type": "signature_delta", "signature": block["signature"]}
    return {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signature]


def _cut(text: str) -> list[str]:
    return [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
