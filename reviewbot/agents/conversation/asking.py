"""One request of an agent: reserved before it is sent, charged after it, and a line in the journal.

A failed call is an end of its task, as a value; what ran is charged, also where it failed.
"""

import time
from typing import Protocol

from reviewbot.agents.api.claude import Ask, ErrorCode, ModelError, Reply
from reviewbot.agents.conversation.window import split_window
from reviewbot.claims import Stop, Usage
from reviewbot.hooks import Failure, HookCalls
from reviewbot.journal import Journal
from reviewbot.spend.budget import Account, OverBudget, Reservation
from reviewbot.telemetry.spans import Operation, chat_of, tell_answer, tell_usage
from reviewbot.text import one_line

_STOPS: dict[ErrorCode, Stop] = {
    "context": Stop.CONTEXT,
    "invalid_answer": Stop.INVALID,
    "bad_request": Stop.INVALID,
}
"""Every other failure of a call is ``unavailable``."""


class Asker(Protocol):
    """What an agent needs of ``claude.Claude``."""

    async def ask(self, ask: Ask) -> Reply:
        """One answer; raises ModelError."""

    async def count(self, ask: Ask) -> int:
        """The prompt tokens of a request, free of charge; raises ModelError."""


class Ended(Exception):
    """A task ended without an answer; ``error_code`` is the ``ModelError.code`` of a failed call."""

    def __init__(self, stop: Stop, detail: str, error_code: str = "") -> None:
        super().__init__(detail)
        self.stop = stop
        self.detail = detail
        self.error_code = error_code


class Asking:
    """Asks on the account of one task. ``turns`` counts the calls, ``last`` is the usage of the newest one.

    ``cached`` are the prompt tokens of it, which the next call will likely read from the cache.
    """

    def __init__(  # noqa: PLR0917 - whose call it is, and what it is paid and recorded with
        self,
        agent: str,
        claude: Asker,
        account: Account,
        journal: Journal,
        hooks: HookCalls,
        material: int,
    ) -> None:
        self.turns = 0
        self.last = Usage()
        self.cached = 0
        self._agent = agent
        self._claude = claude
        self._account = account
        self._journal = journal
        self._hooks = hooks
        self._material = material
        self._told = 0

    async def ask(self, ask: Ask, tokens: int) -> Reply:
        """One answer; ``tokens`` is an upper estimate of the prompt. Raises Ended."""
        try:
            reservation = self._account.reserve(tokens, ask.max_tokens, cached=self.cached)
        except OverBudget as error:
            raise Ended(Stop.USD, str(error)) from None
        self.turns += 1
        with self._journal.telemetry.watch(chat_of(ask.model, ask.max_tokens)) as chat:
            reply = await self._send(ask, reservation, chat)
        self.last = reply.usage
        self.cached = reply.usage.prompt
        return reply

    async def _send(self, ask: Ask, reservation: Reservation, chat: Operation) -> Reply:
        started = time.monotonic()
        self._keep(ask)
        try:
            reply = await self._claude.ask(ask)
        except ModelError as error:
            usd = self._account.charge(reservation, error.usage, error.model, error.terms)
            self._record(ask, error.usage, usd, started, request_id=error.request_id, error=error.code)
            chat.error = error.code
            tell_usage(chat, error.usage)
            self._hooks.failed(Failure(self._agent, "model", error.code, error.detail))
            raise Ended(_STOPS.get(error.code, Stop.UNAVAILABLE), error.detail, error.code) from None
        except BaseException:
            # Interrupted while the call was under way: it may be charged all the same.
            self._account.charge(reservation, None)
            raise
        usd = self._account.charge(reservation, reply.usage, reply.model, reply.terms)
        self._account.lose(reply.lost, reservation)
        tell_usage(chat, reply.usage)
        tell_answer(chat, reply.model, reply.stop_reason)
        self._record(
            ask,
            reply.usage,
            usd,
            started,
            request_id=reply.request_id,
            stop=reply.stop_reason,
            cleared=reply.cleared,
        )
        self._journal.write_full(
            "model_said", agent=self._agent, turn=self.turns, blocks=reply.sendable, text=reply.text
        )
        return reply

    def _keep(self, ask: Ask) -> None:
        """Put what is new in a request into a full journal."""
        body = ask.body()
        begun = {} if self._told else {name: body.get(name, []) for name in ("system", "tools")}
        new = ask.messages[self._told :]
        self._journal.write_full("model_asked", agent=self._agent, turn=self.turns, **begun, messages=new)
        self._told = len(ask.messages)

    def _record(
        self,
        ask: Ask,
        usage: Usage | None,
        usd: float | None,
        started: float,
        *,
        request_id: str,
        stop: str = "",
        error: str = "",
        cleared: int = 0,
    ) -> None:
        spent = usage or Usage()
        self._journal.write(
            "model_call",
            agent=self._agent,
            model=ask.model,
            turn=self.turns,
            request_id=one_line(request_id, 100),
            stop_reason=one_line(stop, 40),
            error=error,
            bytes=ask.size(),
            window=split_window(ask, self._material),
            max_tokens=ask.max_tokens,
            input=spent.input,
            output=spent.output,
            cache_read=spent.cache_read,
            cache_write=spent.cache_write,
            usd=usd,
            cleared=cleared,
            seconds=round(time.monotonic() - started, 3),
        )
