"""Which of a run's models will be gone soon, asked of the provider beside the run.

It is never waited for and never a reason to fail: what is not answered when the run ends is cancelled.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.model_facts import ModelFacts
from reviewbot.journal import Journal
from reviewbot.text import one_line

HEAD_START_SECONDS = 0.1
"""The first requests of the run are on their way before these are made."""


class Describer(Protocol):
    """What is needed of ``claude.Claude``."""

    async def describe(self, model: str, *, once: bool = False) -> ModelFacts:
        """What the provider says about a model; raises ModelError."""


class Lifecycles:
    """Asks about each model of ``users``, which names the agents that use it. Begins at once.

    ``learn`` is told what the provider says of a model as soon as it does.
    """

    def __init__(
        self,
        claude: Describer,
        users: Mapping[str, Sequence[str]],
        journal: Journal,
        learn: Callable[[str, ModelFacts], None] = lambda *_: None,
    ) -> None:
        self._claude = claude
        self._users = users
        self._journal = journal
        self._learn = learn
        self._asked = {model: asyncio.create_task(self._describe(model)) for model in users}

    async def end(self) -> tuple[str, ...]:
        """A sentence for each model that was found to be near its end; the others are asked no longer."""
        for task in self._asked.values():
            task.cancel()
        answers = await asyncio.gather(*self._asked.values(), return_exceptions=True)
        told = zip(self._users.items(), answers, strict=True)
        return tuple(
            filter(None, (render_age(*user, facts) for user, facts in told if isinstance(facts, ModelFacts)))
        )

    async def _describe(self, model: str) -> ModelFacts | None:
        await asyncio.sleep(HEAD_START_SECONDS)
        try:
            facts = await self._claude.describe(model, once=True)
        except ModelError as error:
            self._journal.write("model_described", model=model, error=error.code)
            return None
        self._journal.write(
            "model_described", model=model, lifecycle=facts.lifecycle, retires_on=facts.retires_on
        )
        self._learn(model, facts)
        return facts


def render_age(model: str, agents: Sequence[str], facts: ModelFacts) -> str:
    """A sentence about a model that is deprecated or retired, else empty."""
    who = f"{one_line(model, 80)} ({', '.join(agents)})"
    when = f" on {facts.retires_on}" if facts.retires_on else ""
    said = {
        "deprecated": f"{who} is deprecated and will be retired{when}. Name its successor in the policy.",
        "retired": f"{who} is retired. Name its successor in the policy.",
    }
    return said.get(facts.lifecycle or "", "")
