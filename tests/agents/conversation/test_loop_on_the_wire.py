"""The loop against the scripted model, which counts tokens, caches and dollars as the real API does."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reviewbot.agents.api.claude import connect
from reviewbot.agents.conversation.loop import Prompt, run_agent
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.spec import SPECS, AgentSpec
from reviewbot.claims import Stop
from reviewbot.journal import Journal
from reviewbot.spend.budget import Ledger
from reviewbot.spend.prices import MODELS
from reviewbot.testing import FAULTS, ScriptedModel, ToolCall, Turn
from tests.agents.conversation.test_loop import SPEC, Drawers

MARK = {"cache_control": {"type": "ephemeral"}}
PROMPT = Prompt(
    system=({"type": "text", "text": "Follow the rules of the house. " * 80, **MARK},),
    user=(
        {"type": "text", "text": "line of the change\n" * 200, **MARK},
        {"type": "text", "text": "Look at it. " * 30},
    ),
)
ANSWER = json.dumps({"found": ["a"]})


def reads_four_times(body: Mapping[str, Any]) -> Turn:
    turn = len(body["messages"]) // 2
    if turn == 4:
        return Turn(ANSWER, "enough")
    # More than 20 blocks between two marks in one of the turns, which is as far as a cache looks back.
    many = 12 if turn == 2 else 2
    return Turn(
        thinking="more", calls=tuple(ToolCall("read_file", {"path": f"{turn}-{i}"}) for i in range(many))
    )


def play(
    model: ScriptedModel,
    ledger: Ledger,
    *,
    tier: str = "claude-opus-5-5",
    tools: bool = True,
    spec: AgentSpec = SPEC,
) -> Run:
    async def run() -> Run:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=model.base_url)
        try:
            toolbox = Drawers() if tools else None
            return await run_agent(spec, PROMPT, toolbox, claude, ledger, Journal(), model=tier)
        finally:
            await claude.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("tier", ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"])
def test_every_byte_of_a_request_is_a_cache_read_of_the_next_and_the_ledger_knows_the_bill(tier: str) -> None:
    ledger = Ledger(2.00)
    with ScriptedModel(reads_four_times) as model:
        run = play(model, ledger, tier=tier)
        assert model.refused == []
        served = model.requests
    assert (run.stop, run.turns, run.tool_calls) == (Stop.DONE, 5, 18)
    usages = [one.usage for one in served]
    prompts = [
        usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
        for usage in usages
    ]
    assert [usage["cache_read_input_tokens"] for usage in usages[1:]] == prompts[:-1]
    assert ledger.spent_usd == pytest.approx(sum(one.usd for one in served), abs=1e-9)
    assert run.usd == pytest.approx(ledger.spent_usd, abs=1e-9)
    assert ledger.is_complete


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_no_fault_of_the_way_becomes_an_answer_or_an_untold_cost(fault: str) -> None:
    ledger = Ledger(2.00)
    # The first call is good and charged, so that there is something to keep.
    with ScriptedModel(reads_four_times, faults={lambda body: len(body["messages"]) > 1: fault}) as model:
        run = play(model, ledger)
        assert model.refused == []
        served = model.requests
    assert run.answer is None
    assert run.stop in (Stop.UNAVAILABLE, Stop.INVALID, Stop.CONTEXT)
    assert run.detail
    billed = sum(one.usd for one in served)
    if ledger.is_complete:
        assert ledger.spent_usd == pytest.approx(billed, abs=1e-9)
        assert run.usd == pytest.approx(billed, abs=1e-9)
    else:
        # What cannot be known stays held: the bill is inside what the ledger no longer gives out.
        assert run.usd is None
        assert ledger.spent_usd <= billed <= ledger.limit_usd - ledger.left_usd


@pytest.mark.parametrize(
    ("behaviour", "stop"), [("refuser", Stop.REFUSED), ("truncator", Stop.TOKENS), ("invalid", Stop.INVALID)]
)
@pytest.mark.parametrize("agent", sorted(SPECS))
def test_a_model_that_goes_wrong_ends_no_agent_as_done(behaviour: str, stop: Stop, agent: str) -> None:
    spec = replace(SPECS[agent], tools=())
    ledger = Ledger(5.00)

    async def run() -> Run:
        claude = connect({"ANTHROPIC_API_KEY": "key"}, base_url=model.base_url)
        try:
            return await run_agent(
                spec, PROMPT, None, claude, ledger, Journal(), model=MODELS[spec.model_tier]
            )
        finally:
            await claude.aclose()

    with ScriptedModel(behaviour) as model:
        end = asyncio.run(run())
        assert model.refused == []
        billed = sum(one.usd for one in model.requests)
    assert (end.stop, end.answer) == (stop, None)
    assert ledger.spent_usd == pytest.approx(billed, abs=1e-9)


def test_a_prompt_that_only_an_estimate_puts_over_the_bound_is_counted_and_sent() -> None:
    with ScriptedModel(lambda body: Turn(ANSWER)) as model:
        play(model, Ledger(2.00))
        usage = model.requests[0].usage
    prompt = sum(usage[f"{kind}input_tokens"] for kind in ("", "cache_creation_", "cache_read_"))
    bounds = replace(SPEC.bounds, context_tokens=prompt + prompt // 40)
    with ScriptedModel(lambda body: Turn(ANSWER)) as model:
        run = play(model, Ledger(2.00), spec=replace(SPEC, bounds=bounds))
        assert model.refused == []
        assert (run.stop, len(model.counted), len(model.requests)) == (Stop.DONE, 1, 1)
    tight = replace(SPEC.bounds, context_tokens=prompt)
    with ScriptedModel(lambda body: Turn(ANSWER)) as model:
        run = play(model, Ledger(2.00), spec=replace(SPEC, bounds=tight))
        assert (run.stop, len(model.counted), len(model.requests)) == (Stop.TOKENS, 1, 0)
