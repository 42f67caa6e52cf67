"""The fake over a real socket, with real PyGithub and with plain HTTP: its contract, its faults, its pages."""

import http.client
import json
import ssl

import pytest

from tests.contract.slice import OPERATIONS
from tests.github import views
from tests.github.fake import GITHUB_TOKEN_DEFAULT, FakeGitHub
from tests.github.rest import ROUTES
from tests.github.world import REPO, World


def test_pygithub_reviews_a_pull_request_and_nothing_is_refused(world: World) -> None:
    repository = world.client().get_repo("octo/app")
    pull = repository.get_pull(1)
    assert (pull.head.sha, pull.base.sha, pull.changed_files) == (world.head, world.base, 4)
    comparison = repository.compare(world.base, world.head)
    assert comparison.merge_base_commit.sha == world.sandbox.git("merge-base", world.base, world.head)
    assert (comparison.status, comparison.ahead_by, comparison.behind_by) == ("diverged", 1, 1)
    files = {each.filename: each for each in pull.get_files()}
    assert {name: each.status for name, each in files.items()} == {
        "a.py": "modified", "gone.py": "removed", "new.py": "added", "renamed.py": "renamed",
    }  # fmt: skip
    assert files["renamed.py"].previous_filename == "old.py"
    at = repository.get_commit(world.head)
    review = pull.create_review(
        at, "see", "COMMENT", [{"path": "a.py", "line": 10, "side": "RIGHT", "body": "b"}]
    )
    summary = pull.create_issue_comment("first")
    summary.edit("second")
    assert review.html_url.startswith(f"{world.fake.server_url}/octo/app/pull/1#pullrequestreview-")
    assert [each.body for each in pull.get_review_comments()] == ["b"]
    assert [each.state for each in pull.get_reviews()] == ["COMMENTED"]
    assert [each.body for each in world.fake.issue_comments("octo/app", 1)] == ["second"]
    assert world.fake.refused == []
    assert {each.status for each in world.fake.requests} == {200, 201}


def test_a_stranger_a_lost_token_and_an_unknown_place_are_told_apart(world: World) -> None:
    assert world.send("GET", REPO, token="ghs_nobody")[0] == 401
    assert world.send("GET", REPO, Authorization="")[0] == 401
    assert world.send("GET", "/api/repos/octo/other")[0] == 404
    assert world.send("GET", f"{REPO}/pulls/99")[0] == 404
    assert world.send("GET", f"{REPO}/compare/main...nothing")[0] == 404
    assert world.send("GET", f"{REPO}/commits/nothing")[0] == 422
    assert world.send("GET", REPO, **{"User-Agent": ""})[0] == 403
    assert world.fake.refused == []


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", f"{REPO}/pulls/1/reviews", {"event": "LGTM"}, "'LGTM' is not one of"),
        ("POST", f"{REPO}/pulls/1/reviews", {"evnt": "COMMENT"}, "unknown property evnt"),
        ("POST", f"{REPO}/pulls/1/reviews", {"comments": [{"body": "b"}]}, "'path' is a required property"),
        (
            "POST", f"{REPO}/pulls/1/reviews", {"comments": [{"path": "a", "body": "b", "commit": "c"}]},
            "unknown property comments[].commit",
        ),
        ("POST", f"{REPO}/check-runs", {"name": "n"}, "'head_sha' is a required property"),
        ("POST", f"{REPO}/issues/1/comments", b"{", "no JSON"),
        ("POST", f"{REPO}/issues/1/comments", None, "required"),
        ("GET", f"{REPO}/pulls/one", None, "one"),
        ("GET", f"{REPO}/pulls/1/files?perpage=3", None, "unknown query parameter 'perpage'"),
        ("GET", f"{REPO}/pulls/1/files?per_page=many", None, "many"),
        ("GET", f"{REPO}/contents/a.py", None, "no endpoint"),
        ("DELETE", f"{REPO}/issues/comments/1", None, "no endpoint"),
    ],
)  # fmt: skip
def test_what_the_description_does_not_allow_is_refused_and_noted(
    world: World, method: str, path: str, body: object, said: str
) -> None:
    assert world.send(method, path, body)[0] in (404, 422)
    assert said in "\n".join(world.fake.refused)


