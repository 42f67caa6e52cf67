import asyncio
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest

from reviewbot.testing import FAULTS, Charge, Fault, ScriptedModel, ToolCall, Turn
from reviewbot.testing.accounting import count_tokens
from tests.testing.conversations import (
    FINDINGS,
    HAIKU,
    OPUS,
    SONNET,
    TOOLS,
    asking,
    client_of,
    closed,
    converse,
    listed,
)

LONG = "word " * 600
MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def send(
    model: ScriptedModel, *bodies: Any, path: str = "/v1/messages", **headers: str
) -> list[httpx2.Response]:
    """Bodies as they are, by a plain client: what the SDK would not even send."""
    usual = {"authorization": "Bearer k", "anthropic-version": "2026-10-21", **headers}
    given = {name.replace("_", "-"): value for name, value in usual.items() if value}
    with httpx2.Client(trust_env=False) as client:
        return [client.post(f"{model.base_url}{path}", json=body, headers=given) for body in bodies]


def ask(model: ScriptedModel, body: dict[str, Any]) -> Any:
    async def once() -> Any:
        async with client_of(model) as client:
            return await client.messages.create(**body)

    return asyncio.run(once())


def say_yes(body: Any) -> Turn:
    return Turn("yes", "hm")


def use_tool(body: Any) -> Turn:
    """One call first, prose after that."""
    done = len(body["messages"]) > 1
    return Turn("done") if done else Turn("", "let me see", (ToolCall("search", {"text": "x"}),))


# What the real API refuses.

GOOD = asking("hello", tools=TOOLS, system="You review.", output_config={"effort": "low"})


def without(**schema: Any) -> dict[str, Any]:
    return asking("x", schema)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"temperature": 0}, 400, "temperature"),
        ({"top_p": 1}, 400, "top_p"),
        ({"top_k": 1}, 400, "top_k"),
        ({"reasoning": True}, 400, "reasoning: Extra inputs"),
        ({"container": "x"}, 400, "does not play"),
        ({"model": "claude-sonnet-4-5"}, 404, "model: claude-sonnet-4-5"),
        ({"max_tokens": -1}, 400, "max_tokens"),
        ({"max_tokens": 128_001}, 400, "max_tokens"),
        ({"max_tokens": "9"}, 400, "max_tokens"),
        ({"tool_choice": {"type": "any"}}, 400, "tool_choice"),
        ({"tool_choice": {"type": "tool", "name": "search"}}, 400, "tool_choice"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, 400, "thinking.type.enabled"),
        ({"thinking": {"type": "disabled"}}, 400, "thinking.type.disabled"),
        (
            {"model": HAIKU, "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            400,
            "disabled",
        ),
        ({"output_config": {"effort": "extreme"}}, 400, "effort"),
        ({"output_config": {"format": {"type": "json_object"}}}, 400, "json_schema"),
        ({"messages": []}, 400, "at least one message"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "non-empty content"),
        ({"messages": [user(text("  "))]}, 400, "non-whitespace"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, 400, "first message"),
        ({"messages": [user(text("a")), {"role": "assistant", "content": "{"}]}, 400, "prefill"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, 400, "role"),
        ({"messages": [user({"type": "image", "source": {}})]}, 400, "image"),
        ({"messages": [user(text("a", citations=[{"x": 1}]))]}, 400, "citations"),
        (
            {"messages": [user({"type": "tool_result", "tool_use_id": "t", "content": "x"})]},
            400,
            "unexpected",
        ),
        ({"system": [text("a", **MARK)] * 5}, 400, "maximum of 4"),
        ({"system": [text("a", **MARK)] * 4, "cache_control": {"type": "ephemeral"}}, 400, "maximum of 4"),
        ({"system": [text("a", **MARK), text("b", **HOUR)]}, 400, "ttl='1h'"),
        ({"system": [text("a", cache_control={"type": "ephemeral", "ttl": "2h"})]}, 400, "ttl"),
        ({"system": ""}, 400, "non-whitespace"),
        ({"tools": [*TOOLS, TOOLS[0]]}, 400, "unique"),
        ({"tools": [{"name": "a b", "input_schema": closed()}]}, 400, "name"),
        ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, 400, "input_schema"),
        (
            {"tools": [{"name": "a", "strict": True, "input_schema": {"type": "object"}}]},
            400,
            "additionalProperties",
        ),
        (
            {"tools": [{"name": f"t{n}", "strict": True, "input_schema": closed()} for n in range(21)]},
            400,
            "21 strict tools",
        ),
    ],
)
def test_what_the_real_api_refuses_is_refused(change: dict[str, Any], status: int, words: str) -> None:
    with ScriptedModel(say_yes) as model:
        fine, refused = send(model, GOOD, {**GOOD, **change})
        assert fine.status_code == 200
        assert refused.status_code == status
        assert words in refused.json()["error"]["message"]
        assert len(model.refused) == 1
        assert [(served.status, served.usd > 0) for served in model.requests] == [
            (200, True),
            (status, False),
        ]


