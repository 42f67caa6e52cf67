import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.claims import Usage
from reviewbot.settings import ModelPrice
from reviewbot.spend.budget import (
    GROWTH_TOKENS,
    Account,
    Ledger,
    OverBudget,
    affordable_output,
    affordable_prompt,
    scale_bound,
)
from reviewbot.spend.prices import BATCH, LIST_PRICES, own_prices

OPUS = "claude-opus-5-5"
UNKNOWN = "claude-of-tomorrow"
FREE = own_prices([ModelPrice("ours", 0, 0, 0, 0, 0)])


def test_what_is_held_for_one_call_is_not_there_for_another() -> None:
    ledger = Ledger(1.00)
    first = ledger.reserve(0.60)
    assert first is not None
    assert ledger.reserve(0.60) is None
    ledger.settle(first, 0.10)
    assert ledger.reserve(0.60) is not None
    assert ledger.spent_usd == pytest.approx(0.10)
    assert ledger.left_usd == pytest.approx(0.30)


def test_the_whole_limit_may_be_spent_and_not_a_nano_dollar_more() -> None:
    ledger = Ledger(0.30)
    assert all(ledger.reserve(0.10) is not None for _ in range(3))
    assert ledger.reserve(0.000000001) is None


def test_a_call_of_unknown_cost_stays_held_and_the_ledger_says_so() -> None:
    ledger = Ledger(1.00)
    reservation = ledger.reserve(0.60)
    assert reservation is not None
    ledger.settle(reservation, None)
    assert not ledger.is_complete
    assert (ledger.spent_usd, ledger.charged_usd) == (0, 0.60)
    assert ledger.reserve(0.60) is None


def test_what_was_charged_at_most_is_what_is_spent_and_what_is_lost() -> None:
    ledger = Ledger(1.00)
    first, second = ledger.reserve(0.10), ledger.reserve(0.20)
    assert first is not None and second is not None
    ledger.settle(first, 0.05)
    ledger.settle(second, None)
    assert (ledger.spent_usd, ledger.charged_usd, ledger.unspent_usd) == (0.05, 0.25, 0.75)


def test_what_is_left_is_exact_so_that_it_can_be_reserved_to_the_last_nano_dollar() -> None:
    ledger = Ledger(0.30)
    assert ledger.reserve(0.20) is not None
    assert ledger.left_usd == 0.10
    assert ledger.reserve(ledger.left_usd) is not None


def test_an_unknown_price_reserves_nothing_and_makes_the_ledger_incomplete() -> None:
    ledger = Ledger(1.0)
    reservation = ledger.reserve(None)
    assert reservation is not None
    assert ledger.left_usd == 1.0
    assert not ledger.is_complete
    ledger.settle(reservation, None)
    assert (ledger.spent_usd, ledger.charged_usd) == (0, 0)


def test_an_unknown_price_is_refused_where_nothing_is_left_and_a_call_that_is_free_is_not() -> None:
    ledger = Ledger(0.0)
    assert ledger.reserve(None) is None
    assert ledger.is_complete
    assert ledger.reserve(0.0) is not None


def test_an_unknown_price_is_refused_where_what_was_spent_and_lost_is_all() -> None:
    ledger = Ledger(0.30)
    spent = ledger.reserve(0.10)
    assert spent is not None
    ledger.settle(spent, 0.10)
    ledger.lose(0.20)
    assert ledger.reserve(None) is None


def test_no_reservation_is_settled_twice() -> None:
    ledger = Ledger(1.00)
    reservation = ledger.reserve(0.10)
    assert reservation is not None
    ledger.settle(reservation, 0.05)
    with pytest.raises(ValueError, match="not open"):
        ledger.settle(reservation, 0.05)
    assert ledger.spent_usd == pytest.approx(0.05)


@given(st.lists(st.tuples(st.integers(0, 500_000), st.integers(0, 500_000)), max_size=30))
def test_calls_that_cost_at_most_what_was_reserved_never_pass_the_limit(calls: list[tuple[int, int]]) -> None:
    ledger = Ledger(1.00)
    for worst, real in calls:
        reservation = ledger.reserve(worst / 1_000_000)
        if reservation is not None:
            ledger.settle(reservation, min(worst, real) / 1_000_000)
        assert ledger.spent_usd <= 1.00


