"""Events of the action beyond pull_request: what they review, against what, and what gates."""

from typing import Any

import pytest

from tests.action.test_action import CLEAN, FAULT, NAME, READ_ONLY, Bench
from tests.github.events import merge_group_event, pull_request_event, push_event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CHECKS = {"contents": "read", "checks": "write"}
WEAK = {".github/reviewbot.yml": "fail-on: critical\n"}


def push(bench: Bench, branch: str, before: str | None, after: str | None, **inputs: Any) -> int:
    """Let the branch stand at ``after`` and run on the push that moved it there."""
    if after is not None:
        bench.fake.set_branch(NAME, branch, after)
    inputs = {"engine": "analyzers", "github_token": bench.fake.token(permissions=CHECKS), **inputs}
    return bench.run("push", push_event(bench.fake, NAME, branch, before, after), **inputs)


def serve(bench: Bench) -> None:
    bench.fake.add_repository(NAME, bench.sandbox.folder)


def checks(bench: Bench) -> list[tuple[str, str | None, str]]:
    return [(check.name, check.conclusion, check.head_sha) for check in bench.fake.check_runs(NAME)]


def reviewed(bench: Bench) -> list[str]:
    return [file["path"] for file in bench.report["coverage"]["files"]]


def test_a_forks_pull_request_gets_comments_where_the_workflow_is_that_of_the_base(bench: Bench) -> None:
    bench.pull_request(FAULT, head_repository="mallory/app")
    payload = pull_request_event(bench.fake, NAME, 1)
    assert bench.run("pull_request_target", payload, engine="analyzers") == 1
    [comment] = bench.fake.review_comments(NAME, 1)
    assert (comment.path, comment.line) == ("app.py", 5)
    assert "exit code of this job is the gate" in bench.summary.read_text()
    assert bench.report["trigger"]["is_fork"] is True
    assert list(bench.workspace.iterdir()) == [bench.workspace / "reviewbot-report"]
    assert len(bench.fake.api_requests) <= 6


