"""What an earlier round of a review left for the next one, and how that is written down. Pure.

A round stands as data in the marker of the summary comment (``publish.markers``). Only where that is
signed with a key may it hold more than what changed since.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from typing import Any

from reviewbot.core import Location, Severity, Sha, Side

MOST_DATA = 24_000
"""Characters of a marker's data, which are base64."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A finding of a model agent: what it said, and where. ``lines`` are hashes of what stood there."""

    agent: str
    rule: str
    severity: str
    confidence: float
    title: str
    body: str
    cwe: tuple[str, ...]
    advisory: bool
    path: str
    side: str
    start_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its head, the fingerprints that were open, and those of the round of another head before.

    ``open`` and ``before`` are None where there were too many, or none of that head. ``forgotten`` counts
    findings of agents for which there was no room.
    """

    head_sha: Sha
    policy_sha: Sha
    open: tuple[str, ...] | None
    before: tuple[str, ...] | None = None
    before_sha: Sha = ""
    remembered: tuple[Remembered, ...] = ()
    forgotten: int = 0


def render_round(this: Round) -> str:
    """The round as base64 that fits into a marker; agents' findings that do not fit are counted."""
    kept = list(this.remembered)
    while True:
        whole = {**asdict(this), "remembered": [asdict(each) for each in kept]}
        whole["forgotten"] = len(this.remembered) - len(kept)
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=True)
        packed = base64.b64encode(text.encode()).decode()
        if len(packed) <= MOST_DATA:
            return packed
        kept.pop()


def parse_round(data: str) -> Round | None:
    """A round as ``render_round`` wrote it; None for anything else."""
    try:
        whole = json.loads(base64.b64decode(data, validate=True))
        remembered = tuple(_remembered(each) for each in whole.pop("remembered"))
        whole = {name: tuple(value) if isinstance(value, list) else value for name, value in whole.items()}
        made = Round(**whole, remembered=remembered)
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    lists = (made.open, made.before)
    if not all(each is None or isinstance(each, tuple) for each in lists) or type(made.forgotten) is not int:
        return None
    texts = (made.head_sha, made.policy_sha, made.before_sha, *(made.open or ()), *(made.before or ()))
    good = all(isinstance(text, str) and len(text) <= 64 and not set(text) - _HEX for text in texts)
    return made if good else None


_HEX = frozenset("0123456789abcdef")


def _remembered(node: Any) -> Remembered:
    kinds: dict[str, Any] = {
        "confidence": (int, float),
        "start_line": int,
        "cwe": list,
        "lines": list,
        "advisory": bool,
    }
    for name, value in node.items():
        if not isinstance(value, kinds.get(name, str)):
            raise TypeError(name)
    made = Remembered(**{**node, "cwe": tuple(node["cwe"]), "lines": tuple(node["lines"])})
    Severity(made.severity), Side(made.side), Location(made.path, made.start_line, made.start_line)
    if not 0 <= made.confidence <= 1:
        raise ValueError("confidence")
    if not made.lines or not all(isinstance(text, str) for text in (*made.lines, *made.cwe)):
        raise TypeError("lines")
    return made
