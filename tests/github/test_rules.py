"""GitHub's unwritten rules, asked over the socket: where a comment may stand, who may do what, what is too large."""

import pytest

from tests.github.world import REPO, World, comment


@pytest.mark.parametrize(
    "said",
    [
        comment(),
        comment(line=7),
        comment(line=13),
        comment(line=10, side="LEFT"),
        comment(path="gone.py", line=2, side="LEFT"),
        comment(path="new.py", line=2),
        comment(start_line=8, start_side="RIGHT"),
        comment(start_line=10, start_side="LEFT"),
        {"path": "a.py", "position": 5, "body": "text"},
    ],
    ids=str,
)
def test_a_line_of_the_diff_or_its_context_takes_a_comment(world: World, said: dict[str, object]) -> None:
    assert world.review(said)[0] == 200
    (kept,) = world.fake.review_comments("octo/app", 1)
    assert kept.diff_hunk.startswith("@@ ")
    assert world.fake.refused == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (comment(line=6), "Line could not be resolved"),
        (comment(line=14), "Line could not be resolved"),
        (comment(path="gone.py", line=1), "Line could not be resolved"),
        (comment(path="new.py", line=3), "Line could not be resolved"),
        (comment(path="renamed.py", line=1), "Line could not be resolved"),
        ({"path": "a.py", "body": "text"}, "Line could not be resolved"),
        (comment(path="elsewhere.py", line=1), "Path could not be resolved"),
        (comment(path="old.py", line=1, side="LEFT"), "Path could not be resolved"),
        (comment(line=50, start_line=10), "must be part of the same hunk"),
        (comment(start_line=3), "must be part of the same hunk"),
        (comment(start_line=10), "must precede the end line"),
        (comment(start_line=11), "must precede the end line"),
    ],
    ids=str,
)
def test_any_other_line_refuses_the_whole_review(world: World, said: dict[str, object], message: str) -> None:
    status, answer = world.review(comment(), said)
    assert status == 422
    assert message in answer["errors"][0]
    assert world.fake.reviews("octo/app", 1) == []
    assert world.fake.review_comments("octo/app", 1) == []
    assert world.fake.refused == []


def test_a_single_comment_obeys_the_same_rule_with_errors_of_another_form(world: World) -> None:
    path = f"{REPO}/pulls/1/comments"
    assert world.send("POST", path, {**comment(), "commit_id": world.head})[0] == 201
    status, _, answer = world.send("POST", path, {**comment(line=30), "commit_id": world.head})
    assert (status, answer["errors"][0]["resource"]) == (422, "PullRequestReviewComment")
    assert [each.line for each in world.fake.review_comments("octo/app", 1)] == [10]
    assert world.fake.refused == []


def test_a_review_may_name_a_commit_of_the_pull_request_only(world: World) -> None:
    assert world.review(commit_id=world.base)[0] == 422
    assert world.review(commit_id=world.head)[0] == 200


def test_one_user_has_one_pending_review(world: World) -> None:
    world.fake.add_pending_review("octo/app", 1)
    status, answer = world.review()
    assert (status, answer["errors"]) == (422, ["User can only have one pending review per pull request"])
    other = world.fake.token(identity="mia")
    body = {"event": "COMMENT", "body": "mine"}
    assert world.send("POST", f"{REPO}/pulls/1/reviews", body, token=other)[0] == 200
    assert len(world.send("GET", f"{REPO}/pulls/1/reviews", token=other)[2]) == 1
    assert len(world.send("GET", f"{REPO}/pulls/1/reviews")[2]) == 2


def test_a_review_without_an_event_is_pending_and_blocks_the_next(world: World) -> None:
    assert world.send("POST", f"{REPO}/pulls/1/reviews", {"body": "draft", "comments": [comment()]})[0] == 200
    assert world.fake.reviews("octo/app", 1)[0].state == "PENDING"
    assert world.send("GET", f"{REPO}/pulls/1/comments")[2] == []
    assert world.review()[0] == 422


def test_nobody_approves_an_own_change(world: World) -> None:
    author = world.fake.token(identity="octocat")
    body = {"event": "APPROVE", "body": "fine"}
    assert world.send("POST", f"{REPO}/pulls/1/reviews", body, token=author)[0] == 422


@pytest.mark.parametrize("body", ["x" * 65_537, " ", ""])
def test_a_body_is_neither_empty_nor_over_its_limit(world: World, body: str) -> None:
    assert world.send("POST", f"{REPO}/issues/1/comments", {"body": body})[0] == 422
    assert world.review(comment(body=body))[0] == 422
    assert world.review(body=body)[0] == 422
    assert world.send("POST", f"{REPO}/issues/1/comments", {"body": "x" * 65_536})[0] == 201
    assert world.fake.refused == []


