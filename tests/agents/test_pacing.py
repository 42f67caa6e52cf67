import asyncio
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.agents.claude import Ask, connect
from reviewbot.agents.pacing import KINDS, Allowance, Pace, parse_allowances
from reviewbot.testing import RateLimit, ScriptedModel


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


def test_the_wall_of_the_provider_is_not_hit_once_it_was_told_of() -> None:
    ask = Ask(
        model="claude-haiku-5-5",
        max_tokens=100,
        system=(),
        tools=(),
        messages=[{"role": "user", "content": "Say nothing."}],
        effort="low",
        schema=None,
        seconds=30,
    )

    async def run(model: ScriptedModel) -> None:
        claude = connect({"ANTHROPIC_API_KEY": "k"}, base_url=model.base_url)
        try:
            await claude.ask(ask)
            await asyncio.gather(*(claude.ask(ask) for _ in range(4)))
        finally:
            await claude.aclose()

    with ScriptedModel("skipper", rate_limit=RateLimit(3, 2.0)) as model:
        asyncio.run(run(model))
        assert [served.status for served in model.requests] == [200] * 5
