"""Which credentials of an environment the models are asked with. Pure: names alone, nothing is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

KEY, TOKEN, PROFILE, RULE, HELPER, URL = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_FEDERATION_RULE_ID",
    "REVIEWBOT_CREDENTIAL_HELPER",
    "ANTHROPIC_BASE_URL",
)
IDENTITY_FILE, IDENTITY = "ANTHROPIC_IDENTITY_TOKEN_FILE", "ANTHROPIC_IDENTITY_TOKEN"
JOB_URL, JOB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
"""What GitHub gives to a job with `id-token: write`, to fetch identity tokens with."""

Kind = Literal["helper", "key", "token", "profile", "federation", "proxy"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client is made with: ``name`` is the variable that says so.

    ``unused`` are variables that name other credentials, which this one beats.
    """

    kind: Kind
    name: str
    unused: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """A sentence where something that was set is not used, else empty."""
        if not self.unused:
            return ""
        others = " and ".join(self.unused)
        return f"{self.name} is used and {others} not: unset {self.name} if that is not what you want."


_ORDER: tuple[tuple[Kind, str], ...] = (
    ("helper", HELPER),
    ("key", KEY),
    ("token", TOKEN),
    ("profile", PROFILE),
    ("federation", RULE),
)
"""The first that is set is used; behind the helper this is the order of the SDK."""


def find_credentials(environment: Mapping[str, str]) -> Credentials | None:
    """What is there to ask the models with, or None. A base URL alone means a proxy that adds a key.

    A federation rule counts only with an identity token, or a way to get one: a fork's run has none.
    """
    named = [(kind, name) for kind, name in _ORDER if is_set(environment, name)]
    for kind, name in named:
        if kind != "federation" or has_identity(environment):
            return Credentials(kind, name, tuple(other for _, other in named if other != name))
    return Credentials("proxy", URL) if is_set(environment, URL) else None


def has_identity(environment: Mapping[str, str]) -> bool:
    """Whether there is an identity token to exchange, or a job that can fetch one."""
    given = is_set(environment, IDENTITY_FILE) or is_set(environment, IDENTITY)
    return given or (is_set(environment, JOB_URL) and is_set(environment, JOB_TOKEN))


def is_set(environment: Mapping[str, str], name: str) -> bool:
    """Whether a variable has a value; a workflow passes empty ones for what is missing."""
    return bool(environment.get(name, "").strip())
