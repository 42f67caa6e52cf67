"""What the model agents did and cost, in a line for people. Pure."""

import re
from collections.abc import Sequence

from reviewbot.claims import Outcome, Stop
from reviewbot.core import Review
from reviewbot.publish.sanitize import visible
from reviewbot.text import dollars

_TOLD = re.compile(r"(\$[0-9]+\.[0-9]{4}) of (\$[0-9]+(?:\.[0-9]+)?) spent\b")

_ENDS = {
    Stop.STEPS: "too many steps",
    Stop.TOKENS: "too long an answer",
    Stop.USD: "budget used up",
    Stop.SECONDS: "out of time",
    Stop.CONTEXT: "too much to read",
    Stop.REFUSED: "refused",
    Stop.INVALID: "no valid answer",
    Stop.UNAVAILABLE: "no answer",
}
"""What ended a task that was not done."""

SHOWN_SAVING = 0.0001
"""Dollars that caching must have saved to be told."""


def spending(review: Review) -> str:
    """Each agent with its tasks and dollars, then all dollars; empty where no agent ran."""
    if not review.outcomes:
        return ""
    names = list(dict.fromkeys(outcome.task.agent for outcome in review.outcomes))
    agents = [_agent(name, [o for o in review.outcomes if o.task.agent == name]) for name in names]
    return f"Agents: {', '.join(agents)}. {_dollars(review)}"


def read_spending(text: str) -> tuple[str, str] | None:
    """Dollars spent and dollars of the budget, as the last line of ``spending`` in a summary tells them."""
    found = _TOLD.findall(re.sub(r"<!--.*?-->|[\\`]", "", text, flags=re.DOTALL))
    return found[-1] if found else None


def _agent(name: str, outcomes: Sequence[Outcome]) -> str:
    models = ", ".join(sorted({visible(outcome.model) for outcome in outcomes}))
    done = sum(outcome.stop is Stop.DONE for outcome in outcomes)
    if done == len(outcomes):
        tasks = "" if done == 1 else f", {done} tasks"
    else:
        stops = sorted({_ENDS[outcome.stop] for outcome in outcomes if outcome.stop is not Stop.DONE})
        tasks = f", {done} of {len(outcomes)} tasks done ({', '.join(stops)})"
    usd = [outcome.usd for outcome in outcomes]
    cost = "unknown" if None in usd else f"${sum(each or 0 for each in usd):.4f}"
    return f"{name} ({models}{tasks}, {cost})"


def _dollars(review: Review) -> str:
    spent = f"${review.cost_usd:.4f} of {dollars(review.budget_usd)}"
    saved = sum(outcome.saved_usd for outcome in review.outcomes)
    told = f" Caching saved ${saved:.4f}." if saved >= SHOWN_SAVING else ""
    return (
        f"{spent} spent.{told}"
        if review.cost_is_complete
        else f"At least {spent} spent: a cost is unknown.{told}"
    )
