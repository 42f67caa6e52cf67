"""Every fault of the scripted model in every agent, through the whole pipeline: what the run then says.

A cell is one review in which one agent meets one fault on each of its calls. It must end in the verdict
of README.md's table, keep what the other agents did, account for each file and charge what was billed.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reviewbot.change.policy_file import Asked
from reviewbot.claims import Stop
from reviewbot.core import Conclusion, Review
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.report import report_document
from reviewbot.request import Request
from reviewbot.testing import BEHAVIOURS, FAULTS, ScriptedModel
from tests.repositories import Sandbox

Json = Mapping[str, Any]

RISKY = "import subprocess\n\n\ndef run(name):\n    return subprocess.run(f'ls {name}', shell=True)\n"
AREA = "def area(width, height):\n    return width * height\n"
JUNIT = (
    '<testsuite><testcase name="test_area" classname="tests.test_area">'
    '<failure message="assert 3 == 4">app/area.py:2: AssertionError</failure></testcase></testsuite>'
)


@dataclass(frozen=True)
class End:
    """What a fault means: the stop of the task, its code, the exit code, whether the cost is known.

    ``for_all``: no other task is tried after it.
    """

    stop: Stop
    code: str
    exit_code: int
    known: bool = True
    for_all: bool = False


DONE = End(Stop.DONE, "", 0)
OUTAGE = End(Stop.UNAVAILABLE, "provider_outage", 0)
LIMITED = End(Stop.UNAVAILABLE, "rate_limit", 1)
SPENT = End(Stop.UNAVAILABLE, "spend_limit", 1, for_all=True)
BAD_KEY = End(Stop.UNAVAILABLE, "bad_credentials", 2, for_all=True)
TOO_LONG = End(Stop.CONTEXT, "context", 1)
INVALID = End(Stop.INVALID, "invalid_answer", 1)
UNREADABLE = End(Stop.INVALID, "invalid_answer", 1, known=False)

ENDS: Mapping[str, End] = {
    "rate_limit": LIMITED,
    "rate_limit_1s": LIMITED,
    "rate_limit_1h": LIMITED,
    "server_error": OUTAGE,
    "overloaded": OUTAGE,
    "timeout": OUTAGE,
    "stream_error": OUTAGE,
    "reset": End(Stop.UNAVAILABLE, "provider_outage", 0, known=False),
    "spend_limit": SPENT,
    "own_spend_limit": SPENT,
    "billing": SPENT,
    "unauthorized": BAD_KEY,
    "forbidden": BAD_KEY,
    "unknown_model": End(Stop.UNAVAILABLE, "unknown_model", 2),
    "too_large": TOO_LONG,
    "context": TOO_LONG,
    "early_end": UNREADABLE,
    "html": UNREADABLE,
    "broken_json": UNREADABLE,
    "no_usage": UNREADABLE,
    "no_stop_reason": INVALID,
    "empty": INVALID,
    "invalid": INVALID,
    "talker": INVALID,
    "refuser": End(Stop.REFUSED, "refused", 1),
    "truncator": End(Stop.TOKENS, "tokens", 1),
    "endless": End(Stop.STEPS, "steps", 1),
    "stranger": DONE,
    "pauser": DONE,
    "reader": DONE,
}

ABOUT_ANSWERS = {"inventor", "skipper"}
"""Behaviours that answer well and say what is not so: tests/test_agents_end_to_end.py has them."""

ABOUT_BATCHES = {"expired", "canceled"}
"""Ends that only an item of a batch has: tests/agents/batches/test_gathering.py has them."""

AGENTS: Mapping[str, Callable[[Json], bool]] = {
    "triage": lambda body: "haiku" in body["model"],
    "test_fix": lambda body: "sonnet" in body["model"],
    "security": lambda body: "opus" in body["model"] and not _judges(body),
    "verify": lambda body: "opus" in body["model"] and _judges(body),
}


def _judges(body: Json) -> bool:
    return "judgement" in json.dumps(body["output_config"])


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matrix")
    (folder / "junit.xml").write_text(JUNIT)
    sandbox = Sandbox(folder / "repository")
    sandbox.commit({"README.md": "# A\n"})
    sandbox.commit({"app/run.py": RISKY, "app/area.py": AREA})
    return folder


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits before retries, which are not waited here."""
    from anthropic._base_client import BaseClient

    computed = BaseClient._calculate_retry_timeout
    found: list[float] = []

    def at_once(self: Any, *arguments: Any) -> float:
        found.append(computed(self, *arguments))
        return 0.001

    monkeypatch.setattr(BaseClient, "_calculate_retry_timeout", at_once)
    return found