def test_a_merge_group_is_reviewed_without_comments_and_its_job_gates(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    payload = merge_group_event(bench.fake, NAME, bench.base, head)
    token = bench.fake.token(permissions=READ_ONLY)
    assert bench.run("merge_group", payload, engine="analyzers", github_token=token) == 1
    assert bench.report["trigger"]["kind"] == "merge_group"
    assert (bench.report["trigger"]["base_sha"], bench.report["trigger"]["head_sha"]) == (bench.base, head)
    assert bench.fake.issue_comments(NAME, 1) == []
    assert "::error file=app.py,line=5," in bench.out.getvalue()
    assert "exit code of this job is the gate" in bench.summary.read_text()
    assert checks(bench) == []


def test_a_group_behind_another_is_judged_for_its_own_commits_by_the_policy_of_the_branch(
    bench: Bench,
) -> None:
    ahead = bench.sandbox.commit({"first.py": FAULT, **WEAK})
    head = bench.sandbox.commit({"second.py": FAULT})
    serve(bench)
    payload = merge_group_event(bench.fake, NAME, ahead, head)
    assert bench.run("merge_group", payload, engine="analyzers") == 1
    assert reviewed(bench) == ["second.py"]
    assert bench.report["trigger"]["policy_sha"] == bench.base


def test_what_was_dismissed_on_the_pull_request_does_not_stop_the_queue(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    bench.fake.state.repository(NAME).collaborators = {"mona": "write"}
    payload = merge_group_event(bench.fake, NAME, bench.base, head)
    assert bench.run("merge_group", payload, engine="analyzers") == 1
    [name] = bench.report["verdict"]["blocking"]
    bench.fake.add_issue_comment(NAME, 1, "stranger", f"/reviewbot dismiss {name} please")
    assert bench.run("merge_group", payload, engine="analyzers") == 1
    bench.fake.add_issue_comment(NAME, 1, "mona", f"/reviewbot dismiss {name} a known one")
    assert bench.run("merge_group", payload, engine="analyzers") == 0
    assert len(bench.fake.issue_comments(NAME, 1)) == 2
    bench.fake.fail_next("POST", "/graphql", 404, times=9)
    assert bench.run("merge_group", payload, engine="analyzers") == 1


def test_a_merge_group_that_cannot_be_read_blocks(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.fail_next("GET", "/compare/", 404, times=5)
    assert bench.run("merge_group", merge_group_event(bench.fake, NAME, bench.base, head)) == 3
    assert bench.codes == ["no_review"]


def test_a_push_is_reviewed_from_where_the_branch_was_and_gates_by_a_check_of_its_own(bench: Bench) -> None:
    old = bench.sandbox.commit({"old.py": FAULT})
    head = bench.sandbox.commit({"new.py": FAULT})
    serve(bench)
    assert push(bench, "feature", old, head) == 1
    assert reviewed(bench) == ["new.py"]
    assert checks(bench) == [("reviewbot push", "failure", head)]
    assert "The gate is the check run `reviewbot push`" in bench.summary.read_text()
    assert bench.report["trigger"]["kind"] == "push"


def test_the_first_push_of_a_branch_is_reviewed_against_the_default_branch(bench: Bench) -> None:
    bench.sandbox.commit({"one.py": FAULT})
    head = bench.sandbox.commit({"two.py": CLEAN})
    serve(bench)
    assert push(bench, "feature", None, head) == 1
    assert reviewed(bench) == ["one.py", "two.py"]


def test_the_first_push_of_all_is_read_whole(bench: Bench) -> None:
    serve(bench)
    assert push(bench, "main", None, bench.base) == 0
    assert reviewed(bench) == ["README.md", "app.py"]


def test_a_push_is_judged_by_no_policy_that_it_brings_itself(bench: Bench) -> None:
    serve(bench)
    bench.sandbox.git("switch", "-q", "main")
    head = bench.sandbox.commit({"app.py": FAULT, **WEAK})
    assert push(bench, "main", bench.base, head) == 1
    assert bench.report["trigger"]["policy_sha"] == bench.base


def test_a_branch_of_ones_own_cannot_bring_a_policy_in_two_pushes(bench: Bench) -> None:
    weak = bench.sandbox.commit(WEAK)
    head = bench.sandbox.commit({"app.py": FAULT})
    serve(bench)
    assert push(bench, "feature", weak, head) == 1


def test_a_forced_push_is_reviewed_from_where_the_two_part(bench: Bench) -> None:
    before = bench.sandbox.commit({"one.py": CLEAN})
    bench.sandbox.git("reset", "-q", "--hard", bench.base)
    head = bench.sandbox.commit({"two.py": FAULT})
    serve(bench)
    assert push(bench, "feature", before, head) == 1
    assert reviewed(bench) == ["two.py"]


def test_a_push_over_commits_that_are_gone_is_compared_with_the_default_branch(bench: Bench) -> None:
    head = bench.sandbox.commit({"two.py": FAULT})
    serve(bench)
    assert push(bench, "feature", "d" * 40, head) == 1
    assert reviewed(bench) == ["two.py"]


def test_a_push_back_to_an_older_commit_is_no_success(bench: Bench) -> None:
    older = bench.sandbox.commit({"one.py": FAULT})
    newer = bench.sandbox.commit({"one.py": CLEAN})
    serve(bench)
    assert push(bench, "feature", newer, older) == 2
    assert checks(bench) == [("reviewbot push", "action_required", older)]


def test_a_deleted_branch_and_a_tag_are_nothing_to_review(bench: Bench) -> None:
    serve(bench)
    assert push(bench, "feature", bench.base, None) == 3
    assert checks(bench) == []


@pytest.mark.parametrize("given", [{"base": "main"}, {"pull_request": "1"}, {"mode": "scan"}], ids=str)
def test_a_push_says_itself_what_is_reviewed(bench: Bench, given: dict[str, str]) -> None:
    head = bench.sandbox.commit({"app.py": FAULT})
    serve(bench)
    assert push(bench, "feature", bench.base, head, **given) == 2
    assert bench.codes == ["bad_arguments"]


def test_what_a_manual_run_judges_in_part_never_passes_for_the_whole_pull_request(bench: Bench) -> None:
    from tests.github.events import workflow_dispatch_event

    bench.pull_request(FAULT)
    head = bench.sandbox.git("rev-parse", "feature")
    payload = workflow_dispatch_event(bench.fake, NAME)
    given = {"engine": "analyzers", "github_token": bench.fake.token(permissions=CHECKS)}
    bench.run("workflow_dispatch", payload, base="main", head=head, **given)
    bench.run("workflow_dispatch", payload, mode="scan", head=head, **given)
    assert {name for name, _, _ in checks(bench)} == {"reviewbot range", "reviewbot scan"}
