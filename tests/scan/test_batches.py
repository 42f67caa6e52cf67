"""Whole scans that ask in batches: runs that stop on the way are picked up, and nothing is paid for twice."""

import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from reviewbot.agents.batches import round as batch_round
from reviewbot.agents.batches.ledger import FILE_NAME, BatchLedger
from reviewbot.agents.batches.wait import BatchWait
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import read_settings
from reviewbot.core import Conclusion, Review, Trigger, TriggerKind
from reviewbot.journal import Journal
from reviewbot.request import BatchOptions, Request
from reviewbot.secrets.masking import Masker
from reviewbot.steps import Run, ask_agents, collect
from reviewbot.testing import ScriptedModel
from tests.repositories import Sandbox
from tests.scan.test_run import FLASK, PLAIN, Bench, codes

FILES = {"app/views.py": FLASK, "app/plain.py": PLAIN, "lib/views.py": FLASK.replace("name", "size")}

KILLED = """
import os, signal, sys
from reviewbot.agents.batches.ledger import BatchLedger
step, when, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
real, calls = getattr(BatchLedger, step), []
def watched(self, *arguments, **named):
    calls.append(1)
    if (when, len(calls)) == ("before", number):
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(self, *arguments, **named)
    if (when, len(calls)) == ("after", number):
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(BatchLedger, step, watched)
from reviewbot.cli import main
sys.exit(main(sys.argv[4:]))
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_round, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    sandbox.commit(FILES)
    return Bench(sandbox, tmp_path)


def undisturbed(bench: Bench, tmp_path: Path, **options: Any) -> tuple[Review, ScriptedModel]:
    """A scan of the same commit that nothing stops, with a state of its own."""
    with ScriptedModel() as model:
        other = Bench(bench.sandbox, tmp_path / "other")
        other.model = model
        review = other.scan(**options)
    assert model.refused == []
    return review, model


def told(review: Review) -> list[tuple[str, str]]:
    return [(finding.rule, str(finding.location)) for finding in review.findings]


def kill(bench: Bench, model: ScriptedModel, step: str, when: str, number: int) -> int:
    """A scan of its own process, which is killed at a step of the ledger; its exit code."""
    arguments = ["scan", "--engine", "claude", "--repo", str(bench.sandbox.folder)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, step, when, str(number), *arguments,
         "--state", str(bench.options.state)],
        env={"PATH": "/usr/bin:/bin", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.base_url},
        capture_output=True,
        check=False,
    )  # fmt: skip
    return done.returncode


@pytest.mark.parametrize(
    ("step", "when", "number"),
    [
        ("begin", "after", 1),  # before the first batch exists
        ("opened", "before", 1),  # it exists, and nobody knows its id
        ("opened", "after", 1),  # while it is waited for
        ("close_batch", "before", 1),  # its results have come and are not kept
        ("close_batch", "after", 1),  # they are kept
        ("begin", "after", 2),  # between two rounds
        ("opened", "before", 2),
        ("close_batch", "after", 2),
        ("clear", "before", 1),  # the scan is done
    ],
)
def test_a_scan_that_is_killed_is_picked_up_and_nothing_is_paid_twice(
    bench: Bench, tmp_path: Path, step: str, when: str, number: int
) -> None:
    whole, reference = undisturbed(bench, tmp_path)
    with ScriptedModel() as model:
        assert kill(bench, model, step, when, number) == -9
        bench.model = model
        review = bench.scan()
        assert model.refused == []
    assert (review.verdict.conclusion, told(review)) == (whole.verdict.conclusion, told(whole))
    assert len(model.requests) == len(reference.requests)
    assert model.usd == pytest.approx(reference.usd)


def test_a_scan_that_does_not_wait_is_neutral_and_the_next_ones_go_on(bench: Bench, tmp_path: Path) -> None:
    whole, reference = undisturbed(bench, tmp_path)
    reviews: list[Review] = []
    with ScriptedModel(batch_seconds=0.3) as model:
        bench.model = model
        while not reviews or "batch_pending" in codes(reviews[-1]):
            reviews.append(bench.scan(wait_seconds=0.4 if len(reviews) > 8 else 0.0))
            assert len(reviews) < 20
    first = reviews[0]
    assert (first.verdict.conclusion, first.verdict.exit_code) == (Conclusion.INCOMPLETE, 0)
    assert "the next run with the same --state picks it up" in first.verdict.reasons[0].detail
    assert len(reviews) > 3
    assert (reviews[-1].verdict, told(reviews[-1])) == (whole.verdict, told(whole))
    assert len(model.requests) == len(reference.requests)
    assert model.usd == pytest.approx(reference.usd)
    assert reviews[-1].cost_usd == pytest.approx(reference.usd)
    assert any("had been collected or paid before" in note for note in reviews[-1].notes)


def test_a_pending_scan_moves_no_baseline_and_keeps_no_reading(bench: Bench) -> None:
    with ScriptedModel(batch_seconds=60) as model:
        bench.model = model
        bench.scan(wait_seconds=0.0)
        assert bench.baseline() is None
        assert "Without a baseline a scan gates nothing." in bench.scan(wait_seconds=0.0).notes


def test_a_scan_that_is_concluded_leaves_nothing_and_a_full_one_pays_anew(bench: Bench) -> None:
    with ScriptedModel() as model:
        bench.model = model
        bench.scan()
        first = bench.asked()
        bench.scan()
        assert bench.asked() == first
        bench.scan(full=True)
        assert bench.asked() == 2 * first
    assert bench.options.state is not None
    with BatchLedger(bench.options.state, bench.sandbox.folder.name) as ledger:
        assert ledger.open_batches() == []
    assert (bench.options.state / FILE_NAME).exists()


def test_a_batch_scan_finds_what_a_live_one_finds_for_less(bench: Bench, tmp_path: Path) -> None:
    live, one = undisturbed(bench, tmp_path / "live", batch=False)
    batched, other = undisturbed(bench, tmp_path / "batched")
    assert (batched.verdict, told(batched)) == (live.verdict, told(live))
    assert {served.batch for served in one.requests} == {""}
    assert "" not in {served.batch for served in other.requests}
    assert batched.cost_usd == pytest.approx(other.usd)
    # Live conversations read their beginnings from the cache, so it is more than half.
    assert 0.5 * live.cost_usd < batched.cost_usd < 0.9 * live.cost_usd
    assert any("at half the list price" in note for note in batched.notes)
    assert all("batches" not in note for note in live.notes)


def test_a_scan_without_a_state_asks_in_batches_too(bench: Bench) -> None:
    with ScriptedModel() as model:
        bench.model = model
        review = bench.scan(state=None)
        assert all(served.batch for served in model.requests)
    assert review.verdict.conclusion is Conclusion.PASS


def test_a_scan_since_a_revision_asks_in_batches_and_is_picked_up(bench: Bench) -> None:
    head = bench.sandbox.git("rev-parse", "HEAD")
    bench.sandbox.commit({"new.py": FLASK})
    with ScriptedModel(batch_seconds=0.5) as model:
        bench.model = model
        assert "batch_pending" in codes(bench.scan(head, wait_seconds=0.0))
        assert "batch_pending" not in codes(bench.scan(head, wait_seconds=60.0))
        assert all(served.batch for served in model.requests)


def is_security(body: Any) -> bool:
    return "opus" in str(body["model"])


@pytest.mark.parametrize("fault", ["expired", "canceled", "overloaded", "no_usage"])
def test_files_whose_items_were_not_answered_are_unreviewed_by_name(bench: Bench, fault: str) -> None:
    with ScriptedModel(faults={is_security: fault}) as model:
        bench.model = model
        review = bench.scan()
    unread = {row.path for row in review.coverage.files if row.status == "unreviewed"}
    assert {"app/views.py", "lib/views.py"} <= unread
    assert review.verdict.conclusion is Conclusion.INCOMPLETE
    assert bench.baseline() is None


@pytest.mark.parametrize(
    "faults",
    [
        {"create": ["reset"], "results": ["reset", "early_end"], "retrieve": ["overloaded"]},
        {"create": ["server_error"], "list": ["server_error"]},
    ],
)
def test_connections_that_are_lost_on_the_way_cost_nothing(
    bench: Bench, tmp_path: Path, faults: dict[str, list[str]]
) -> None:
    whole, reference = undisturbed(bench, tmp_path)
    with ScriptedModel(batch_faults=faults) as model:
        bench.model = model
        review = bench.scan()
    assert review.verdict == whole.verdict
    assert model.usd == pytest.approx(reference.usd)


def test_a_provider_without_batches_is_a_wrong_configuration_with_a_remedy(bench: Bench) -> None:
    with ScriptedModel(batch_faults={"create": ["unknown_model"] * 9}) as model:
        bench.model = model
        review = bench.scan()
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.INCOMPLETE, 2)
    assert any(
        reason.code == "no_batches" and "--no-batch" in reason.detail for reason in review.verdict.reasons
    )


def test_a_wait_that_is_interrupted_is_one_line_and_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    whole, reference = undisturbed(bench, tmp_path)
    with ScriptedModel(batch_seconds=8.0) as model:
        command = ["scan", "--engine", "claude", "--repo", str(bench.sandbox.folder)]
        process = subprocess.Popen(
            [sys.executable, "-m", "reviewbot", *command, "--state", str(bench.options.state)],
            env={"PATH": "/usr/bin:/bin", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.base_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        looks = 0
        while looks < 600 and not model.batches.list({"limit": "1000"})["data"]:
            looks += 1
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, told_lines = process.communicate(timeout=60)
        bench.model = model
        review = bench.scan(wait_seconds=120.0)
    assert (process.returncode, said) == (130, "")
    assert told_lines.splitlines()[-1] == "reviewbot: interrupted; nothing was decided."
    assert "Traceback" not in told_lines
    assert (review.verdict, told(review)) == (whole.verdict, told(whole))
    assert model.refused == []
    assert len(model.requests) == len(reference.requests)


def test_what_was_waited_for_the_tree_is_not_waited_again_for_its_fix(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ask of the agents in one run opens its own batches; the wait is the run's."""
    allowed: list[float] = []
    real = BatchWait.__init__

    def spied(self: BatchWait, seconds: float, *rest: Any, **named: Any) -> None:
        allowed.append(seconds)
        real(self, seconds, *rest, **named)

    monkeypatch.setattr(BatchWait, "__init__", spied)
    with ScriptedModel("reader", batch_seconds=0.5) as model, Repository(bench.sandbox.folder) as repository:
        environment = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.base_url}
        request = Request(environment=environment, batches=BatchOptions(None, 60.0))
        head = repository.resolve("HEAD", "commit") or ""
        trigger = Trigger("1", TriggerKind.LOCAL, "r", "a", repository.empty_tree, head, head)
        changes = load_change_set(repository, repository.empty_tree, head)
        run = Run(request, repository, trigger, changes, Journal(), lambda _: nullcontext())
        settings, _ = read_settings(repository, head, request.asked)
        collected = collect(run, settings, {}, is_scan=True)
        for _ in range(2):
            ask_agents(run, settings, collected, (), Masker(), ())
    assert allowed[0] == 60.0
    assert allowed[1] < 60.0
    assert allowed[1] == pytest.approx(60.0 - run.waited[0])
