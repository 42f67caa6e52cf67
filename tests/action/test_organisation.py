"""The policy that an organisation's `.github` repository holds for all of its repositories."""

import pytest

from tests.action.test_action import FAULT, NAME, Bench
from tests.github.events import pull_request_event, push_event
from tests.repositories import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHARED = "octo/.github"
POLICY = ".github/reviewbot.yml"


def share(bench: Bench, files: dict[str, str | bytes]) -> None:
    """The organisation's repository holds these files."""
    (bench.folder / "shared").mkdir()
    there = Sandbox(bench.folder / "shared")
    there.commit(files)
    bench.fake.add_repository(SHARED, there.folder)


def notes(bench: Bench) -> str:
    [summary] = [each.body for each in bench.fake.issue_comments(NAME, 1)]
    return summary.replace("`", "")


def test_it_holds_where_the_repository_says_nothing_and_costs_no_request(bench: Bench) -> None:
    bench.pull_request(FAULT)
    share(bench, {POLICY: "fail-on: critical\n"})
    assert bench.on_pull_request(engine="analyzers") == 0
    assert f"Organisation's policy: {SHARED}/{POLICY} at " in notes(bench)
    assert len(bench.fake.api_requests) <= 6


def test_the_repository_beats_it_and_inputs_tighten_it(bench: Bench) -> None:
    bench.sandbox.git("switch", "-q", "main")
    bench.base = bench.sandbox.commit({POLICY: "fail-on: high\n"})
    bench.sandbox.git("switch", "-q", "feature")
    bench.sandbox.git("rebase", "-q", "main")
    bench.pull_request(FAULT)
    share(bench, {POLICY: "fail-on: critical\nengine: analyzers\n"})
    assert bench.on_pull_request() == 1
    assert bench.report["verdict"]["reasons"][0]["code"] == "blocking_findings"


def test_an_input_may_only_make_it_stricter(bench: Bench) -> None:
    bench.pull_request(FAULT)
    share(bench, {POLICY: "fail-on: high\nengine: analyzers\n"})
    assert bench.on_pull_request(fail_on="critical") == 1
    assert "did not count" in notes(bench)
    assert bench.on_pull_request(fail_on="low") == 1


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no repository", f"none; {SHARED} does not exist or is hidden."),
        ("hidden", f"none; {SHARED} does not exist or is hidden."),
        ("no file", f"none; {SHARED} holds no {POLICY}."),
    ],
)
def test_which_case_held_is_a_line_of_the_report(bench: Bench, case: str, says: str) -> None:
    bench.pull_request(FAULT)
    if case != "no repository":
        share(bench, {"README.md": "x\n"} if case == "no file" else {POLICY: "fail-on: critical\n"})
        bench.fake.state.repository(SHARED).is_hidden = case == "hidden"
    assert bench.on_pull_request(engine="analyzers") == 1
    assert f"Organisation's policy: {says}" in notes(bench)


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ("fail-onn: low\n", f"{SHARED}/{POLICY}:1:1 at "),
        (b"\0\1\2", "no text"),
        ("#" * 600_000, "too long"),
    ],
    ids=["unknown key", "binary", "too long"],
)
def test_a_broken_one_is_an_error_that_names_the_file(bench: Bench, held: str | bytes, says: str) -> None:
    bench.pull_request(FAULT)
    share(bench, {POLICY: held})
    assert bench.on_pull_request(engine="analyzers") == 2
    [reason] = bench.report["verdict"]["reasons"]
    assert (reason["code"], says in reason["detail"]) == ("bad_policy", True)


def test_a_push_reads_it_in_one_request_more(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    payload = push_event(bench.fake, NAME, "feature", bench.base, head)
    token = bench.fake.token(permissions={"contents": "read", "checks": "write"})
    assert bench.run("push", payload, engine="analyzers", github_token=token) == 1
    before = len(bench.fake.api_requests)
    share(bench, {POLICY: "fail-on: critical\n"})
    assert bench.run("push", payload, engine="analyzers", github_token=token) == 0
    assert len(bench.fake.api_requests) == 2 * before
    assert [each.method for each in bench.fake.api_requests if each.path == "/graphql"] == ["POST", "POST"]


def test_what_github_refuses_of_it_alone_is_said_and_stops_nothing(bench: Bench) -> None:
    bench.pull_request(FAULT)
    share(bench, {POLICY: "fail-on: critical\n"})
    token = bench.fake.token(permissions={"pull-requests": "write", "contents": "read"})
    bench.fake.state.repository(SHARED).is_saml_locked = True
    payload = pull_request_event(bench.fake, NAME, 1)
    assert bench.run("pull_request", payload, engine="analyzers", github_token=token) == 1
    assert f"{SHARED} cannot be read (GitHub refused the token: Resource protected" in notes(bench)
