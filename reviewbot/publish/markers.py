"""The one HTML comment at the end of each comment of ours, by which a later run knows it again.

Pure. Whoever else writes with our token's identity can write a marker, too, so without a key one may
only suppress a duplicate. With a key (the ``state-key`` of the action) a marker carries an HMAC-SHA256
that binds it to one repository and one pull request, and nothing else counts.

Kinds: ``finding`` (a comment at a line; ``agent`` where a model said it), ``gone`` (our answer below one),
``summary`` (the one summary, with what the next run must know as ``data``), ``reply`` (to a command) and
``tracking`` (the one issue of the scans, with the baseline as ``data``).
"""

import hmac
import re
from dataclasses import dataclass
from typing import Any, Literal

from reviewbot.earlier import MOST_DATA

VERSION = "v1"

LENGTH = 140
"""No marker without data is longer, in characters."""

MOST_TRACKED = 40_000
"""Characters of a tracking issue's data, which are base64."""

_Kind = Literal["finding", "gone", "summary", "reply", "tracking"]
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_DATA = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MARKER = re.compile(
    rf"<!-- reviewbot:{VERSION} (finding|gone|summary|reply|tracking)(?: ([0-9a-f]{{16}}))?( agent)?"
    rf"(?: data=([A-Za-z0-9+/]{{1,{MOST_TRACKED}}}={{0,2}}))?(?: hmac=([0-9a-f]{{64}}))? -->"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a marker counts: ``owner/name`` and the number of the pull request or issue."""

    repository: str
    pull_number: int


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker that counts: its kind and what it says; ``fingerprint`` and ``data`` may be empty."""

    kind: _Kind
    fingerprint: str = ""
    by_agent: bool = False
    data: str = ""


def finding_marker(fingerprint: str, scope: Scope, key: bytes | None, *, by_agent: bool = False) -> str:
    """The last line of a comment about one finding; ``fingerprint`` is 16 hex digits, else ValueError."""
    return _write(Marker("finding", _checked(fingerprint), by_agent), scope, key)


def gone_marker(fingerprint: str, scope: Scope, key: bytes | None) -> str:
    """The last line of our answer to a comment of ours whose finding is gone."""
    return _write(Marker("gone", _checked(fingerprint)), scope, key)


def summary_marker(scope: Scope, key: bytes | None, data: str = "") -> str:
    """The last line of the summary comment; ``data`` is base64 of at most MOST_DATA characters."""
    if len(data) > MOST_DATA or not _DATA.fullmatch(data):
        raise ValueError("the data of a marker is no base64, or too long")
    return _write(Marker("summary", data=data), scope, key)


def tracking_marker(scope: Scope, key: bytes | None, data: str) -> str:
    """The last line of the tracking issue; ``data`` is base64 of at most MOST_TRACKED characters."""
    if len(data) > MOST_TRACKED or not _DATA.fullmatch(data):
        raise ValueError("the data of a marker is no base64, or too long")
    return _write(Marker("tracking", data=data), scope, key)


def reply_marker(comment_id: int, scope: Scope, key: bytes | None) -> str:
    """The last line of our answer to the command in a comment."""
    return _write(Marker("reply", f"{comment_id:016x}"), scope, key)


def read_marker(body: str, scope: Scope, key: bytes | None) -> Marker | None:
    """The marker of a comment of ours, None where its last line is none that counts.

    Only the last line is read: text above it may quote what others wrote.
    """
    found = _MARKER.fullmatch(body.rstrip().rpartition("\n")[2])
    if found is None:
        return None
    kind: Any = found[1]
    marker = Marker(kind, found[2] or "", bool(found[3]), found[4] or "")
    most = {"summary": MOST_DATA, "tracking": MOST_TRACKED}.get(kind, 0)
    if (most == 0) != bool(marker.fingerprint) or len(marker.data) > most:
        return None
    if marker.by_agent and kind != "finding":
        return None
    if key and not hmac.compare_digest(_sign(marker, scope, key), found[5] or ""):
        return None
    return marker


def read_finding_markers(body: str, scope: Scope, key: bytes | None) -> frozenset[str]:
    """The fingerprint that a comment is about; empty where its last line is no marker that counts."""
    marker = read_marker(body, scope, key)
    return frozenset({marker.fingerprint}) if marker and marker.kind == "finding" else frozenset()


def is_summary(body: str, scope: Scope, key: bytes | None) -> bool:
    """Whether the last line of a comment says that it is the summary of this pull request."""
    marker = read_marker(body, scope, key)
    return marker is not None and marker.kind == "summary"


def _checked(fingerprint: str) -> str:
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"{fingerprint!a} is no fingerprint")
    return fingerprint


def _write(marker: Marker, scope: Scope, key: bytes | None) -> str:
    words = [f"reviewbot:{VERSION}", marker.kind, marker.fingerprint, "agent" if marker.by_agent else ""]
    words.append(f"data={marker.data}" if marker.data else "")
    words.append(f"hmac={_sign(marker, scope, key)}" if key else "")
    return f"<!-- {' '.join(word for word in words if word)} -->"


def _sign(marker: Marker, scope: Scope, key: bytes) -> str:
    # GitHub's repository names differ in more than case; no field can hold a NUL.
    fields = ["reviewbot", VERSION, scope.repository.lower(), str(scope.pull_number)]
    fields += [marker.kind, marker.fingerprint]
    fields += ["agent"] if marker.by_agent else []
    fields += [f"data={marker.data}"] if marker.data else []
    return hmac.new(key, "\0".join(fields).encode("utf-8", "surrogateescape"), "sha256").hexdigest()