def test_an_account_holds_the_worst_case_in_the_ledger_and_its_own_limit_to_the_likely_case() -> None:
    ledger = Ledger(1.00)
    account = Account(ledger, OPUS, 0.20)
    # 20,000 tokens all written 0.10, output 0.02
    first = account.reserve(20_000, 1_000, cached=0)
    assert ledger.left_usd == pytest.approx(0.88)
    account.charge(first, Usage(output=500, cache_write=20_000))
    assert account.usd == pytest.approx(0.11)
    # Cold this would be 0.145 and too much; with 20,000 of 25,000 cached it is 0.004 + 0.025 + 0.02.
    account.reserve(25_000, 1_000, cached=20_000)
    assert ledger.left_usd == pytest.approx(1.00 - 0.11 - 0.145)
    with pytest.raises(OverBudget, match=r"of \$0\.20 for this task \$0\.1100 are spent"):
        account.reserve(25_000, 1_000, cached=0)


def test_no_more_can_be_cached_than_a_prompt_holds() -> None:
    account = Account(Ledger(1.00), OPUS, 0.20)
    assert account.likely_usd(1_000, 0, cached=50_000) == pytest.approx(0.0002)


def test_an_account_says_what_is_left_of_the_run_when_the_run_has_too_little() -> None:
    with pytest.raises(
        OverBudget, match=r"cost \$0\.1200, .* run's budget of \$0\.05 only \$0\.0500 are left"
    ):
        Account(Ledger(0.05), OPUS, 5.00).reserve(20_000, 1_000, cached=0)
    with pytest.raises(OverBudget, match=r"may cost an unknown sum, .* \$0\.00 only \$0\.0000 are left"):
        Account(Ledger(0.00), UNKNOWN, 5.00).reserve(20_000, 1_000, cached=0)


def test_a_task_may_spend_its_own_limit_to_the_end() -> None:
    # 0.1 for the prompt and 0.02 for the output, 0.02 of which are left over by the first call.
    account = Account(Ledger(1.00), OPUS, 0.22)
    account.charge(account.reserve(20_000, 1_000, cached=0), Usage(cache_write=20_000))
    assert account.usd == 0.1
    assert account.can_afford(0.12)
    assert not account.can_afford(0.1201)
    assert account.can_afford(None)
    account.reserve(20_000, 1_000, cached=0)
    with pytest.raises(OverBudget, match="for this task"):
        account.reserve(20_000, 1_001, cached=0)


@pytest.mark.parametrize(
    ("run", "task", "cached", "has_room"),
    [
        (0.12, 0.12, 0, True),
        (0.11, 0.12, 0, False),
        (0.12, 0.11, 0, False),
        # 20,000 tokens read from the cache cost 0.004, which the run does not count on.
        (0.12, 0.03, 20_000, True),
        (0.11, 0.03, 20_000, False),
    ],
)
def test_there_is_room_for_a_call_where_the_task_can_pay_it_and_the_run_its_worst(
    run: float, task: float, cached: int, has_room: bool
) -> None:
    account = Account(Ledger(run), OPUS, task)
    assert account.has_room(20_000, 1_000, cached=cached) is has_room
    if has_room:
        account.reserve(20_000, 1_000, cached=cached)
        return
    with pytest.raises(OverBudget):
        account.reserve(20_000, 1_000, cached=cached)


def test_a_call_without_a_price_has_room_once_and_again() -> None:
    account = Account(Ledger(0.01), UNKNOWN, 0.01)
    assert account.has_room(20_000, 1_000, cached=0)
    assert account.pays_twice(20_000, 1_000, cached=0)


def test_a_call_whose_usage_never_came_is_charged_to_nobody_and_known_to_nobody() -> None:
    ledger = Ledger(1.00)
    account = Account(ledger, OPUS, 0.20)
    assert account.charge(account.reserve(20_000, 1_000, cached=0), None) is None
    assert (account.usd, account.is_known, account.usage) == (0.0, False, Usage())
    assert ledger.charged_usd == 0.12


