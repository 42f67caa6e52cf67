"""What ``GET /v1/models`` of the scripted model says about the three models it plays."""

from collections.abc import Collection, Mapping
from typing import Any

from reviewbot.testing.checks import BETWEEN_TOOLS, DISABLED_THINKING, EFFORTS, MAXIMUM_OUTPUT_TOKENS
from reviewbot.testing.clearing import EDIT

CONTEXT_TOKENS = 1_000_000
RELEASED = {
    "claude-haiku-5-5": "2026-10-07T00:00:00Z",
    "claude-sonnet-5-5": "2026-09-28T00:00:00Z",
    "claude-opus-5-5": "2026-09-22T00:00:00Z",
}


RETIRED, DEPRECATED = "2026-11-01", "2026-10-01"


def describe_model(
    name: str, retired: Collection[str], deprecated: Mapping[str, str], *, clears: bool = False
) -> dict[str, Any]:
    """The ``model`` object: lifecycle, limits and capabilities.

    A retired one is retired since ``RETIRED``; a deprecated one is so since ``DEPRECATED`` and is retired
    on its day (such as ``2026-11-30``; empty where none is set). ``clears``: old tool results can be
    cleared from its requests.
    """
    lifecycle = "retired" if name in retired else "deprecated" if name in deprecated else "active"
    retires = {"retired": RETIRED, "deprecated": deprecated.get(name, ""), "active": ""}[lifecycle]
    since = {"retired": RETIRED, "deprecated": DEPRECATED, "active": ""}[lifecycle]
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": RELEASED[name],
        "lifecycle": lifecycle,
        "deprecated_at": f"{since}T00:00:00Z" if since else None,
        "retires_at": f"{retires}T00:00:00Z" if retires else None,
        "line": name.split("-")[1],
        "max_input_tokens": CONTEXT_TOKENS,
        "max_tokens": MAXIMUM_OUTPUT_TOKENS,
        "capabilities": _capabilities(name, clears=clears),
    }


def _capabilities(name: str, *, clears: bool) -> dict[str, Any]:
    """This double plays structured outputs, effort, thinking and, if told, context editing; no more."""
    yes, no = {"supported": True}, {"supported": False}
    names = "citations code_execution image_input pdf_input".split()
    return {
        "batch": yes,
        **dict.fromkeys(names, no),
        "structured_outputs": yes,
        "context_management": {"supported": clears, EDIT: {"supported": clears}},
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
