import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from reviewbot.agents.api.claude import Ask, ModelError, Reply, connect, transform
from reviewbot.claims import Usage
from reviewbot.errors import MissingCredentials, UsageError
from reviewbot.spend.prices import BATCH, Terms
from tests.agents.fake_api import Answer, FakeApi, message, serving, text, thinking, use

KEY = {"ANTHROPIC_API_KEY": "sk-ant-secret-key"}
AT_ONCE = {"retry-after-ms": "1"}


def an_ask(**changes: Any) -> Ask:
    given: dict[str, Any] = {
        "model": "claude-opus-5-5",
        "max_tokens": 64_000,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "tools": [],
        "messages": [{"role": "user", "content": [text("hello")]}],
        "effort": "low",
        "schema": {"type": "object", "properties": {}, "additionalProperties": False},
        "seconds": 20.0,
    }
    return Ask(**{**given, **changes})


def asked(
    script: Sequence[Answer], ask: Ask | None = None, environment: Mapping[str, str] = KEY
) -> tuple[Reply, FakeApi]:
    with serving(script) as api:
        return asyncio.run(one_ask(api, ask or an_ask(), environment)), api


def refused(
    script: Sequence[Answer], ask: Ask | None = None, environment: Mapping[str, str] = KEY
) -> tuple[ModelError, FakeApi]:
    with serving(script) as api:
        with pytest.raises(ModelError) as caught:
            asyncio.run(one_ask(api, ask or an_ask(), environment))
        return caught.value, api


async def one_ask(api: FakeApi, ask: Ask, environment: Mapping[str, str]) -> Reply:
    claude = connect(environment, base_url=api.url)
    try:
        return await claude.ask(ask)
    finally:
        await claude.aclose()


def error_body(kind: str, said: str, error_code: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": said}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error}


def test_a_reply_keeps_blocks_usage_and_request_id_as_they_came() -> None:
    blocks = [
        thinking("c2ln"),
        {"type": "of_tomorrow", "nested": {"a": [1, None]}},
        text("A"),
        use("read_file", "toolu_1", path="a.py"),
        text("B"),
    ]
    usage = {
        "input_tokens": 3,
        "output_tokens": 4,
        "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": None,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    reply, api = asked([Answer(message(*blocks, stop="tool_use", usage=usage))])
    assert list(reply.content) == blocks
    assert reply.text == "AB"
    assert reply.tool_uses == (blocks[3],)
    assert reply.usage == Usage(3, 4, 500, 0)
    assert (reply.stop_reason, reply.request_id, reply.lost) == ("tool_use", "req_1", 0)
    assert api.faults == []


def test_the_request_is_what_was_asked_with_a_bearer_key_and_nothing_that_traces_it() -> None:
    _, api = asked([Answer(message(text("{}")))])
    ask = an_ask()
    assert api.bodies[0] == {
        "model": ask.model,
        "max_tokens": 64_000,
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": ask.schema}},
        "system": list(ask.system),
        "messages": list(ask.messages),
    }
    headers = {name.lower(): value for name, value in api.headers[0].items()}
    assert headers["authorization"] == "Bearer sk-ant-secret-key"
    assert not {"traceparent", "tracestate", "baggage"} & set(headers)
    assert len(api.raw[0]) == ask.size()


def test_an_auth_token_is_used_where_there_is_no_key() -> None:
    _, api = asked([Answer(message(text("{}")))], environment={"ANTHROPIC_AUTH_TOKEN": "token"})
    assert api.headers[0]["Authorization"] == "Bearer token"


def test_with_a_base_url_and_no_key_nothing_is_sent_that_looks_like_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-the-process-not-of-the-environment-given")
    _, api = asked([Answer(message(text("{}")))], environment={})
    assert not {"authorization", "x-api-key"} & {name.lower() for name in api.headers[0]}


def test_an_empty_base_url_of_a_workflow_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "")
    claude = connect({**KEY, "ANTHROPIC_BASE_URL": ""})
    assert str(claude._client.base_url) == "https://api.anthropic.com"


def test_a_federation_that_cannot_work_is_bad_credentials_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    federation = {
        "ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1",
        "ANTHROPIC_ORGANIZATION_ID": "00000000-0000-0000-0000-000000000000",
        "ANTHROPIC_IDENTITY_TOKEN_FILE": "/nowhere/token",
    }
    for name, value in federation.items():
        monkeypatch.setenv(name, value)
    error, api = refused([Answer(message())], environment=federation)
    assert (error.code, error.usage, api.bodies) == ("bad_credentials", Usage(), [])


def test_no_credentials_and_no_base_url_is_an_error_of_the_user() -> None:
    with pytest.raises(MissingCredentials):
        connect({"ANTHROPIC_API_KEY": " "})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "ftp://example.org",
        "https://",
        "https://u:p@example.org",
        "https://x.org?a=b",
        "//[",
        "x",
    ],
)
def test_a_base_url_that_could_leak_the_key_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="base URL") as caught:
        connect(KEY, base_url=url)
    assert "u:p" not in str(caught.value)