def test_an_account_says_what_caching_saved_and_what_it_cost_at_first() -> None:
    account = Account(Ledger(1.00), OPUS, 1.00)
    assert account.saved_usd == 0
    # Written 1,000 tokens cost 0.005 and not 0.004; read, 0.0002.
    account.charge(account.reserve(1_000, 0, cached=0), Usage(cache_write=1_000))
    assert account.saved_usd == pytest.approx(-0.001)
    account.charge(account.reserve(1_000, 0, cached=0), Usage(cache_read=1_000))
    assert account.saved_usd == pytest.approx(-0.001 + 0.0038)
    # Of Haiku, which answered in its place: 0.0001 less 0.00001.
    account.charge(account.reserve(1_000, 0, cached=0), Usage(cache_read=1_000), "claude-haiku-5-5")
    assert account.saved_usd == pytest.approx(-0.001 + 0.0038 + 0.00009)


def test_where_no_price_is_known_nothing_is_known_to_be_saved() -> None:
    account = Account(Ledger(1.00), UNKNOWN, 1.00)
    account.charge(account.reserve(1_000, 0, cached=0), Usage(cache_read=1_000))
    assert (account.saved_usd, account.usd) == (0, 0)


def test_a_call_that_was_not_charged_costs_0_even_where_the_price_is_unknown() -> None:
    ledger = Ledger(1.00)
    account = Account(ledger, UNKNOWN, 0.20)
    assert account.charge(account.reserve(1, 1, cached=0), Usage()) == 0
    known = [account.is_known]
    assert account.charge(account.reserve(1, 1, cached=0), Usage(input=1)) is None
    assert [*known, account.is_known] == [True, False]
    assert account.usage == Usage(input=1)


def test_the_price_is_that_of_the_model_that_answered() -> None:
    ledger = Ledger(1.00)
    account = Account(ledger, "claude-haiku-5-5", 0.20)
    account.charge(account.reserve(1_000, 10, cached=0), Usage(input=1_000), OPUS)
    assert ledger.spent_usd == pytest.approx(0.004)


def test_lost_attempts_keep_their_worst_case_from_being_spent_again() -> None:
    ledger = Ledger(1.00)
    account = Account(ledger, OPUS, 1.00)
    reservation = account.reserve(20_000, 1_000, cached=0)
    account.charge(reservation, Usage(input=20_000))
    account.lose(2, reservation)
    assert not account.is_known
    assert not ledger.is_complete
    assert ledger.left_usd == pytest.approx(1.00 - 0.08 - 2 * 0.12)
    assert ledger.spent_usd == pytest.approx(0.08)


def test_what_is_kept_cannot_be_reserved_until_it_is_let_go() -> None:
    ledger = Ledger(0.30)
    ledger.keep(0.20)
    assert ledger.left_usd == pytest.approx(0.10) and ledger.unspent_usd == pytest.approx(0.10)
    assert ledger.reserve(0.11) is None
    held = ledger.reserve(0.10)
    assert held is not None and ledger.unspent_usd == pytest.approx(0.10)
    ledger.keep(0)
    assert ledger.left_usd == pytest.approx(0.20)


@given(st.integers(0, 60_000), st.integers(1, 16_000), st.floats(0, 1))
def test_the_output_that_is_called_affordable_can_be_held_back(prompt: int, wanted: int, usd: float) -> None:
    output = affordable_output(LIST_PRICES, OPUS, prompt, wanted, usd)
    assert 0 <= output <= wanted
    worst = LIST_PRICES.worst_case_usd(OPUS, prompt, output)
    assert output == 0 or (worst is not None and worst <= usd)
    more = LIST_PRICES.worst_case_usd(OPUS, prompt, output + 3)
    assert output == wanted or (more is not None and more > usd)


