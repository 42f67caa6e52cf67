"""The connection to GitHub's API: PyGithub's requester with our retries, proxy, certificates and limits.

Network: HTTPS_PROXY and NO_PROXY as everywhere; the certificates to trust are those of SSL_CERT_FILE where
it is set. No redirect leaves the host.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reviewbot import __version__
from reviewbot.errors import UsageError
from reviewbot.github.errors import GitHubError, GitHubLost

if TYPE_CHECKING:
    from github.GithubRetry import GithubRetry
    from github.Requester import Requester

SECONDS = 30
"""A server that says nothing for longer is given up."""

PATIENCE_SECONDS = 60
"""The longest wait that a rate limit may ask for."""

RETRIES = 3
OWN_AUTHORITY = "If the server has an authority of its own, let SSL_CERT_FILE name its certificates."


def ca_file(environment: Mapping[str, str]) -> str | None:
    """The file of certificates to trust, for every client alike: SSL_CERT_FILE, else REQUESTS_CA_BUNDLE.

    Raises:
        UsageError: there is no such file.
    """
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        path = environment.get(name)
        if path:
            if not Path(path).is_file():
                raise UsageError(
                    f"{name} names {path!a}, which is no file.", help="Name a file of PEM certificates."
                )
            return path
    return None


def check_https(url: str, what: str) -> None:
    """Refuse an address that is not plain https with a host, such as one with a password in it.

    Raises:
        UsageError: naming ``what`` the address is of, and not the address, which may hold a secret.
    """
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc
        is_plain = is_plain and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        is_plain = False
    if not is_plain or not re.fullmatch("[!-~]+", url):
        raise UsageError(
            f"The address of {what} is not an https address.",
            help="It must begin with https:// and hold no user name, password or query.",
        )


def connect(token: str, url: str, safe_verbs: Sequence[str], count: Callable[[], None]) -> "Requester":
    """A connection to one address. ``safe_verbs`` are sent again after faults of the server; ``count`` is
    called for each request that is sent again.

    Raises:
        UsageError: the address is not https, or the file of certificates is missing.
    """
    check_https(url, "GitHub's API")
    from github import Auth, Github, set_log_level  # noqa: PLC0415 - 0.3 s, only where GitHub is asked

    # It prints parts of answers to a log in which a runner looks for commands (THREATS R18).
    set_log_level(logging.CRITICAL)
    return Github(
        auth=Auth.Token(token), base_url=url.rstrip("/"), timeout=SECONDS, per_page=100,
        user_agent=f"reviewbot/{__version__}", verify=ca_file(os.environ) or True,
        retry=_make_retry(safe_verbs, count), seconds_between_requests=None, seconds_between_writes=None,
    ).requester  # fmt: skip


def _make_retry(safe_verbs: Sequence[str], count: Callable[[], None]) -> "GithubRetry":
    """What is sent again: ``safe_verbs`` after any fault of the server, all else only after a rate limit.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """
    from github import GithubRetry  # noqa: PLC0415 - as above
    from urllib3.exceptions import MaxRetryError  # noqa: PLC0415 - as above

    class Retry(GithubRetry):
        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            is_safe = method in safe_verbs and status_code >= 500
            return is_safe or status_code == 403 or (status_code == 429 and has_retry_after)

        def increment(
            self, method: Any = None, url: Any = None, response: Any = None, error: Any = None,
            _pool: Any = None, _stacktrace: Any = None,
        ) -> Any:  # fmt: skip
            wait = self.get_retry_after(response) if response else None
            if response and (self.total == 0 or (wait is not None and wait > PATIENCE_SECONDS)):
                # Given up before PyGithub reads the body, which tells a rate limit from a refusal.
                raise MaxRetryError(_pool, url or "")
            following = super().increment(method, url, response, error, _pool, _stacktrace)
            count()
            return following

    return Retry(
        total=RETRIES, backoff_factor=0.5, allowed_methods=safe_verbs, raise_on_status=False,
        secondary_rate_wait=PATIENCE_SECONDS, max_rate_limit_wait=PATIENCE_SECONDS,
    )  # fmt: skip


def unreachable(host: str, error: Exception) -> GitHubError:
    """One sentence for what went wrong below HTTP, without the words of the libraries."""
    from requests import exceptions  # noqa: PLC0415 - already imported by PyGithub
    from urllib3.exceptions import ReadTimeoutError  # noqa: PLC0415 - as above

    if isinstance(error, exceptions.SSLError):
        return GitHubError(f"The certificate of {host} could not be verified.", help=OWN_AUTHORITY)
    if isinstance(error, exceptions.ProxyError):
        return GitHubError(f"The proxy on the way to {host} refused.", help="Check HTTPS_PROXY and NO_PROXY.")
    cause = getattr(next(iter(error.args), None), "reason", None)
    is_late = isinstance(error, exceptions.Timeout) or isinstance(cause, ReadTimeoutError)
    why = f"did not answer within {SECONDS} seconds" if is_late else "cannot be reached"
    return GitHubLost(f"{host} {why}.", help="Check the network and GITHUB_API_URL, then run it again.")
