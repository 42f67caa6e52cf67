"""How a task of an agent ended, as a value."""

from dataclasses import dataclass, field
from typing import Any

from reviewbot.claims import Stop, Usage


@dataclass(frozen=True, slots=True)
class Run:
    """How a task of an agent ended.

    ``answer`` is an instance of ``spec.answer()``, and there only where ``stop`` is ``done``. ``usd`` is
    None where the cost cannot be known. ``detail`` is a sentence about any other end, and ``error_code``
    the ``ModelError.code`` where a failed call was that end. ``effort`` is that of the last call, empty
    where none was made; ``degraded``: it was raised, because two answers in a row did not validate.
    """

    stop: Stop
    answer: Any = None
    usage: Usage = field(default_factory=Usage)
    usd: float | None = 0.0
    turns: int = 0
    tool_calls: int = 0
    denied_calls: int = 0
    seconds: float = 0.0
    detail: str = ""
    error_code: str = ""
    effort: str = ""
    degraded: bool = False
    saved_usd: float = 0.0
