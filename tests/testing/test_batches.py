import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest

from reviewbot.testing import ScriptedModel, Turn
from reviewbot.testing import batches as batches_module
from tests.testing.conversations import OPUS, client_of
from tests.testing.test_server import GOOD, say_yes, send

PATH = "/v1/messages/batches"
DAY = 24 * 3_600.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def item(name: str, **changes: Any) -> dict[str, Any]:
    return {"custom_id": name, "params": {**GOOD, **changes}}


def with_client(model: ScriptedModel, use: Callable[[Any], Awaitable[Any]]) -> Any:
    async def once() -> Any:
        async with client_of(model) as client:
            return await use(client)

    return asyncio.run(once())


def run_batch(model: ScriptedModel, *items: dict[str, Any]) -> dict[str, Any]:
    """The results of one batch by custom id, through the real client."""

    async def run(client: anthropic.AsyncAnthropic) -> dict[str, Any]:
        batch = await client.messages.batches.create(requests=items)  # type: ignore[arg-type]
        return {line.custom_id: line.result async for line in await client.messages.batches.results(batch.id)}

    found: dict[str, Any] = with_client(model, run)
    return found


def test_the_real_client_gets_each_answer_at_half_the_price() -> None:
    with ScriptedModel(say_yes) as model:
        found = run_batch(model, item("a"), item("b"))
        (live,) = send(model, GOOD)
    assert [found[name].message.content[-1].text for name in ("a", "b")] == ["yes", "yes"]
    assert found["a"].message.usage.service_tier == "batch"
    first, second, alone = model.requests
    assert (live.status_code, first.batch, alone.batch) == (200, second.batch, "")
    assert first.usd == pytest.approx(alone.usd / 2)
    assert model.refused == []


def test_results_come_in_another_order_and_only_once_the_batch_has_ended() -> None:
    clock = Clock()
    with ScriptedModel(say_yes, clock=clock, batch_seconds=60) as model:
        batch = model.batches.create({"requests": [item("a"), item("b")]})
        assert (batch["processing_status"], batch["results_url"]) == ("in_progress", None)
        assert batch["request_counts"]["processing"] == 2
        assert model.requests == []
        clock.now = 60
        ended = with_client(model, lambda client: client.messages.batches.retrieve(batch["id"]))
        assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 2)
        lines = model.batches.results(batch["id"]).splitlines()
    assert [line[:16] for line in lines] == [b'{"custom_id":"b"', b'{"custom_id":"a"']


def test_a_batch_that_takes_a_day_expires_and_costs_nothing() -> None:
    clock = Clock()
    with ScriptedModel(say_yes, clock=clock, batch_seconds=2 * DAY) as model:
        batch = model.batches.create({"requests": [item("a")]})
        clock.now = DAY
        assert model.batches.retrieve(batch["id"])["request_counts"]["expired"] == 1
        assert (model.usd, model.requests[0].stop_reason) == (0, "expired")


def test_results_are_kept_for_29_days() -> None:
    clock = Clock()
    with ScriptedModel(say_yes, clock=clock) as model:
        batch = model.batches.create({"requests": [item("a")]})
        assert model.batches.results(batch["id"])
        clock.now = 29 * DAY
        assert model.batches.retrieve(batch["id"])["results_url"] is None
        with pytest.raises(anthropic.AnthropicError):
            with_client(model, lambda client: client.messages.batches.results(batch["id"]))


def test_a_batch_that_is_canceled_ends_with_canceled_items() -> None:
    with ScriptedModel(say_yes, batch_seconds=60) as model:
        batch = model.batches.create({"requests": [item("a")]})
        stopped = with_client(model, lambda client: client.messages.batches.cancel(batch["id"]))
        assert stopped.processing_status == "canceling"
        assert model.batches.retrieve(batch["id"])["request_counts"]["canceled"] == 1
    assert model.usd == 0


