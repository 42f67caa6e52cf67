"""The one HTML comment at the end of each comment of ours, by which a later run knows it again.

Pure. Whoever else writes with our token's identity can write a marker, too, so without a key one may
only suppress a duplicate. With a key (the ``state-key`` of the action) a marker carries an HMAC-SHA256
that binds it to one repository and one pull request, and nothing else counts.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Literal

VERSION = "v1"

LENGTH = 140
"""No marker is longer, in characters."""

_Kind = Literal["finding", "summary"]
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_MARKER = re.compile(
    rf"<!-- reviewbot:{VERSION} (finding|summary)(?: ([0-9a-f]{{16}}))?(?: hmac=([0-9a-f]{{64}}))? -->"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a marker counts: ``owner/name`` and the number of the pull request."""

    repository: str
    pull_number: int


def finding_marker(fingerprint: str, scope: Scope, key: bytes | None) -> str:
    """The last line of a comment about one finding; ``fingerprint`` is 16 hex digits, else ValueError."""
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"{fingerprint!a} is no fingerprint")
    return _marker("finding", fingerprint, scope, key)


def summary_marker(scope: Scope, key: bytes | None) -> str:
    """The last line of the summary comment."""
    return _marker("summary", "", scope, key)


def read_finding_markers(body: str, scope: Scope, key: bytes | None) -> frozenset[str]:
    """The fingerprint that a comment is about; empty where its last line is no marker that counts."""
    marker = _read(body, scope, key)
    return frozenset({marker[1]}) if marker and marker[0] == "finding" else frozenset()


def is_summary(body: str, scope: Scope, key: bytes | None) -> bool:
    """Whether the last line of a comment says that it is the summary of this pull request."""
    marker = _read(body, scope, key)
    return marker is not None and marker[0] == "summary"


def _marker(kind: _Kind, fingerprint: str, scope: Scope, key: bytes | None) -> str:
    words = [f"reviewbot:{VERSION}", kind, fingerprint]
    if key:
        words.append(f"hmac={_sign(kind, fingerprint, scope, key)}")
    return f"<!-- {' '.join(word for word in words if word)} -->"


def _read(body: str, scope: Scope, key: bytes | None) -> tuple[str, str] | None:
    """Kind and fingerprint. Only the last line is read: text above it may quote what others wrote."""
    last_line = body.rstrip().rpartition("\n")[2]
    found = _MARKER.fullmatch(last_line)
    if found is None:
        return None
    kind, fingerprint, signature = found[1], found[2] or "", found[3] or ""
    if (kind == "finding") != bool(fingerprint):
        return None
    if key and not hmac.compare_digest(_sign(kind, fingerprint, scope, key), signature):
        return None
    return kind, fingerprint


def _sign(kind: str, fingerprint: str, scope: Scope, key: bytes) -> str:
    # GitHub's repository names differ in more than case; no field can hold a NUL.
    fields = ("reviewbot", VERSION, scope.repository.lower(), str(scope.pull_number), kind, fingerprint)
    return hmac.new(key, "\0".join(fields).encode("utf-8", "surrogateescape"), "sha256").hexdigest()
