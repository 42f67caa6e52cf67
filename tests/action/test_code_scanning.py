"""Findings as alerts of code scanning, over real sockets to a fake that keeps GitHub's maximum values."""

import json

import pytest

from reviewbot.publish import code_scanning
from tests.action.test_action import FAULT, NAME, Bench
from tests.github.events import schedule_event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MAY = {"contents": "read", "pull-requests": "write", "security-events": "write"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_scanning, "PAUSES", (0.0, 0.0))


def upload(bench: Bench, **inputs: str) -> int:
    given = {"engine": "analyzers", "upload_sarif": "auto", "github_token": bench.fake.token(permissions=MAY)}
    return bench.on_pull_request(**{**given, **inputs})


def test_a_pull_request_becomes_alerts_at_its_head_in_two_requests_more(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    assert upload(bench) == 1
    [taken] = bench.fake.state.repository(NAME).sarifs
    assert (taken.ref, taken.commit_sha) == ("refs/pull/1/head", head)
    alerts = {
        each["partialFingerprints"]["reviewbotFingerprint/v1"] for each in taken.log["runs"][0]["results"]
    }
    assert alerts == {each["fingerprint"] for each in bench.report["findings"]}
    [sent] = [each for each in bench.fake.requests if each.method == "POST" and "/sarifs" in each.path]
    assert set(sent.json) == {"commit_sha", "ref", "sarif", "tool_name"}
    assert len(bench.fake.api_requests) <= 6 + 2


def test_by_default_code_scanning_is_not_asked(bench: Bench) -> None:
    bench.pull_request(FAULT)
    bench.on_pull_request(engine="analyzers", github_token=bench.fake.token(permissions=MAY))
    assert not any("code-scanning" in each.path for each in bench.fake.requests)


@pytest.mark.parametrize("missing", ["permission", "code scanning"])
def test_where_it_may_not_it_says_so_in_one_sentence_and_the_verdict_stands(
    bench: Bench, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.pull_request(FAULT.replace(", shell=True", ""))
    bench.fake.state.repository(NAME).has_code_scanning = missing == "permission"
    token = bench.fake.token(
        permissions=MAY if missing != "permission" else {**MAY, "security-events": "read"}
    )
    assert upload(bench, github_token=token) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "ode scanning" in line]
    assert len(said) == 1
    assert "`security-events: write`" in said[0]
    assert bench.written["verdict"] == "pass"


def test_what_github_cannot_process_is_said_with_its_own_words(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.pull_request(FAULT)
    held = bench.fake.state.repository(NAME)
    held.sarif_pending, held.sarif_errors = 1, ("locationFromSarifResult: expected a physical location",)
    assert upload(bench) == 1
    assert "expected a physical location" in capsys.readouterr().err
    assert len(bench.fake.api_requests) <= 6 + 3


def test_a_scan_becomes_alerts_of_its_branch_in_a_category_of_its_own(bench: Bench) -> None:
    bench.sandbox.git("switch", "-q", "main")
    tip = bench.sandbox.commit({"app.py": FAULT})
    bench.fake.add_repository(NAME, bench.sandbox.folder)
    token = bench.fake.token(permissions={**MAY, "checks": "write"})
    environment = bench.environment(
        "schedule",
        schedule_event(bench.fake, NAME),
        engine="analyzers",
        upload_sarif="auto",
        github_token=token,
    )
    from reviewbot.action.entrypoint import run_action

    run_action({**environment, "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": tip}, bench.out)
    [taken] = bench.fake.state.repository(NAME).sarifs
    assert (taken.ref, taken.commit_sha) == ("refs/heads/main", tip)
    assert json.dumps(taken.log["runs"][0]["automationDetails"]) == '{"id": "reviewbot-scan/"}'


def test_another_value_is_an_error(bench: Bench) -> None:
    bench.pull_request(FAULT)
    assert upload(bench, upload_sarif="always") == 2
