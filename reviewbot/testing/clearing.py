"""Context editing as the API documents it: old tool results are cleared before the model reads a request.

Of it this double plays ``clear_tool_uses_20250919`` with a trigger in input tokens and a number of tool uses
to keep; every other edit or option is refused. Each request is edited for itself: who wants what was
cleared to stay cleared asks for it again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reviewbot.testing.accounting import content_blocks, lay_out
from reviewbot.testing.checks import Refused

Json = Mapping[str, Any]

BETA = "context-management-2025-06-27"
EDIT = "clear_tool_uses_20250919"
TRIGGER_TOKENS, KEPT_USES = 100_000, 3
CLEARED_TEXT = "[Old tool result content cleared]"


def check_editing(body: Any, betas: Sequence[str], *, clears: bool) -> None:
    """Raise Refused for edits that the models do not do, or in words that the API does not know."""
    if not isinstance(body, dict) or "context_management" not in body:
        return
    if BETA not in betas:
        raise Refused("context_management: Extra inputs are not permitted")
    asked = body["context_management"]
    if not isinstance(asked, dict) or set(asked) != {"edits"} or not isinstance(asked["edits"], list):
        raise Refused("context_management: a list of edits is required")
    for edit in asked["edits"]:
        _check_edit(edit)
    if not clears:
        raise Refused(f"context_management: {body.get('model')} does not support {EDIT}")


def _check_edit(edit: Any) -> None:
    if not isinstance(edit, dict) or edit.get("type") != EDIT or set(edit) - {"type", "trigger", "keep"}:
        raise Refused(f"context_management.edits: the scripted model plays {EDIT} with trigger and keep")
    for name, unit in (("trigger", "input_tokens"), ("keep", "tool_uses")):
        value = edit.get(name, {"type": unit, "value": 1})
        is_known = isinstance(value, dict) and set(value) == {"type", "value"} and value["type"] == unit
        if not is_known or type(value["value"]) is not int or value["value"] < 0:
            raise Refused(f"context_management.edits.{name}: a number of {unit} is required")


def edit_request(body: Json) -> tuple[Json, list[dict[str, Any]]]:
    """The request as the model reads it, and ``applied_edits`` of its answer."""
    if not isinstance(body, dict) or "context_management" not in body:
        return body, []
    asked = body["context_management"]
    edited = {key: value for key, value in body.items() if key != "context_management"}
    applied = []
    for edit in asked["edits"]:
        before = _tokens(edited)
        if before <= edit.get("trigger", {}).get("value", TRIGGER_TOKENS):
            continue
        cleared, uses = _clear(edited, edit.get("keep", {}).get("value", KEPT_USES))
        if before > _tokens(cleared):
            tokens = before - _tokens(cleared)
            applied.append({"type": EDIT, "cleared_tool_uses": uses, "cleared_input_tokens": tokens})
            edited = cleared
    return edited, applied


def _clear(body: Json, kept: int) -> tuple[dict[str, Any], int]:
    used = [
        block["tool_use_id"]
        for message in body["messages"]
        for block in content_blocks(message["content"])
        if block["type"] == "tool_result"
    ]
    old = set(used[: max(0, len(used) - kept)])
    messages = [
        {
            **message,
            "content": [
                {**block, "content": CLEARED_TEXT} if block.get("tool_use_id") in old else block
                for block in content_blocks(message["content"])
            ],
        }
        for message in body["messages"]
    ]
    return {**body, "messages": messages}, len(old)


def _tokens(body: Json) -> int:
    return sum(block.tokens for block in lay_out(body))
