"""What a model call costs: list prices in whole nano-dollars a token, so that sums stay exact.

Prices of 2026-10-24, standard service, global inference, from the provider's model pages; 1 US dollar
for a million tokens is 1,000 nano-dollars a token. Cache writes are priced at the five-minute lifetime,
the only one that we ask for. A model that is not here has an unknown price, never 0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reviewbot.claims import Usage

MODELS: Mapping[str, str] = MappingProxyType(
    {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}
)
"""The model of each tier."""

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars a token, for prompts of at most ``up_to`` tokens (None: of any size)."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    up_to: int | None = None

    def of(self, usage: Usage) -> int:
        """Nano-dollars for these tokens."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        )


# The band of Haiku 5.5 goes by the whole prompt (input, cache reads and writes) and holds for every
# token of the request, the output included.
_HAIKU = (Price(100, 500, 10, 125, up_to=100_000), Price(500, 2_500, 50, 625))
_OPUS_5 = (Price(5_000, 25_000, 500, 6_250),)
_SONNET_4 = (Price(3_000, 15_000, 300, 3_750),)

PRICES: Mapping[str, tuple[Price, ...]] = MappingProxyType(
    {
        "claude-haiku-5-5": _HAIKU,
        "claude-sonnet-5-5": (Price(2_000, 10_000, 100, 2_500),),
        "claude-opus-5-5": (Price(4_000, 20_000, 200, 5_000),),
        "claude-sonnet-5": (Price(2_000, 10_000, 200, 2_500),),
        "claude-opus-5": _OPUS_5,
        "claude-opus-4-8": _OPUS_5,
        "claude-opus-4-7": _OPUS_5,
        "claude-opus-4-6": _OPUS_5,
        "claude-opus-4-5": _OPUS_5,
        "claude-sonnet-4-6": _SONNET_4,
        "claude-sonnet-4-5": _SONNET_4,
        "claude-haiku-4-5": (Price(1_000, 5_000, 100, 1_250),),
    }
)
"""The bands of each model, the cheapest first."""


def price_usd(model: str, usage: Usage, *, us_only: bool = False) -> float | None:
    """Dollars for one call's tokens, or None where the price of ``model`` is unknown.

    ``usage`` is of one request: a band is chosen by the prompt of each request, so sums of several are
    priced call by call. ``us_only`` is for inference that stays in the US, which costs a tenth more.
    """
    price = _price(model, usage.prompt)
    if price is None:
        return None
    nano = price.of(usage)
    return (nano * 11 / 10 if us_only else nano) / NANO


def worst_case_usd(model: str, prompt_tokens: int, max_output_tokens: int) -> float | None:
    """The most that a call can cost: every prompt token written to the cache, every output token used."""
    return price_usd(model, Usage(output=max_output_tokens, cache_write=prompt_tokens))


def _price(model: str, prompt_tokens: int) -> Price | None:
    bands = PRICES.get(re.sub(r"-20\d{6}$", "", model), ())
    return next((band for band in bands if band.up_to is None or prompt_tokens <= band.up_to), None)
