"""Where exactly the loop's bounds are: the last token, dollar and second that a task may use."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reviewbot.agents.api.claude import Ask, Reply
from reviewbot.agents.api.failures import ErrorCode, ModelError
from reviewbot.agents.api.model_facts import ModelFacts
from reviewbot.agents.conversation.calls import LEFT_OUT
from reviewbot.agents.conversation.clearing import CLEARED, Clearing
from reviewbot.agents.conversation.history import estimate_request_tokens, tokens_of, weigh
from reviewbot.agents.conversation.loop import AT_ONCE, LAST_TURN, run_agent
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.view.tools import ToolResult
from reviewbot.claims import Stop, Usage
from reviewbot.journal import Journal
from reviewbot.spend.budget import GROWTH_TOKENS, Ledger
from reviewbot.spend.prices import LIST_PRICES
from reviewbot.text import one_line
from tests.agents.conversation.test_loop import BOUNDS, PROMPT, SPEC
from tests.agents.fake_api import text, use

OPUS = "claude-opus-5-5"
GOOD = text('{"found": []}')
TASK = replace(BOUNDS, usd=1_000.0)
NANO = 1e-9
CENTITOKEN = 5e-8
"""A hundredth of what a token of a prompt costs at most."""

Step = Reply | ModelError | Callable[[], Reply]


@dataclass
class Clock:
    """The loop's time, which only passes where a test says so."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("reviewbot.agents.conversation.loop.time", clock)
    return clock


def reply(*blocks: Any, stop: str = "end_turn", prompt: int = 100, output: int = 5) -> Reply:
    return Reply(blocks, stop, Usage(prompt, output), OPUS, "req_1", 0.0)


def reads(**usage: int) -> Reply:
    return reply(use("read_file", "t1", path="a.py"), stop="tool_use", **usage)


