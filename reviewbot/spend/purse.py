"""What one run may spend on models: its own budget, and what the caps over several runs leave of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from reviewbot.core import Reason, Trigger
from reviewbot.earlier import NANO
from reviewbot.journal import Journal
from reviewbot.request import Request
from reviewbot.settings import Settings
from reviewbot.spend.caps import Cap, explain_cap, find_binding, warn_of_cap
from reviewbot.spend.months import MonthLedger


@dataclass(slots=True)
class Purse:
    """The money of one run. ``caps`` hold over several runs, ``budget_usd`` is what they leave of its own.

    ``charged_usd`` is the most that it has spent so far: all that it was given, until the cost is known.
    """

    caps: tuple[Cap, ...] = ()
    budget_usd: float | None = None
    charged_usd: float = 0.0
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def opened(self, request: Request, trigger: Trigger, settings: Settings) -> "Iterator[Draw]":
        """What models may be asked for now. A draw that is not settled counts as spent whole.

        Raises StateError where the month's costs cannot be read or kept.
        """
        caps = []
        if settings.budget_usd_per_pull_request is not None and trigger.pull_number is not None:
            before = (request.last.spent if request.last else 0) / NANO + self.charged_usd
            caps.append(Cap("pull request", settings.budget_usd_per_pull_request, before))
        with ExitStack() as stack:
            month = None
            if request.state is not None:
                month = stack.enter_context(MonthLedger(request.state, trigger.repository))
                cap_usd = settings.budget_usd_per_month
                wanted = min((settings.budget_usd, *(cap.left_usd for cap in caps)))
                before = month.draw(wanted, cap_usd)
                caps += [Cap("month", cap_usd, before)] if cap_usd is not None else []
            usd = min((settings.budget_usd, *(cap.left_usd for cap in caps)))
            draw = Draw(self, usd, find_binding(settings.budget_usd, caps), month)
            if self.budget_usd is None:
                self.caps, self.budget_usd = tuple(caps), usd
            self.charged_usd += usd
            yield draw

    def tell(self, request: Request, settings: Settings, journal: Journal) -> tuple[str, ...]:
        """Sentences about the caps, and a line of the journal for each."""
        for cap in self.caps:
            journal.write(
                "cap",
                of=cap.of,
                limit_usd=cap.limit_usd,
                before_usd=cap.before_usd,
                charged_usd=self.charged_usd,
            )
        told = [warn_of_cap(cap, self.charged_usd) for cap in self.caps]
        if settings.budget_usd_per_month is not None and request.state is None:
            told.append(
                f"`budget-usd-per-month` (${settings.budget_usd_per_month:.2f}) is not enforced here: only "
                "runs with a state folder know what a month has cost."
            )
        return tuple(filter(None, told))


@dataclass(slots=True)
class Draw:
    """So many dollars for one round of agents. ``binding`` is the cap that made it less, if one did."""

    purse: Purse
    usd: float
    binding: Cap | None
    month: MonthLedger | None

    def settle(self, charged_usd: float) -> None:
        """Note what was charged at most. Raises StateError."""
        self.purse.charged_usd += charged_usd - self.usd
        if self.month is not None:
            self.month.settle(charged_usd)

    def explain(self, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        """The same reasons; where the money ended because of a cap, that is said and how it is changed."""
        if self.binding is None:
            return reasons
        said = explain_cap(self.binding)
        return tuple(
            Reason(each.code, f"{each.detail.removesuffix(RAISE).strip()} {said}")
            if each.code == "budget"
            else each
            for each in reasons
        )


RAISE = "Raise `budget-usd`, or split the change."
