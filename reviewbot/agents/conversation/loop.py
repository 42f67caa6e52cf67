"""The one loop of every agent: ask, run tools, ask again, until an answer validates or a bound is met.

Each end is a value of ``Stop``; only bugs raise. A bound is checked before the call that would pass it,
and what ran is charged, also where it failed.
"""

import asyncio
import time
from dataclasses import replace
from typing import Any, NoReturn

from reviewbot.agents.api.claude import Ask, Reply, transform
from reviewbot.agents.api.replies import describe_invalid, parse_answer
from reviewbot.agents.conversation.asking import Asker, Asking, Ended
from reviewbot.agents.conversation.calls import ToolCalls, Tools, refuse_calls
from reviewbot.agents.conversation.clearing import CLEARED, Clearing, OldResults
from reviewbot.agents.conversation.history import (
    CHARACTERS_A_TOKEN,
    History,
    Prompt,
    for_one_request,
    tokens_of,
    weigh,
)
from reviewbot.agents.conversation.prompt_size import PromptSize
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.spec import AgentSpec
from reviewbot.claims import Stop
from reviewbot.hooks import HookCalls, Hooks
from reviewbot.journal import Journal
from reviewbot.spend.budget import Account, Ledger
from reviewbot.text import one_line

__all__ = ["Asker", "Prompt", "run_agent"]

MAX_OUTPUT_TOKENS = 128_000
"""The most that any of the models writes."""

LONGEST_CALL_SECONDS = 900.0

HARDER = {"low": "medium", "medium": "high", "high": "xhigh", "xhigh": "max"}
"""The level of ``output_config.effort`` above each, by the API reference of version 2026-10-21."""

SHORTEST_SHARE = 4
"""Where money is short a call may be allowed this part of its output tokens, and no less."""

ROOM_TO_ANSWER = 1_000
"""Prompt tokens kept free of tool results, for what is said around them."""

LAST_TURN = (
    "Make no more tool calls: this is your last turn. Give your final answer now, from what you have read."
)

AT_ONCE = "There are no tools this time: give your final answer now, from what stands above."


async def run_agent(  # noqa: PLR0917 - one task and what it works with, as every caller has them
    spec: AgentSpec,
    prompt: Prompt,
    toolbox: Tools | None,
    claude: Asker,
    ledger: Ledger,
    journal: Journal,
    *,
    model: str,
    hooks: HookCalls | None = None,
    fits: bool = True,
    clearing: Clearing | None = None,
) -> Run:
    """Carry one task of an agent through to its end.

    At most ``spec.bounds.steps`` calls, of which one may be the repair of an invalid answer, one more a
    repair with more effort, and one the repetition of a cut one with twice the room. A failed or cut
    task never looks like an empty answer. ``fits``: requests are made to fit the money that is left of the
    run; else their words depend on the conversation alone, and what cannot be paid ends the task.
    ``clearing``: where a window is full, old tool results may be cleared.
    """
    agent = _Agent(
        spec=spec,
        prompt=prompt,
        toolbox=toolbox,
        claude=claude,
        ledger=ledger,
        journal=journal,
        model=model,
        hooks=hooks or HookCalls(Hooks(), journal),
        fits=fits,
        clearing=clearing or Clearing(),
    )
    try:
        answer = await agent.converse()
    except Ended as end:
        return agent.run(end.stop, detail=end.detail, error_code=end.error_code)
    return agent.run(Stop.DONE, answer=answer)


