"""A scan of another commit that was left under way: what it asked counts for files that are the same."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reviewbot.agents.batches import round as batch_round
from reviewbot.agents.batches.ledger import BatchLedger, head_under_way
from reviewbot.core import Conclusion, Review
from reviewbot.scan.earlier import AGENT
from reviewbot.spend.months import MonthLedger
from reviewbot.testing import ScriptedModel
from reviewbot.testing.page import read_page
from tests.repositories import Sandbox
from tests.scan.test_batches import told
from tests.scan.test_run import FLASK, PLAIN, Bench, codes

FILES = {
    "app/views.py": FLASK,
    "app/plain.py": PLAIN,
    "lib/views.py": FLASK.replace("name", "size"),
    "lib/plain.py": PLAIN.replace("1", "2"),
}
SECONDS = 0.3


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_round, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    sandbox.commit(FILES)
    return Bench(sandbox, tmp_path)


@pytest.fixture
def reference(sandbox: Sandbox, tmp_path: Path, bench: Bench) -> Bench:
    """The same scans with a state of their own, never disturbed; the first commit is scanned by now."""
    other = Bench(sandbox, tmp_path / "reference")
    with ScriptedModel() as other.model:
        other.scan()
    return other


def shown(model: ScriptedModel) -> Counter[tuple[str, str]]:
    """How often each text of a file was shown in the beginning of a conversation, by model and path."""
    found: Counter[tuple[str, str]] = Counter()
    for served in model.requests:
        body = served.body
        page = read_page(body)
        if len(body["messages"]) == 1 and "judgement" not in str(page.schema):
            texts = {hunk.path: "".join(line.text for line in hunk.lines) for hunk in page.hunks}
            found.update((body["model"], f"{path}:{text}") for path, text in texts.items())
    return found


def left_under_way(bench: Bench, rounds: int = 1) -> Review:
    """Scan until so many rounds were waited for, each by a run that does not wait."""
    review = None
    for _ in range(rounds):
        review = bench.scan(wait_seconds=0.0)
        assert codes(review) == ["batch_pending"]
        time.sleep(SECONDS + 0.1)
    assert review is not None
    return review


def of_this_month(bench: Bench) -> float:
    assert bench.options.state is not None
    with MonthLedger(bench.options.state, bench.sandbox.folder.name) as month:
        return month.draw(0.0, None)


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("changed", ["app/plain.py", "lib/views.py"])
def test_a_newer_commit_pays_only_for_what_changed(
    bench: Bench, reference: Bench, rounds: int, changed: str
) -> None:
    with ScriptedModel(batch_seconds=SECONDS) as model:
        bench.model = model
        left_under_way(bench, rounds)
        bench.sandbox.commit({changed: FILES[changed] + "\n\ndef more(a):\n    return a\n"})
        review = bench.scan(wait_seconds=60.0)
        assert model.refused == []
    with ScriptedModel() as reference.model:
        whole = reference.scan()
    assert (review.verdict.conclusion, told(review)) == (whole.verdict.conclusion, told(whole))
    twice = {name.partition(":")[0] for (_, name), times in shown(model).items() if times > 1}
    assert twice == set()
    assert review.cost_usd == pytest.approx(model.usd)
    assert of_this_month(bench) == pytest.approx(model.usd)
    assert any("had batches under way" in note for note in review.notes)
    rested = {row.path for row in review.coverage.files if "unchanged since" in row.reason}
    assert rested == set(FILES) - {changed}
    with ScriptedModel() as bench.model:
        assert (bench.scan().cost_usd, bench.asked()) == (0, 0)


def test_a_newer_commit_asks_nothing_while_the_earlier_scan_is_under_way(bench: Bench) -> None:
    with ScriptedModel(batch_seconds=600.0) as model:
        bench.model = model
        bench.scan(wait_seconds=0.0)
        bench.sandbox.commit({"app/plain.py": "X = 1\n"})
        review = bench.scan(wait_seconds=0.0)
        assert model.batch_requests.count("create") == 1
    assert codes(review) == ["batch_pending"]
    assert bench.baseline() is None
    assert bench.options.state is not None
    under_way = head_under_way(bench.options.state, bench.sandbox.folder.name, None)
    assert under_way == bench.sandbox.git("rev-parse", "HEAD^")


def test_a_scan_since_a_revision_forgets_nothing_of_the_whole_tree(bench: Bench) -> None:
    head = bench.sandbox.git("rev-parse", "HEAD")
    with ScriptedModel(batch_seconds=SECONDS) as model:
        bench.model = model
        left_under_way(bench)
        bench.sandbox.commit({"new.py": FLASK})
        assert "batch_pending" not in codes(bench.scan(head, wait_seconds=60.0))
        review = bench.scan(wait_seconds=60.0)
        assert model.refused == []
    assert any("of 4 files that are the same counts here" in note for note in review.notes)
    twice = {name.partition(":")[0] for (_, name), times in shown(model).items() if times > 1}
    assert twice <= {"new.py"}


def test_a_full_scan_that_was_left_counts_for_what_is_the_same(bench: Bench, reference: Bench) -> None:
    bench.options = reference.options
    changed = "lib/plain.py"
    with ScriptedModel(batch_seconds=SECONDS) as bench.model:
        bench.scan(full=True, wait_seconds=0.0)
        time.sleep(SECONDS + 0.1)
        bench.sandbox.commit({changed: "X = 1\n"})
        review = bench.scan(wait_seconds=60.0)
        twice = {name.partition(":")[0] for (_, name), times in shown(bench.model).items() if times > 1}
        assert twice == set()
        assert review.cost_usd == pytest.approx(bench.model.usd)
    assert any("of 3 files that are the same counts here" in note for note in review.notes)


def test_answers_that_no_longer_fit_are_counted_and_told(bench: Bench) -> None:
    with ScriptedModel(batch_seconds=SECONDS) as model:
        bench.model = model
        left_under_way(bench, 2)
        paid = model.usd
        bench.sandbox.commit({"AGENTS.md": "Mind the shell.\n"})  # other prompts from now on
        review = bench.scan(wait_seconds=60.0)
        assert review.verdict.conclusion is Conclusion.PASS
        assert review.cost_usd == pytest.approx(model.usd)
    assert of_this_month(bench) == pytest.approx(model.usd)
    (rest,) = (outcome for outcome in review.outcomes if outcome.task.agent == AGENT)
    assert rest.usd is not None
    assert rest.usd > paid > 0
    assert any("no longer fit and count as spent" in note for note in review.notes)


def test_batches_that_nobody_asks_for_are_cancelled(bench: Bench) -> None:
    with ScriptedModel(batch_seconds=2.0) as model:
        bench.model = model
        bench.scan(wait_seconds=0.0)
        bench.sandbox.commit({"AGENTS.md": "Mind the shell.\n"})
        review = bench.scan(wait_seconds=60.0)
    assert "cancel" in model.batch_requests
    assert any("1 of its requests were cancelled" in note for note in review.notes)
    assert review.cost_usd == pytest.approx(model.usd)


def test_a_commit_that_is_gone_is_told_and_not_waited_for(bench: Bench) -> None:
    with ScriptedModel(batch_seconds=SECONDS) as model:
        bench.model = model
        left_under_way(bench)
        bench.sandbox.git("checkout", "-q", "--orphan", "other")
        bench.sandbox.commit({"app/plain.py": "X = 1\n"})
        bench.sandbox.git("branch", "-D", "main")
        bench.sandbox.git("reflog", "expire", "--expire=now", "--all")
        bench.sandbox.git("gc", "-q", "--prune=now")
        review = bench.scan(wait_seconds=60.0)
    assert review.verdict.conclusion is Conclusion.PASS
    assert any("no longer fit" in note for note in review.notes)
    assert review.cost_usd == pytest.approx(model.usd)


KILLED = """
import os, signal, sys
import reviewbot.scan.earlier as earlier
from reviewbot.agents.batches.ledger import BatchLedger
from reviewbot.verdict.memory import ScanMemory
where, when = sys.argv[1:3]
owner = {"keep": ScanMemory, "drop_batches": earlier}.get(where, BatchLedger)
real = getattr(owner, where)
def watched(*arguments, **named):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, where, watched)
from reviewbot.cli import main
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.parametrize(
    ("where", "when"),
    [
        ("close_batch", "before"),  # the answers have come and are not kept
        ("close_batch", "after"),
        ("begin", "after"),  # the earlier scan goes on with a round of its own
        ("opened", "after"),
        ("keep", "before"),  # it is over, and its readings are not kept
        ("keep", "after"),
        ("clear", "before"),
        ("clear", "after"),  # it is forgotten
        ("note_scan", "after"),  # the newer one is known
    ],
)
def test_a_newer_scan_that_is_killed_anywhere_pays_for_nothing_twice(
    bench: Bench, reference: Bench, where: str, when: str
) -> None:
    with ScriptedModel(batch_seconds=SECONDS) as model:
        bench.model = model
        left_under_way(bench)
        bench.sandbox.commit({"lib/views.py": FILES["lib/views.py"] + "\n\nX = 1\n"})
        arguments = ["scan", "--engine", "claude", "--repo", str(bench.sandbox.folder)]
        environment = {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "k",
            "ANTHROPIC_BASE_URL": model.base_url,
        }
        command = [sys.executable, "-c", KILLED, where, when, *arguments]
        done = subprocess.run(
            [*command, "--state", str(bench.options.state)], env=environment, capture_output=True, check=False
        )
        assert done.returncode == -9
        time.sleep(SECONDS + 0.1)
        review = bench.scan(wait_seconds=60.0)
        assert model.refused == []
    with ScriptedModel() as reference.model:
        whole = reference.scan()
    assert (review.verdict.conclusion, told(review)) == (whole.verdict.conclusion, told(whole))
    assert max(shown(model).values()) == 1
    bodies = Counter(str(served.body) for served in model.requests)
    assert max(bodies.values()) == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        {"head_sha": "--output=x"},
        {"policy_sha": "HEAD"},
        {"recipe": 7},
        {"reused": "0"},
        {"reused": True},
        {"full": 1},
        {"more": 1},
    ],
)
def test_a_note_of_another_form_is_as_good_as_none(tmp_path: Path, spoilt: Mapping[str, Any]) -> None:
    sound = {"head_sha": "a" * 40, "policy_sha": "b" * 40, "recipe": "r", "reused": 0}
    for whole, is_known in ((sound, True), ({**sound, **spoilt}, False)):
        with BatchLedger(tmp_path, "acme/shop") as ledger:
            ledger.begin(["k"], time.time())
            with ledger._database as database:
                data = json.dumps(whole).encode()
                database.execute("INSERT OR REPLACE INTO state VALUES ('scan', ?)", (data,))
            assert (ledger.scan() is not None) is is_known


def test_a_state_that_another_scan_has_open_is_no_pass_and_is_not_to_be_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewbot.state_file.LOCK_SECONDS", 0.05)
    assert bench.options.state is not None
    with ScriptedModel() as bench.model:
        with BatchLedger(bench.options.state, bench.sandbox.folder.name):
            review = bench.scan()
        assert bench.asked() == 0
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.INCOMPLETE, 2)
    assert "is in use by another run" in review.verdict.reasons[0].detail
    assert "remove" not in review.verdict.reasons[0].detail
