import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.github_events import (
    CommentEvent,
    DispatchEvent,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    ScheduleEvent,
)
from reviewbot.change.payload import REVIEWED_ACTIONS, EventError, NotReviewed, parse_event
from reviewbot.change.payload_json import MAX_PAYLOAD_BYTES
from reviewbot.errors import ReviewbotError

EXAMPLES = (
    Path(__file__).parents[1] / "contract/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
)
HEAD, BASE = "a" * 40, "b" * 40


def pull_request(action: str = "opened") -> dict[str, Any]:
    return {
        "action": action,
        "pull_request": {
            "number": 7,
            "state": "open",
            "draft": False,
            "user": {"login": "author"},
            "head": {"sha": HEAD, "ref": "feature", "repo": {"full_name": "octo/app"}},
            "base": {"sha": BASE, "ref": "main"},
        },
        "repository": {"full_name": "octo/app", "size": 12, "default_branch": "main"},
        "sender": {"login": "pusher"},
    }


def merge_group(action: str = "checks_requested") -> dict[str, Any]:
    group = {"head_sha": HEAD, "base_sha": BASE, "head_ref": "refs/heads/q", "base_ref": "refs/heads/main"}
    return {"action": action, "merge_group": group, "repository": {"full_name": "octo/app", "size": 12}}


def push(**changes: Any) -> dict[str, Any]:
    repository = {"full_name": "octo/app", "size": 12, "default_branch": "main"}
    said = {"ref": "refs/heads/topic/x", "before": BASE, "after": HEAD, "repository": repository}
    return {**said, **changes}


def comment(body: object = "/reviewbot help", **changes: Any) -> dict[str, Any]:
    said = {"id": 5, "body": body, "user": {"login": "mona", "type": "User"}}
    issue = {"number": 7, "pull_request": {"url": "https://api.github.com/x"}}
    repository = {"full_name": "octo/app", "size": 12}
    return {"action": "created", "issue": issue, "comment": said, "repository": repository, **changes}


def parse(payload: object, name: str = "pull_request", **environment: str) -> Any:
    return parse_event(name, json.dumps(payload).encode(), environment)


def examples(name: str) -> list[dict[str, Any]]:
    if not EXAMPLES.is_file():
        pytest.skip("the npm packages of tests/contract are not installed")
    found = next(each for each in json.loads(EXAMPLES.read_text()) if each["name"] == name)
    return list(found["examples"])


def test_every_pull_request_example_of_github_is_an_event_or_has_nothing_to_review() -> None:
    read = 0
    for example in examples("pull_request"):
        if example["action"] in REVIEWED_ACTIONS:
            event = parse(example)
            pull = example["pull_request"]
            assert isinstance(event, PullRequestEvent)
            assert (event.head_sha, event.base_tip) == (pull["head"]["sha"], pull["base"]["sha"])
            assert (event.number, event.author, event.is_fork) == (
                pull["number"],
                pull["user"]["login"],
                False,
            )
            read += 1
        else:
            with pytest.raises(NotReviewed, match="Nothing was reviewed") as caught:
                parse(example)
            assert caught.value.exit_code == 3
    assert read >= 10


def test_the_dispatch_examples_of_github_are_read() -> None:
    for example in examples("workflow_dispatch"):
        event = parse(example, "workflow_dispatch")
        assert isinstance(event, DispatchEvent)
        assert (event.repository, event.inputs) == (example["repository"]["full_name"], {})
        assert event.default_branch == example["repository"]["default_branch"]


def test_all_that_is_used_of_a_pull_request_is_read() -> None:
    assert parse(pull_request(), GITHUB_REPOSITORY="Octo/App") == PullRequestEvent(
        "opened", "octo/app", 7, HEAD, "feature", "octo/app", "main", BASE, False, False, "open", "author",
        "pusher", 12,
    )  # fmt: skip


def test_a_fork_is_told_by_its_name_and_a_deleted_one_is_a_fork() -> None:
    payload = pull_request()
    payload["pull_request"]["head"]["repo"] = {"full_name": "someone/app", "fork": False}
    assert parse(payload).is_fork
    payload["pull_request"]["head"]["repo"] = None
    assert parse(payload).is_fork
    assert parse(payload).head_repository is None


