"""The real client against a GitHub that judges every place: what is planned inline is taken."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, Finding, Location, Review, Side
from reviewbot.github_api import GitHub
from reviewbot.publish.github import Posted, publish_check_run, publish_to_pull_request
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
    return publish_to_pull_request(made, github, before, limit=limit, key=b"k", gate="It gates.")


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


def test_a_pending_review_of_our_own_identity_leaves_all_in_the_summary(
    fake: FakeGitHub, sandbox: Sandbox
) -> None:
    changes = change_of_every_kind(sandbox)
    serve(fake, sandbox, changes)
    fake.add_pending_review(NAME, 1)
    posted = post(fake, review_of(changes, finding(1, location=Location("a.py", 1, 1))), fake.token())
    assert (posted.inline, posted.left_over, posted.denied) == (0, 1, False)
    assert len(posted.problems) == 1
    (comment,) = fake.issue_comments(NAME, 1)
    assert "No finding has a comment at its line: 1 stands only here." in comment.body
    assert [each.status for each in fake.api_requests] == [200, 200, 201, 422, 200]


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
