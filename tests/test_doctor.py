import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reviewbot import doctor
from reviewbot.doctor import run_doctor
from reviewbot.evidence.analyzers import run_analyzers
from reviewbot.testing import ScriptedModel
from tests.agents.fake_api import Answer
from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox

OPUS = "claude-opus-5-5"
ONLY_RUFF = "analyzers: [ruff]\n"


@pytest.fixture
def clean(sandbox: Sandbox) -> Sandbox:
    sandbox.commit({"a.txt": "1\n", ".github/reviewbot.yml": ONLY_RUFF})
    sandbox.commit({"a.txt": "2\n"})
    return sandbox


def examine(folder: Path, environment: Mapping[str, str]) -> tuple[int, list[str]]:
    out = io.StringIO()
    code = run_doctor(environment, folder, out)
    return code, out.getvalue().splitlines()


def asking(model: ScriptedModel, **more: str) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": "sk-ant-secret", "ANTHROPIC_BASE_URL": model.base_url, **more}


def lines_of(name: str, lines: list[str]) -> list[str]:
    return [line for line in lines if line[6:].startswith(name)]


def test_where_nothing_is_missing_every_line_is_ok_or_a_note_and_no_token_is_spent(clean: Sandbox) -> None:
    with ScriptedModel("reader") as model:
        code, lines = examine(clean.folder, asking(model))
        assert model.requests == [] and model.refused == []
    assert code == 0
    assert [line[:4].strip() for line in lines] == ["ok"] * 4 + ["note"] + ["ok"] * 3 + ["note", "ok"]
    assert [line.split(": ")[0][19:] for line in lines_of("model", lines)] == [
        "claude-haiku-5-5 (triage)",
        "claude-sonnet-5-5 (test_fix)",
        "claude-opus-5-5 (security, verify)",
    ]
    assert "sk-ant-secret" not in "".join(lines)
    assert lines_of("github", lines) == [
        "note  github       Not checked: GITHUB_TOKEN is not set. Only `reviewbot action` needs it."
    ]


