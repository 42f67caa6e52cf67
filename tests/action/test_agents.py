"""The action with all three agents on real changes: a fake GitHub at one end, a scripted model at the other.

Both are real sockets, and both refuse what the real ones refuse. What is expected comes from the data: a
fault is planted at a line that the test knows, the failed tests are those of the real report, and the
dollars are those that the model's own ledger counted.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

from reviewbot.testing import ScriptedModel
from tests.action.test_action import NAME, READ_ONLY, Bench
from tests.github.events import schedule_event, workflow_dispatch_event
from tests.real_changes import Files, RealChange, failing_tests, pull_requests, vulnerabilities
from tests.test_agents_end_to_end import is_read, plant, real_changes

pytestmark = [pytest.mark.shared_data, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

JUNIT = {"junit": "results/*.xml"}
MAY_CHECK = {"contents": "read", "pull-requests": "write", "checks": "write"}


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel("reader") as model:
        yield model
        assert model.refused == []


def open_pull_request(bench: Bench, change: RealChange, **options: Any) -> tuple[str, str]:
    """Pull request 1 is this change, and the workspace has its test report; returns base and head."""
    base, head = change.commit(bench.sandbox)
    bench.sandbox.git("branch", "-f", "main", base)
    bench.sandbox.git("switch", "-q", "main")
    bench.fake.add_repository(NAME, bench.sandbox.folder)
    bench.fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head, **options)
    if change.junit:
        (bench.workspace / "results").mkdir()
        (bench.workspace / "results/junit.xml").write_text(change.junit)
    return base, head


def asking(model: ScriptedModel, **inputs: str) -> dict[str, str]:
    """The inputs of a run that asks the model."""
    return {
        "anthropic_api_key": "sk-test",
        "base_url": model.base_url,
        "state_key": "0123456789abcdef",
        **inputs,
    }


def first_change(kind: Iterator[RealChange]) -> RealChange:
    found = next(filter(is_read, kind), None)
    if found is None:
        pytest.skip("the folder of real data is not beside the checkout")
    return found


@pytest.fixture
def planted(shared_data: Path) -> tuple[RealChange, str, int]:
    """A real change with a fault in it, and where that is."""
    return plant(first_change(vulnerabilities()))


@pytest.fixture
def failing(shared_data: Path) -> RealChange:
    """A real change that breaks tests."""
    return first_change(failing_tests())


def posted(bench: Bench) -> list[tuple[str, int, str]]:
    return [(each.path, each.line, each.body) for each in bench.fake.review_comments(NAME, 1)]


def has_comment(bench: Bench, path: str, line: int) -> bool:
    """Whether the security agent's finding stands at this line of the pull request."""
    return any((at, number) == (path, line) and "security/" in body for at, number, body in posted(bench))


def statuses(bench: Bench) -> set[int]:
    return {each.status for each in bench.fake.api_requests}


def assert_quotes_stand(bench: Bench, head: Files, base: Files) -> None:
    """What an agent's finding quotes is what the file has at its lines."""
    said = [each for each in bench.report["findings"] if each["source"] == "agent"]
    assert said
    for finding in said:
        text = (head if finding["side"] == "RIGHT" else base)[finding["path"]]
        lines = text.split("\n")[finding["start_line"] - 1 : finding["end_line"]]
        assert finding["quote"].strip() == "\n".join(lines).strip() != ""


def assert_ledger_is_whole(bench: Bench, base: str, head: str) -> None:
    """Every file that git says was changed has one row with git's numbers, and all were read."""
    rows = bench.report["coverage"]["files"]
    counted = {row["path"]: (row["added_lines"], row["deleted_lines"]) for row in rows}
    assert counted == bench.sandbox.numstat(base, head)
    assert len(rows) == len(counted)
    assert {row["status"] for row in rows} <= {"reviewed", "triaged"}


