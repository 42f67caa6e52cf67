"""What a model call costs: list prices in nano-dollars a token, so that sums stay exact.

Prices of 2026-10-24, standard service, global inference, from the provider's model pages; 1 US dollar
for a million tokens is 1,000 nano-dollars a token. A cache write costs 1.25 times the input where it
lives for five minutes, twice the input where it lives for an hour. A batch costs half of everything. A
model that is not here has an unknown price, never 0, unless the policy names one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reviewbot.claims import Usage
from reviewbot.earlier import NANO
from reviewbot.settings import ModelPrice

MODELS: Mapping[str, str] = MappingProxyType(
    {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}
)
"""The model of each tier."""


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars a token, for prompts of at most ``up_to`` tokens (None: of any size).

    ``cache_write`` is for entries that live for five minutes, ``cache_write_1h`` for an hour.
    """

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    up_to: int | None = None

    def of(self, usage: Usage) -> float:
        """Nano-dollars for these tokens."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + (usage.cache_write - usage.cache_write_1h) * self.cache_write
            + usage.cache_write_1h * self.cache_write_1h
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call's price depends on beside its tokens.

    ``us_only``: inference that stays in the US costs a tenth more. ``batch``: the Batch API costs half.
    """

    us_only: bool = False
    batch: bool = False

    def of(self, nano: float) -> float:
        """The nano-dollars of a call that costs so many at list price."""
        return nano * (11 if self.us_only else 10) / (20 if self.batch else 10)


LIST = Terms()
"""Standard service, global inference."""

BATCH = Terms(batch=True)


# The band of Haiku 5.5 goes by the whole prompt (input, cache reads and writes) and holds for every
# token of the request, the output included.
_HAIKU = (Price(100, 500, 10, 125, 200, up_to=100_000), Price(500, 2_500, 50, 625, 1_000))
_OPUS_5 = (Price(5_000, 25_000, 500, 6_250, 10_000),)
_SONNET_4 = (Price(3_000, 15_000, 300, 3_750, 6_000),)

PRICES: Mapping[str, tuple[Price, ...]] = MappingProxyType(
    {
        "claude-haiku-5-5": _HAIKU,
        "claude-sonnet-5-5": (Price(2_000, 10_000, 100, 2_500, 4_000),),
        "claude-opus-5-5": (Price(4_000, 20_000, 200, 5_000, 8_000),),
        "claude-sonnet-5": (Price(2_000, 10_000, 200, 2_500, 4_000),),
        "claude-opus-5": _OPUS_5,
        "claude-opus-4-8": _OPUS_5,
        "claude-opus-4-7": _OPUS_5,
        "claude-opus-4-6": _OPUS_5,
        "claude-opus-4-5": _OPUS_5,
        "claude-sonnet-4-6": _SONNET_4,
        "claude-sonnet-4-5": _SONNET_4,
        "claude-haiku-4-5": (Price(1_000, 5_000, 100, 1_250, 2_000),),
    }
)
"""The bands of each model, the cheapest first."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of a run: ``bands`` by model, and the ``terms`` that its calls are asked at.

    A batch asks for no cache (``batches``), so it is reckoned with plain input.
    """

    bands: Mapping[str, tuple[Price, ...]] = field(default_factory=lambda: PRICES)
    terms: Terms = LIST

    def with_prices(self, prices: Mapping[str, Price]) -> "PriceList":
        """These prices where they name a model, in every band; else this list's."""
        return replace(self, bands={**self.bands, **{model: (price,) for model, price in prices.items()}})

    def at(self, terms: Terms) -> "PriceList":
        """The same prices for calls at other terms."""
        return replace(self, terms=terms)

    def price_usd(self, model: str, usage: Usage, terms: Terms | None = None) -> float | None:
        """Dollars for one call's tokens, or None where the price of ``model`` is unknown.

        ``usage`` is of one request: a band is chosen by the prompt of each request, so sums of several
        are priced call by call. ``terms`` are those that the answer names, else the run's.
        """
        price = self._price(model, usage.prompt)
        return None if price is None else (self.terms if terms is None else terms).of(price.of(usage)) / NANO

    def worst_case_usd(self, model: str, prompt_tokens: int, max_output_tokens: int) -> float | None:
        """The most that a call can cost: none of its prompt read from the cache, all its output used."""
        return self.price_usd(model, self.written(prompt_tokens, max_output_tokens))

    def written(self, prompt_tokens: int, output_tokens: int, *, cached: int = 0) -> Usage:
        """A call's usage: ``cached`` tokens read from the cache, the rest of its prompt written to it.

        Of a batch the whole prompt is plain input.
        """
        if self.terms.batch:
            return Usage(input=prompt_tokens, output=output_tokens)
        return Usage(output=output_tokens, cache_read=cached, cache_write=prompt_tokens - cached)

    def saved_usd(self, model: str, usage: Usage) -> float | None:
        """Dollars that caching saved on one call: its prompt at the input price, less what it cost.

        Negative where more was written than read; None where the price of ``model`` is unknown.
        """
        plain = self.price_usd(model, Usage(input=usage.prompt))
        cached = self.price_usd(model, replace(usage, output=0))
        return None if plain is None or cached is None else plain - cached

    def _price(self, model: str, prompt_tokens: int) -> Price | None:
        bands = self.bands.get(model) or self.bands.get(re.sub(r"-20\d{6}$", "", model), ())
        return next((band for band in bands if band.up_to is None or prompt_tokens <= band.up_to), None)


LIST_PRICES = PriceList()
"""The provider's prices for calls one by one."""


def own_prices(prices: Iterable[ModelPrice]) -> PriceList:
    """The provider's prices, but for the models whose prices the policy names."""
    return LIST_PRICES.with_prices({each.model: _own_price(each) for each in prices})


def _own_price(own: ModelPrice) -> Price:
    """Dollars for a million tokens as nano-dollars for one."""
    return Price(
        input=own.input * 1_000,
        output=own.output * 1_000,
        cache_read=own.cache_read * 1_000,
        cache_write=own.cache_write * 1_000,
        cache_write_1h=own.cache_write_1h * 1_000,
    )
