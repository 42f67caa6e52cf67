"""Files that a run of a workflow left on GitHub: one more request of the API, and one redirect away from it.

The API answers with an address elsewhere that holds its own permission. It is followed once, over https,
without our token (THREATS: redirects), and what comes is capped while it is read.
"""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reviewbot import __version__
from reviewbot.github_answers import check_repository
from reviewbot.github_api import SECONDS, GitHubError, ca_file, check_https
from reviewbot.github_errors import GitHubLost, refusal

if TYPE_CHECKING:
    from requests import Response

_PIECE = 64 * 1024


def download_artifact(api_url: str, token: str, repository: str, artifact: int, most: int) -> bytes:
    """The zip file of an artifact, at most ``most`` bytes.

    Raises:
        GitHubError: it is not there, may not be read, is larger, or is not where it should be.
        UsageError: ``api_url`` is not https.
    """
    check_https(api_url, "GitHub's API")
    url = f"{api_url.rstrip('/')}/repos/{check_repository(repository)}/actions/artifacts/{artifact:d}/zip"
    with _get(url, {"Authorization": f"Bearer {token}"}) as asked:
        if asked.status_code == 410:
            raise GitHubError(f"The artifact {artifact} has expired.", help="Run the first workflow again.")
        if asked.status_code != 302:
            raise refusal(max(asked.status_code, 400), None, dict(asked.headers))
        place = _elsewhere(asked.headers.get("Location", ""))
    with _get(place, {}) as answer:
        if answer.status_code != 200:
            raise GitHubLost(f"The artifact {artifact} cannot be fetched: status {answer.status_code}.")
        return _read(answer, artifact, most)


def _get(url: str, headers: dict[str, str]) -> "Response":
    from requests import RequestException, get  # noqa: PLC0415 - 0.1 s, for this alone

    named = {"User-Agent": f"reviewbot/{__version__}", **headers}
    try:
        # `auth` keeps a .netrc of the machine out of it.
        return get(
            url, headers=named, timeout=SECONDS, stream=True, allow_redirects=False,
            verify=ca_file(os.environ) or True, auth=lambda request: request,
        )  # fmt: skip
    except RequestException:
        raise GitHubLost(f"{urlsplit(url).hostname} cannot be reached.") from None


def _elsewhere(address: str) -> str:
    """The address of a redirect, which may hold a query but no user name. Never shown: it is a permission."""
    try:
        parts = urlsplit(address)
        is_plain = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_plain = False
    if not is_plain:
        raise GitHubLost("GitHub redirected the download of an artifact to no https address.")
    return address


def _read(answer: "Response", artifact: int, most: int) -> bytes:
    from requests import RequestException  # noqa: PLC0415 - as above

    data = bytearray()
    try:
        for piece in answer.iter_content(_PIECE):
            data += piece
            if len(data) > most:
                raise GitHubError(
                    f"The artifact {artifact} is larger than {most >> 20} MiB.",
                    help="Upload the reports alone, as an artifact of their own.",
                )
    except RequestException:
        raise GitHubLost(f"The artifact {artifact} did not arrive whole.") from None
    return bytes(data)