def assert_costs_agree(bench: Bench, usd: float) -> None:
    """The report, its agents and the output say what the model's own ledger says, to the nano-dollar."""
    cost = bench.report["cost"]
    assert cost["complete"] is True
    assert round(cost["usd"], 9) == round(usd, 9) > 0
    assert round(sum(agent["usd"] for agent in bench.report["agents"]), 9) == round(usd, 9)
    assert bench.written["cost-usd"] == f"{usd:.4f}"


@pytest.mark.parametrize("change", real_changes(), ids=lambda change: change.name)
def test_a_fault_in_a_real_change_is_commented_at_its_line_and_only_once(
    bench: Bench, model: ScriptedModel, change: RealChange
) -> None:
    planted, path, line = plant(change)
    base, head = open_pull_request(bench, planted)
    given = asking(model, **(JUNIT if change.junit else {}))

    assert bench.on_pull_request(**given) == 1
    first, requests, usd = posted(bench), len(bench.fake.api_requests), model.usd
    assert has_comment(bench, path, line)
    assert bench.written["verdict"] == bench.report["verdict"]["conclusion"] == "fail"
    assert {"blocking_findings"} == set(bench.codes)
    blocking = [finding for finding in bench.report["findings"] if finding["blocking"]]
    assert ("security", path, line) in {
        (finding["rule"].partition("/")[0], finding["path"], finding["end_line"]) for finding in blocking
    }
    assert len(blocking) == int(bench.written["blocking"])
    agents = bench.report["agents"]
    assert {agent["stop"] for agent in agents} == {"done"}
    expected = {"triage", "security", *(["test_fix"] if change.junit else [])}
    assert {agent["name"] for agent in agents} - {"verify"} == expected  # verify doubts what others found
    assert_quotes_stand(bench, planted.head, planted.base)
    assert_ledger_is_whole(bench, base, head)
    assert_costs_agree(bench, usd)
    assert requests <= 6

    assert bench.on_pull_request(**given) == 1
    assert posted(bench) == first
    assert [len(bench.fake.reviews(NAME, 1)), len(bench.fake.issue_comments(NAME, 1))] == [1, 1]
    assert bench.report["cost"]["usd"] == pytest.approx(model.usd - usd, abs=1e-6)
    if not change.junit:  # tests that still fail are explained anew; what security read is not read again
        assert {agent["name"] for agent in bench.report["agents"]} <= {"triage"}
    assert len(bench.fake.api_requests) - requests <= 6
    assert statuses(bench) <= {200, 201}


@pytest.mark.parametrize("change", real_changes()[-4:], ids=lambda each: each.name)
def test_failed_tests_of_a_real_run_are_explained_on_the_pull_request_and_block_nothing(
    bench: Bench, model: ScriptedModel, change: RealChange
) -> None:
    open_pull_request(bench, change)
    code = bench.on_pull_request(**asking(model, **JUNIT))
    report = bench.report
    failed = [finding for finding in report["findings"] if finding["source"] == "junit"]
    explained = [finding for finding in report["findings"] if finding["rule"].startswith("test_fix/")]
    assert failed
    assert explained
    assert {finding["path"] for finding in explained} <= set(change.head)
    assert not any(finding["blocking"] for finding in (*failed, *explained))
    assert code == report["verdict"]["exit_code"]
    assert_quotes_stand(bench, change.head, change.base)
    assert_costs_agree(bench, model.usd)
    in_diff = [(finding["path"], finding["end_line"]) for finding in explained if finding["in_diff"]]
    assert set(in_diff) <= {(path, line) for path, line, _ in posted(bench)}
    assert statuses(bench) <= {200, 201}


def test_a_fork_gets_no_model_and_is_neutral_with_its_failed_tests_as_annotations(
    bench: Bench, model: ScriptedModel, failing: RealChange
) -> None:
    open_pull_request(bench, failing, head_repository="mallory/app")
    token = bench.fake.token(permissions=READ_ONLY)
    # The runner hands no secret to such a run, so the inputs that name one arrive empty.
    given = {"junit": "results/*.xml", "base_url": "", "anthropic_api_key": "", "state_key": ""}
    assert bench.on_pull_request(github_token=token, **given) == 0
    assert_neutral_without_secrets(bench)
    assert bench.report["trigger"]["is_fork"] is True
    assert model.requests == []


