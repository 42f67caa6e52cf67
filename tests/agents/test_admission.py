import asyncio
from dataclasses import replace

import pytest

from reviewbot.agents.admission import OUTAGES, TRIAL_SECONDS, Admission, Warmth
from reviewbot.agents.api.claude import Ask, Reply
from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.delivery import SIDE_BY_SIDE
from reviewbot.agents.spec import SPECS
from reviewbot.claims import Stop
from reviewbot.spend.budget import Ledger

SPEC = SPECS["security"]
OUTAGE = Run(stop=Stop.UNAVAILABLE, detail="The provider did not answer.", error_code="provider_outage")


def most_side_by_side(budget_usd: float) -> int:
    async def run() -> int:
        admission = Admission(Ledger(budget_usd))
        running = most = 0

        async def task() -> None:
            nonlocal running, most
            await admission.enter(SPEC)
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            await admission.leave()

        await asyncio.gather(*(task() for _ in range(9)))
        return most

    return asyncio.run(run())


def test_at_most_four_tasks_run_side_by_side_and_fewer_where_money_is_short() -> None:
    share = SPEC.bounds.usd / 2
    assert most_side_by_side(100) == SIDE_BY_SIDE
    assert most_side_by_side(2.5 * share) == 2
    assert most_side_by_side(0) == 1


@pytest.mark.parametrize("code", ["provider_outage", "rate_limit"])
def test_a_third_failure_in_a_row_closes_the_model_alone_and_a_success_between_starts_anew(code: str) -> None:
    admission, failed = Admission(Ledger(1)), replace(OUTAGE, error_code=code)
    for run in (failed, failed, Run(Stop.DONE), failed, failed):
        admission.learn("m", run)
        assert admission.refuse("m") is None
    admission.learn("m", failed)
    refused = admission.refuse("m")
    assert refused is not None
    assert (refused.stop, refused.error_code, refused.turns, refused.usd) == (Stop.UNAVAILABLE, code, 0, 0.0)
    assert refused.detail == "Not asked: The provider did not answer."
    assert admission.refuse("other") is None


@pytest.mark.parametrize("works", [True, False])
def test_one_late_task_tries_a_model_that_was_closed_and_opens_it_or_closes_it_for_good(works: bool) -> None:
    now = [100.0]
    admission = Admission(Ledger(1), clock=lambda: now[0])
    for _ in range(OUTAGES):
        admission.learn("m", OUTAGE)
    now[0] += TRIAL_SECONDS - 1
    assert admission.refuse("m") is not None
    now[0] += 1
    assert admission.refuse("m") is None
    assert admission.refuse("m") is not None, "only one task tries"
    admission.learn("m", Run(Stop.DONE) if works else OUTAGE)
    now[0] += 10 * TRIAL_SECONDS
    assert (admission.refuse("m") is None) is works


def test_what_is_kept_for_later_lets_nobody_in() -> None:
    ledger = Ledger(100)
    admission = Admission(ledger)
    ledger.keep(99.9)

    async def run() -> bool:
        await admission.enter(SPEC)
        alone = admission.is_alone
        second = asyncio.create_task(admission.enter(SPEC))
        await asyncio.sleep(0)
        assert not second.done()
        await admission.leave()
        await second
        return alone

    assert asyncio.run(run())


def test_a_model_that_is_gone_closes_itself_alone() -> None:
    admission = Admission(Ledger(1))
    admission.learn("gone", replace(OUTAGE, error_code="unknown_model"))
    assert admission.refuse("gone") is not None and admission.refuse("other") is None


def test_warmth_comes_with_the_end_of_the_first_call_also_of_a_failed_one() -> None:
    class Failing:
        async def ask(self, ask: Ask) -> Reply:
            raise ModelError("provider_outage", "down")

        async def count(self, ask: Ask) -> int:
            return 1

    async def run() -> bool:
        warmth = Warmth(Failing())
        waiting = asyncio.create_task(warmth.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        ask = Ask(
            model="m", max_tokens=1, system=(), tools=(), messages=(), effort="low", schema=None, seconds=1
        )
        try:
            await warmth.ask(ask)
        except ModelError:
            await waiting
            return True
        return False

    assert asyncio.run(run())