@pytest.mark.parametrize("name", ["model", "messages", "max_tokens"])
def test_a_missing_field_is_named(name: str) -> None:
    with ScriptedModel(say_yes) as model:
        (refused,) = send(model, {key: value for key, value in GOOD.items() if key != name})
    assert refused.json()["error"]["message"] == f"{name}: Field required"


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object", "properties": {}}, "additionalProperties"),
        (closed(a={"type": "integer", "minimum": 1}), "'minimum' is not supported"),
        (closed(a={"type": "string", "maxLength": 9}), "'maxLength' is not supported"),
        (closed(a={**listed({"type": "string"}), "minItems": 2}), "minItems"),
        (closed(a={**listed({"type": "string"}), "maxItems": 2}), "maxItems"),
        (closed(a={"oneOf": [{"type": "string"}]}), "oneOf"),
        (closed(a={"enum": [{"b": 1}]}), "plain"),
        (closed(a={"type": "string", "pattern": r"(?=a)b"}), "pattern"),
        (closed(a={"type": "string", "format": "regex"}), "format"),
        (closed(a={}), "needs a type"),
        (closed(a={"$ref": "https://example.org/s"}), "does not point"),
        ({**closed(a={"$ref": "#/$defs/N"}), "$defs": {"N": NODE}}, "recursive"),
        ({**closed(), "required": ["b"]}, "names no property"),
        (
            closed(**{f"a{n}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for n in range(17)}),
            "too complex",
        ),
        ({**closed(**{f"a{n}": {"type": "string"} for n in range(25)}), "required": []}, "too complex"),
    ],
)
def test_a_schema_that_cannot_be_compiled_is_refused(schema: dict[str, Any], words: str) -> None:
    with ScriptedModel(say_yes) as model:
        (refused,) = send(model, asking("x", schema))
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]


def test_credentials_go_into_a_bearer_header_and_nowhere_else() -> None:
    with ScriptedModel(say_yes, key="right") as model:
        for headers, words in (
            ({"authorization": ""}, "required"),
            ({"authorization": "", "x_api_key": "right"}, "x-api-key is no longer read"),
            ({"authorization": "Bearer wrong"}, "invalid bearer token"),
        ):
            (refused,) = send(model, GOOD, **headers)
            assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
            assert words in refused.json()["error"]["message"]
        assert send(model, GOOD, authorization="Bearer right")[0].status_code == 200
        assert all("authorization" not in served.headers for served in model.requests)
    with ScriptedModel(say_yes, key=None) as proxy:
        assert send(proxy, GOOD, authorization="")[0].status_code == 200


def test_another_api_version_and_a_body_that_is_no_json_are_refused() -> None:
    with ScriptedModel(say_yes) as model:
        assert send(model, GOOD, anthropic_version="2023-06-01")[0].status_code == 400
        with httpx2.Client(trust_env=False) as client:
            headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
            reply = client.post(f"{model.base_url}/v1/messages", content=b"{", headers=headers)
    assert "not valid JSON" in reply.json()["error"]["message"]


