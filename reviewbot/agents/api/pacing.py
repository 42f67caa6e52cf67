"""Rate limits that the provider tells of in its answers, kept before they are passed.

Headers of the API reference, version 2026-10-21: ``anthropic-ratelimit-KIND-remaining`` and ``-reset``
(RFC 3339), of good answers and of errors. Where little is left fewer calls run side by side; where nothing
is, the next one waits.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

LONGEST_WAIT_SECONDS = 60.0
"""A limit that is reset later than this is left to the provider to refuse."""

KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
"""The limits that a call is held against. How long an answer gets nobody knows before: it is reckoned as
long as those of its model were on average, and until there is one only an empty limit holds a call back."""

_REFUSED = "refused"
"""The kind under which a server's own "not before" is kept."""


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
    answers: int = 0
    written: int = 0

    def needed(self, kind: str, tokens: int) -> int:
        """What the calls under way and one more of so many tokens take of a limit."""
        calls = len(self.unseen) + 1
        if kind == "output-tokens":
            return calls * max(1, self.written // max(1, self.answers))
        return calls if kind in ("requests", _REFUSED) else sum(self.unseen) + tokens


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

    def note(self, model: str, headers: Mapping[str, str], refused_for: float = 0.0) -> None:
        """Remember what an answer says of a model's limits; ``refused_for``: seconds it asks us to wait."""
        known = self._models.setdefault(model, _Model())
        known.allowances.update(parse_allowances(headers))
        if refused_for > 0:
            known.allowances[_REFUSED] = Allowance(0, self._clock() + refused_for)

    def learn(self, model: str, output_tokens: int) -> None:
        """Remember how long an answer of a model was."""
        known = self._models.setdefault(model, _Model())
        known.answers, known.written = known.answers + 1, known.written + output_tokens

    def _wait(self, known: _Model, tokens: int) -> float:
        """Seconds until a call can go at the latest; 0 now."""
        now, longest = self._clock(), 0.0
        for kind, allowance in known.allowances.items():
            if (
                known.needed(kind, tokens) > allowance.left
                and now < allowance.reset <= now + LONGEST_WAIT_SECONDS
            ):
                longest = max(longest, allowance.reset - now)
        return longest
