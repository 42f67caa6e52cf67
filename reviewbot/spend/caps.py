"""Limits on the dollars of several runs together: those on one pull request, those of one month. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reviewbot.text import dollars

WARNED = (0.8, 0.5)
"""Shares of a cap from which on a reader is told; the highest first."""

MONTH_HOLDS = (
    "`budget-usd-per-month` holds for runs with a state folder only: scans and local reviews with --state. "
    "Reviews of pull requests on GitHub have none, so the month is not enforced there."
)


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit in dollars on what several runs may spend on models, and what those ``before`` have spent."""

    of: Literal["pull request", "month"]
    limit_usd: float
    before_usd: float

    @property
    def left_usd(self) -> float:
        """Dollars that this run may spend, 0 or more."""
        return max(0.0, self.limit_usd - self.before_usd)

    @property
    def setting(self) -> str:
        """The key of the policy that sets it."""
        return f"budget-usd-per-{self.of.replace(' ', '-')}"


def find_binding(budget_usd: float, caps: Sequence[Cap]) -> Cap | None:
    """The cap that leaves this run least, where that is less than its own budget."""
    least = min(caps, key=lambda cap: cap.left_usd, default=None)
    return least if least is not None and least.left_usd < budget_usd else None


def explain_cap(cap: Cap) -> str:
    """What a cap left for this run, and how that is changed."""
    whole = f"the {dollars(cap.limit_usd)} for this {cap.of}"
    said = (
        f"Of {whole} only ${cap.left_usd:.4f} were left for this run."
        if cap.left_usd > 0
        else f"No model was asked: {whole} are spent (${cap.before_usd:.4f})."
    )
    again = {
        "pull request": "on the base branch, then re-run the job or write `/reviewbot review`",
        "month": "and run it again, or wait for the next month (UTC)",
    }[cap.of]
    return f"{said} Raise `{cap.setting}` in the policy {again}."


def warn_of_cap(cap: Cap, charged_usd: float) -> str:
    """A sentence where much of a cap is spent, this run's ``charged_usd`` included; else empty."""
    spent = cap.before_usd + charged_usd
    passed = next((share for share in (1.0, *WARNED) if spent >= share * cap.limit_usd), None)
    if passed is None:
        return ""
    how_much = "All" if passed == 1 else f"More than {passed:.0%}"
    return (
        f"{how_much} of the {dollars(cap.limit_usd)} for this {cap.of} (`{cap.setting}`) may be spent: "
        f"${spent:.4f} so far."
    )