@pytest.mark.parametrize(
    ("method", "path", "body", "right"),
    [
        ("GET", f"{REPO}/pulls/1", None, "pull-requests"),
        ("GET", f"{REPO}/pulls/1/files", None, "pull-requests"),
        ("POST", f"{REPO}/pulls/1/reviews", {"event": "COMMENT", "body": "b"}, "pull-requests"),
        ("POST", f"{REPO}/issues/1/comments", {"body": "b"}, "pull-requests"),
        ("POST", f"{REPO}/issues/1/comments", {"body": "b"}, "issues"),
        ("GET", f"{REPO}/compare/main...feature", None, "contents"),
        ("GET", f"{REPO}/commits/main", None, "contents"),
        ("POST", f"{REPO}/check-runs", {"name": "n", "head_sha": "HEAD"}, "checks"),
    ],
)
def test_each_request_needs_its_permission(
    world: World, method: str, path: str, body: dict[str, str] | None, right: str
) -> None:
    if body and "head_sha" in body:
        body = {**body, "head_sha": world.head}
    level = "write" if method == "POST" else "read"
    status, headers, answer = world.send(method, path, body, token=world.fake.token(permissions={}))
    assert (status, answer["message"]) == (403, "Resource not accessible by integration")
    assert f"{right.replace('-', '_')}={level}" in headers["x-accepted-github-permissions"]
    if level == "write":
        assert world.send(method, path, body, token=world.fake.token(permissions={right: "read"}))[0] == 403
    assert world.send(method, path, body, token=world.fake.token(permissions={right: level}))[0] in (200, 201)
    assert world.fake.refused == []


def test_the_default_token_has_no_user(world: World) -> None:
    assert world.send("GET", "/api/user")[0] == 403
    status, _, answer = world.send("GET", "/api/user", token=world.fake.token(identity="mia"))
    assert (status, answer["login"]) == (200, "mia")
    assert world.fake.refused == []


def test_more_than_fifty_annotations_at_a_time_are_refused(world: World) -> None:
    token = world.fake.token(permissions={"checks": "write"})
    note = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    for count, status in ((50, 201), (51, 422)):
        output = {"title": "t", "summary": "s", "annotations": [note] * count}
        body = {"name": "n", "head_sha": world.head, "conclusion": "neutral", "output": output}
        assert world.send("POST", f"{REPO}/check-runs", body, token=token)[0] == status
    (run,) = world.fake.check_runs("octo/app")
    assert (run.name, run.conclusion, run.output["title"], run.head_sha) == ("n", "neutral", "t", world.head)
    assert "too long" in "\n".join(world.fake.refused)


def test_check_runs_are_changed_by_their_own_app_only_and_end_with_a_conclusion(world: World) -> None:
    mine = world.fake.token(permissions={"checks": "write"})
    other = world.fake.token(permissions={"checks": "write"}, identity="other[bot]")
    run = {"name": "n", "head_sha": world.head}
    number = world.send("POST", f"{REPO}/check-runs", run, token=mine)[2]["id"]
    path = f"{REPO}/check-runs/{number}"
    assert world.send("PATCH", path, {"conclusion": "success"}, token=other)[0] == 403
    done = {**run, "status": "completed"}
    assert world.send("POST", f"{REPO}/check-runs", done, token=mine)[0] == 422
    assert world.send("PATCH", path, {"conclusion": "success"}, token=mine)[2]["status"] == "completed"
    unknown = {"name": "n", "head_sha": "0" * 40}
    assert world.send("POST", f"{REPO}/check-runs", unknown, token=mine)[0] == 422
    assert world.fake.check_runs("octo/app")[0].conclusion == "success"
    assert world.fake.refused == []


def test_a_permission_is_one_of_four_levels_beside_the_role(world: World) -> None:
    found = world.client().get_repo("octo/app")
    assert found.get_collaborator_permission("mia") == "write"
    assert found.get_collaborator_role_name("mia") == "maintain"
    assert found.get_collaborator_permission("eve") == "none"
    assert world.fake.refused == []


def test_a_large_diff_is_listed_but_not_shown(world: World) -> None:
    world.sandbox.git("checkout", "-q", "feature")
    many = world.sandbox.commit({f"many/{number}.py": f"{number}\n" for number in range(300)})
    long = world.sandbox.commit({"long.py": "x\n" * 20_001})
    world.fake.add_pull_request("octo/app", 2, base_ref="main", head_sha=many)
    world.fake.add_pull_request(
        "octo/app", 3, base_ref=world.sandbox.git("rev-parse", f"{long}^"), head_sha=long
    )
    accept = {"Accept": "application/vnd.github.diff"}
    for number, unit in ((2, "files"), (3, "lines")):
        status, _, answer = world.send("GET", f"{REPO}/pulls/{number}", **accept)
        assert (status, answer["errors"][0]["code"]) == (406, "too_large")
        assert unit in answer["message"]
    assert world.send("GET", f"{REPO}/pulls/1", **accept)[2].startswith("diff --git a/a.py b/a.py\n@@ ")
    assert len(list(world.client().get_repo("octo/app").get_pull(2).get_files())) == 304
    assert len(world.send("GET", f"{REPO}/compare/main...{many}")[2]["files"]) == 300
    (entry,) = world.send("GET", f"{REPO}/pulls/3/files")[2]
    assert "patch" not in entry
    body = {"event": "COMMENT", "body": "b", "comments": [comment(path="long.py", line=1)]}
    assert world.send("POST", f"{REPO}/pulls/3/reviews", body)[0] == 422
    assert world.fake.refused == []
