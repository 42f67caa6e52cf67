import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.payload import (
    MAX_PAYLOAD_BYTES,
    REVIEWED_ACTIONS,
    DispatchEvent,
    EventError,
    NotReviewed,
    PullRequestEvent,
    ScheduleEvent,
    parse_event,
)
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


@pytest.mark.parametrize("name", ["push", "issue_comment", "", "pull_request\n", "workflow_run"])
def test_an_event_we_do_not_know_is_named(name: str) -> None:
    with pytest.raises(EventError, match="is not supported") as caught:
        parse_event(name, b"{}", {})
    assert caught.value.exit_code == 2
    assert "workflow_dispatch" in caught.value.sentences


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
        (b"{", "is no JSON at line 1, column 2"),
        (b"[]", "is no JSON object"),
        (b"\xff{}", "is not UTF-8 at byte 0"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": 1, "a": 2}', "has the key 'a' twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
        (b'{"a": ' + b"[" * 150 + b"]" * 150 + b"}", "is nested deeper than 100 levels"),
        (b"[" * 100_000, "is nested too deeply"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), "is larger than 25 MiB"),
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


@given(
    st.sampled_from([leaf for leaf in leaves(pull_request()) if leaf]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=50), st.just([]), st.just({}), st.just([1])
    ),
    st.booleans(),
)
def test_any_broken_part_gives_one_sentence_or_an_event(
    leaf: tuple[str, ...], value: object, gone: bool
) -> None:
    payload = copy.deepcopy(pull_request())
    parent = payload
    for key in leaf[:-1]:
        parent = parent[key]
    parent[leaf[-1]] = value
    if gone:
        del parent[leaf[-1]]
    try:
        event = parse(payload)
    except ReviewbotError as error:
        assert "\n" not in error.sentences
    else:
        assert event.head_sha == HEAD
        assert event.number > 0


def test_lone_surrogates_in_a_branch_name_are_shown() -> None:
    payload = pull_request()
    payload["pull_request"]["head"]["ref"] = "feature-\ud800"
    assert parse(payload).head_ref == "feature-<U+D800>"
