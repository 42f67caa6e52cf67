"""What the real Messages API refuses, refused here in the same way: status, error type and a message.

Rules: API version 2026-10-21 and the pages on models, structured outputs, caching, thinking and tools.
Where the documents leave a choice open (a feature that this double does not play, such as images), the
request is refused and the message says that the scripted model does not do it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewbot.testing.accounting import content_blocks, without_mark
from reviewbot.testing.schemas import schema_faults

Json = Mapping[str, Any]

API_VERSION = "2026-10-21"
MAXIMUM_BYTES = 32_000_000
MAXIMUM_OUTPUT_TOKENS = 128_000
MAXIMUM_MARKS = 4
MAXIMUM_STRICT_TOOLS = 20
EFFORTS = ("low", "medium", "high", "xhigh", "max")
DISABLED_THINKING = {"claude-haiku-5-5": ("low", "medium", "high")}
"""The efforts at which a model takes thinking ``disabled``; a model that is not named never does."""
BETWEEN_TOOLS = ("claude-sonnet-5-5",)

_COUNTED = "model messages system tools tool_choice thinking output_config cache_control".split()
COUNT_KEYS = frozenset(_COUNTED)
MESSAGE_KEYS = frozenset([*_COUNTED, *"max_tokens stream stop_sequences metadata service_tier".split()])
NOT_PLAYED = frozenset("container diagnostics inference_geo speed user_profile_id workspace_id".split())
REMOVED = ("temperature", "top_p", "top_k")
_BLOCK_KEYS = {
    "text": {"type", "text", "cache_control", "citations"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "tool_use": {"type", "id", "name", "input", "cache_control", "caller"},
    "thinking": {"type", "thinking", "signature"},
}
_ALLOWED = {"user": ("text", "tool_result"), "assistant": ("text", "tool_use", "thinking")}
_TOOL_KEYS = {"name", "description", "input_schema", "strict", "cache_control", "type"}


class Refused(Exception):
    """An error answer of the API: HTTP status, ``error.type`` and a sentence."""

    def __init__(self, message: str, status: int = 400, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


Key = str | None | Callable[[str], bool]
"""Which bearer tokens are taken (see ``Rules``)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs from server to server: the models it has, the retired ones, the deprecated ones and when
    they will be retired (see ``catalogue.describe_model``), the key it takes.

    ``key`` is the only bearer token that is taken, or a function that says whether one is; "" takes
    any, None asks for none (a proxy that puts the credentials in by itself). ``clears``: the models clear old
    tool results.
    """

    models: Collection[str]
    retired: Collection[str] = ()
    key: Key = ""
    deprecated: Mapping[str, str] = field(default_factory=dict)
    clears: bool = False


def check_headers(headers: Mapping[str, str], rules: Rules) -> None:
    """Raise Refused for missing credentials, an API version of another time, or a body that is no JSON."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if rules.key is not None:
        if scheme.lower() != "bearer" or not token.strip():
            hint = " (x-api-key is no longer read)" if "x-api-key" in headers else ""
            raise Refused(
                f"Authorization header with a Bearer token is required{hint}", 401, "authentication_error"
            )
        if not (rules.key(token) if callable(rules.key) else rules.key in ("", token)):
            raise Refused("invalid bearer token", 401, "authentication_error")
    if headers.get("anthropic-version") != API_VERSION:
        said = headers.get("anthropic-version")
        raise Refused(f"anthropic-version: the scripted model speaks {API_VERSION}, not {said!r}")


def check_request(body: Any, rules: Rules, *, counting: bool = False) -> None:
    """Raise Refused with the first thing that the API would not take; ``counting`` is for count_tokens."""
    if not isinstance(body, dict):
        raise Refused("the request body must be a JSON object")
    _check_keys(body, counting)
    _check_model(body.get("model"), rules)
    if not counting:
        _check_integer(body, "max_tokens", 0, MAXIMUM_OUTPUT_TOKENS)
    _check_settings(body)
    if body.get("system") is not None:
        _check_text_blocks("system", body["system"])
    _check_tools(body)
    _check_messages(body)
    _check_marks(body)


