"""Credentials over real sockets: GitHub's identity service, the token endpoint, and a helper that is run."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from reviewbot.agents.api import federation as federation_module
from reviewbot.agents.api.claude import Ask, ModelError, Reply, connect
from reviewbot.agents.api.credential_helper import HelperFailed, parse_helper, parse_refresh, run_helper
from reviewbot.errors import MissingCredentials, UsageError
from reviewbot.testing import Federation, ScriptedModel

ORGANIZATION = "00000000-0000-0000-0000-000000000001"


class Job:
    """GitHub's identity service as a job sees it: a new token for each request, bound to its audience."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.statuses = list(statuses)
        self.given: list[str] = []
        self.url = ""

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        query = parse_qs(urlsplit(path).query)
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return status, b"<html>"
        if authorization != "bearer job-token" or query.get("api-version") != ["2.0"]:
            return 401, b"{}"
        self.given.append(f"jwt-{len(self.given) + 1}-for-{query['audience'][0]}")
        return 200, json.dumps({"count": 1, "value": self.given[-1]}).encode()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/idtoken?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-token",
        }


@contextmanager
def running(job: Job) -> Iterator[Job]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = job.answer(self.path, self.headers.get("authorization", ""))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    job.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield job
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federation_module, "PAUSES", (0.0, 0.0))


def an_ask() -> Ask:
    return Ask(
        model="claude-haiku-5-5",
        max_tokens=100,
        system=(),
        tools=(),
        messages=[{"role": "user", "content": "Say nothing."}],
        effort="low",
        schema=None,
        seconds=20,
    )


async def ask_twice(environment: Mapping[str, str], between: object = None) -> list[Reply]:
    claude = connect(environment)
    try:
        first = await claude.ask(an_ask())
        if callable(between):
            between()
        return [first, await claude.ask(an_ask())]
    finally:
        await claude.aclose()


def federated(model: ScriptedModel, job: Job, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": model.base_url,
        "ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1",
        "ANTHROPIC_ORGANIZATION_ID": ORGANIZATION,
        **job.environment,
        **more,
    }


def for_api(token: str) -> bool:
    return token.endswith("-for-https://api.anthropic.com")


def test_a_jobs_identity_is_fetched_and_exchanged_once_for_calls_that_follow_each_other() -> None:
    rule = Federation("fdrl_1", ORGANIZATION, takes=for_api)
    with running(Job()) as job, ScriptedModel("skipper", federation=rule) as model:
        replies = asyncio.run(ask_twice(federated(model, job)))
        assert (len(replies), model.refused) == (2, [])
    assert (rule.exchanged, len(rule.minted)) == (job.given, 1)


def test_a_token_that_is_about_to_expire_is_replaced_with_a_fresh_identity() -> None:
    rule = Federation("fdrl_1", ORGANIZATION, seconds=20)
    with running(Job()) as job, ScriptedModel("skipper", federation=rule) as model:
        asyncio.run(ask_twice(federated(model, job)))
    assert len(set(job.given)) == len(rule.minted) == 2


def test_a_token_that_was_revoked_is_exchanged_again_after_the_401() -> None:
    rule = Federation("fdrl_1", ORGANIZATION)
    with running(Job()) as job, ScriptedModel("skipper", federation=rule) as model:
        replies = asyncio.run(ask_twice(federated(model, job), rule.revoke))
        assert len(replies) == 2
        assert model.requests[-1].status == 200
    assert len(job.given) == len(rule.minted) == 2


def test_an_identity_service_or_exchange_that_fails_for_a_moment_is_asked_again() -> None:
    rule = Federation("fdrl_1", ORGANIZATION, failures=[500, 503])
    with running(Job([503])) as job, ScriptedModel("skipper", federation=rule) as model:
        asyncio.run(ask_twice(federated(model, job)))
    assert len(rule.minted) == 1


