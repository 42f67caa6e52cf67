"""Old tool results that the provider clears from a conversation whose window is full.

That is context editing (``clear_tool_uses_20250919``) as the API reference of version 2026-10-21 has it.
It writes what stays to the cache again, so it is asked for only where the conversation would otherwise have
to end, of models that say they can, and no more in a run once it has failed three times. What was cleared
stays cleared: the same results in each later request, so that the cache holds, until the window is full
again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reviewbot.agents.api.model_facts import ModelFacts
from reviewbot.agents.conversation.history import weigh

FAILURES = 3
"""After so many requests that were refused or cleared nothing, a run asks for it no more."""

KEPT = 3
"""The newest tool results that always stay, and all of the newest turn."""

LEAST_TOKENS = 5_000
"""Less than this is not worth writing the rest of the window to the cache again."""

CHARACTERS_A_TOKEN = 6
"""At most about so many: what clearing takes away is reckoned too low, never too high."""

CLEARED = "Your oldest tool results are no longer shown. Read again what you want to quote from them."


class Clearing:
    """Which models clear, as their provider says, and whether it still works; one for all tasks of a run."""

    def __init__(self) -> None:
        self._models: set[str] = set()
        self._failures = 0

    def learn(self, model: str, facts: ModelFacts) -> None:
        """Note what the provider says of a model."""
        if facts.clears_tool_uses:
            self._models.add(model)

    def offers(self, model: str) -> bool:
        """Whether requests to the model may ask for it now."""
        return model in self._models and self._failures < FAILURES

    def fail(self) -> None:
        """Note a request that was refused with it, or that cleared nothing."""
        self._failures += 1


class OldResults:
    """The tool results of one conversation, and how many of them are cleared in its requests."""

    def __init__(self, clearing: Clearing, model: str) -> None:
        self._clearing = clearing
        self._model = model
        self._weights: list[int] = []
        self._newest = 0
        self._cleared = 0
        self._works = False

    @property
    def kept(self) -> int:
        """How many tool results the next request keeps; 0 where it clears none."""
        return len(self._weights) - self._cleared if self._cleared else 0

    def add(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Note the results of one turn."""
        weights = [weigh(block) for block in results if block["type"] == "tool_result"]
        self._weights += weights
        self._newest = len(weights)

    def can_clear_more(self) -> bool:
        """Whether the next request may leave out enough of what this one showed."""
        fresh = sum(self._weights[self._cleared : self._end()])
        return self._clearing.offers(self._model) and fresh >= LEAST_TOKENS * CHARACTERS_A_TOKEN

    def clear_more(self) -> None:
        """Leave out all but the newest from now on."""
        self._cleared = self._end()

    def note(self, cleared_tokens: int) -> None:
        """What an answer says was cleared from its request."""
        if not self._cleared:
            return
        if cleared_tokens:
            self._works = True
        else:
            self._clearing.fail()
            self._cleared = 0

    def give_up(self) -> bool:
        """Note that a request with it was refused; whether it fits the window without."""
        self._clearing.fail()
        self._cleared = 0
        return not self._works

    def _end(self) -> int:
        return max(self._cleared, len(self._weights) - max(KEPT, self._newest))
