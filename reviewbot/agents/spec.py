"""The four agents as data: an agent differs from another in these values and its prompt alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

TOOLS = ("read_file", "list_files", "search", "show_diff")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one task may use up.

    ``steps`` are model calls, ``output_tokens`` is the limit of each call (thinking included),
    ``context_tokens`` what a request may hold, ``usd`` and ``seconds`` are for the whole task.
    """

    steps: int
    output_tokens: int
    context_tokens: int
    usd: float
    seconds: float


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent. ``prompt`` is a template file; ``answer`` loads the type of its answer when needed."""

    name: str
    model_tier: str
    effort: str
    prompt: str
    tools: tuple[str, ...]
    answer: Callable[[], "type[BaseModel]"]
    bounds: Bounds


def _triage_answer() -> "type[BaseModel]":
    from reviewbot.agents.answers import TriageAnswer  # noqa: PLC0415 - pydantic only where models run

    return TriageAnswer


def _security_answer() -> "type[BaseModel]":
    from reviewbot.agents.answers import SecurityAnswer  # noqa: PLC0415 - pydantic only where models run

    return SecurityAnswer


def _test_fix_answer() -> "type[BaseModel]":
    from reviewbot.agents.answers import TestFixAnswer  # noqa: PLC0415 - pydantic only where models run

    return TestFixAnswer


def _verify_answer() -> "type[BaseModel]":
    from reviewbot.agents.verify_answer import VerifyAnswer  # noqa: PLC0415 - pydantic only where models run

    return VerifyAnswer


# Triage stays under the 100,000 tokens from which on Haiku costs five times as much. The dollars are
# four times what a full context costs: before a call the loop reckons with all of its output tokens.
SPECS: Mapping[str, AgentSpec] = MappingProxyType(
    {
        "triage": AgentSpec(
            name="triage",
            model_tier="haiku",
            effort="medium",
            prompt="triage.md.j2",
            tools=(),
            answer=_triage_answer,
            bounds=Bounds(steps=3, output_tokens=16_000, context_tokens=95_000, usd=0.10, seconds=300),
        ),
        "test_fix": AgentSpec(
            name="test_fix",
            model_tier="sonnet",
            effort="medium",
            prompt="test_fix.md.j2",
            tools=TOOLS,
            answer=_test_fix_answer,
            bounds=Bounds(steps=16, output_tokens=8_000, context_tokens=60_000, usd=0.60, seconds=600),
        ),
        "security": AgentSpec(
            name="security",
            model_tier="opus",
            effort="medium",
            prompt="security.md.j2",
            tools=TOOLS,
            answer=_security_answer,
            bounds=Bounds(steps=16, output_tokens=8_000, context_tokens=50_000, usd=0.90, seconds=600),
        ),
        "verify": AgentSpec(
            name="verify",
            model_tier="opus",
            effort="medium",
            prompt="verify.md.j2",
            tools=TOOLS,
            answer=_verify_answer,
            bounds=Bounds(steps=8, output_tokens=4_000, context_tokens=35_000, usd=0.50, seconds=300),
        ),
    }
)
