"""Asks of many tasks, gathered into batches: each round sends what all tasks under way are waiting for.

A task asks as it would ask live, and gets its answer when the round is over. What an earlier run was
answered is not asked again: the same conversation makes the same requests, so it goes on where it was.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from reviewbot.agents.api.claude import Ask, Claude
from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.replies import Reply, parse_reply
from reviewbot.agents.batches.calls import BatchCalls
from reviewbot.agents.batches.ledger import BatchLedger
from reviewbot.agents.batches.round import BatchRound, Request
from reviewbot.agents.batches.wait import BatchWait, Step
from reviewbot.agents.delivery import Delivery
from reviewbot.journal import Journal
from reviewbot.spend.prices import BATCH, LIST_PRICES, PriceList
from reviewbot.text import dollars

ROUNDS = 4
"""Model calls of one task, each of which is a round. Nothing is read from a cache between rounds, so a long
conversation in batches would cost more than a live one."""

TASKS_SIDE_BY_SIDE = 1_000
TASK_SECONDS = 29 * 24 * 3_600.0
"""A task's clock also counts its waiting here, so it gets as long as the provider keeps results."""

CALM_PASSES = 30
"""So many turns of the event loop without a new ask mean that no task can make one before it is answered."""


@dataclass(slots=True)
class _Waiting:
    key: str
    ask: Ask
    answer: "asyncio.Future[str]"
    begins: bool = True