def test_a_repository_without_a_policy_is_told_of_by_the_files_name(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a.txt": "1\n"})
    told = "no .github/reviewbot.yml at {}, so the built-in values hold."
    _, lines = examine(sandbox.folder, {})
    assert lines_of("policy", lines) == [f"ok    policy       Head: {told.format(first[:12])}"]

    second = sandbox.commit({"a.txt": "2\n"})
    _, lines = examine(sandbox.folder, {})
    assert lines_of("policy", lines) == [
        f"ok    policy       Head: {told.format(second[:12])}",
        f"ok    policy       Base, which reviews read: {told.format(first[:12])}",
    ]


def test_every_analyzer_is_run_on_a_sample_of_its_own(sandbox: Sandbox) -> None:
    sandbox.commit({"a.txt": "1\n"})
    code, lines = examine(sandbox.folder, {})
    assert code == 0
    assert [line[19:] for line in lines_of("analyzer", lines)] == [
        "ruff runs.",
        "zizmor runs.",
        "hadolint runs.",
        "detect-secrets runs.",
    ]


def test_an_analyzer_that_is_not_installed_is_missing(
    clean: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "run_analyzers", partial(run_analyzers, program_folders=[tmp_path]))
    code, lines = examine(clean.folder, {})
    assert code == 2
    assert lines_of("analyzer", lines) == [
        "FAIL  analyzer     ruff is not installed. Install reviewbot again with its dependencies, or leave it "
        "out of `analyzers` in the policy."
    ]


@pytest.mark.parametrize(
    ("environment", "policy", "code", "words"),
    [
        (
            {},
            "",
            0,
            "note  credentials  The model agents did not run: no Anthropic credentials are set here. Set",
        ),
        ({"CI": "true"}, "", 2, "FAIL  credentials  No Anthropic credentials are set, and in CI"),
        ({}, "engine: claude\n", 2, "FAIL  credentials  The engine `claude` needs Anthropic credentials"),
        (
            {"CI": "true"},
            "engine: analyzers\n",
            0,
            "note  credentials  Not needed: the engine is `analyzers`.",
        ),
        (
            {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://example.org"},
            "",
            2,
            "FAIL  credentials  The base URL of the Anthropic API cannot be used.",
        ),
    ],
)
def test_credentials_are_missing_where_the_engine_needs_them(
    sandbox: Sandbox, environment: dict[str, str], policy: str, code: int, words: str
) -> None:
    sandbox.commit({".github/reviewbot.yml": ONLY_RUFF + policy})
    sandbox.commit({"a.txt": "2\n"})
    ended, lines = examine(sandbox.folder, environment)
    assert ended == code
    assert any(line.startswith(words) for line in lines), lines


def test_a_leftover_key_that_beats_federation_is_told(clean: Sandbox) -> None:
    with ScriptedModel("reader") as model:
        code, lines = examine(clean.folder, asking(model, ANTHROPIC_FEDERATION_RULE_ID="fdrl_1"))
    assert code == 0
    assert lines_of("credentials", lines) == [
        "ok    credentials  ANTHROPIC_API_KEY.",
        "note  credentials  ANTHROPIC_API_KEY is used and ANTHROPIC_FEDERATION_RULE_ID not: unset "
        "ANTHROPIC_API_KEY if that is not what you want.",
    ]


def test_a_proxy_that_adds_the_credentials_needs_none_here(clean: Sandbox) -> None:
    with ScriptedModel("reader", key=None) as model:
        code, lines = examine(clean.folder, {"ANTHROPIC_BASE_URL": model.base_url})
    assert code == 0
    assert "has to add them" in lines_of("credentials", lines)[0]
    assert len(lines_of("model", lines)) == 3


def test_a_wrong_key_is_said_with_what_to_do(clean: Sandbox) -> None:
    with ScriptedModel("reader", key="another") as model:
        code, lines = examine(clean.folder, asking(model))
    assert code == 2
    for line in lines_of("model", lines):
        assert line.startswith("FAIL") and "refused the credentials" in line
        assert line.endswith("Check ANTHROPIC_API_KEY, or what takes its place.")


def test_a_provider_that_is_not_there_is_missing(clean: Sandbox) -> None:
    with ScriptedModel("reader") as model:
        environment = asking(model)
    code, lines = examine(clean.folder, environment)
    assert code == 2
    assert all("cannot be reached" in line for line in lines_of("model", lines))


def test_a_retired_and_an_unknown_model_are_missing_and_the_setting_is_named(sandbox: Sandbox) -> None:
    sandbox.commit({".github/reviewbot.yml": ONLY_RUFF + "triage-model: claude-haiku-9\n"})
    sandbox.commit({"a.txt": "2\n"})
    with ScriptedModel("reader", retired=[OPUS]) as model:
        code, lines = examine(sandbox.folder, asking(model))
    assert code == 2
    haiku, sonnet, opus = lines_of("model", lines)
    assert haiku.startswith("FAIL") and "does not know the model claude-haiku-9" in haiku
    assert haiku.endswith("Name a model that this key may use in `triage-model` of the policy.")
    assert sonnet.startswith("ok")
    assert (
        opus
        == f"FAIL  model        {OPUS} (security, verify): it is retired. Name another model in the policy."
    )


def described(**changes: object) -> dict[str, object]:
    yes = {"supported": True}
    capabilities = {"structured_outputs": yes, "effort": {**yes, "medium": yes}}
    return {"type": "model", "id": OPUS, "lifecycle": "active", "capabilities": capabilities, **changes}


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (described(), "ok"),
        (
            described(lifecycle="deprecated", retires_at="2026-11-30T00:00:00Z"),
            "note: it will be retired on 2026-11-30.",
        ),
        (described(lifecycle="retired"), "FAIL: it is retired."),
        (
            described(capabilities={"structured_outputs": {"supported": False}}),
            "FAIL: it has no structured output",
        ),
        (
            described(
                capabilities={"effort": {"supported": False}, "structured_outputs": {"supported": True}}
            ),
            "FAIL: it does not take the effort medium.",
        ),
        ({"type": "model"}, "ok: known, its lifecycle is not told, structured output is not told."),
        (described(lifecycle=["new"], capabilities=7), "ok: known, its lifecycle is not told"),
        (b"<html>", "note: What the provider says of its model is unusable"),
        ([], "note: What the provider says of its model is no model object."),
    ],
)
def test_what_the_provider_says_of_a_model_decides(clean: Sandbox, answer: object, line: str) -> None:
    state, _, words = line.partition(": ")
    with model_page(Answer(answer)) as url:
        code, lines = examine(clean.folder, {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url})
    assert code == (2 if state == "FAIL" else 0)
    found = lines_of("model", lines)
    assert len(found) == 3
    assert all(each.startswith(state) and words in each for each in found), found


