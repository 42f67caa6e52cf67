"""Manual runs and what a scan keeps between runs of the action: every input with a real payload."""

import time
from typing import Any

import pytest

from reviewbot.testing import ScriptedModel
from reviewbot.testing.page import read_page
from tests.action.test_action import CLEAN, FAULT, NAME, Bench
from tests.github.events import pull_request_event, schedule_event, workflow_dispatch_event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RIGHTS = {"contents": "read", "pull-requests": "write", "checks": "write", "issues": "write"}


def by_hand(bench: Bench, **inputs: Any) -> int:
    token = bench.fake.token(permissions=RIGHTS)
    payload = workflow_dispatch_event(bench.fake, NAME)
    return bench.run("workflow_dispatch", payload, **{"engine": "analyzers", "github_token": token, **inputs})


def scheduled(bench: Bench, **inputs: Any) -> int:
    token = bench.fake.token(permissions=RIGHTS)
    return bench.run("schedule", schedule_event(bench.fake, NAME), github_token=token, **inputs)


def left_nothing(bench: Bench) -> bool:
    posted = (bench.fake.check_runs(NAME), bench.fake.issues(NAME), bench.fake.issue_comments(NAME, 1))
    return posted == ([], [], []) and bench.fake.reviews(NAME, 1) == []


def rows(bench: Bench) -> dict[str, str]:
    return {row["path"]: row["status"] for row in bench.report["coverage"]["files"]}


@pytest.mark.parametrize("what", [{"pull_request": "1"}, {"mode": "scan"}], ids=["pull request", "scan"])
def test_a_dry_run_reports_and_leaves_nothing(bench: Bench, what: dict[str, str]) -> None:
    bench.pull_request(FAULT)
    given = {**what, "dry_run": "true"}
    assert by_hand(bench, **given) == (1 if "pull_request" in what else 0)
    assert left_nothing(bench)
    assert bench.written["verdict"] == ("fail" if "pull_request" in what else "pass")
    assert "post nothing and to keep nothing" in bench.summary.read_text()


def test_a_path_filter_looks_at_these_files_and_is_never_a_pass_of_the_whole(bench: Bench) -> None:
    bench.sandbox.commit({"other/fault.py": FAULT})
    bench.pull_request(CLEAN)
    assert by_hand(bench, pull_request="1", paths="*.md\n/app.py") == 0
    assert rows(bench) == {"app.py": "reviewed", "other/fault.py": "excluded"}
    assert bench.written["verdict"] == "incomplete"
    assert bench.codes[0] == "partial"
    assert left_nothing(bench)
    assert by_hand(bench, pull_request="1", paths="other/**") == 1
    assert bench.written["verdict"] == "fail"
    assert left_nothing(bench)


def test_a_path_filter_holds_for_a_range_and_for_a_scan(bench: Bench) -> None:
    bench.sandbox.commit({"other/fault.py": FAULT})
    head = bench.pull_request(CLEAN)
    assert by_hand(bench, base="main", head=head, paths="app.py") == 0
    assert rows(bench)["other/fault.py"] == "excluded"
    assert by_hand(bench, mode="scan", head=head, paths="other") == 0
    assert rows(bench) == {"README.md": "excluded", "app.py": "excluded", "other/fault.py": "reviewed"}
    assert bench.written["baseline"] == ""
    assert left_nothing(bench)


@pytest.mark.parametrize("paths", ["nothing/here", "!", "#"])
def test_a_path_filter_that_selects_nothing_is_an_error(bench: Bench, paths: str) -> None:
    bench.pull_request(FAULT)
    assert by_hand(bench, pull_request="1", paths=paths) == 2
    assert left_nothing(bench)


def test_the_agents_and_the_budget_of_a_manual_run_are_those_that_were_asked_for(bench: Bench) -> None:
    bench.pull_request(FAULT)
    with ScriptedModel("reader") as model:
        asking = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        by_hand(bench, pull_request="1", agents="security", budget_usd="1.5", **asking)
    assert {agent["name"] for agent in bench.report["agents"]} - {"verify"} == {"security"}
    assert bench.report["cost"]["budget_usd"] == 1.5
    assert left_nothing(bench)
    assert by_hand(bench, pull_request="1", agents="everyone") == 2


@pytest.mark.parametrize(
    "given",
    [
        {"paths": "a"},
        {"agents": "triage"},
        {"dry_run": "true"},
        {"state": "x"},
        {"batch": "false"},
        {"max_wait": "0"},
    ],
    ids=str,
)
def test_a_change_cannot_choose_what_is_reviewed_of_it(bench: Bench, given: dict[str, str]) -> None:
    bench.pull_request(FAULT)
    payload = pull_request_event(bench.fake, NAME, 1)
    assert bench.run("pull_request", payload, engine="analyzers", **given) == 2
    assert "cannot be used on this event" in bench.report["verdict"]["reasons"][0]["detail"]