def test_the_sdk_is_not_left_to_log_prompts() -> None:
    logging.getLogger("anthropic").setLevel(logging.DEBUG)
    connect(KEY)
    assert not logging.getLogger("anthropic").isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (400, error_body("invalid_request_error", "prompt is too long: 1000001 tokens"), "context", "context"),
        (400, error_body("invalid_request_error", "max_tokens: too big"), "bad_request", "max_tokens: too big"),
        (400, error_body("invalid_request_error", "x", "enforced_spend_limit_reached"), "spend_limit", "spending"),
        (400, error_body("invalid_request_error", "Your credit balance is too low"), "spend_limit", "spending"),
        (401, error_body("authentication_error", "invalid bearer token"), "bad_credentials", "HTTP 401"),
        (402, error_body("billing_error", "x"), "spend_limit", "HTTP 402"),
        (403, error_body("permission_error", "x"), "bad_credentials", "HTTP 403"),
        (404, error_body("not_found_error", "model: claude-opus-5-5"), "unknown_model", "claude-opus-5-5"),
        (404, b"<html>nothing here</html>", "bad_request", "base URL"),
        (413, b"<html>too large</html>", "context", "HTTP 413"),
        (422, error_body("invalid_request_error", "odd"), "bad_request", "odd"),
        (400, b"[1]", "bad_request", "HTTP 400"),
        (400, {"error": "text"}, "bad_request", "HTTP 400"),
    ],
)  # fmt: skip
def test_an_error_that_no_retry_mends_is_named_after_one_request(
    status: int, body: Any, code: str, words: str
) -> None:
    error, api = refused([Answer(body, status)])
    assert error.code == code
    assert words in error.detail
    assert error.usage == Usage()
    assert error.request_id == "req_1"
    assert len(api.bodies) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_what_may_pass_is_tried_three_times_and_then_an_outage(status: int) -> None:
    error, api = refused([Answer(error_body("api_error", "busy"), status, AT_ONCE)])
    code = "rate_limit" if status == 429 else "provider_outage"
    assert (error.code, error.usage, len(api.bodies)) == (code, Usage(), 3)
    assert f"HTTP {status}: busy" in error.detail


def test_an_error_that_passes_is_not_seen() -> None:
    reply, api = asked([Answer(b"", 529, AT_ONCE), Answer(b"", 429, AT_ONCE), Answer(message(text("{}")))])
    assert (reply.text, reply.lost, len(api.bodies)) == ("{}", 0, 3)
    assert api.raw[0] == api.raw[1] == api.raw[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "3600"},
        {"retry-after": "inf"},
        {"retry-after-ms": "3600000"},
        {"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"},
    ],
)
@pytest.mark.parametrize("status", [429, 500])
def test_a_wait_of_an_hour_is_an_outage_and_not_slept(headers: dict[str, str], status: int) -> None:
    error, api = refused([Answer(b"", status, headers)])
    code = "rate_limit" if status == 429 else "provider_outage"
    assert (error.code, error.usage, len(api.bodies)) == (code, Usage(), 1)
    assert "wait" in error.detail


def test_an_error_that_is_nested_without_end_is_what_its_status_says_and_no_fault_of_ours() -> None:
    error, _ = refused([Answer(b"[" * 200_000, 429, AT_ONCE)] * 3)
    assert error.code == "rate_limit"


def test_a_spend_limit_is_not_retried_although_its_status_says_rate_limit() -> None:
    body = error_body("rate_limit_error", "limit", "contract_spend_limit_reached")
    error, api = refused([Answer(body, 429)])
    assert (error.code, len(api.bodies)) == ("spend_limit", 1)


