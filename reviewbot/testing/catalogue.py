"""What ``GET /v1/models`` of the scripted model says about the three models it plays."""

from collections.abc import Collection
from typing import Any

from reviewbot.testing.checks import BETWEEN_TOOLS, DISABLED_THINKING, EFFORTS, MAXIMUM_OUTPUT_TOKENS

CONTEXT_TOKENS = 1_000_000
RELEASED = {
    "claude-haiku-5-5": "2026-10-07T00:00:00Z",
    "claude-sonnet-5-5": "2026-09-28T00:00:00Z",
    "claude-opus-5-5": "2026-09-22T00:00:00Z",
}


def describe_model(name: str, retired: Collection[str]) -> dict[str, Any]:
    """The ``model`` object: lifecycle, limits and capabilities. A retired one is retired since 2026-11-01."""
    is_retired = name in retired
    day = "2026-11-01T00:00:00Z" if is_retired else None
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": RELEASED[name],
        "lifecycle": "retired" if is_retired else "active",
        "deprecated_at": day,
        "retires_at": day,
        "line": name.split("-")[1],
        "max_input_tokens": CONTEXT_TOKENS,
        "max_tokens": MAXIMUM_OUTPUT_TOKENS,
        "capabilities": _capabilities(name),
    }


def _capabilities(name: str) -> dict[str, Any]:
    """This double plays structured outputs, effort and thinking; everything else it says it cannot do."""
    yes, no = {"supported": True}, {"supported": False}
    names = "citations code_execution image_input pdf_input".split()
    return {
        "batch": yes,
        **dict.fromkeys(names, no),
        "structured_outputs": yes,
        "context_management": no,
        "effort": {"supported": True, **dict.fromkeys(EFFORTS, yes)},
        "server_tools": {"supported": False, "code_execution": no, "web_search": no},
        "thinking": {
            "supported": True,
            "types": {
                "adaptive": yes,
                "between_tools": yes if name in BETWEEN_TOOLS else no,
                "disabled": yes if name in DISABLED_THINKING else no,
                "enabled": no,
            },
        },
    }