def test_state_lets_the_next_scan_pay_only_for_what_changed(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    with ScriptedModel("reader") as model:
        asking = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert scheduled(bench, state=".reviewbot-state", **asking) == 0
        first = len(model.requests)
        assert first > 0
        assert (bench.workspace / ".reviewbot-state/scan.sqlite3").is_file()
        assert scheduled(bench, state=".reviewbot-state", **asking) == 0
        assert len(model.requests) == first
        assert "unchanged since agents read them" in bench.summary.read_text()


def test_a_state_that_another_workflow_put_into_the_cache_hides_nothing(bench: Bench) -> None:
    """A job that runs foreign code may write the cache of the default branch."""
    bench.pull_request(CLEAN)
    with ScriptedModel("reader") as model:
        asking = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        key = "a key of enough characters"
        assert scheduled(bench, state=".reviewbot-state", state_key=f"not {key}", **asking) == 0
        assert scheduled(bench, state=".reviewbot-state", state_key=key, **asking) == 1
    assert [reason["code"] for reason in bench.report["verdict"]["reasons"]] == ["baseline_missing"]


def test_a_folder_of_state_with_a_link_in_it_or_on_the_way_is_refused(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    outside = bench.folder / "outside"
    outside.mkdir()
    (bench.workspace / "link").symlink_to(outside)
    (bench.workspace / "held").mkdir()
    (bench.workspace / "held/scan.sqlite3").symlink_to(outside / "x")
    for named in ("link", "link/below", "held", "/tmp", "../outside", "."):
        assert scheduled(bench, engine="analyzers", state=named) == 2, named
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("given", [{"state": "kept"}, {"batch": "false"}, {"max_wait": "1m"}], ids=str)
def test_what_is_for_scans_is_refused_on_a_pull_request(bench: Bench, given: dict[str, str]) -> None:
    bench.pull_request(CLEAN)
    assert by_hand(bench, pull_request="1", **given) == 2
    assert "is for scans" in bench.report["verdict"]["reasons"][0]["detail"]
    assert not (bench.workspace / "kept").exists()


@pytest.mark.parametrize("given", [{"batch": "maybe"}, {"max_wait": "15"}, {"max_wait": "25h"}], ids=str)
def test_a_wait_that_is_no_duration_is_an_error(bench: Bench, given: dict[str, str]) -> None:
    bench.pull_request(CLEAN)
    assert scheduled(bench, engine="analyzers", **given) == 2


def test_a_scan_that_is_to_ask_live_makes_no_batch(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    with ScriptedModel("reader") as model:
        asking = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert scheduled(bench, batch="false", **asking) == 0
        assert {served.batch for served in model.requests} == {""}


def test_the_next_scheduled_run_picks_up_a_pending_batch_and_pays_nothing_twice(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    with ScriptedModel("reader") as reference:
        asking = {"engine": "claude", "anthropic_api_key": "sk-test"}
        assert scheduled(bench, state="other", base_url=reference.base_url, **asking) == 0
    with ScriptedModel("reader", batch_seconds=1.0) as model:
        asking = {**asking, "state": ".reviewbot-state", "base_url": model.base_url}
        assert scheduled(bench, max_wait="0", **asking) == 0
        assert (bench.written["verdict"], bench.codes[0]) == ("incomplete", "batch_pending")
        assert scheduled(bench, max_wait="2m", **asking) == 0
        assert bench.written["verdict"] == "pass"
        assert model.refused == []
        assert len(model.requests) == len(reference.requests)


def test_a_scheduled_run_of_a_newer_commit_fetches_the_one_that_is_under_way(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    with ScriptedModel("reader", batch_seconds=1.0) as model:
        asking = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert scheduled(bench, state=".reviewbot-state", max_wait="0", **asking) == 0
        assert bench.codes[0] == "batch_pending"
        bench.sandbox.git("checkout", "-q", "main")
        newer = bench.sandbox.commit({"new.py": "X = 1\n"})
        time.sleep(1.1)
        assert scheduled(bench, state=".reviewbot-state", max_wait="2m", **asking) == 0
        assert (bench.written["verdict"], bench.report["trigger"]["head_sha"]) == ("pass", newer)
        assert model.refused == []
        shown = [path for each in model.requests for path in read_page(each.body).paths]
    assert "new.py" in shown
    assert len(shown) == len(set(shown))
