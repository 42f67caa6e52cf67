"""Reviews after another workflow: which pull request, whose reports, and what they may do."""

import json
from typing import Any

import pytest

from tests.action.test_action import CLEAN, FAULT, NAME, Bench
from tests.change.test_artifacts import zipped
from tests.github.events import workflow_run_event
from tests.github.fake import DELETED

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RIGHTS = {"actions": "read", "contents": "read", "pull-requests": "write", "checks": "write"}
FAILED = """<testsuite name="t"><testcase name="test_a" classname="test_app" file="app.py" line="2">
<failure message="no">boom</failure></testcase></testsuite>"""
REPORTS = "reports/**/*.xml"


def after(bench: Bench, payload: bytes | None = None, **given: str) -> int:
    """Run after the tests of the pull request ended."""
    inputs = {"engine": "analyzers", "github_token": bench.fake.token(permissions=RIGHTS), **given}
    return bench.run("workflow_run", payload or workflow_run_event(bench.fake, NAME, 1), **inputs)


def detail(bench: Bench) -> str:
    return str(bench.report["verdict"]["reasons"][0]["detail"])


def test_a_forks_pull_request_is_found_and_its_reports_are_read(bench: Bench) -> None:
    head = bench.pull_request(FAULT, head_repository="mallory/app")
    bench.fake.add_artifact(NAME, "reports", zipped({"deep/tests.xml": FAILED}))
    bench.fake.add_artifact(NAME, "image", b"no zip file, and not asked for")
    bench.fake.add_artifact(NAME, "reports", zipped({"x.xml": "of another run"}), run_id=78)
    assert after(bench, junit=REPORTS) == 1
    assert bench.report["trigger"]["kind"] == "workflow_run"
    assert bench.report["trigger"]["pull_number"] == 1
    assert {finding["source"] for finding in bench.report["findings"]} >= {"junit", "analyzer"}
    assert [(run.name, run.head_sha, run.conclusion) for run in bench.fake.check_runs(NAME)] == [
        ("reviewbot", head, "failure")
    ]
    assert len(bench.fake.review_comments(NAME, 1)) >= 1
    assert "/artifacts/" not in json.dumps(bench.report)
    assert {each.status for each in bench.fake.requests if not each.is_git} == {200, 201, 302}


def test_without_patterns_no_artifact_is_asked_for(bench: Bench) -> None:
    bench.pull_request(CLEAN, head_repository="mallory/app")
    token = bench.fake.token(permissions={name: level for name, level in RIGHTS.items() if name != "actions"})
    assert after(bench, github_token=token) == 0
    assert not [each for each in bench.fake.api_requests if "artifacts" in each.path]


@pytest.mark.parametrize(
    "other", [{"head_repository": "eve/app"}, {"head_ref": "else"}, {"head_repository": DELETED}], ids=str
)
def test_only_owner_branch_and_commit_together_name_a_pull_request(
    bench: Bench, other: dict[str, Any]
) -> None:
    head = bench.pull_request(CLEAN, head_repository="mallory/app")
    bench.fake.add_pull_request(
        NAME, 2, **{"base_ref": "main", "head_sha": head, "head_repository": "mallory/app", **other}
    )
    assert after(bench) == 0
    assert bench.report["trigger"]["pull_number"] == 1


def test_a_commit_that_is_no_head_any_more_is_not_reviewed(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    payload = workflow_run_event(bench.fake, NAME, 1)
    bench.fake.move_head(NAME, 1, bench.base)
    assert after(bench, payload) == 3
    assert "No open pull request" in detail(bench)
    assert bench.fake.issue_comments(NAME, 1) == []


def test_two_pull_requests_of_one_head_are_not_guessed_between(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_pull_request(NAME, 2, base_ref="main", head_sha=head)
    assert after(bench) == 3
    assert "#1 and #2" in detail(bench)


def test_a_workflow_of_something_else_is_nothing_to_review(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    assert after(bench, workflow_run_event(bench.fake, NAME, 1, event="push")) == 3
    assert "ran on push" in detail(bench)


@pytest.mark.parametrize(
    ("data", "expired", "says"),
    [
        (b"no zip", False, "no whole zip file"),
        (zipped({"../../a.xml": FAILED}), False, "no plain file"),
        (zipped({"a.txt": "x"}), False, "no JUnit file matches reports/"),
        (zipped({}), True, "has expired"),
    ],
    ids=["junk", "leaves", "absent", "expired"],
)
def test_reports_that_cannot_be_read_are_one_sentence_and_no_success(
    bench: Bench, data: bytes, expired: bool, says: str
) -> None:
    bench.pull_request(CLEAN)
    bench.fake.add_artifact(NAME, "reports", data, expired=expired)
    assert after(bench, junit=REPORTS) in (2, 3)
    assert says in detail(bench)
    assert [run.conclusion for run in bench.fake.check_runs(NAME)] == ["action_required"]


def test_an_artifact_larger_than_the_cap_is_not_read_to_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pull_request(CLEAN)
    monkeypatch.setattr("reviewbot.change.artifacts.ZIP_BYTES", 1 << 20)
    bench.fake.add_artifact(NAME, "reports", b"x" * (2 << 20))
    assert after(bench, junit=REPORTS) == 3
    assert "larger than 1 MiB" in detail(bench)


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1/x", "https://a:b@127.0.0.1/x", "file:///etc/passwd", ""]
)
def test_a_redirect_to_anything_but_https_is_not_followed(bench: Bench, location: str) -> None:
    bench.pull_request(CLEAN)
    bench.fake.add_artifact(NAME, "reports", zipped({"a.xml": FAILED}))
    bench.fake.fail_next("GET", "/zip$", 302, "", {"Location": location})
    assert after(bench, junit=REPORTS) == 3
    assert "no https address" in detail(bench)
