"""How the reading double explains a failed test: the change whose words the failure uses, undone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from reviewbot.testing.eyes import is_test_path
from reviewbot.testing.page import Hunk, Line, Page

_WORD = re.compile(r"[A-Za-z_]\w{2,}")
_ID = re.compile(r"""(?:\bid\s*[=:]\s*"?|^\W*)([A-Za-z]+[-:#]\d+)(?![\w.])""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mend:
    """The hunks to read, and the entries of the answer."""

    hunks: tuple[Hunk, ...]
    facts: list[dict[str, Any]]


def mend(page: Page) -> Mend:
    """Blame the hunk that shares the rarest words with the failures, code before tests."""
    failed = set(_WORD.findall(page.words))
    ranked = sorted(
        (hunk for hunk in page.hunks if hunk.signed("+") or hunk.signed("-")),
        key=lambda hunk: (is_test_path(hunk.path), -_shared(hunk, failed, page.hunks)),
    )
    if not ranked:
        return Mend((), [])
    return Mend((ranked[0],), [_entry(ranked[0], page)])


def _shared(hunk: Hunk, failed: set[str], hunks: tuple[Hunk, ...]) -> float:
    words = set(_WORD.findall(" ".join([hunk.path, *(line.text for line in hunk.lines)])))
    everywhere = [set(_WORD.findall(" ".join(line.text for line in each.lines))) for each in hunks]
    return sum(1 / max(1, sum(word in each for each in everywhere)) for word in words & failed)


def _entry(hunk: Hunk, page: Page) -> dict[str, Any]:
    changed = hunk.signed("+") or hunk.signed("-")
    line = next((line for line in changed if line.text.strip()), changed[0])
    in_test = is_test_path(hunk.path)
    quote = {"path": hunk.path, "start_line": line.number, "end_line": line.number, "text": line.text}
    return {
        "evidence_ids": list(dict.fromkeys(evidence_ids(page.words))),
        "cause": ("test-out-of-date", "test") if in_test else ("change-broke-code", "code", "change"),
        "confidence": ("likely", "medium", 0.7),
        "severity": ("medium",),
        "title": f"The change at {hunk.path}:{line.number} breaks what the tests expect",
        "body": f"The failures speak of what {hunk.path} does at line {line.number}; the change rewrote it.",
        "quotes": [quote],
        "edits": [edit for edit in [_undo(hunk)] if edit],
    }


def evidence_ids(words: str) -> Iterator[str]:
    """What looks like the id of a failure at the start of a line or after ``id=``, such as ``junit:3``."""
    yield from (match[1] for match in _ID.finditer(words))


def _undo(hunk: Hunk) -> dict[str, str] | None:
    """An edit that puts back what the first replaced lines of the hunk were."""
    runs = [(changed, [*lines]) for changed, lines in groupby(hunk.lines, key=lambda line: line.sign != " ")]
    for at, (changed, lines) in enumerate(runs):
        added = [line.text for line in lines if line.sign == "+"]
        if not changed or not added:
            continue
        before = _edge(runs[at - 1][1][-1:]) if at else []
        after = _edge(runs[at + 1][1][:1]) if at + 1 < len(runs) else []
        kept = [line.text for line in lines if line.sign == "-"]
        find, put = ["\n".join([*before, *middle, *after]) for middle in (added, kept)]
        return {"path": hunk.path, "find": find, "replace": put} if find.strip() else None
    return None


def _edge(lines: list[Line]) -> list[str]:
    """A line of context that makes what is replaced stand there only once."""
    return [line.text for line in lines]
