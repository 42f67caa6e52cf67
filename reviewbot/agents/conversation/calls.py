"""The tool calls of a model: each id answered once, in order; what must not run is denied and counted.

Whether a call may be made is asked in this order: hooks, the rules that deny, the tools that the agent
is allowed. A no of any of them stands.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewbot.agents.conversation.history import tokens_of
from reviewbot.agents.view.tool_forms import risk_of
from reviewbot.errors import ReviewbotError
from reviewbot.hooks import Failure, HookCalls, ToolCall, ToolEnd
from reviewbot.journal import Journal
from reviewbot.telemetry.spans import tool_of
from reviewbot.text import one_line, show_surrogates

MAX_CALLS_A_TURN = 16
"""Calls of one turn that are run; the rest are denied."""

REPEATED = "Not run again: you made exactly this call before, and its result stands above."
LEFT_OUT = "Left out: this conversation has no room for it. Answer from what you have read."


class ToolAnswer(Protocol):
    """What a tool says: text only, already capped."""

    @property
    def text(self) -> str:
        """The result, or why there is none."""

    @property
    def denied(self) -> bool:
        """The call was not allowed, or its arguments were wrong."""


class Tools(Protocol):
    """The tools of an agent (``tools.Toolbox``)."""

    def definitions(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The tools as the API wants them, in a stable order."""

    def call(self, name: str, arguments: object) -> ToolAnswer:
        """Run one tool in the calling thread; no mistake of a model makes it raise."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a model is told; ``denied_by`` names who said no: hook, rule, not_allowed, cap or the tool."""

    text: str
    denied_by: str = ""


class ToolCalls:
    """Runs an agent's tool calls and remembers them. ``total`` and ``denied`` count them.

    ``price`` gives the dollars of so many prompt tokens, None where nobody knows them.
    """

    def __init__(  # noqa: PLR0917 - what a call is judged, run and recorded with
        self,
        agent: str,
        names: Sequence[str],
        tools: Tools | None,
        journal: Journal,
        hooks: HookCalls,
        price: Callable[[int], float | None],
    ) -> None:
        self.total = 0
        self.denied = 0
        self._agent = agent
        self._names = tuple(names) if tools is not None else ()
        self._tools = tools
        self._journal = journal
        self._hooks = hooks
        self._price = price
        self._made: set[str] = set()

    async def answer(self, tool_uses: Sequence[Mapping[str, Any]], room: int) -> list[dict[str, Any]]:
        """One ``tool_result`` for each ``tool_use``, in its order; the calls run side by side.

        ``room`` is how many bytes of results the conversation still has place for.
        """
        answers = await asyncio.gather(*(self._one(place, use) for place, use in enumerate(tool_uses)))
        results = []
        for use, (text, denied) in zip(tool_uses, answers, strict=True):
            size = len(text.encode())
            fits = size <= room
            room -= size if fits else len(LEFT_OUT)
            if not fits:
                self._made.discard(_key(use))
            results.append(_result(use, text if fits else LEFT_OUT, is_error=denied))
        return results

    async def _one(self, place: int, use: Mapping[str, Any]) -> tuple[str, bool]:
        started = time.monotonic()
        call = self._call(use)
        # Decided before the first await of any call, so that two equal calls of one turn run once.
        refusal = self._refusal(place, use, call)
        name = call.tool if call.tool in self._names else "unknown"  # which may be any text
        with self._journal.telemetry.watch(tool_of(name)) as operation:
            said = refusal if refusal is not None else await self._run(use)
            operation.error = f"denied_by_{said.denied_by}" if said.denied_by else ""
        self.total += 1
        self.denied += bool(said.denied_by)
        seconds = round(time.monotonic() - started, 3)
        self._record(use, said, seconds)
        self._hooks.tool_ended(ToolEnd(call, len(said.text.encode()), bool(said.denied_by), seconds))
        return said.text, bool(said.denied_by)

    def _call(self, use: Mapping[str, Any]) -> ToolCall:
        given = use.get("input")
        arguments = dict(given) if isinstance(given, Mapping) else {}
        return ToolCall(self._agent, use["name"], risk_of(use["name"]), arguments)

    def _refusal(self, place: int, use: Mapping[str, Any], call: ToolCall) -> _Said | None:
        no = self._objection(call)
        if no is not None:
            return no
        if place >= MAX_CALLS_A_TURN:
            return _Said(f"Denied: at most {MAX_CALLS_A_TURN} calls in one turn are run.", "cap")
        key = _key(use)
        if key in self._made:
            return _Said(REPEATED)
        self._made.add(key)
        return None

    def _objection(self, call: ToolCall) -> _Said | None:
        """Why the call may not be made: hooks, then what is denied, then what is allowed."""
        why = self._hooks.object_to(call)
        if why:
            return _Said(f"Denied: {why}.", "hook")
        if call.tool in self._names and (call.tool in self._hooks.hooks.deny or call.risk == "high"):
            return _Said("Denied: this tool may not be used in this run.", "rule")
        if call.tool not in self._names:
            have = ", ".join(self._names) or "none"
            return _Said(f"Denied: there is no such tool. You have: {have}.", "not_allowed")
        return None

    async def _run(self, use: Mapping[str, Any]) -> _Said:
        assert self._tools is not None
        try:
            answer = await asyncio.to_thread(self._tools.call, use["name"], use.get("input"))
        except ReviewbotError as error:
            detail = show_surrogates(str(error))
            self._hooks.failed(Failure(self._agent, "tool", type(error).__name__, detail))
            return _Said(f"The tool failed: {detail}")
        return _Said(show_surrogates(answer.text) or "(empty)", "tool" if answer.denied else "")

    def _record(self, use: Mapping[str, Any], said: _Said, seconds: float) -> None:
        size = len(said.text.encode())
        usd = self._price(tokens_of(size))
        self._journal.write(
            "tool_call",
            agent=self._agent,
            tool=one_line(use["name"], 80),
            risk=risk_of(use["name"]),
            **_arguments(use.get("input")),
            bytes=size,
            usd_estimated=None if usd is None else round(usd, 6),
            denied=bool(said.denied_by),
            denied_by=said.denied_by,
            repeated=said.text == REPEATED,
            seconds=seconds,
        )


def refuse_calls(tool_uses: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Results for calls that stand beside a final answer and are not run: no id may stay unanswered."""
    return [_result(use, "Not run: the turn had ended.", is_error=True) for use in tool_uses]


def _result(use: Mapping[str, Any], text: str, *, is_error: bool) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": text}
    return {**result, "is_error": True} if is_error else result


def _key(use: Mapping[str, Any]) -> str:
    return json.dumps([use["name"], use.get("input")], sort_keys=True)


def _arguments(given: object) -> dict[str, object]:
    """What the journal may hold of the arguments: their names, and paths; never what is searched for."""
    if not isinstance(given, Mapping):
        return {"arguments": []}
    keys = [one_line(str(key), 40) for key in list(given)[:20]]
    paths = [one_line(given[key], 300) for key in ("path", "prefix") if isinstance(given.get(key), str)]
    return {"arguments": keys, "paths": paths}
