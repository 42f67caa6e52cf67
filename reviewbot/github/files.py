"""Files that a run of a workflow left on GitHub: one more request of the API, and one redirect away from it.

The API answers with an address elsewhere that holds its own permission. It is followed once, over https,
without our token (THREATS: redirects), and what comes is capped while it is read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reviewbot import __version__
from reviewbot.github.answers import check_repository
from reviewbot.github.connection import SECONDS, ca_file, check_https
from reviewbot.github.errors import GitHubError, GitHubLost, refusal

if TYPE_CHECKING:
    from requests import Response

LOG_BYTES = 256 * 1024 * 1024
"""The longest log that is read to its end."""

_PIECE = 64 * 1024


def download_artifact(api_url: str, token: str, repository: str, artifact: int, most: int) -> bytes:
    """The zip file of an artifact, at most ``most`` bytes.

    Raises:
        GitHubError: it is not there, may not be read, is larger, or is not where it should be.
        UsageError: ``api_url`` is not https.
    """
    url = f"{_repository_url(api_url, repository)}/actions/artifacts/{artifact:d}/zip"
    what = f"The artifact {artifact}"
    with _download(url, token, what) as answer:
        data = bytearray()
        for piece in _pieces(answer, what):
            data += piece
            if len(data) > most:
                raise GitHubError(
                    f"{what} is larger than {most >> 20} MiB.",
                    help="Upload the reports alone, as an artifact of their own.",
                )
        return bytes(data)


def download_log(api_url: str, token: str, repository: str, job: int, most: int) -> bytes:
    """The log of a finished job; of one longer than ``most`` bytes the first and the last half.

    Raises:
        GitHubError: it is not there, may not be read, is past 256 MiB, or is not where it should be.
        UsageError: ``api_url`` is not https.
    """
    url = f"{_repository_url(api_url, repository)}/actions/jobs/{job:d}/logs"
    what = f"The log of job {job}"
    head, tail, total = bytearray(), bytearray(), 0
    with _download(url, token, what) as answer:
        for piece in _pieces(answer, what):
            total += len(piece)
            if total > LOG_BYTES:
                raise GitHubError(
                    f"{what} is larger than {LOG_BYTES >> 20} MiB.", help="Let the job say less."
                )
            room = max(0, most // 2 - len(head))
            head += piece[:room]
            tail += piece[room:]
            del tail[: -(most // 2)]
    left_out = total - len(head) - len(tail)
    middle = b"\n[... %d bytes left out ...]\n" % left_out if left_out else b""
    return bytes(head) + middle + bytes(tail)


def _repository_url(api_url: str, repository: str) -> str:
    check_https(api_url, "GitHub's API")
    return f"{api_url.rstrip('/')}/repos/{check_repository(repository)}"


@contextmanager
def _download(url: str, token: str, what: str) -> Iterator["Response"]:
    """The answer from the place that ``url`` redirects to."""
    with _get(url, {"Authorization": f"Bearer {token}"}) as asked:
        if asked.status_code == 410:
            raise GitHubError(f"{what} has expired.", help="Run that workflow again.")
        if asked.status_code != 302:
            raise refusal(max(asked.status_code, 400), None, dict(asked.headers))
        place = _elsewhere(asked.headers.get("Location", ""))
    with _get(place, {}) as answer:
        if answer.status_code != 200:
            raise GitHubLost(f"{what} cannot be fetched: status {answer.status_code}.")
        yield answer


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
        raise GitHubLost("GitHub redirected a download to no https address.")
    return address


def _pieces(answer: "Response", what: str) -> Iterator[bytes]:
    from requests import RequestException  # noqa: PLC0415 - as above

    try:
        yield from answer.iter_content(_PIECE)
    except RequestException:
        raise GitHubLost(f"{what} did not arrive whole.") from None
