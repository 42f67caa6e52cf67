"""What one round of a review leaves for the next, in the marker of the summary comment. Pure.

Without a key anybody with our identity could have written it, so it only tells what changed since. With
one it also holds what model agents found: a model may not say a thing twice, and fixing one of three
findings must not pass. What was found is known again by keyed hashes of its lines, not by their text,
which may be a secret.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from reviewbot.claims import Claim, Quote
from reviewbot.core import Finding, Location, Review, Severity, Sha, Side
from reviewbot.errors import RepositoryError
from reviewbot.publish import summary
from reviewbot.publish.markers import MOST_DATA
from reviewbot.text import one_line, visible
from reviewbot.verdict.grounding import Objects, fold

MOST_OPEN = 200
"""Open findings of a round that the next one can tell apart; with more it says nothing about them."""

MOST_LINES = 20
"""Lines of a finding by which it is known again."""

STILL_OPEN = "An earlier round found this, and its code is still there."

_HASH = 16


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


def open_findings(review: Review) -> tuple[Finding, ...]:
    """The findings that ask for something: what blocks, then what is advisory."""
    groups = summary.group_findings(review)
    return (*groups.blocking, *groups.advisory)


def next_round(review: Review, last: Round | None, remembered: Sequence[Remembered]) -> Round:
    """This round. Run again on the same head it is the same round, so that the summary keeps its bytes.

    Where not all was read, what the last round remembered is kept, found again or not.
    """
    names = tuple(finding.fingerprint for finding in open_findings(review))
    known = {(each.agent, each.rule, each.path, each.lines) for each in remembered}
    kept = last.remembered if last is not None and not is_complete(review) else ()
    this = Round(
        review.trigger.head_sha,
        review.trigger.policy_sha,
        names if len(names) <= MOST_OPEN else None,
        remembered=(
            *remembered,
            *(each for each in kept if (each.agent, each.rule, each.path, each.lines) not in known),
        ),
    )
    if last is None:
        return this
    if last.head_sha == this.head_sha:
        return replace(this, before=last.before, before_sha=last.before_sha)
    return replace(this, before=last.open, before_sha=last.head_sha)


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


def remember(review: Review, objects: Objects, key: bytes) -> tuple[Remembered, ...]:
    """The open findings of model agents, what blocks first."""
    found = []
    for finding in open_findings(review):
        at = finding.location
        if finding.evidence.source != "agent" or at is None:
            continue
        lines = _lines_at(review, at, objects)[at.start_line - 1 : at.end_line][:MOST_LINES]
        if lines:
            found.append(_remember(finding, at, tuple(_hash(line, key) for line in lines)))
    return tuple(found)


def _remember(finding: Finding, at: Location, lines: tuple[str, ...]) -> Remembered:
    evidence = finding.evidence
    return Remembered(
        evidence.tool, evidence.rule, evidence.severity.value, evidence.confidence,
        one_line(evidence.title, 200), one_line(evidence.message.removesuffix(STILL_OPEN), 400),
        evidence.cwe, evidence.advisory, at.path, at.side.value, at.start_line, lines,
    )  # fmt: skip


def recall(
    remembered: Iterable[Remembered], base_sha: Sha, head_sha: Sha, objects: Objects, key: bytes
) -> tuple[Claim, ...]:
    """What was remembered and whose lines are still there, as claims that quote them as they stand now."""
    claims = []
    for each in remembered:
        commit = head_sha if each.side == Side.RIGHT else base_sha
        quote = _find(each, _blob_lines(commit, each.path, objects), key)
        if quote is not None:
            claims.append(_claim(each, quote))
    return tuple(claims)


def _claim(each: Remembered, quote: Quote) -> Claim:
    return Claim(
        each.agent, each.rule, Severity(each.severity), each.confidence, each.title,
        f"{each.body} {STILL_OPEN}".strip(), (quote,), cwe=each.cwe, advisory=each.advisory,
    )  # fmt: skip


def _find(each: Remembered, lines: Sequence[str], key: bytes) -> Quote | None:
    """The place of the lines that is nearest to where they were."""
    hashes, wanted = [_hash(line, key) for line in lines], list(each.lines)
    size = len(wanted)
    starts = [at for at in range(len(hashes) - size + 1) if hashes[at : at + size] == wanted]
    if not starts:
        return None
    at = min(starts, key=lambda start: abs(start + 1 - each.start_line))
    return Quote(each.path, at + 1, at + size, "\n".join(lines[at : at + size]))


def _lines_at(review: Review, at: Location, objects: Objects) -> list[str]:
    trigger = review.trigger
    return _blob_lines(trigger.head_sha if at.side is Side.RIGHT else trigger.base_sha, at.path, objects)


def _blob_lines(commit: Sha, path: str, objects: Objects) -> list[str]:
    try:
        entry = objects.entry_at(commit, path)
        if entry is None or entry.kind != "blob":
            return []
        return objects.read_object(entry.sha).decode("utf-8", "surrogateescape").split("\n")
    except RepositoryError:
        return []


def _hash(line: str, key: bytes) -> str:
    text = fold(visible(line.rstrip("\r")))
    return hmac.new(key, b"line\0" + text.encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:_HASH]


def since_last_round(review: Review, this: Round) -> str:
    """What changed since the round of another head; empty where that is not known."""
    if this.before is None or this.open is None:
        return ""
    now, then = set(this.open), set(this.before)
    lost = then - {finding.fingerprint for finding in review.findings}
    counts = ((now - then, "new"), (now & then, "still open"), (lost, _lost(review)))
    return f"Since {this.before_sha[:12]}: {', '.join(f'{len(some)} {word}' for some, word in counts)}."


def _lost(review: Review) -> str:
    return "gone" if is_complete(review) else "not seen again"


def is_complete(review: Review) -> bool:
    """Whether all was read, so that what is not found any more is gone."""
    remarks = {"blocking_findings", "empty_change", "all_excluded", "secret_scan_only"}
    return all(reason.code in remarks for reason in review.verdict.reasons)


def forgotten_note(last: Round | None) -> Iterator[str]:
    """A sentence where the last round had more findings of agents than it could leave behind."""
    if last is not None and last.forgotten:
        what = summary.count(last.forgotten, "finding")
        yield f"{what} of agents in the last round could not be remembered: only what was found again counts."