def test_faults_and_behaviours_are_ends_of_items() -> None:
    faults = {1: "expired", 2: "overloaded", 3: "canceled", 4: "refuser"}
    with ScriptedModel(say_yes, faults=faults) as model:  # type: ignore[arg-type]
        found = run_batch(model, *map(item, "abcde"))
    assert [found[name].type for name in "abcde"] == [
        "expired",
        "errored",
        "canceled",
        "succeeded",
        "succeeded",
    ]
    assert found["b"].error.error.type == "overloaded_error"
    assert found["d"].message.stop_reason == "refusal"


def test_an_item_that_the_messages_api_would_refuse_is_errored() -> None:
    with ScriptedModel(say_yes) as model:
        found = run_batch(model, item("a", temperature=1), item("b", stream=True), item("c"))
    assert [found[name].type for name in "abc"] == ["errored", "errored", "succeeded"]
    assert found["a"].error.error.type == "invalid_request_error"
    assert len(model.refused) == 2


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "1 to 100000 are taken"),
        ([item("a/b")], "custom_id: String should match"),
        ([item("x" * 65)], "custom_id: String should match"),
        ([item("a"), item("a")], "must be unique"),
        ([{"custom_id": "a"}], "params are required"),
        ([{"custom_id": "a", "params": 1}], "valid dictionary"),
        ("a", "a list is required"),
    ],
)
def test_a_batch_that_the_real_api_refuses_is_refused(requests: Any, words: str) -> None:
    with ScriptedModel(say_yes) as model:
        (refused,) = send(model, {"requests": requests}, path=PATH)
        assert refused.status_code == 400
        assert words in refused.json()["error"]["message"]
        assert len(model.refused) == 1


def test_a_batch_beyond_the_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "MAXIMUM_BATCH_REQUESTS", 1)
    monkeypatch.setattr("reviewbot.testing.http_handler.MAXIMUM_BATCH_BYTES", 2_000)
    with ScriptedModel(say_yes) as model:
        many, large = send(
            model, {"requests": [item("a"), item("b")]}, {"requests": [item("a" * 2_000)]}, path=PATH
        )
    assert (many.status_code, large.status_code) == (400, 413)


def test_the_list_is_paged_with_the_newest_first() -> None:
    with ScriptedModel(say_yes) as model:
        names = [model.batches.create({"requests": [item("a")]})["id"] for _ in range(5)]

        async def listed(client: anthropic.AsyncAnthropic) -> list[str]:
            return [batch.id async for batch in client.messages.batches.list(limit=2)]

        assert with_client(model, listed) == names[::-1]
        assert model.batch_requests == ["list"] * 3


def test_a_batch_whose_creation_answer_is_lost_exists_all_the_same() -> None:
    seen: list[str] = []
    with ScriptedModel(say_yes, batch_faults={"create": ["reset"]}, on_batch=seen.append) as model:
        with pytest.raises(anthropic.APIConnectionError):
            with_client(
                model,
                lambda client: client.with_options(max_retries=0).messages.batches.create(
                    requests=[item("a")]
                ),
            )
        assert len(model.batches.list({})["data"]) == 1
    assert seen == ["create", "created"]


def test_an_error_on_creation_creates_nothing() -> None:
    with ScriptedModel(say_yes, batch_faults={"create": ["overloaded"]}) as model:
        (refused,) = send(model, {"requests": [item("a")]}, path=PATH)
        assert refused.status_code == 529
        assert model.batches.list({})["data"] == []


def test_a_conversation_goes_on_from_one_batch_to_the_next() -> None:
    with ScriptedModel(lambda body: Turn(f"{len(body['messages'])}", "hm")) as model:
        first = run_batch(model, item("a"))["a"].message.to_dict()
        messages = [
            *GOOD["messages"],
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": "and?"},
        ]
        found = run_batch(model, item("a", messages=messages), item("b", messages=messages[:1]))
    assert found["a"].message.content[-1].text == "3"
    assert found["a"].message.model == OPUS
    assert model.refused == []
