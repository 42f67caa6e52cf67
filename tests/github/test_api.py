"""The real client over a real socket; tests/github is a GitHub that checks every request."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from reviewbot.errors import UsageError
from reviewbot.github import api, connection
from reviewbot.github.api import (
    GitHub,
    GitHubDenied,
    GitHubError,
    GitHubNotFound,
    GitHubRefused,
    RepositoryFacts,
)
from reviewbot.publish.threads import RESOLVED, Retirement, render_retirements
from tests.github.fake import DELETED, FakeGitHub
from tests.repositories import Sandbox

NAME = "octo/app"


class World:
    """A served repository with one pull request, whose base branch went on after it branched off."""

    def __init__(self, fake: FakeGitHub, sandbox: Sandbox) -> None:
        self.fake = fake
        self.fork_point = sandbox.commit({"a.py": "1\n"})
        sandbox.git("checkout", "-q", "-b", "feature/ü")
        self.head = sandbox.commit({"b.py": "x = 1\ny = 2\n"})
        sandbox.git("checkout", "-q", "main")
        self.tip = sandbox.commit({"c.py": "3\n"})
        fake.add_repository(NAME, sandbox.folder, size_kib=77)
        fake.add_pull_request(NAME, 1, base_ref="main", head_sha=self.head)
        self.token = fake.token(permissions={"contents": "read", "pull-requests": "write", "checks": "write"})
        self.github = self.connect(self.token)

    def connect(self, token: str) -> GitHub:
        return GitHub(token, api_url=self.fake.api_url, graphql_url=self.fake.graphql_url)


@pytest.fixture
def world(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with FakeGitHub() as fake:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(fake.ca_file))
        world = World(fake, sandbox)
        yield world
        assert fake.refused == []


def test_a_conversation_holds_what_we_said_and_nothing_that_others_said(world: World) -> None:
    github = world.github
    github.create_comment(NAME, 1, "summary")
    world.fake.add_issue_comment(NAME, 1, "mallory", "summary")
    inline = {"path": "b.py", "line": 2, "side": "RIGHT", "body": "hm"}
    github.create_review(NAME, 1, world.head, "see above", [inline])
    other = world.connect(world.fake.token(identity="mallory"))
    other.create_review(NAME, 1, world.head, "x", [inline])
    found = github.read_conversation(NAME, 1)
    assert [comment.body for comment in found.summary_candidates] == ["summary"]
    assert [comment.body for comment in found.inline] == ["hm"]
    assert found.summary_candidates[0].id == world.fake.issue_comments(NAME, 1)[0].id
    assert found.base_tip == world.tip


def test_a_conversation_holds_the_calls_of_people_as_they_were_written(world: World) -> None:
    fake = world.fake
    fake.add_issue_comment(NAME, 1, "mona", "/reviewbot help")
    fake.add_issue_comment(NAME, 1, "mona", "hello")
    fake.add_issue_comment(NAME, 1, "helper[bot]", "/reviewbot help")
    fake.edit_issue_comment(fake.add_issue_comment(NAME, 1, "mia", "x"), "/reviewbot review")
    fake.add_issue_comment(NAME, 1, "ada", "/reviewbot review").minimized = "spam"
    calls = world.github.read_conversation(NAME, 1).calls
    assert [(call.author, call.body) for call in calls] == [("mona", "/reviewbot help")]
    assert calls[0].id == fake.issue_comments(NAME, 1)[0].id


def test_a_call_on_a_later_page_is_read_once(world: World) -> None:
    for number in range(150):
        world.fake.add_issue_comment(NAME, 1, "mona", f"/reviewbot {number}")
    calls = world.github.read_conversation(NAME, 1).calls
    assert [call.body for call in calls] == [f"/reviewbot {number}" for number in range(150)]


OUTPUT = {"title": "t", "summary": "s", "text": "x", "annotations": []}


def retire(github: GitHub, asked: list[Retirement]) -> tuple[str, ...]:
    """Why a comment was not answered or hidden; a thread that could not be resolved is not told, as in a run."""
    refused = github.change(*render_retirements(asked))[1]
    return tuple(str(error) for name, error in refused if not name.startswith(RESOLVED))


def test_our_comments_at_lines_are_answered_and_hidden_in_one_request(world: World) -> None:
    github, fake = world.github, world.fake
    inline = [{"path": "b.py", "line": n, "side": "RIGHT", "body": f"hm {n}"} for n in (1, 2)]
    github.create_review(NAME, 1, world.head, "see above", inline)
    first, second = github.read_conversation(NAME, 1).inline
    assert first.thread is not None
    assert second.thread is not None
    assert (first.is_minimized, first.thread.left_open, first.thread.is_outdated) == (False, False, False)
    before = github.requests
    asked = [
        Retirement(first.node_id, first.thread.node_id, "Gone."),
        Retirement(second.node_id, second.thread.node_id, ""),
    ]
    assert retire(github, asked) == ()
    assert github.requests == before + 1
    one, answer, two = github.read_conversation(NAME, 1).inline
    assert one.thread is not None
    assert (one.is_minimized, one.thread.answers, two.is_minimized) == (True, ("Gone.",), True)
    assert answer.thread is None
    fake.answer_thread(NAME, 1, fake.review_comments(NAME, 1)[0], "mona")
    thread = github.read_conversation(NAME, 1).inline[0].thread
    assert thread is not None
    assert thread.left_open
    fake.review_comments(NAME, 1)[0].resolved = True
    thread = github.read_conversation(NAME, 1).inline[0].thread
    assert thread is not None
    assert not thread.left_open


def test_what_cannot_be_hidden_is_said_part_by_part(world: World) -> None:
    inline = {"path": "b.py", "line": 2, "side": "RIGHT", "body": "hm"}
    world.github.create_review(NAME, 1, world.head, "see above", [inline])
    [own] = world.github.read_conversation(NAME, 1).inline
    said = retire(world.github, [Retirement(own.node_id, "", ""), Retirement("PRRC_9", "PRRT_9", "x")])
    assert len(said) == 2
    assert all("global id" in each for each in said)
    assert world.fake.review_comments(NAME, 1)[0].minimized == "outdated"


def test_hiding_is_not_tried_twice_after_a_fault_of_the_server(world: World) -> None:
    world.fake.fail_next("POST", "/graphql", 502, times=5)
    with pytest.raises(GitHubError, match="502"):
        retire(world.github, [Retirement("PRRC_1", "", "")])
    assert len(world.fake.api_requests) == 1


def test_a_token_that_may_only_read_hides_nothing(world: World) -> None:
    github = world.connect(world.fake.token(permissions={"pull-requests": "read"}))
    with pytest.raises(GitHubDenied):
        github.react(NAME, 1, "eyes")
    inline = {"path": "b.py", "line": 2, "side": "RIGHT", "body": "hm"}
    world.github.create_review(NAME, 1, world.head, "see above", [inline])
    [own] = world.github.read_conversation(NAME, 1).inline
    [said] = retire(github, [Retirement(own.node_id, "", "")]) or [""]
    assert "not accessible" in said
    assert world.fake.review_comments(NAME, 1)[0].minimized is None


@pytest.mark.parametrize(
    ("role", "permission"),
    [("admin", "admin"), ("maintain", "write"), ("write", "write"), ("triage", "read"), ("read", "read")],
)
def test_a_permission_is_the_effective_one(world: World, role: str, permission: str) -> None:
    world.fake.state.repository(NAME).collaborators = {"mona": role}
    assert world.github.read_permission(NAME, "mona") == permission
    assert world.github.read_permission(NAME, "stranger") == "none"


@pytest.mark.parametrize("login", ["", "../user", "a/b", "a b", "mona?x=1", "x" * 101])
def test_a_name_that_leads_elsewhere_is_refused(world: World, login: str) -> None:
    with pytest.raises(GitHubError, match="no name of a person"):
        world.github.read_permission(NAME, login)
    assert world.fake.requests == []


def test_a_reaction_stands_below_its_comment(world: World) -> None:
    comment = world.fake.add_issue_comment(NAME, 1, "mona", "/reviewbot help")
    for _ in range(2):
        world.github.react(NAME, comment.id, "eyes")
    assert world.fake.reactions(NAME) == [(comment.id, "github-actions[bot]", "eyes")]
    with pytest.raises(GitHubNotFound):
        world.github.react(NAME, 9, "eyes")


def test_comments_beyond_the_first_page_are_read(world: World) -> None:
    for number in range(230):
        world.fake.add_issue_comment(NAME, 1, "github-actions[bot]", f"comment {number}")
    found = world.github.read_conversation(NAME, 1)
    assert [comment.body for comment in found.summary_candidates] == [f"comment {n}" for n in range(230)]
    assert world.github.requests == len(world.fake.api_requests) == 3


def test_a_conversation_without_end_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_PAGES", 1)
    for number in range(101):
        world.fake.add_issue_comment(NAME, 1, "octocat", f"{number}")
    with pytest.raises(GitHubError, match="more than 100 comments"):
        world.github.read_conversation(NAME, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"state": "open", "is_draft": False, "merged": False, "is_fork": False}),
        ({"draft": True}, {"is_draft": True}),
        ({"state": "closed"}, {"state": "closed", "merged": False}),
        ({"state": "closed", "merged": True}, {"state": "closed", "merged": True}),
        ({"head_repository": "fork/app"}, {"is_fork": True, "head_repository": "fork/app"}),
        ({"head_repository": DELETED}, {"is_fork": True, "head_repository": None}),
        ({"author": "dependabot[bot]"}, {"author": "dependabot[bot]"}),
    ],
)
def test_both_apis_say_the_same_of_a_pull_request(
    world: World, values: dict[str, str], expected: dict[str, object]
) -> None:
    if values.get("head_repository") == "fork/app":
        world.fake.add_repository("fork/app", world.fake.state.repository(NAME).served.git_dir)
    world.fake.add_pull_request(NAME, 2, base_ref="main", head_sha=world.head, **values)  # type: ignore[arg-type]
    pull = world.github.read_pull_request(NAME, 2)
    assert world.github.read_conversation(NAME, 2).pull == pull
    assert {name: getattr(pull, name) for name in expected} == expected
    assert (pull.head_sha, pull.base_sha, pull.base_ref) == (world.head, world.tip, "main")


def test_commits_and_facts_are_looked_up(world: World) -> None:
    world.fake.set_branch(NAME, "feature/ü", world.head)
    assert world.github.merge_base(NAME, world.tip, world.head) == world.fork_point
    assert world.github.resolve_commit(NAME, "feature/ü") == world.head
    assert world.github.resolve_commit(NAME, world.head) == world.head
    assert world.github.read_repository(NAME) == RepositoryFacts("main", 77)
    assert world.github.requests == len(world.fake.api_requests) == 4


def test_what_is_not_there_is_said(world: World) -> None:
    with pytest.raises(GitHubNotFound):
        world.github.read_pull_request(NAME, 99)
    with pytest.raises(GitHubNotFound):
        world.github.read_conversation(NAME, 99)
    with pytest.raises(GitHubNotFound):
        world.github.read_repository("octo/absent")
    with pytest.raises((GitHubNotFound, GitHubRefused)):
        world.github.resolve_commit(NAME, "absent")
    with pytest.raises(GitHubNotFound):
        world.github.merge_base(NAME, "0" * 40, world.head)


def test_all_that_is_written_arrives(world: World) -> None:
    github, fake = world.github, world.fake
    github.create_comment(NAME, 1, "first")
    [comment] = fake.issue_comments(NAME, 1)
    assert github.edit_comment(NAME, comment.id, "second").startswith(f"{fake.server_url}/octo/app/pull/1#")
    assert fake.issue_comments(NAME, 1)[0].body == "second"
    comments = [
        {"path": "b.py", "start_line": 1, "start_side": "RIGHT", "line": 2, "side": "RIGHT", "body": "b"}
    ]
    github.create_review(NAME, 1, world.head, "body", comments)
    [review] = fake.reviews(NAME, 1)
    assert (review.state, review.commit_id, len(fake.review_comments(NAME, 1))) == (
        "COMMENTED",
        world.head,
        1,
    )
    github.create_check_run(NAME, "reviewbot", world.head, "action_required", OUTPUT, "https://example.org/")
    [run] = fake.check_runs(NAME)
    assert (run.name, run.head_sha, run.conclusion) == ("reviewbot", world.head, "action_required")


def test_a_token_without_a_right_is_denied_by_name(world: World) -> None:
    github = world.connect(world.fake.token(permissions={"contents": "read", "pull-requests": "read"}))
    with pytest.raises(GitHubDenied, match="Resource not accessible by integration"):
        github.create_comment(NAME, 1, "x")
    with pytest.raises(GitHubDenied):
        github.create_check_run(NAME, "reviewbot", world.head, "success", OUTPUT, None)
    assert github.requests == len(world.fake.api_requests) == 2


def test_a_wrong_token_is_denied_and_not_repeated(world: World) -> None:
    github = world.connect("ghs_wrongwrongwrong")
    for call in (github.read_conversation, github.read_pull_request):
        with pytest.raises(GitHubDenied) as caught:
            call(NAME, 1)
        assert "wrongwrong" not in caught.value.sentences


def test_what_github_will_not_take_is_quoted(world: World) -> None:
    with pytest.raises(GitHubRefused) as caught:
        world.github.create_review(
            NAME, 1, world.head, "b", [{"path": "b.py", "line": 9, "side": "RIGHT", "body": "b"}]
        )
    assert caught.value.details == ("Line could not be resolved",)
    assert world.fake.reviews(NAME, 1) == []


def test_a_fault_of_the_server_is_tried_again_where_nothing_can_be_done_twice(world: World) -> None:
    world.fake.fail_next("GET", "/pulls/1", 502, "<html>bad gateway</html>")
    assert world.github.read_pull_request(NAME, 1).head_sha == world.head
    world.fake.fail_next("POST", "/graphql", 503)
    assert world.github.read_conversation(NAME, 1).base_tip == world.tip
    assert world.github.requests == len(world.fake.api_requests) == 4


@pytest.mark.parametrize("status", [500, 502, 0])
def test_nothing_is_posted_twice_after_a_fault(world: World, status: int) -> None:
    world.fake.fail_next("POST", "/reviews", status, "")
    with pytest.raises(GitHubError):
        world.github.create_review(NAME, 1, world.head, "b", [])
    assert len(world.fake.api_requests) == 1


def test_a_fault_that_stays_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRIES", 1)
    github = world.connect(world.token)
    world.fake.fail_next("GET", "/pulls/1", 502, times=9)
    with pytest.raises(GitHubError, match="status 502"):
        github.read_pull_request(NAME, 1)
    assert len(world.fake.api_requests) == 2


def test_a_short_rate_limit_is_waited_for(world: World) -> None:
    world.fake.limit_secondary_next("POST", "/comments", retry_after=1)
    started = time.monotonic()
    world.github.create_comment(NAME, 1, "x")
    assert 1 <= time.monotonic() - started < 10
    assert len(world.fake.issue_comments(NAME, 1)) == 1
    assert world.github.requests == len(world.fake.api_requests) == 2


def test_a_long_rate_limit_is_not_waited_for(world: World) -> None:
    world.fake.limit_secondary_next("POST", "/comments", retry_after=3600)
    with pytest.raises(GitHubError, match="rate limit"):
        world.github.create_comment(NAME, 1, "x")
    world.fake.fail_next("GET", "/pulls/1", 429, headers={"Retry-After": "3600"})
    with pytest.raises(GitHubError, match="rate limit"):
        world.github.read_pull_request(NAME, 1)
    world.fake.exhaust_rate_limit(reset=4_102_444_800)
    with pytest.raises(GitHubError, match="used up until 00:00 UTC"):
        world.github.read_pull_request(NAME, 1)
    assert len(world.fake.api_requests) == 3


@pytest.mark.parametrize(
    "body",
    [
        "<html>hello</html>",
        '{"number": 1',
        "[1]",
        "3",
        '"x"',
        "",
        "null",
        "{}",
        '{"number": "1"}',
        "[" * 5000,
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error(world: World, body: str) -> None:
    world.fake.fail_next("GET", "/pulls/1", 200, body, {"Content-Type": "application/json"})
    with pytest.raises(GitHubError):
        world.github.read_pull_request(NAME, 1)


@pytest.mark.parametrize(
    "body", ["[]", '{"data": null}', '{"data": {"repository": null}}', '{"errors": "x"}', '{"errors": [3]}']
)
def test_a_graphql_answer_that_cannot_be_read_is_an_error(world: World, body: str) -> None:
    world.fake.fail_next("POST", "/graphql", 200, body)
    with pytest.raises(GitHubError):
        world.github.read_conversation(NAME, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_leads_the_token_to_another_host(world: World, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        place = f"https://localhost:{other.getsockname()[1]}/"
        world.fake.fail_next("GET", "/pulls/1", status, "{}", {"Location": place})
        with pytest.raises(GitHubError):
            world.github.read_pull_request(NAME, 1)
        with pytest.raises(TimeoutError):
            other.accept()


def test_a_server_whose_certificate_nobody_vouches_for_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    monkeypatch.setattr(connection, "RETRIES", 0)
    with pytest.raises(GitHubError, match="certificate of 127.0.0.1 could not be verified") as caught:
        world.connect(world.token).read_pull_request(NAME, 1)
    assert "SSL_CERT_FILE" in caught.value.sentences
    assert world.fake.requests == []


def test_a_missing_file_of_certificates_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(UsageError, match="SSL_CERT_FILE names '/nowhere/ca.pem', which is no file"):
        GitHub("t", api_url="https://127.0.0.1/api", graphql_url="https://127.0.0.1/graphql")


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRIES", 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(GitHubError, match=r"127\.0\.0\.1 cannot be reached"):
        GitHub("t", api_url=url, graphql_url=url).read_pull_request(NAME, 1)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRIES", 0)
    monkeypatch.setattr(connection, "SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(GitHubError, match="did not answer within"):
            GitHub("t", api_url=url, graphql_url=url).read_pull_request(NAME, 1)


def test_requests_go_through_the_proxy_unless_the_host_is_exempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            seen.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setattr(connection, "RETRIES", 0)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        thread = threading.Thread(target=answer, args=(proxy,))
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(GitHubError, match="proxy on the way"):
            world.connect(world.token).read_pull_request(NAME, 1)
        thread.join()
    assert seen[0].startswith(b"CONNECT 127.0.0.1:")
    assert world.token.encode() not in seen[0]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert world.connect(world.token).read_pull_request(NAME, 1).number == 1


@pytest.mark.parametrize("token", ["", " ", "a b", "a\r\nX-Header: 1", "tökén"])
def test_what_is_no_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(UsageError, match="empty or holds blanks") as caught:
        GitHub(token, api_url="https://127.0.0.1/api", graphql_url="https://127.0.0.1/graphql")
    assert "tökén" not in caught.value.sentences


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "ftp://x/",
        "https://",
        "https://u:secret@x/",
        "https://x/?a=secret",
        "https://x:bad/",
        "",
        "//x",
    ],
)
def test_the_token_goes_to_https_addresses_only(url: str) -> None:
    for urls in ((url, "https://127.0.0.1/"), ("https://127.0.0.1/", url)):
        with pytest.raises(UsageError, match="is not an https address") as caught:
            GitHub("t", api_url=urls[0], graphql_url=urls[1])
        assert "secret" not in caught.value.sentences


def test_the_module_costs_nothing_until_it_is_used() -> None:
    code = "import sys, reviewbot.github.api; sys.exit('github' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_rate_limit_that_names_no_time_is_waited_for_and_then_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(connection, "RETRIES", 1)
    github = world.connect(world.token)
    body = {
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    }
    world.fake.fail_next("POST", "/comments", 403, body)
    github.create_comment(NAME, 1, "x")
    world.fake.fail_next("POST", "/comments", 403, body, times=9)
    with pytest.raises(GitHubError, match="rate limit") as caught:
        github.create_comment(NAME, 1, "x")
    assert not isinstance(caught.value, GitHubDenied)
    assert github.requests == len(world.fake.api_requests) == 4


def test_no_part_of_an_answer_reaches_the_log(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.fake.fail_next("POST", "/comments", 403, {"message": "##[error]planted"})
    world.fake.limit_secondary_next("POST", "/graphql", retry_after=1)
    with pytest.raises(GitHubDenied):
        world.github.create_comment(NAME, 1, "x")
    world.github.read_conversation(NAME, 1)
    assert capfd.readouterr() == ("", "")


def test_artifacts_are_listed_over_all_pages(world: World) -> None:
    for number in range(150):
        world.fake.add_artifact(NAME, f"a{number}", b"x", run_id=5)
    reader = world.fake.token(permissions={"actions": "read"})
    github = GitHub(reader, api_url=world.fake.api_url, graphql_url=world.fake.graphql_url)
    listed = github.read_artifacts(NAME, 5)["artifacts"]
    assert {each["name"] for each in listed} == {f"a{number}" for number in range(150)}
    assert github.requests == 2
    assert github.read_artifacts(NAME, 6)["artifacts"] == []