class _Agent:
    """One conversation under way, with what it has used up."""

    def __init__(
        self,
        *,
        spec: AgentSpec,
        prompt: Prompt,
        toolbox: Tools | None,
        claude: Asker,
        ledger: Ledger,
        journal: Journal,
        model: str,
        hooks: HookCalls,
        fits: bool,
        clearing: Clearing,
    ) -> None:
        self.spec = spec
        self.fits = fits
        self.model = model
        self.prompt = prompt
        self.system = prompt.system
        self.tools = toolbox.definitions(spec.tools) if toolbox is not None else []
        self.history = History(prompt, self.tools, marks_turns=toolbox is not None)
        self.account = Account(ledger, model, spec.bounds.usd)
        self.asking = Asking(spec.name, claude, self.account, journal, hooks, prompt.material)
        self.size = PromptSize(spec.name, claude, journal)
        self.calls = ToolCalls(spec.name, spec.tools, toolbox, journal, hooks, self._price)
        self.old = OldResults(clearing, model)
        self.answer_type: Any = spec.answer()
        self.schema = transform(self.answer_type)
        self.max_tokens = self.allowed = spec.bounds.output_tokens
        self.least_tokens = spec.bounds.output_tokens // SHORTEST_SHARE
        self.started = time.monotonic()
        self.effort = spec.effort
        self.repaired = False
        self.escalated = False
        self.lengthened = False

    def _price(self, tokens: int) -> float | None:
        return self.account.likely_usd(tokens, 0, cached=0)

    def run(self, stop: Stop, *, answer: object = None, detail: str = "", error_code: str = "") -> Run:
        return Run(
            stop=stop,
            answer=answer,
            usage=self.account.usage,
            usd=self.account.usd if self.account.is_known else None,
            turns=self.asking.turns,
            tool_calls=self.calls.total,
            denied_calls=self.calls.denied,
            seconds=time.monotonic() - self.started,
            detail=detail,
            error_code=error_code,
            effort=self.effort,
            degraded=self.escalated,
            saved_usd=self.account.saved_usd,
        )

    async def converse(self) -> object:
        """Ask until there is an answer. Raises Ended for every other end."""
        await self._expect_one_call()
        while True:
            reply = await self._ask()
            match reply.stop_reason:
                case "end_turn" | "stop_sequence":
                    try:
                        return parse_answer(self.answer_type, reply.text)
                    except ValueError as error:
                        self._repair(reply, describe_invalid(error))
                case "tool_use" if reply.tool_uses:
                    await self._use_tools(reply)
                case "pause_turn" if reply.sendable:
                    self.history.append("assistant", reply.sendable)
                case "max_tokens":
                    self._lengthen()
                case _:
                    _end_badly(reply)

    async def _expect_one_call(self) -> None:
        """Offer no tools where the run has no money for a call after the first one."""
        ask, tokens = await self._next_ask()
        if not (self.tools and self.fits):
            return

        def pays_twice(prompt: int) -> bool:
            return self.account.pays_twice(prompt, self.least_tokens, cached=0)

        if not pays_twice(tokens) and pays_twice(self.size.fewest(tokens)):
            tokens = await self.size.count(ask)
        if not pays_twice(tokens):
            self.tools = []
            self.history = History(for_one_request(self.prompt, AT_ONCE), self.tools, marks_turns=False)

    async def _ask(self) -> Reply:
        ask, tokens = await self._next_ask()
        if not self._pays(ask, tokens) and self._pays(ask, self.size.fewest(tokens)):
            tokens = await self.size.count(ask)
            ask = replace(ask, seconds=self._call_seconds())
        ask = self._fitted(ask, tokens)
        self.allowed = ask.max_tokens
        try:
            reply = await self.asking.ask(ask, tokens)
        except Ended as end:
            if time.monotonic() >= self.started + self.spec.bounds.seconds:
                raise self._out_of_time() from None
            if ask.kept and end.error_code == "bad_request" and self.old.give_up():
                return await self._ask()
            raise
        self.size.note(ask, reply.usage.prompt)
        self.old.note(reply.cleared)
        return reply

    def _fitted(self, ask: Ask, tokens: int) -> Ask:
        """The request with no more output than the money that is left can pay, if that is enough of it."""
        room = self.account.affordable_output(tokens, ask.max_tokens)
        is_short = self.fits and self.least_tokens <= room < ask.max_tokens
        return replace(ask, max_tokens=room) if is_short else ask

    def _pays(self, ask: Ask, tokens: int) -> bool:
        output = self._fitted(ask, tokens).max_tokens
        return self.account.has_room(tokens, output, cached=self.asking.cached)

    async def _next_ask(self) -> tuple[Ask, int]:
        """The next request and an upper estimate of its prompt tokens. Raises Ended at a bound."""
        bounds = self.spec.bounds
        if self.asking.turns >= bounds.steps:
            raise Ended(Stop.STEPS, f"No final answer came within {bounds.steps} model calls.")
        ask = Ask(
            model=self.model,
            max_tokens=self.max_tokens,
            system=self.system,
            tools=self.tools,
            messages=self.history.messages(),
            effort=self.effort,
            schema=self.schema,
            seconds=self._call_seconds(),
            kept=self.old.kept,
        )
        tokens = self.size.estimate(ask)
        if tokens > bounds.context_tokens >= self.size.fewest(tokens):
            tokens = await self.size.count(ask)
            ask = replace(ask, seconds=self._call_seconds())
        if tokens > bounds.context_tokens:
            allowed = f"{bounds.context_tokens:,} are allowed"
            raise Ended(Stop.TOKENS, f"The next request would hold about {tokens:,} tokens; {allowed}.")
        return ask, tokens

    def _call_seconds(self) -> float:
        return min(self._seconds_left(), LONGEST_CALL_SECONDS)

    def _seconds_left(self) -> float:
        """Seconds until the task's deadline, more than 0. Raises Ended past it."""
        left = self.started + self.spec.bounds.seconds - time.monotonic()
        if left <= 0:
            raise self._out_of_time()
        return left

    def _out_of_time(self) -> Ended:
        return Ended(Stop.SECONDS, f"The task was not done within {self.spec.bounds.seconds:g} seconds.")

    async def _use_tools(self, reply: Reply) -> None:
        room = (
            self.spec.bounds.context_tokens
            - self.asking.last.prompt
            - self.asking.last.output
            - ROOM_TO_ANSWER
        )
        try:
            async with asyncio.timeout(self._seconds_left()):
                results = await self.calls.answer(reply.tool_uses, room * CHARACTERS_A_TOKEN)
        except TimeoutError:
            raise self._out_of_time() from None
        self.history.append("assistant", reply.sendable)
        self.old.add(results)
        new = tokens_of(weigh(reply.sendable) + weigh(results))
        if self._is_last_turn(new):
            results.append({"type": "text", "text": LAST_TURN})
        elif self._is_full(new):
            results.append({"type": "text", "text": CLEARED if self._clear(new) else LAST_TURN})
        self.history.append("user", results)

    def _is_full(self, new_tokens: int) -> bool:
        """Whether the call after the next one would likely hold more than a request may."""
        after = self.asking.last.prompt + 2 * new_tokens
        return after + ROOM_TO_ANSWER > self.spec.bounds.context_tokens

    def _clear(self, new_tokens: int) -> bool:
        """Have old tool results cleared from now on; False where they cannot be or that cannot be paid."""
        tokens = self.asking.last.prompt + new_tokens + ROOM_TO_ANSWER
        # What stays stands at another place than before, so none of it is in the cache.
        if not (self.old.can_clear_more() and self.account.has_room(tokens, self.max_tokens, cached=0)):
            return False
        self.old.clear_more()
        self.asking.cached = 0
        return True

    def _is_last_turn(self, new_tokens: int) -> bool:
        """Whether the call after the next one would likely pass a bound, so that the next must answer."""
        bounds = self.spec.bounds
        after = self.asking.last.prompt + 2 * new_tokens
        likely = self.account.likely_usd(after, self.max_tokens, cached=self.asking.last.prompt)
        return (
            self.asking.turns + 1 >= bounds.steps
            or not self.account.can_afford(None if likely is None else 2 * likely)
            or (self.fits and not self._pays_twice(after))
            or self._seconds_left() < bounds.seconds / 5
        )

    def _pays_twice(self, tokens: int) -> bool:
        return self.account.pays_twice(tokens, self.least_tokens, cached=self.asking.last.prompt)

    def _repair(self, reply: Reply, why: str) -> None:
        """Ask once more for an answer that did not validate, saying why; then once with more effort."""
        if self.repaired:
            self._escalate(reply, why)
        self.repaired = True
        if not reply.sendable:
            # There is no turn to answer to: the same request is asked again.
            return
        self.history.append("assistant", reply.sendable)
        text = f"Your answer did not validate: {why}\nGive the whole answer again, as one JSON object only."
        self.history.append("user", [*refuse_calls(reply.tool_uses), {"type": "text", "text": text}])

    def _escalate(self, reply: Reply, why: str) -> None:
        """Raise the effort, once and where that can be paid; else the answer stays invalid. Raises Ended."""
        harder = HARDER.get(self.effort)
        tokens = self.asking.last.prompt + tokens_of(weigh(reply.sendable)) + ROOM_TO_ANSWER
        # Another effort is another prefix: nothing of the conversation is in the cache any more.
        if (
            self.escalated
            or harder is None
            or self.asking.turns >= self.spec.bounds.steps
            or not self.account.has_room(tokens, self.max_tokens, cached=0)
        ):
            raise Ended(Stop.INVALID, f"The answer did not validate, also after a repair: {why}")
        self.escalated, self.effort, self.asking.cached = True, harder, 0

    def _lengthen(self) -> None:
        """Ask once more from the same prefix, with twice the room for the answer."""
        longer = min(2 * self.allowed, MAX_OUTPUT_TOKENS)
        if self.lengthened or longer == self.allowed:
            raise Ended(Stop.TOKENS, f"The answer was cut at {self.allowed:,} output tokens.")
        self.lengthened = True
        self.max_tokens = self.least_tokens = longer


def _end_badly(reply: Reply) -> NoReturn:
    if reply.stop_reason == "refusal":
        why = f" ({reply.refusal})" if reply.refusal else ""
        raise Ended(Stop.REFUSED, f"The model refused the task{why}.")
    if reply.stop_reason == "model_context_window_exceeded":
        raise Ended(Stop.CONTEXT, "The model's context was full before it had answered.", "context")
    said = one_line(reply.stop_reason, 40)
    raise Ended(Stop.INVALID, f"The model stopped with `{said}` and gave nothing to go on from.")
