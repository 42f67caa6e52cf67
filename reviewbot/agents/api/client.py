"""The one place where a client of the Anthropic API is made, with whatever credentials are there."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from reviewbot.agents.api.addresses import is_safe_address
from reviewbot.agents.api.credential_helper import (
    REFRESH_SECONDS,
    HelperFailed,
    parse_helper,
    parse_refresh,
    run_helper,
)
from reviewbot.agents.api.federation import federate
from reviewbot.credentials import HELPER, KEY, RULE, URL, Credentials, find_credentials, is_set
from reviewbot.errors import MissingCredentials, UsageError
from reviewbot.text import one_line

if TYPE_CHECKING:
    import anthropic

API_URL = "https://api.anthropic.com"

REFRESH = "REVIEWBOT_CREDENTIAL_REFRESH"
"""The variable with the seconds after which a credential helper is asked again."""


AHEAD_SECONDS = 120
"""The SDK asks for a token this long before it expires."""


class BadCredentials(MissingCredentials):
    """Credentials that are there and cannot be any."""

    reason = "bad_credentials"


def make_client(
    environment: Mapping[str, str], base_url: str = "", tracer_provider: object = None
) -> tuple["anthropic.AsyncAnthropic", list[str]]:
    """A client with the credentials of the environment, and the secrets it holds (a list that grows).

    ``base_url`` wins over ``ANTHROPIC_BASE_URL``. With a base URL and no credentials at all the requests
    carry none: a proxy adds them. Profiles are read by the SDK from the process's own environment.
    Redirects are not followed, and the SDK logs no prompts. Its own spans, without content, go to
    ``tracer_provider`` where ``ANTHROPIC_OPEN_TELEMETRY`` is ``true``.

    Raises:
        MissingCredentials: none are set, or what is set cannot be used.
        UsageError: the base URL is no https URL (http only for this machine), or the helper no command.
    """
    url = base_url.strip() or environment.get(URL, "").strip()
    if url and not is_safe_address(url):
        raise UsageError(
            "The base URL of the Anthropic API cannot be used.",
            help="Give an https:// URL without user name, query or fragment (http:// only for localhost).",
        )
    found = find_credentials({**environment, URL: url})
    if found is None:
        raise _missing(environment)
    if found.kind != "profile" or URL in environment:
        # The SDK would take an empty variable for an address; a profile may name one of its own.
        url = url or API_URL
    secrets: list[str] = []
    wants_spans = environment.get("ANTHROPIC_OPEN_TELEMETRY", "").strip().lower() == "true"
    tracing = _tracing(tracer_provider if wants_spans else None)
    return _client(_arguments(found, environment, secrets), url, tracing), secrets


def _missing(environment: Mapping[str, str]) -> MissingCredentials:
    if is_set(environment, RULE):
        return MissingCredentials(
            f"{RULE} is set, but there is no identity token to exchange.",
            help="Give the job `permissions: id-token: write`, or set ANTHROPIC_IDENTITY_TOKEN_FILE.",
        )
    return MissingCredentials("No Anthropic credentials are set.")


def _arguments(found: Credentials, environment: Mapping[str, str], secrets: list[str]) -> dict[str, Any]:
    """What the client is told of its credentials."""
    import anthropic  # noqa: PLC0415 - 1.6 s, needed only where a model is asked

    match found.kind:
        case "key" | "token":
            secret = environment[found.name].strip()
            secrets.append(secret)
            if not re.fullmatch("[!-~]+", secret):  # no header can carry it, and that is no outage
                raise BadCredentials(
                    f"{found.name} holds a space, a line break or another character that no key has.",
                    help="Set it again, as one line with nothing around it.",
                )
            return {"api_key" if found.name == KEY else "auth_token": secret}
        case "helper":
            return {"credentials": _helper(environment, secrets.append)}
        case "federation":
            return {"credentials": federate(environment, secrets.append)}
        case "proxy":
            # An explicit key keeps the SDK from looking for one on disk; the header itself is left out.
            return {"api_key": "none", "default_headers": {"Authorization": anthropic.Omit()}}
    return {}


def _helper(environment: Mapping[str, str], remember: Callable[[str], object]) -> Callable[..., Any]:
    """Gives the SDK tokens of the user's program. Raises UsageError for a command that cannot be."""
    import anthropic  # noqa: PLC0415 - only where a model is asked

    argv = parse_helper(environment[HELPER], environment)
    refresh = parse_refresh(environment[REFRESH]) if is_set(environment, REFRESH) else REFRESH_SECONDS

    def token(*, force_refresh: bool = False) -> anthropic.AccessToken:
        del force_refresh  # it is asked anew each time
        try:
            said = run_helper(argv, environment)
        except HelperFailed as error:
            raise anthropic.CredentialsError(f"the credential helper failed: {error}") from None
        remember(said)
        return anthropic.AccessToken(token=said, expires_at=int(time.time() + refresh) + AHEAD_SECONDS)

    return token


def _tracing(tracer_provider: object) -> dict[str, Any]:
    if tracer_provider is None:
        return {"traces": False, "propagation": False}
    traces = {"enabled": True, "content_mode": "metadata_only"}
    return {"traces": traces, "propagation": False, "tracer_provider": tracer_provider}


def _client(credentials: dict[str, Any], url: str, tracing: Any) -> "anthropic.AsyncAnthropic":
    import anthropic  # noqa: PLC0415 - 1.6 s, needed only where a model is asked

    # Debug logs hold prompts, and a line of a prompt could be a command to a workflow runner.
    for name in ("anthropic", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    arguments = {**credentials, "base_url": url} if url else credentials
    try:
        return anthropic.AsyncAnthropic(
            **arguments,
            max_retries=2,
            open_telemetry=tracing,
            http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
        )
    except OSError as error:
        raise UsageError(
            f"The certificates for https cannot be read ({(error.strerror or 'malformed').lower()}).",
            help="Let SSL_CERT_FILE and SSL_CERT_DIR name what is there, or unset them.",
        ) from None
    except (anthropic.AnthropicError, ValueError) as error:
        raise MissingCredentials(
            f"The Anthropic credentials cannot be used: {one_line(str(error), 300)}",
            help="Correct the profile or the federation variables, or set ANTHROPIC_API_KEY.",
        ) from None
