"""The image in each role a workflow gives it, on real ranges of public repositories and with a model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reviewbot.testing import ScriptedModel
from tests.container import image
from tests.container.ranges import REPOSITORIES, RealRange, make_range
from tests.container.runner import NAME, UID, Ran, Runner, describe
from tests.github.events import pull_request_event, schedule_event, workflow_dispatch_event
from tests.github.fake import FakeGitHub
from tests.real_changes import failing_tests
from tests.repositories import Sandbox
from tests.test_agents_end_to_end import plant

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(bool(image.missing()), reason=image.missing() or "-"),
]

on_real_ranges = pytest.mark.skipif(
    not REPOSITORIES, reason="REVIEWBOT_TEST_REPOSITORIES names no repositories"
)
READ_ONLY = {"contents": "read", "pull-requests": "read"}
MAY_CHECK = {"contents": "read", "pull-requests": "write", "checks": "write"}
STATE_KEY = "0123456789abcdef"


@pytest.fixture(scope="module", params=REPOSITORIES, ids=lambda path: path.parent.name)
def change(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RealRange:
    return make_range(request.param, tmp_path_factory.mktemp("ranges") / "clone.git")


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake
        assert fake.refused == []


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel("reader") as model:
        yield model
        assert model.refused == []


def open_pull_request(fake: FakeGitHub, change: RealRange, head: str, **options: Any) -> bytes:
    """Pull request 1 is the range up to ``head``; returns the event that says so."""
    fake.add_repository(NAME, change.folder)
    fake.set_branch(NAME, "main", change.base)
    fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head, **options)
    return pull_request_event(fake, NAME, 1)


def read_report(runner: Runner, ran: Ran) -> Any:
    return json.loads((runner.workspace / ran.outputs["report"]).read_text())


def posted(fake: FakeGitHub) -> tuple[list[tuple[str, int]], int, int]:
    """The places of the comments at lines, and how many reviews and summaries there are."""
    places = [(each.path, each.line) for each in fake.review_comments(NAME, 1)]
    return places, len(fake.reviews(NAME, 1)), len(fake.issue_comments(NAME, 1))


def assert_ledger_is_whole(report: Any, change: RealRange, head: str) -> None:
    rows = {row["path"]: row for row in report["coverage"]["files"]}
    for path, counted in change.numstat(head).items():
        assert (rows[path]["added_lines"], rows[path]["deleted_lines"]) == counted
    assert len(rows) == len(report["coverage"]["files"])
    assert all(row["status"] != "unreviewed" for row in rows.values())


@on_real_ranges
def test_an_owner_gets_a_review_without_a_refusal_and_only_once(
    built: str, runner: Runner, fake: FakeGitHub, change: RealRange
) -> None:
    payload = open_pull_request(fake, change, change.planted)
    given = describe(fake, engine="analyzers", state_key=STATE_KEY)
    ran = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert ran.code == 1, ran.out + ran.error
    first = posted(fake)
    assert (change.path, change.line) in first[0]
    assert first[1:] == (1, 1)
    assert len(fake.api_requests) <= 6
    report = read_report(runner, ran)
    assert report["verdict"]["conclusion"] == ran.outputs["verdict"] == "fail"
    assert_ledger_is_whole(report, change, change.planted)

    again = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert again.code == 1, again.out + again.error
    assert posted(fake) == first
    assert len(fake.api_requests) <= 12
    assert {each.status for each in fake.api_requests} <= {200, 201}


@on_real_ranges
def test_a_fork_gets_its_fault_as_an_annotation_and_nothing_is_posted(
    built: str, runner: Runner, fake: FakeGitHub, change: RealRange
) -> None:
    payload = open_pull_request(fake, change, change.planted, head_repository="mallory/app")
    given = describe(fake, github_token=fake.token(permissions=READ_ONLY))
    for _ in range(2):
        ran = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
        assert ran.code == 1, ran.out + ran.error
        assert f"::error file={change.path},line={change.line}," in ran.out
        codes = [reason["code"] for reason in read_report(runner, ran)["verdict"]["reasons"]]
        assert codes == ["blocking_findings", "no_secrets"]
    assert posted(fake) == ([], 0, 0)
    assert len(fake.api_requests) <= 12


@on_real_ranges
def test_dependabot_is_neutral_where_nothing_blocks(
    built: str, runner: Runner, fake: FakeGitHub, change: RealRange
) -> None:
    payload = open_pull_request(fake, change, change.head, author="dependabot[bot]")
    given = describe(fake, github_token=fake.token(permissions=READ_ONLY))
    for _ in range(2):
        ran = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
        assert ran.code == 0, ran.out + ran.error
        assert ran.outputs["verdict"] == "incomplete"
        report = read_report(runner, ran)
        assert [reason["code"] for reason in report["verdict"]["reasons"]] == ["no_secrets"]
        assert_ledger_is_whole(report, change, change.head)
        assert re.search(r"^::notice title=reviewbot::incomplete \(neutral\)", ran.out, re.MULTILINE)
        assert "incomplete (neutral)" in ran.summary
    assert posted(fake) == ([], 0, 0)
    assert len(fake.api_requests) <= 12


@on_real_ranges
def test_a_manual_run_posts_a_review_only_once_and_gates_by_a_check(
    built: str, runner: Runner, fake: FakeGitHub, change: RealRange
) -> None:
    open_pull_request(fake, change, change.planted)
    token = fake.token(permissions=MAY_CHECK)
    given = describe(fake, engine="analyzers", pull_request="1", state_key=STATE_KEY, github_token=token)
    payload = workflow_dispatch_event(fake, NAME)
    for _ in range(2):
        ran = runner.step(built, "workflow_dispatch", payload, given, ca_file=fake.ca_file)
        assert ran.code == 1, ran.out + ran.error
        places, *counts = posted(fake)
        assert places.count((change.path, change.line)) == 1
        assert counts == [1, 1]
        checks = {(each.head_sha, each.conclusion) for each in fake.check_runs(NAME)}
        assert checks == {(change.planted, "failure")}
    assert len(fake.api_requests) <= 14  # one more each for the check
    assert {each.status for each in fake.api_requests} <= {200, 201}


@pytest.mark.shared_data
def test_three_agents_review_a_real_change_with_failed_tests_and_post_only_once(
    built: str, runner: Runner, fake: FakeGitHub, model: ScriptedModel, sandbox: Sandbox, shared_data: Path
) -> None:
    planted, path, line = plant(next(failing_tests()))
    base, head = planted.commit(sandbox)
    fake.add_repository(NAME, sandbox.folder)
    fake.set_branch(NAME, "main", base)
    fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head)
    (runner.workspace / "junit.xml").write_text(planted.junit)
    payload = pull_request_event(fake, NAME, 1)
    given = describe(fake, engine="claude", junit="junit.xml", **asking(model))
    ran = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert ran.code == 1, ran.out + ran.error
    first, usd = posted(fake), model.usd
    assert (path, line) in first[0]
    report = read_report(runner, ran)
    assert {agent["name"] for agent in report["agents"]} >= {"triage", "security", "test_fix"}
    assert {agent["stop"] for agent in report["agents"]} == {"done"}
    assert any(f["rule"].startswith("security/") and f["blocking"] for f in report["findings"])
    assert any(finding["rule"].startswith("test_fix/") for finding in report["findings"])
    assert round(report["cost"]["usd"], 6) == round(usd, 6) > 0
    assert ran.outputs["cost-usd"] == f"{usd:.4f}"
    assert len(fake.api_requests) <= 6

    again = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert again.code == 1, again.out + again.error
    assert posted(fake) == first
    assert {each.status for each in fake.api_requests} <= {200, 201}


@on_real_ranges
def test_a_scheduled_scan_with_the_model_finds_what_is_planted_and_gates_nothing(
    built: str, runner: Runner, fake: FakeGitHub, model: ScriptedModel, tmp_path: Path
) -> None:
    change = make_range(REPOSITORIES[0], tmp_path / "clone.git")
    fake.add_repository(NAME, change.folder)
    fake.set_branch(NAME, "main", change.planted)
    token = fake.token(permissions={**MAY_CHECK, "issues": "write"})
    given = describe(fake, engine="claude", budget_usd="5.00", github_token=token, **asking(model))
    given["GITHUB_SHA"] = change.planted  # a runner names the newest commit of the default branch
    ran = runner.step(built, "schedule", schedule_event(fake, NAME), given, ca_file=fake.ca_file)
    assert ran.code == 0, ran.out + ran.error
    report = read_report(runner, ran)
    assert report["trigger"]["kind"] == "schedule"
    assert report["trigger"]["head_sha"] == change.planted
    assert report["verdict"]["conclusion"] == "pass"
    assert {finding["status"] for finding in report["findings"]} == {"known"}
    places = {(f["path"], f["end_line"]) for f in report["findings"] if f["rule"].startswith("security/")}
    assert (change.path, change.line) in places
    assert round(report["cost"]["usd"], 6) == round(model.usd, 6) > 0
    assert [(each.head_sha, each.conclusion) for each in fake.check_runs(NAME)] == [
        (change.planted, "success")
    ]
    owners = {file.stat().st_uid for file in (runner.workspace / "reviewbot-report").iterdir()}
    assert owners == {UID}
    assert len(fake.api_requests) <= 8
    assert {each.status for each in fake.api_requests} <= {200, 201}


def asking(model: ScriptedModel) -> dict[str, str]:
    """The inputs of a run that asks the model."""
    return {"anthropic_api_key": "sk-test", "base_url": model.base_url, "state_key": STATE_KEY}
