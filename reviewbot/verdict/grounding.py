"""What was said, held against the blobs: evidence becomes a finding with a place that exists.

A producer's line counts only where the file it saw is the file in head. Where it is not, the line's
text is looked for; what is not there loses its place and can no longer block.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, Protocol

from reviewbot.change.content import split_lines
from reviewbot.change.git import TreeEntry
from reviewbot.core import (
    ChangeSet,
    Evidence,
    FileChange,
    Finding,
    Frame,
    Location,
    Mask,
    Rejected,
    Sha,
    Side,
    Suppression,
)
from reviewbot.errors import RepositoryError
from reviewbot.secrets.masking import mask

CONTEXT_LINES = 2
FRAME_LINES = 8
QUOTE_LINES = 50
QUOTE_CHARACTERS = 2_000
LINE_CHARACTERS = 300


class Objects(Protocol):
    """What grounding needs of a repository."""

    def read_object(self, sha: Sha) -> bytes:
        """The content of a blob."""

    def entry_at(self, tree: Sha, path: str) -> TreeEntry | None:
        """What a path is at a commit."""


def ground_evidence(
    evidence: Sequence[Evidence],
    changes: ChangeSet,
    objects: Objects,
    masks: Mapping[str, Sequence[Mask]] = MappingProxyType({}),
) -> tuple[tuple[Finding, ...], tuple[Rejected, ...]]:
    """A finding for each piece of evidence, worst first, and those that repeat another one.

    ``masks`` are places of secrets by path, beyond those that the evidence names itself.
    """
    ground = _Ground(evidence, changes, objects, masks)
    # File by file, so that few texts are held, however evidence jumps between large files.
    by_path = sorted(enumerate(evidence), key=lambda pair: pair[1].location.path if pair[1].location else "")
    placed = {number: ground.place(item) for number, item in by_path}
    kept, rejected = _merge_overlapping([placed[number] for number in sorted(placed)])
    counted: Counter[str] = Counter()
    findings = []
    for finding in sorted(kept, key=_reading_order):
        key = _identity(finding, ground)
        counted[key] += 1
        name = sha256(f"{key}\0{counted[key]}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        findings.append(replace(finding, fingerprint=name))
    return tuple(sorted(findings, key=_importance)), tuple(rejected)


def touches(change: FileChange, location: Location) -> bool:
    """Whether a range holds a line that the change added, or spans a place where it deleted lines."""
    first, last = location.start_line, location.end_line
    if location.side is Side.LEFT:
        return _overlap(change.deleted, first, last)
    gap = bisect_left(change.gaps, first)
    spans_deletion = gap < len(change.gaps) and change.gaps[gap] < last
    return _overlap(change.added, first, last) or spans_deletion


def fold(text: str) -> str:
    """Text with every run of white space as one blank."""
    return " ".join(text.split())


class _Ground:
    """The head text of the files that evidence speaks of."""

    def __init__(
        self,
        evidence: Iterable[Evidence],
        changes: ChangeSet,
        objects: Objects,
        masks: Mapping[str, Sequence[Mask]],
    ) -> None:
        self.changes = changes
        self.by_path = {change.path: change for change in changes.files}
        self.objects = objects
        self.lines = lru_cache(maxsize=8)(self._lines)
        self.index = lru_cache(maxsize=4)(self._index)
        self.masks: dict[tuple[str, int], list[tuple[int, int]]] = {}
        named = ((item.location.path, item.masks) for item in evidence if item.location)
        for path, spans in (*named, *masks.items()):
            for line, start, end in spans:
                self.masks.setdefault((path, line), []).append((start, end))

    def _lines(self, path: str, commit: Sha) -> tuple[str, ...] | None:
        """The lines of a text file at a commit, or None where there is no such file or commit."""
        try:
            if commit == self.changes.head_sha and path in self.by_path:
                sha = self.by_path[path].head_blob
            else:
                entry = self.objects.entry_at(commit, path)
                sha = entry.sha if entry and entry.kind == "blob" else None
            content = self.objects.read_object(sha) if sha else None
        except RepositoryError:
            return None
        return tuple(split_lines(content)) if content is not None else None

    def place(self, item: Evidence) -> Finding:
        """The evidence with a location that is true in head, its quote and its frame."""
        if item.location is None:
            return Finding("", item, None, in_diff=False)
        location, note = self._true_location(item, item.location)
        if location is None:
            return Finding("", item, None, in_diff=False, note=note)
        location, in_diff = self._touching(item, location)
        status: Literal["new", "known"] = "new" if in_diff or item.source != "analyzer" else "known"
        return Finding(
            "", item, location, in_diff, status, self._quote(location), self._frame(location), note
        )  # fmt: skip

    def _true_location(self, item: Evidence, said: Location) -> tuple[Location | None, str]:
        if said.side is Side.LEFT:  # only ours speak of deleted lines, and have found them
            return said, ""
        head = self.lines(said.path, self.changes.head_sha)
        if head is None:
            return None, f"{ascii(said.path)[1:-1]} is not in head."
        last = _last_line(head)
        if item.revision in (None, self.changes.head_sha):
            return self._location_in_head(item, said, head, last)
        seen = self.lines(said.path, item.revision) if item.revision else None
        if seen == head and said.start_line <= last:
            return replace(said, end_line=min(said.end_line, last)), ""
        text = seen[said.start_line - 1] if seen and said.start_line <= len(seen) else item.snippet
        return self._find_text(item, said, text, head)

    def _location_in_head(
        self, item: Evidence, said: Location, head: tuple[str, ...], last: int
    ) -> tuple[Location | None, str]:
        """Evidence that names no commit is taken at its word, unless its text plainly stands elsewhere.

        Some tools redact or shorten what they quote, so a text that is nowhere in head proves nothing.
        """
        if said.start_line <= last and (item.snippet is None or _says(head, said, item.snippet)):
            return replace(said, end_line=min(said.end_line, last)), ""
        found, note = self._find_text(item, said, item.snippet, head)
        if found or said.start_line > last:
            return found, note
        return replace(said, end_line=min(said.end_line, last)), ""

    def _index(self, path: str) -> dict[str, list[int]]:
        """The line numbers of each text in head, exact and with white space folded."""
        found: dict[str, list[int]] = {}
        for number, line in enumerate(self.lines(path, self.changes.head_sha) or (), 1):
            for text in {line.rstrip("\r"), fold(line)}:
                found.setdefault(text, []).append(number)
        return found

    def _find_text(
        self, item: Evidence, said: Location, text: str | None, head: tuple[str, ...]
    ) -> tuple[Location | None, str]:
        origin = f"commit {item.revision[:12]}" if item.revision else "another version of the file"
        where = f"{ascii(said.path)[1:-1]}:{said.start_line}"
        if text is None or not text.strip():
            return None, f"Reported for {where} of {origin}; head has another text there."
        index = self.index(said.path)
        wanted = index.get(text.rstrip("\r\n")) or index.get(fold(text))
        if not wanted:
            return None, f"Reported for {where} of {origin}; the line is not in head."
        change = self.by_path.get(said.path)

        def distance(number: int) -> tuple[bool, int]:
            here = change is not None and _overlap(change.added, number, number)
            return (not here, abs(number - said.start_line))

        found = min(wanted, key=distance)
        end = min(found + said.end_line - said.start_line, _last_line(head))
        note = f"Reported for line {said.start_line} of {origin}; found by its text."
        return Location(said.path, found, end, said.side), note

    def _touching(self, item: Evidence, location: Location) -> tuple[Location, bool]:
        """The place that the change touched; an analyzer may name several that belong together."""
        change = self.by_path.get(location.path)
        if change and item.location and _is_whole_file(item.location, location):
            return location, bool(change.added or change.gaps)
        candidates = [location, *(item.related if item.source == "analyzer" else ())]
        for candidate in candidates:
            change = self.by_path.get(candidate.path)
            if change and touches(change, candidate):
                return candidate, True
        return location, False

    def _text(self, path: str, number: int, line: str) -> str:
        return mask(line, self.masks.get((path, number), ())).rstrip("\r")[:LINE_CHARACTERS]

    def _side(self, location: Location) -> tuple[str, ...]:
        if location.side is Side.LEFT:
            change = self.by_path.get(location.path)
            path = change.old_path or change.path if change else location.path
            return self.lines(path, self.changes.base_sha) or ()
        return self.lines(location.path, self.changes.head_sha) or ()

    def _quote(self, location: Location) -> str:
        last = min(location.end_line, location.start_line + QUOTE_LINES - 1)
        lines = self._side(location)[location.start_line - 1 : last]
        shown = [
            self._text(location.path, number, line) for number, line in enumerate(lines, location.start_line)
        ]
        return "\n".join(shown)[:QUOTE_CHARACTERS]

    def _frame(self, location: Location) -> Frame:
        lines = self._side(location)
        first = max(1, location.start_line - CONTEXT_LINES)
        last = min(len(lines), location.end_line + CONTEXT_LINES, location.start_line + FRAME_LINES)
        shown = lines[first - 1 : last]
        if shown and last == len(lines) and not shown[-1] and last > location.end_line:
            shown = shown[:-1]
        return Frame(first, tuple(self._text(location.path, n, line) for n, line in enumerate(shown, first)))

    def first_changed_line(self, location: Location) -> str:
        """The first line of the range that the change added, or else its first line; masked."""
        change = self.by_path.get(location.path)
        ranges = (change.added if location.side is Side.RIGHT else change.deleted) if change else ()
        number = location.start_line
        for first, last in ranges:
            if last >= number:
                number = first if number <= first <= location.end_line else number
                break
        lines = self._side(location)
        return self._text(location.path, number, lines[number - 1]) if number <= len(lines) else ""


def _last_line(head: tuple[str, ...]) -> int:
    """What stands behind the last line feed is no line, but where it is all that there is."""
    return len(head) - (head[-1] == "" and len(head) > 1)


def _is_whole_file(said: Location, found: Location) -> bool:
    """A tool that names no line is given to us as line 1 to a line past any end."""
    return said.start_line == 1 and said.end_line > found.end_line


def _overlap(ranges: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    at = bisect_left(ranges, first, key=lambda pair: pair[1])
    return at < len(ranges) and ranges[at][0] <= last


def _says(head: tuple[str, ...], location: Location, text: str) -> bool:
    return fold(text) in fold(head[location.start_line - 1])


def _identity(finding: Finding, ground: _Ground) -> str:
    """What stays the same when lines move: tool, rule, path and the first changed line."""
    location = finding.location
    path = location.path if location else ""
    if finding.evidence.source == "junit" or location is None:
        anchor = finding.evidence.title
    else:
        anchor = ground.first_changed_line(location)
    return "\0".join((finding.evidence.tool, finding.evidence.rule, path, fold(anchor)))


def _merge_overlapping(findings: Sequence[Finding]) -> tuple[list[Finding], list[Rejected]]:
    """One finding where the same rule speaks of the same lines twice (say, our ruff and a SARIF of it).

    The stronger one stays, so that nothing handed in can push out what would block: one that is worse but
    less sure may not block, and pushes nothing out. A file that is handed in may name any tool and range,
    and what it names may have been dismissed: in the diff it pushes out only what begins where it does.
    """
    kept: list[Finding] = []
    rejected: list[Rejected] = []
    covered: dict[tuple[str, str, Side], dict[float, _Covered]] = {}
    for finding in sorted(findings, key=_strength):
        place = finding.location
        if place is None or finding.evidence.source == "junit":
            kept.append(finding)
            continue
        sure = finding.evidence.confidence if finding.in_diff and not _is_silenced(finding) else 0.0
        by_sureness = covered.setdefault((finding.rule.lower(), place.path, place.side), {})
        surer = (those for least, those in by_sureness.items() if least >= sure)
        if any(those.hold(place, in_diff=finding.in_diff) for those in surer):
            why = f"line {place.start_line} already has a finding of this rule"
            rejected.append(Rejected(finding.evidence.source, finding.rule, place.path, why))
        else:
            by_sureness.setdefault(sure, _Covered()).add(
                place, is_handed_in=finding.evidence.source == "sarif"
            )
            kept.append(finding)
    return kept, rejected


class _Covered:
    """The lines of findings of one rule that stay; ranges that meet are one."""

    def __init__(self) -> None:
        self._ours: list[tuple[int, int]] = []
        self._handed_in: list[tuple[int, int]] = []
        self._starts: set[int] = set()

    def add(self, place: Location, *, is_handed_in: bool) -> None:
        ranges = self._handed_in if is_handed_in else self._ours
        first, last = place.start_line, place.end_line
        self._starts.add(first)
        at = end = bisect_left(ranges, first, key=lambda pair: pair[1])
        while end < len(ranges) and ranges[end][0] <= last:
            end += 1
        joined = (*ranges[at:end], (first, last))
        ranges[at:end] = [(min(a for a, _ in joined), max(b for _, b in joined))]

    def hold(self, place: Location, *, in_diff: bool) -> bool:
        first, last = place.start_line, place.end_line
        same = first in self._starts or _overlap(self._ours, first, last)
        return same or (not in_diff and _overlap(self._handed_in, first, last))


def _is_silenced(finding: Finding) -> bool:
    return finding.evidence.advisory or finding.evidence.suppression is Suppression.BASE


def _strength(finding: Finding) -> tuple[bool, bool, int, float, bool, tuple[str, int, str, str]]:
    """What would block first, then ours before what was handed in."""
    evidence = finding.evidence
    silenced = _is_silenced(finding)
    foreign = evidence.source != "analyzer"
    order = _reading_order(finding)
    return (not finding.in_diff, silenced, -evidence.severity.rank, -evidence.confidence, foreign, order)


def _reading_order(finding: Finding) -> tuple[str, int, str, str]:
    place = finding.location
    return (
        place.path if place else "",
        place.start_line if place else 0,
        finding.rule,
        finding.evidence.title,
    )


def _importance(finding: Finding) -> tuple[bool, int, tuple[str, int, str, str]]:
    return (not finding.in_diff, -finding.severity.rank, _reading_order(finding))