def test_a_redirect_does_not_carry_code_or_key_to_another_host() -> None:
    with serving([Answer(message(text("{}")))]) as elsewhere:
        error, api = refused([Answer(b"", 307, {"Location": f"{elsewhere.url}/v1/messages"})])
    assert (error.code, len(api.bodies)) == ("bad_request", 1)
    assert elsewhere.bodies == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>502 from a proxy</html>", "not JSON"),
        (b"", "is empty"),
        (b'{"type": "message"', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "nested"),
        (b'{"usage": {"input_tokens": NaN}}', "no JSON number"),
        (b'{"usage": {}, "usage": {}}', "twice"),
        (b'{"a": "\\ud800"}', "UTF-8 cannot carry"),
        ({**message(text("{}")), "usage": None}, "no usage"),
        (message(usage={"input_tokens": 1}), "counts of tokens"),
        (message(usage={"input_tokens": 1, "output_tokens": -1}), "counts of tokens"),
        (message(usage={"input_tokens": 1, "output_tokens": True}), "counts of tokens"),
        (message(usage={"input_tokens": 1, "output_tokens": 1.0}), "counts of tokens"),
    ],
)
def test_a_200_that_is_no_message_is_an_invalid_answer_of_unknown_cost(body: Any, words: str) -> None:
    error, _ = refused([Answer(body)])
    assert error.code == "invalid_answer"
    assert words in error.detail
    assert error.usage is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (message(text("{}"), stop=None), "stop reason"),
        (message(text("{}"), model="claude-haiku-5-5"), "claude-haiku-5-5"),
        (message(text("{}"), model="claude-opus-5-5-1"), "was asked for"),
        ({**message(text("{}")), "model": None}, "was asked for"),
        ({**message(), "content": "text"}, "list of blocks"),
        ({**message(), "content": ["text"]}, "list of blocks"),
        ({**message(), "content": [{"text": "no type"}]}, "list of blocks"),
        ({**message(), "content": [{"type": "text", "text": None}]}, "list of blocks"),
        ({**message(), "content": [{"type": "tool_use", "name": "x"}]}, "list of blocks"),
        (message(use("a", "1"), use("b", "1"), stop="tool_use"), "same id"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_used_is_charged_all_the_same(body: Any, words: str) -> None:
    error, _ = refused([Answer(body)])
    assert error.code == "invalid_answer"
    assert words in error.detail
    assert error.usage == Usage(10, 5)


def test_the_date_that_an_alias_resolves_to_is_the_same_model() -> None:
    reply, _ = asked([Answer(message(model="claude-haiku-4-5-20251001"))], an_ask(model="claude-haiku-4-5"))
    assert reply.model == "claude-haiku-4-5-20251001"


def test_a_refusal_is_a_reply_with_its_category() -> None:
    details = {"type": "refusal", "category": "cyber"}
    reply, _ = asked([Answer(message(stop="refusal", stop_details=details))])
    assert (reply.stop_reason, reply.refusal, reply.content) == ("refusal", "cyber", ())


def test_us_inference_is_told_because_it_costs_more() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "inference_geo": "us"}
    reply, _ = asked([Answer(message(usage=usage))])
    assert reply.terms == Terms(us_only=True)


def test_a_batch_and_writes_that_live_for_an_hour_are_told_because_they_cost_something_else() -> None:
    writes = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 70}
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 100}
    reply, _ = asked([Answer(message(usage={**usage, "cache_creation": writes, "service_tier": "batch"}))])
    assert (reply.usage, reply.terms) == (Usage(1, 2, 0, 100, 70), BATCH)


@pytest.mark.parametrize("hour", [101, -1, "70", True])
def test_writes_of_an_hour_that_cannot_be_leave_the_cost_unknown(hour: object) -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 100}
    error, _ = refused(
        [Answer(message(usage={**usage, "cache_creation": {"ephemeral_1h_input_tokens": hour}}))]
    )
    assert (error.code, error.usage) == ("invalid_answer", None)


def test_a_cut_connection_is_tried_again_and_its_cost_is_unknown() -> None:
    reply, _ = asked([Answer(cut=True), Answer(message(text("{}")))])
    assert reply.lost == 1
    error, api = refused([Answer(cut=True)])
    assert (error.code, error.usage, len(api.bodies)) == ("provider_outage", None, 3)


def test_an_address_where_nobody_listens_costs_nothing() -> None:
    with serving([Answer()]) as api:
        url = api.url
    with pytest.raises(ModelError) as caught:
        asyncio.run(one_ask(FakeApi(url), an_ask(), KEY))
    assert (caught.value.code, caught.value.usage) == ("provider_outage", Usage())


def test_a_call_ends_at_its_seconds_and_may_have_been_charged() -> None:
    gate = threading.Event()
    try:
        error, api = refused([Answer(message(), wait=gate)], an_ask(seconds=0.3))
    finally:
        gate.set()
    assert (error.code, error.usage, len(api.bodies)) == ("provider_outage", None, 1)


def test_a_key_that_the_provider_says_back_is_not_repeated() -> None:
    error, _ = refused([Answer(error_body("authentication_error", "no such key: sk-ant-secret-key"), 401)])
    assert "secret" not in error.detail
    assert "***" in error.detail


def test_a_text_that_cannot_be_encoded_is_one_clear_failure() -> None:
    ask = an_ask(messages=[{"role": "user", "content": [text("\ud800")]}])
    error, api = refused([Answer(message())], ask)
    assert (error.code, error.usage, api.bodies) == ("bad_request", Usage(), [])


def test_a_schema_is_cut_to_what_the_api_takes() -> None:
    class Thing(BaseModel):
        name: str
        count: int

    schema = transform(Thing)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "count"]
