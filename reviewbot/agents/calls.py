"""The tool calls of a model: each id answered once, in order; what must not run is denied and counted."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reviewbot.errors import ReviewbotError
from reviewbot.journal import Journal
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


class ToolCalls:
    """Runs an agent's tool calls and remembers them. ``total`` and ``denied`` count them."""

    def __init__(self, agent: str, names: Sequence[str], tools: Tools | None, journal: Journal) -> None:
        self.total = 0
        self.denied = 0
        self._agent = agent
        self._names = tuple(names) if tools is not None else ()
        self._tools = tools
        self._journal = journal
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
        # Decided before the first await of any call, so that two equal calls of one turn run once.
        refusal = self._refusal(place, use)
        text, denied = refusal if refusal is not None else await self._run(use)
        self.total += 1
        self.denied += denied
        self._journal.write(
            "tool_call",
            agent=self._agent,
            tool=one_line(use["name"], 80),
            **_arguments(use.get("input")),
            bytes=len(text.encode()),
            denied=denied,
            repeated=text == REPEATED,
            seconds=round(time.monotonic() - started, 3),
        )
        return text, denied

    def _refusal(self, place: int, use: Mapping[str, Any]) -> tuple[str, bool] | None:
        if use["name"] not in self._names:
            return f"Denied: there is no such tool. You have: {', '.join(self._names) or 'none'}.", True
        if place >= MAX_CALLS_A_TURN:
            return f"Denied: at most {MAX_CALLS_A_TURN} calls in one turn are run.", True
        key = _key(use)
        if key in self._made:
            return REPEATED, False
        self._made.add(key)
        return None

    async def _run(self, use: Mapping[str, Any]) -> tuple[str, bool]:
        assert self._tools is not None
        try:
            answer = await asyncio.to_thread(self._tools.call, use["name"], use.get("input"))
        except ReviewbotError as error:
            return f"The tool failed: {show_surrogates(str(error))}", False
        return show_surrogates(answer.text) or "(empty)", answer.denied


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
