"""Limits over several runs: what they leave, what is said of them, and when."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import CoverageStatus, Review
from reviewbot.earlier import MOST_NANO, NANO, Round, parse_round, render_round
from reviewbot.journal import Journal
from reviewbot.spend.caps import Cap, explain_cap, find_binding, warn_of_cap
from reviewbot.spend.months import MonthLedger
from reviewbot.state_file import StateError
from reviewbot.testing import ScriptedModel
from tests.test_fault_matrix import change, review, waits

__all__ = ["change", "waits"]

PULL = Cap("pull request", 5.0, 2.0)
POLICY = "analyzers: []\nbudget-usd-per-month: {}\n"


@pytest.mark.parametrize(
    ("charged", "words"),
    [(0.49, ""), (0.5, "More than 50%"), (1.99, "More than 50%"), (2.0, "More than 80%"), (3.0, "All")],
)
def test_from_half_and_from_four_fifths_of_a_cap_on_it_is_said(charged: float, words: str) -> None:
    said = warn_of_cap(PULL, charged)
    assert said.startswith(words)
    assert bool(said) is bool(words)
    assert not words or f"${2 + charged:.4f} so far" in said


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 20))
def test_a_run_never_gets_more_than_its_own_budget_or_than_a_cap_leaves(
    budget: float, limit: float, before: float
) -> None:
    cap = Cap("month", limit, before)
    binding = find_binding(budget, (cap,))
    usd = min(budget, cap.left_usd)
    assert 0 <= usd <= budget
    assert before + usd <= max(limit, before) + 1e-9
    assert (binding is None) is (usd == budget)


def test_what_a_cap_left_names_the_key_and_the_way_on() -> None:
    spent = explain_cap(replace(PULL, before_usd=5.5))
    assert spent.startswith("No model was asked: the $5.00 for this pull request are spent ($5.5000).")
    assert "`budget-usd-per-pull-request`" in spent
    assert spent.endswith("`/reviewbot review`.")
    assert "only $3.0000 were left" in explain_cap(PULL)
    assert "next month (UTC)" in explain_cap(replace(PULL, of="month"))


@pytest.mark.parametrize("spent", [-1, True, 1.5, "7", None, MOST_NANO + 1])
def test_a_round_whose_costs_are_no_sum_of_money_is_no_round(spent: object) -> None:
    this = Round("ab" * 20, "cd" * 20, (), spent=7 * NANO, cap=9 * NANO)
    assert parse_round(render_round(this)) == this
    assert parse_round(render_round(replace(this, spent=spent))) is None  # type: ignore[arg-type]


def test_a_run_takes_out_what_is_left_and_puts_back_what_it_did_not_use(tmp_path: Path) -> None:
    def open_at(day: str) -> MonthLedger:
        return MonthLedger(tmp_path, "app", lambda: datetime.fromisoformat(day).replace(tzinfo=UTC))

    with open_at("2026-11-30T23:59:59") as first, open_at("2026-11-30T23:59:59") as beside:
        assert first.draw(2.0, 3.0) == 0
        assert beside.draw(2.0, 3.0) == 2.0, "what another run took out is not there"
        first.settle(0.25)
        with open_at("2026-11-30T23:59:59") as later:
            assert later.draw(2.0, 3.0) == 1.25, "one that never settled counts as what it took"
    with open_at("2026-12-01T00:00:00") as next_month:
        assert next_month.draw(2.0, 3.0) == 0


def test_the_costs_of_another_repository_or_a_broken_file_are_refused(tmp_path: Path) -> None:
    MonthLedger(tmp_path, "app").draw(1.0, None)
    with pytest.raises(StateError, match="another repository"):
        MonthLedger(tmp_path, "other")
    (tmp_path / "spending.sqlite3").write_bytes(b"no database")
    with pytest.raises(StateError, match="cannot be used"):
        MonthLedger(tmp_path, "app")


def month(folder: Path, model: ScriptedModel, cap: float, *, state: bool = True) -> Review:
    (folder / "policy.yml").write_text(POLICY.format(cap))
    return review(
        folder,
        model,
        "critical",
        file=folder / "policy.yml",
        state=folder / "state" if state else None,
        journal=JOURNAL,
    )


JOURNAL = Journal()


def test_a_month_is_charged_to_the_nano_dollar_and_above_its_cap_no_model_is_asked(
    change: Path, tmp_path: Path
) -> None:
    with ScriptedModel("reader") as model:
        first = month(change, model, 1000)
        once = model.usd
        assert round(first.charged_usd, 9) == once > 0
        assert not any("this month" in note for note in first.notes)
        second = month(change, model, round(once * 1.5, 6))
        assert [(cap.of, round(cap.before_usd, 9)) for cap in second.caps] == [("month", once)]
        assert round(second.budget_usd, 6) == round(round(once * 1.5, 6) - once, 6)
        assert model.usd - once <= second.budget_usd
        assert any("may be spent" in note for note in second.notes)
        seen, cost = len(model.requests), model.usd
        third = month(change, model, once)
        assert (len(model.requests), model.usd) == (seen, cost)
        [reason] = [each for each in third.verdict.reasons if each.code == "budget"]
        assert "No model was asked" in reason.detail
        assert "`budget-usd-per-month`" in reason.detail
        assert third.verdict.exit_code == 1
        assert {row.status for row in third.coverage.files} == {CoverageStatus.UNREVIEWED}
        assert b'"event": "cap"' in JOURNAL.data()
        without = month(change, model, once, state=False)
        assert model.usd > cost
        assert any("is not enforced here" in note for note in without.notes)
