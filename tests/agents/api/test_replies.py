import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from reviewbot.agents.api.failures import ModelError, status_error
from reviewbot.agents.api.replies import (
    MAX_ANSWER_CHARACTERS,
    MAX_REPLY_BYTES,
    parse_answer,
    parse_json,
    parse_reply,
)
from tests.agents.fake_api import message, text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(["content", "stop_reason", "usage", "model", "stop_details", "type"])


class Named(BaseModel):
    name: str


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_a_typed_failure(data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        parse_reply(data, "claude-opus-5-5", request_id="", seconds=0.0)
    assert caught.value.code == "invalid_answer"


@given(st.dictionaries(KEYS, JSON))
def test_any_field_of_a_message_may_be_anything(changes: dict[str, object]) -> None:
    data = json.dumps({**message(text("{}")), **changes}).encode()
    try:
        reply = parse_reply(data, "claude-opus-5-5", request_id="", seconds=0.0)
    except ModelError as error:
        assert error.code == "invalid_answer"
    else:
        assert reply.model == "claude-opus-5-5"
        assert isinstance(reply.text, str)
        assert all(isinstance(use["id"], str) for use in reply.tool_uses)


@given(st.integers(300, 599), JSON)
def test_any_error_body_has_a_code_and_one_sentence(status: int, body: object) -> None:
    error = status_error(status, body, model="m")
    assert error.detail.endswith(").")
    assert "\n" not in error.detail
    assert error.usage is not None


def test_a_reply_beyond_all_size_is_not_read() -> None:
    with pytest.raises(ModelError, match="bytes"):
        parse_reply(b" " * (MAX_REPLY_BYTES + 1), "m", request_id="", seconds=0.0)


def test_an_answer_beyond_all_size_is_not_read() -> None:
    with pytest.raises(ValueError, match="characters"):
        parse_answer(Named, '{"name": "a"}' + " " * MAX_ANSWER_CHARACTERS)


def test_an_answer_is_its_type() -> None:
    assert parse_answer(Named, ' {"name": "a"}\n') == Named(name="a")


@pytest.mark.parametrize(
    "data", ['{"a": 1, "a": 1}', "[Infinity]", "1" * 5_000, "[" * 50_000, '{"b": {"a": 1, "a": 2}}']
)
def test_json_that_readers_disagree_about_is_refused(data: str) -> None:
    with pytest.raises(ValueError):
        parse_json(data)


@pytest.mark.parametrize("depth", [65, 200, 400, 900, 2_000])
def test_a_tool_call_that_is_nested_deeply_is_a_typed_failure(depth: int) -> None:
    before, after = ('{"a":', "}") if depth % 2 else ("[", "]")
    use = {"type": "tool_use", "id": "t1", "name": "read_file", "input": {"path": "@"}}
    body = json.dumps(message(use, stop_reason="tool_use"))
    data = body.replace('"@"', before * depth + "1" + after * depth).encode()
    with pytest.raises(ModelError) as caught:
        parse_reply(data, "claude-opus-5-5", request_id="", seconds=0.0)
    assert caught.value.code == "invalid_answer"
    with pytest.raises(ValueError, match="nested"):
        parse_json(data)


def test_what_an_ordinary_answer_nests_is_read() -> None:
    assert parse_json("[" * 60 + "]" * 60)
