"""GraphQL by GitHub's own schema, over the socket."""

from typing import Any

import pytest

from tests.github.fake import DELETED
from tests.github.world import LINES, REPO, World, comment

THREADS = """
query($number: Int!, $after: String) {
  viewer { login }
  repository(owner: "octo", name: "app") {
    pullRequest(number: $number) {
      state isDraft isCrossRepository headRefOid headRepository { nameWithOwner } author { login }
      comments(first: 2, after: $after) {
        nodes { databaseId body url viewerDidAuthor author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
      reviewThreads(last: 50) {
        nodes { path line isOutdated comments(first: 1) { nodes { body viewerDidAuthor } } }
      }
    }
  }
}
"""


def test_the_base_of_a_pull_request_stays_where_it_was_when_the_branch_moves_on(world: World) -> None:
    tip = world.sandbox.commit({"later.py": "z\n"})
    query = '{ repository(owner: "octo", name: "app") { pullRequest(number: 1) { baseRefOid baseRef { target { oid } } } } }'
    pull = world.query(query)["data"]["repository"]["pullRequest"]
    assert pull == {"baseRefOid": world.base, "baseRef": {"target": {"oid": tip}}}
    world.fake.move_head("octo/app", 1, world.head)
    assert world.query(query)["data"]["repository"]["pullRequest"]["baseRefOid"] == tip


def test_a_moved_head_outdates_what_stood_on_lines_that_are_gone(world: World) -> None:
    assert world.review(comment(line=50), comment(path="new.py", line=1))[0] == 200
    world.sandbox.git("checkout", "-q", "feature")
    changed = list(LINES)
    changed[9] = "ten\n"
    world.fake.move_head("octo/app", 1, world.sandbox.commit({"a.py": "".join(changed)}))
    threads = world.query(THREADS, number=1)["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"]
    assert [(each["path"], each["isOutdated"], each["line"]) for each in threads] == [
        ("a.py", True, None), ("new.py", False, 1),
    ]  # fmt: skip


def test_graphql_answers_the_conversation_and_knows_who_wrote_it(world: World) -> None:
    for author in ("github-actions[bot]", "mia", "github-actions[bot]"):
        world.fake.add_issue_comment("octo/app", 1, author, f"by {author}")
    world.review(comment())
    data = world.query(THREADS, number=1)["data"]
    pull = data["repository"]["pullRequest"]
    assert data["viewer"]["login"] == "github-actions[bot]"
    assert pull["headRefOid"] == world.head
    assert (pull["state"], pull["isCrossRepository"]) == ("OPEN", False)
    first = pull["comments"]
    assert [each["viewerDidAuthor"] for each in first["nodes"]] == [True, False]
    assert first["nodes"][0]["author"] == {"__typename": "Bot", "login": "github-actions"}
    assert first["pageInfo"]["hasNextPage"] is True
    rest = world.query(THREADS, number=1, after=first["pageInfo"]["endCursor"])
    (last,) = rest["data"]["repository"]["pullRequest"]["comments"]["nodes"]
    assert last["viewerDidAuthor"] is True
    assert pull["reviewThreads"]["nodes"][0]["comments"]["nodes"] == [
        {"body": "text", "viewerDidAuthor": True}
    ]
    assert world.fake.refused == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ viewer { login } ", "Syntax Error"),
        ("{ viewer { loginn } }", "Cannot query field 'loginn'"),
        ('{ repository(owner: "octo") { name } }', "Query.repository(name:)"),
        ("query($n: Int!) { repository(owner: \"octo\", name: \"app\") { pullRequest(number: $n) { title } } }", "$n"),
        ('{ repository(owner: "octo", name: "app") { homepageUrl } }', "the fake does not answer Repository.homepageUrl"),
    ],
)  # fmt: skip
def test_a_query_against_the_schema_or_beyond_the_fake_is_noted(world: World, query: str, said: str) -> None:
    answer = world.query(query)
    assert answer["errors"]
    assert said in "\n".join(world.fake.refused)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ('{ repository(owner: "octo", name: "none") { name } }', "NOT_FOUND"),
        ('{ repository(owner: "octo", name: "app") { pullRequest(number: 9) { title } } }', "NOT_FOUND"),
        (
            '{ repository(owner: "octo", name: "app") { pullRequest(number: 1) { comments { totalCount } } } }',
            "MISSING_PAGINATION_BOUNDARIES",
        ),
        (
            '{ repository(owner: "octo", name: "app") { pullRequest(number: 1) { comments(first: 101) { totalCount } } } }',
            "EXCESSIVE_PAGINATION",
        ),
    ],
)
def test_graphql_says_what_is_wrong_beside_what_it_has(world: World, query: str, kind: str) -> None:
    answer = world.query(query)
    assert answer["errors"][0]["type"] == kind
    assert "data" in answer
    assert world.fake.refused == []