def test_a_body_of_odd_shapes_is_refused_and_never_crashes_the_server() -> None:
    odd: list[Any] = [[], 3, {**GOOD, "messages": 7}, {**GOOD, "system": 5}, {**GOOD, "tools": [1]}]
    odd += [{**GOOD, "messages": [{"role": "user", "content": [7]}]}, {**GOOD, "output_config": []}]
    odd += [{**GOOD, "messages": [None]}, {**GOOD, "thinking": "x"}, {**GOOD, "cache_control": 1}]
    with ScriptedModel(say_yes) as model:
        assert [reply.status_code for reply in send(model, *odd)] == [400] * len(odd)


# History.


def after_tool_use(model: ScriptedModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body, and the same conversation one turn later."""
    body = asking("look", tools=TOOLS)
    reply = send(model, body)[0].json()
    result = {"type": "tool_result", "tool_use_id": reply["content"][-1]["id"], "content": "nothing"}
    more = [{"role": "assistant", "content": reply["content"]}, user(result)]
    return body, {**body, "messages": [*body["messages"], *more]}


def test_a_conversation_that_only_grows_is_taken() -> None:
    with ScriptedModel(use_tool) as model:
        _, later = after_tool_use(model)
        assert send(model, later)[0].status_code == 200


EDITS: dict[str, Callable[[dict[str, Any], Any, Any, Any], object]] = {
    "first turn": lambda body, first, said, answered: first.update(content="look!"),
    "signature": lambda body, first, said, answered: said[0].update(signature="x"),
    "no thinking": lambda body, first, said, answered: said.pop(0),
    "input": lambda body, first, said, answered: said[-1].update(input={"text": "y"}),
    "model": lambda body, first, said, answered: body.update(model=SONNET),
    "no result": lambda body, first, said, answered: answered.__setitem__(0, text("go on")),
    "result twice": lambda body, first, said, answered: answered.append(answered[0]),
    "text first": lambda body, first, said, answered: answered.insert(0, text("here")),
    "no tools": lambda body, first, said, answered: body.pop("tools"),
    "empty error": lambda body, first, said, answered: answered[0].update(is_error=True, content=""),
    "marked thinking": lambda body, first, said, answered: said[0].update(MARK),
}


def changed(later: dict[str, Any], edit: str) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(later))
    first, said, answered = copy["messages"]
    EDITS[edit](copy, first, said["content"], answered["content"])
    return copy


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("first turn", "thinking"),
        ("signature", "thinking"),
        ("no thinking", "thinking"),
        ("input", "not what the model said"),
        ("model", "thinking"),
        ("no result", "without one `tool_result`"),
        ("result twice", "without one `tool_result`"),
        ("text first", "must come first"),
        ("no tools", "must define tools"),
        ("empty error", "is_error"),
        ("marked thinking", "cache_control"),
    ],
)
def test_a_changed_history_is_refused(edit: str, words: str) -> None:
    with ScriptedModel(use_tool) as model:
        _, later = after_tool_use(model)
        (refused,) = send(model, changed(later, edit))
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]


def test_moving_a_cache_mark_is_no_change_of_history() -> None:
    with ScriptedModel(use_tool) as model:
        _, later = after_tool_use(model)
        later["messages"][0]["content"] = [text("look", **MARK)]
        assert send(model, later)[0].status_code == 200


def test_a_paused_turn_may_be_sent_back_as_the_last_message() -> None:
    with ScriptedModel("pauser") as model:
        body = asking("nothing much", FINDINGS)
        reply = send(model, body)[0].json()
        assert reply["stop_reason"] == "pause_turn"
        turn = {"role": "assistant", "content": reply["content"]}
        resumed = send(model, {**body, "messages": [*body["messages"], turn]})[0].json()
    assert json.loads(resumed["content"][-1]["text"]) == {"findings": []}


# The wire.


def test_a_stream_and_a_plain_answer_say_the_same() -> None:
    def both(body: Any) -> Turn:
        return Turn("é" * 90, "why not", (ToolCall("search", {"text": "naïve\n" * 9}),))

    async def talk(model: ScriptedModel) -> tuple[Any, Any]:
        body = {**GOOD, "thinking": {"type": "adaptive", "display": "summarized"}}
        async with client_of(model) as client:
            plain = await client.messages.create(**body)
            async with client.messages.stream(**body) as stream:
                return plain.to_dict(), (await stream.get_final_message()).to_dict()

    with ScriptedModel(both) as model:
        plain, streamed = asyncio.run(talk(model))
    assert [block["type"] for block in plain["content"]] == ["thinking", "text", "tool_use"]
    assert plain["content"][0]["thinking"] == "why not"
    for message in (plain, streamed):
        message.pop("id")
        for block in message["content"]:
            block.pop("id", None)
            block.pop("signature", None)
    assert streamed["stop_reason"] == "tool_use"
    assert streamed["content"] == plain["content"]
    assert streamed["usage"] == plain["usage"]


def test_an_answer_longer_than_max_tokens_is_cut_and_costs_all_of_them() -> None:
    with ScriptedModel(lambda _: Turn("x" * 900, "hm")) as model:
        reply = ask(model, {**GOOD, "max_tokens": 50})
    assert (reply.stop_reason, reply.usage.output_tokens) == ("max_tokens", 50)
    assert 0 < len(reply.content[-1].text) < 150


def test_the_models_and_their_lifecycle_can_be_asked_for() -> None:
    async def talk(model: ScriptedModel) -> Any:
        async with client_of(model) as client:
            listed_ids = [each.id async for each in client.models.list()]
            haiku, opus = await client.models.retrieve(HAIKU), await client.models.retrieve(OPUS)
            with pytest.raises(anthropic.NotFoundError):
                await client.models.retrieve("claude-9")
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.create(**{**GOOD, "model": HAIKU})
            return listed_ids, haiku, opus

    with ScriptedModel(say_yes, retired=[HAIKU]) as model:
        ids, haiku, opus = asyncio.run(talk(model))
    assert set(ids) == {HAIKU, SONNET, OPUS}
    assert (haiku.lifecycle, opus.lifecycle) == ("retired", "active")
    assert opus.capabilities.thinking.types.disabled.supported is False
    assert opus.capabilities.structured_outputs.supported is True


def test_a_deprecated_model_answers_and_tells_its_last_day_where_one_is_set() -> None:
    async def talk(model: ScriptedModel) -> tuple[Any, Any, Any]:
        async with client_of(model) as client:
            sonnet, opus = await client.models.retrieve(SONNET), await client.models.retrieve(OPUS)
            return sonnet, opus, await client.messages.create(**{**GOOD, "model": SONNET})

    with ScriptedModel(say_yes, deprecated={SONNET: "2026-11-30", OPUS: ""}) as model:
        sonnet, opus, reply = asyncio.run(talk(model))
    assert (sonnet.lifecycle, opus.lifecycle) == ("deprecated", "deprecated")
    assert f"{sonnet.retires_at:%Y-%m-%d}" == "2026-11-30"
    assert opus.retires_at is None
    assert sonnet.deprecated_at is not None and opus.deprecated_at is not None
    assert reply.model == SONNET


def test_counting_gives_what_the_request_is_then_billed_for() -> None:
    body = asking(LONG, FINDINGS, tools=TOOLS, system="s")

    async def talk(model: ScriptedModel) -> tuple[int, Any]:
        async with client_of(model) as client:
            bare = {key: value for key, value in body.items() if key != "max_tokens"}
            counted = await client.messages.count_tokens(**bare)
            return counted.input_tokens, await client.messages.create(**body)

    with ScriptedModel(say_yes) as model:
        counted, reply = asyncio.run(talk(model))
        assert len(model.counted) == 1
        assert len(model.requests) == 1
    assert counted == reply.usage.input_tokens


def test_a_prompt_beyond_the_context_is_refused() -> None:
    with (
        ScriptedModel(say_yes, context_tokens=500) as model,
        pytest.raises(anthropic.BadRequestError) as caught,
    ):
        ask(model, asking(LONG))
    assert "prompt is too long" in str(caught.value)


# Tokens, cache and dollars.


def usage_of(model: ScriptedModel, *bodies: dict[str, Any]) -> list[tuple[int, int, int, int]]:
    """(input, written for 5 minutes, written for an hour, read) of each."""
    found = []
    for body in bodies:
        usage = send(model, body)[0].json()["usage"]
        made = usage["cache_creation"]
        assert usage["cache_creation_input_tokens"] == sum(made.values())
        found.append(
            (
                usage["input_tokens"],
                made["ephemeral_5m_input_tokens"],
                made["ephemeral_1h_input_tokens"],
                usage["cache_read_input_tokens"],
            )
        )
    return found


def test_tokens_of_a_small_request_can_be_counted_by_hand() -> None:
    # {"type": "text", "text": "hello!"}: 4 + 4 + 4 + 6 bytes make 6 tokens, and 4 for the message.
    assert count_tokens({"type": "text", "text": "hello!"}) == 6
    with ScriptedModel(say_yes) as model:
        assert usage_of(model, asking("hello!")) == [(10, 0, 0, 0)]
        # {"name": "a", "input_schema": {"type": "object"}}: 4 + 1 + 12 + 4 + 6 bytes, 9 tokens, and 286.
        tools = [{"name": "a", "input_schema": {"type": "object"}}]
        assert usage_of(model, asking("hello!", tools=tools)) == [(10 + 9 + 286, 0, 0, 0)]


SYSTEM = text(LONG)
SYSTEM_TOKENS = -(-(len(LONG) + 12) // 3)


def test_a_marked_prefix_is_written_once_and_read_after_that() -> None:
    first = asking("one", system=[{**SYSTEM, **MARK}])
    second = asking("two and more", system=[{**SYSTEM, **MARK}])
    with ScriptedModel(say_yes) as model:
        assert usage_of(model, first, second, first) == [
            (9, SYSTEM_TOKENS, 0, 0),
            (12, 0, 0, SYSTEM_TOKENS),
            (9, 0, 0, SYSTEM_TOKENS),
        ]
        assert usage_of(model, {**first, "model": SONNET}) == [(9, SYSTEM_TOKENS, 0, 0)]


def test_a_request_for_no_output_only_fills_the_cache() -> None:
    body = asking("one", system=[{**SYSTEM, **MARK}])
    with ScriptedModel(say_yes) as model:
        warm = send(model, {**body, "max_tokens": 0})[0].json()
        assert (warm["content"], warm["usage"]["output_tokens"]) == ([], 0)
        assert usage_of(model, body)[0][3] == SYSTEM_TOKENS


def test_a_prefix_below_the_minimum_is_not_cached() -> None:
    short = text("x" * 1_500)  # 504 tokens
    with ScriptedModel(say_yes) as model:
        body = asking("one", system=[{**short, **MARK}])
        assert usage_of(model, body, body) == [(9 + 504, 0, 0, 0)] * 2


def test_one_changed_byte_early_makes_everything_after_it_new() -> None:
    with ScriptedModel(say_yes) as model:
        usage_of(model, asking("one", system=[{**SYSTEM, **MARK}]))
        other = asking("one", system=[{**text(LONG[:-1] + "."), **MARK}])
        assert usage_of(model, other)[0][3] == 0


def test_the_effort_belongs_to_the_cached_messages_but_not_to_the_system_prompt() -> None:
    body = {**asking("x", system=[{**SYSTEM, **MARK}]), "messages": [user(text(LONG, **MARK))]}
    with ScriptedModel(say_yes) as model:
        usage_of(model, body)
        (again,) = usage_of(model, {**body, "output_config": {"effort": "high"}})
    assert again[3] == SYSTEM_TOKENS


def test_an_entry_is_found_at_most_20_blocks_before_a_mark() -> None:
    def grown(more: int) -> dict[str, Any]:
        blocks = [text(LONG), *(text(f"n{number}") for number in range(more))]
        return {**asking("x"), "messages": [user(*blocks[:-1], {**blocks[-1], **MARK})]}

    with ScriptedModel(say_yes) as model:
        usage_of(model, grown(0))
        assert usage_of(model, grown(19))[0][3] == SYSTEM_TOKENS + 4
    with ScriptedModel(say_yes) as model:
        usage_of(model, grown(0))
        assert usage_of(model, grown(20))[0][3] == 0


def test_entries_live_for_5_minutes_or_an_hour_after_their_last_use() -> None:
    now = [0.0]
    short, long = (asking("one", system=[{**SYSTEM, **mark}]) for mark in (MARK, HOUR))
    with ScriptedModel(say_yes, clock=lambda: now[0]) as model:
        usage_of(model, short)
        for now[0], is_read in ((299.0, True), (598.0, True), (899.0, False)):
            assert (usage_of(model, short)[0][3] > 0) is is_read, now
    with ScriptedModel(say_yes, clock=lambda: now[0]) as model:
        assert usage_of(model, long) == [(9, 0, SYSTEM_TOKENS, 0)]
        now[0] += 3_599
        assert usage_of(model, long)[0][3] == SYSTEM_TOKENS


def test_the_automatic_mark_moves_with_the_conversation() -> None:
    body = asking(LONG, tools=TOOLS, cache_control={"type": "ephemeral"})
    with ScriptedModel(use_tool) as model:
        reply = send(model, body)[0].json()
        result = {"type": "tool_result", "tool_use_id": reply["content"][-1]["id"], "content": "nothing"}
        turns = [*body["messages"], {"role": "assistant", "content": reply["content"]}, user(result)]
        (again,) = usage_of(model, {**body, "messages": turns})
    assert again[0] == 0
    assert again[3] == reply["usage"]["cache_creation_input_tokens"] > SYSTEM_TOKENS


def test_two_requests_at_once_do_not_read_what_neither_has_finished() -> None:
    body = asking("one", system=[{**SYSTEM, **MARK}])

    async def both(model: ScriptedModel) -> list[int]:
        async with client_of(model) as client:
            replies = await asyncio.gather(*(client.messages.create(**body) for _ in range(2)))
        return [reply.usage.cache_read_input_tokens for reply in replies]

    with ScriptedModel(say_yes, latency_seconds=0.3) as model:
        assert asyncio.run(both(model)) == [0, 0]


@pytest.mark.parametrize(
    ("model", "charge", "micro_usd"),
    [
        (HAIKU, Charge(50_000, 20_000, 10_000, 20_000, 1_000, 0), 5_000 + 2_500 + 2_000 + 200 + 500),
        (HAIKU, Charge(50_001, 20_000, 10_000, 20_000, 1_000, 0), 5 * (5_000.1 + 2_500 + 2_000 + 200 + 500)),
        (SONNET, Charge(1_000, 2_000, 3_000, 4_000, 500, 0), 2_000 + 5_000 + 12_000 + 400 + 5_000),
        (OPUS, Charge(1_000, 2_000, 3_000, 4_000, 500, 0), 4_000 + 10_000 + 24_000 + 800 + 10_000),
    ],
)
def test_prices_are_those_of_the_price_list(model: str, charge: Charge, micro_usd: float) -> None:
    assert charge.nano_usd(model) == micro_usd * 1_000


# Faults.


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("rate_limit", anthropic.RateLimitError),
        ("spend_limit", anthropic.RateLimitError),
        ("billing", anthropic.PaymentRequiredError),
        ("unauthorized", anthropic.AuthenticationError),
        ("forbidden", anthropic.PermissionDeniedError),
        ("unknown_model", anthropic.NotFoundError),
        ("too_large", anthropic.ContentTooLargeError),
        ("context", anthropic.BadRequestError),
        ("server_error", anthropic.InternalServerError),
        ("overloaded", anthropic.OverloadedError),
        ("timeout", anthropic.GatewayTimeoutError),
        ("stream_error", anthropic.OverloadedError),
        ("reset", anthropic.APIConnectionError),
        ("broken_json", json.JSONDecodeError),
    ],
)
def test_a_fault_reaches_the_real_client_as_its_error(name: str, error: type[Exception]) -> None:
    with ScriptedModel(say_yes, faults={1: name}) as model:
        with pytest.raises(error):
            ask(model, GOOD)
        assert ask(model, GOOD).stop_reason == "end_turn"
        first, second = model.requests
    is_billed = not FAULTS[name].status and name != "stream_error"
    assert (first.usd > 0) is is_billed
    assert first.fault == FAULTS[name]
    assert second.usd > 0
    assert model.refused == []


def test_answers_that_look_well_and_are_not() -> None:
    with ScriptedModel(say_yes, faults={1: "html", 2: "no_usage", 3: "no_stop_reason", 4: "empty"}) as model:
        page, no_usage, no_stop, empty = send(model, *[GOOD] * 4)
        assert page.headers["content-type"] == "text/html"
        assert "usage" not in no_usage.json()
        assert "stop_reason" not in no_stop.json()
        assert empty.json()["content"] == []
        assert all(served.usd > 0 for served in model.requests)


def test_a_stream_that_ends_early_has_no_stop_reason() -> None:
    async def talk(model: ScriptedModel) -> Any:
        async with client_of(model) as client, client.messages.stream(**GOOD) as stream:
            return await stream.get_final_message()

    with ScriptedModel(say_yes, faults={1: "early_end", 2: "stream_error"}) as model:
        assert asyncio.run(talk(model)).stop_reason is None
        with pytest.raises(anthropic.APIStatusError) as caught:
            asyncio.run(talk(model))
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


def test_the_client_retries_after_a_fault_and_every_attempt_is_seen() -> None:
    async def talk(model: ScriptedModel) -> Any:
        async with client_of(model) as client:
            return await client.with_options(max_retries=1).messages.create(**GOOD)

    with ScriptedModel(
        say_yes, faults={1: Fault(529, "overloaded_error", headers={"retry-after-ms": "1"})}
    ) as model:
        assert asyncio.run(talk(model)).stop_reason == "end_turn"
        assert [served.status for served in model.requests] == [529, 200]


def test_a_fault_can_choose_its_requests_and_be_a_behaviour() -> None:
    def is_haiku(body: Any) -> bool:
        return bool(body["model"] == HAIKU)

    with ScriptedModel(say_yes, faults={is_haiku: "refuser"}) as model:
        assert ask(model, GOOD).stop_reason == "end_turn"
        assert ask(model, {**GOOD, "model": HAIKU}).stop_reason == "refusal"


def test_endless_and_strange_calls_are_calls_of_a_kind_that_a_loop_must_survive() -> None:
    with ScriptedModel("endless") as model, pytest.raises(AssertionError, match="no end"):
        asyncio.run(converse(model, "=== a.py (modified, +1 -1)", {"a.py": "x"}))
    with ScriptedModel("stranger") as model:
        reply = ask(model, GOOD)
    offered = {tool["name"] for tool in TOOLS}
    assert [block.name in offered for block in reply.content if block.type == "tool_use"] == [False, True]


def test_an_unknown_name_of_a_behaviour_or_fault_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="no behaviour 'raeder'; there are reader"):
        ScriptedModel("raeder")
    with pytest.raises(ValueError, match="no fault 'overlaoded'.*overloaded"):
        ScriptedModel(faults={1: "overlaoded"})


def test_latency_is_added_to_every_answer() -> None:
    import time

    with ScriptedModel(say_yes, latency_seconds=0.2) as model:
        started = time.monotonic()
        send(model, GOOD)
        assert 0.2 <= time.monotonic() - started < 2


def test_the_same_seed_gives_the_same_answers_and_another_one_other_ids() -> None:
    def first_reply(seed: int) -> Any:
        with ScriptedModel(say_yes, seed=seed) as model:
            return send(model, GOOD)[0].json()

    assert first_reply(1) == first_reply(1)
    assert first_reply(1)["id"] != first_reply(2)["id"]


def test_a_server_that_is_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="with"):
        assert ScriptedModel().base_url
