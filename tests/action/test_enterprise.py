"""GitHub Enterprise Server: its paths of the API, its own certificate authority, through the whole action."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reviewbot.publish import code_scanning
from tests.action.test_action import FAULT, NAME, Bench
from tests.github.events import workflow_dispatch_event
from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox
from tests.test_doctor import examine, lines_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RIGHTS = {"contents": "read", "pull-requests": "write", "checks": "write", "security-events": "write"}


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("reviewbot.action.entrypoint.owner_to_become", lambda workspace: None)
    monkeypatch.setattr(code_scanning, "PAUSES", (0.0,))
    with FakeGitHub(enterprise=True) as fake:
        monkeypatch.setenv("SSL_CERT_FILE", str(fake.ca_file))
        yield Bench(fake, sandbox, tmp_path)
        assert fake.refused == []


def test_every_request_goes_to_the_servers_own_paths(bench: Bench) -> None:
    bench.pull_request(FAULT)
    token = bench.fake.token(permissions=RIGHTS)
    payload = workflow_dispatch_event(bench.fake, NAME)
    given = {"engine": "analyzers", "github_token": token, "upload_sarif": "auto"}
    assert bench.run("workflow_dispatch", payload, pull_request="1", **given) == 1
    assert len(bench.fake.reviews(NAME, 1)) == 1
    assert len(bench.fake.check_runs(NAME)) == 1
    assert len(bench.fake.state.repository(NAME).sarifs) == 1
    paths = {each.path.partition("/repos/")[0] for each in bench.fake.api_requests}
    assert paths == {"/api/v3", "/api/graphql"}
    assert {each.status for each in bench.fake.api_requests} <= {200, 201, 202}


def test_an_authority_that_nobody_named_is_one_sentence_and_no_review(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pull_request(FAULT)
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    assert bench.on_pull_request(engine="analyzers") == 3
    assert "let SSL_CERT_FILE name" in bench.report["verdict"]["reasons"][0]["detail"]


def test_the_doctor_finds_the_server_and_what_its_token_may_read(bench: Bench) -> None:
    bench.sandbox.commit({".github/reviewbot.yml": "analyzers: [ruff]\nengine: analyzers\n"})
    bench.fake.add_repository(NAME, bench.sandbox.folder)
    named = {
        "GITHUB_REPOSITORY": NAME,
        "GITHUB_API_URL": bench.fake.api_url,
        "GITHUB_GRAPHQL_URL": bench.fake.graphql_url,
    }
    may = bench.fake.token(permissions={**RIGHTS, "actions": "read"})
    _, lines = examine(bench.sandbox.folder, {**named, "GITHUB_TOKEN": may})
    assert [line[:4] for line in lines_of("github", lines)] == ["ok  "] * 4
    assert any("Organisation's policy: none; octo/.github does not exist" in line for line in lines)
    little = bench.fake.token(permissions={"contents": "read"})
    code, lines = examine(bench.sandbox.folder, {**named, "GITHUB_TOKEN": little})
    assert code == 2
    *_, pulls, runs = lines_of("github", lines)
    assert pulls.startswith("FAIL") and "Give the job `pull-requests: write`" in pulls
    assert runs.startswith("note") and "`actions: read`" in runs