def review(
    folder: Path,
    model: ScriptedModel,
    fail_on: str,
    *,
    file: Path | None = None,
    state: Path | None = None,
    journal: Journal | None = None,
) -> Review:
    environment = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url}
    request = Request(
        folder=folder / "repository",
        junit=(str(folder / "junit.xml"),),
        asked=Asked(file=file, overrides={"analyzers": (), "fail_on": fail_on}),
        environment=environment,
        state=state,
    )
    return review_change(request, journal or Journal(), lambda _: nullcontext())


def expected_rows(agent: str, end: End) -> dict[str, str]:
    """The status of each file: triage alone reads area.py, and the floor claims run.py."""
    rows = {"app/area.py": "triaged", "app/run.py": "reviewed"}
    if end.stop is not Stop.DONE and agent == "triage":
        rows["app/area.py"] = "unreviewed"
    if end.stop is not Stop.DONE and (agent == "security" or (agent == "triage" and end.for_all)):
        rows["app/run.py"] = "unreviewed"
    return rows


def test_no_fault_and_no_behaviour_is_left_out() -> None:
    assert set(ENDS) == {*FAULTS, *BEHAVIOURS} - ABOUT_ANSWERS - ABOUT_BATCHES


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_ends_its_agent_and_nothing_else_and_is_charged_and_told(
    change: Path, fault: str, agent: str, waits: list[float]
) -> None:
    # Triage has no tools, so it answers at once.
    end = DONE if (fault, agent) == ("endless", "triage") else ENDS[fault]
    # A high finding stands in the change. It blocks where the second look at it is what fails.
    fail_on = "high" if agent == "verify" else "critical"
    with ScriptedModel("reader", faults={AGENTS[agent]: fault}) as model:
        made = review(change, model, fail_on)
        assert model.refused == []
        billed = model.usd

    stops = {outcome.stop for outcome in made.outcomes if outcome.task.agent == agent}
    assert stops == {end.stop}
    is_gap = end.stop is not Stop.DONE and agent != "verify"
    codes = [reason.code for reason in made.verdict.reasons]
    if agent == "verify":
        assert (made.verdict.conclusion, made.verdict.exit_code) == (Conclusion.FAIL, 1)
        assert codes == ["blocking_findings"]
        assert any("second look did not finish" in note for note in made.notes) is (end.stop is not Stop.DONE)
    elif is_gap:
        assert (made.verdict.conclusion, made.verdict.exit_code) == (Conclusion.INCOMPLETE, end.exit_code)
        assert end.code in codes
    else:
        assert (made.verdict.conclusion, made.verdict.exit_code) == (Conclusion.PASS, 0)

    rows = {row.path: row for row in made.coverage.files}
    assert {path: str(row.status) for path, row in rows.items()} == expected_rows(agent, end)
    assert {row.cause for row in rows.values() if str(row.status) == "unreviewed"} <= {end.code}

    document = report_document(made)
    assert document["cost"]["complete"] is end.known
    if end.known:
        assert round(made.cost_usd, 6) == round(billed, 6)
        assert (billed == 0) is (end.for_all and agent == "triage")
    else:
        assert made.cost_usd < billed
        unknown = {row["name"] for row in document["agents"] if row["usd"] is None}
        assert unknown == {agent}
    assert all(wait <= 60 for wait in waits)
    found = {finding.evidence.tool for finding in made.findings if finding.evidence.source == "agent"}
    lost = {agent} if is_gap else set()
    if end.for_all and agent == "triage":
        lost |= {"security", "test_fix"}
    # What fails for all agents keeps test_fix from being asked where it has not begun by then.
    chance = {"test_fix"} if end.for_all and agent == "security" else set()
    assert found | chance == {"security", "test_fix"} - lost | chance
