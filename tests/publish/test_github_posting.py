"""The real client against a GitHub that judges every place: what is planned inline is taken."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, Finding, Location, Review, Side
from reviewbot.github.api import GitHub, GitHubLost
from reviewbot.publish.checks import publish_check_run
from reviewbot.publish.github import Posted, publish_to_pull_request
from reviewbot.publish.markers import Scope, finding_marker
from tests.github.fake import FakeGitHub
from tests.publish import finding, review
from tests.publish.test_inline import numbered
from tests.repositories import Sandbox

NAME = "acme/shop"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    with FakeGitHub() as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))
        yield running


def change_of_every_kind(sandbox: Sandbox) -> ChangeSet:
    """Edits at the ends and in the middle, a rename, a new, a deleted, a binary and an oddly named file."""
    long = numbered(range(1, 81))
    base = sandbox.commit(
        {"a.py": long, "old name.py": long, "gone.py": "1\n2\n", "b.bin": b"\0one", "no-end.py": "x\ny"}
    )
    sandbox.git("mv", "old name.py", "new näme, #1.py")
    sandbox.remove("gone.py")
    head = sandbox.commit(
        {
            "a.py": "first\n" + long.replace("line 40\n", "").replace("line 70\n", "70\nmore\n") + "last\n",
            "new näme, #1.py": long.replace("line 5\nline 6\n", "5\n").replace("line 80\n", "80\n"),
            "new.py": "\n".join("abcdef"),
            "b.bin": b"\0two",
            "no-end.py": "x\ny\nz\n",
        }
    )
    with Repository(sandbox.folder) as repository:
        return load_change_set(repository, base, head)


def everywhere(changes: ChangeSet) -> Iterator[Finding]:
    """A finding at every third line of both sides of every file, some of them of several lines."""
    places = (
        Location(change.path, line, line + size, side)
        for change in changes.files
        for side in Side
        for line in range(1, 85, 3)
        for size in (0, 5)
    )
    for number, place in enumerate(places, 1):
        yield finding(number, location=place)


def review_of(changes: ChangeSet, *findings: Finding) -> Review:
    made = review(*findings, blocking=len(findings))
    trigger = replace(made.trigger, repository=NAME, head_sha=changes.head_sha, pull_number=1)
    return replace(made, trigger=trigger, changes=changes)


def serve(fake: FakeGitHub, sandbox: Sandbox, changes: ChangeSet) -> None:
    fake.add_repository(NAME, sandbox.folder)
    fake.set_branch(NAME, "main", changes.base_sha)
    fake.add_pull_request(NAME, 1, base_ref="main", head_sha=changes.head_sha)


def post(fake: FakeGitHub, made: Review, token: str, limit: int = 1_000) -> Posted:
    github = GitHub(token, api_url=fake.api_url, graphql_url=fake.graphql_url)
    before = github.read_conversation(NAME, 1)
    return publish_to_pull_request(made, github, before, limit=limit, key=b"k", gate=lambda: "It gates.")


def test_every_planned_place_is_taken_and_a_second_run_posts_nothing(
    fake: FakeGitHub, sandbox: Sandbox
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    made = review_of(changes, *everywhere(changes))
    token = fake.token()
    posted = post(fake, made, token)
    assert posted.problems == ()
    assert posted.inline == len(fake.review_comments(NAME, 1)) > 40
    assert posted.inline + posted.left_over == len(made.findings)
    commented = {(comment.path, comment.side) for comment in fake.review_comments(NAME, 1)}
    assert {
        ("a.py", "LEFT"),
        ("gone.py", "LEFT"),
        ("new näme, #1.py", "LEFT"),
        ("new.py", "RIGHT"),
    } <= commented
    again = post(fake, made, token)
    assert again == replace(posted, inline=0)
    assert len(fake.reviews(NAME, 1)) == len(fake.issue_comments(NAME, 1)) == 1
    assert fake.refused == []
    assert all(each.status < 400 for each in fake.api_requests)
    assert len(fake.api_requests) == 4 + 2


def test_a_token_that_may_only_read_is_denied(fake: FakeGitHub, sandbox: Sandbox) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    token = fake.token(permissions={"contents": "read", "pull-requests": "read"})
    posted = post(fake, review_of(changes, finding(1, location=Location("a.py", 1, 1))), token)
    assert posted.denied
    assert (posted.inline, posted.left_over) == (0, 1)
    assert fake.refused == []


def begin(fake: FakeGitHub, token: str, *bodies: str) -> None:
    """Leave a pending review behind, as a run that was killed does."""
    github = GitHub(token, api_url=fake.api_url, graphql_url=fake.graphql_url)
    pull = github.read_conversation(NAME, 1)
    text = "mutation ($p: ID!) { r: addPullRequestReview(input: {pullRequestId: $p}) { pullRequestReview { id } } }"
    review = github.change(text, {"p": pull.node_id})[0]["r"]["pullRequestReview"]["id"]
    for body in bodies:
        text = (
            "mutation ($r: ID!, $b: String!) { t: addPullRequestReviewThread(input: {pullRequestReviewId: $r, "
            'path: "a.py", line: 1, body: $b}) { thread { id } } }'
        )
        assert github.change(text, {"r": review, "b": body})[0]["t"]["thread"]


@pytest.mark.parametrize("ours", [0, 1])
def test_a_pending_review_that_an_earlier_run_left_is_deleted_and_the_review_posted(
    fake: FakeGitHub, sandbox: Sandbox, ours: int
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    token, marker = fake.token(), finding_marker("a" * 16, Scope(NAME, 1), b"k")
    begin(fake, token, *[f"words\n\n{marker}"] * ours)
    before = len(fake.api_requests)
    posted = post(fake, review_of(changes, finding(1, location=Location("a.py", 1, 1))), token)
    assert (posted.inline, posted.left_over, posted.problems) == (1, 0, ())
    assert [(each.state, each.commit_id) for each in fake.reviews(NAME, 1)] == [
        ("COMMENTED", changes.head_sha)
    ]
    assert len(fake.review_comments(NAME, 1)) == 1
    assert [each.status for each in fake.api_requests[before:]] == [200, 200, 201, 422, 200, 200, 200]
    assert fake.refused == []


def test_a_pending_review_that_holds_what_others_wrote_is_left_alone(
    fake: FakeGitHub, sandbox: Sandbox
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    token = fake.token()
    begin(fake, token, "another workflow's words")
    posted = post(fake, review_of(changes, finding(1, location=Location("a.py", 1, 1))), token)
    assert (posted.inline, posted.left_over, posted.denied) == (0, 1, False)
    assert all("one pending review" in problem for problem in posted.problems)
    (comment,) = fake.issue_comments(NAME, 1)
    assert "No finding has a comment at its line: 1 stands only here." in comment.body
    assert [each.state for each in fake.reviews(NAME, 1)] == ["PENDING"]


def test_one_comment_that_github_does_not_take_loses_no_other(
    fake: FakeGitHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    places = [Location("a.py", 1, 1), Location("a.py", 25, 25), Location("new.py", 2, 3)]
    made = review_of(changes, *(finding(n, location=place) for n, place in enumerate(places, 1)))
    monkeypatch.setattr("reviewbot.publish.inline.commentable", lambda change, side: ((1, 80),))
    posted = post(fake, made, fake.token())
    assert (posted.inline, posted.left_over) == (2, 1)
    assert posted.problems == (
        "The comment at a.py:25 was not taken, and stands in the summary: GitHub did not say why",
    )
    commented = {(each.path, each.start_line, each.line) for each in fake.review_comments(NAME, 1)}
    assert commented == {("a.py", None, 1), ("new.py", 2, 3)}
    assert [each.state for each in fake.reviews(NAME, 1)] == ["COMMENTED"]
    (comment,) = fake.issue_comments(NAME, 1)
    assert "2 findings have a comment at the line; 1 stands only here." in comment.body
    assert len(fake.api_requests) == 4 + 3 + 1
    assert fake.refused == []


def test_where_no_comment_is_taken_no_empty_review_stays(
    fake: FakeGitHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    monkeypatch.setattr("reviewbot.publish.inline.commentable", lambda change, side: ((1, 80),))
    posted = post(fake, review_of(changes, finding(1, location=Location("a.py", 25, 25))), fake.token())
    assert (posted.inline, posted.left_over) == (0, 1)
    assert fake.reviews(NAME, 1) == []
    assert fake.refused == []


def test_a_head_that_moves_before_the_comments_are_taken_gets_none(
    fake: FakeGitHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    send = GitHub.create_review

    def late(self: GitHub, *arguments: Any, **named: Any) -> str:
        fake.move_head(NAME, 1, sandbox.commit({"a.py": "again\n"}))
        return send(self, *arguments, **named)

    monkeypatch.setattr(GitHub, "create_review", late)
    monkeypatch.setattr("reviewbot.publish.inline.commentable", lambda change, side: ((1, 80),))
    posted = post(fake, review_of(changes, finding(1, location=Location("a.py", 25, 25))), fake.token())
    assert posted.moved
    assert fake.reviews(NAME, 1) == []


def test_an_answer_that_was_lost_does_not_post_twice(
    fake: FakeGitHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    monkeypatch.setattr("reviewbot.publish.github.PAUSE_SECONDS", 0)
    made, token = review_of(changes, finding(1, location=Location("a.py", 1, 1))), fake.token()
    fake.fail_next("POST", "/reviews", 502)
    posted = post(fake, made, token)
    assert (posted.inline, posted.problems) == (1, ())
    assert len(fake.reviews(NAME, 1)) == 1

    send = GitHub.create_review

    def deaf(self: GitHub, *arguments: Any, **named: Any) -> str:
        send(self, *arguments, **named)
        raise GitHubLost("the connection was cut")

    monkeypatch.setattr(GitHub, "create_review", deaf)
    more = review_of(changes, *(finding(n, location=Location("a.py", n, n)) for n in (1, 2)))
    assert post(fake, more, token).problems == ()
    assert len(fake.reviews(NAME, 1)) == 2
    assert len(fake.review_comments(NAME, 1)) == 2


def test_a_head_that_moves_during_the_review_gets_nothing(fake: FakeGitHub, sandbox: Sandbox) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    fake.move_head(NAME, 1, sandbox.commit({"a.py": "again\n"}))
    assert post(fake, review_of(changes), fake.token()).moved
    assert fake.issue_comments(NAME, 1) == []


def test_a_check_run_needs_its_own_right(fake: FakeGitHub, sandbox: Sandbox) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    made = review_of(changes, finding(1))
    able = GitHub(
        fake.token(permissions={"checks": "write"}), api_url=fake.api_url, graphql_url=fake.graphql_url
    )
    unable = GitHub(fake.token(), api_url=fake.api_url, graphql_url=fake.graphql_url)
    assert publish_check_run(made, unable, NAME) is None
    assert publish_check_run(made, able, NAME)
    (run,) = fake.check_runs(NAME)
    assert (run.head_sha, run.conclusion) == (changes.head_sha, "failure")
    assert fake.refused == []


def test_annotations_of_every_page_arrive_and_the_text_names_every_file(
    fake: FakeGitHub, sandbox: Sandbox
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    made = review_of(changes, *everywhere(changes))
    token = fake.token(permissions={"checks": "write"})
    github = GitHub(token, api_url=fake.api_url, graphql_url=fake.graphql_url)
    assert publish_check_run(made, github, NAME)
    (run,) = fake.check_runs(NAME)
    sent: Any = run.output["annotations"]
    assert len(sent) == 200
    assert len({each["message"] for each in sent}) == 200
    assert len(fake.api_requests) == 4
    assert fake.refused == []
