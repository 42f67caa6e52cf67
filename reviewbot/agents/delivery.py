"""How the requests of a run get to the provider: one by one at once, or gathered in batches."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from reviewbot.agents.spec import AgentSpec
from reviewbot.spend.prices import LIST, Terms

SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the tasks of a run have to know of it.

    ``terms``: what a call costs. ``side_by_side``: how many tasks may be under way. ``warms``: a
    first request fills the cache for those that come after it. ``draw`` makes nonces for fences. ``steps``
    and ``seconds`` of a task, where they are other than its agent's; so many steps are the most.
    ``fits``: where money is short a request is made smaller, and is then another one than with more of it.
    ``clears``: a request may ask for old tool results to be cleared from it.
    """

    terms: Terms = LIST
    side_by_side: int = SIDE_BY_SIDE
    warms: bool = True
    draw: Callable[[], str] = lambda: secrets.token_hex(8)
    steps: int | None = None
    seconds: float | None = None
    fits: bool = True
    clears: bool = True

    def bound(self, spec: AgentSpec) -> AgentSpec:
        """The agent with the bounds that a task of it has here."""
        bounds = spec.bounds
        steps = bounds.steps if self.steps is None else min(self.steps, bounds.steps)
        seconds = bounds.seconds if self.seconds is None else self.seconds
        return replace(spec, bounds=replace(bounds, steps=steps, seconds=seconds))


LIVE = Delivery()
