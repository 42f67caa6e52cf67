"""Context editing of the scripted model, asked for by the real SDK and in words that it must refuse."""

import asyncio
from typing import Any

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from reviewbot.testing import ScriptedModel, ToolCall, Turn
from reviewbot.testing.clearing import BETA, CLEARED_TEXT, EDIT, edit_request
from tests.testing.conversations import OPUS, TOOLS, client_of
from tests.testing.test_server import send

ARGUMENTS = {"path": "a.py"}
RESULT = "a line of a file\n" * 200


def conversation(rounds: int) -> list[dict[str, Any]]:
    """A user turn, then as many rounds of one tool call each."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Look."}]}]
    for number in range(rounds):
        call = {"type": "tool_use", "id": f"t{number}", "name": TOOLS[0]["name"], "input": {}}
        messages.append({"role": "assistant", "content": [call]})
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": RESULT}
        messages.append({"role": "user", "content": [result]})
    return messages


def body(rounds: int = 5, **edit: Any) -> dict[str, Any]:
    given = {"type": EDIT, "trigger": {"type": "input_tokens", "value": 1_000}, **edit}
    editing = {"edits": [given]}
    base = {"model": OPUS, "max_tokens": 100, "tools": TOOLS, "messages": conversation(rounds)}
    return {**base, "context_management": editing}


def test_old_results_are_cleared_before_the_model_reads_and_the_answer_says_how_much() -> None:
    seen: list[Any] = []

    def look(asked: Any) -> Turn:
        seen.append(asked)
        if len(asked["messages"]) < 11:
            return Turn(thinking="more", calls=(ToolCall(TOOLS[0]["name"], ARGUMENTS),))
        return Turn("yes", "hm")

    async def run() -> tuple[Message, BetaMessage]:
        async with client_of(model) as client:
            messages = conversation(0)
            while True:
                given: Any = {"model": OPUS, "max_tokens": 1_000, "tools": TOOLS, "messages": messages}
                answer = await client.messages.create(**given)
                if answer.stop_reason == "end_turn":
                    break
                messages.append({"role": "assistant", "content": answer.content})
                ids = [block.id for block in answer.content if block.type == "tool_use"]
                results = [{"type": "tool_result", "tool_use_id": i, "content": RESULT} for i in ids]
                messages.append({"role": "user", "content": results})
            editing: Any = body(keep={"type": "tool_uses", "value": 2})["context_management"]
            return answer, await client.beta.messages.create(
                **given, betas=[BETA], context_management=editing
            )

    with ScriptedModel(look, clears=True) as model:
        plain, message = asyncio.run(run())
        assert model.refused == []
    assert message.context_management is not None
    (edit,) = message.context_management.applied_edits
    assert edit.type == "clear_tool_uses_20250919" == EDIT
    assert edit.cleared_tool_uses == 3
    assert message.usage.input_tokens + edit.cleared_input_tokens == plain.usage.input_tokens
    texts = [block["content"] for turn in seen[-1]["messages"][2::2] for block in turn["content"]]
    assert texts == [CLEARED_TEXT] * 3 + [RESULT] * 2


@pytest.mark.parametrize(("rounds", "cleared"), [(0, 0), (3, 0), (4, 1), (9, 6)])
def test_three_results_are_kept_unless_told(rounds: int, cleared: int) -> None:
    edited, applied = edit_request(body(rounds))
    assert sum(edit["cleared_tool_uses"] for edit in applied) == cleared
    assert str(edited).count(CLEARED_TEXT) == cleared
    assert "context_management" not in edited


def test_nothing_happens_below_the_trigger() -> None:
    given = body(9, trigger={"type": "input_tokens", "value": 10**6})
    edited, applied = edit_request(given)
    assert applied == []
    assert edited["messages"] == given["messages"]


@pytest.mark.parametrize(
    ("clears", "beta", "editing", "words"),
    [
        (True, "", {"edits": []}, "Extra inputs are not permitted"),
        (True, "another-beta-2026-01-01", {"edits": []}, "Extra inputs are not permitted"),
        (False, BETA, {"edits": []}, f"does not support {EDIT}"),
        (True, BETA, [], "a list of edits"),
        (True, BETA, {"edits": {}}, "a list of edits"),
        (True, BETA, {"edits": [{"type": "compact_20260112"}]}, "plays clear_tool_uses"),
        (True, BETA, {"edits": [{"type": EDIT, "clear_at_least": 1}]}, "plays clear_tool_uses"),
        (True, BETA, {"edits": [{"type": EDIT, "keep": 3}]}, "keep: a number of tool_uses"),
        (True, BETA, {"edits": [{"type": EDIT, "keep": {"type": "input_tokens", "value": 3}}]}, "keep"),
        (
            True,
            BETA,
            {"edits": [{"type": EDIT, "trigger": {"type": "input_tokens", "value": -1}}]},
            "trigger",
        ),
        (True, BETA, {"edits": [{"type": EDIT, "keep": {"type": "tool_uses", "value": True}}]}, "keep"),
    ],
)
def test_what_the_api_would_not_take_is_refused(clears: bool, beta: str, editing: Any, words: str) -> None:
    with ScriptedModel("reader", clears=clears) as model:
        (answer,) = send(model, {**body(), "context_management": editing}, anthropic_beta=beta)
        assert len(model.refused) == 1
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_an_item_of_a_batch_cannot_ask_for_it() -> None:
    item = {"custom_id": "one", "params": {**body(), "messages": conversation(0)}}
    with ScriptedModel("reader", clears=True) as model:
        (answer,) = send(model, {"requests": [item]}, path="/v1/messages/batches")
        said = answer.text if answer.status_code == 400 else str(model.batches.results(answer.json()["id"]))
    assert "context_management: Extra inputs are not permitted" in said
