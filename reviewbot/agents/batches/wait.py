"""The wait for batches: at growing intervals, with a word on the screen, and no longer than was allowed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from reviewbot.agents.api.failures import ModelError
from reviewbot.claims import Usage

Step = Callable[[str], AbstractContextManager[None]]
"""Shows words for something that takes long, for as long as it does."""

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 30.0
GROWTH = 1.5


class BatchWait:
    """What one run may wait in all. ``is_kept``: a later run can pick up what it did not wait for.

    ``is_over``: something took longer, so nothing new is begun.
    """

    def __init__(
        self,
        seconds: float,
        step: Step,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        is_kept: bool,
    ) -> None:
        self._left = self._seconds = seconds
        self._step, self._sleep, self._is_kept = step, sleep, is_kept
        self.is_over = False

    @property
    def waited_seconds(self) -> float:
        """How long was waited so far."""
        return self._seconds - self._left

    async def until(self, is_ended: Callable[[], Awaitable[bool]], what: str) -> None:
        """Return once ``is_ended`` says so; ``what`` names what is waited for.

        Raises:
            ModelError: ``batch_pending``: it took longer than the run may wait; or what ``is_ended`` raises.
        """
        pause = FIRST_SECONDS
        while not await is_ended():
            if self._left <= 0:
                self.is_over = True
                raise self.pending()
            minutes = int(self.waited_seconds // 60)
            with self._step(f"waiting for {what} ({minutes} of {self._seconds / 60:g} minutes)"):
                began = time.monotonic()
                await self._sleep(min(pause, self._left))
                self._left -= max(time.monotonic() - began, min(pause, self._left))
            pause = min(pause * GROWTH, LONGEST_SECONDS)

    def pending(self) -> ModelError:
        """The end of an ask that was not waited for. Nothing is known to be spent on it yet."""
        after = f"The provider had not finished the batch after {self._seconds / 60:g} minutes"
        then = (
            "the next run with the same --state picks it up"
            if self._is_kept
            else "it is cancelled, because without --state no later run can pick it up"
        )
        return ModelError("batch_pending", f"{after}; {then}.", Usage())
