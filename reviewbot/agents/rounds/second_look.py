"""The verification pass under way: each case to a fresh conversation, each ruling back to its claims."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.results import Ended
from reviewbot.agents.rounds.verification import (
    Case,
    Ruling,
    build_verify_prompt,
    explain_rulings,
    judge,
    plan_cases,
    rule_on,
)
from reviewbot.agents.spec import SPECS, AgentSpec
from reviewbot.agents.view.passages import Pages, ReadLines
from reviewbot.claims import Claim, Task
from reviewbot.core import ChangeSet
from reviewbot.journal import Journal
from reviewbot.text import visible_line


@dataclass(frozen=True, slots=True)
class Looked:
    """What a second look came to: sentences for the reader; the claims of earlier scans after it, in their
    order; and the claims, as they were, for which it did not finish.
    """

    notes: tuple[str, ...] = ()
    earlier: tuple[Claim, ...] = ()
    unfinished: tuple[Claim, ...] = ()


FanOut = Callable[[AgentSpec, Sequence[tuple[Task, Prompt]]], Awaitable[Sequence[Ended]]]
"""Runs tasks of one agent side by side; the ends come in the order of the tasks."""


async def look_again(  # noqa: PLR0917 - the claims, where to look at them, and by whom
    ended: list[Ended],
    changes: ChangeSet,
    read_lines: ReadLines,
    fan_out: FanOut,
    journal: Journal,
    earlier: Sequence[Claim] = (),
) -> Looked:
    """Check the high and critical claims of the security agent, and those that an earlier scan left.

    ``ended`` is changed in place: a claim that was refuted is advisory there and gives the reason.
    ``changes`` are the files with the hunks that the agents were shown.
    """
    pages = Pages(read_lines)
    every = (*(claim for end in ended for claim in end.outcome.claims), *earlier)
    said = [claim for claim in every if claim.agent == "security"]
    cases = await asyncio.to_thread(plan_cases, said, pages)
    seen = [case for case in cases if case.places]
    jobs = [(_task(case), await _prompt(case, changes, pages)) for case in seen]
    ends = await fan_out(SPECS["verify"], jobs)
    names = {visible_line(change.path): change.path for change in changes.files}
    rulings = [Ruling("unseen") for case in cases if not case.places]
    decided: dict[Claim, Ruling] = {}
    for case, end in zip(seen, ends, strict=True):
        ruling = await asyncio.to_thread(judge, end.answer, pages, names)
        rulings.append(ruling)
        decided |= dict.fromkeys(case.claims, ruling)
        _record(journal, case, ruling)
    for place, end in enumerate(ended):
        claims = tuple(rule_on(claim, decided.get(claim)) for claim in end.outcome.claims)
        if claims != end.outcome.claims:
            ended[place] = replace(end, outcome=replace(end.outcome, claims=claims))
    notes = explain_rulings(rulings, [end.outcome.detail for end in ends if end.outcome.detail])
    unfinished = tuple(claim for claim, ruling in decided.items() if ruling.judged == "unfinished")
    return Looked(notes, tuple(rule_on(claim, decided.get(claim)) for claim in earlier), unfinished)


def _task(case: Case) -> Task:
    return Task("verify", case.paths, reason=f"a second look at {case.claims[0].rule}")


async def _prompt(case: Case, changes: ChangeSet, pages: Pages) -> Prompt:
    return await asyncio.to_thread(build_verify_prompt, SPECS["verify"], case, changes, pages)


def _record(journal: Journal, case: Case, ruling: Ruling) -> None:
    path = visible_line(case.claims[0].quotes[0].path)
    rule, claims = case.claims[0].rule, len(case.claims)
    journal.write("claim_verified", rule=rule, path=path, claims=claims, judged=ruling.judged)