@contextmanager
def model_page(answer: Answer) -> Iterator[str]:
    """The address of a server whose every GET gives one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_proxy_without_the_page_of_models_is_no_fault(clean: Sandbox) -> None:
    with model_page(Answer(b"nothing here", 404)) as url:
        code, lines = examine(clean.folder, {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url})
    assert code == 0
    assert all(
        line.startswith("note") and "A first review will tell" in line for line in lines_of("model", lines)
    )


@pytest.mark.parametrize("where", ["base", "head"])
def test_a_policy_that_cannot_be_read_is_named_with_its_line_before_and_after_the_change(
    sandbox: Sandbox, where: str
) -> None:
    bad = {".github/reviewbot.yml": "fail-on: loud\n"}
    sandbox.commit(bad if where == "base" else {"a.txt": "1\n"})
    sandbox.commit({".github/reviewbot.yml": ONLY_RUFF} if where == "base" else bad)
    code, lines = examine(sandbox.folder, {})
    assert code == 2
    [failed] = [line for line in lines if line.startswith("FAIL")]
    assert re.search(r"policy +\.github/reviewbot\.yml:1:1 at [0-9a-f]+: `fail-on` is \"loud\"", failed)
    assert "reviewbot schema policy" in failed


def test_a_folder_without_a_repository_or_without_a_commit_is_said(tmp_path: Path, sandbox: Sandbox) -> None:
    for folder in (tmp_path / "none", sandbox.folder):
        folder.mkdir(exist_ok=True)
        code, lines = examine(folder, {})
        assert code == 2
        assert lines[0].startswith("FAIL  repository")


def test_the_github_token_is_tried_as_far_as_reading_goes(
    clean: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with FakeGitHub() as fake:
        monkeypatch.setenv("SSL_CERT_FILE", str(fake.ca_file))
        fake.add_repository("octo/app", clean.folder)
        environment = {
            "GITHUB_REPOSITORY": "octo/app",
            "GITHUB_API_URL": fake.api_url,
            "GITHUB_GRAPHQL_URL": fake.graphql_url,
        }
        code, lines = examine(clean.folder, {**environment, "GITHUB_TOKEN": fake.token()})
        assert code == 0
        first, second, third, fourth = lines_of("github", lines)
        assert third.endswith("It reads pull requests.")
        assert fourth.startswith("note") and "`actions: read`" in fourth
        assert first.startswith("ok    github       The token reads octo/app")
        assert second.startswith("ok    github       It reads commits (main is at ")
        assert "`pull-requests: write`" in second
        code, lines = examine(clean.folder, {**environment, "GH_TOKEN": "ghs_wrong"})
        assert code == 2
        [refused] = lines_of("github", lines)
        assert refused.startswith("FAIL") and "Check the github-token" in refused
        assert "ghs_wrong" not in refused
        assert fake.refused == []


def test_what_a_repository_is_called_cannot_write_a_second_line_or_a_command(tmp_path: Path) -> None:
    folder = Sandbox(tmp_path / "x\n::error::y").folder
    Sandbox(folder).commit({"a.txt": "1\n"})
    code, lines = examine(folder, {})
    assert code == 0
    assert not any(line.startswith("::") for line in lines)


def test_a_helper_that_is_asked_for_a_token_is_told_and_so_is_a_key_that_is_left_over(
    clean: Sandbox, tmp_path: Path
) -> None:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\necho of-the-helper\n")
    helper.chmod(0o755)
    with ScriptedModel("reader", key="of-the-helper") as model:
        code, lines = examine(clean.folder, asking(model, REVIEWBOT_CREDENTIAL_HELPER=str(helper)))
    assert code == 0
    assert lines_of("credentials", lines) == [
        "ok    credentials  The program that REVIEWBOT_CREDENTIAL_HELPER names is asked for tokens.",
        "note  credentials  REVIEWBOT_CREDENTIAL_HELPER is used and ANTHROPIC_API_KEY not: unset "
        "REVIEWBOT_CREDENTIAL_HELPER if that is not what you want.",
    ]


def test_a_federation_without_an_identity_is_missing_credentials(clean: Sandbox) -> None:
    code, lines = examine(clean.folder, {"ANTHROPIC_FEDERATION_RULE_ID": "fdrl"})
    assert code == 2
    assert lines_of("credentials", lines) == [
        "FAIL  credentials  ANTHROPIC_FEDERATION_RULE_ID is set, but this job has no identity token to "
        "exchange. Give the job `permissions: id-token: write`."
    ]
