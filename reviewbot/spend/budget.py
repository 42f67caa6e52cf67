"""The dollars of a run: reserved before a call, settled after it, shared by agents that run side by side.

Nothing here awaits, so tasks of one event loop cannot overspend together.
"""

from dataclasses import dataclass
from math import inf

from reviewbot.claims import Usage
from reviewbot.earlier import NANO
from reviewbot.spend.prices import LIST_PRICES, PriceList, Terms

GROWTH_TOKENS = 2_000
"""What one round of tools adds to a prompt, as a rule."""

_WORK_TOKENS = 10_000
"""A prompt by which the prices of two models are compared, with a tenth of it as output."""


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """What one call may cost at most, in nano-dollars; None where its price is unknown."""

    nano: int | None


class Ledger:
    """What a run may spend, has spent and holds back for calls under way.

    ``is_complete`` is False once a cost could not be known: a model without a price, or a call whose
    answer never came. Such a call may have been charged, so what was reserved for it stays held.
    ``prices`` are those that the run reckons with.
    """

    def __init__(self, limit_usd: float, prices: PriceList = LIST_PRICES) -> None:
        self.limit_usd = limit_usd
        self.prices = prices
        self.is_complete = True
        self._limit = round(limit_usd * NANO)
        self._spent = 0
        self._lost = 0
        self._kept = 0
        self._open: set[Reservation] = set()

    @property
    def spent_usd(self) -> float:
        """Dollars that are known to be spent."""
        return self._spent / NANO

    @property
    def charged_usd(self) -> float:
        """The most that was charged so far: what is spent, and what calls without an answer may have cost."""
        return (self._spent + self._lost) / NANO

    @property
    def unspent_usd(self) -> float:
        """Dollars that are neither spent, lost nor kept; what calls under way hold back is among them."""
        return (self._limit - self._spent - self._lost - self._kept) / NANO

    @property
    def left_usd(self) -> float:
        """Dollars that may still be reserved."""
        return (self._limit - self._spent - self._lost - self._kept - self._held) / NANO

    def keep(self, usd: float) -> None:
        """Keep so much of the limit for later work; 0 lets it go."""
        self._kept = round(usd * NANO)

    def reserve(self, usd: float | None) -> Reservation | None:
        """Hold back the worst case of a call; None where that would pass the limit.

        ``usd`` None is a price that nobody knows: it holds back nothing, and the ledger is incomplete; where
        nothing is left of the limit it is refused, too.
        """
        nano = None if usd is None else round(usd * NANO)
        if nano is None and self._spent + self._lost >= self._limit:
            return None
        if nano is None:
            self.is_complete = False
        elif self._spent + self._lost + self._kept + self._held + nano > self._limit:
            return None
        reservation = Reservation(nano)
        self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, usd: float | None) -> None:
        """Replace what was held back by the real cost; None where nobody knows it.

        Raises:
            ValueError: the reservation is of another ledger, or was settled before.
        """
        if reservation not in self._open:
            raise ValueError("this reservation is not open in this ledger")
        self._open.remove(reservation)
        if usd is None:
            self.lose(None if reservation.nano is None else reservation.nano / NANO)
        else:
            self._spent += round(usd * NANO)

    def lose(self, usd: float | None) -> None:
        """Hold back for good what an attempt may have cost whose answer never came."""
        self.is_complete = False
        self._lost += 0 if usd is None else round(usd * NANO)

    @property
    def _held(self) -> int:
        return sum(reservation.nano or 0 for reservation in self._open)


def affordable_output(
    prices: PriceList, model: str, prompt_tokens: int, max_output_tokens: int, usd: float
) -> int:
    """How many output tokens so many dollars pay for beside a cold prompt; all where no price is known."""
    prompt = prices.worst_case_usd(model, prompt_tokens, 0)
    whole = prices.worst_case_usd(model, prompt_tokens, max_output_tokens)
    if prompt is None or whole is None or whole <= usd:
        return max_output_tokens
    return max(0, int((usd - prompt) / (whole - prompt) * max_output_tokens) - 1)


def affordable_prompt(
    prices: PriceList, model: str, max_output_tokens: int, usd: float, *, calls: int
) -> float:
    """How large a cold prompt so many dollars pay for in each of 1 or 2 calls; infinite without a price."""
    output = prices.worst_case_usd(model, 0, max_output_tokens)
    write = prices.worst_case_usd(model, 10_000, 0)
    if output is None or not write:
        return inf
    growth = GROWTH_TOKENS if calls > 1 else 0
    return max(0.0, ((usd - calls * output) / write * 10_000 - growth) / calls)


