"""Every example workflow, run on the fake GitHub with the rights and the inputs it has, and no others."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reviewbot.testing import ScriptedModel
from tests.action.test_action import CLEAN, NAME, Bench
from tests.action.test_yml import REVIEWS, ROOT, load, named
from tests.change.test_artifacts import zipped
from tests.github.events import (
    comment_event,
    merge_group_event,
    pull_request_event,
    push_event,
    schedule_event,
    workflow_dispatch_event,
    workflow_run_event,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WORKFLOWS = [*REVIEWS, ROOT / ".github/workflows/dogfood.yml"]


@pytest.fixture
def bench(bench: Bench) -> Iterator[Bench]:
    yield bench
    # A job without the right to write finds that out by trying; all that is read must be allowed.
    said = {
        (each.method, each.path.rpartition("/")[2]) for each in bench.fake.api_requests if each.status >= 400
    }
    assert said <= {("POST", "comments")}


def payloads(bench: Bench, head: str) -> dict[str, Callable[[], bytes]]:
    """A payload of every event that an example may name."""
    fake = bench.fake

    def comment() -> bytes:
        fake.state.repository(NAME).collaborators = {"mona": "write"}
        return comment_event(fake, NAME, 1, fake.add_issue_comment(NAME, 1, "mona", "/reviewbot review"))

    def after_tests() -> bytes:
        reports = zipped({"tests.xml": '<testsuite name="t"><testcase name="a" classname="b"/></testsuite>'})
        fake.add_artifact(NAME, "test-reports", reports)
        return workflow_run_event(fake, NAME, 1)

    return {
        "pull_request": lambda: pull_request_event(fake, NAME, 1),
        "pull_request_target": lambda: pull_request_event(fake, NAME, 1),
        "merge_group": lambda: merge_group_event(fake, NAME, bench.base, head),
        "push": lambda: push_event(fake, NAME, "feature", bench.base, head),
        "schedule": lambda: schedule_event(fake, NAME),
        "workflow_dispatch": lambda: workflow_dispatch_event(fake, NAME),
        "issue_comment": comment,
        "workflow_run": after_tests,
    }


def evaluate(text: str, typed: dict[str, str]) -> str:
    """What the runner makes of an expression: secrets that are set, and what somebody typed."""
    found = re.fullmatch(r"\$\{\{ (secrets|inputs)\.([\w-]+) \}\}", text)
    if found is None:
        assert "${{" not in text
        return text
    return typed.get(found[2], "") if found[1] == "inputs" else f"a-secret-{found[2]}"


def run_workflow(bench: Bench, file: Path, event: str, payload: bytes, **typed: str) -> int:
    """Run the one job of a workflow file on an event of it."""
    [job] = load(file)["jobs"].values()
    [ours] = [step for step in job["steps"] if step["uses"] == "./" or "/reviewbot@" in step["uses"]]
    given = {
        name.replace("-", "_"): evaluate(str(value), typed) for name, value in ours.get("with", {}).items()
    }
    token = bench.fake.token(permissions=job["permissions"])
    with ScriptedModel("skipper") as model:
        if "anthropic_api_key" in given:
            given["base_url"] = model.base_url
        return bench.run(event, payload, github_token=token, **given)


@pytest.mark.parametrize("file", WORKFLOWS, ids=named)
def test_every_example_reviews_with_exactly_the_rights_it_asks_for(bench: Bench, file: Path) -> None:
    head = bench.pull_request(CLEAN)
    events: dict[str, Any] = load(file)[True]
    made = payloads(bench, head)
    for event in events:
        typed = {"pull-request": "1"} if event == "workflow_dispatch" else {}
        assert run_workflow(bench, file, event, made[event](), **typed) == 0, (event, bench.report["verdict"])
        assert bench.written["verdict"] == "pass", event
        refused = [each for each in bench.fake.api_requests if each.status >= 400]
        [job] = load(file)["jobs"].values()
        assert bool(refused) == (job["permissions"].get("pull-requests") == "read")
        assert bench.report["coverage"]["files"]


def test_the_manual_example_reviews_two_commits_too(bench: Bench) -> None:
    head = bench.pull_request(CLEAN)
    file = ROOT / ".github/examples/manual.yml"
    payload = workflow_dispatch_event(bench.fake, NAME)
    assert run_workflow(bench, file, "workflow_dispatch", payload, base="main", head=head) == 0
    assert bench.fake.check_runs(NAME)[0].name == "reviewbot range"
