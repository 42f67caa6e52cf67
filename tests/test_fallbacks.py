"""Models in the place of others: when they are asked, what it costs, and that it is never silent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reviewbot.claims import Stop
from reviewbot.core import Conclusion, Review
from reviewbot.publish.report import report_document
from reviewbot.testing import ScriptedModel
from tests.test_fault_matrix import AGENTS, change, review, waits

__all__ = ["change", "waits"]

POLICY = "analyzers: []\nverify: false\nfallback-models:\n  opus: [{}]\n"
OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"


def reviewed(folder: Path, model: ScriptedModel, *fallbacks: str) -> Review:
    (folder / "policy.yml").write_text(POLICY.format(", ".join(fallbacks)))
    return review(folder, model, "critical", file=folder / "policy.yml")


@pytest.mark.parametrize("fault", ["overloaded", "rate_limit", "unknown_model", "rate_limit_1h"])
def test_the_next_model_takes_the_place_and_that_is_marked_told_and_charged(change: Path, fault: str) -> None:
    with ScriptedModel("reader", faults={AGENTS["security"]: fault}) as model:
        made = reviewed(change, model, SONNET)
        billed = model.usd
    assert (made.verdict.conclusion, made.verdict.exit_code) == (Conclusion.PASS, 0)
    done = [each for each in made.outcomes if each.task.agent == "security" and each.stop is Stop.DONE]
    assert {(each.model, each.degraded) for each in done} == {(SONNET, True)}
    assert round(made.cost_usd, 6) == round(billed, 6) > 0
    [note] = [each for each in made.notes if each.startswith("Degraded: ")]
    assert OPUS in note
    assert f"{SONNET} did 1 task in its place" in note  # the fix of the test is read apart
    assert {row["degraded"] for row in report_document(made)["agents"] if row["model"] == SONNET} >= {True}
    assert made.terms == "", "the next round reads it again"


def test_what_a_model_cost_before_it_failed_stays_on_the_bill(change: Path) -> None:
    asked: list[int] = []

    def second(body: Mapping[str, Any]) -> bool:
        if not AGENTS["security"](body):
            return False
        asked.append(1)
        return len(asked) > 1

    with ScriptedModel("reader", faults={second: "overloaded"}) as model:
        made = reviewed(change, model, SONNET)
        billed = model.usd
    security = [each for each in made.outcomes if each.task.agent == "security"]
    first, second_one = security[:2]
    assert (first.model, first.stop) == (OPUS, Stop.UNAVAILABLE)
    assert (second_one.model, second_one.stop) == (SONNET, Stop.DONE)
    assert first.usd
    assert round(made.cost_usd, 6) == round(billed, 6)
    assert made.verdict.conclusion is Conclusion.PASS


def test_where_no_model_answers_the_failure_is_that_of_the_own_one(change: Path) -> None:
    def in_its_place(body: Mapping[str, Any]) -> bool:
        return bool(body["model"] == HAIKU and body.get("tools"))  # triage has no tools

    with ScriptedModel(
        "reader", faults={AGENTS["security"]: "rate_limit", in_its_place: "overloaded"}
    ) as model:
        made = reviewed(change, model, HAIKU)
        billed = model.usd
    codes = {reason.code for reason in made.verdict.reasons}
    assert "rate_limit" in codes
    assert made.verdict.exit_code == 1, "an outage of the fallback makes it no milder"
    assert round(made.cost_usd, 6) == round(billed, 6)


def test_a_model_that_is_there_has_no_replacement(change: Path) -> None:
    with ScriptedModel("reader") as model:
        made = reviewed(change, model, SONNET, HAIKU)
    assert {each.model for each in made.outcomes if each.task.agent == "security"} == {OPUS}
    assert not any(each.degraded for each in made.outcomes)
    assert made.terms
