"""Old tool results that are cleared, over a real socket, by a model that clears as the API documents it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest

from reviewbot.agents.api.claude import CONTEXT_EDITING, connect
from reviewbot.agents.api.lifecycle import Lifecycles
from reviewbot.agents.api.model_facts import ModelFacts
from reviewbot.agents.conversation.clearing import CLEARED, FAILURES, KEPT, Clearing, OldResults
from reviewbot.agents.conversation.loop import LAST_TURN, run_agent
from reviewbot.agents.conversation.run import Run
from reviewbot.claims import Stop
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.progress import Progress
from reviewbot.request import Request
from reviewbot.spend.budget import Ledger
from reviewbot.testing import BEHAVIOURS, Fault, ScriptedModel, ToolCall, Turn
from reviewbot.testing.clearing import CLEARED_TEXT
from reviewbot.testing.exchange import Served
from reviewbot.testing.faults import Faults
from tests.agents.conversation.test_loop import SPEC, Drawers
from tests.agents.conversation.test_loop_on_the_wire import ANSWER, PROMPT
from tests.repositories import Sandbox

MODEL = "claude-opus-5-5"
ABLE = ModelFacts("active", "", structured_outputs=True, efforts=None, clears_tool_uses=True)
WINDOW = 40_000
SMALL = replace(SPEC, bounds=replace(SPEC.bounds, context_tokens=WINDOW, steps=16, usd=5.00))
FILES = 12


def reads_until_told(body: Mapping[str, Any]) -> Turn:
    """One more file each turn, until this is the last turn or all were read."""
    turn = len(body["messages"]) // 2
    if turn == FILES or LAST_TURN in json.dumps(body["messages"][-1], ensure_ascii=False):
        return Turn(ANSWER, "enough")
    arguments = {"path": f"file-{turn}", "size": 12_000}
    return Turn(thinking="more", calls=(ToolCall("read_file", arguments),))


class Shelves(Drawers):
    """Drawers whose tool takes a size, too."""

    def definitions(self, names: Any) -> list[dict[str, Any]]:
        """The same with one more property."""
        tools = super().definitions(names)
        for tool in tools:
            tool["input_schema"] = {
                "type": "object",
                "properties": {"path": {"type": "string"}, "size": {"type": "integer"}},
                "additionalProperties": False,
            }
        return tools


def play(
    model: ScriptedModel, ledger: Ledger, clearing: Clearing | None, journal: Journal | None = None
) -> Run:
    async def run() -> Run:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=model.base_url)
        try:
            return await run_agent(
                SMALL, PROMPT, Shelves(), claude, ledger, journal or Journal(), model=MODEL, clearing=clearing
            )
        finally:
            await claude.aclose()

    return asyncio.run(run())


def able() -> Clearing:
    clearing = Clearing()
    clearing.learn(MODEL, ABLE)
    return clearing


def prompt_tokens(served: Served) -> int:
    usage = served.usage
    return int(
        usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    )


def kept(served: Served) -> int:
    edits = served.body.get("context_management", {"edits": []})["edits"]
    return edits[0]["keep"]["value"] if edits else 0


def test_a_full_window_is_cleared_and_the_task_reads_on_within_its_bound_and_its_bill() -> None:
    ledger = Ledger(5.00)
    journal = Journal()
    with ScriptedModel(reads_until_told, clears=True) as model:
        run = play(model, ledger, able(), journal)
        assert model.refused == []
        served = model.requests
    assert (run.stop, run.tool_calls) == (Stop.DONE, FILES)
    assert max(map(prompt_tokens, served)) <= WINDOW
    edited = [one for one in served if kept(one)]
    assert 0 < len(edited) < len(served)
    assert [one.headers.get("anthropic-beta", "") for one in served] == [
        CONTEXT_EDITING if kept(one) else "" for one in served
    ]
    # What was cleared stays so: one result more is kept each turn, until the window is full again.
    counts = [kept(one) for one in edited]
    assert counts[0] == KEPT
    assert all(after in (before + 1, KEPT) for before, after in pairwise(counts))
    assert CLEARED in json.dumps(edited[0].body["messages"][-1], ensure_ascii=False)
    assert ledger.spent_usd == pytest.approx(sum(one.usd for one in served), abs=1e-9)
    lines = [json.loads(line) for line in journal.data().splitlines()]
    told = [line["cleared"] for line in lines if line["event"] == "model_call"]
    assert [bool(tokens) for tokens in told] == [bool(kept(one)) for one in served]


def test_after_a_clearing_the_cache_holds_again() -> None:
    with ScriptedModel(reads_until_told, clears=True) as model:
        play(model, Ledger(5.00), able())
        served = model.requests
    first = next(place for place, one in enumerate(served) if kept(one))
    before, after = served[first : first + 2]
    assert before.usage["cache_read_input_tokens"] < prompt_tokens(served[first - 1])
    assert after.usage["cache_read_input_tokens"] == prompt_tokens(before)


def test_a_model_that_is_not_known_to_clear_is_asked_for_its_answer_instead() -> None:
    with ScriptedModel(reads_until_told, clears=True) as model:
        run = play(model, Ledger(5.00), Clearing())
        served = model.requests
    assert run.stop is Stop.DONE
    assert 0 < run.tool_calls < FILES
    assert not any(kept(one) for one in served)
    assert LAST_TURN in json.dumps(served[-1].body["messages"][-1], ensure_ascii=False)


def test_where_money_is_short_nothing_is_written_to_the_cache_again() -> None:
    with ScriptedModel(reads_until_told, clears=True) as model:
        run = play(model, Ledger(0.41), able())
        served = model.requests
    assert (run.stop, run.tool_calls) == (Stop.DONE, 8)
    assert not any(kept(one) for one in served)


def test_a_request_that_is_refused_with_it_is_sent_without_and_the_third_is_the_last() -> None:
    clearing = able()
    # The provider says that it can, and takes it from nobody.
    with ScriptedModel(reads_until_told, clears=False) as model:
        for number in range(FAILURES + 1):
            ledger = Ledger(5.00)
            run = play(model, ledger, clearing)
            assert run.stop is Stop.DONE, run.detail
            assert len(model.refused) == min(number + 1, FAILURES)
            assert ledger.is_complete
    assert not clearing.offers(MODEL)
    assert all("context_management" in text for text in model.refused)


def test_a_refusal_after_it_worked_ends_the_task_honestly() -> None:
    edited = {"left": 2}

    def fails_later(body: Mapping[str, Any]) -> bool:
        edited["left"] -= "context_management" in body
        return edited["left"] < 0

    faults: Faults = {
        fails_later: Fault(status=400, kind="invalid_request_error", message="edits are off today")
    }
    with ScriptedModel(reads_until_told, clears=True, faults=faults) as model:
        run = play(model, Ledger(5.00), able())
    assert run.stop is Stop.INVALID
    assert "edits are off today" in run.detail
    assert run.answer is None


def result(size: int) -> dict[str, str]:
    return {"type": "tool_result", "tool_use_id": "a", "content": "x" * size}


def test_an_answer_that_cleared_nothing_counts_as_a_failure_and_ends_the_asking() -> None:
    clearing = able()
    for _ in range(FAILURES):
        old = OldResults(clearing, MODEL)
        for _ in range(KEPT + 1):
            old.add([result(40_000)])
        assert old.can_clear_more()
        old.clear_more()
        assert old.kept == KEPT
        old.note(0)
        assert old.kept == 0
    assert not clearing.offers(MODEL)


def test_all_results_of_the_newest_turn_stay_however_many() -> None:
    old = OldResults(able(), MODEL)
    old.add([result(40_000)])
    old.add([*[result(40_000)] * (KEPT + 2), {"type": "text", "text": "a note"}])
    assert old.can_clear_more()
    old.clear_more()
    assert old.kept == KEPT + 2


def test_a_few_small_results_are_not_worth_it() -> None:
    old = OldResults(able(), MODEL)
    for _ in range(KEPT + 4):
        old.add([result(1_000)])
    assert not old.can_clear_more()


@pytest.mark.parametrize("clears", [True, False])
def test_what_the_provider_says_of_its_models_decides(clears: bool) -> None:
    clearing = Clearing()

    async def run() -> None:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=model.base_url)
        try:
            lifecycles = Lifecycles(claude, {MODEL: ["security"]}, Journal(), clearing.learn)
            for _ in range(100):
                await asyncio.sleep(0.05)
                if clearing.offers(MODEL):
                    break
                if not clears and model_was_asked():
                    break
            await lifecycles.end()
        finally:
            await claude.aclose()

    with ScriptedModel(clears=clears) as model:
        asked: list[bool] = []

        def model_was_asked() -> bool:
            asked.append(True)
            return len(asked) > 20

        asyncio.run(run())
    assert clearing.offers(MODEL) is clears


def test_the_model_sees_that_something_was_there() -> None:
    seen: list[str] = []

    def look(body: Mapping[str, Any]) -> Turn:
        seen.append(json.dumps(body["messages"], ensure_ascii=False))
        return reads_until_told(body)

    with ScriptedModel(look, clears=True) as model:
        play(model, Ledger(5.00), able())
    assert CLEARED_TEXT in seen[-1]
    assert CLEARED_TEXT not in seen[0]


def reads_a_large_file(body: Mapping[str, Any]) -> Turn:
    """Nothing is risky for triage; security reads the large file from its start, 300 lines a turn."""
    turn = len(body["messages"]) // 2
    told = json.dumps(body["messages"][-1], ensure_ascii=False)
    if not body.get("tools") or turn == 14 or LAST_TURN in told:
        return BEHAVIOURS["skipper"](body)
    arguments = {"path": "large.py", "side": "head", "start_line": 1 + 150 * turn, "max_lines": 150}
    return Turn(thinking="more", calls=(ToolCall("read_file", arguments),))


@pytest.mark.parametrize("clears", [True, False])
def test_a_review_reads_further_with_a_model_that_clears(sandbox: Sandbox, clears: bool) -> None:
    line = "value = compute(first_argument, second_argument, third_argument)  # as before\n"
    base = sandbox.commit({"large.py": line * 2_200})
    head = sandbox.commit({"large.py": "import os\nos.system(input())\n" + line * 2_200})
    with ScriptedModel(reads_a_large_file, clears=clears, latency_seconds=0.1) as model:
        request = Request(
            folder=sandbox.folder,
            base=base,
            head=head,
            environment={"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url},
        )
        made = review_change(request, Journal(), Progress(StringIO()).step)
        assert model.refused == []
        edited = [served for served in model.requests if kept(served)]
    (security,) = [outcome for outcome in made.outcomes if outcome.task.agent == "security"]
    assert security.stop is Stop.DONE, security.detail
    assert bool(edited) is clears
    assert (security.tool_calls == 14) is clears
    assert round(made.cost_usd, 6) == round(float(model.usd), 6)
