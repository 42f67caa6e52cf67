"""Quote or drop: what a model said becomes evidence only where its quotes stand in the blobs.

Path and lines come from here, never from the model: its lines only choose between several places that
hold the text. A claim of which one quote is found nowhere is dropped and counted; so is an edit that
does not apply to the head blob exactly once.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import ChangeSet, Evidence, Location, Rejected, Sha, Side
from reviewbot.errors import RepositoryError
from reviewbot.text import visible
from reviewbot.verdict.grounding import Objects, fold, touches

SHORTEST_QUOTE = 3
"""Characters that are no blanks: less text stands everywhere and tells no place."""

MAX_PLACES = 2_000
"""Places of one text that are compared; a quote with more says nothing anyway."""


class _Place(NamedTuple):
    location: Location
    in_diff: bool


def ground_claims(
    claims: Sequence[Claim], changes: ChangeSet, objects: Objects
) -> tuple[tuple[Evidence, ...], tuple[Rejected, ...]]:
    """Evidence for each claim whose quotes are all found, and what was dropped of claims and edits."""
    blobs = _Blobs(changes, objects)
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    for number, claim in enumerate(claims, 1):
        places = [_find(quote, blobs) for quote in claim.quotes]
        missing = [quote for quote, place in zip(claim.quotes, places, strict=True) if place is None]
        found = [place for place in places if place is not None]
        if missing or not found:
            rejected.append(_dropped(claim, missing))
            continue
        edits, refused = _apply(claim, blobs)
        rejected += refused
        evidence.append(_evidence(f"C{number}", claim, found, edits))
    return tuple(evidence), tuple(rejected)


def _evidence(name: str, claim: Claim, places: Sequence[_Place], edits: tuple[Edit, ...]) -> Evidence:
    """The claim at the first of its places that the change touched, or else at its first."""
    chosen = next((place for place in places if place.in_diff), places[0])
    return Evidence(
        id=name,
        source="agent",
        tool=claim.agent,
        rule=claim.rule,
        severity=claim.severity,
        title=claim.title,
        message=claim.body,
        location=chosen.location,
        related=tuple(place.location for place in places if place is not chosen),
        confidence=min(1.0, max(0.0, claim.confidence)),
        cwe=claim.cwe,
        edits=edits,
        advisory=claim.advisory,
    )


def _dropped(claim: Claim, missing: Sequence[Quote]) -> Rejected:
    path = next((quote.path for quote in (*missing, *claim.quotes)), None)
    why = "its quote is not in the file" if missing else "it quotes nothing"
    return Rejected("agent", f"{claim.agent}/{claim.rule}", path, why)


class _Blobs:
    """The texts of both commits by path, each once."""

    def __init__(self, changes: ChangeSet, objects: Objects) -> None:
        self.changes = changes
        self.by_path = {change.path: change for change in changes.files}
        self._objects = objects
        self.head = lru_cache(maxsize=128)(self._head)
        self.base = lru_cache(maxsize=128)(self._base)
        self.folded = lru_cache(maxsize=128)(self._folded)

    def _head(self, path: str) -> str | None:
        change = self.by_path.get(path)
        return self._read(change.head_blob) if change else self._read_at(self.changes.head_sha, path)

    def _base(self, path: str) -> str | None:
        """The base text of a changed file, by its path in head; other files are the same in both."""
        change = self.by_path.get(path)
        return self._read(change.base_blob) if change else None

    def _folded(self, path: str, side: Side) -> tuple[str, tuple[int, ...]]:
        """The text as models are shown it, white space folded, without empty lines, and each line's number.

        Models are shown hidden characters by name.
        """
        text = (self.head if side is Side.RIGHT else self.base)(path) or ""
        lines = enumerate(text.split("\n"), 1)
        rows = [(fold(visible(line.rstrip("\r"))), number) for number, line in lines]
        kept = [(line, number) for line, number in rows if line]
        return "\n".join(line for line, _ in kept), tuple(number for _, number in kept)

    def _read_at(self, commit: Sha, path: str) -> str | None:
        try:
            entry = self._objects.entry_at(commit, path)
        except RepositoryError:
            return None
        return self._read(entry.sha) if entry and entry.kind == "blob" else None

    def _read(self, sha: Sha | None) -> str | None:
        try:
            return self._objects.read_object(sha).decode("utf-8", "surrogateescape") if sha else None
        except RepositoryError:
            return None


def _find(quote: Quote, blobs: _Blobs) -> _Place | None:
    """The best place of a quote: exact before folded, inside the diff, in head, near the stated line."""
    for text in _spellings(quote.text):
        if len("".join(text.split())) < SHORTEST_QUOTE:
            continue
        for search in (_exact, _folded):
            places = [
                _Place(location, _in_diff(location, blobs)) for location in search(text, quote.path, blobs)
            ]
            if places:
                return min(places, key=lambda place: _rank(place, quote))
    return None


def _rank(place: _Place, quote: Quote) -> tuple[bool, bool, int]:
    at = place.location
    return (not place.in_diff, at.side is Side.LEFT, abs(at.start_line - quote.start_line))


def _in_diff(location: Location, blobs: _Blobs) -> bool:
    change = blobs.by_path.get(location.path)
    return change is not None and touches(change, location)


def _spellings(text: str) -> Iterator[str]:
    """The text as said; then, where every line begins with a diff's sign, without it."""
    said = text.replace("\r\n", "\n").strip("\n")
    yield said
    lines = [line for line in said.split("\n") if line]
    if lines and all(line[0] in "+- " for line in lines) and any(line[0] in "+-" for line in lines):
        yield "\n".join(line[1:] for line in lines)


