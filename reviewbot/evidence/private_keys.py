"""Private keys in text: whether a body stands below the first line, and which lines belong to it."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from reviewbot.core import Mask
from reviewbot.evidence.sources import Source

KEY_LINES = 200
"""How many lines below a private key's first one are masked at most, where no END line comes."""
KEY_START_LINES = 30
"""In how many lines that are not blank the body of a private key may start."""
LINE_START = 200
"""How many characters of a line are looked at to tell a key's body from code and prose."""

_DRESS = " \t\r\"'`,;.:\\#*>|+/-"
"""What stands around a key's lines in programs, comments and settings."""
_BRACKETS = "()[]{}<"
_BREAK = re.compile(r"\\+[nr]")
_BODY = re.compile(r"[A-Za-z0-9+/=]{12,}|(?=[A-Za-z+/=]{0,11}[0-9])[A-Za-z0-9+/=]{8,11}")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/]{40}")
_KEY_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,30}: ?\S")
"""As in RFC 1421 (Proc-Type), RFC 9580 (Version, Comment) and PuTTY's files (Encryption)."""
_EDGE = re.compile(r"(?:BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File-")
_ENCODED_EDGE = "LS0tLS1"


def has_body(source: Source, line: int, column: int) -> bool:
    """Whether a key stands below or behind its first line, up to its last or to the next key.

    Blank lines do not count. After a line that is code or prose only a long run of base64 is a body, and
    where nothing but blank lines and headers follows, there is none.
    """
    rows = (row for row in _rows_below(source, line, column) if row.strip(_BRACKETS + _DRESS))
    plain = False
    for row in islice(rows, KEY_START_LINES):
        if _LONG_RUN.search(row) and not (plain and _is_one_case(row)):
            return True
        if _EDGE.search(row):
            return False
        if _BODY.fullmatch(row) and not plain:
            return True
        plain = plain or not _KEY_HEADER.match(row)
    return False


def _is_one_case(row: str) -> bool:
    """Ids in hexadecimal and long names are no base64, which has letters of both cases and digits."""
    return not any(
        re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run)
        for run in _LONG_RUN.findall(row)
    )


def _rows_below(source: Source, line: int, column: int) -> Iterator[str]:
    """The start of each row behind a place, without what programs put around it; ``\\n`` ends a row, too."""
    for number in range(line, source.last_line + 1):
        text = source.lines[number - 1]
        for row in _BREAK.split(text[column:] if number == line else text):
            yield row.strip(_DRESS)[:LINE_START].strip(_DRESS)


def mask_spans(source: Source, line: int, spans: Iterable[tuple[int, int]]) -> Iterator[Mask]:
    """Places on one line; more of it where its columns may not be those of the blob's UTF-8."""
    uncertain = source.lines[line - 1].find("\ufffd") if source.is_plain else 0
    for start, end in spans:
        if uncertain >= 0 and not 0 <= end <= uncertain:
            yield line, min(start, uncertain), -1
        else:
            yield line, start, end


def mask_key(source: Source, line: int, column: int) -> Iterator[Mask]:
    """A key's lines from behind BEGIN through END; without a body and an END only what looks like one."""
    whole = has_body(source, line, column)
    yield from mask_spans(source, line, [(column, -1)] if whole else _runs(source.lines[line - 1], column))
    left = KEY_LINES
    for number in range(line + 1, source.last_line + 1):
        text = source.lines[number - 1]
        if edge := _EDGE.search(text):
            rest = [(0, edge.start())] if whole and edge.start() > 5 else _runs(text[: edge.start()], 0)
            yield from mask_spans(source, number, rest)
            return
        if left == 0:
            return
        if text.strip():
            left -= 1
            yield from mask_spans(source, number, [(0, -1)] if whole else _runs(text, 0))


def _runs(text: str, column: int) -> list[tuple[int, int]]:
    return [match.span() for match in _LONG_RUN.finditer(text, column)]


def mask_wrapped(source: Source, line: int) -> Iterator[Mask]:
    """The lines below the first one of a key in base64, where they go on with it."""
    for number in range(line + 1, min(line + KEY_LINES, source.last_line) + 1):
        row = source.lines[number - 1].strip(_DRESS)[:LINE_START]
        if not _BODY.fullmatch(row) or row.startswith(_ENCODED_EDGE):
            break
        yield number, 0, -1
