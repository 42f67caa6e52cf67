"""A program of the user's that prints a token: run without a shell, with little environment and time.

It is named on the command line or in the runner's own settings, never in a policy, and never by a path
that could lie in the reviewed repository.
"""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from reviewbot.errors import UsageError

SECONDS = 30.0
REFRESH_SECONDS = 900.0
"""After so long a token is asked for again, where the user says nothing else."""

LONGEST_TOKEN = 16 * 1024

PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"),
    *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""The variables that the program sees, and no others."""

_HELP = "Give a program on the PATH, or an absolute path, and its arguments, as in 'vault-token --role ci'."


class HelperFailed(Exception):
    """The program gave no token; the message says why in one clause and quotes nothing of what it wrote."""


def parse_helper(command: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The argument vector of a helper: its program is absolute, or found on absolute folders of the PATH.

    Raises:
        UsageError: it is no such command.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise UsageError("The credential helper is no command.", help=_HELP)
    name = words[0]
    folders = [each for each in environment.get("PATH", "").split(os.pathsep) if Path(each).is_absolute()]
    found = (
        shutil.which(name, path=os.pathsep.join(folders))
        if Path(name).is_absolute() or "/" not in name
        else None
    )
    if found is None:
        raise UsageError(f"The credential helper {name!a} is not there.", help=_HELP)
    return (found, *words[1:])


def parse_refresh(text: str) -> float:
    """Seconds after which the helper is asked again, from 1 to a day. Raises UsageError."""
    try:
        seconds = float(text) if text.isascii() else 0.0
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise UsageError(
            f"The refresh time of the credential helper, {text[:40]!a}, cannot be used.",
            help="Give seconds, from 1 to 86400.",
        )
    return seconds


def run_helper(argv: Sequence[str], environment: Mapping[str, str], *, seconds: float = SECONDS) -> str:
    """The token that the program prints. Raises HelperFailed."""
    passed = {name: environment[name] for name in PASSED if name in environment}
    try:
        child = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/", env=passed, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise HelperFailed(f"it cannot be run ({(error.strerror or 'unknown reason').lower()})") from None
    try:
        data, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise HelperFailed(f"it did not end within {seconds:g} seconds") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if child.stdout:
                child.stdout.close()
    if child.returncode:
        raise HelperFailed(f"it ended with {child.returncode}")
    return _token(data)


def _token(data: bytes) -> str:
    text = data[: LONGEST_TOKEN + 1].decode("ascii", "replace").strip()
    if not text or len(data) > LONGEST_TOKEN or not all("!" <= char <= "~" for char in text):
        raise HelperFailed("it printed no token (one line of ASCII without spaces)")
    return text
