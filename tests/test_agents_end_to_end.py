"""All three agents over a socket on real changes, each with a fault planted at a line the test knows."""

from dataclasses import replace
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from reviewbot.change.exclusions import excluded_by_name
from reviewbot.change.policy_file import Asked
from reviewbot.claims import Stop
from reviewbot.core import Conclusion, Review
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.progress import Progress
from reviewbot.publish.report import report_document
from reviewbot.request import Request
from reviewbot.testing import ScriptedModel
from tests.real_changes import RealChange, failing_tests, pull_requests, vulnerabilities
from tests.repositories import SHARED_DATA, Sandbox

pytestmark = pytest.mark.shared_data

FAULTS = {
    ".py": 'subprocess.run("convert " + request.args["name"], shell=True)',
    ".go": 'exec.Command("sh", "-c", r.URL.Query().Get("name")).Run()',
    ".js": 'require("child_process").exec("convert " + req.query.name)',
    ".ts": 'require("child_process").exec("convert " + req.query.name)',
}


def real_changes() -> list[RealChange]:
    if not SHARED_DATA.is_dir():
        return []
    return [
        *islice(filter(is_read, vulnerabilities(("Python",))), 3),
        *islice(filter(is_read, vulnerabilities(("Go",))), 2),
        *islice(filter(is_read, vulnerabilities(("JavaScript",))), 2),
        *islice(filter(is_read, pull_requests("Python")), 2),
        *islice(failing_tests(), 4),
    ]


def is_read(change: RealChange) -> bool:
    """No file of the change is excluded for its name."""
    return not any(map(excluded_by_name, change.head))


def plant(change: RealChange) -> tuple[RealChange, str, int]:
    """The change with one faulty line more, its path and its line."""
    changed = [path for path in change.head if change.base.get(path) != change.head[path]]
    path = next(path for path in changed if Path(path).suffix in FAULTS and "test" not in path)
    text = change.head[path] + FAULTS[Path(path).suffix] + "\n"
    return replace(change, head={**change.head, path: text}), path, text.count("\n")


def review(
    sandbox: Sandbox, change: RealChange, model: ScriptedModel, **asked: Any
) -> tuple[Review, Journal]:
    base, head = change.commit(sandbox)
    junit: tuple[str, ...] = ()
    if change.junit:
        report = sandbox.folder.parent / "junit.xml"
        report.write_text(change.junit)
        junit = (str(report),)
    request = Request(
        folder=sandbox.folder,
        base=base,
        head=head,
        junit=junit,
        asked=Asked(overrides=asked),
        environment={"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url},
    )
    journal = Journal()
    return review_change(request, journal, Progress(StringIO()).step), journal


@pytest.mark.parametrize("change", real_changes(), ids=lambda change: change.name)
def test_the_agents_find_a_planted_fault_in_a_real_change(sandbox: Sandbox, change: RealChange) -> None:
    planted, path, line = plant(change)
    with ScriptedModel("reader") as model:
        made, journal = review(sandbox, planted, model)

    assert model.refused == []
    blocking = [f for f in made.findings if f.fingerprint in made.verdict.blocking]
    ours = [f for f in blocking if f.evidence.tool == "security"]
    assert made.verdict.conclusion is Conclusion.FAIL
    assert any(f.location and (f.location.path, f.location.end_line) == (path, line) for f in ours)
    assert all(outcome.stop is Stop.DONE for outcome in made.outcomes), made.outcomes
    names = {outcome.task.agent for outcome in made.outcomes}
    assert names == {"triage", "security", "verify", *(["test_fix"] if change.junit else [])}
    # To the micro-dollar: what the model's own ledger says is what the report says.
    assert round(made.cost_usd, 6) == round(float(model.usd), 6) > 0
    assert report_document(made)["cost"]["complete"] is True
    ledger = {row.path: str(row.status) for row in made.coverage.files}
    assert ledger[path] == "reviewed"
    assert set(ledger.values()) <= {"reviewed", "triaged", "excluded"}
    assert any(outcome.turns >= 2 for outcome in made.outcomes if outcome.task.agent == "security")
    assert journal.data().count(b'"request_id"') == len(model.requests)


@pytest.mark.parametrize("change", real_changes()[-4:], ids=lambda change: change.name)
def test_a_failed_test_is_explained_with_a_quote_and_blocks_nothing_by_itself(
    sandbox: Sandbox, change: RealChange
) -> None:
    with ScriptedModel("reader") as model:
        made, _ = review(sandbox, change, model)

    explained = [f for f in made.findings if f.evidence.tool == "test_fix"]
    assert explained
    assert all(f.quote for f in explained)
    assert not {f.fingerprint for f in explained} & set(made.verdict.blocking)


def test_a_model_that_invents_its_quotes_loses_its_findings(sandbox: Sandbox) -> None:
    planted, _, _ = plant(next(iter(real_changes()), RealChange("none", {}, {"a.py": ""})))
    with ScriptedModel("inventor") as model:
        made, _ = review(sandbox, planted, model)

    assert [f for f in made.findings if f.evidence.source == "agent"] == []
    assert any("quote is not in the file" in rejected.why for rejected in made.rejected)


def test_a_triage_that_skips_everything_does_not_get_below_the_floor(sandbox: Sandbox) -> None:
    change = next(iter(real_changes()), None)
    if change is None:
        pytest.skip("the folder of real data is not beside the checkout")
    planted, path, _ = plant(change)
    with ScriptedModel("skipper") as model:
        made, _ = review(sandbox, planted, model)

    assert path in {p for o in made.outcomes if o.task.agent == "security" for p in o.task.paths}
    assert {row.path: str(row.status) for row in made.coverage.files}[path] == "reviewed"


def test_a_fault_of_ours_after_the_agents_keeps_what_they_cost(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = next(iter(real_changes()), None)
    if change is None:
        pytest.skip("the folder of real data is not beside the checkout")

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("reviewbot.pipeline.ground_claims", fail)
    with ScriptedModel("reader") as model:
        made, _ = review(sandbox, change, model)

    assert (made.verdict.conclusion, made.verdict.exit_code) == (Conclusion.INCOMPLETE, 3)
    assert round(made.cost_usd, 6) == round(float(model.usd), 6) > 0
