"""When a task may start: at most so many at a time, and only where each of them could be paid for."""

import asyncio

from reviewbot.agents.budget import Ledger
from reviewbot.agents.claude import Ask, Reply
from reviewbot.agents.delivery import SIDE_BY_SIDE
from reviewbot.agents.loop import Asker, Run
from reviewbot.agents.spec import AgentSpec
from reviewbot.claims import Stop

OUTAGES = 3
"""So many tasks in a row that found no provider end the asking."""

_FINAL = ("bad_credentials", "spend_limit", "no_batches", "batch_pending")
"""Failures that every later call would meet, too."""


class Admission:
    """Lets tasks in and learns from their ends which ones are not worth starting.

    A task reserves its worst case before each call. If more tasks ran than the rest of the budget can
    hold reservations for, some would end at the budget although the money is there.
    """

    def __init__(self, ledger: Ledger, side_by_side: int = SIDE_BY_SIDE) -> None:
        self._ledger = ledger
        self._most = side_by_side
        self._running = 0
        self._changed = asyncio.Condition()
        self._closed: dict[str, Run] = {}
        self._outages = 0

    async def enter(self, spec: AgentSpec) -> None:
        """Wait until a task of this agent may start; one at a time always may."""
        share = spec.bounds.usd / 2
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(share))
            self._running += 1

    async def leave(self) -> None:
        """A task has ended."""
        async with self._changed:
            self._running -= 1
            self._changed.notify_all()

    @property
    def running(self) -> int:
        """How many tasks are under way."""
        return self._running

    @property
    def is_alone(self) -> bool:
        """Whether no more than one task is under way."""
        return self._running <= 1

    def _has_room(self, share: float) -> bool:
        fits = self._running < self._most and self._ledger.unspent_usd >= (self._running + 1) * share
        return self._running == 0 or fits

    def learn(self, model: str, run: Run) -> None:
        """Remember the end of a task that was tried, if others need not be tried after it."""
        code = run.error_code
        outage = run.stop is Stop.UNAVAILABLE and code == "provider_outage"
        self._outages = self._outages + 1 if outage else 0
        if code in _FINAL or self._outages >= OUTAGES:
            self._closed[""] = run
        elif code == "unknown_model":
            self._closed[model] = run

    def refuse(self, model: str) -> Run | None:
        """The end of a task that need not be tried, or None."""
        known = self._closed.get("") or self._closed.get(model)
        if known is None:
            return None
        return Run(stop=known.stop, detail=f"Not asked: {known.detail}", error_code=known.error_code)


class Warmth:
    """Passes calls on, and tells when the first of them has written the shared prefix to the cache.

    A cache entry can be read once the answer that writes it has begun, so a fan-out waits for one; not
    where no first call can warm anything (``is_needed``).
    """

    def __init__(self, claude: Asker, *, is_needed: bool = True) -> None:
        self._claude = claude
        self._warm = asyncio.Event()
        if not is_needed:
            self._warm.set()

    async def ask(self, ask: Ask) -> Reply:
        """One answer; raises ModelError."""
        try:
            return await self._claude.ask(ask)
        finally:
            self.release()

    def release(self) -> None:
        """Let the others go, also where no call was made."""
        self._warm.set()

    async def wait(self) -> None:
        """Return once a first call has ended."""
        await self._warm.wait()
