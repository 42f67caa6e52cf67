"""What goes wrong around a run: mistyped inputs, forks, a head that cannot be read, files, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reviewbot.action.inputs import InputError
from reviewbot.action.workspace import below
from reviewbot.testing import ScriptedModel
from tests.action.test_action import CLEAN, FAULT, NAME, READ_ONLY, Bench
from tests.github.events import pull_request_event, workflow_dispatch_event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WRITE = {"contents": "read", "pull-requests": "write", "checks": "write"}
JUNIT = '<testsuite name="t"><testcase name="a" classname="b"/></testsuite>'


def dispatch(bench: Bench, **given: str) -> int:
    given = {"engine": "analyzers", "github_token": bench.fake.token(permissions=WRITE), **given}
    return bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given)


def detail(bench: Bench) -> str:
    return str(bench.report["verdict"]["reasons"][0]["detail"])


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"base": "mian", "head": "main"}, "`base` is 'mian'"),
        ({"base": "main", "head": "f" * 40}, "`head` is 'fff"),
        ({"base": "main", "head": "a..b"}, "`head` is 'a..b'"),
        ({"mode": "scan", "head": "nothing"}, "`head` is 'nothing'"),
        ({"pull_request": "99"}, "`pull-request` is 99"),
    ],
    ids=str,
)
def test_a_mistyped_input_is_named_and_is_the_mistake_of_whoever_typed_it(
    bench: Bench, given: dict[str, str], names: str
) -> None:
    bench.pull_request(CLEAN)
    assert dispatch(bench, **given) == 2
    assert bench.codes == ["bad_arguments"]
    assert names in detail(bench)
    assert "mistake of reviewbot" not in detail(bench)


def test_two_commits_without_a_common_ancestor_are_a_mistake_too(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    bench.sandbox.git("switch", "-q", "--orphan", "other")
    other = bench.sandbox.commit({"x.py": "1\n"})
    assert dispatch(bench, base="main", head=other) == 2
    assert "without a common ancestor" in detail(bench)


def test_a_fork_whose_token_may_write_was_to_have_a_key(bench: Bench) -> None:
    bench.pull_request(CLEAN, head_repository="mallory/app")
    assert bench.on_pull_request() == 2
    assert bench.codes == ["missing_credentials"]
    assert len(bench.fake.issue_comments(NAME, 1)) == 1


def test_a_fork_that_may_not_write_has_no_secrets_within_six_requests(bench: Bench) -> None:
    bench.pull_request(CLEAN, head_repository="mallory/app")
    assert bench.on_pull_request(github_token=bench.fake.token(permissions=READ_ONLY)) == 0
    assert bench.codes == ["no_secrets"]
    assert "missing_credentials" not in bench.out.getvalue() + bench.summary.read_text()
    assert len(bench.fake.api_requests) <= 6


def test_a_locked_conversation_excuses_no_missing_key(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    said = {"message": "Unable to create comment because issue is locked.", "documentation_url": "x"}
    bench.fake.fail_next("POST", "/comments", 403, said)
    assert bench.on_pull_request() == 2
    assert bench.codes == ["missing_credentials"]


def test_a_head_that_cannot_be_read_again_is_no_success(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pull_request(CLEAN)
    bench.fake.fail_next("GET", "/pulls/1", 500, times=9)
    assert bench.on_pull_request(engine="analyzers") == 1
    assert bench.codes[0] == "head_unknown"
    assert bench.written["verdict"] == "incomplete"
    assert bench.fake.issue_comments(NAME, 1) == []
    assert "::notice" in bench.out.getvalue()
    assert (bench.workspace / bench.written["sarif"]).is_file()


def test_a_manual_run_whose_head_cannot_be_read_again_leaves_no_green_check(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    bench.fake.fail_next("GET", "/pulls/1", 500, times=9)
    assert dispatch(bench, pull_request="1") == 1
    assert [run.conclusion for run in bench.fake.check_runs(NAME)] == ["action_required"]


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../x.xml", "a/../../x.xml", "a/**/../x"])
@pytest.mark.parametrize("name", ["junit", "sarif"])
def test_evidence_is_read_in_the_workspace_only(bench: Bench, name: str, pattern: str) -> None:
    bench.pull_request(CLEAN)
    (bench.folder / "x.xml").write_text(JUNIT)
    assert bench.on_pull_request(engine="analyzers", **{name: pattern}) == 2
    assert bench.codes == ["bad_arguments"]
    assert f"`{name}`" in detail(bench)


def test_links_out_of_the_workspace_are_refused_and_those_within_are_not(tmp_path: Path) -> None:
    workspace = tmp_path / "work[1]space"
    (workspace / "deep").mkdir(parents=True)
    (workspace / "in.xml").write_text(JUNIT)
    (workspace / "deep" / "link.xml").symlink_to(workspace / "in.xml")
    assert below(str(workspace), ["deep/*.xml", "none.xml"], "junit")
    (tmp_path / "out.xml").write_text(JUNIT)
    (workspace / "deep" / "out.xml").symlink_to(tmp_path / "out.xml")
    (workspace / "folder").symlink_to(tmp_path)
    for pattern in ("deep/*.xml", "deep/out.xml", "folder/out.xml", "folder/*", "**/out.xml"):
        with pytest.raises(InputError, match="a link out of the workspace") as refused:
            below(str(workspace), [pattern], "junit")
        assert str(tmp_path) not in refused.value.sentences


@pytest.mark.parametrize("content", [None, "", "no xml", "<a"])
def test_no_comment_shows_the_folders_of_the_runner(bench: Bench, content: str | None) -> None:
    bench.pull_request(CLEAN)
    if content is not None:
        (bench.workspace / "bad.xml").write_text(content)
    assert bench.on_pull_request(engine="analyzers", junit="bad.xml") == 2
    assert bench.codes == ["bad_evidence"]
    assert "bad.xml" in detail(bench)
    [comment] = bench.fake.issue_comments(NAME, 1)
    assert str(bench.workspace) not in comment.body + bench.summary.read_text() + json.dumps(bench.report)


def test_no_model_is_asked_about_a_head_that_moved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from reviewbot.change.fetch import fetch_store as fetch

    bench.pull_request(CLEAN)

    def slow(*arguments: Any, **named: Any) -> Any:
        bench.fake.move_head(NAME, 1, bench.base)
        return fetch(*arguments, **named)

    monkeypatch.setattr("reviewbot.action.evidence.fetch_store", slow)
    with ScriptedModel("skipper") as model:
        given = {"anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert bench.on_pull_request(**given) == 1
        assert bench.codes == ["head_moved"]
        assert model.requests == []


def test_the_sdk_loads_and_the_runs_secrets_are_known_only_where_models_are_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reviewbot.pipeline import review_repository

    bench.pull_request(CLEAN)
    seen: list[Any] = []
    monkeypatch.setattr("reviewbot.agents.api.claude.preload", lambda: seen.append("preload"))

    def look(*arguments: Any) -> Any:
        seen.append(arguments[2].secrets)
        return review_repository(*arguments)

    monkeypatch.setattr("reviewbot.action.run.review_repository", look)
    token, key = bench.fake.token(), "0123456789abcdef"
    with ScriptedModel("skipper") as model:
        given = {"github_token": token, "anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert bench.on_pull_request(engine="analyzers", github_token=token) == 0
        assert bench.on_pull_request(state_key=key, **given) == 0
    assert seen == [(token,), "preload", ("sk-test", token, key)]


CANCELLED = """
import os, sys, time
from reviewbot import cli
from reviewbot.action import entrypoint, run
entrypoint.owner_to_become = lambda workspace: None
def slow(*arguments, **named):
    print("started", file=sys.stderr, flush=True)
    time.sleep(60)
run.%s = slow
sys.argv = ["reviewbot", "action"]
cli.run()
"""


@pytest.mark.parametrize(
    ("where", "has_files"), [("fetch_commits", False), ("publish_to_pull_request", True)]
)
def test_a_job_that_is_cancelled_leaves_reports_outputs_and_a_summary(
    bench: Bench, where: str, has_files: bool
) -> None:
    bench.pull_request(FAULT)
    payload = pull_request_event(bench.fake, NAME, 1)
    process = subprocess.Popen(
        [sys.executable, "-c", CANCELLED % where],
        env=bench.environment("pull_request", payload, engine="analyzers") | {"PYTHONPATH": os.getcwd()},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert any("started" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert bench.codes[0] == "no_review"
    assert "interrupted" in detail(bench)
    assert bool(bench.report["findings"]) is has_files
    assert "interrupted" in bench.summary.read_text()
    assert "interrupted" in out
    assert {path.name for path in (bench.workspace / "reviewbot-report").iterdir()} >= {
        "report.json",
        "report.sarif",
        "journal.jsonl",
    }
    assert bench.fake.issue_comments(NAME, 1) == []
