import asyncio
import io
import json
import time
from dataclasses import dataclass, field

import pytest

from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.lifecycle import Lifecycles, render_age
from reviewbot.agents.api.model_facts import ModelFacts
from reviewbot.claims import Stop
from reviewbot.journal import Journal
from reviewbot.spend.prices import MODELS
from reviewbot.testing import ScriptedModel
from tests.agents.test_subagents import RISKY, change, failing, review
from tests.repositories import Sandbox

OPUS, SONNET, HAIKU = MODELS["opus"], MODELS["sonnet"], MODELS["haiku"]


@dataclass
class Provider:
    """Says of each model what it is given; ``None`` answers long after the run has ended."""

    facts: dict[str, ModelFacts | Exception | None]
    left: list[str] = field(default_factory=list)

    async def describe(self, model: str, *, once: bool = False) -> ModelFacts:
        said = self.facts[model]
        if said is None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.left.append(model)
                raise
        if isinstance(said, ModelFacts):
            return said
        raise said or AssertionError


def facts(lifecycle: str | None, day: str = "") -> ModelFacts:
    return ModelFacts(lifecycle, day, None, None)


def notes(provider: Provider, journal: Journal) -> tuple[str, ...]:
    async def run() -> tuple[str, ...]:
        lifecycles = Lifecycles(provider, {model: ["security"] for model in provider.facts}, journal)
        await asyncio.sleep(0.3)
        return await lifecycles.end()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("lifecycle", "day", "said"),
    [
        ("active", "", ""),
        (None, "2026-11-30", ""),
        ("deprecated", "2026-11-30", "m (triage, verify) is deprecated and will be retired on 2026-11-30."),
        ("deprecated", "", "m (triage, verify) is deprecated and will be retired."),
        ("retired", "2026-11-01", "m (triage, verify) is retired."),
    ],
)
def test_only_a_model_near_its_end_or_past_it_is_told_of(lifecycle: str | None, day: str, said: str) -> None:
    told = render_age("m", ["triage", "verify"], facts(lifecycle, day))
    assert told == (f"{said} Name its successor in the policy." if said else "")


def test_what_is_not_answered_at_the_end_is_cancelled_and_failures_are_no_note() -> None:
    provider = Provider(
        {
            "slow": None,
            "old": facts("deprecated", "2026-11-30"),
            "unknown": ModelError("unknown_model", "no such model"),
            "broken": RuntimeError("a fault of ours"),
        }
    )
    started = time.monotonic()
    written = io.BytesIO()
    [told] = notes(provider, Journal(written))
    assert time.monotonic() - started < 10
    assert told.startswith("old (security) is deprecated")
    assert provider.left == ["slow"]
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    described = {line["model"]: line for line in lines if line["event"] == "model_described"}
    assert described["old"]["retires_on"] == "2026-11-30"
    assert described["unknown"]["error"] == "unknown_model"


def test_a_run_names_the_models_it_uses_that_will_be_retired(sandbox: Sandbox) -> None:
    base, head = change(sandbox, {"app/run.py": RISKY})
    with ScriptedModel(
        "reader", latency_seconds=0.4, deprecated={OPUS: "2026-11-30", SONNET: "", HAIKU: ""}
    ) as model:
        found = review(sandbox, base, head, model)
        assert not model.refused
    assert {out.stop for out in found.outcomes} == {Stop.DONE}
    told = [note for note in found.notes if "retired" in note]
    assert told == [
        f"{HAIKU} (triage) is deprecated and will be retired. Name its successor in the policy.",
        f"{OPUS} (security, verify) is deprecated and will be retired on 2026-11-30. "
        "Name its successor in the policy.",
    ]


def test_a_model_that_only_failed_tests_need_is_asked_about_where_there_are_some(sandbox: Sandbox) -> None:
    base, head = change(sandbox, {"app/run.py": RISKY})
    with ScriptedModel("reader", latency_seconds=0.4, deprecated={SONNET: "2026-11-30"}) as model:
        found = review(sandbox, base, head, model, evidence=(failing(1),))
    assert any(note.startswith(f"{SONNET} (test_fix) is deprecated") for note in found.notes)


def test_active_models_are_no_note(sandbox: Sandbox) -> None:
    base, head = change(sandbox, {"app/run.py": RISKY})
    with ScriptedModel("reader", latency_seconds=0.4) as model:
        found = review(sandbox, base, head, model)
    assert not [note for note in found.notes if "retired" in note]