def test_dependabot_gets_no_model_and_is_neutral_with_annotations(bench: Bench, failing: RealChange) -> None:
    open_pull_request(bench, failing, author="dependabot[bot]")
    token = bench.fake.token(permissions=READ_ONLY)
    assert bench.on_pull_request(github_token=token, junit="results/*.xml") == 0
    assert_neutral_without_secrets(bench)
    assert bench.report["trigger"]["is_fork"] is False
    # The one refused answer is how the run learns that it may not write.
    assert [each.status for each in bench.fake.api_requests if each.status >= 400] == [403]


def assert_neutral_without_secrets(bench: Bench) -> None:
    assert bench.written["verdict"] == "incomplete"
    assert bench.codes == ["no_secrets"]
    assert [*bench.fake.reviews(NAME, 1), *bench.fake.issue_comments(NAME, 1)] == []
    failed = [finding for finding in bench.report["findings"] if finding["source"] == "junit"]
    annotated = re.findall(r"^::warning file=(.+?),line=(\d+),", bench.out.getvalue(), re.MULTILINE)
    assert failed
    assert {(each["path"], str(each["start_line"])) for each in failed if each["path"]} <= set(annotated)
    assert re.search(r"^::notice title=reviewbot::incomplete \(neutral\)", bench.out.getvalue(), re.MULTILINE)
    assert "incomplete (neutral)" in bench.summary.read_text()
    assert len(bench.fake.api_requests) <= 6


def test_a_manual_run_of_a_pull_request_asks_the_model_and_gates_by_a_check(
    bench: Bench, model: ScriptedModel, planted: tuple[RealChange, str, int]
) -> None:
    change, path, line = planted
    _, head = open_pull_request(bench, change)
    given = asking(model, pull_request="1", github_token=bench.fake.token(permissions=MAY_CHECK))
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 1
    assert has_comment(bench, path, line)
    assert [(each.head_sha, each.conclusion) for each in bench.fake.check_runs(NAME)] == [(head, "failure")]
    assert_costs_agree(bench, model.usd)
    assert len(bench.fake.api_requests) <= 7  # one more for the check
    assert statuses(bench) <= {200, 201}


@pytest.mark.parametrize("may_check", [True, False], ids=["checks: write", "no checks"])
def test_a_manual_run_between_two_commits_asks_the_model_and_says_what_gates(
    bench: Bench, model: ScriptedModel, planted: tuple[RealChange, str, int], may_check: bool
) -> None:
    change, path, line = planted
    base, head = open_pull_request(bench, change)
    token = bench.fake.token(permissions=MAY_CHECK if may_check else {"contents": "read"})
    given = asking(model, base=base, head=head, github_token=token)
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 1
    checks = [(each.head_sha, each.conclusion) for each in bench.fake.check_runs(NAME)]
    assert checks == ([(head, "failure")] if may_check else [])
    said = "The gate is the check run" if may_check else "This review is advisory"
    assert said in bench.summary.read_text()
    assert f"::error file={path},line={line}," in bench.out.getvalue()
    assert posted(bench) == []
    assert_ledger_is_whole(bench, base, head)
    assert_costs_agree(bench, model.usd)


def plant_faults() -> tuple[Files, set[tuple[str, int]]]:
    """The files of a few real changes, a fault planted in each change, and the places of the faults."""
    files: Files = {}
    places: set[tuple[str, int]] = set()
    for change in islice(filter(is_read, vulnerabilities()), 6):
        planted, path, line = plant(change)
        if not files.keys() & planted.head.keys():
            files |= planted.head
            places.add((path, line))
    return files, places


