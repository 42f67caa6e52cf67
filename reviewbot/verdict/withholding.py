"""The last look before anything is published: secrets that stand in a review all the same (THREATS R17).

The run's own secrets are looked for in every text, also spelled in other ways; secrets of the change and
known formats in what models said. Masks at the source are the control, this is the net below it: a hit
is withheld and counted, and the review is no success.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

from reviewbot.core import (
    Conclusion,
    CoverageRow,
    CoverageStatus,
    Evidence,
    Location,
    Outcome,
    Reason,
    Rejected,
    Review,
)
from reviewbot.secrets.masking import SHORTEST_VALUE, Masker, mask
from reviewbot.secrets.shapes import find_blocks, may_hold_block

WITHHELD = "[withheld]"

PIECE = 16
"""Characters of a long secret that give it away without the rest of it."""
PREFIX = 14
"""Characters at the start of a long secret that every other one of its kind has, too."""

_SPELLED = re.compile(r"<U\+[0-9A-F]{4,6}>")
_BETWEEN = r"(?:<U\+[0-9A-F]{4,6}>|\\x|0x|[\W_]){0,8}"
_PLAIN_WORDS = re.compile(r"[A-Za-z]+(?:[ _.-][A-Za-z]+)*")


class _Form(NamedTuple):
    """One way to spell a secret: what is left of it without signs, and its text; ``is_hex``: in any case."""

    letters: str
    text: str
    is_hex: bool

    def remove(self, text: str) -> tuple[str, int]:
        """The text without it, and how often it stood there with whatever signs between its letters."""
        between = _BETWEEN.join(map(re.escape, self.text))
        return re.subn(between, WITHHELD, text, flags=re.IGNORECASE if self.is_hex else 0)


@dataclass(slots=True)
class _Net:
    """Finds and replaces; ``said`` and ``held`` count what was replaced."""

    masker: Masker
    forms: tuple[_Form, ...]
    values: tuple[str, ...]
    said: int = 0
    held: int = 0
    words: int = 0
    clean: dict[str, str] = field(default_factory=dict)

    def without_held(self, text: str) -> tuple[str, int]:
        """The text without the run's own secrets, and how many there were."""
        letters, count = (_letters(text), _hex_letters(text)), 0
        for form in self.forms if any(letters) else ():
            if form.letters not in letters[form.is_hex]:
                continue
            text, hits = form.remove(text)
            if not hits and len(form.letters) >= SHORTEST_VALUE:
                text, hits = WITHHELD, 1  # spelled in some way that the pattern does not know: all of it goes
            if hits:
                letters, count = (_letters(text), _hex_letters(text)), count + hits
        return text, count

    def without_secrets(self, text: str) -> tuple[str, int]:
        """What a model said without secrets of the change and known formats, and how many there were."""
        count = 0
        for value in self.values:
            if value in text:
                sure = not _PLAIN_WORDS.fullmatch(value)
                count += text.count(value) if sure else 0
                self.words += 0 if sure else text.count(value)
                text = text.replace(value, WITHHELD)
        lines = text.split("\n")
        blocks = find_blocks(lines) if may_hold_block(text) else {}
        for number, line in enumerate(lines, 1):
            if spans := [*blocks.get(number, ()), *self.masker.find(line)]:
                lines[number - 1] = mask(line, spans, kept=0, stand_in=WITHHELD)
                count += len(spans)
        return "\n".join(lines), count

    def fix(self, text: str, *, is_said: bool) -> str:
        """The text as it may be shown."""
        if len(text) < SHORTEST_VALUE:
            return text
        text, held = self.without_held(text)
        more = 0
        if is_said:
            text, more = self.without_secrets(text)
            self.said += held + more
        else:
            self.held += held
        return text


def withhold(review: Review, masker: Masker) -> Review:
    """The review without secrets; where a model had said one, the verdict is no success.

    ``masker`` holds the run's own secrets (``held``), those of the change (``values``) and the known
    formats (``find``). The change itself is no text to be shown and stays as it is.
    """
    net = _Net(masker, _forms(masker.held), _spoken_values(review, masker))
    shown = {
        name: _walk(getattr(review, name), net, is_said=False)
        for name in ("verdict", "coverage", "evidence", "findings", "rejected", "outcomes", "notes")
    }
    kept = replace(review, **shown)
    notes = []
    if review.patch and (_edits(kept) != _edits(review) or net.without_held(_decode(review.patch))[1]):
        kept = replace(kept, patch=b"")
        notes.append("The fix for the failed tests was withheld: a secret stood in it.")
    if net.held:
        notes.append(f"Secrets of this run were hidden in {_count(net.held, 'place')} of this report.")
    if net.words:
        notes.append(f"{_count(net.words, 'word')} that may be a password of the change were hidden.")
    kept = replace(kept, notes=(*kept.notes, *notes)) if notes else kept
    return _no_success(kept, net.said) if net.said else kept