def test_what_an_older_server_leaves_out_is_not_missed() -> None:
    payload = pull_request()
    del payload["pull_request"]["draft"], payload["pull_request"]["user"], payload["sender"]
    del payload["repository"]["size"]
    event = parse(payload, "pull_request_target", GITHUB_ACTOR="somebody")
    assert (event.is_draft, event.author, event.actor, event.size_kib) == (False, "ghost", "somebody", None)


def test_a_schedule_needs_only_the_name_of_its_repository() -> None:
    assert parse({"schedule": "0 3 * * *"}, "schedule", GITHUB_REPOSITORY="octo/app") == ScheduleEvent(
        "octo/app", "unknown", None, None
    )
    with pytest.raises(EventError, match="names no repository"):
        parse({"schedule": "0 3 * * *"}, "schedule")


def test_inputs_of_a_dispatch_become_text() -> None:
    payload = {
        "ref": "refs/heads/main",
        "inputs": {"number": 3, "scan": True, "base": "x", "head": None},
        "repository": {"full_name": "octo/app"},
    }
    assert parse(payload, "workflow_dispatch").inputs == {"number": "3", "scan": "true", "base": "x"}
    payload["inputs"] = {"number": [3]}
    with pytest.raises(EventError, match="an input 'number' that is no text"):
        parse(payload, "workflow_dispatch")


@pytest.mark.parametrize("action", ["closed", "labeled", "converted_to_draft", "invented\n::error::x"])
def test_no_other_action_ends_as_a_review(action: str) -> None:
    with pytest.raises(NotReviewed) as caught:
        parse(pull_request(action))
    assert "\n" not in caught.value.sentences


@pytest.mark.parametrize("name", ["issues", "check_suite", "", "pull_request\n", "check_run"])
def test_an_event_we_do_not_know_is_named(name: str) -> None:
    with pytest.raises(EventError, match="is not supported") as caught:
        parse_event(name, b"{}", {})
    assert caught.value.exit_code == 2
    assert "workflow_dispatch" in caught.value.sentences


def test_a_merge_group_is_its_head_what_it_stands_on_and_the_branch_it_goes_to() -> None:
    assert parse(merge_group(), "merge_group") == MergeGroupEvent(
        "octo/app", HEAD, BASE, "main", None, "unknown", 12
    )
    for example in examples("merge_group"):
        event = parse(example, "merge_group")
        assert (event.head_sha, event.base_branch) == (example["merge_group"]["head_sha"], "main")
        assert f"/pr-{event.pull_number}-" in example["merge_group"]["head_ref"]
    with pytest.raises(NotReviewed, match="the merge group was destroyed"):
        parse(merge_group("destroyed"), "merge_group")
    odd = merge_group()
    odd["merge_group"]["base_ref"] = "refs/tags/v1"
    with pytest.raises(EventError, match="whose base is no branch"):
        parse(odd, "merge_group")


def test_a_push_is_a_branch_and_two_commits_or_one_where_it_made_the_branch() -> None:
    expected = PushEvent("octo/app", "topic/x", BASE, HEAD, "unknown", "main", 12)
    assert parse(push(), "push") == expected
    assert parse(push(before="0" * 40), "push").before is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ref": "refs/tags/v1"}, "refs/tags/v1 is no branch"),
        ({"after": "0" * 40}, "the branch was deleted"),
    ],
)
def test_a_push_without_a_branch_is_not_reviewed(changes: dict[str, str], says: str) -> None:
    with pytest.raises(NotReviewed, match=says) as caught:
        parse(push(**changes), "push")
    assert caught.value.exit_code == 3


def test_every_push_example_of_github_is_a_branch_or_has_nothing_to_review() -> None:
    read = 0
    for example in examples("push"):
        if example["ref"].startswith("refs/heads/") and not example["deleted"]:
            assert parse(example, "push").after == example["after"]
            read += 1
        else:
            with pytest.raises(NotReviewed):
                parse(example, "push")
    assert read


def test_a_comment_says_who_wrote_what_where() -> None:
    expected = CommentEvent("octo/app", 7, True, 5, "/reviewbot help", "mona", True, "unknown", 12)
    assert parse(comment(), "issue_comment") == expected
    assert not parse(comment(issue={"number": 7}), "issue_comment").on_pull_request
    bot = comment()
    bot["comment"]["user"]["type"] = "Bot"
    assert not parse(bot, "issue_comment").by_person
    nobody = comment(None)
    nobody["comment"]["user"] = None
    event = parse(nobody, "issue_comment")
    assert (event.body, event.author, event.by_person) == ("", "ghost", False)