@dataclass
class Drawer:
    """One file of so many bytes; reading it takes the clock so many seconds."""

    size: int = 10
    seconds: float = 0.0
    clock: Clock = field(default_factory=Clock)

    def definitions(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [{"name": name, "description": name, "input_schema": {}} for name in names]

    def call(self, name: str, arguments: object) -> ToolResult:
        self.clock.now += self.seconds
        assert isinstance(arguments, dict)
        return ToolResult("x" * arguments.get("size", self.size))


class Script:
    """What the loop needs of a client, in the same process: each request takes the next step."""

    def __init__(self, *steps: Step, counts: int | None = None) -> None:
        self.steps, self.counts = steps, counts
        self.asks: list[Ask] = []
        self.counted: list[Ask] = []

    async def ask(self, ask: Ask) -> Reply:
        step = self.steps[min(len(self.asks), len(self.steps) - 1)]
        self.asks.append(ask)
        if isinstance(step, ModelError):
            raise step
        return step if isinstance(step, Reply) else step()

    async def count(self, ask: Ask) -> int:
        self.counted.append(ask)
        if self.counts is None:
            raise ModelError("bad_request", "There is no such page.")
        return self.counts

    def play(
        self,
        *,
        drawer: Drawer | None = None,
        budget: float = 1_000.0,
        effort: str = "medium",
        fits: bool | None = None,
        clearing: Clearing | None = None,
        **bounds: Any,
    ) -> Run:
        spec = replace(SPEC, effort=effort, bounds=replace(TASK, **bounds))
        given: dict[str, Any] = {} if fits is None else {"fits": fits}
        ledger = Ledger(budget)
        return asyncio.run(
            run_agent(spec, PROMPT, drawer, self, ledger, Journal(), model=OPUS, clearing=clearing, **given)
        )

    def is_told_to_answer(self, request: int) -> bool:
        last = self.asks[request].messages[-1]["content"][-1]
        return bool(last.get("text") == LAST_TURN)


def first_size(drawer: Drawer | None = None) -> int:
    """The estimate of a task's first request, in tokens."""
    script = Script(reply(GOOD))
    script.play(drawer=drawer)
    return estimate_request_tokens(script.asks[0].body())


def worst(tokens: int, output: int) -> float:
    usd = LIST_PRICES.worst_case_usd(OPUS, tokens, output)
    assert usd is not None
    return usd


def test_a_run_that_never_began_has_used_nothing() -> None:
    run = Run(Stop.UNAVAILABLE)
    assert (run.turns, run.tool_calls, run.denied_calls, run.seconds) == (0, 0, 0, 0.0)
    assert (run.usage, run.usd, run.saved_usd, run.degraded) == (Usage(), 0.0, 0.0, False)


def test_a_prompt_of_just_the_tokens_that_are_allowed_is_sent_uncounted() -> None:
    size = first_size()
    exact = Script(reply(GOOD), counts=1)
    assert exact.play(context_tokens=size).stop is Stop.DONE
    assert exact.counted == []
    short = Script(reply(GOOD))
    assert short.play(context_tokens=size - 1).stop is Stop.TOKENS
    assert (len(short.counted), short.asks) == (1, [])


def test_a_count_is_believed_down_to_a_quarter_of_the_estimate_and_not_asked_for_below() -> None:
    quarter = first_size() // 4
    exact = Script(reply(GOOD), counts=1)
    assert exact.play(context_tokens=quarter).stop is Stop.DONE
    below = Script(reply(GOOD), counts=1)
    assert below.play(context_tokens=quarter - 1).stop is Stop.TOKENS
    assert (len(exact.counted), below.counted) == (1, [])


def test_a_call_is_made_with_just_a_quarter_of_its_output_and_not_with_less() -> None:
    # One token of what could be paid is kept for rounding, so half of another one is no output.
    prompt, token = worst(first_size(), 0), worst(0, 1)
    exact = Script(reply(GOOD))
    assert exact.play(budget=prompt + 251.5 * token).stop is Stop.DONE
    assert exact.asks[0].max_tokens == 250
    less = Script(reply(GOOD))
    assert less.play(budget=prompt + 250.5 * token).stop is Stop.USD


def test_a_call_has_the_seconds_that_are_left_of_its_task_and_a_quarter_of_an_hour_at_most(
    clock: Clock,
) -> None:
    script = Script(reads(), reply(GOOD))
    script.play(drawer=Drawer(seconds=1_100.0, clock=clock), seconds=1_950.0)
    assert [ask.seconds for ask in script.asks] == [900.0, 850.0]


def test_a_cut_answer_gets_no_more_room_than_any_model_has() -> None:
    script = Script(reply(GOOD, stop="max_tokens"), reply(GOOD))
    assert script.play(output_tokens=100_000).stop is Stop.DONE
    assert [ask.max_tokens for ask in script.asks] == [100_000, 128_000]
    full = Script(reply(GOOD, stop="max_tokens"))
    run = full.play(output_tokens=128_000)
    assert (run.stop, run.turns) == (Stop.TOKENS, 1)
    assert run.detail == "The answer was cut at 128,000 output tokens."


def test_an_end_that_nobody_knows_is_quoted_up_to_40_characters() -> None:
    run = Script(reply(GOOD, stop="x" * 50)).play()
    assert f"`{one_line('x' * 50, 40)}`" in run.detail


@pytest.mark.parametrize(("seconds", "stop"), [(20.0, Stop.SECONDS), (19.5, Stop.DONE)])
def test_a_tool_that_takes_the_last_second_ends_the_task(clock: Clock, seconds: float, stop: Stop) -> None:
    script = Script(reads(), reply(GOOD))
    run = script.play(drawer=Drawer(seconds=seconds, clock=clock), seconds=20.0)
    assert (run.stop, run.seconds) == (stop, seconds)


@pytest.mark.parametrize(("seconds", "is_told"), [(16.0, False), (16.125, True)])
def test_the_last_fifth_of_the_time_is_for_the_answer(clock: Clock, seconds: float, is_told: bool) -> None:
    script = Script(reads(), reply(GOOD))
    assert script.play(drawer=Drawer(seconds=seconds, clock=clock), seconds=20.0).stop is Stop.DONE
    assert script.is_told_to_answer(1) is is_told


@pytest.mark.parametrize(
    ("seconds", "stop", "code"), [(20.0, Stop.SECONDS, ""), (19.5, Stop.UNAVAILABLE, "provider_outage")]
)
def test_a_call_that_failed_when_the_time_was_up_ended_by_the_time(
    clock: Clock, seconds: float, stop: Stop, code: str
) -> None:
    def fails() -> Reply:
        clock.now += seconds
        raise ModelError("provider_outage", "The provider did not answer.")

    run = Script(fails).play(seconds=20.0)
    assert (run.stop, run.error_code, run.seconds) == (stop, code, seconds)


@pytest.mark.parametrize(("more", "offered"), [(NANO, True), (-CENTITOKEN, False)])
def test_tools_are_offered_where_just_a_second_call_can_be_paid(more: float, offered: bool) -> None:
    size = first_size(Drawer())
    both = worst(size, 250) + worst(size + GROWTH_TOKENS, 250)
    script = Script(reply(GOOD))
    assert script.play(drawer=Drawer(), budget=both + more).stop is Stop.DONE
    assert bool(script.asks[0].tools) is offered
    assert (script.asks[0].messages[0]["content"][-1]["text"] == AT_ONCE) is not offered


def test_a_task_whose_requests_do_not_fit_themselves_keeps_its_tools_where_one_call_can_be_paid() -> None:
    script = Script(reply(GOOD))
    run = script.play(drawer=Drawer(), budget=worst(first_size(Drawer()), 1_000) + NANO, fits=False)
    assert run.stop is Stop.DONE
    assert script.asks[0].tools
    assert script.asks[0].max_tokens == 1_000


@pytest.mark.parametrize(("more", "is_left_out"), [(0, False), (1, True)])
def test_results_fill_what_the_window_has_left_to_the_last_byte(more: int, is_left_out: bool) -> None:
    # Of 9,000 tokens 4,000 are the prompt, 7 the model's turn, 1,000 are kept; three bytes are a token.
    drawer = Drawer(size=(9_000 - 4_000 - 7 - 1_000) * 3 + more)
    script = Script(reads(prompt=4_000, output=7), reply(GOOD))
    assert script.play(drawer=drawer, context_tokens=9_000).stop is Stop.DONE
    [result, *_] = script.asks[1].messages[-1]["content"]
    assert (result["content"] == LEFT_OUT) is is_left_out


def tokens_after_next(drawer: Drawer, prompt: int) -> int:
    """The tokens of the call after the next one, if the next turn brings as much as this one did."""
    script = Script(reads(prompt=prompt), reply(GOOD))
    script.play(drawer=drawer)
    _, turn, results = script.asks[1].messages
    [result] = results["content"]
    bare = {key: value for key, value in result.items() if key != "cache_control"}
    return prompt + 2 * tokens_of(weigh(turn["content"]) + weigh([bare]))


@pytest.mark.parametrize(("fewer", "is_told"), [(0, False), (1, True)])
def test_a_turn_is_the_last_where_one_more_of_its_size_would_not_fit(fewer: int, is_told: bool) -> None:
    drawer = Drawer(size=3_000)
    after = tokens_after_next(drawer, 5_000)
    script = Script(reads(prompt=5_000), reply(GOOD))
    assert script.play(drawer=drawer, context_tokens=after + 1_000 - fewer).stop is Stop.DONE
    assert script.is_told_to_answer(1) is is_told


@pytest.mark.parametrize(("more", "is_told"), [(NANO, False), (-CENTITOKEN, True)])
def test_a_turn_is_the_last_where_its_task_cannot_pay_two_more(more: float, is_told: bool) -> None:
    drawer = Drawer(size=3_000)
    after = tokens_after_next(drawer, 5_000)
    # Spent: 5,000 tokens and 5. The next: 5,000 read, the rest written, 1,000 written by the model.
    spent = (5_000 * 4 + 5 * 20) / 1e6
    likely = (5_000 * 0.2 + (after - 5_000) * 5 + 1_000 * 20) / 1e6
    script = Script(reads(prompt=5_000), reply(GOOD))
    assert script.play(drawer=drawer, usd=spent + 2 * likely + more).stop is Stop.DONE
    assert script.is_told_to_answer(1) is is_told


@pytest.mark.parametrize(
    ("more", "fits", "is_told"), [(NANO, None, False), (-CENTITOKEN, None, True), (-CENTITOKEN, False, False)]
)
def test_a_turn_is_the_last_where_the_run_cannot_pay_two_more_and_requests_fit_themselves(
    more: float, fits: bool | None, is_told: bool
) -> None:
    drawer = Drawer(size=3_000)
    after = tokens_after_next(drawer, 5_000)
    spent = (5_000 * 4 + 5 * 20) / 1e6
    likely = (5_000 * 0.2 + (after - 5_000) * 5 + 250 * 20) / 1e6
    script = Script(reads(prompt=5_000), reply(GOOD))
    two = likely + worst(after + GROWTH_TOKENS, 250)
    assert script.play(drawer=drawer, budget=spent + two + more, fits=fits).stop is Stop.DONE
    assert script.is_told_to_answer(1) is is_told


@pytest.mark.parametrize(("more", "degraded"), [(NANO, True), (-CENTITOKEN, False)])
def test_the_effort_is_raised_where_a_cold_call_can_just_be_paid(more: float, degraded: bool) -> None:
    wrong = text("no " * 500)
    cold = 4_000 + tokens_of(weigh((wrong,))) + 1_000
    spent = 2 * (4_000 * 4 + 5 * 20) / 1e6
    script = Script(reply(wrong, prompt=4_000), reply(wrong, prompt=4_000), reply(GOOD))
    run = script.play(usd=spent + worst(cold, 1_000) + more)
    assert (run.stop, run.degraded) == ((Stop.DONE, True) if degraded else (Stop.INVALID, False))


def test_the_highest_effort_is_not_raised() -> None:
    run = Script(reply(text("no"))).play(effort="max")
    assert (run.stop, run.turns, run.effort, run.degraded) == (Stop.INVALID, 2, "max", False)


def able() -> Clearing:
    clearing = Clearing()
    clearing.learn(OPUS, ModelFacts("active", "", True, None, clears_tool_uses=True))
    return clearing


def reading_much(*then: Step) -> Script:
    """Four files, of which the first is large; in the fourth turn the window is full."""
    first = reply(use("read_file", "t1", path="1.py", size=31_000), stop="tool_use", prompt=1_000)
    small = [
        reply(use("read_file", f"t{n}", path=f"{n}.py"), stop="tool_use", prompt=1_000 if n < 4 else 37_000)
        for n in (2, 3, 4)
    ]
    return Script(first, *small, *then)


@pytest.mark.parametrize(("more", "clears"), [(NANO, True), (-CENTITOKEN, False)])
def test_old_results_are_cleared_where_a_cold_call_can_just_be_paid(more: float, clears: bool) -> None:
    plenty = reading_much(reply(GOOD))
    assert plenty.play(drawer=Drawer(), context_tokens=90_000).stop is Stop.DONE
    *_, turn, results = plenty.asks[4].messages
    bare = {key: value for key, value in results["content"][0].items() if key != "cache_control"}
    cold = 37_000 + tokens_of(weigh(turn["content"]) + weigh([bare])) + 1_000
    spent = ((3 * 1_000 + 37_000) * 4 + 4 * 5 * 20) / 1e6
    script = reading_much(reply(GOOD))
    run = script.play(
        drawer=Drawer(), clearing=able(), context_tokens=38_050, usd=spent + worst(cold, 1_000) + more
    )
    assert run.stop is Stop.DONE
    assert script.asks[4].kept == (3 if clears else 0)
    assert script.asks[4].messages[-1]["content"][-1]["text"] == (CLEARED if clears else LAST_TURN)


@pytest.mark.parametrize(
    ("code", "stop", "kept"), [("bad_request", Stop.DONE, [3, 0]), ("provider_outage", Stop.UNAVAILABLE, [3])]
)
def test_only_a_request_that_is_refused_with_clearing_is_sent_again_without(
    code: ErrorCode, stop: Stop, kept: list[int]
) -> None:
    script = reading_much(ModelError(code, "No."), reply(GOOD))
    assert script.play(drawer=Drawer(), clearing=able(), context_tokens=38_050).stop is stop
    assert [ask.kept for ask in script.asks[4:]] == kept
