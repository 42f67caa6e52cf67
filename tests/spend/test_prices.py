import pytest

from reviewbot.claims import Usage
from reviewbot.settings import ModelPrice
from reviewbot.spend.prices import BATCH, LIST_PRICES, MODELS, PRICES, Price, Terms, own_prices

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("claude-opus-5-5", Usage(input=MILLION), 4.00),
        ("claude-opus-5-5", Usage(output=MILLION), 20.00),
        ("claude-opus-5-5", Usage(cache_read=MILLION), 0.20),
        ("claude-opus-5-5", Usage(cache_write=MILLION), 5.00),
        ("claude-opus-5-5", Usage(cache_write=MILLION, cache_write_1h=MILLION), 8.00),
        ("claude-opus-5-5", Usage(cache_write=MILLION, cache_write_1h=400_000), 3.00 + 3.20),
        ("claude-haiku-5-5", Usage(cache_write=100_000, cache_write_1h=100_000), 0.02),
        ("claude-haiku-5-5", Usage(cache_write=MILLION, cache_write_1h=MILLION), 1.00),
        ("claude-sonnet-5-5", Usage(1_000, 2_000, 30_000, 4_000), 0.002 + 0.020 + 0.003 + 0.010),
        ("claude-haiku-5-5", Usage(input=100_000, output=1_000), 0.0105),
        ("claude-haiku-5-5", Usage(input=100_001, output=1_000), 0.0525005),
        ("claude-haiku-4-5-20251001", Usage(input=MILLION), 1.00),
    ],
)
def test_a_call_costs_what_the_price_list_says(model: str, usage: Usage, usd: float) -> None:
    assert LIST_PRICES.price_usd(model, usage) == pytest.approx(usd, abs=1e-12)


def test_the_band_of_haiku_goes_by_the_whole_prompt_cached_or_not_and_holds_for_the_output() -> None:
    spread = Usage(input=1, output=1_000, cache_read=50_000, cache_write=50_000)
    assert LIST_PRICES.price_usd("claude-haiku-5-5", spread) == pytest.approx(
        (500 + 2_500_000 + 50 * 50_000 + 625 * 50_000) / 1e9, abs=1e-12
    )


def test_an_unknown_model_has_no_price_and_never_0() -> None:
    assert LIST_PRICES.price_usd("claude-opus-9", Usage(input=1)) is None
    assert LIST_PRICES.price_usd("claude-opus-5-5-fast", Usage(input=1)) is None
    assert LIST_PRICES.worst_case_usd("claude-opus-9", 1, 1) is None


def test_inference_kept_in_the_us_costs_a_tenth_more() -> None:
    assert LIST_PRICES.price_usd(
        "claude-opus-5-5", Usage(input=MILLION), Terms(us_only=True)
    ) == pytest.approx(4.40)


@pytest.mark.parametrize("model", sorted(PRICES))
def test_no_way_to_spend_the_same_tokens_is_dearer_than_the_worst_case(model: str) -> None:
    worst = LIST_PRICES.worst_case_usd(model, 90_000, 8_000)
    assert worst is not None
    for usage in (
        Usage(90_000, 8_000),
        Usage(0, 8_000, 90_000, 0),
        Usage(0, 8_000, 0, 90_000),
        Usage(30_000, 1, 30_000, 30_000),
    ):
        price = LIST_PRICES.price_usd(model, usage)
        assert price is not None
        assert 0 < price <= worst


def test_every_tier_has_a_model_with_a_price() -> None:
    assert set(MODELS) == {"haiku", "sonnet", "opus"}
    assert set(MODELS.values()) <= set(PRICES)


@pytest.mark.parametrize("model", sorted(PRICES))
def test_a_write_costs_a_quarter_more_than_input_and_twice_as_much_for_an_hour(model: str) -> None:
    for band in PRICES[model]:
        assert (band.cache_write, band.cache_write_1h) == (band.input * 5 / 4, band.input * 2)


def test_a_batch_costs_half_of_everything_and_the_answer_says_so() -> None:
    usage = Usage(1_000, 2_000, 30_000, 4_000, 4_000)
    price = (4_000 * 1_000 + 20_000 * 2_000 + 200 * 30_000 + 8_000 * 4_000) / 1e9
    assert LIST_PRICES.price_usd("claude-opus-5-5", usage) == pytest.approx(price, abs=1e-12)
    assert LIST_PRICES.price_usd("claude-opus-5-5", usage, BATCH) == pytest.approx(price / 2, abs=1e-12)
    both = Terms(us_only=True, batch=True)
    assert LIST_PRICES.price_usd("claude-opus-5-5", usage, both) == pytest.approx(price * 0.55, abs=1e-12)


def test_the_worst_case_of_a_batch_is_plain_input_at_half_price() -> None:
    batch = LIST_PRICES.at(BATCH)
    assert batch.worst_case_usd("claude-opus-5-5", MILLION, 0) == pytest.approx(2.00)
    assert batch.worst_case_usd("claude-opus-5-5", 0, MILLION) == pytest.approx(10.00)
    assert batch.worst_case_usd("claude-of-tomorrow", 1, 1) is None


def test_a_price_of_ones_own_holds_for_that_model_in_every_band() -> None:
    own = LIST_PRICES.with_prices(
        {"claude-haiku-5-5": Price(1, 2, 3, 4, 5), "ours/big": Price(9, 9, 9, 9, 9)}
    )
    assert own.price_usd("claude-haiku-5-5", Usage(1, 1, 1, 2, 1)) == pytest.approx(15e-9)
    assert own.price_usd("claude-haiku-5-5", Usage(MILLION)) == pytest.approx(0.001)
    assert own.price_usd("ours/big", Usage(1)) == pytest.approx(9e-9)
    assert own.price_usd("claude-opus-5-5", Usage(MILLION)) == pytest.approx(4.00)


def test_what_caching_saved_is_the_input_price_less_what_was_read_and_written() -> None:
    saved = LIST_PRICES.saved_usd("claude-opus-5-5", Usage(10, 99, 1_000_000, 100_000))
    assert saved == pytest.approx(4.40 - 0.20 - 0.50)
    assert LIST_PRICES.saved_usd("claude-opus-5-5", Usage(cache_write=1_000_000)) == pytest.approx(-1.00)
    assert LIST_PRICES.saved_usd("claude-of-tomorrow", Usage(1)) is None


def test_a_price_of_the_policy_is_dollars_for_a_million_tokens() -> None:
    prices = own_prices([ModelPrice("ours", 1, 5, 0.0995, 1.25, 2)])
    assert prices.price_usd("ours", Usage(MILLION, MILLION, MILLION, 2 * MILLION, MILLION)) == pytest.approx(
        1 + 5 + 0.0995 + 1.25 + 2
    )
