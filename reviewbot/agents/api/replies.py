"""Answers of the Messages API: bytes to ``Reply``, and its text to the type that was asked for. Pure.

Shapes from the API reference of version 2026-10-21. A status of 200 proves nothing: proxies answer with
pages, and a cut answer has no stop reason.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviewbot.agents.api.failures import ModelError
from reviewbot.claims import Usage
from reviewbot.json_rules import BadJson, read_json
from reviewbot.spend.prices import LIST, Terms
from reviewbot.text import one_line

MAX_REPLY_BYTES = 16 * 1024 * 1024
"""More than 128,000 output tokens can fill; anything longer is no answer of a model."""

MAX_ANSWER_CHARACTERS = 1_000_000
MAX_DEPTH = 64
"""Nested deeper is nothing that was asked for, and would end what walks through a request in Python."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``content`` are the blocks exactly as received, to be sent back unchanged.

    ``refusal`` is the provider's category of a refusal, empty otherwise. ``lost`` counts attempts of the
    same call whose answer never came and which may have been charged. ``terms``: how it is priced.
    ``cleared``: tokens of old tool results that were cleared from the request before it was read.
    """

    content: tuple[Mapping[str, Any], ...]
    stop_reason: str
    usage: Usage
    model: str
    request_id: str
    seconds: float
    refusal: str = ""
    lost: int = 0
    terms: Terms = LIST
    cleared: int = 0

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return "".join(block["text"] for block in self.content if block["type"] == "text")

    @property
    def sendable(self) -> tuple[Mapping[str, Any], ...]:
        """The blocks to send back: all, unchanged, but empty texts, which the API gives and does not take."""
        return tuple(block for block in self.content if block["type"] != "text" or block["text"])

    @property
    def tool_uses(self) -> tuple[Mapping[str, Any], ...]:
        """The tool calls, in order."""
        return tuple(block for block in self.content if block["type"] == "tool_use")


def parse_json(data: str | bytes, most: int = MAX_REPLY_BYTES) -> Any:
    """Strict JSON of at most ``most`` bytes or characters, as an answer of the API or of a model holds it.

    Raises:
        ValueError: anything else; the message says what, and quotes none of it.
    """
    try:
        return read_json(data, most=most, levels=MAX_DEPTH)
    except BadJson as error:
        raise ValueError(f"it {error}") from None


def parse_count(data: bytes) -> int:
    """The tokens in a 200 answer of the token counting API.

    Raises:
        ModelError: ``invalid_answer`` for anything but a positive whole number.
    """
    try:
        body = parse_json(data)
    except ValueError as error:
        raise ModelError("invalid_answer", f"The count of tokens is unusable: {error}.") from None
    tokens = body.get("input_tokens") if isinstance(body, Mapping) else None
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens <= 0:
        raise ModelError("invalid_answer", "The count of tokens is no positive number.")
    return tokens


def parse_reply(data: bytes, asked_model: str, *, request_id: str, seconds: float, lost: int = 0) -> Reply:
    """A 200 answer of the Messages API to a request for ``asked_model``.

    Raises:
        ModelError: ``invalid_answer``, with the usage where the answer holds one.
    """
    body = _object(data, request_id)
    try:
        usage = _usage(body.get("usage"))
    except ValueError as error:
        raise _invalid(str(error), request_id=request_id) from None
    terms = _terms(body["usage"])
    model = body.get("model")
    known: dict[str, Any] = {"model": model if isinstance(model, str) else "", "terms": terms}
    try:
        content = _content(body)
        stop_reason = _stop_reason(body)
        _check_model(model, asked_model)
    except ValueError as error:
        raise _invalid(str(error), None if lost else usage, request_id=request_id, **known) from None
    return Reply(
        content=content,
        stop_reason=stop_reason,
        usage=usage,
        model=str(model),
        request_id=request_id,
        seconds=seconds,
        refusal=_refusal(body),
        lost=lost,
        terms=terms,
        cleared=_cleared(body.get("context_management")),
    )


def parse_answer(answer_type: Any, text: str) -> object:
    """A model's answer as its type: one JSON object, no key twice, no NaN, valid by ``answer_type``.

    Raises:
        ValueError: it is not; pydantic's own error is one of these.
    """
    parse_json(text, MAX_ANSWER_CHARACTERS)
    return answer_type.model_validate_json(text)


def describe_invalid(error: ValueError) -> str:
    """What a validator said, without the input: at most ten places."""
    places = getattr(error, "errors", None)
    if places is None:
        return one_line(str(error), 300)
    found = places(include_url=False, include_input=False, include_context=False)
    said = [f"{'.'.join(map(str, place['loc'])) or 'answer'}: {place['msg']}" for place in found[:10]]
    more = f"; and {len(found) - 10} more" if len(found) > 10 else ""
    return one_line("; ".join(said) + more, 1_500)


def _invalid(
    what: str, usage: Usage | None = None, *, request_id: str, model: str = "", terms: Terms = LIST
) -> ModelError:
    return ModelError(
        "invalid_answer",
        f"The provider's answer is not usable: {what}.",
        usage,
        model=model,
        request_id=request_id,
        terms=terms,
    )


def _object(data: bytes, request_id: str) -> dict[str, Any]:
    try:
        body = parse_json(data)
        # An escaped lone surrogate cannot be sent back, so no conversation can go on from it.
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _invalid("it holds characters that UTF-8 cannot carry", request_id=request_id) from None
    except ValueError as error:
        raise _invalid(str(error), request_id=request_id) from None
    if not isinstance(body, dict):
        raise _invalid("it is no JSON object", request_id=request_id)
    return body


def _usage(value: object) -> Usage:
    if not isinstance(value, dict):
        raise ValueError("it has no usage, so its cost is unknown")
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    # The two counts of the cache may be null: nothing was read, nothing written.
    given = {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    given |= {name: value[name] for name in names if value.get(name) is not None}
    counts = [given.get(name) for name in names]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("its usage holds something else than counts of tokens")
    long = _hour_writes(value, given["cache_creation_input_tokens"])
    uncached, output, read, written = (count or 0 for count in counts)
    return Usage(uncached, output, read, written, long)


def _cleared(value: object) -> int:
    """What context editing says it took away; the usage, which is charged, does not hold it any more."""
    edits = value.get("applied_edits") if isinstance(value, dict) else None
    counts = [edit.get("cleared_input_tokens") for edit in edits or () if isinstance(edit, dict)]
    return sum(count for count in counts if type(count) is int and count > 0)


def _hour_writes(usage: Mapping[str, Any], written: int) -> int:
    """How many of the tokens ``written`` to the cache live for an hour; the answer need not say."""
    lifetimes = usage.get("cache_creation")
    count = lifetimes.get("ephemeral_1h_input_tokens") if isinstance(lifetimes, dict) else None
    if count is None:
        return 0
    if type(count) is not int or not 0 <= count <= written:
        raise ValueError("its usage says of cache writes what cannot be")
    return count


def _terms(usage: Mapping[str, Any]) -> Terms:
    return Terms(us_only=usage.get("inference_geo") == "us", batch=usage.get("service_tier") == "batch")


def _content(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    blocks = body.get("content")
    if not isinstance(blocks, list) or not all(map(_is_block, blocks)):
        raise ValueError("its content is no list of blocks")
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if len(set(ids)) != len(ids):
        raise ValueError("two of its tool calls have the same id")
    return tuple(blocks)


def _is_block(block: object) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    needed = {"text": ("text",), "tool_use": ("id", "name")}.get(block["type"], ())
    return all(isinstance(block.get(name), str) for name in needed)


def _stop_reason(body: Mapping[str, Any]) -> str:
    stop_reason = body.get("stop_reason")
    if not isinstance(stop_reason, str):
        raise ValueError("it ends without a stop reason, so it may be cut")
    return stop_reason


def _check_model(model: object, asked: str) -> None:
    """The model that answered is the one asked for, but for the date that an alias resolves to."""
    stem = re.escape(asked.removesuffix("-latest"))
    if not isinstance(model, str) or not re.fullmatch(rf"{stem}(-20\d{{6}})?", model):
        raise ValueError(
            f"it is by the model {one_line(str(model), 80)}, and {one_line(asked, 80)} was asked for"
        )


def _refusal(body: Mapping[str, Any]) -> str:
    details = body.get("stop_details")
    category = details.get("category") if isinstance(details, dict) else None
    return one_line(category, 40) if isinstance(category, str) else ""
