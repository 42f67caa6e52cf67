import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.errors import UsageError
from reviewbot.github.answers import (
    check_ref,
    check_repository,
    own_comments,
    pull_of_graphql,
    pull_of_rest,
    url_at,
)
from reviewbot.github.errors import (
    GitHubError,
)

SHA = "a" * 40
REST: dict[str, Any] = {
    "number": 7, "state": "open", "draft": False, "merged": False, "user": {"login": "octocat"},
    "head": {"sha": SHA, "ref": "feature", "repo": {"full_name": "octo/app"}},
    "base": {"sha": SHA, "ref": "main", "repo": {"full_name": "octo/app"}},
}  # fmt: skip
GRAPHQL: dict[str, Any] = {
    "number": 7, "state": "OPEN", "isDraft": False, "author": {"__typename": "User", "login": "octocat"},
    "headRefOid": SHA, "headRefName": "feature", "headRepository": {"nameWithOwner": "octo/app"},
    "baseRefOid": SHA, "baseRefName": "main", "isCrossRepository": False,
}  # fmt: skip


def test_both_apis_tell_the_same() -> None:
    assert pull_of_rest(REST) == pull_of_graphql(GRAPHQL)


def test_a_bot_has_one_name_in_both_apis() -> None:
    rest = {**REST, "user": {"login": "dependabot[bot]"}}
    graphql = {**GRAPHQL, "author": {"__typename": "Bot", "login": "dependabot"}}
    assert pull_of_rest(rest) == pull_of_graphql(graphql)


@pytest.mark.parametrize("valid", [REST, GRAPHQL], ids=["rest", "graphql"])
@given(data=st.data())
def test_an_answer_with_a_broken_part_is_an_error_or_a_pull_request(valid: dict[str, Any], data: Any) -> None:
    answer = copy.deepcopy(valid)
    node = answer
    key = data.draw(st.sampled_from(sorted(node)))
    if isinstance(node[key], dict) and data.draw(st.booleans()):
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node)))
    node[key] = data.draw(st.sampled_from([None, True, -1, "", "x", [], {}, ["x"], {"x": 1}, "A" * 40]))
    try:
        pull = pull_of_rest(answer) if valid is REST else pull_of_graphql(answer)
    except GitHubError as error:
        assert "GitHub's answer has no" in str(error)
    else:
        assert (pull.head_sha, pull.base_sha) == (SHA, SHA)


@pytest.mark.parametrize(
    "nodes", [None, [None, 3, {}], [{"viewerDidAuthor": "true"}], [{"viewerDidAuthor": False}]]
)
def test_only_comments_that_are_ours_beyond_doubt_count(nodes: object) -> None:
    assert list(own_comments({"nodes": nodes})) == []


@pytest.mark.parametrize("number", [None, "", "-1", "1e3", "٣", "9" * 30])
def test_a_comment_of_ours_without_a_number_is_an_error(number: object) -> None:
    node = {"viewerDidAuthor": True, "fullDatabaseId": number, "body": "x", "url": "https://example.org/"}
    with pytest.raises(GitHubError, match="fullDatabaseId"):
        list(own_comments({"nodes": [node]}))


def test_the_number_of_a_comment_may_be_larger_than_32_bits() -> None:
    node = {
        "viewerDidAuthor": True,
        "fullDatabaseId": "5000000000",
        "body": None,
        "url": "https://example.org/",
    }
    [comment] = own_comments({"nodes": [{"comments": {"nodes": [node]}}]})
    assert (comment.id, comment.body) == (5_000_000_000, "")


@pytest.mark.parametrize(
    "name", ["", "octo", "octo/..", "octo/.", "../x", "octo/app/pulls", "octo/a?b", "o\n/x"]
)
def test_a_name_cannot_lead_elsewhere_in_the_api(name: str) -> None:
    with pytest.raises(UsageError, match="is no repository"):
        check_repository(name)


@pytest.mark.parametrize("ref", ["", "..", "a/../../b", ".", "a\nb", "a\x00", "\ud800"])
def test_a_ref_cannot_lead_elsewhere_in_the_api(ref: str) -> None:
    with pytest.raises(UsageError, match="names no commit"):
        check_ref(ref)


def test_a_ref_is_one_segment_of_a_path() -> None:
    assert check_ref("feature/ü?#%") == "feature%2F%C3%BC%3F%23%25"


@pytest.mark.parametrize(
    "url", [None, 3, "", "http://x/", "javascript:x", "https://", "https://x/ y", "https://x/\n"]
)
def test_an_address_is_https_and_printable(url: object) -> None:
    with pytest.raises(GitHubError, match="no address html_url"):
        url_at({"html_url": url})
