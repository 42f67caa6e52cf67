"""What one round of a review leaves for the next, in the marker of the summary comment. Pure.

Without a key anybody with our identity could have written it, so it only tells what changed since. With
one it also holds what model agents found: a model may not say a thing twice, and fixing one of three
findings must not pass. What was found is known again by keyed hashes of its lines, not by their text,
which may be a secret.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reviewbot.change.content import decode_wide
from reviewbot.claims import Claim, Quote
from reviewbot.core import ChangeSet, ChangeStatus, Finding, Location, Review, Severity, Sha, Side
from reviewbot.earlier import MOST_NANO, NANO, Remembered, Round
from reviewbot.errors import RepositoryError
from reviewbot.publish import summary
from reviewbot.text import one_line, visible
from reviewbot.verdict.before import next_readings
from reviewbot.verdict.grounding import Objects, fold

MOST_OPEN = 200
"""Open findings of a round that the next one can tell apart; with more it says nothing about them."""

MOST_LINES = 20
"""Lines of a finding by which it is known again."""

STILL_OPEN = "An earlier round found this, and its code is still there."

_HASH = 16

_NEW = (ChangeStatus.ADDED, ChangeStatus.RENAMED, ChangeStatus.COPIED)


def open_findings(review: Review) -> tuple[Finding, ...]:
    """The findings that ask for something: what blocks, then what is advisory."""
    groups = summary.group_findings(review)
    return (*groups.blocking, *groups.advisory)


def next_round(
    review: Review, last: Round | None, remembered: Sequence[Remembered], key: bytes | None = None
) -> Round:
    """This round. Run again on the same head it is the same round, but for what that cost.

    Where not all was read, what the last round remembered is kept, found again or not. With a ``key`` it
    says which files agents have read.
    """
    names = tuple(finding.fingerprint for finding in open_findings(review))
    known = {(each.agent, each.rule, each.path, each.lines) for each in remembered}
    kept = last.remembered if last is not None and not is_complete(review) else ()
    cap = next((round(each.limit_usd * NANO) for each in review.caps if each.of == "pull request"), None)
    this = Round(
        review.trigger.head_sha,
        review.trigger.policy_sha,
        names if len(names) <= MOST_OPEN else None,
        remembered=(
            *remembered,
            *(each for each in kept if (each.agent, each.rule, each.path, each.lines) not in known),
        ),
        forgotten=max(0, sum(map(_is_remembered, review.findings)) - len(remembered)) if key else 0,
        base_sha=review.changes.base_sha if key else "",
        terms=review.terms if key else "",
        readings=next_readings(review.changes, review.coverage, key) if key else (),
        patch=hashlib.sha256(review.patch).hexdigest() if review.patch else "",
        spent=min(MOST_NANO, (last.spent if last else 0) + charged_nano(review)),
        cap=cap,
    )
    if last is None:
        return this
    if last.head_sha == this.head_sha:
        return replace(this, before=last.before, before_sha=last.before_sha)
    return replace(this, before=last.open, before_sha=last.head_sha)


def charged_nano(review: Review) -> int:
    """The most that a run may have cost, in nano-dollars."""
    return round(max(review.charged_usd, review.cost_usd) * NANO)


def remember(review: Review, objects: Objects, key: bytes) -> tuple[Remembered, ...]:
    """The findings of model agents, what is open first: nobody may read their files again.

    What ``test_fix`` explained is left out: tests that still fail are explained anew, others need it no more.
    """
    found = []
    asking = open_findings(review)
    names = {finding.fingerprint for finding in asking}
    for finding in (*asking, *(each for each in review.findings if each.fingerprint not in names)):
        at = finding.location
        if not _is_remembered(finding) or at is None:
            continue
        lines = _lines(review.changes, at, objects)[at.start_line - 1 : at.end_line][:MOST_LINES]
        if lines:
            found.append(_remember(finding, at, tuple(_hash(line, key) for line in lines)))
    return tuple(found)


def _is_remembered(finding: Finding) -> bool:
    return finding.evidence.source == "agent" and finding.evidence.tool != "test_fix"


def _remember(finding: Finding, at: Location, lines: tuple[str, ...]) -> Remembered:
    evidence = finding.evidence
    return Remembered(
        evidence.tool, evidence.rule, evidence.severity.value, evidence.confidence,
        one_line(evidence.title, 200), one_line(evidence.message.removesuffix(STILL_OPEN), 400),
        evidence.cwe, evidence.advisory, at.path, at.side.value, at.start_line, lines,
    )  # fmt: skip


def recall(last: Round | None, changes: ChangeSet, objects: Objects, key: bytes | None) -> tuple[Claim, ...]:
    """What a round remembered and whose lines are still there, as claims that quote them as they stand now.

    Where a file is gone its lines are looked for in those that are new at their path: it may have moved.
    """
    if last is None or not key:
        return ()
    texts = _Texts(changes, objects, key)
    quotes = ((each, texts.find(each)) for each in last.remembered)
    return tuple(_claim(each, quote) for each, quote in quotes if quote is not None)


class _Texts:
    """The lines of both commits and their hashes, by path."""

    def __init__(self, changes: ChangeSet, objects: Objects, key: bytes) -> None:
        self.changes, self.objects, self.key = changes, objects, key
        self.by_path = {change.path: change for change in changes.files}
        self.read: dict[tuple[str, Side], tuple[list[str], list[str]]] = {}

    def find(self, each: Remembered) -> Quote | None:
        """The place of the lines that is nearest to where they were."""
        for path in self._paths(each):
            lines, hashes = self._hashed(path, Side(each.side))
            found = _find(each, path, lines, hashes)
            if found is not None:
                return found
        return None

    def _paths(self, each: Remembered) -> Iterator[str]:
        """Where it was; if that is gone, the files that are new at their path, those that moved first."""
        if self._is_there(each):
            yield each.path
            return
        new = [change for change in self.changes.files if change.status in _NEW]
        yield from (change.path for change in sorted(new, key=lambda change: change.old_path != each.path))

    def _is_there(self, each: Remembered) -> bool:
        if change := self.by_path.get(each.path):
            return each.side == Side.LEFT or change.head_blob is not None
        try:
            return self.objects.entry_at(self.changes.head_sha, each.path) is not None
        except RepositoryError:
            return False

    def _hashed(self, path: str, side: Side) -> tuple[list[str], list[str]]:
        if (path, side) not in self.read:
            lines = _lines(self.changes, Location(path, 1, 1, side), self.objects)
            self.read[path, side] = (lines, [_hash(line, self.key) for line in lines])
        return self.read[path, side]


def _claim(each: Remembered, quote: Quote) -> Claim:
    return Claim(
        each.agent, each.rule, Severity(each.severity), each.confidence, each.title,
        f"{each.body} {STILL_OPEN}".strip(), (quote,), cwe=each.cwe, advisory=each.advisory,
    )  # fmt: skip


def _find(each: Remembered, path: str, lines: Sequence[str], hashes: Sequence[str]) -> Quote | None:
    wanted, size = list(each.lines), len(each.lines)
    starts = [at for at in range(len(hashes) - size + 1) if hashes[at : at + size] == wanted]
    if not starts:
        return None
    at = min(starts, key=lambda start: abs(start + 1 - each.start_line))
    return Quote(path, at + 1, at + size, "\n".join(lines[at : at + size]))


def _lines(changes: ChangeSet, at: Location, objects: Objects) -> list[str]:
    """The lines of a file on the side of a place; a deleted line stands below the file's name in head."""
    if at.side is Side.RIGHT:
        return _blob_lines(changes.head_sha, at.path, objects)
    old = next((change.old_path for change in changes.files if change.path == at.path), None)
    return _blob_lines(changes.base_sha, old or at.path, objects)


def _blob_lines(commit: Sha, path: str, objects: Objects) -> list[str]:
    try:
        entry = objects.entry_at(commit, path)
        if entry is None or entry.kind != "blob":
            return []
        data = objects.read_object(entry.sha)
        wide = decode_wide(data)
        return (data.decode("utf-8", "surrogateescape") if wide is None else wide).split("\n")
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
    counts = [(now - then, "new"), (now & then, "still open"), (lost, _lost(review))]
    for status in ("dismissed", "deferred"):
        names = {finding.fingerprint for finding in review.findings if finding.status == status}
        some = names & then if status == "dismissed" else names
        counts += [(some, status)] if some else []
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
