"""Workload identity federation: a job's identity token is exchanged for a token that lives for minutes.

The identity token is fetched anew for each exchange and stands on no disk. The SDK exchanges again
before the access token expires, and after a 401.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from reviewbot.agents.api.addresses import is_safe_address
from reviewbot.agents.api.replies import parse_json
from reviewbot.credentials import IDENTITY, IDENTITY_FILE, JOB_TOKEN, JOB_URL, RULE, is_set
from reviewbot.errors import MissingCredentials

if TYPE_CHECKING:
    import anthropic

AUDIENCE = "https://api.anthropic.com"
FETCH_SECONDS = 20.0
MAX_BYTES = 64 * 1024
PAUSES = (0.5, 2.0)
"""Seconds before a second and a third try of what a server could not answer."""

Got = TypeVar("Got")


class Federation:
    """Gives the SDK access tokens (an ``AccessTokenProvider``); ``remember`` hears of each one."""

    def __init__(self, exchange: "anthropic.WorkloadIdentityCredentials", remember: Callable[[str], object]):
        self._exchange = exchange
        self._remember = remember

    def __call__(self, *, force_refresh: bool = False) -> Any:
        """A new access token. Raises anthropic.WorkloadIdentityError or anthropic.CredentialsError."""
        token = _patiently(lambda: self._exchange(force_refresh=force_refresh))
        self._remember(token.token)
        return token

    def for_base_url(self, base_url: str) -> "Federation":
        """The same, exchanging where a client with this address asks."""
        return Federation(self._exchange.for_base_url(base_url), self._remember)

    def close(self) -> None:
        """Close its connections."""
        self._exchange.close()


def federate(environment: Mapping[str, str], remember: Callable[[str], object]) -> Federation:
    """The federation that the environment names; nothing is asked yet.

    Raises:
        MissingCredentials: a part of it is missing.
    """
    import anthropic  # noqa: PLC0415 - only where a model is asked

    organization = environment.get("ANTHROPIC_ORGANIZATION_ID", "").strip()
    if not organization:
        raise MissingCredentials(
            f"{RULE} is set and ANTHROPIC_ORGANIZATION_ID is not.",
            help="Give both (the inputs `federation-rule-id` and `organization-id` of the action).",
        )
    exchange = anthropic.WorkloadIdentityCredentials(
        identity_token_provider=_identity(environment),
        federation_rule_id=environment[RULE].strip(),
        organization_id=organization,
        service_account_id=environment.get("ANTHROPIC_SERVICE_ACCOUNT_ID", "").strip() or None,
        workspace_id=environment.get("ANTHROPIC_WORKSPACE_ID", "").strip() or None,
    )
    return Federation(exchange, remember)


def _identity(environment: Mapping[str, str]) -> Callable[[], str]:
    """Where identity tokens come from: a file, a variable, or the job that GitHub runs."""
    if is_set(environment, IDENTITY_FILE):
        path = Path(environment[IDENTITY_FILE].strip())
        return lambda: _read_identity(path)
    if is_set(environment, IDENTITY):
        token = environment[IDENTITY].strip()
        return lambda: token
    url, bearer = environment.get(JOB_URL, "").strip(), environment.get(JOB_TOKEN, "").strip()
    if not (url and bearer):
        raise MissingCredentials(
            f"{RULE} is set, but there is no identity token to exchange.",
            help="Give the job `permissions: id-token: write`, or set ANTHROPIC_IDENTITY_TOKEN_FILE.",
        )
    if not is_safe_address(url, with_query=True):
        raise MissingCredentials(f"{JOB_URL} is no https address.", help="Run this on GitHub's runner.")
    return lambda: _patiently(lambda: _fetch_identity(url, bearer))


def _read_identity(path: Path) -> str:
    import anthropic  # noqa: PLC0415 - only where a model is asked

    try:
        data = path.read_bytes()[:MAX_BYTES]
        return data.decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise anthropic.CredentialsError(
            f"the file that {IDENTITY_FILE} names cannot be read ({type(error).__name__})"
        ) from None


def _fetch_identity(url: str, bearer: str) -> str:
    """One identity token of the job, for Anthropic's API alone. Raises anthropic.CredentialsError."""
    import anthropic  # noqa: PLC0415 - only where a model is asked

    sign = "&" if "?" in url else "?"
    with anthropic.DefaultHttpxClient(timeout=FETCH_SECONDS, follow_redirects=False) as client:
        try:
            answer = client.get(
                f"{url}{sign}audience={quote(AUDIENCE, safe='')}",
                headers={"Authorization": f"bearer {bearer}"},
            )
            data = answer.content[:MAX_BYTES]
        except Exception as error:
            raise _Unanswered(
                f"GitHub's identity service cannot be reached ({type(error).__name__})"
            ) from None
    if answer.status_code >= 500:
        raise _Unanswered(f"GitHub's identity service answered HTTP {answer.status_code}")
    try:
        value = parse_json(data).get("value") if answer.status_code == 200 else None
    except (ValueError, AttributeError):
        value = None
    if not (isinstance(value, str) and value):
        said = f"GitHub's identity service gave no token (HTTP {answer.status_code})"
        raise anthropic.CredentialsError(f"{said}; the job needs `permissions: id-token: write`")
    return value


class _Unanswered(Exception):
    """A server did not answer; another try may help."""


def _patiently(call: Callable[[], Got]) -> Got:
    """What ``call`` returns, tried three times where a server could not answer; runs in a thread."""
    import anthropic  # noqa: PLC0415 - only where a model is asked

    for pause in (*PAUSES, None):
        try:
            return call()
        except _Unanswered as error:
            if pause is None:
                raise anthropic.CredentialsError(str(error)) from None
        except anthropic.WorkloadIdentityError as error:
            if pause is None or not (error.status_code is None or error.status_code >= 500):
                raise
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")
