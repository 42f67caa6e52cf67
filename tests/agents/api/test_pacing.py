import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.agents.api.claude import Ask, connect
from reviewbot.agents.api.pacing import KINDS, Allowance, Pace, parse_allowances
from reviewbot.testing import Fault, RateLimit, ScriptedModel, Turn


def headers(kind: str, left: object, reset: float) -> dict[str, str]:
    when = datetime.fromtimestamp(reset, UTC).isoformat().replace("+00:00", "Z")
    return {
        f"anthropic-ratelimit-{kind}-remaining": str(left),
        f"anthropic-ratelimit-{kind}-reset": when,
    }


def most_side_by_side(pace: Pace, calls: int, tokens: int) -> int:
    """How many calls are under way at most; each ends after a moment and tells nothing new."""
    running = most = 0

    async def call() -> None:
        nonlocal running, most
        async with pace.turn("m", tokens, 5):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

    async def run() -> None:
        await asyncio.gather(*(call() for _ in range(calls)))

    asyncio.run(run())
    return most


def test_headers_are_what_is_left_until_when() -> None:
    said = headers("requests", 7, 1_800_000_000) | headers("input-tokens", 5_000, 1_800_000_001)
    assert parse_allowances(said) == {
        "requests": Allowance(7, 1_800_000_000.0),
        "input-tokens": Allowance(5_000, 1_800_000_001.0),
    }


@given(
    st.dictionaries(
        st.sampled_from([f"anthropic-ratelimit-{k}-{e}" for k in KINDS for e in ("remaining", "reset")]),
        st.text(),
    )
)
def test_any_headers_are_allowances_or_nothing(said: dict[str, str]) -> None:
    assert all(each.left >= 0 for each in parse_allowances(said).values())


@pytest.mark.parametrize(
    ("kind", "left", "tokens", "most"),
    [
        ("requests", 9, 1, 4),
        ("requests", 2, 1, 2),
        ("input-tokens", 3_500, 1_000, 3),
        ("tokens", 1_000, 900, 1),
        ("output-tokens", 1_000, 5_000, 4),
    ],
)
def test_fewer_calls_run_side_by_side_where_less_is_left(
    kind: str, left: int, tokens: int, most: int
) -> None:
    pace = Pace()
    pace.note("m", headers(kind, left, time.time() + 30))
    assert most_side_by_side(pace, 4, tokens) == most


def test_where_nothing_is_left_a_call_waits_for_the_reset_and_another_model_does_not() -> None:
    pace = Pace()
    pace.note("m", headers("requests", 0, time.time() + 0.3))

    async def seconds(model: str) -> float:
        started = time.monotonic()
        async with pace.turn(model, 1, 5):
            return time.monotonic() - started

    assert asyncio.run(seconds("other")) < 0.2
    assert asyncio.run(seconds("m")) > 0.2


def test_answers_are_reckoned_as_long_as_they_were_on_average() -> None:
    pace = Pace()
    pace.learn("m", 300)
    pace.learn("m", 500)
    pace.note("m", headers("output-tokens", 1_000, time.time() + 30))
    assert most_side_by_side(pace, 4, 1) == 2


def test_where_no_output_is_left_a_call_waits_also_before_any_answer_came() -> None:
    pace = Pace()
    pace.note("m", headers("output-tokens", 0, time.time() + 0.3))
    started = time.monotonic()
    most_side_by_side(pace, 1, 1)
    assert time.monotonic() - started > 0.2


def test_what_a_server_refuses_for_a_while_is_not_asked_by_others_either() -> None:
    pace = Pace()
    pace.note("m", {}, refused_for=0.3)
    started = time.monotonic()
    most_side_by_side(pace, 3, 1)
    assert time.monotonic() - started > 0.2


@pytest.mark.parametrize("reset", [-10.0, 3_600.0])
def test_a_reset_that_is_past_or_far_away_holds_nobody(reset: float) -> None:
    pace = Pace()
    pace.note("m", headers("requests", 0, time.time() + reset))
    started = time.monotonic()
    assert most_side_by_side(pace, 4, 1) == 4
    assert time.monotonic() - started < 1


def test_a_call_waits_no_longer_than_its_own_time() -> None:
    pace = Pace()
    pace.note("m", headers("requests", 0, time.time() + 30))

    async def run() -> None:
        async with pace.turn("m", 1, 0.1):
            pass

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 5


ASK = Ask(
    model="claude-haiku-5-5",
    max_tokens=1_000,
    system=(),
    tools=(),
    messages=[{"role": "user", "content": "Say nothing."}],
    effort="low",
    schema=None,
    seconds=30,
)


def ask_one_then(model: ScriptedModel, others: int) -> list[int]:
    """One call, then so many at a time; the status of every answer that the server gave."""

    async def run() -> None:
        claude = connect({"ANTHROPIC_API_KEY": "k"}, base_url=model.base_url)
        try:
            await claude.ask(ASK)
            await asyncio.gather(*(claude.ask(ASK) for _ in range(others)))
        finally:
            await claude.aclose()

    asyncio.run(run())
    return [served.status for served in model.requests]


def test_the_wall_of_the_provider_is_not_hit_once_it_was_told_of() -> None:
    with ScriptedModel("skipper", rate_limit=RateLimit(3, 2.0)) as model:
        assert ask_one_then(model, 4) == [200] * 5


def test_the_wall_of_output_tokens_is_not_hit_once_it_was_told_of() -> None:
    def answer(body: Mapping[str, Any]) -> Turn:
        return Turn("word " * 200)

    with ScriptedModel(answer) as model:
        [status] = ask_one_then(model, 0)
        written = model.requests[0].usage["output_tokens"]
    assert status == 200
    limit = RateLimit(1_000, 2.0, output_tokens=2 * written)
    with ScriptedModel(answer, rate_limit=limit) as model:
        assert ask_one_then(model, 3) == [200] * 4


def test_what_an_error_says_of_limits_is_kept_too() -> None:
    spent = headers("requests", 0, time.time() + 2)
    refusal = Fault(429, "rate_limit_error", "too many requests", headers={"retry-after-ms": "20", **spent})
    times = []

    def note(body: Mapping[str, Any]) -> bool:
        times.append(time.monotonic())
        return False

    async def run(model: ScriptedModel) -> None:
        claude = connect({"ANTHROPIC_API_KEY": "k"}, base_url=model.base_url)
        try:
            first = asyncio.create_task(claude.ask(ASK))
            while not times:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            await asyncio.gather(first, claude.ask(ASK))
        finally:
            await claude.aclose()

    with ScriptedModel("skipper", faults={note: "overloaded", 1: refusal}) as model:
        # The answers that follow tell of no reset, so what the error said holds.
        asyncio.run(run(model))
        assert [served.status for served in model.requests] == [429, 200, 200]
    assert times[2] - times[1] > 0.5, "the second call waited for the reset that the error told of"
