"""When a task may start: at most so many at a time, and only where each of them could be paid for."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from reviewbot.agents.api.claude import Ask, Reply
from reviewbot.agents.api.failures import PASSING
from reviewbot.agents.conversation.loop import Asker
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.delivery import SIDE_BY_SIDE
from reviewbot.agents.spec import AgentSpec
from reviewbot.claims import Stop
from reviewbot.spend.budget import Ledger

OUTAGES = 3
"""After so many tasks in a row that a model could not answer it is not asked again, but for one trial."""

TRIAL_SECONDS = 30.0
"""So long after the last of them one more task may try."""

_FINAL = ("bad_credentials", "spend_limit", "no_batches", "batch_pending")
"""Failures that every later call would meet, too."""


@dataclass(slots=True)
class _Breaker:
    """What is known of one model: failures in a row, when the last was, and whether the trial was had."""

    failures: int = 0
    last: Run | None = None
    at: float = 0.0
    tried: bool = False

    def learn(self, run: Run, now: float) -> None:
        if run.stop is Stop.UNAVAILABLE and run.error_code in PASSING:
            self.failures, self.last, self.at = self.failures + 1, run, now
        else:
            self.failures, self.tried = 0, False

    def lets_in(self, now: float) -> bool:
        """Whether a task may ask the model; the one that comes late enough is the trial."""
        if self.failures < OUTAGES:
            return True
        if self.tried or now < self.at + TRIAL_SECONDS:
            return False
        self.tried = True
        return True


class Admission:
    """Lets tasks in and learns from their ends which ones are not worth starting.

    A task reserves its worst case before each call. If more tasks ran than the rest of the budget can
    hold reservations for, some would end at the budget although the money is there.
    """

    def __init__(
        self, ledger: Ledger, side_by_side: int = SIDE_BY_SIDE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger = ledger
        self._most = side_by_side
        self._running = 0
        self._changed = asyncio.Condition()
        self._closed: dict[str, Run] = {}
        self._breakers: dict[str, _Breaker] = {}
        self._clock = clock

    async def enter(self, spec: AgentSpec) -> None:
        """Wait until a task of this agent may start; one at a time always may."""
        share = self._ledger.prices.terms.of(spec.bounds.usd / 2)
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
        self._breakers.setdefault(model, _Breaker()).learn(run, self._clock())
        if run.error_code in _FINAL:
            self._closed[""] = run
        elif run.error_code == "unknown_model":
            self._closed[model] = run

    def is_closed(self, model: str) -> bool:
        """Whether a task of this model would likely be refused; takes no trial."""
        breaker = self._breakers.get(model)
        return bool(
            self._closed.get("") or self._closed.get(model) or (breaker and breaker.failures >= OUTAGES)
        )

    def refuse(self, model: str) -> Run | None:
        """The end of a task that need not be tried, or None."""
        known = self._closed.get("") or self._closed.get(model)
        breaker = self._breakers.get(model)
        if known is None and breaker and not breaker.lets_in(self._clock()):
            known = breaker.last
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

    async def count(self, ask: Ask) -> int:
        """The prompt tokens of a request; raises ModelError. It warms nothing."""
        return await self._claude.count(ask)

    def release(self) -> None:
        """Let the others go, also where no call was made."""
        self._warm.set()

    async def wait(self) -> None:
        """Return once a first call has ended."""
        await self._warm.wait()
