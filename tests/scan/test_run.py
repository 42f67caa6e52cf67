"""Whole scans of real repositories: with analyzers only, and with the agents over a socket."""

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reviewbot.change.git import Repository
from reviewbot.change.policy_file import Asked
from reviewbot.core import Conclusion, CoverageStatus, Review, Trigger, TriggerKind
from reviewbot.errors import UnknownRevision
from reviewbot.journal import Journal
from reviewbot.pipeline import review_repository
from reviewbot.publish.report import report_document
from reviewbot.request import Request
from reviewbot.scan.baseline import FILE_NAME
from reviewbot.scan.options import ScanOptions
from reviewbot.scan.run import ADOPTED, scan_local
from reviewbot.scan.tree import scan_tree
from reviewbot.signals import Terminated
from reviewbot.state_file import StateError
from reviewbot.testing import ScriptedModel
from reviewbot.verdict import memory as memory_module
from reviewbot.verdict.baseline import BASELINE_PATH
from tests.action.test_action import NAME
from tests.action.test_action import Bench as Runner
from tests.github.events import workflow_dispatch_event
from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox

SHELL = "import subprocess\n\n\ndef f(c):\n    subprocess.call(c, shell=True)\n"
FLASK = (
    "import subprocess\nfrom flask import request\n\n\ndef f():\n"
    '    subprocess.run("convert " + request.args["name"], shell=True)\n'
)
PLAIN = "def f(a):\n    return a + 1\n"