def test_every_new_comment_of_githubs_examples_is_read_and_no_other() -> None:
    for example in examples("issue_comment"):
        if example["action"] == "created":
            assert parse(example, "issue_comment").comment_id == example["comment"]["id"]
        else:
            with pytest.raises(NotReviewed) as caught:
                parse(example, "issue_comment")
            assert "types created only" in caught.value.sentences


def test_every_workflow_run_example_of_github_says_nothing_to_review_or_whose_branch_ran() -> None:
    for example in examples("workflow_run"):
        run = example["workflow_run"]
        with pytest.raises(NotReviewed) as refused:  # they ran on a dispatch, or have not ended
            parse(example, "workflow_run")
        assert "Nothing was reviewed" in str(refused.value)
        example["action"], run["event"] = "completed", "pull_request"
        run["pull_requests"] = [{"number": 666}]  # never believed
        owner = run["head_repository"]["owner"]["login"]
        event = parse(example, "workflow_run")
        assert (event.run_id, event.head_sha, event.head_branch, event.head_owner) == (
            run["id"], run["head_sha"], run["head_branch"], owner,
        )  # fmt: skip
        assert "666" not in repr(event)
        run["head_repository"] = None
        with pytest.raises(NotReviewed, match="the fork is gone"):
            parse(example, "workflow_run")


def test_a_payload_of_another_repository_is_refused() -> None:
    with pytest.raises(EventError, match=r"is of octo/app, but GITHUB_REPOSITORY is 'octo/other'"):
        parse(pull_request(), GITHUB_REPOSITORY="octo/other")


@pytest.mark.parametrize(
    "name", ["octo", "octo/..", "../app", "octo/app/../x", "octo/a b", "-x/app", "octo/a?b"]
)
def test_a_name_that_is_no_repository_is_refused(name: str) -> None:
    payload = pull_request()
    payload["repository"]["full_name"] = name
    with pytest.raises(EventError, match="names no repository"):
        parse(payload)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is not JSON at line 1, column 2"),
        (b"[]", "is no JSON object"),
        (b"\xff{}", "is not UTF-8 at byte 0"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": 1, "a": 2}', "has the key 'a' twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
        (b'{"a": ' + b"[" * 150 + b"]" * 150 + b"}", "is nested deeper than 100 levels"),
        (b"[" * 100_000, "is nested too deeply"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), "has more than 26,214,400 bytes"),
        (b'{"action": "opened"}', "names no repository"),
    ],
)  # fmt: skip
def test_a_payload_that_cannot_be_read_says_why(data: bytes, words: str) -> None:
    with pytest.raises(EventError, match=words):
        parse_event("pull_request", data, {})


def leaves(node: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict):
        return [at]
    return [at, *(leaf for key, value in node.items() for leaf in leaves(value, (*at, key)))]


SHAPES = {
    "pull_request": pull_request(),
    "merge_group": merge_group(),
    "push": push(),
    "issue_comment": comment(),
}


@given(
    st.sampled_from([(name, leaf) for name, shape in SHAPES.items() for leaf in leaves(shape) if leaf]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=50), st.just([]), st.just({}), st.just([1])
    ),
    st.booleans(),
)
def test_any_broken_part_gives_one_sentence_or_an_event(
    broken: tuple[str, tuple[str, ...]], value: object, gone: bool
) -> None:
    name, leaf = broken
    payload = copy.deepcopy(SHAPES[name])
    parent = payload
    for key in leaf[:-1]:
        parent = parent[key]
    parent[leaf[-1]] = value
    if gone:
        del parent[leaf[-1]]
    try:
        event = parse(payload, name)
    except ReviewbotError as error:
        assert "\n" not in error.sentences
    else:
        assert getattr(event, "head_sha", HEAD) == HEAD
        assert getattr(event, "number", 1) > 0


def test_lone_surrogates_in_a_branch_name_are_shown() -> None:
    payload = pull_request()
    payload["pull_request"]["head"]["ref"] = "feature-\ud800"
    assert parse(payload).head_ref == "feature-<U+D800>"
