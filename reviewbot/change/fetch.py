"""Commits over https into a bare store of our own: the second and last caller of the git program.

Nothing of the user's configuration takes part (THREATS R05). The token stands in the environment of
git alone: never in an argument, never on disk; no redirect is followed and only https is spoken (R27).
"""

import os
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reviewbot.change.hardening import HARDENED, find_git, full_id, git_env, last_line, make_store
from reviewbot.core import Sha
from reviewbot.errors import ReviewbotError
from reviewbot.github.connection import OWN_AUTHORITY, ca_file, check_https

SECONDS = 600
"""A fetch that takes longer is given up."""

PAUSE_SECONDS = 1.0
"""Between a fetch that the network broke and the second and last try."""

# git-config(1). A server that sends less than 1,000 bytes a second for a minute is given up.
_HTTPS_ONLY = (
    "-c", "protocol.https.allow=always", "-c", "http.followRedirects=false", "-c", "http.sslVerify=true",
    "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60", "-c", "credential.helper=",
    "-c", "core.askPass=", "-c", "fetch.unpackLimit=1", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
)  # fmt: skip
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
_TRANSIENT = (
    "could not resolve host", "early eof", "unexpected disconnect", "rpc failed", "timed out",
    "connection reset", "returned error: 5", "returned error: 429",
    # A connection that was cut, in the words of GnuTLS, of OpenSSL and of curl.
    "recv error", "unexpected eof", "ssl_error_syscall", "empty reply from server",
)  # fmt: skip
_DENIED = ("could not read username", "authentication failed", "error: 401", "error: 403")


class FetchError(ReviewbotError):
    """The commits cannot be fetched, so nothing can be reviewed."""

    exit_code = 3
    reason = "no_review"
    help = "Check the network and that the github-token may read the repository, then run it again."


class CommitGone(FetchError):
    """The repository has no such commit any more."""


@dataclass(frozen=True, slots=True)
class FetchedStore:
    """A bare repository that holds exactly the commits that were asked for, without their history.

    ``is_partial``: blobs are absent until ``fetch_objects`` gets them; hand it to ``Repository``.
    """

    git_dir: Path
    is_partial: bool
    _remote: "_Remote" = field(repr=False)

    def fetch_objects(self, shas: Sequence[Sha]) -> None:
        """Get objects by their full ids, in one fetch.

        Raises:
            FetchError: the server does not have one of them, or cannot be reached.
        """
        ids = "".join(f"{full_id(sha)}\n" for sha in shas).encode()
        if ids:
            noop = ("-c", "fetch.negotiationAlgorithm=noop")
            self._remote.run(
                self.git_dir, *noop, *_FETCH, "--filter=blob:none", "--stdin", self._remote.url, stdin=ids
            )


def fetch_store(
    folder: Path, url: str, token: str, commits: Sequence[Sha], *, partial: bool,
    environment: Mapping[str, str], wished: Sequence[Sha] = (),
) -> FetchedStore:  # fmt: skip
    """Fetch ``commits`` (full ids) from ``url`` into a new bare store in ``folder``, at depth 1.

    ``partial`` leaves the blobs out. Of ``environment`` only proxies and SSL_CERT_FILE are used. An
    empty token fetches as nobody. What is only ``wished`` for may be gone there.

    Raises:
        UsageError: the address is not https. UnknownRevision: an id is not a full one.
        FetchError: a commit is unknown there, the token is refused, the server is not to be trusted
            or cannot be reached, or ``folder`` cannot be written.
    """
    check_https(url, "the repository")
    wanted = [*dict.fromkeys(full_id(sha) for sha in commits)]
    if not wanted:
        raise ValueError("no commit is named, and git would fetch HEAD")
    try:
        home = folder / "home"
        home.mkdir(parents=True)
        git_dir = make_store(folder / "store", "sha256" if len(wanted[0]) == 64 else "sha1")
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise FetchError(f"The folder {str(folder)!a} cannot take the commits: {why}.") from None
    remote = _Remote(url, token, home, environment)
    left_out = ("--filter=blob:none",) if partial else ()
    more = [sha for sha in dict.fromkeys(wished) if sha not in wanted and len(sha) == len(wanted[0])]
    fetch = (*_FETCH, "--depth=1", *left_out, url, *wanted)
    try:
        remote.run(git_dir, *fetch, *map(full_id, more))
    except CommitGone:
        if not more:
            raise
        remote.run(git_dir, *fetch)
    return FetchedStore(git_dir, partial, remote)


class _Remote:
    """One address and what git needs to talk to it."""

    def __init__(self, url: str, token: str, home: Path, outside: Mapping[str, str]) -> None:
        self.url = url
        self._git = find_git()
        self._home = home
        self._secret = b64encode(f"x-access-token:{token}".encode()).decode() if token else ""
        self._environment = {**git_env(home), **self._network(outside)}

    def _network(self, outside: Mapping[str, str]) -> dict[str, str]:
        variables = {name: outside[name] for name in _PROXY_VARIABLES if outside.get(name)}
        authority = ca_file(outside)
        if authority:
            variables["GIT_SSL_CAINFO"] = str(Path(authority).absolute())
        if self._secret:
            # https://git-scm.com/docs/git-config: http.<url>.extraHeader is sent to this address only.
            variables["GIT_CONFIG_COUNT"] = "1"
            variables["GIT_CONFIG_KEY_0"] = f"http.{self.url}.extraHeader"
            variables["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {self._secret}"
        return variables

    def run(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> None:
        """Fetch; once more after a fault of the network."""
        argv = [self._git, f"--git-dir={git_dir}", *HARDENED, *_HTTPS_ONLY, *arguments]
        said = self._try(argv, stdin)
        if said is not None and any(words in said.lower() for words in _TRANSIENT):
            time.sleep(PAUSE_SECONDS)
            said = self._try(argv, stdin)
        if said is not None:
            raise _fetch_error(said)

    def _try(self, argv: list[str], stdin: bytes) -> str | None:
        """What git complained about, or None if it did its work. Its helpers end with it."""
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            cwd=self._home, env=self._environment, start_new_session=True,
        )  # fmt: skip
        try:
            _, errors = process.communicate(stdin, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise FetchError(f"git fetch took longer than {SECONDS} seconds and was stopped.") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode == 0:
            return None
        said = errors.decode("utf-8", "replace")
        return said.replace(self._secret, "[token]") if self._secret else said


def _fetch_error(said: str) -> FetchError:
    """One sentence for what git said (2.32 and later, in English)."""
    low = said.lower()
    if "not our ref" in low or "remote ref" in low or "unadvertised object" in low:
        return CommitGone(
            "A commit to review is not in the repository any more.",
            help="It was probably replaced by a force push: run it again on the new head.",
        )
    if "certificate" in low:
        return FetchError(
            "The certificate of the git server could not be verified.",
            help=OWN_AUTHORITY,
        )
    if any(words in low for words in _DENIED):
        return FetchError(
            "The git server refused the token.", help="Give the workflow `permissions: contents: read`."
        )
    if "not found" in low or "error: 404" in low:
        return FetchError("The repository does not exist, or the token may not read it.")
    if "error: 30" in low or "redirect" in low:
        return FetchError("The git server redirected to another address, which is not followed.")
    return FetchError(f"The commits could not be fetched: {last_line(said.encode())}")
