"""A real client of the scripted model, and the small tool loop that the tests drive it with."""

import json
from collections.abc import Mapping
from typing import Any

import anthropic

from reviewbot.testing import ScriptedModel

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"

PLACE = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "start_line": {"type": "integer"},
        "end_line": {"type": "integer"},
        "text": {"type": "string"},
    },
    "required": ["path", "start_line", "end_line", "text"],
    "additionalProperties": False,
}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


FINDINGS = closed(
    findings=listed(
        closed(
            rule={
                "enum": [
                    "sql-injection",
                    "command-injection",
                    "code-injection",
                    "path-traversal",
                    "unsafe-deserialization",
                    "cross-site-scripting",
                    "missing-authorization",
                    "certificate-check",
                    "other",
                ]
            },
            severity={"enum": ["critical", "high", "medium", "low"]},
            confidence={"enum": ["shown", "likely", "guess"]},
            title={"type": "string"},
            quotes={**listed(PLACE), "minItems": 1},
        )
    )
)
ROUTES = closed(
    files=listed(
        closed(
            path={"type": "string"},
            risk={"enum": ["none", "low", "medium", "high"]},
            reason={"type": "string"},
            agents=listed({"enum": ["security", "test_fix"]}),
        )
    )
)
MENDS = closed(
    failures=listed(
        closed(
            evidence_ids=listed({"type": "string"}),
            cause={"enum": ["change-broke-code", "test-out-of-date", "undetermined"]},
            quotes=listed(PLACE),
            edits=listed(
                closed(path={"type": "string"}, find={"type": "string"}, replace={"type": "string"})
            ),
        )
    )
)
TOOLS: list[Any] = [
    {
        "name": "read_file",
        "strict": True,
        "input_schema": {
            **closed(path={"type": "string"}, start_line={"type": "integer"}, max_lines={"type": "integer"}),
            "required": ["path"],
        },
    },
    {"name": "search", "strict": True, "input_schema": closed(text={"type": "string"})},
]


def client_of(model: ScriptedModel, key: str = "test-key") -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=key, base_url=model.base_url, max_retries=0)


def asking(text: str, schema: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A valid request body."""
    body: dict[str, Any] = {
        "model": OPUS,
        "max_tokens": 4_000,
        "messages": [{"role": "user", "content": text}],
    }
    if schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": dict(schema)}}
    return {**body, **more}


def run_tool(files: Mapping[str, str], call: Any) -> str:
    """What the two tools of TOOLS answer about files that are given as texts."""
    if call.name == "search":
        lines = [(path, n, line) for path, text in files.items() for n, line in numbered(text)]
        return (
            "\n".join(f"{path}:{n}: {line}" for path, n, line in lines if call.input["text"] in line)
            or "none"
        )
    start, most = call.input.get("start_line", 1), call.input.get("max_lines", 200)
    lines_of = files[call.input["path"]].split("\n")[start - 1 : start - 1 + most]
    return "\n".join([f"[{call.input['path']} at head]", *lines_of])


def numbered(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.split("\n"), start=1))


async def converse(
    model: ScriptedModel, text: str, files: Mapping[str, str], schema: Mapping[str, Any] = FINDINGS
) -> tuple[Any, int]:
    """Run the tool loop to its end: the parsed answer and the number of requests."""
    body = asking(text, schema, tools=TOOLS)
    async with client_of(model) as client:
        for turn in range(1, 9):
            reply = await client.messages.create(**body)
            if reply.stop_reason != "tool_use":
                return json.loads("".join(b.text for b in reply.content if b.type == "text")), turn
            results = [
                {"type": "tool_result", "tool_use_id": b.id, "content": run_tool(files, b)}
                for b in reply.content
                if b.type == "tool_use"
            ]
            said = [block.to_dict() for block in reply.content]
            more = [{"role": "assistant", "content": said}, {"role": "user", "content": results}]
            body = {**body, "messages": [*body["messages"], *more]}
    raise AssertionError("no end in sight")