class Bench:
    """One repository, the folder of its state, and scans of it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.options = ScanOptions(state=folder / "state", out=folder / "out")
        self.model: ScriptedModel | None = None
        self.journal = Journal()

    def scan(self, since: str | None = None, *, environment: Any = None, **changes: Any) -> Review:
        overrides = {
            "engine": changes.pop("engine", "claude" if self.model else "analyzers"),
            "budget_usd": changes.pop("budget_usd", None),
        }
        if self.model:
            environment = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": self.model.base_url}
        request = Request(
            folder=self.sandbox.folder,
            asked=Asked(overrides=overrides),
            environment=environment or {},
        )
        options = replace(self.options, **changes)
        self.journal = Journal()
        return scan_local(request, since, self.journal, lambda _: nullcontext(), options)

    def baseline(self) -> dict[str, Any] | None:
        path = (self.options.out or Path()) / FILE_NAME
        return json.loads(path.read_bytes()) if path.exists() else None

    def commit_baseline(self) -> str:
        path = (self.options.out or Path()) / FILE_NAME
        return self.sandbox.commit({BASELINE_PATH: path.read_bytes()})

    def asked(self) -> int:
        assert self.model is not None
        assert self.model.refused == []
        return len(self.model.requests)


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    return Bench(sandbox, tmp_path)


def codes(review: Review) -> list[str]:
    return [reason.code for reason in review.verdict.reasons]


def test_the_first_scan_takes_what_it_finds_as_known_and_writes_the_baseline(bench: Bench) -> None:
    head = bench.sandbox.commit({"a.py": SHELL})
    review = bench.scan()
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.PASS, 0)
    assert {finding.status for finding in review.findings} == {"known"}
    assert "There is no baseline: 1 finding taken as known." in review.notes
    written = bench.baseline()
    assert written is not None
    assert (written["commit"], [row["path"] for row in written["findings"]]) == (head, ["a.py"])


def test_a_new_finding_fails_the_next_scan_once_and_is_then_known(bench: Bench) -> None:
    first = bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.commit({"b.py": SHELL})
    review = bench.scan()
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.FAIL, 1)
    (blocking,) = (each for each in review.findings if each.fingerprint in review.verdict.blocking)
    assert (blocking.location and blocking.location.path, blocking.status) == ("b.py", "new")
    assert any(
        note.startswith(f"Since the scan of {first[:12]}: 1 new, 1 still open") for note in review.notes
    )
    blocks = {each["path"]: each["blocking"] for each in report_document(review)["findings"]}
    assert blocks == {"a.py": False, "b.py": True}
    assert codes(bench.scan()) == ["nothing_new"]


def test_a_finding_in_code_that_moved_down_is_still_open(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.commit({"a.py": "X = 1\n\n" + SHELL})
    assert codes(bench.scan()) == ["nothing_new"]


def test_a_file_that_moved_brings_nothing_new(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.git("mv", "a.py", "b.py")
    bench.sandbox.commit()
    assert codes(bench.scan()) == ["nothing_new"]


def test_what_was_fixed_is_counted_and_leaves_the_baseline(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.commit({"a.py": PLAIN})
    review = bench.scan()
    assert "0 new, 0 still open, 1 fixed" in " ".join(review.notes)
    assert (bench.baseline() or {})["findings"] == []


def test_without_state_and_file_nothing_ever_blocks_and_the_scan_says_so(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    for _ in range(2):
        review = bench.scan(state=None)
        assert review.verdict.exit_code == 0
        assert "Without a baseline a scan gates nothing." in review.notes


def test_a_committed_baseline_needs_no_state(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan(state=None)
    bench.commit_baseline()
    assert codes(bench.scan(state=None)) == ["nothing_new"]
    bench.sandbox.commit({"b.py": SHELL})
    # Until a person commits the next one, what is new stays new.
    assert [bench.scan().verdict.exit_code for _ in range(2)] == [1, 1]
    bench.commit_baseline()
    assert codes(bench.scan()) == ["nothing_new"]


def test_the_committed_baseline_is_read_by_nobody(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.commit_baseline()
    review = bench.scan()
    rows = {row.path: (row.status, row.reason) for row in review.coverage.files}
    assert rows[BASELINE_PATH] == (CoverageStatus.EXCLUDED, "the baseline of reviewbot itself")
    assert {each.location.path for each in review.findings if each.location} == {"a.py"}


def test_a_committed_baseline_that_is_gone_is_missed(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.commit_baseline()
    bench.scan()
    bench.sandbox.remove(BASELINE_PATH)
    bench.sandbox.commit({"b.py": SHELL})
    for _ in range(2):
        review = bench.scan()
        assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.INCOMPLETE, 1)
        assert codes(review)[0] == "baseline_missing"
        assert bench.baseline() is None


@pytest.mark.parametrize("spoil", ["text", "link"])
def test_a_committed_baseline_that_cannot_be_read_stops_the_scan(bench: Bench, spoil: str) -> None:
    bench.sandbox.commit({"a.py": SHELL, BASELINE_PATH: "{"})
    if spoil == "link":
        (bench.sandbox.folder / BASELINE_PATH).unlink()
        (bench.sandbox.folder / BASELINE_PATH).symlink_to("../a.py")
        bench.sandbox.commit()
    review = bench.scan()
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.INCOMPLETE, 2)
    assert BASELINE_PATH in review.verdict.reasons[0].detail


def test_a_scan_that_did_not_finish_moves_nothing(bench: Bench) -> None:
    first = bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.commit({"b.py": SHELL})
    # The agents were to take part, and there are no credentials here.
    review = bench.scan(engine="auto")
    assert codes(review) == ["blocking_findings", "no_credentials"]
    assert bench.baseline() is None
    assert any("the baseline stays where it was" in note for note in review.notes)
    assert f"Since the scan of {first[:12]}: 1 new" in " ".join(bench.scan().notes)


def test_a_state_that_cannot_be_written_at_the_end_is_no_success(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StateError("The state cannot be used: disk full.")

    bench.sandbox.commit({"a.py": SHELL})
    monkeypatch.setattr(memory_module.ScanMemory, "finish", fail)
    review = bench.scan()
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.INCOMPLETE, 2)
    assert "disk full" in review.verdict.reasons[0].detail
    assert len(review.findings) == 1


def test_a_link_in_the_place_of_the_output_folder_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / FILE_NAME).write_text("mine")
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(Exception, match="link cannot be used as a folder"):
        bench.scan(out=tmp_path / "link")
    assert (tmp_path / "elsewhere" / FILE_NAME).read_text() == "mine"


def test_a_scan_since_a_revision_gates_nothing_and_moves_nothing(bench: Bench) -> None:
    first = bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.commit({"b.py": SHELL})
    review = bench.scan(first)
    assert [row.path for row in review.coverage.files] == ["b.py"]
    assert (review.verdict.exit_code, bench.baseline()) == (0, None)
    assert "this one gates nothing" in review.notes[0]
    assert bench.scan("last").verdict.exit_code == 1
    with pytest.raises(UnknownRevision, match="--since"):
        bench.scan("absent")


def test_a_revision_that_is_no_ancestor_is_compared_and_said_to_be_none(bench: Bench) -> None:
    first = bench.sandbox.commit({"a.py": SHELL})
    bench.sandbox.git("checkout", "-q", "-b", "other")
    other = bench.sandbox.commit({"b.py": SHELL})
    bench.sandbox.git("checkout", "-q", "main")
    bench.sandbox.commit({"c.py": PLAIN})
    review = bench.scan(other)
    assert {row.path: row.deleted_lines > 0 for row in review.coverage.files} == {"b.py": True, "c.py": False}
    assert f"{other[:12]} is no ancestor of " in review.notes[1]
    assert not any("no ancestor" in note for note in bench.scan(first).notes)


@pytest.fixture
def read_once(bench: Bench) -> Bench:
    """A repository that agents have read once, and a model that has not been asked anything since."""
    bench.sandbox.commit({"a.py": FLASK, "plain.py": PLAIN, "doc.md": "# Hello\n"})
    with ScriptedModel("reader") as bench.model:
        assert bench.scan().verdict.exit_code == 0
        assert bench.asked() > 2
    return bench


def test_a_tree_that_agents_have_read_costs_nothing_and_passes(read_once: Bench) -> None:
    with ScriptedModel("reader") as read_once.model:
        review = read_once.scan()
        assert read_once.asked() == 0
    assert (codes(review), review.cost_usd) == (["nothing_new"], 0)
    assert "3 of 3 files are unchanged since agents read them, and cost nothing now." in review.notes
    assert "security" in {finding.evidence.tool for finding in review.findings}
    rows = {row.path: row for row in review.coverage.files}
    assert rows["a.py"].by[:2] == ("triage", "security")
    assert rows["a.py"].reason.startswith("unchanged since it was read at ")
    assert rows["plain.py"].status is CoverageStatus.TRIAGED


def test_only_what_changed_is_shown_to_a_model_again(read_once: Bench) -> None:
    read_once.sandbox.git("mv", "a.py", "moved.py")
    read_once.sandbox.commit({"plain.py": PLAIN + "\n\ndef g():\n    return 7\n"})
    with ScriptedModel("reader") as read_once.model:
        review = read_once.scan()
        sent = json.dumps([served.body for served in read_once.model.requests])
        assert read_once.asked() == 1
    assert "def g()" in sent
    assert "subprocess" not in sent
    assert codes(review) == ["nothing_new"]
    found = {
        each.location.path for each in review.findings if each.evidence.tool == "security" and each.location
    }
    assert found == {"moved.py"}


def test_a_full_scan_reads_everything_again_and_keeps_what_it_read(read_once: Bench) -> None:
    with ScriptedModel("reader") as read_once.model:
        assert codes(read_once.scan(full=True)) == ["nothing_new"]
        asked = read_once.asked()
        assert asked > 2
        read_once.scan()
        assert read_once.asked() == asked


def test_other_notes_of_the_maintainers_are_other_prompts(read_once: Bench) -> None:
    read_once.sandbox.commit({"AGENTS.md": "Mind the shell.\n"})
    with ScriptedModel("reader") as read_once.model:
        review = read_once.scan()
    assert not any("unchanged since agents read them" in note for note in review.notes)


def test_what_a_scan_read_before_the_budget_ended_is_not_paid_again(bench: Bench) -> None:
    files = {f"d{number}/a.py": f"N = {number}\n" * 400 + FLASK for number in range(40)}
    bench.sandbox.commit({**files, "p.py": PLAIN})
    with ScriptedModel("reader") as bench.model:
        cut = bench.scan(budget_usd=0.3)
    assert codes(cut)[0] == "budget"
    assert (cut.verdict.exit_code, bench.baseline()) == (0, None)
    read = cut.coverage.count(CoverageStatus.REVIEWED)
    assert 0 < read < 40
    with ScriptedModel("reader") as bench.model:
        whole = bench.scan(budget_usd=20.0)
        bodies = [json.dumps(served.body) for served in bench.model.requests]
    # A claim of the first scan that nobody had looked at again is; its file is not read again for that.
    sent = "".join(body for body in bodies if "Is this claim true?" not in body)
    assert (whole.verdict.conclusion, whole.coverage.count(CoverageStatus.REVIEWED)) == (Conclusion.PASS, 40)
    for row in cut.coverage.files:
        number = row.path.partition("/")[0].removeprefix("d")
        if number.isdigit():
            assert (f"N = {number}\\n" in sent) is (row.status is CoverageStatus.UNREVIEWED)
    assert len((bench.baseline() or {})["findings"]) == 80


@pytest.mark.parametrize(("cap", "budget_usd", "is_named"), [(0.0001, 2.0, True), (50, 0.0001, False)])
def test_a_scan_that_the_cap_of_the_month_ended_names_its_key(
    bench: Bench, cap: float, budget_usd: float, is_named: bool
) -> None:
    bench.sandbox.commit({".github/reviewbot.yml": f"budget-usd-per-month: {cap}\n", "a.py": FLASK})
    with ScriptedModel("reader") as bench.model:
        first = bench.scan(budget_usd=budget_usd).verdict.reasons[0]
        assert bench.asked() == 0
    assert first.code == "budget"
    assert "0 of 2 files were read before the budget of $0.0001 ended it." in first.detail
    assert ("Raise `budget-usd-per-month` in the policy" in first.detail) is is_named


def test_agents_that_take_part_for_the_first_time_find_what_was_there(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": FLASK})
    bench.scan()
    with ScriptedModel("reader") as bench.model:
        review = bench.scan()
    assert review.verdict.exit_code == 0
    assert "1 known of readers that take part for the first time" in " ".join(review.notes)
    bench.model = None
    assert codes(bench.scan()) == ["nothing_new"]
    kept = (bench.baseline() or {})["findings"]
    assert {row["reader"] for row in kept} == {"agent", "ruff"}


def test_a_scan_that_a_signal_ends_is_reported_and_moves_nothing(bench: Bench) -> None:
    first = bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    bench.sandbox.commit({"b.py": SHELL})

    def stop(what: str) -> AbstractContextManager[None]:
        if what == "running the analyzers":
            raise Terminated(15)
        return nullcontext()

    request = Request(folder=bench.sandbox.folder, asked=Asked(overrides={"engine": "analyzers"}))
    with pytest.raises(Terminated) as caught:
        scan_local(request, None, Journal(), stop, bench.options)
    assert caught.value.review is not None
    assert caught.value.review.verdict.conclusion is Conclusion.INCOMPLETE
    assert bench.baseline() is None
    assert f"Since the scan of {first[:12]}: 1 new" in " ".join(bench.scan().notes)


def test_a_fault_of_ours_is_no_pass_and_moves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    with monkeypatch.context() as patch:
        patch.setattr("reviewbot.steps.collect_evidence", lambda *_, **__: 1 / 0)
        review = bench.scan()
    assert (review.verdict.conclusion, review.verdict.exit_code) == (Conclusion.INCOMPLETE, 3)
    assert codes(review)[0] == "no_review"
    assert "0 new, 0 still open, 0 fixed" in " ".join(review.notes)
    assert f"Since the scan of {first[:12]}: 0 new, 1 still open" in " ".join(bench.scan().notes)


def test_a_state_of_another_repository_stops_the_scan(bench: Bench, tmp_path: Path) -> None:
    bench.sandbox.commit({"a.py": SHELL})
    bench.scan()
    other = Sandbox(tmp_path / "other")
    other.commit({"a.py": SHELL})
    bench.sandbox = other
    review = bench.scan()
    assert review.verdict.exit_code == 2
    assert "another repository" in review.verdict.reasons[0].detail


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_action_gates_by_the_baseline_that_stands_at_the_scanned_commit(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewbot.action.entrypoint.owner_to_become", lambda _: None)
    with FakeGitHub() as fake:
        monkeypatch.setenv("SSL_CERT_FILE", str(fake.ca_file))
        runner = Runner(fake, sandbox, tmp_path)
        local = Bench(sandbox, tmp_path)
        sandbox.commit({"a.py": SHELL})
        local.scan(state=None)
        known = local.commit_baseline()
        faulty = sandbox.commit({"b.py": SHELL})
        fake.add_repository(NAME, sandbox.folder)
        token = fake.token(permissions={"contents": "read", "checks": "write"})
        codes_by_head = {
            head: runner.run(
                "workflow_dispatch",
                workflow_dispatch_event(fake, NAME),
                mode="scan",
                head=head,
                engine="analyzers",
                github_token=token,
            )
            for head in (known, faulty)
        }
        conclusions = {check.head_sha: check.conclusion for check in fake.check_runs(NAME)}
        assert fake.refused == []
    assert codes_by_head == {known: 0, faulty: 1}
    assert conclusions == {known: "success", faulty: "failure"}


@pytest.mark.parametrize("engine", ["analyzers", "claude"])
def test_a_first_scan_judges_the_tree_exactly_as_a_review_of_it_would(sandbox: Sandbox, engine: str) -> None:
    secret = "correct-horse-battery-staple-0815"
    shell = FLASK.replace("convert", secret)
    head = sandbox.commit(
        {"a.py": shell, "p.py": PLAIN, "go.sum": "x\n", "d.md": "# Hi\n", "AGENTS.md": "x\n"}
    )
    told = []
    for read in (review_repository, lambda *given: scan_tree(*given).review):
        with Repository(sandbox.folder) as repository, ScriptedModel("reader") as model:
            trigger = Trigger("r", TriggerKind.LOCAL, "x", "y", repository.empty_tree, head, head)
            request = Request(
                folder=sandbox.folder,
                asked=Asked(overrides={"engine": engine}),
                environment={"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.base_url},
                is_scan=True,
                secrets=(secret,),
            )
            review = read(repository, trigger, request, Journal(), lambda _: nullcontext())
            assert bool(review.outcomes) is (engine == "claude")
            same = tuple(replace(each, seconds=0.0) for each in review.outcomes)
            told.append(replace(review, outcomes=same, started_at="", seconds=0.0))
    assert told[0] == told[1]
    assert told[0].findings
    assert secret not in repr(told[1].findings)


def test_a_committed_baseline_without_the_agents_says_that_they_gate_nothing_yet(bench: Bench) -> None:
    bench.sandbox.commit({"a.py": FLASK})
    bench.scan(state=None)
    bench.commit_baseline()
    with ScriptedModel("reader") as bench.model:
        review = bench.scan(state=None)
    assert (review.verdict.exit_code, ADOPTED in review.notes) == (0, True)
    bench.model = None
    assert ADOPTED not in bench.scan(state=None).notes
