"""Logs and annotations of failed jobs, read from GitHub: whose, how much, with which right."""

from typing import Any

import pytest

from reviewbot.change import job_logs
from tests.action.test_action import CLEAN, NAME, Bench
from tests.github.events import workflow_run_event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RIGHTS = {
    "actions": "read",
    "contents": "read",
    "pull-requests": "write",
    "checks": "write",
}
LOG = b"""\
2026-01-02T03:04:05.1234567Z =================================== FAILURES ===================================
2026-01-02T03:04:05.1234567Z ___________________________________ test_run ___________________________________
2026-01-02T03:04:05.1234567Z app.py:2: AssertionError
2026-01-02T03:04:05.1234567Z =========================== short test summary info ============================
2026-01-02T03:04:05.1234567Z FAILED app.py::test_run - assert 1 == 2
2026-01-02T03:04:05.1234567Z 1 failed, 4 passed in 0.10s
"""
LINT: dict[str, object] = {
    "path": "app.py",
    "start_line": 1,
    "end_line": 1,
    "annotation_level": "failure",
    "message": "Not formatted",
}


def review(bench: Bench, permissions: dict[str, str] | None = None, **given: str) -> int:
    token = bench.fake.token(permissions=permissions or RIGHTS)
    return bench.on_pull_request(
        **{"engine": "analyzers", "job_logs": "true", "github_token": token, **given}
    )


def reported(bench: Bench) -> list[tuple[str, str, int]]:
    found: list[dict[str, Any]] = bench.report["findings"]
    return [(each["title"], each["path"], each["start_line"]) for each in found if each["source"] == "junit"]


def test_the_log_of_a_job_that_failed_on_the_head_is_read_and_those_of_others_are_not(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", LOG, head_sha=head)
    bench.fake.add_job(NAME, "green", b"not asked for", head_sha=head, conclusion="success")
    bench.fake.add_job(NAME, "old", b"not asked for", head_sha=bench.base, run_id=78)
    assert review(bench) == 0
    assert reported(bench) == [("app::test_run failed", "app.py", 2)]
    asked = [each for each in bench.fake.api_requests if each.path.endswith("/logs")]
    assert [each.status for each in asked] == [302]


def test_the_token_does_not_go_where_the_log_lies(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", LOG, head_sha=head)
    review(bench)
    [fetched] = [each for each in bench.fake.requests if each.path.startswith("/blob/")]
    assert fetched.status == 200
    assert "authorization" not in fetched.headers


def test_a_failed_job_blocks_with_fail_on_tests(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", LOG, head_sha=head)
    assert review(bench, fail_on_tests="true") == 1
    assert bench.codes == ["blocking_findings"]


def test_a_job_without_known_test_output_counts_by_its_annotations(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    said = [LINT, {**LINT, "path": ".github"}, {**LINT, "annotation_level": "warning"}]
    bench.fake.add_job(NAME, "lint", b"reformat me\n", head_sha=head, annotations=said)
    assert review(bench) == 0
    assert reported(bench) == [("The job 'lint' failed: Not formatted", "app.py", 1)]


def test_a_job_of_which_nothing_can_be_told_is_said(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "deploy", b"no\n", head_sha=head)
    assert review(bench) == 0
    assert "The job 'deploy' failed, and what it left tells of no test" in bench.summary.read_text()
    assert review(bench, fail_on_tests="true") == 1
    assert bench.codes == ["unfinished_evidence"]


@pytest.mark.parametrize(
    ("missing", "says"), [("actions", "lacks `actions: read`"), ("checks", "lacks `checks: read`")]
)
def test_without_the_right_it_is_said_and_the_review_goes_on(bench: Bench, missing: str, says: str) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", LOG, head_sha=head)
    assert review(bench, {name: level for name, level in RIGHTS.items() if name != missing}) == 0
    assert says in bench.summary.read_text()
    assert bool(reported(bench)) == (missing == "checks")


def test_a_log_that_is_gone_is_said(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", None, head_sha=head)
    assert review(bench) == 0
    assert "has expired" in bench.summary.read_text()


def test_of_a_long_log_both_ends_are_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_logs, "LOG_BYTES", 4_000)
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", b"first\n" + b"noise\n" * 50_000 + LOG, head_sha=head)
    assert review(bench) == 0
    assert [title for title, _, _ in reported(bench)] == ["app::test_run failed"]


def test_only_so_many_jobs_are_read_and_the_rest_is_counted(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    for number in range(7):
        bench.fake.add_job(NAME, f"tests {number}", LOG, head_sha=head)
    assert review(bench) == 0
    assert "7 jobs failed, of which 5 were read." in bench.summary.read_text()


def test_after_another_workflow_its_own_jobs_are_read(bench: Bench) -> None:
    head = bench.pull_request(CLEAN, head_repository="mallory/app")
    payload = workflow_run_event(bench.fake, NAME, 1)
    bench.fake.add_job(NAME, "tests", LOG, head_sha=head)
    bench.fake.add_job(NAME, "other", b"not asked for", head_sha=head, run_id=78)
    token = bench.fake.token(permissions=RIGHTS)
    assert bench.run("workflow_run", payload, engine="analyzers", job_logs="true", github_token=token) == 0
    assert reported(bench) == [("app::test_run failed", "app.py", 2)]


@pytest.mark.parametrize("location", ["http://127.0.0.1/x", "https://a:b@127.0.0.1/x", ""])
def test_a_redirect_of_a_log_to_anything_but_https_is_not_followed(bench: Bench, location: str) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.add_job(NAME, "tests", LOG, head_sha=head)
    bench.fake.fail_next("GET", "/logs$", 302, "", {"Location": location})
    assert review(bench) == 0
    assert "no https address" in bench.summary.read_text()


def test_logs_may_be_files_of_the_workspace(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    (bench.workspace / "tests.log").write_bytes(LOG)
    assert bench.on_pull_request(engine="analyzers", logs="*.log") == 0
    assert reported(bench) == [("app::test_run failed", "app.py", 2)]