class Batches:
    """Asks by batches. ``wait_seconds``: how long one run waits for them in all.

    ``step`` shows what takes long. ``ledger`` stays its owner's to close. Without ``begins`` nothing new is
    asked, as after the time is over.
    """

    def __init__(  # noqa: PLR0917 - each has one of it
        self, claude: Claude, ledger: BatchLedger, wait_seconds: float, step: Step, journal: Journal,
        prices: PriceList = LIST_PRICES, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *, begins: bool = True,
    ) -> None:  # fmt: skip
        self._claude, self._ledger, self._journal = claude, ledger, journal
        self._calls = BatchCalls(claude)
        self._wait = BatchWait(wait_seconds, step, sleep, is_kept=ledger.is_kept)
        self._wait.is_over = not begins
        self._running: Callable[[], int] = lambda: 0
        self._asked: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []
        self._driver: asyncio.Task[None] | None = None
        self._rounds = 0
        self._reused = 0
        self._reused_usd = 0.0
        self._prices = prices

    @property
    def delivery(self) -> Delivery:
        """How tasks are to be run that ask here."""
        secret, numbers = self._ledger.secret(), count()
        return Delivery(
            terms=BATCH,
            side_by_side=TASKS_SIDE_BY_SIDE,
            warms=False,
            draw=lambda: hmac.digest(secret, b"fence %d" % next(numbers), "sha256").hex()[:16],
            steps=ROUNDS,
            seconds=TASK_SECONDS,
            fits=False,
            clears=False,
        )

    @property
    def waited_seconds(self) -> float:
        """How long was waited for batches so far."""
        return self._wait.waited_seconds

    @property
    def reused_usd(self) -> float:
        """Dollars of the answers that an earlier run had collected, and so was charged for."""
        return self._reused_usd

    @property
    def keys(self) -> frozenset[str]:
        """The asks of this run so far."""
        return frozenset(
            f"{digest}-{number + 1}" for digest, times in self._asked.items() for number in range(times)
        )

    def attend(self, running: Callable[[], int]) -> None:
        """``running`` tells how many tasks are under way: a round begins when all of them wait."""
        self._running = running

    async def ask(self, ask: Ask, *, begins: bool = True) -> Reply:
        """One answer, after the round that asks for it.

        Raises:
            ModelError: none came, or none that can be used; ``batch_pending``: not within the time;
                ``outdated``: nobody has asked that yet, and without ``begins`` nobody shall.
        """
        waiting = _Waiting(self._key(ask), ask, asyncio.get_running_loop().create_future(), begins)
        self._waiting.append(waiting)
        if self._driver is None:
            self._driver = asyncio.create_task(self._drive())
        started = time.monotonic()
        message = await waiting.answer
        seconds = time.monotonic() - started
        return _parse(message, ask, waiting.key, seconds)

    async def count(self, ask: Ask) -> int:
        """The prompt tokens of a request, counted at once; raises ModelError."""
        return await self._claude.count(ask)

    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the price."""
        if not self._rounds:
            return ()
        rounds = f"{self._rounds} round{'s' * (self._rounds != 1)}"
        said = f"The agents were asked in batches, {rounds} of them, at half the list price."
        if not self._reused:
            return (said,)
        answers = f"{self._reused} answer{'s' * (self._reused != 1)}"
        paid = (
            f"{answers} of them had been collected or paid before: {dollars(self._reused_usd)} of the cost."
        )
        return (said, paid)

    async def aclose(self) -> None:
        """Close the connections; batches that no later run can pick up are cancelled."""
        if self._driver is not None:
            self._driver.cancel()
        if not self._ledger.is_kept:
            for batch in self._ledger.open_batches():
                with suppress(ModelError):
                    await self._calls.cancel(batch.id or "")
        await self._claude.aclose()

    def _key(self, ask: Ask) -> str:
        """The custom id of an ask: a hash of its request, and which of several equal ones it is."""
        text = json.dumps(_without_marks(ask.body()), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:48]
        self._asked[digest] += 1
        return f"{digest}-{self._asked[digest]}"

    async def _drive(self) -> None:
        taken: list[_Waiting] = []
        try:
            while self._waiting:
                await self._calm()
                taken, self._waiting = self._waiting, []
                await self._round([each for each in taken if not each.answer.done()])
        except BaseException as error:
            # Whoever waits must not wait for ever, and a fault of ours must come to light.
            for each in (*taken, *self._waiting):
                if not each.answer.done():
                    each.answer.set_exception(_as_exception(error))
            if not isinstance(error, Exception):
                raise
        finally:
            self._driver = None

    async def _calm(self) -> None:
        """Return once every task under way waits for an answer, and nothing else happens."""
        last, calm = (0, 0), 0
        while calm < CALM_PASSES:
            state = (len(self._waiting), self._running())
            is_busy = state[0] < state[1]
            calm = 0 if is_busy or state != last else calm + 1
            last = state
            await asyncio.sleep(0.005 if is_busy else 0)

    async def _round(self, waiting: Sequence[_Waiting]) -> None:
        self._rounds += 1
        known = self._ledger.answers(each.key for each in waiting)
        self._count_reused(waiting, known)
        requests = [
            Request(each.key, each.ask.model, _without_marks(each.ask.body()), each.begins)
            for each in waiting
            if each.key not in known
        ]
        self._journal.write("batch_round", number=self._rounds, asks=len(waiting), known=len(known))
        round_ = BatchRound(self._calls, self._ledger, self._wait, self._journal, self._rounds)
        found: Mapping[str, str | ModelError] = {**known, **(await round_.ask(requests) if requests else {})}
        for each in waiting:
            answer = found[each.key]
            if each.answer.done():
                continue
            if isinstance(answer, ModelError):
                each.answer.set_exception(answer)
            else:
                each.answer.set_result(answer)

    def _count_reused(self, waiting: Sequence[_Waiting], known: Mapping[str, str]) -> None:
        for each in waiting:
            if each.key in known:
                with suppress(ModelError):
                    reply = _parse(known[each.key], each.ask, each.key, 0.0)
                    self._reused_usd += self._prices.price_usd(reply.model, reply.usage, reply.terms) or 0.0
                self._reused += 1


@dataclass(frozen=True, slots=True)
class OnlyBegun:
    """Asks for what was asked before. Where it ``goes_on``, conversations that have begun go on, too."""

    batches: Batches
    goes_on: bool

    async def ask(self, ask: Ask) -> Reply:
        """One answer; raises ModelError, as ``Batches.ask`` does."""
        return await self.batches.ask(ask, begins=self.goes_on and len(ask.messages) > 1)

    async def count(self, ask: Ask) -> int:
        """The prompt tokens of a request; raises ModelError."""
        return await self.batches.count(ask)


def _parse(message: str, ask: Ask, key: str, seconds: float) -> Reply:
    """The reply, at the terms of a batch. Raises ModelError."""
    try:
        reply = parse_reply(message.encode(), ask.model, request_id=key, seconds=seconds)
    except ModelError as error:
        error.terms = replace(error.terms, batch=True)
        raise
    return replace(reply, terms=replace(reply.terms, batch=True))


def _without_marks(value: Any) -> Any:
    """A request without its cache marks: what a batch writes to the cache is rarely there when it is read."""
    if isinstance(value, Mapping):
        return {key: _without_marks(each) for key, each in value.items() if key != "cache_control"}
    if isinstance(value, (list, tuple)):
        return [_without_marks(each) for each in value]
    return value


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError("the run was interrupted")
