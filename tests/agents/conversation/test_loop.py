import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from reviewbot.agents.api.claude import connect
from reviewbot.agents.conversation.calls import LEFT_OUT, MAX_CALLS_A_TURN, REPEATED
from reviewbot.agents.conversation.loop import AT_ONCE, LAST_TURN, Prompt, run_agent
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.spec import AgentSpec, Bounds
from reviewbot.agents.view.tools import ToolResult
from reviewbot.claims import Stop, Usage
from reviewbot.errors import RepositoryError
from reviewbot.hooks import NO_HOOKS, Failure, HookCalls, Hooks, ToolCall, ToolEnd
from reviewbot.journal import Journal
from reviewbot.spend.budget import Ledger
from tests.agents.fake_api import Answer, FakeApi, Step, bare, message, serving, text, thinking, use

MARK = {"cache_control": {"type": "ephemeral"}}
GOOD = text('{"found": ["a"]}')
SOON = {"retry-after-ms": "1"}


class Found(BaseModel):
    model_config = ConfigDict(extra="forbid")
    found: list[str]


class Drawers:
    """Tools over a few texts; ``list_files`` sleeps, ``search`` cannot read its repository."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.threads: set[int] = set()
        self.lock = threading.Lock()
        self.meeting: threading.Barrier | None = None

    def definitions(self, names: Sequence[str]) -> list[dict[str, Any]]:
        schema = {"type": "object", "properties": {"path": {"type": "string"}}, "additionalProperties": False}
        return [{"name": name, "description": name, "strict": True, "input_schema": schema} for name in names]

    def call(self, name: str, arguments: object) -> ToolResult:
        with self.lock:
            self.calls.append((name, arguments))
            self.threads.add(threading.get_ident())
        if self.meeting is not None:
            self.meeting.wait(5)
        if name == "search":
            raise RepositoryError("The object is missing.")
        if name == "list_files":
            time.sleep(0.5)
        if not isinstance(arguments, dict) or set(arguments) - {"path", "size"}:
            return ToolResult("Denied: the arguments are wrong.", denied=True)
        return ToolResult("x" * arguments["size"] if "size" in arguments else f"text of {arguments['path']}")


BOUNDS = Bounds(steps=6, output_tokens=1_000, context_tokens=20_000, usd=1.00, seconds=20.0)
SPEC = AgentSpec(
    name="security",
    model_tier="opus",
    effort="medium",
    prompt="security.md.j2",
    tools=("read_file", "search", "list_files"),
    answer=lambda: Found,
    bounds=BOUNDS,
)
PROMPT = Prompt(
    system=({"type": "text", "text": "rules", **MARK},),
    user=({"type": "text", "text": "the change", **MARK}, {"type": "text", "text": "the task"}),
)


class Played:
    """One run of the loop against a script, and all that it left behind."""

    def __init__(
        self,
        *script: Step,
        bounds: Bounds = BOUNDS,
        budget: float = 2.00,
        tools: Drawers | None = None,
        without_tools: bool = False,
        model: str = "claude-opus-5-5",
        hooks: Hooks = NO_HOOKS,
        names: tuple[str, ...] = SPEC.tools,
        fits: bool = True,
        counts: object = None,
    ) -> None:
        self.names, self.fits = names, fits
        self.hooks = hooks
        self.tools = tools or Drawers()
        self.ledger = Ledger(budget)
        self.journal = Journal()
        with serving(script, counts) as self.api:
            self.run = asyncio.run(self._play(bounds, None if without_tools else self.tools, model))
        assert self.api.faults == []

    async def _play(self, bounds: Bounds, tools: Drawers | None, model: str) -> Run:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=self.api.url)
        try:
            return await run_agent(
                replace(SPEC, bounds=bounds, tools=self.names),
                PROMPT,
                tools,
                claude,
                self.ledger,
                self.journal,
                model=model,
                hooks=HookCalls(self.hooks, self.journal),
                fits=self.fits,
            )
        finally:
            await claude.aclose()

    @property
    def end(self) -> tuple[Stop, int]:
        return self.run.stop, self.run.turns

    def results(self, request: int) -> list[Any]:
        """What the last turn of a request answered to the tool calls."""
        return [
            block["content"]
            for block in self.api.bodies[request]["messages"][-1]["content"]
            if block["type"] == "tool_result"
        ]

    def records(self, event: str) -> list[dict[str, Any]]:
        records = [json.loads(line) for line in self.journal.data().splitlines()]
        return [record for record in records if record["event"] == event]


def said(*blocks: dict[str, Any], **more: Any) -> Answer:
    return Answer(message(*blocks, **more))


def calls(*blocks: dict[str, Any], **more: Any) -> Answer:
    return Answer(message(thinking("c2ln"), *blocks, stop="tool_use", **more))


def reading(path: str) -> Callable[[dict[str, Any]], Answer]:
    """Asks for a file under an id of its own in each turn."""
    return lambda body: calls(use("read_file", f"toolu_{len(body['messages'])}", path=path))


def test_an_answer_at_once_is_done() -> None:
    played = Played(said(thinking("c2ln"), GOOD))
    assert played.end == (Stop.DONE, 1)
    assert played.run.answer == Found(found=["a"])
    assert played.run.usage == Usage(10, 5)
    assert played.run.usd == pytest.approx((10 * 4 + 5 * 20) / 1e6, abs=1e-12)
    assert played.ledger.spent_usd == pytest.approx(0.00014, abs=1e-12)
    assert (played.run.detail, played.run.error_code) == ("", "")


def test_tools_of_one_turn_run_side_by_side_and_answer_in_order() -> None:
    tools = Drawers()
    tools.meeting = threading.Barrier(3)
    turn = calls(*(use("read_file", f"toolu_{name}", path=name) for name in "abc"))
    played = Played(turn, said(GOOD), tools=tools)
    assert played.run.stop is Stop.DONE
    assert len(tools.threads) == 3
    assert played.results(1) == ["text of a", "text of b", "text of c"]
    assert (played.run.tool_calls, played.run.denied_calls) == (3, 0)


def test_the_blocks_of_the_model_go_back_unchanged() -> None:
    turn = [thinking("c2ln"), {"type": "new", "deep": [None, {"a": 1}]}, use("read_file", "t", path="a")]
    played = Played(said(*turn, stop="tool_use"), said(GOOD))
    assert played.api.bodies[1]["messages"][1] == {"role": "assistant", "content": turn}


def test_costs_add_up_over_the_turns_to_the_micro_dollar() -> None:
    usages: list[dict[str, int]] = [
        {"input_tokens": 7, "output_tokens": 300, "cache_creation_input_tokens": 2_000},
        {
            "input_tokens": 3,
            "output_tokens": 40,
            "cache_creation_input_tokens": 500,
            "cache_read_input_tokens": 2_000,
        },
    ]
    played = Played(calls(use("read_file", "t", path="a"), usage=usages[0]), said(GOOD, usage=usages[1]))
    dollars = (10 * 4.00 + 340 * 20.00 + 2_500 * 5.00 + 2_000 * 0.20) / 1e6
    assert played.run.usd == pytest.approx(dollars, abs=1e-9)
    assert played.ledger.spent_usd == pytest.approx(dollars, abs=1e-9)
    assert played.run.usage == Usage(10, 340, 2_000, 2_500)
    assert [record["usd"] for record in played.records("model_call")] == pytest.approx(
        [(7 * 4 + 300 * 20 + 2_000 * 5) / 1e6, (3 * 4 + 40 * 20 + 500 * 5 + 2_000 * 0.2) / 1e6], abs=1e-9
    )


def test_a_request_begins_with_the_bytes_of_the_one_before_and_marks_its_newest_turns() -> None:
    played = Played(reading("a"), reading("b"), reading("c"), said(GOOD))
    bodies = played.api.bodies
    for before, after in pairwise(bodies):
        for part in ("tools", "system", "output_config", "model", "max_tokens"):
            assert json.dumps(before[part]) == json.dumps(after[part])
        kept = json.dumps(bare(before["messages"]))[:-1]
        assert json.dumps(bare(after["messages"])).startswith(kept)
    marked = [
        [i for i, turn in enumerate(body["messages"]) if any("cache_control" in b for b in turn["content"])]
        for body in bodies
    ]
    # Two marks are in the prompt; the other two are on the newest user turns.
    assert marked == [[0], [0, 2], [0, 2, 4], [0, 4, 6]]
    assert ["cache_control" in block for block in bodies[0]["messages"][0]["content"]] == [True, True]
    assert ["cache_control" in block for block in bodies[2]["messages"][0]["content"]] == [True, False]


def test_an_agent_without_tools_pays_for_no_marks_of_its_own() -> None:
    played = Played(said(GOOD), without_tools=True)
    assert json.dumps(played.api.bodies[0]).count("cache_control") == 2
    assert "tools" not in played.api.bodies[0]


def test_the_same_call_again_is_answered_with_a_note_and_not_run() -> None:
    again = use("read_file", "t2", path="a")
    played = Played(
        calls(use("read_file", "t1", path="a"), again),
        calls(use("read_file", "t3", path="a"), use("read_file", "t4", path="b")),
        said(GOOD),
    )
    assert played.results(1) == ["text of a", REPEATED]
    assert played.results(2) == [REPEATED, "text of b"]
    assert len(played.tools.calls) == 2
    assert (played.run.tool_calls, played.run.denied_calls) == (4, 0)


def test_the_same_arguments_in_another_order_are_the_same_call() -> None:
    first, second = use("read_file", "t1", path="a", size=3), use("read_file", "t2", size=3, path="a")
    assert Played(calls(first, second), said(GOOD)).results(1) == ["xxx", REPEATED]


def test_an_unknown_tool_and_wrong_arguments_are_denied_and_counted() -> None:
    played = Played(
        calls(
            use("shell", "t1", command="rm"),
            use("read_file", "t2", colour="red"),
            use("read_file", "t3", path="a"),
        ),
        said(GOOD),
    )
    assert played.run.stop is Stop.DONE
    assert (played.run.tool_calls, played.run.denied_calls) == (3, 2)
    assert [name for name, _ in played.tools.calls] == ["read_file", "read_file"]
    results = played.api.bodies[1]["messages"][2]["content"]
    assert [result.get("is_error", False) for result in results] == [True, True, False]
    assert "read_file, search, list_files" in results[0]["content"]


def test_hooks_are_asked_first_then_what_is_denied_then_what_is_allowed() -> None:
    asked: list[str] = []

    def judge(call: ToolCall) -> str | None:
        asked.append(f"{call.tool} {call.risk}")
        return "not this one" if call.arguments.get("path") == "b.py" else None

    played = Played(
        calls(
            use("read_file", "t1", path="a.py"),
            use("read_file", "t2", path="b.py"),
            use("list_files", "t3", path="a.py"),
            use("rm", "t4", path="b.py"),
            use("rm", "t5", path="a.py"),
        ),
        said(GOOD),
        hooks=Hooks(before_tool=(judge,), deny=frozenset({"read_file", "list_files"})),
    )
    assert asked == ["read_file medium", "read_file medium", "list_files low", "rm high", "rm high"]
    results = played.results(1)
    assert [result.partition(".")[0] for result in results] == [
        "Denied: this tool may not be used in this run",
        "Denied: not this one",
        "Denied: this tool may not be used in this run",
        "Denied: not this one",
        "Denied: there is no such tool",
    ]
    assert [record["denied_by"] for record in played.records("tool_call")] == [
        "rule", "hook", "rule", "hook", "not_allowed",
    ]  # fmt: skip
    assert played.tools.calls == [] and played.run.denied_calls == 5


def test_a_tool_of_high_risk_is_never_run_although_the_agent_has_it() -> None:
    played = Played(calls(use("launch", "t1", path="a.py")), said(GOOD), names=("launch",))
    assert played.results(1) == ["Denied: this tool may not be used in this run."]
    assert played.tools.calls == []


def test_hooks_see_the_end_of_every_call_and_every_failure() -> None:
    ends: list[ToolEnd] = []
    failures: list[Failure] = []
    played = Played(
        calls(use("read_file", "t1", path="a.py"), use("search", "t2", path="a.py"), use("nothing", "t3")),
        Answer({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401),
        hooks=Hooks(after_tool=(ends.append,), failed=(failures.append,)),
    )
    assert played.run.stop is Stop.UNAVAILABLE
    by_tool = {end.call.tool: (end.bytes, end.denied) for end in ends}
    assert by_tool["read_file"] == (len("text of a.py"), False)
    assert by_tool["nothing"][1] is True
    assert ("tool", "RepositoryError") in [(failure.where, failure.code) for failure in failures]
    assert failures[-1].where == "model" and failures[-1].code == "bad_credentials"


def test_the_journal_says_what_a_result_will_cost_and_its_risk() -> None:
    played = Played(calls(use("read_file", "t1", path="a", size=3_000)), said(GOOD))
    [record] = played.records("tool_call")
    # 1,000 tokens written to the cache of Opus, at 5 dollars a million.
    assert (record["usd_estimated"], record["risk"], record["denied_by"]) == (0.005, "medium", "")
    new = "claude-new"
    unknown = Played(calls(use("read_file", "t1", path="a"), model=new), said(GOOD, model=new), model=new)
    assert unknown.records("tool_call")[0]["usd_estimated"] is None


def test_calls_of_an_agent_without_tools_are_all_denied() -> None:
    played = Played(calls(use("read_file", "t1", path="a")), said(GOOD), without_tools=True)
    assert (played.run.stop, played.run.denied_calls) == (Stop.DONE, 1)
    assert played.tools.calls == []


def test_a_flood_of_calls_in_one_turn_is_cut() -> None:
    flood = [use("read_file", f"t{i}", path=str(i)) for i in range(MAX_CALLS_A_TURN + 4)]
    played = Played(calls(*flood), said(GOOD))
    assert len(played.tools.calls) == MAX_CALLS_A_TURN
    assert played.run.denied_calls == 4


def test_a_tool_that_cannot_read_says_so_to_the_model() -> None:
    played = Played(calls(use("search", "t1", path="a")), said(GOOD))
    assert played.results(1) == ["The tool failed: The object is missing."]


def test_lone_surrogates_in_a_result_are_shown_and_an_empty_result_is_no_empty_block() -> None:
    class Odd(Drawers):
        def call(self, name: str, arguments: object) -> ToolResult:
            return ToolResult("" if arguments == {"path": "empty"} else "\ud800")

    played = Played(
        calls(use("read_file", "t1", path="a"), use("read_file", "t2", path="empty")), said(GOOD), tools=Odd()
    )
    assert played.results(1) == ["<U+D800>", "(empty)"]


def test_results_that_do_not_fit_are_left_out_and_may_be_asked_for_again() -> None:
    room = replace(BOUNDS, context_tokens=3_000)
    big = use("read_file", "t1", path="a", size=5_000)
    played = Played(
        calls(big, use("read_file", "t2", path="b", size=3_000)),
        calls(use("read_file", "t3", path="b", size=3_000), usage={"input_tokens": 100, "output_tokens": 5}),
        said(GOOD),
        bounds=room,
    )
    assert played.run.stop is Stop.DONE
    assert played.results(1) == ["x" * 5_000, LEFT_OUT]
    assert played.results(2) == ["x" * 3_000]


def test_an_invalid_answer_is_repaired_once_with_what_was_wrong() -> None:
    bad = text('{"found": "not a list", "verdict": "pass"}')
    played = Played(said(thinking("c2ln"), bad), said(GOOD))
    assert played.end == (Stop.DONE, 2)
    turns = played.api.bodies[1]["messages"]
    assert turns[1]["content"] == [thinking("c2ln"), bad]
    complaint = turns[2]["content"][0]["text"]
    assert "found: Input should be a valid" in complaint
    assert "verdict: Extra inputs are not permitted" in complaint
    assert "not a list" not in complaint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('{"found": []', "not JSON"),
        ("", "is empty"),
        ("All is well.", "not JSON"),
        ('{"found": [], "found": ["a"]}', "twice"),
        ('{"found": [NaN]}', "NaN"),
        ('{"found": [1]}', "found.0"),
        ("[" * 3_000, "nested too deeply"),
    ],
)
def test_an_answer_that_stays_invalid_also_with_more_effort_ends_as_invalid_and_is_charged(
    answer: str, words: str
) -> None:
    played = Played(said(text(answer)))
    assert played.end == (Stop.INVALID, 3)
    assert words in played.run.detail
    assert played.run.answer is None
    assert played.run.usd == pytest.approx(0.00042, abs=1e-9)
    assert [body["output_config"]["effort"] for body in played.api.bodies] == ["medium", "medium", "high"]


def test_two_invalid_answers_raise_the_effort_once_and_mark_the_run() -> None:
    played = Played(said(text("no")), said(text("no")), said(GOOD))
    assert played.end == (Stop.DONE, 3)
    assert (played.run.effort, played.run.degraded) == ("high", True)
    _, second, third = played.api.bodies
    assert bare(third["messages"])[:3] == bare(second["messages"])
    assert "did not validate" in third["messages"][-1]["content"][0]["text"]
    once = Played(said(text("no")), said(GOOD))
    assert (once.run.effort, once.run.degraded) == ("medium", False)


def test_the_effort_is_not_raised_where_that_cannot_be_paid_or_there_is_no_step_left() -> None:
    # Cold, a prompt of 4,000 tokens and 1,000 of output are $0.04 and more; $0.034 are spent by then.
    large = {"input_tokens": 4_000, "output_tokens": 50}
    for bounds, budget in (
        (replace(BOUNDS, steps=2), 2.00),
        (replace(BOUNDS, usd=0.07), 2.00),
        (BOUNDS, 0.07),
    ):
        played = Played(said(text("no"), usage=large), bounds=bounds, budget=budget)
        assert played.end == (Stop.INVALID, 2)
        assert not played.run.degraded


def test_what_was_cached_at_another_effort_is_reckoned_as_new() -> None:
    warm = {"input_tokens": 10, "output_tokens": 50, "cache_read_input_tokens": 12_000}
    played = Played(said(text("no"), usage=warm), bounds=replace(BOUNDS, usd=0.08))
    # A third call from the cache would be $0.03; cold it may cost $0.085.
    assert played.end == (Stop.INVALID, 2)


def test_an_invalid_answer_too_long_to_be_sent_back_ends_at_the_context_bound() -> None:
    played = Played(said(text('{"found": ["' + "x" * 100_000)))
    assert played.end == (Stop.TOKENS, 1)


def test_an_empty_answer_is_asked_for_again_unchanged() -> None:
    played = Played(said(), said(GOOD))
    assert played.end == (Stop.DONE, 2)
    assert played.api.raw[0] == played.api.raw[1]
    assert Played(said()).end == (Stop.INVALID, 3)


def test_an_empty_text_does_not_go_back_because_the_api_takes_none() -> None:
    played = Played(calls(text(""), use("read_file", "t1", path="a")), said(GOOD))
    assert [block["type"] for block in played.api.bodies[1]["messages"][1]["content"]] == [
        "thinking",
        "tool_use",
    ]
    assert Played(said(text(""))).end == (Stop.INVALID, 3)


def test_tool_calls_beside_an_invalid_final_answer_are_answered_in_the_repair() -> None:
    played = Played(said(text("so"), use("read_file", "t1", path="a")), said(GOOD))
    assert played.run.stop is Stop.DONE
    assert played.tools.calls == []
    assert [block["type"] for block in played.api.bodies[1]["messages"][2]["content"]] == [
        "tool_result",
        "text",
    ]


def test_a_cut_answer_is_asked_for_again_with_twice_the_room_from_the_same_prefix() -> None:
    played = Played(said(GOOD, stop="max_tokens"), said(GOOD))
    assert played.end == (Stop.DONE, 2)
    first, second = played.api.bodies
    assert (first.pop("max_tokens"), second.pop("max_tokens")) == (1_000, 2_000)
    assert first == second


def test_an_answer_that_is_cut_twice_is_never_taken_although_it_would_validate() -> None:
    played = Played(said(GOOD, stop="max_tokens"))
    assert played.end == (Stop.TOKENS, 2)
    assert played.run.answer is None
    assert "2,000 output tokens" in played.run.detail


def test_a_cut_answer_ends_on_dollars_where_a_longer_one_cannot_be_paid() -> None:
    # 1,000 output tokens are $0.02 of Opus; twice that and the prompt are more than the limit.
    played = Played(said(GOOD, stop="max_tokens"), bounds=replace(BOUNDS, usd=0.03))
    assert played.end == (Stop.USD, 1)


def test_a_paused_turn_goes_on_from_where_it_was() -> None:
    with serving([said(text("wait"), stop="pause_turn"), said(GOOD)]) as api:
        run = asyncio.run(_paused(api))
    assert (run.stop, run.turns) == (Stop.DONE, 2)
    assert api.bodies[1]["messages"][1:] == [{"role": "assistant", "content": [text("wait")]}]


async def _paused(api: FakeApi) -> Run:
    claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=api.url)
    try:
        return await run_agent(SPEC, PROMPT, None, claude, Ledger(1.00), Journal(), model="claude-opus-5-5")
    finally:
        await claude.aclose()


def test_endless_tool_calls_end_at_the_steps_after_a_warning() -> None:
    def endless(body: dict[str, Any]) -> Answer:
        return calls(use("read_file", f"t{len(body['messages'])}", path=str(len(body["messages"]))))

    played = Played(endless)
    assert played.end == (Stop.STEPS, 6)
    assert len(played.api.bodies) == 6
    warned = [json.dumps(body).count(LAST_TURN) for body in played.api.bodies]
    assert warned == [0, 0, 0, 0, 0, 1]
    assert played.run.usd == pytest.approx(6 * 0.00014, abs=1e-9)


def test_the_model_is_told_to_answer_before_its_context_is_full() -> None:
    full = {"input_tokens": 18_980, "output_tokens": 5}
    played = Played(calls(use("read_file", "t1", path="a"), usage=full), said(GOOD))
    assert played.run.stop is Stop.DONE
    assert LAST_TURN in played.api.raw[1].decode()


def test_the_model_is_told_to_answer_before_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        late = 0.0

        def monotonic(self) -> float:
            return time.monotonic() + self.late

    class Slow(Drawers):
        def call(self, name: str, arguments: object) -> ToolResult:
            clock.late += 8.2
            return super().call(name, arguments)

    clock = Clock()
    monkeypatch.setattr("reviewbot.agents.conversation.loop.time", clock)
    played = Played(reading("a"), reading("b"), said(GOOD), tools=Slow())
    assert played.run.stop is Stop.DONE
    assert [LAST_TURN in data.decode() for data in played.api.raw] == [False, False, True]


def test_what_is_cached_is_not_reckoned_as_new_for_the_task() -> None:
    # $0.06 are spent; cold, the next call may cost $0.095, from the cache $0.023.
    large = {"input_tokens": 15_000, "output_tokens": 0}
    played = Played(
        calls(use("read_file", "t1", path="a"), usage=large), said(GOOD), bounds=replace(BOUNDS, usd=0.12)
    )
    assert played.run.stop is Stop.DONE


def test_a_prompt_over_the_context_bound_is_not_sent() -> None:
    played = Played(said(GOOD), bounds=replace(BOUNDS, context_tokens=400))
    assert played.end == (Stop.TOKENS, 0)
    assert played.api.bodies == []
    assert "400 are allowed" in played.run.detail
    assert played.run.usd == 0


def test_where_an_estimate_would_refuse_a_prompt_it_is_counted_once_and_sent_if_it_fits() -> None:
    bounds = replace(BOUNDS, context_tokens=400)
    played = Played(said(GOOD), bounds=bounds, counts=300)
    assert played.end == (Stop.DONE, 1)
    [counted], [asked] = played.api.counted, played.api.bodies
    assert counted == {key: value for key, value in asked.items() if key != "max_tokens"}
    [line] = played.records("tokens_counted")
    assert line["counted"] == 300 < 400 < line["estimated"]
    again = Played(reading("a.py" * 200), said(GOOD), bounds=bounds, counts=300)
    assert again.end == (Stop.TOKENS, 1)
    assert len(again.api.counted) == 1


@pytest.mark.parametrize("counts", [None, 397, 10_000, 0, -1, "300", True, 1.5])
def test_a_prompt_that_is_counted_over_the_bound_or_not_counted_at_all_is_not_sent(counts: object) -> None:
    played = Played(said(GOOD), bounds=replace(BOUNDS, context_tokens=400), counts=counts)
    assert played.end == (Stop.TOKENS, 0)
    assert (len(played.api.counted), played.api.bodies) == (1, [])


def test_no_count_is_asked_for_where_none_could_be_believed_to_fit() -> None:
    far = Played(said(GOOD), bounds=replace(BOUNDS, context_tokens=100), counts=1)
    assert (far.end, far.api.counted) == ((Stop.TOKENS, 0), [])
    poor = Played(said(GOOD), budget=0.001, counts=1)
    assert (poor.end, poor.api.counted) == ((Stop.USD, 0), [])


def test_where_an_estimate_is_too_dear_the_prompt_is_counted_before_the_task_ends() -> None:
    # At worst 900 tokens and a quarter of the output are $0.0095; 300 tokens and that are $0.0065.
    assert Played(said(GOOD), budget=0.008, without_tools=True).end == (Stop.USD, 0)
    played = Played(said(GOOD), budget=0.008, without_tools=True, counts=300)
    assert played.end == (Stop.DONE, 1)
    assert len(played.api.counted) == 1
    assert 250 <= played.api.bodies[0]["max_tokens"] < 1_000
    plenty = Played(said(GOOD), counts=300)
    assert (plenty.end, plenty.api.counted) == ((Stop.DONE, 1), [])


def test_tools_are_offered_where_a_count_shows_that_a_second_call_can_be_paid() -> None:
    assert "tools" not in Played(said(GOOD), budget=0.026).api.bodies[0]
    played = Played(said(GOOD), budget=0.026, counts=300)
    assert "tools" in played.api.bodies[0]
    assert len(played.api.counted) == 1


def test_a_conversation_ends_where_the_next_prompt_would_pass_the_bound() -> None:
    grown = {"input_tokens": 19_990, "output_tokens": 5}
    played = Played(calls(use("read_file", "t1", path="a"), usage=grown))
    assert played.end == (Stop.TOKENS, 1)
    assert played.results(0) == []


def test_where_money_is_short_a_call_is_allowed_less_output_down_to_a_quarter() -> None:
    # The prompt of some 900 tokens costs 0.0045 at worst, 1,000 tokens of output 0.02.
    played = Played(said(GOOD), budget=0.0175, without_tools=True)
    assert played.end == (Stop.DONE, 1)
    [body] = played.api.bodies
    assert 250 < body["max_tokens"] < 1_000
    assert played.records("model_call")[0]["max_tokens"] == body["max_tokens"]
    assert Played(said(GOOD), budget=0.005, without_tools=True).end == (Stop.USD, 0)


def test_an_answer_cut_at_the_smaller_bound_is_not_asked_again_with_no_more_room() -> None:
    played = Played(said(GOOD, stop="max_tokens"), budget=0.0175, without_tools=True)
    assert played.end == (Stop.USD, 1)


def test_a_run_with_money_for_one_call_only_asks_for_the_answer_at_once_without_tools() -> None:
    short = Played(said(GOOD), budget=0.017)
    assert short.end == (Stop.DONE, 1)
    [body] = short.api.bodies
    assert "tools" not in body
    content = body["messages"][0]["content"]
    assert [block["text"] for block in content] == ["the change", "the task", AT_ONCE]
    assert not any("cache_control" in block for block in content)
    plenty = Played(said(GOOD), budget=0.10).api.bodies[0]
    assert "tools" in plenty and "cache_control" in plenty["messages"][0]["content"][0]


def test_the_last_turn_that_the_run_can_pay_is_told_so() -> None:
    used = {"input_tokens": 1_000, "output_tokens": 500}
    played = Played(calls(use("read_file", "t1", path="a"), usage=used), said(GOOD), budget=0.038)
    assert played.end == (Stop.DONE, 2)
    assert played.api.bodies[1]["messages"][-1]["content"][-1]["text"] == LAST_TURN
    rich = Played(calls(use("read_file", "t1", path="a"), usage=used), said(GOOD), budget=0.50)
    assert LAST_TURN not in str(rich.api.bodies[1]["messages"])


def test_a_call_that_the_run_cannot_pay_is_not_made() -> None:
    played = Played(said(GOOD), budget=0.001)
    assert played.end == (Stop.USD, 0)
    assert "run's budget of $0.00" in played.run.detail
    assert played.api.bodies == []


def test_a_task_stops_at_its_own_dollars_and_keeps_the_count() -> None:
    dear = {"input_tokens": 10, "output_tokens": 1_000}
    played = Played(
        *(calls(use("read_file", f"t{i}", path=str(i)), usage=dear) for i in range(6)),
        bounds=replace(BOUNDS, usd=0.06),
    )
    assert played.end == (Stop.USD, 2)
    assert played.run.usd == pytest.approx(2 * 0.02004, abs=1e-9)
    assert [LAST_TURN in data.decode() for data in played.api.raw] == [False, True]


def test_a_model_that_is_slower_than_the_task_ends_on_seconds() -> None:
    gate = threading.Event()
    try:
        played = Played(Answer(message(GOOD), wait=gate), bounds=replace(BOUNDS, seconds=0.3))
    finally:
        gate.set()
    assert played.end == (Stop.SECONDS, 1)
    assert played.run.usd is None
    assert not played.ledger.is_complete


def test_a_tool_that_is_slower_than_the_task_ends_on_seconds_and_the_call_stays_charged() -> None:
    played = Played(calls(use("list_files", "t1", path="a")), bounds=replace(BOUNDS, seconds=0.3))
    assert played.end == (Stop.SECONDS, 1)
    assert played.run.usd == pytest.approx(0.00014, abs=1e-9)


LIMIT = {"type": "error", "error": {"type": "rate_limit_error", "message": "x", "details": {"error_code": "enforced_spend_limit_reached"}}}  # fmt: skip
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "model"}}
TOO_LONG = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long"}}


@pytest.mark.parametrize(
    ("answer", "stop", "code", "requests", "usd"),
    [
        (Answer(b"", 529, SOON), Stop.UNAVAILABLE, "provider_outage", 3, 0.0),
        (Answer(b"", 500, SOON), Stop.UNAVAILABLE, "provider_outage", 3, 0.0),
        (Answer(b"", 429, SOON), Stop.UNAVAILABLE, "rate_limit", 3, 0.0),
        (Answer(b"", 429, {"retry-after": "3600"}), Stop.UNAVAILABLE, "rate_limit", 1, 0.0),
        (Answer(LIMIT, 429), Stop.UNAVAILABLE, "spend_limit", 1, 0.0),
        (Answer(b"", 402), Stop.UNAVAILABLE, "spend_limit", 1, 0.0),
        (Answer(b"", 401), Stop.UNAVAILABLE, "bad_credentials", 1, 0.0),
        (Answer(NOT_FOUND, 404), Stop.UNAVAILABLE, "unknown_model", 1, 0.0),
        (Answer(b"", 413), Stop.CONTEXT, "context", 1, 0.0),
        (Answer(TOO_LONG, 400), Stop.CONTEXT, "context", 1, 0.0),
        (Answer(b"", 400), Stop.INVALID, "bad_request", 1, 0.0),
        (Answer(cut=True), Stop.UNAVAILABLE, "provider_outage", 3, None),
        (Answer(b"<html>ok</html>"), Stop.INVALID, "invalid_answer", 1, None),
        (Answer(b'{"type": "mess'), Stop.INVALID, "invalid_answer", 1, None),
        (said(GOOD, stop=None), Stop.INVALID, "invalid_answer", 1, 0.00014),
        (said(GOOD, model="claude-haiku-5-5"), Stop.INVALID, "invalid_answer", 1, 0.0000035),
        (said(GOOD, stop="refusal", stop_details={"category": "cyber"}), Stop.REFUSED, "", 1, 0.00014),
        (said(GOOD, stop="model_context_window_exceeded"), Stop.CONTEXT, "context", 1, 0.00014),
        (said(GOOD, stop="of_tomorrow"), Stop.INVALID, "", 1, 0.00014),
        (said(GOOD, stop="tool_use"), Stop.INVALID, "", 1, 0.00014),
        (said(stop="pause_turn"), Stop.INVALID, "", 1, 0.00014),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["at first", "after a tool turn"])
def test_every_fault_has_its_end_its_code_and_its_charge(
    answer: Answer, stop: Stop, code: str, requests: int, usd: float | None, later: bool
) -> None:
    before: list[Step] = [calls(use("read_file", "t1", path="a"))] if later else []
    played = Played(*before, answer)
    assert played.run.answer is None
    assert (played.run.stop, played.run.error_code) == (stop, code)
    assert played.run.detail.endswith(".")
    assert len(played.api.bodies) == requests + later
    known = 0.00014 * later + (usd or 0.0)
    assert played.ledger.spent_usd == pytest.approx(known, abs=1e-9)
    assert played.ledger.is_complete is (usd is not None)
    assert played.run.usd == (None if usd is None else pytest.approx(known, abs=1e-9))
    last = played.records("model_call")[-1]
    assert last["error"] == code or last["stop_reason"]


def test_a_lost_attempt_before_a_good_answer_makes_the_cost_unknown_and_keeps_the_answer() -> None:
    played = Played(Answer(cut=True), said(GOOD))
    assert played.run.stop is Stop.DONE
    assert played.run.usd is None
    assert played.ledger.spent_usd == pytest.approx(0.00014, abs=1e-9)
    assert not played.ledger.is_complete
    assert played.ledger.left_usd < 2.00 - 0.02


def test_a_lost_attempt_before_an_unusable_answer_leaves_nothing_known() -> None:
    played = Played(Answer(cut=True), said(GOOD, stop=None))
    assert (played.run.stop, played.run.usd, played.ledger.spent_usd) == (Stop.INVALID, None, 0)


def test_a_model_without_a_price_runs_and_its_cost_is_unknown() -> None:
    played = Played(said(GOOD, model="claude-of-tomorrow"), model="claude-of-tomorrow")
    assert (played.run.stop, played.run.usd) == (Stop.DONE, None)
    assert played.run.usage == Usage(10, 5)
    assert not played.ledger.is_complete


def test_an_interrupted_call_may_have_been_charged_and_holds_nothing_open() -> None:
    gate = threading.Event()
    ledger = Ledger(1.00)

    async def interrupted(api: FakeApi) -> None:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=api.url)
        task = asyncio.create_task(
            run_agent(SPEC, PROMPT, None, claude, ledger, Journal(), model="claude-opus-5-5")
        )
        while not api.bodies:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await claude.aclose()

    with serving([Answer(message(GOOD), wait=gate)]) as api:
        asyncio.run(interrupted(api))
    assert not ledger.is_complete
    assert ledger.spent_usd == 0
    assert ledger.left_usd < 0.98


def test_agents_side_by_side_cannot_overspend_together() -> None:
    ledger = Ledger(0.05)

    async def three(api: FakeApi) -> list[Run]:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=api.url)
        try:
            return await asyncio.gather(
                *(
                    run_agent(SPEC, PROMPT, None, claude, ledger, Journal(), model="claude-opus-5-5")
                    for _ in range(3)
                )
            )
        finally:
            await claude.aclose()

    # Each call may cost $0.02 for its output and a little for its prompt: two fit, a third does not.
    with serving([Answer(message(GOOD, usage={"input_tokens": 0, "output_tokens": 1_000}))]) as api:
        runs = asyncio.run(three(api))
    assert sorted(run.stop for run in runs) == [Stop.DONE, Stop.DONE, Stop.USD]
    assert ledger.spent_usd == pytest.approx(0.04, abs=1e-9)


def test_the_journal_counts_and_names_but_holds_no_content() -> None:
    played = Played(
        calls(use("read_file", "t1", path="src/a.py", secret="needle-in-arguments")),
        calls(use("read_file", "t2", path="src/b.py")),
        said(text('{"found": ["needle-in-answer"]}')),
    )
    lines = played.journal.data().decode()
    assert not any(word in lines for word in ("needle", "the change", "text of", "rules"))
    request = played.records("model_call")[0]
    assert request["bytes"] == len(played.api.raw[0])
    assert {
        name: request[name] for name in ("agent", "model", "turn", "request_id", "stop_reason", "input")
    } == {
        "agent": "security",
        "model": "claude-opus-5-5",
        "turn": 1,
        "request_id": "req_1",
        "stop_reason": "tool_use",
        "input": 10,
    }
    denied, read = played.records("tool_call")
    assert (denied["arguments"], denied["paths"], denied["denied"]) == (
        ["path", "secret"],
        ["src/a.py"],
        True,
    )
    assert (read["tool"], read["bytes"], read["denied"]) == ("read_file", len("text of src/b.py"), False)


def test_where_requests_do_not_fit_themselves_to_the_money_they_are_the_same_or_not_made() -> None:
    budgets = (0.02, 0.03, 0.05, 0.07, 2.00)

    def bodies(budget: float, *, fits: bool) -> list[Any]:
        return Played(reading("a.py"), said(GOOD), budget=budget, fits=fits).api.bodies

    fitted = [bodies(budget, fits=True) for budget in budgets]
    fixed = [bodies(budget, fits=False) for budget in budgets]
    whole = fixed[-1]
    assert len(whole) == 2
    assert {len(each) for each in fixed} == {0, 2}
    assert all(each == whole[: len(each)] for each in fixed)
    assert not all(each == whole[: len(each)] for each in fitted)
