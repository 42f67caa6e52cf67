"""Which engine reviews, and what the verdict owes to that choice (DESIGN §5, "Engine")."""

from collections.abc import Mapping
from dataclasses import dataclass

from reviewbot.core import Reason
from reviewbot.errors import EngineError, MissingCredentials

CREDENTIALS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_FEDERATION_RULE_ID",
)


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine that will run; ``reason`` is what keeps its verdict from being a pass."""

    name: str
    note: str
    reason: Reason | None = None


def choose_engine(asked: str, environment: Mapping[str, str]) -> Engine:
    """The engine for ``auto``, ``analyzers`` or ``claude``.

    Raises:
        EngineError: ``claude``, which this version does not have.
        MissingCredentials: ``auto`` in CI without credentials: a mistyped secret must not degrade a gate.
    """
    if asked == "analyzers":
        return Engine("analyzers", "Engine: analyzers only, as asked; no model agent takes part.")
    if asked == "claude":
        raise EngineError("The engine `claude` is not in this version.")
    held = any(environment.get(name, "").strip() for name in CREDENTIALS)
    if not held and _is_ci(environment):
        raise MissingCredentials("No Anthropic credentials are set, and in CI the engine `auto` needs them.")
    code = "no_agents" if held else "no_credentials"
    why = "the credentials were not used" if held else "no credentials"
    detail = f"The model agents did not run: {why}, and this version has no agents yet."
    return Engine("analyzers", "", Reason(code, detail))


def _is_ci(environment: Mapping[str, str]) -> bool:
    return environment.get("CI", "").strip().lower() not in ("", "0", "false", "no")
