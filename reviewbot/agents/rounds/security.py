"""The security tasks of a run, one after another or side by side, for as long as there is money.

Each task is as large as what is left can pay. What it could not begin waits again in smaller parts, and
what ended cut or invalid comes back in halves, once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

from reviewbot.agents.admission import Admission, Warmth
from reviewbot.agents.conversation.history import Prompt, tokens_of, weigh
from reviewbot.agents.conversation.loop import SHORTEST_SHARE, Asker
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.results import Ended
from reviewbot.agents.rounds.backlog import Backlog, Batch, Parts
from reviewbot.agents.routes import Routes, summarise
from reviewbot.agents.spec import SPECS
from reviewbot.agents.view.prefetch import MOST_TOKENS
from reviewbot.claims import Stop, Task
from reviewbot.spend.budget import Ledger, affordable_prompt

_SPLIT_AFTER = (Stop.TOKENS, Stop.CONTEXT, Stop.INVALID)
"""Ends of a security task after which its halves are asked, once."""

_FORMAT_TOKENS = 3_000
"""What the form of the answer and the provider's own instructions add to a prompt, at most."""

_COMFORT_TOKENS = 3_000
"""A task with room for less of the change than this is better asked for its answer at once."""


class RunTask(Protocol):
    """Runs a task that was let in, to its end."""

    def __call__(self, task: Task, prompt: Prompt, claude: Asker) -> Awaitable[Ended]:
        """The end of the task."""


@dataclass(frozen=True, slots=True)
class SecurityRound:
    """What the tasks need of the run they belong to.

    ``build`` makes the prompt for parts of files, and knows whether other tasks read what it shares, and
    what ``look_around`` has found for them.
    ``note`` keeps an end without a call; ``redo`` notes that the work of a task was given to others.
    ``tell`` is given each task that ended well, with the files that are wholly read now.
    ``warms``: the first call fills the cache for the others. ``fits``: an answer may be allowed fewer tokens
    where money is short.
    ``still`` are the files whose reading counts where the tree has changed since this scan of it began.
    ``model`` tells which model the next task will likely ask.
    ``tools`` is what the definitions of the tools weigh in tokens.
    """

    admission: Admission
    ledger: Ledger
    model: Callable[[], str]
    tools: int
    build: Callable[[Parts, bool, str], Prompt]
    look_around: Callable[[Parts], str]
    run: RunTask
    note: Callable[[Task, Run], object]
    redo: Callable[[Ended], None]
    tell: Callable[[Ended, Sequence[str]], None]
    warms: bool = True
    fits: bool = True
    still: Collection[str] = ()

    async def read(self, routes: Routes, claude: Asker) -> None:
        """Read the files, riskiest first; all tasks but the first wait for the shared prefix."""
        spec = SPECS["security"]
        backlog = Backlog(routes.security, spec.bounds.context_tokens)
        warmth = Warmth(claude, is_needed=self.warms)
        running: set[asyncio.Task[None]] = set()
        while backlog or running:
            batch = await self._next(backlog, warmth if running else None)
            if batch is not None:
                running.add(asyncio.create_task(self._read(batch, backlog, routes, warmth)))
            elif running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            else:
                self._give_up(backlog.give_up(), routes)

    async def _next(self, backlog: Backlog, warmth: Warmth | None) -> Batch | None:
        """The next batch, let in; None where nothing waits, or nothing that can be paid."""
        if not backlog:
            return None
        if warmth is not None:
            await warmth.wait()
        await self.admission.enter(SPECS["security"])
        batch = backlog.take(*self._room())
        if batch is None:
            await self.admission.leave()
        return batch

    def _room(self) -> tuple[float, int]:
        """How many tokens of the change the next task may hold for the money that is left, and how many
        such tasks there may be: 1, or some.
        """
        if not self.admission.is_alone:
            return inf, 2
        empty = self.build((), True, "")
        around = tokens_of(weigh((empty.system, empty.user))) + self.tools + _FORMAT_TOKENS + MOST_TOKENS
        output, left = SPECS["security"].bounds.output_tokens, self.ledger.left_usd
        output //= SHORTEST_SHARE if self.fits else 1
        prices = self.ledger.prices
        twice, once = (
            affordable_prompt(prices, self.model(), output, left, calls=calls) - around for calls in (2, 1)
        )
        return (twice, 2) if twice >= _COMFORT_TOKENS else (once, 1)

    async def _read(self, batch: Batch, backlog: Backlog, routes: Routes, warmth: Warmth) -> None:
        try:
            around = await asyncio.to_thread(self.look_around, batch.parts)
            prompt = self.build(batch.parts, backlog.has_siblings, around)
            end = await self.run(_task(batch.parts, routes), prompt, warmth)
        finally:
            warmth.release()
        stop = end.outcome.stop
        if stop is Stop.DONE:
            self.tell(end, backlog.finish(batch))
        unbegun = stop is Stop.USD and not end.outcome.turns
        if end.error_code == "outdated":
            is_redone = backlog.narrow(batch, self.still)
        else:
            is_redone = (unbegun or stop in _SPLIT_AFTER) and backlog.split(batch, again=unbegun)
        if is_redone:
            self.redo(end)

    def _give_up(self, parts: Parts, routes: Routes) -> None:
        """Note that what still waits cannot be paid."""
        left, limit = max(self.ledger.left_usd, 0), self.ledger.limit_usd
        detail = f"A task may cost more than the ${left:.4f} that are left of the budget of ${limit:.2f}."
        self.note(_task(parts, routes), Run(stop=Stop.USD, detail=detail))


def _task(parts: Parts, routes: Routes) -> Task:
    paths = tuple(dict.fromkeys(part.path for part in parts))
    return replace(Task("security", paths), reason=summarise(parts, routes.why))
