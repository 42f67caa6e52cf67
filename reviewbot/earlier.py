"""What an earlier round of a review left for the next one, and how that is written down. Pure.

A round stands as data in the marker of the summary comment (``publish.markers``). Only where that is
signed with a key may it hold more than what changed since.
"""

import base64
import binascii
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from reviewbot.core import CoverageStatus, Location, Severity, Sha, Side
from reviewbot.json_rules import read_json

MOST_DATA = 24_000
"""Characters of a marker's data, which are base64."""

MOST_LEVELS = 8
"""Of nesting in them."""

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""

MOST_NANO = 10**18
"""Nano-dollars that can have been spent: a larger number is none of ours."""

FILE_DIGITS = 16
"""Hex digits by which a reading knows a file's change."""

READERS = ("triage", "security")
"""The agents whose work makes a file read: test_fix is about failures, verify about claims."""


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
class Reading:
    """Files that agents read as they are, in the round of ``head_sha``: ``status`` of the ledger and by whom.

    ``files`` are keyed hashes of the files' changes, FILE_DIGITS each (``verdict.before``).
    """

    head_sha: Sha
    status: str
    by: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its head, the fingerprints that were open, and those of the round of another head before.

    ``open`` and ``before`` are None where there were too many, or none of that head. ``forgotten`` counts
    findings of agents for which there was no room. ``readings`` hold for the merge base ``base_sha`` and for
    agents that are told the same (``terms``); they are left out where there is no room. ``patch`` is the
    SHA-256 of the fix that was offered, if one was. ``spent`` is what
    all runs on the pull request may have cost, ``cap`` what they may cost, in nano-dollars.
    """

    head_sha: Sha
    policy_sha: Sha
    open: tuple[str, ...] | None
    before: tuple[str, ...] | None = None
    before_sha: Sha = ""
    remembered: tuple[Remembered, ...] = ()
    forgotten: int = 0
    base_sha: Sha = ""
    terms: str = ""
    readings: tuple[Reading, ...] = ()
    patch: str = ""
    spent: int = 0
    cap: int | None = None


def render_round(this: Round) -> str:
    """The round as base64 that fits into a marker; agents' findings that do not fit are counted."""
    kept, readings = list(this.remembered), [_written(each) for each in this.readings]
    while True:
        whole = {**asdict(this), "remembered": [asdict(each) for each in kept], "readings": readings}
        whole["forgotten"] = this.forgotten + len(this.remembered) - len(kept)
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=True)
        packed = base64.b64encode(text.encode()).decode()
        if len(packed) <= MOST_DATA:
            return packed
        if readings:
            readings = []
        else:
            kept.pop()


def _written(reading: Reading) -> dict[str, Any]:
    return {**asdict(reading), "files": "".join(reading.files)}


def parse_round(data: str) -> Round | None:
    """A round as ``render_round`` wrote it; None for anything else."""
    try:
        whole = read_json(base64.b64decode(data, validate=True), most=MOST_DATA, levels=MOST_LEVELS)
        remembered = tuple(_remembered(each) for each in whole.pop("remembered"))
        readings = tuple(_reading(each) for each in whole.pop("readings", ()))
        whole = {name: tuple(value) if isinstance(value, list) else value for name, value in whole.items()}
        made = Round(**whole, remembered=remembered, readings=readings)
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError):
        return None
    lists = (made.open, made.before)
    if not all(each is None or isinstance(each, tuple) for each in lists) or type(made.forgotten) is not int:
        return None
    if not (_is_nano(made.spent) and (made.cap is None or _is_nano(made.cap))):
        return None
    lone = (made.head_sha, made.policy_sha, made.before_sha, made.base_sha, made.terms, made.patch)
    texts = (*lone, *(made.open or ()), *(made.before or ()))
    good = all(isinstance(text, str) and len(text) <= 64 and not set(text) - _HEX for text in texts)
    return made if good else None


def _is_nano(value: object) -> bool:
    """Whether this can be nano-dollars: never less than nothing, which would allow more."""
    return type(value) is int and 0 <= value <= MOST_NANO


_HEX = frozenset("0123456789abcdef")
_FILE = f"[0-9a-f]{{{FILE_DIGITS}}}"


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


def _reading(node: Any) -> Reading:
    made = Reading(node["head_sha"], node["status"], tuple(node["by"]), _cut(node["files"]))
    if made.status not in (CoverageStatus.REVIEWED, CoverageStatus.TRIAGED) or set(made.by) - set(READERS):
        raise ValueError("status")
    if not re.fullmatch("[0-9a-f]{1,64}", made.head_sha):
        raise ValueError("head_sha")
    if not all(re.fullmatch(_FILE, name) for name in made.files):
        raise ValueError("files")
    return made


def _cut(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + FILE_DIGITS] for at in range(0, len(text), FILE_DIGITS))