def scale_bound(prices: PriceList, usd: float, model: str, usual: str) -> float:
    """Dollars for the same work on ``model`` that take ``usd`` at most on the ``usual`` model of a tier.

    Never less than ``usd``; the same where one of the two prices is unknown.
    """
    there, here = (prices.worst_case_usd(each, _WORK_TOKENS, _WORK_TOKENS // 10) for each in (model, usual))
    return usd * max(1.0, there / here) if there and here else usd


class OverBudget(Exception):
    """The next call may cost more than is left; the message says of what, in one sentence."""


class Account:
    """What one task spends out of a run's ledger, with a limit of its own.

    ``usd`` is what is known to be spent, ``is_known`` False once that cannot be all. ``saved_usd`` is
    what caching saved, which may be less than nothing.
    """

    def __init__(self, ledger: Ledger, model: str, limit_usd: float) -> None:
        self.usage = Usage()
        self.usd = 0.0
        self.saved_usd = 0.0
        self.is_known = True
        self._ledger = ledger
        self._prices = ledger.prices
        self._model = model
        self._limit_usd = limit_usd

    def reserve(self, prompt_tokens: int, max_output_tokens: int, *, cached: int) -> Reservation:
        """Hold back the worst case of the next call.

        The run's ledger reckons with a cold cache. The task's own limit reckons with what the call
        before it read or wrote (``cached`` tokens): it ends loops that run wild, and the ledger pays.

        Raises:
            OverBudget: one of the two has not enough left.
        """
        likely = self.likely_usd(prompt_tokens, max_output_tokens, cached=cached)
        if likely is not None and self.usd + likely > self._limit_usd:
            raise OverBudget(
                f"The next call may cost ${likely:.4f}, and of ${self._limit_usd:.2f} for this task "
                f"${self.usd:.4f} are spent."
            )
        worst = self._prices.worst_case_usd(self._model, prompt_tokens, max_output_tokens)
        reservation = self._ledger.reserve(worst)
        if reservation is None:
            cost = "an unknown sum" if worst is None else f"${worst:.4f}"
            raise OverBudget(
                f"The next call may cost {cost}, and of the run's budget of "
                f"${self._ledger.limit_usd:.2f} only ${max(self._ledger.left_usd, 0):.4f} are left."
            )
        return reservation

    def likely_usd(self, prompt_tokens: int, max_output_tokens: int, *, cached: int) -> float | None:
        """The cost of a call with ``cached`` tokens read from the cache and every output token used."""
        usage = self._prices.written(prompt_tokens, max_output_tokens, cached=min(cached, prompt_tokens))
        return self._prices.price_usd(self._model, usage)

    def affordable_output(self, prompt_tokens: int, max_output_tokens: int) -> int:
        """How many output tokens of a call the run can still hold back, at most ``max_output_tokens``."""
        left = self._ledger.left_usd
        return affordable_output(self._prices, self._model, prompt_tokens, max_output_tokens, left)

    def pays_twice(self, prompt_tokens: int, max_output_tokens: int, *, cached: int) -> bool:
        """Whether the run has room for such a call and, at its worst, for one more with what it brings."""
        first = self.likely_usd(prompt_tokens, max_output_tokens, cached=cached)
        worst = self._prices.worst_case_usd(self._model, prompt_tokens + GROWTH_TOKENS, max_output_tokens)
        return first is None or worst is None or first + worst <= self._ledger.left_usd

    def can_afford(self, usd: float | None) -> bool:
        """Whether the task's own limit leaves room for this."""
        return usd is None or self.usd + usd <= self._limit_usd

    def has_room(self, prompt_tokens: int, max_output_tokens: int, *, cached: int) -> bool:
        """Whether ``reserve`` would hold back such a call."""
        likely = self.likely_usd(prompt_tokens, max_output_tokens, cached=cached)
        worst = self._prices.worst_case_usd(self._model, prompt_tokens, max_output_tokens)
        return self.can_afford(likely) and (worst is None or worst <= self._ledger.left_usd)

    def charge(
        self, reservation: Reservation, usage: Usage | None, model: str = "", terms: Terms | None = None
    ) -> float | None:
        """Settle a call with its real usage, at the price of the ``model`` and the ``terms`` it came at.

        Returns its dollars, or None where nobody knows them: no usage, or no price.
        """
        # What was not charged costs nothing, whatever the model's price.
        usd = 0.0 if usage == Usage() else None
        if usage is not None and usd is None:
            usd = self._prices.price_usd(model or self._model, usage, terms)
            self.usage += usage
            self.saved_usd += self._prices.saved_usd(model or self._model, usage) or 0.0
        self._ledger.settle(reservation, usd)
        self.is_known &= usd is not None
        self.usd += usd or 0.0
        return usd

    def lose(self, attempts: int, reservation: Reservation) -> None:
        """Attempts of a call were lost before the one that was answered, and may have been charged."""
        for _ in range(attempts):
            self._ledger.lose(None if reservation.nano is None else reservation.nano / NANO)
        self.is_known &= not attempts