def _exact(text: str, path: str, blobs: _Blobs) -> Iterator[Location]:
    for side, blob in ((Side.RIGHT, blobs.head(path)), (Side.LEFT, blobs.base(path))):
        if blob is None:
            continue
        plain = blob.replace("\r\n", "\n")
        span = text.strip().count("\n")
        for at in _occurrences(plain, text.strip()):
            first = plain.count("\n", 0, at) + 1
            yield Location(path, first, first + span, side)


def _folded(text: str, path: str, blobs: _Blobs) -> Iterator[Location]:
    wanted = "\n".join(line for line in map(fold, text.split("\n")) if line)
    for side in (Side.RIGHT, Side.LEFT):
        whole, numbers = blobs.folded(path, side)
        for at in _occurrences(whole, wanted):
            first = whole.count("\n", 0, at)
            yield Location(path, numbers[first], numbers[first + wanted.count("\n")], side)


def _occurrences(whole: str, wanted: str) -> Iterator[int]:
    at = whole.find(wanted) if wanted else -1
    for _ in range(MAX_PLACES):
        if at < 0:
            return
        yield at
        at = whole.find(wanted, at + 1)


def _apply(claim: Claim, blobs: _Blobs) -> tuple[tuple[Edit, ...], list[Rejected]]:
    """The edits that apply one after the other, and those that do not."""
    texts: dict[str, str] = {}
    kept: list[Edit] = []
    refused: list[Rejected] = []
    for edit in claim.edits:
        text = texts.get(edit.path, blobs.head(edit.path))
        why = _refusal(edit, text)
        if why or text is None:
            refused.append(
                Rejected("agent", f"{claim.agent}/{claim.rule}", edit.path, f"edit removed: {why}")
            )
            continue
        texts[edit.path] = text.replace(edit.find, edit.replace)
        kept.append(edit)
    return tuple(kept), refused


def _refusal(edit: Edit, text: str | None) -> str:
    if text is None:
        return "the file is not in head"
    times = len(list(_occurrences(text, edit.find)))
    if times != 1:
        return "its text is not in the file" if not times else "its text stands there more than once"
    return "it changes nothing" if edit.find == edit.replace else ""
