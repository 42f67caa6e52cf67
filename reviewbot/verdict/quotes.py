"""Quote or drop: what a model said becomes evidence only where its quotes stand in the blobs.

Path and lines come from here, never from the model: its lines only choose between several places that
hold the text. A claim of which one quote is found nowhere is dropped and counted; so is an edit that
does not apply to the head blob exactly once, and one that weakens a test (``verdict.weakening``). The
author of a change wants true claims to be dropped, or placed where nothing blocks: whatever way a model
was shown a text or a name is a way to find it.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import ChangeSet, Evidence, LineRanges, Location, Rejected, Side
from reviewbot.secrets.masking import MASK, Masker
from reviewbot.verdict.grounding import touches
from reviewbot.verdict.quoted_texts import Blobs, MaskedBlobs, Objects, Text, fold_line
from reviewbot.verdict.weakening import find_weakening

SHORTEST_QUOTE = 3
"""Characters that are no blanks: less text stands everywhere and tells no place."""

MAX_PLACES = 2_000
"""Places of one text that are compared, in the file and once more in its changed lines."""

EDITED_CHARACTERS = 2_000_000
"""No edit is applied to a larger file."""

_CUT = re.compile(r" \[… \d+ more characters\]$", re.MULTILINE)
"""How the tools say that they show the beginning of a line only (``agents.view.tools``)."""


class _Place(NamedTuple):
    location: Location
    in_diff: bool


def ground_claims(
    claims: Sequence[Claim], changes: ChangeSet, objects: Objects, masker: Masker | None = None
) -> tuple[tuple[Evidence, ...], tuple[Rejected, ...]]:
    """Evidence for each claim whose quotes are all found, and what was dropped of claims and edits.

    ``masker`` is the one through which models saw the files: a quote with a mask is looked for in them.
    """
    blobs = Blobs(changes, objects)
    places = _find_all(claims, blobs)
    masked = [
        quote for claim in claims for quote in claim.quotes if MASK in quote.text and quote not in places
    ]
    if masker and masked:
        places |= _find_all(claims, MaskedBlobs(changes, objects, masker), only=frozenset(masked))
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    for number, claim in enumerate(claims, 1):
        missing = [quote for quote in claim.quotes if quote not in places]
        if missing or not claim.quotes:
            rejected.append(_dropped(claim, missing))
            continue
        edits, refused = _apply(claim, blobs)
        rejected += refused
        evidence.append(_evidence(f"C{number}", claim, [places[quote] for quote in claim.quotes], edits))
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
    if claim.surplus:
        why = "it came after as many findings as one answer may hold, none of them less severe"
    return Rejected("agent", f"{claim.agent}/{claim.rule}", path, why)


def _find_all(
    claims: Sequence[Claim], blobs: Blobs, only: Collection[Quote] | None = None
) -> dict[Quote, _Place]:
    """The best place of each quote (of ``only``) that has one; file by file, so that each is read once."""
    every = dict.fromkeys(quote for claim in claims for quote in claim.quotes)
    quotes = [quote for quote in every if only is None or quote in only]
    asked = [(path, quote) for quote in quotes for path in blobs.named(quote.path)]
    found: dict[Quote, _Place] = {}
    for path, quote in sorted(asked, key=lambda pair: pair[0]):
        place = _find(quote, path, blobs)
        if place and (quote not in found or _rank(place, quote) < _rank(found[quote], quote)):
            found[quote] = place
    return found


def _find(quote: Quote, path: str, blobs: Blobs) -> _Place | None:
    """The best place of a quote in a file: inside the diff, exact before folded, in head, near its line."""
    found = None
    for text in _spellings(quote.text):
        for wanted, search in ((text.strip(), blobs.plain), (_fold_lines(text), blobs.folded)):
            places = [_Place(at, _in_diff(at, blobs)) for at in _search(wanted, search, path, blobs)]
            best = min(places, key=lambda place: _rank(place, quote), default=None)
            if best and best.in_diff:
                return best
            found = found or best
    return found


def _rank(place: _Place, quote: Quote) -> tuple[bool, bool, int]:
    at = place.location
    return (not place.in_diff, at.side is Side.LEFT, abs(at.start_line - quote.start_line))


def _in_diff(location: Location, blobs: Blobs) -> bool:
    change = blobs.by_path.get(location.path)
    return change is not None and touches(change, location)


def _spellings(text: str) -> Iterator[str]:
    """The text as said, up to where a tool cut it; and without the sign that a diff puts before each line."""
    said = text.replace("\r\n", "\n").strip("\n")
    yield said
    if cut := _CUT.search(said):
        yield said[: cut.start()]
    lines = [line for line in said.split("\n") if line]
    if all(line[0] in "+- " for line in lines) and any(line[0] in "+-" for line in lines):
        yield "\n".join(line[1:] for line in lines)


def _fold_lines(text: str) -> str:
    return "\n".join(line for line in map(fold_line, text.split("\n")) if line)


def _search(wanted: str, text_of: Callable[[str, Side], Text], path: str, blobs: Blobs) -> Iterator[Location]:
    if len("".join(wanted.split())) < SHORTEST_QUOTE:
        return
    span = wanted.count("\n")
    for side in (Side.RIGHT, Side.LEFT):
        text = text_of(path, side)
        rows = [*islice(_occurrences(text.whole, wanted), MAX_PLACES)]
        if len(rows) == MAX_PLACES:
            rows += islice(_rows_in_diff(text, wanted, blobs.changed(path, side)), MAX_PLACES)
        for row in rows:
            yield Location(path, text.numbers[row], text.numbers[row + span], side)


def _occurrences(whole: str, wanted: str) -> Iterator[int]:
    """The row, from 0, in which each occurrence begins, one for each row."""
    row = start = 0
    at = whole.find(wanted)
    while at >= 0:
        row += whole.count("\n", start, at)
        yield row
        end = whole.find("\n", at)
        if end < 0:
            return
        row, start = row + 1, end + 1
        at = whole.find(wanted, start)


def _rows_in_diff(text: Text, wanted: str, ranges: LineRanges) -> Iterator[int]:
    """The rows of occurrences that touch some ranges of lines."""
    rows, span = text.whole.split("\n"), wanted.count("\n")
    for first, last in ranges:
        start = max(0, bisect_left(text.numbers, first) - span)
        window = rows[start : bisect_right(text.numbers, last) + span]
        yield from (start + row for row in _occurrences("\n".join(window), wanted))


def _apply(claim: Claim, blobs: Blobs) -> tuple[tuple[Edit, ...], list[Rejected]]:
    """The edits that apply one after the other, and those that do not."""
    texts: dict[str, str] = {}
    kept: list[Edit] = []
    refused: list[Rejected] = []
    for edit in claim.edits:
        text = texts.get(edit.path, blobs.head(edit.path))
        why = _refusal(edit, text) or _weakening(edit, text or "")
        if why or text is None:
            refused.append(
                Rejected("agent", f"{claim.agent}/{claim.rule}", edit.path, f"edit removed: {why}")
            )
            continue
        texts[edit.path] = text.replace(edit.find, edit.replace)
        kept.append(edit)
    return tuple(kept), refused


def _weakening(edit: Edit, text: str) -> str:
    found = find_weakening(edit, text)
    return f"it weakens a test: {', '.join(found)}" if found else ""


def _refusal(edit: Edit, text: str | None) -> str:
    if text is None:
        return "the file is not in head"
    if len(text) > EDITED_CHARACTERS:
        return "the file is too large for an edit"
    at = text.find(edit.find) if edit.find else -1
    if at < 0 or text.find(edit.find, at + 1) >= 0:
        return "its text is not in the file" if at < 0 else "its text stands there more than once"
    return "it changes nothing" if edit.find == edit.replace else ""