def test_graphql_hides_pull_requests_from_a_token_without_the_right(world: World) -> None:
    token = world.fake.token(permissions={"contents": "read"})
    answer = world.query(THREADS, token=token, number=1)
    assert answer["errors"][0]["type"] == "FORBIDDEN"
    assert answer["data"]["repository"]["pullRequest"] is None
    assert world.send("POST", "/graphql", {"query": "{ viewer { login } }"}, token="no")[0] == 401


def test_forks_and_deleted_forks_are_told_by_both_apis(world: World) -> None:
    world.fake.add_pull_request(
        "octo/app", 2, base_ref="main", head_sha=world.head, head_repository="eve/app"
    )
    world.fake.add_pull_request("octo/app", 3, base_ref="main", head_sha=world.head, head_repository=DELETED)
    repository = world.client().get_repo("octo/app")
    assert repository.get_pull(2).head.repo.full_name == "eve/app"
    assert world.send("GET", f"{REPO}/pulls/3")[2]["head"]["repo"] is None
    fork = world.query(THREADS, number=2)["data"]["repository"]["pullRequest"]
    assert (fork["isCrossRepository"], fork["headRepository"]) == (True, {"nameWithOwner": "eve/app"})
    assert world.query(THREADS, number=3)["data"]["repository"]["pullRequest"]["headRepository"] is None
    assert world.fake.refused == []


HIDE = "mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized } } }"
SHOW = """
{ repository(owner: "octo", name: "app") { pullRequest(number: 1) { reviewThreads(first: 9) { nodes {
  id isResolved comments(first: 9) { totalCount nodes { id body isMinimized minimizedReason } } } } } } }
"""


def threads(world: World) -> Any:
    return world.query(SHOW)["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"]


def test_a_comment_is_hidden_and_answered_and_stays_one_thread(world: World) -> None:
    world.review(comment())
    [thread] = threads(world)
    [first] = thread["comments"]["nodes"]
    assert world.query(HIDE, id=first["id"])["data"]["minimizeComment"] == {
        "minimizedComment": {"isMinimized": True}
    }
    reply = "mutation($id: ID!, $body: String!) { addPullRequestReviewThreadReply(input: {pullRequestReviewThreadId: $id, body: $body}) { comment { id } } }"
    assert "errors" not in world.query(reply, id=thread["id"], body="gone")
    [thread] = threads(world)
    assert [each["body"] for each in thread["comments"]["nodes"]] == ["text", "gone"]
    assert thread["comments"]["nodes"][0]["minimizedReason"] == "outdated"
    assert world.query(reply, id=thread["id"], body=" ")["errors"][0]["type"] == "UNPROCESSABLE"
    assert world.query(reply, id="PRRT_1", body="x")["errors"][0]["type"] == "NOT_FOUND"


def test_hiding_needs_the_right_to_write_and_a_comment(world: World) -> None:
    world.review(comment())
    [thread] = threads(world)
    token = world.fake.token(permissions={"pull-requests": "read"})
    refused = world.query(HIDE, token=token, id=thread["comments"]["nodes"][0]["id"])
    assert refused["errors"][0]["type"] == "FORBIDDEN"
    assert world.query(HIDE, id="IC_1")["errors"][0]["type"] == "NOT_FOUND"
    assert not threads(world)[0]["comments"]["nodes"][0]["isMinimized"]