def _edits(review: Review) -> tuple[object, ...]:
    return tuple(item.edits for item in review.evidence)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _no_success(review: Review, count: int) -> Review:
    detail = f"{_count(count, 'secret')} in what the models said {'was' if count == 1 else 'were'} withheld."
    verdict = review.verdict
    blocked = Conclusion.FAIL if verdict.blocking else Conclusion.INCOMPLETE
    return replace(
        review,
        verdict=replace(
            verdict,
            conclusion=blocked,
            exit_code=max(1, verdict.exit_code),
            reasons=(*verdict.reasons, Reason("withheld", detail)),
        ),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _walk(value: Any, net: _Net, *, is_said: bool) -> Any:
    """The value with every text in it fixed. What a model said is told by the type that holds it."""
    if isinstance(value, Enum) or value is None:
        return value
    if isinstance(value, str):
        return net.fix(value, is_said=is_said)
    if isinstance(value, tuple):
        return tuple(_walk(each, net, is_said=is_said) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    is_said = _is_said(value, is_said)
    changed = {}
    for each in fields(value):
        old = getattr(value, each.name)
        new = _walk(old, net, is_said=is_said and not _is_ours(value, each.name))
        if new is not old and new != old:
            changed[each.name] = new
    return replace(value, **changed) if changed else value


_OURS = ("fingerprint", "id", "tool", "agent", "model", "effort", "paths", "location", "related", "snippet")
"""Fields whose words are ours, or git's, wherever a model speaks."""


def _is_ours(value: object, name: str) -> bool:
    return name in _OURS or (name == "path" and isinstance(value, CoverageRow))


def _is_said(value: object, is_said: bool) -> bool:
    if isinstance(value, Evidence | Rejected):
        return value.source == "agent"
    if isinstance(value, CoverageRow):
        return value.status is CoverageStatus.TRIAGED
    return is_said or isinstance(value, Outcome)


def _spoken(value: object, *, is_said: bool = False) -> Iterator[str]:
    """Every text that a model said, to look for many secrets at once."""
    if isinstance(value, str):
        if is_said:
            yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _spoken(each, is_said=is_said)
    elif is_dataclass(value) and not isinstance(value, type | Location):
        said = _is_said(value, is_said)
        for one in fields(value):
            yield from _spoken(getattr(value, one.name), is_said=said and not _is_ours(value, one.name))


def _spoken_values(review: Review, masker: Masker) -> tuple[str, ...]:
    """The secrets of the change that a model said, the longest first."""
    parts = (review.coverage, review.evidence, review.findings, review.rejected, review.outcomes)
    whole = "\n".join(_spoken(parts))
    return tuple(sorted((value for value in masker.values if value in whole), key=len, reverse=True))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", _SPELLED.sub("", text))


def _hex_letters(text: str) -> str:
    return re.sub(r"\\x|0x|[\W_]+", "", _SPELLED.sub("", text)).lower()


def _forms(secrets: Iterable[str]) -> tuple[_Form, ...]:
    """Every spelling of every secret, whole ones first."""
    return tuple(form for secret in secrets for form in _forms_of(secret))


@cache
def _forms_of(secret: str) -> tuple[_Form, ...]:
    wholes = [secret]
    if len(secret) >= 2 * PIECE + PREFIX:
        starts = [*range(PREFIX, len(secret) - PIECE, PIECE), len(secret) - PIECE]
        wholes += [secret[start : start + PIECE] for start in starts]
    return tuple(_form(text, is_hex) for whole in wholes for text, is_hex in _spellings(whole))


def _spellings(secret: str) -> Iterator[tuple[str, bool]]:
    """The texts that stand for a secret, and whether they are digits in hexadecimal."""
    yield secret, False
    yield secret[::-1], False
    if (escaped := quote(secret, safe="")) != secret:
        yield escaped, True
    data = secret.encode("utf-8", "surrogateescape")
    yield data.hex(), True
    for text in {_base64(data, offset, encode) for offset in range(3) for encode in _ALPHABETS}:
        yield text, False


_ALPHABETS: tuple[Callable[[bytes], bytes], ...] = (base64.b64encode, base64.urlsafe_b64encode)


def _base64(data: bytes, offset: int, encode: Callable[[bytes], bytes]) -> str:
    """What every text in base64 holds in which the data begin at ``offset`` of a group of three bytes."""
    text = encode(bytes(offset) + data).decode().rstrip("=")
    first = (0, 2, 3)[offset]
    left = (offset + len(data)) % 3
    return text[first : len(text) - (1 if left else 0)]


def _form(text: str, is_hex: bool) -> _Form:
    return _Form(_hex_letters(text) if is_hex else _letters(text), text, is_hex)
