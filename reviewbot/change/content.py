"""What the bytes of a file are: git calls a file binary for one NUL byte, which can hide code."""

import codecs
from collections.abc import Callable
from dataclasses import replace

from reviewbot.core import FileChange, Hunk, Sha
from reviewbot.errors import RepositoryError

SAMPLE_BYTES = 64 * 1024
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_PRINTABLE = bytes((9, 10, 12, 13, 27, *range(32, 127), *range(128, 256)))


def decode_wide(data: bytes) -> str | None:
    """The text of a file in UTF-16 or UTF-32 with a byte order mark, or None.

    Plain text behind such a mark would decode too, into Chinese letters that hide it: what has no NUL
    byte, or hardly a Latin letter, is not taken for wide text.
    """
    if b"\0" not in data:
        return None
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            latin = sum(char < "\u0250" for char in text)
            return text if 2 * latin >= len(text) else None
    return None


def split_lines(data: bytes) -> list[str]:
    """The lines of a text as git counts them, UTF-8 or what ``decode_wide`` knows; the last may be empty."""
    text = decode_wide(data)
    return (data.decode("utf-8", "surrogateescape") if text is None else text).split("\n")


def line_reader(read: Callable[[Sha], bytes]) -> Callable[[Sha], list[str] | None]:
    """The lines of blobs; None for one that cannot be read."""

    def read_lines(sha: Sha) -> list[str] | None:
        try:
            return split_lines(read(sha))
        except RepositoryError:
            return None

    return read_lines


def with_whole_text(change: FileChange, read: Callable[[Sha], bytes]) -> FileChange:
    """A file of which more lines count as added than its hunks hold, with all of its lines.

    That is a copy, a file that moved to where other rules hold, and text in UTF-16 or UTF-32.
    Raises RepositoryError where the blob cannot be read.
    """
    counted = sum(last - first + 1 for first, last in change.added)
    if change.head_blob is None or counted <= sum(
        line[0] == "+" for hunk in change.hunks for line in hunk.lines
    ):
        return change
    lines = split_lines(read(change.head_blob))
    lines = lines[:-1] if len(lines) > 1 and not lines[-1] else lines
    whole = Hunk(0, 0, 1, len(lines), tuple(f"+{line}" for line in lines))
    return replace(change, hunks=(whole, *change.hunks))


def looks_like_text(data: bytes) -> bool:
    """Whether a file with NUL bytes is text all the same, or a script, whatever stands in its rest.

    Text: nine of ten other bytes are printable UTF-8, or nine of ten characters of UTF-16 are printable.
    """
    sample = data[:SAMPLE_BYTES]
    if data.startswith(b"#!") or _looks_wide(sample):
        return True
    rest = sample.replace(b"\0", b"")
    if not rest or len(rest) < 0.95 * len(sample):
        return False
    valid = rest.decode("utf-8", "ignore").encode()
    unprintable = len(rest) - len(valid) + len(valid.translate(None, _PRINTABLE))
    return unprintable <= 0.1 * len(rest)


def _looks_wide(sample: bytes) -> bool:
    """UTF-16 in any script behind its mark, or mostly Latin without one, as tools for XML guess it."""
    encoding = next((name for mark, name in _WIDE if sample.startswith(mark)), "")
    if not encoding:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if 4 * max(even, odd) < len(sample):
            return False
        encoding = "utf-16-be" if even > odd else "utf-16-le"
    text = sample[: len(sample) // 2 * 2].decode(encoding, "replace").removeprefix("\ufeff")
    printable = sum(char.isprintable() or char in "\t\r\n" for char in text) - text.count("\ufffd")
    return bool(text) and printable >= 0.9 * len(text)
