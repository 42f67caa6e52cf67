"""Rate limits that the provider tells of in its answers, kept before they are passed.

Headers of the API reference, version 2026-10-21: ``anthropic-ratelimit-KIND-remaining`` and ``-reset``
(RFC 3339). Where little is left fewer calls run side by side; where nothing is, the next one waits.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

LONGEST_WAIT_SECONDS = 60.0
"""A limit that is reset later than this is left to the provider to refuse."""

KINDS = ("requests", "tokens", "input-tokens")
"""The limits that a request's own size is held against; how long an answer gets nobody knows before."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may still be sent of one kind until ``reset`` (seconds since the epoch)."""

    left: int
    reset: float


def parse_allowances(headers: Mapping[str, str]) -> dict[str, Allowance]:
    """What an answer's headers say, by kind; a kind that they do not fully tell is left out."""
    found = {}
    for kind in KINDS:
        left = headers.get(f"anthropic-ratelimit-{kind}-remaining") or ""
        try:
            reset = datetime.fromisoformat(headers.get(f"anthropic-ratelimit-{kind}-reset") or "")
            if left.isascii() and left.isdigit() and len(left) < 16 and reset.tzinfo is not None:
                found[kind] = Allowance(int(left), reset.timestamp())
        except (ValueError, OverflowError):
            continue
    return found


@dataclass(slots=True)
class _Model:
    """One model's limits as last told, and the sizes of the calls that were sent since."""

    allowances: dict[str, Allowance] = field(default_factory=dict)
    unseen: list[int] = field(default_factory=list)


class Pace:
    """Lets calls of each model go as its limits allow; for one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, model: str, tokens: int, seconds: float) -> AsyncIterator[None]:
        """Wait, at most so many seconds, until a call of about so many tokens fits; the block is the call."""
        known = self._models.setdefault(model, _Model())
        deadline = self._clock() + min(seconds, LONGEST_WAIT_SECONDS)
        async with self._changed:
            while (wait := min(self._wait(known, tokens), deadline - self._clock())) > 0:
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            known.unseen.append(tokens)
        try:
            yield
        finally:
            known.unseen.remove(tokens)
            async with self._changed:
                self._changed.notify_all()

    def note(self, model: str, headers: Mapping[str, str]) -> None:
        """Remember what an answer says of a model's limits."""
        self._models.setdefault(model, _Model()).allowances.update(parse_allowances(headers))

    def _wait(self, known: _Model, tokens: int) -> float:
        """Seconds until a call can go at the latest; 0 now."""
        now, longest = self._clock(), 0.0
        for kind, allowance in known.allowances.items():
            size = (lambda each: 1) if kind == "requests" else (lambda each: each)
            needed = sum(map(size, (*known.unseen, tokens)))
            if needed > allowance.left and now < allowance.reset <= now + LONGEST_WAIT_SECONDS:
                longest = max(longest, allowance.reset - now)
        return longest