def test_an_answer_of_its_own_that_breaks_the_description_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "repository", lambda *_: {"id": "seven"})
    world.send("GET", REPO)
    assert "own answer" in world.fake.refused[0]


def test_lists_come_in_pages_that_pygithub_follows(world: World) -> None:
    for number in range(35):
        world.fake.add_issue_comment("octo/app", 1, "dora", f"comment {number}")
    _, headers, answer = world.send("GET", f"{REPO}/issues/1/comments?page=2")
    assert (len(answer), answer[0]["body"]) == (5, "comment 30")
    assert 'page=1>; rel="prev"' in headers["link"]
    assert 'rel="next"' not in headers["link"]
    assert len(world.send("GET", f"{REPO}/issues/1/comments?per_page=500")[2]) == 35
    found = world.client().get_repo("octo/app").get_pull(1).get_issue_comments()
    assert [each.body for each in found] == [f"comment {number}" for number in range(35)]
    assert world.fake.refused == []


def test_an_arranged_fault_meets_the_next_matching_request_only(world: World) -> None:
    world.fake.fail_next("GET", "/pulls/1$", 502, "<html>bad gateway</html>", {"X-Test": "yes"})
    assert world.send("GET", REPO)[0] == 200
    status, headers, text = world.send("GET", f"{REPO}/pulls/1")
    assert (status, headers["x-test"], text) == (502, "yes", "<html>bad gateway</html>")
    assert world.send("GET", f"{REPO}/pulls/1")[0] == 200
    assert [each.status for each in world.fake.requests] == [200, 502, 200]


def test_a_dropped_connection_is_no_answer(world: World) -> None:
    world.fake.fail_next("GET", REPO, 0)
    with pytest.raises((http.client.HTTPException, OSError)):
        world.send("GET", REPO)
    assert world.fake.requests[0].status == 0
    assert world.send("GET", REPO)[0] == 200


def test_pygithub_recognises_both_rate_limits(world: World) -> None:
    import github

    repository = world.client().get_repo("octo/app")
    world.fake.limit_secondary_next("GET", "/pulls/1", retry_after=7)
    with pytest.raises(github.RateLimitExceededException) as secondary:
        repository.get_pull(1)
    assert (secondary.value.headers or {})["retry-after"] == "7"
    world.fake.exhaust_rate_limit(reset=1_900_000_000)
    with pytest.raises(github.RateLimitExceededException) as primary:
        repository.get_pull(1)
    assert (primary.value.headers or {})["x-ratelimit-reset"] == "1900000000"


def test_only_who_trusts_its_authority_can_talk_to_it(world: World) -> None:
    host, port = world.fake.server_url.removeprefix("https://").split(":")
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection(host, int(port), timeout=10).request("GET", REPO)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", REPO)
        connection.getresponse()
    assert world.fake.requests == []


def test_a_body_in_chunks_is_read_whole(world: World) -> None:
    host, port = world.fake.server_url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(world.fake.ca_file))
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
    parts = iter([b'{"query": "{ vie', b'wer { login } }"}'])
    headers = {"User-Agent": "test", "Authorization": f"bearer {world.fake.token()}"}
    connection.request("POST", "/graphql", parts, headers, encode_chunked=False)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer == {"data": {"viewer": {"login": "github-actions[bot]"}}}


def test_what_was_asked_can_be_looked_at(world: World) -> None:
    token = world.fake.token(permissions=GITHUB_TOKEN_DEFAULT)
    world.send("POST", f"{REPO}/issues/1/comments", {"body": "hello"}, token=token)
    (asked,) = world.fake.api_requests
    assert (asked.method, asked.path, asked.status) == ("POST", f"{REPO}/issues/1/comments", 201)
    assert asked.json == {"body": "hello"}
    assert asked.headers["authorization"] == f"Bearer {token}"


def test_every_operation_of_the_slice_has_a_route_and_the_other_way_round() -> None:
    described = {(method.upper(), path) for path, methods in OPERATIONS.items() for method in methods}
    assert {(route.method, route.template) for route in ROUTES} == described


def test_without_the_npm_packages_a_test_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.github.fake.missing_packages", lambda: "not installed: openapi")
    with pytest.raises(pytest.skip.Exception, match="not installed: openapi"):
        FakeGitHub()