def commit_tree(bench: Bench, files: Files) -> str:
    """The default branch is a tree of these files, and nothing else; returns its commit."""
    for path in bench.sandbox.git("ls-files").splitlines():
        bench.sandbox.remove(path)
    head = bench.sandbox.commit(files)
    bench.sandbox.git("branch", "-f", "main", head)
    bench.sandbox.git("switch", "-q", "main")
    bench.fake.add_repository(NAME, bench.sandbox.folder)
    return head


def scan(bench: Bench, model: ScriptedModel, **inputs: str) -> int:
    token = bench.fake.token(permissions={**MAY_CHECK, "issues": "write"})
    given = asking(model, github_token=token, **inputs)
    return bench.run("schedule", schedule_event(bench.fake, NAME), **given)


def test_a_scheduled_scan_asks_the_model_and_gates_nothing(
    bench: Bench, model: ScriptedModel, shared_data: Path
) -> None:
    files, places = plant_faults()
    head = commit_tree(bench, files)
    assert scan(bench, model) == 0
    report = bench.report
    assert report["verdict"]["conclusion"] == "pass"
    assert report["verdict"]["blocking"] == []
    assert {finding["status"] for finding in report["findings"]} == {"known"}
    severe = [finding for finding in report["findings"] if finding["rule"].startswith("security/")]
    assert len(places) >= 3
    assert places <= {(finding["path"], finding["end_line"]) for finding in severe}
    assert_quotes_stand(bench, files, {})
    assert_ledger_is_whole(bench, bench.sandbox.git("hash-object", "-t", "tree", "/dev/null"), head)
    assert_costs_agree(bench, model.usd)
    assert [(each.head_sha, each.conclusion) for each in bench.fake.check_runs(NAME)] == [(head, "success")]
    assert report["trigger"]["kind"] == "schedule"
    assert len(bench.fake.api_requests) <= 8  # two look for the issue of scans, two open it
    assert statuses(bench) <= {200, 201}


def test_a_scan_that_ends_at_its_budget_is_neutral_and_begins_with_the_share_it_read(
    bench: Bench, model: ScriptedModel, shared_data: Path
) -> None:
    several = (vulnerabilities(("Go",)), *map(pull_requests, ("Go", "TypeScript", "JavaScript")))
    files = {
        path: text for change in chain(vulnerabilities(), *several) for path, text in change.head.items()
    }
    folders = {str(folder) for path in files for folder in Path(path).parents}
    head = commit_tree(bench, {path: text for path, text in files.items() if path not in folders})
    # Enough for the first task of the security agent, and not for the worst case of the next one.
    assert scan(bench, model, budget_usd="0.70") == 0
    report = bench.report
    assert (report["verdict"]["conclusion"], bench.codes) == ("incomplete", ["budget"])
    stops = [agent["stop"] for agent in report["agents"] if agent["name"] == "security"]
    assert {"done", "usd"} == set(stops)
    assert_costs_agree(bench, model.usd)
    assert model.usd <= 0.70

    rows = [row for row in report["coverage"]["files"] if row["status"] != "excluded"]
    read = [row for row in rows if row["status"] != "unreviewed"]
    by_agent = [finding for finding in report["findings"] if finding["source"] == "agent"]
    assert {finding["status"] for finding in report["findings"]} == {"known"}
    assert {finding["path"] for finding in by_agent} <= {row["path"] for row in read}
    assert by_agent

    share = sum(row["added_lines"] for row in read) / sum(row["added_lines"] for row in rows)
    assert 0 < share < 1
    said = f"incomplete (neutral): {int(100 * share)}% of the lines and {len(read)} of {len(rows)} files were read"
    [check] = bench.fake.check_runs(NAME)
    assert (check.head_sha, check.conclusion) == (head, "neutral")
    assert said in str(check.output["title"])
    assert said in bench.summary.read_text().split("\n")[0]
    annotated = said.replace("%", "%25")
    assert f"::notice title=reviewbot::{annotated}" in bench.out.getvalue()
    assert len(bench.fake.api_requests) <= 8
    assert statuses(bench) <= {200, 201}
