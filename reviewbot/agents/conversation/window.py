"""What fills the window of a request, in the order in which it is sent. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from reviewbot.agents.api.claude import Ask
from reviewbot.agents.conversation.history import weigh


def split_window(ask: Ask, material: int) -> dict[str, int]:
    """Bytes of the texts in a request by what they are for: they tell where the tokens go.

    The first ``material`` blocks of the first user turn are the change, the rest of it is the task.
    ``answers`` is what the model itself has said, ``notes`` what it was told between its turns.
    """
    first, *later = ask.messages
    parts = {
        "tools": weigh(ask.tools),
        "system": weigh(ask.system),
        "change": weigh(first["content"][:material]),
        "task": weigh(first["content"][material:]),
        "format": weigh(ask.schema or ""),
        "answers": sum(weigh(turn["content"]) for turn in later if turn["role"] == "assistant"),
    }
    told = [block for turn in later if turn["role"] == "user" for block in turn["content"]]
    return {**parts, "tool_results": _weigh_results(told, True), "notes": _weigh_results(told, False)}


def _weigh_results(blocks: Iterable[Mapping[str, Any]], are_results: bool) -> int:
    return sum(weigh(block) for block in blocks if (block["type"] == "tool_result") is are_results)
