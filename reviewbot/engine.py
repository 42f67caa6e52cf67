"""Which engine reviews, and what the verdict owes to that choice (DESIGN §5, "Engine")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reviewbot.core import Reason
from reviewbot.credentials import KEY, RULE, find_credentials, is_set
from reviewbot.errors import MissingCredentials


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine that will run; ``reason`` is what keeps its verdict from being a pass."""

    name: Literal["claude", "analyzers"]
    notes: tuple[str, ...] = ()
    reason: Reason | None = None


_BY_HAND = (
    "Somebody with write access can have the agents review it, too: by a manual run, or with "
    "`/reviewbot review` where the commands workflow is installed."
)
_SECRET = (
    f"Set {KEY} from a secret (in the action: `anthropic-api-key`), or choose the engine `analyzers` "
    "for a review without model agents."
)


def choose_engine(asked: str, environment: Mapping[str, str], *, secrets_possible: bool = True) -> Engine:
    """The engine for ``auto``, ``analyzers`` or ``claude``.

    ``secrets_possible`` is False for a run that cannot be given any: a fork's or Dependabot's.

    Raises:
        MissingCredentials: ``claude`` without credentials, or ``auto`` without them in CI: a mistyped
            secret must not degrade a gate.
    """
    if asked == "analyzers":
        return Engine("analyzers", ("Engine: analyzers only, as asked; no model agent takes part.",))
    found = find_credentials(environment)
    if found is not None:
        return Engine("claude", (found.warning,) if found.warning else ())
    if asked == "claude":
        raise MissingCredentials("The engine `claude` needs Anthropic credentials, and none are set.")
    if not secrets_possible:
        detail = "The model agents did not run: a fork's or Dependabot's run gets no secrets."
        return Engine("analyzers", (_BY_HAND,), Reason("no_secrets", detail))
    if is_set(environment, RULE):
        raise MissingCredentials(
            f"{RULE} is set, but this job has no identity token to exchange.",
            help="Give the job `permissions: id-token: write`.",
        )
    if is_ci(environment):
        raise MissingCredentials(
            "No Anthropic credentials are set, and in CI the engine `auto` needs them.", help=_SECRET
        )
    detail = "The model agents did not run: no Anthropic credentials are set here."
    remedy = f"Set {KEY} for the model agents, or do without them with `--engine analyzers`."
    return Engine("analyzers", (remedy,), Reason("no_credentials", detail))


def will_ask_claude(asked: object, environment: Mapping[str, str]) -> bool:
    """Whether Claude will probably be asked: known before the policy is read, good enough to prepare for."""
    return asked != "analyzers" and find_credentials(environment) is not None


def is_ci(environment: Mapping[str, str]) -> bool:
    """Whether ``CI`` is set, to anything but a no."""
    return environment.get("CI", "").strip().lower() not in ("", "0", "false", "no")
