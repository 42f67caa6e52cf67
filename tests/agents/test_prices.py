import pytest

from reviewbot.agents.prices import MODELS, PRICES, price_usd, worst_case_usd
from reviewbot.claims import Usage

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("claude-opus-5-5", Usage(input=MILLION), 4.00),
        ("claude-opus-5-5", Usage(output=MILLION), 20.00),
        ("claude-opus-5-5", Usage(cache_read=MILLION), 0.20),
        ("claude-opus-5-5", Usage(cache_write=MILLION), 5.00),
        ("claude-sonnet-5-5", Usage(1_000, 2_000, 30_000, 4_000), 0.002 + 0.020 + 0.003 + 0.010),
        ("claude-haiku-5-5", Usage(input=100_000, output=1_000), 0.0105),
        ("claude-haiku-5-5", Usage(input=100_001, output=1_000), 0.0525005),
        ("claude-haiku-4-5-20251001", Usage(input=MILLION), 1.00),
    ],
)
def test_a_call_costs_what_the_price_list_says(model: str, usage: Usage, usd: float) -> None:
    assert price_usd(model, usage) == pytest.approx(usd, abs=1e-12)


def test_the_band_of_haiku_goes_by_the_whole_prompt_cached_or_not_and_holds_for_the_output() -> None:
    spread = Usage(input=1, output=1_000, cache_read=50_000, cache_write=50_000)
    assert price_usd("claude-haiku-5-5", spread) == pytest.approx(
        (500 + 2_500_000 + 50 * 50_000 + 625 * 50_000) / 1e9, abs=1e-12
    )


def test_an_unknown_model_has_no_price_and_never_0() -> None:
    assert price_usd("claude-opus-9", Usage(input=1)) is None
    assert price_usd("claude-opus-5-5-fast", Usage(input=1)) is None
    assert worst_case_usd("claude-opus-9", 1, 1) is None


def test_inference_kept_in_the_us_costs_a_tenth_more() -> None:
    assert price_usd("claude-opus-5-5", Usage(input=MILLION), us_only=True) == pytest.approx(4.40)


@pytest.mark.parametrize("model", sorted(PRICES))
def test_no_way_to_spend_the_same_tokens_is_dearer_than_the_worst_case(model: str) -> None:
    worst = worst_case_usd(model, 90_000, 8_000)
    assert worst is not None
    for usage in (
        Usage(90_000, 8_000),
        Usage(0, 8_000, 90_000, 0),
        Usage(0, 8_000, 0, 90_000),
        Usage(30_000, 1, 30_000, 30_000),
    ):
        price = price_usd(model, usage)
        assert price is not None
        assert 0 < price <= worst


def test_every_tier_has_a_model_with_a_price() -> None:
    assert set(MODELS) == {"haiku", "sonnet", "opus"}
    assert set(MODELS.values()) <= set(PRICES)
