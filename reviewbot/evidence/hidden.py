"""Added code that does not read as it runs: hidden characters and look-alike letters (THREATS R12).

CVE-2021-42574 ("Trojan Source") turns the direction of text so that code seems to be a comment;
https://www.unicode.org/reports/tr39/ describes look-alikes. Prose in any language, emoji and right-to-left
letters are as they should be and say nothing here.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from reviewbot.change.changeset import SOURCE_SUFFIXES
from reviewbot.change.content import with_whole_text
from reviewbot.change.hunks import numbered_lines
from reviewbot.core import ChangeSet, ChangeStatus, Evidence, FileChange, Location, Severity, Sha
from reviewbot.text import shorten

_DATA = frozenset(
    ".json .xml .html .htm .ini .yml .yaml .toml .cfg .conf .css .svg .ipynb .props .targets .csproj .fsproj"
    " .vbproj".split()
)
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile(
    "[\u00ad\u115f\u1160\u180e\u200b\u2060-\u2064\u3164\uffa0\U000e0100-\U000e01ef]|(?<!^)\ufeff"
    "|(?<=[A-Za-z0-9_])[\u200c\u200d](?=[A-Za-z0-9_])"
)
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
_TAGS = re.compile("[\U000e0001-\U000e007f]{2,}")
_MIXED = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*[\u0400-\u04ff])\w+\b")
_NEW = (ChangeStatus.ADDED, ChangeStatus.RENAMED, ChangeStatus.COPIED)
MOST_IN_A_FILE = 20

_Fault = tuple[str, Severity, str]
"""Rule, severity and title."""


def find_hidden(changes: ChangeSet, read_blob: Callable[[Sha], bytes]) -> tuple[Evidence, ...]:
    """One finding for each kind and added line or new path, at most MOST_IN_A_FILE of a kind in a file.

    Raises whatever ``read_blob`` raises; it is asked where more lines count as added than the hunks hold.
    """
    readable = (c for c in changes.files if not (c.is_binary or c.omitted or c.is_submodule))
    return tuple(item for change in readable for item in _in_file(with_whole_text(change, read_blob)))


def _in_file(change: FileChange) -> Iterator[Evidence]:
    suffix = PurePosixPath(change.path).suffix.lower()
    is_code = suffix in SOURCE_SUFFIXES and suffix not in _DATA
    if change.status in _NEW:
        first = change.added[0][0] if change.added else 0
        for fault in _faults(change.path, is_code):
            yield _evidence(change.path, first, f"The path reads {_shown(change.path)}", fault)
    said: Counter[str] = Counter()  # of each kind, so that many of a harmless one hide none of a bad one
    seen: set[tuple[int, str]] = set()
    for hunk in change.hunks:
        for line in numbered_lines(hunk):
            if line.sign != "+" or line.text.isascii():
                continue
            for fault in _faults(line.text, is_code):
                rule = fault[0]
                if (line.head, rule) not in seen and said[rule] < MOST_IN_A_FILE:
                    said[rule] += 1
                    seen.add((line.head, rule))
                    message = f"The line reads {_shown(line.text.strip())}"
                    yield _evidence(change.path, line.head, message, fault)


def _faults(text: str, is_code: bool) -> Iterator[_Fault]:
    if _DIRECTION.search(text):
        severity = Severity.HIGH if is_code else Severity.LOW
        yield (
            "text-direction",
            severity,
            "Characters that turn the direction of text: it reads otherwise than it runs",
        )
    if _TAGS.search(_FLAG.sub("", text)):
        yield "invisible-text", Severity.MEDIUM, "Text in tag characters, which nobody sees and a model reads"
    if is_code and _INVISIBLE.search(text):
        yield "invisible-characters", Severity.MEDIUM, "Invisible characters in code"
    if is_code and _MIXED.search(text):
        yield (
            "look-alike-letters",
            Severity.MEDIUM,
            "A name mixes Latin letters with Cyrillic ones that look the same",
        )


def _shown(text: str) -> str:
    return shorten(text, 200)


def _evidence(path: str, line: int, message: str, fault: _Fault) -> Evidence:
    """``line`` 0: the name of a file without a new line."""
    rule, severity, title = fault
    return Evidence(
        id=f"reviewbot:{rule}:{path}:{line}",
        source="analyzer",
        tool="reviewbot",
        rule=rule,
        severity=severity,
        title=title,
        message=message,
        location=Location(path, line, line) if line else None,
        confidence=0.9,
        cwe=("CWE-1007",),
    )