def _check_keys(body: Json, counting: bool) -> None:
    for name in REMOVED:
        if name in body:
            raise Refused(f"{name}: this parameter was removed in {API_VERSION}")
    for name in body:
        if name in NOT_PLAYED:
            raise Refused(f"{name}: the scripted model does not play this parameter")
        if name not in (COUNT_KEYS if counting else MESSAGE_KEYS):
            raise Refused(f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages", *(() if counting else ("max_tokens",))):
        if name not in body:
            raise Refused(f"{name}: Field required")
    if not isinstance(body.get("stream", False), bool):
        raise Refused("stream: Input should be a valid boolean")


def _check_model(model: Any, rules: Rules) -> None:
    if not isinstance(model, str) or model not in rules.models or model in rules.retired:
        raise Refused(f"model: {model}", 404, "not_found_error")


def _check_integer(body: Json, name: str, least: int, most: int) -> None:
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refused(f"{name}: {value!r} is not a whole number from {least} to {most}")


def _check_settings(body: Json) -> None:
    config = {} if body.get("output_config") is None else body["output_config"]
    _refuse_extra("output_config", config, {"effort", "format"})
    effort = config.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise Refused(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    thinking = {"type": "adaptive"} if body.get("thinking") is None else body["thinking"]
    _refuse_extra("thinking", thinking, {"type", "display", "budget_tokens"})
    kind, model = thinking.get("type"), body["model"]
    if kind == "disabled":
        if (effort or "medium") not in DISABLED_THINKING.get(model, ()):
            raise Refused(f"thinking.type.disabled is not supported by {model} at this effort")
    elif kind != "adaptive" and not (kind == "between_tools" and model in BETWEEN_TOOLS):
        raise Refused(f"thinking.type.{kind} is not supported by {model}")
    if thinking.get("display", "omitted") not in ("omitted", "summarized") or "budget_tokens" in thinking:
        raise Refused("thinking: display is 'omitted' or 'summarized', and there is no budget_tokens")
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice.get("type") not in ("auto", "none"):
        raise Refused(f"tool_choice: type {choice.get('type')!r} is not supported with this model")
    _check_format(config.get("format"))


def _check_format(asked: Any) -> None:
    if asked is None:
        return
    _refuse_extra("output_config.format", asked, {"type", "schema"})
    if asked.get("type") != "json_schema" or not isinstance(asked.get("schema"), dict):
        raise Refused("output_config.format: a type 'json_schema' and a schema are required")


def _check_tools(body: Json) -> None:
    tools = body.get("tools") or ()
    names = []
    for number, tool in enumerate(tools):
        _refuse_extra(f"tools.{number}", tool, _TOOL_KEYS)
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", str(tool.get("name", ""))):
            raise Refused(f"tools.{number}.name: String should match '^[a-zA-Z0-9_-]{{1,128}}$'")
        if not isinstance(tool.get("input_schema"), dict) or tool["input_schema"].get("type") != "object":
            raise Refused(f"tools.{number}.input_schema.type: Input should be 'object'")
        names.append(tool["name"])
    if len(set(names)) != len(names):
        raise Refused("tools: Tool names must be unique")
    strict = [(f"tools.{tool['name']}", tool["input_schema"]) for tool in tools if tool.get("strict")]
    if len(strict) > MAXIMUM_STRICT_TOOLS:
        raise Refused(f"tools: {len(strict)} strict tools, at most {MAXIMUM_STRICT_TOOLS}")
    asked = (body.get("output_config") or {}).get("format")
    schemas = [*strict, *([("output_config.format.schema", asked["schema"])] if asked else ())]
    for fault in schema_faults(schemas):
        raise Refused(fault)


def _check_messages(body: Json) -> None:
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: at least one message is required")
    for number, message in enumerate(messages):
        _check_message(f"messages.{number}", message)
    if messages[0]["role"] != "user":
        raise Refused("messages: first message must use the user role")
    _check_tool_pairs(messages)
    uses_tools = any(block["type"].startswith("tool_") for _, block in _all_blocks(messages))
    if uses_tools and not body.get("tools"):
        raise Refused("tools: requests with tool_use or tool_result blocks must define tools")


def _check_message(where: str, message: Any) -> None:
    _refuse_extra(where, message, {"role", "content"})
    role = message.get("role")
    if role not in _ALLOWED:
        raise Refused(f"{where}.role: the scripted model knows 'user' and 'assistant', not {role!r}")
    content = message.get("content")
    if not isinstance(content, str | list) or not content:
        raise Refused(f"{where}: all messages must have non-empty content")
    for number, block in enumerate(content_blocks(content)):
        place = f"{where}.content.{number}"
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in _ALLOWED[role]:
            raise Refused(f"{place}: a block of type {kind!r} is not taken in a message of the {role}")
        _check_block(place, block)


def _check_block(place: str, block: Json) -> None:
    kind = block["type"]
    _refuse_extra(place, block, _BLOCK_KEYS[kind])
    if kind == "text":
        _check_text(place, block)
    if kind == "thinking" and not all(isinstance(block.get(key), str) for key in ("thinking", "signature")):
        raise Refused(f"{place}.thinking: thinking and signature are required")
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise Refused(f"{place}.tool_use.input: Input should be a valid dictionary")
    if kind == "tool_result":
        content = block.get("content", "")
        if isinstance(content, list):
            _check_text_blocks(f"{place}.content", content, marks=False)
        elif not isinstance(content, str):
            raise Refused(f"{place}.content: a string or a list of blocks is required")
        if block.get("is_error") and not content:
            raise Refused(f"{place}: content cannot be empty if `is_error` is true")


def _check_text_blocks(where: str, content: Any, *, marks: bool = True) -> None:
    for number, block in enumerate(content_blocks(content)):
        place = f"{where}.{number}"
        if not isinstance(block, dict) or block.get("type") != "text":
            raise Refused(f"{place}: the scripted model takes only text blocks here")
        _refuse_extra(place, block, _BLOCK_KEYS["text"] - (set() if marks else {"cache_control"}))
        _check_text(place, block)


def _check_text(place: str, block: Json) -> None:
    text = block.get("text")
    if not isinstance(text, str) or not text.strip():
        raise Refused(f"{place}: text content blocks must contain non-whitespace text")
    if block.get("citations"):
        raise Refused(f"{place}.citations: citations are not permitted on text blocks of a request")


def _check_tool_pairs(messages: Iterable[Json]) -> None:
    """Every tool_use is answered once, at the start of the very next message, and nothing else is."""
    open_ids: list[str] = []
    seen: set[str] = set()
    for number, message in enumerate(messages):
        blocks = content_blocks(message["content"])
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(open_ids):
            missing, surplus = sorted(set(open_ids) - set(results)), sorted(set(results) - set(open_ids))
            raise Refused(
                f"messages.{number}: `tool_use` ids without one `tool_result` block immediately after: "
                f"{missing}; unexpected or repeated `tool_use_id`: {surplus or results}"
            )
        if any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            raise Refused(f"messages.{number}: tool_result blocks must come first in the content")
        open_ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if seen & set(open_ids) or len(set(open_ids)) != len(open_ids):
            raise Refused(f"messages.{number}: `tool_use` ids must be unique")
        seen |= set(open_ids)


def _check_marks(body: Json) -> None:
    marks = list(_marks(body))
    if len(marks) > MAXIMUM_MARKS:
        raise Refused(f"A maximum of {MAXIMUM_MARKS} blocks with cache_control may be provided. "
                      f"Found {len(marks)}.")  # fmt: skip
    lifetimes = []
    for mark in marks:
        _refuse_extra("cache_control", mark, {"type", "ttl"})
        if mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            raise Refused("cache_control: type 'ephemeral' with a ttl of '5m' or '1h' is required")
        lifetimes.append(mark.get("ttl", "5m"))
    if lifetimes != sorted(lifetimes, key=("1h", "5m").index):
        raise Refused("cache_control: a ttl='1h' block must not come after a ttl='5m' block")


def _marks(body: Json) -> Iterator[Json]:
    blocks = [*(body.get("tools") or ()), *content_blocks(body.get("system"))]
    blocks += [block for _, block in _all_blocks(body["messages"])]
    yield from (block["cache_control"] for block in blocks if block.get("cache_control") is not None)
    if body.get("cache_control") is not None:
        yield body["cache_control"]


def _all_blocks(messages: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    for message in messages:
        yield from ((message["role"], block) for block in content_blocks(message["content"]))


def _refuse_extra(where: str, value: Any, known: Collection[str]) -> None:
    if not isinstance(value, dict):
        raise Refused(f"{where}: Input should be a valid dictionary")
    extra = sorted(key for key in value if key not in known)
    if extra:
        raise Refused(f"{where}.{extra[0]}: Extra inputs are not permitted")


def bare_messages(messages: Iterable[Json]) -> list[list[Any]]:
    """Messages as they are compared with what was said before: roles and blocks without cache marks."""
    return [
        [message["role"], [without_mark(block) for block in content_blocks(message["content"])]]
        for message in messages
    ]


def check_history(
    messages: list[list[Any]], find_answers: Callable[[list[list[Any]]], list[tuple[list[Json], str]]]
) -> None:
    """Every assistant turn must be one that this server said at that very place, unchanged.

    ``find_answers`` tells what was answered (blocks, stop reason) to some messages. A turn of plain text
    that was never asked for (an example) is let through, as the real API does. The last message must be
    the user's, but for a turn that ended with ``pause_turn``.
    """
    for number, (role, blocks) in enumerate(messages):
        if role != "assistant":
            continue
        found = find_answers(messages[:number])
        if number == len(messages) - 1 and (blocks, "pause_turn") not in found:
            raise Refused("This model does not support assistant message prefill. The conversation must end "
                          "with a user message.")  # fmt: skip
        answers = [answer for answer, _ in found]
        if blocks in answers or (not answers and all(block["type"] == "text" for block in blocks)):
            continue
        thoughts = [block for block in blocks if block["type"] == "thinking"]
        if any(_thoughts(answer) != thoughts for answer in answers) or (thoughts and not answers):
            raise Refused(
                f"messages.{number}: `thinking` blocks must be passed back unmodified, in the "
                "conversation and to the model that wrote them (earlier turns may not be edited)"
            )
        raise Refused(f"messages.{number}: this assistant turn is not what the model said at this place")


def _thoughts(blocks: Iterable[Json]) -> list[Json]:
    return [block for block in blocks if block["type"] == "thinking"]
