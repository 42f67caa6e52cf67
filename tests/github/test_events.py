"""The payloads are GitHub's shape and speak of the fake's repository."""

import json
from collections.abc import Iterator

import pytest

from tests.github.events import pull_request_event, schedule_event, workflow_dispatch_event
from tests.github.fake import DELETED, FakeGitHub
from tests.repositories import Sandbox


@pytest.fixture
def fake(sandbox: Sandbox) -> Iterator[FakeGitHub]:
    base = sandbox.commit({"a.py": "one\n"})
    sandbox.git("branch", "base")
    head = sandbox.commit({"a.py": "two\n"})
    with FakeGitHub() as started:
        started.add_repository("octo/app", sandbox.folder, default_branch="base", size_kib=7)
        started.add_pull_request("octo/app", 1, base_ref="base", head_sha=head, author="dora")
        assert started.state.repository("octo/app").pulls[1].base_sha == base
        yield started


@pytest.mark.parametrize(
    "action", "opened synchronize reopened ready_for_review edited labeled closed converted_to_draft".split()
)
def test_a_pull_request_event_names_the_commits_of_the_fake_for_each_action(
    fake: FakeGitHub, action: str
) -> None:
    fake.change_pull_request("octo/app", 1, draft=action == "converted_to_draft")
    fake.change_pull_request("octo/app", 1, state="closed" if action == "closed" else "open")
    said = json.loads(pull_request_event(fake, "octo/app", 1, action))
    pull = fake.state.repository("octo/app").pulls[1]
    assert (said["action"], said["number"]) == (action, 1)
    assert said["pull_request"]["head"]["sha"] == pull.head_sha
    assert said["pull_request"]["base"]["sha"] == pull.base_sha
    assert said["pull_request"]["user"]["login"] == said["sender"]["login"] == "dora"
    assert said["repository"]["full_name"] == said["pull_request"]["base"]["repo"]["full_name"] == "octo/app"
    assert said["pull_request"]["head"]["repo"]["full_name"] == "octo/app"
    assert said["repository"]["size"] == 7


def test_no_address_of_the_example_is_left(fake: FakeGitHub) -> None:
    for data in (pull_request_event(fake, "octo/app", 1), workflow_dispatch_event(fake, "octo/app")):
        assert b"api.github.com" not in data
        assert b"/Hello-World" not in data


def test_a_fork_and_a_deleted_fork_are_told_by_the_head_repository(fake: FakeGitHub) -> None:
    head = fake.state.repository("octo/app").pulls[1].head_sha
    fake.add_pull_request("octo/app", 2, base_ref="base", head_sha=head, head_repository="eve/app")
    fake.add_pull_request("octo/app", 3, base_ref="base", head_sha=head, head_repository=DELETED)
    fork = json.loads(pull_request_event(fake, "octo/app", 2))["pull_request"]["head"]["repo"]
    assert (fork["full_name"], fork["fork"]) == ("eve/app", True)
    assert json.loads(pull_request_event(fake, "octo/app", 3))["pull_request"]["head"]["repo"] is None


def test_draft_closed_and_merged_are_in_the_payload(fake: FakeGitHub) -> None:
    fake.change_pull_request("octo/app", 1, draft=True, state="closed", merged=True)
    said = json.loads(pull_request_event(fake, "octo/app", 1, "closed"))["pull_request"]
    assert (said["draft"], said["state"], said["merged"]) == (True, "closed", True)


def test_an_edited_base_is_said_in_the_changes(fake: FakeGitHub) -> None:
    changes = {"base": {"ref": {"from": "old"}, "sha": {"from": "0" * 40}}}
    assert (
        json.loads(pull_request_event(fake, "octo/app", 1, "edited", changes=changes))["changes"] == changes
    )


def test_a_payload_that_breaks_the_schema_is_not_handed_out(fake: FakeGitHub) -> None:
    with pytest.raises(ValueError, match="changes"):
        pull_request_event(fake, "octo/app", 1, "edited", changes={"colour": "red"})


def test_a_payload_that_contradicts_its_action_is_not_handed_out(fake: FakeGitHub) -> None:
    with pytest.raises(ValueError, match="draft"):
        pull_request_event(fake, "octo/app", 1, "converted_to_draft")


def test_a_manual_run_carries_its_inputs_or_null(fake: FakeGitHub) -> None:
    said = json.loads(workflow_dispatch_event(fake, "octo/app", {"pull-request": "1"}, actor="mia"))
    assert (said["inputs"], said["ref"], said["sender"]["login"]) == (
        {"pull-request": "1"},
        "refs/heads/base",
        "mia",
    )
    assert json.loads(workflow_dispatch_event(fake, "octo/app"))["inputs"] is None


def test_a_scheduled_run_names_its_repository(fake: FakeGitHub) -> None:
    said = json.loads(schedule_event(fake, "octo/app"))
    assert said["schedule"]
    assert said["repository"]["default_branch"] == "base"