@pytest.mark.parametrize(
    ("statuses", "rule", "words"),
    [
        ([403], Federation("fdrl_1", ORGANIZATION), "id-token: write"),
        ([500] * 9, Federation("fdrl_1", ORGANIZATION), "HTTP 500"),
        ([], Federation("fdrl_1", ORGANIZATION, takes=lambda _: False), "federation rule matches"),
        ([], Federation("another", ORGANIZATION), "Token exchange failed"),
    ],
)
def test_a_federation_that_does_not_work_is_bad_credentials_without_any_token_in_the_sentence(
    statuses: list[int], rule: Federation, words: str
) -> None:
    with running(Job(statuses)) as job, ScriptedModel("skipper", federation=rule) as model:
        with pytest.raises(ModelError) as caught:
            asyncio.run(ask_twice(federated(model, job)))
        assert model.requests == []
    assert caught.value.code == "bad_credentials"
    assert words in caught.value.detail
    assert not any(secret in caught.value.detail for secret in ("job-token", "jwt-"))


def test_an_identity_that_stands_in_a_file_is_read_for_each_exchange(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    rule = Federation("fdrl_1", ORGANIZATION, seconds=20)
    with ScriptedModel("skipper", federation=rule) as model:
        environment = federated(model, Job(), ANTHROPIC_IDENTITY_TOKEN_FILE=str(path))
        asyncio.run(ask_twice(environment, lambda: path.write_text("second\n")))
    assert rule.exchanged == ["first", "second"]


def test_a_federation_without_an_organization_or_an_https_address_is_an_error_of_the_user() -> None:
    named = {"ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    with pytest.raises(MissingCredentials, match="ANTHROPIC_ORGANIZATION_ID is not"):
        connect({**named, "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"})
    with pytest.raises(MissingCredentials, match="no https address"):
        connect(
            {**named, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://x", "ANTHROPIC_ORGANIZATION_ID": ORGANIZATION}
        )
    with pytest.raises(MissingCredentials, match="no identity token"):
        connect({"ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1"})


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
@pytest.mark.parametrize("secret", ["one\ntwo", "a b", "schl\u00fcssel", "x\x00"])
def test_a_mangled_secret_is_an_error_of_the_user_and_no_outage_that_lets_merge(
    name: str, secret: str
) -> None:
    with pytest.raises(MissingCredentials, match=f"{name} holds") as caught:
        connect({name: secret})
    assert (caught.value.exit_code, caught.value.reason) == (2, "bad_credentials")
    assert secret not in caught.value.sentences


def test_a_secret_with_a_line_break_at_its_end_is_taken_without_it() -> None:
    with ScriptedModel("reader") as model:
        connect({"ANTHROPIC_BASE_URL": model.base_url, "ANTHROPIC_API_KEY": "key\n"})


def test_certificates_that_are_not_there_are_an_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/absent.pem")
    with pytest.raises(UsageError, match="certificates for https cannot be read") as caught:
        connect({"ANTHROPIC_API_KEY": "key"})
    assert "SSL_CERT_FILE" in caught.value.sentences


# The credential helper.


def program(folder: Path, body: str) -> str:
    path = folder / "helper"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def helped(model: ScriptedModel, command: str, **more: str) -> dict[str, str]:
    environment = {"ANTHROPIC_BASE_URL": model.base_url, "REVIEWBOT_CREDENTIAL_HELPER": command, **more}
    return {**environment, "PATH": os.environ["PATH"]}


def counting(folder: Path) -> str:
    return program(folder, f'echo x >> "{folder}/runs"; echo "token-$(wc -l < "{folder}/runs" | tr -d " ")"')


def test_a_helper_is_run_once_until_its_refresh_time_has_passed(tmp_path: Path) -> None:
    with ScriptedModel("skipper", key="token-1") as model:
        asyncio.run(ask_twice(helped(model, counting(tmp_path))))
    assert (tmp_path / "runs").read_text() == "x\n"


def test_a_helper_is_run_again_after_its_refresh_time(tmp_path: Path) -> None:
    with ScriptedModel("skipper", key=lambda token: token.startswith("token-")) as model:
        environment = helped(model, counting(tmp_path), REVIEWBOT_CREDENTIAL_REFRESH="1")
        asyncio.run(ask_twice(environment, lambda: time.sleep(1.2)))
    assert (tmp_path / "runs").read_text() == "x\nx\n"


def test_a_helper_is_run_again_after_a_401(tmp_path: Path) -> None:
    taken = ["token-1"]
    with ScriptedModel("skipper", key=lambda token: token in taken) as model:
        asyncio.run(ask_twice(helped(model, counting(tmp_path)), lambda: taken.__setitem__(0, "token-2")))
    assert (tmp_path / "runs").read_text() == "x\nx\n"


def test_a_helper_sees_no_secret_of_the_environment_and_no_folder_of_ours(tmp_path: Path) -> None:
    command = program(tmp_path, f'env > "{tmp_path}/env"; pwd > "{tmp_path}/cwd"; echo token')
    given = {**os.environ, "GITHUB_TOKEN": "ghs", "ANTHROPIC_API_KEY": "key", "HOME": str(tmp_path)}
    assert run_helper(parse_helper(command, given), given) == "token"
    seen = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert {"PATH", "HOME"} <= seen
    assert not {"GITHUB_TOKEN", "ANTHROPIC_API_KEY"} & seen
    assert (tmp_path / "cwd").read_text() == "/\n"


def test_a_helper_gets_its_words_and_no_shell(tmp_path: Path) -> None:
    command = program(tmp_path, 'echo "$#-$2"')
    argv = parse_helper(f"{command} 'a b' $(id);x", os.environ)
    assert run_helper(argv, os.environ) == "2-$(id);x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 3", "it ended with 3"),
        ("echo secret; exit 1", "it ended with 1"),
        ("true", "printed no token"),
        ("echo a b", "printed no token"),
        ("printf 'a\\nb'", "printed no token"),
        ("printf 'caf\\303\\251'", "printed no token"),
        ("head -c 20000 /dev/zero | tr '\\0' a", "printed no token"),
        ("sleep 60 & wait", "it did not end within 0.3 seconds"),
    ],
)
def test_a_helper_that_gives_no_token_fails_in_a_clause_that_quotes_nothing(
    tmp_path: Path, body: str, words: str
) -> None:
    argv = parse_helper(program(tmp_path, body), os.environ)
    started = time.monotonic()
    with pytest.raises(HelperFailed) as caught:
        run_helper(argv, os.environ, seconds=0.3 if "sleep" in body else 20)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert time.monotonic() - started < 15


def test_a_helper_that_fails_is_bad_credentials_and_its_token_is_never_repeated(tmp_path: Path) -> None:
    with ScriptedModel("skipper", key="another") as model:
        for body in ("exit 1", "echo s3cr3t-token"):
            with pytest.raises(ModelError) as caught:
                asyncio.run(ask_twice(helped(model, program(tmp_path, body))))
            assert caught.value.code == "bad_credentials"
            assert "s3cr3t-token" not in caught.value.detail


@pytest.mark.parametrize(
    "command", ["", " ", "'", "./helper", "no/such", "no-such-program-anywhere", "/nowhere/x"]
)
def test_a_helper_that_is_not_there_or_lies_in_the_current_folder_is_refused(
    command: str, tmp_path: Path
) -> None:
    program(tmp_path, "echo token")
    with pytest.raises(UsageError, match="credential helper"):
        parse_helper(command, {"PATH": f".:{os.environ['PATH']}"})


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "86401", "soon", "", "1_0\u0660"])
def test_a_refresh_time_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="refresh time"):
        parse_refresh(text)
    assert parse_refresh("900") == 900