def test_the_prompt_that_is_called_affordable_leaves_room_for_each_call() -> None:
    # Output 2,000 x $20, prompt x $5 of a million: (0.30 - 2 x 0.04) / $5 = 44,000, less the growth, halved.
    assert affordable_prompt(LIST_PRICES, OPUS, 2_000, 0.30, calls=2) == pytest.approx(
        (44_000 - GROWTH_TOKENS) / 2
    )
    assert affordable_prompt(LIST_PRICES, OPUS, 2_000, 0.10, calls=1) == pytest.approx(12_000)
    assert affordable_prompt(LIST_PRICES, OPUS, 2_000, 0.01, calls=1) == 0
    assert affordable_prompt(LIST_PRICES, UNKNOWN, 2_000, 0.01, calls=1) == float("inf")
    assert affordable_output(LIST_PRICES, UNKNOWN, 2_000, 700, 0.01) == 700


def test_output_is_affordable_to_the_last_token_where_all_of_it_is_and_else_but_for_one() -> None:
    # 200 tokens at $20 of a million cost 0.004; 0.00201 pay for 100 and a half, of which one is for rounding.
    assert affordable_output(LIST_PRICES, OPUS, 0, 200, 0.004) == 200
    assert affordable_output(LIST_PRICES, OPUS, 0, 200, 0.00201) == 99


def test_of_what_is_free_any_amount_is_affordable() -> None:
    assert affordable_prompt(FREE, "ours", 2_000, 0.01, calls=2) == float("inf")
    assert affordable_output(FREE, "ours", 2_000, 700, 0.0) == 700


def test_a_run_pays_twice_where_the_second_call_fits_at_its_worst_beside_the_first() -> None:
    # 0.05 + 0.02 for the first, 0.05 + 0.01 + 0.02 for the second, larger one.
    def pays(usd: float, cached: int = 0) -> bool:
        account = Account(Ledger(usd), OPUS, 5.00)
        return account.pays_twice(10_000, 1_000, cached=cached)

    assert [pays(0.149), pays(0.151)] == [False, True]
    # The first one reads 10,000 tokens for 0.002.
    assert [pays(0.101, 10_000), pays(0.103, 10_000)] == [False, True]
    # 0.12 and 0.13 are 0.25 to the last bit.
    assert Account(Ledger(0.25), OPUS, 5.00).pays_twice(20_000, 1_000, cached=0)


def test_a_dearer_model_of_a_tier_has_a_bound_that_pays_for_the_same_work() -> None:
    scaled = scale_bound(LIST_PRICES, 0.10, OPUS, "claude-haiku-5-5")
    whole = LIST_PRICES.worst_case_usd(OPUS, 15_000, 16_000)
    assert whole is not None
    assert 0.10 < whole < scaled


def test_the_same_work_is_a_tenth_as_much_output_as_prompt() -> None:
    # $1 a million either way here, 10,000 + 1,000 tokens 0.011; output at $11 a million: 0.021.
    prices = own_prices([ModelPrice("plain", 1, 1, 1, 1, 1), ModelPrice("wordy", 1, 11, 1, 1, 1)])
    assert scale_bound(prices, 0.11, "wordy", "plain") == pytest.approx(0.21)


def test_a_cheaper_or_unknown_model_keeps_the_bound() -> None:
    assert scale_bound(FREE, 0.90, OPUS, "ours") == 0.90
    assert scale_bound(LIST_PRICES, 0.90, OPUS, UNKNOWN) == 0.90
    assert scale_bound(LIST_PRICES, 0.90, "claude-haiku-5-5", OPUS) == 0.90
    assert scale_bound(LIST_PRICES, 0.90, "claude-of-next-year", OPUS) == 0.90


def test_a_batch_holds_back_half_and_is_charged_at_the_terms_that_the_answer_names() -> None:
    ledger = Ledger(1.00, LIST_PRICES.at(BATCH))
    account = Account(ledger, OPUS, 1.00)
    reservation = account.reserve(100_000, 1_000, cached=0)
    assert ledger.left_usd == pytest.approx(1.00 - 0.20 - 0.01)
    usd = account.charge(reservation, Usage(1_000, 500, 0, 99_000, 99_000), terms=BATCH)
    assert usd == pytest.approx(0.002 + 0.005 + 0.396)
    live = account.reserve(1_000, 100, cached=0)
    assert account.charge(live, Usage(1_000, 100), terms=LIST_PRICES.terms) == pytest.approx(0.006)
