"""The edits that fix failing tests -> one patch that ``git apply`` takes. Pure but for ``head_reader``.

The patch is made from the bytes of head, so it applies there as it is; nobody has run the result.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from reviewbot.change.content import decode_wide
from reviewbot.change.git import Repository
from reviewbot.claims import Edit
from reviewbot.core import Finding, Sha

AGENT = "test_fix"
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Patch:
    """``data`` is the patch (empty: there is none) over ``paths``; ``files`` is what it makes of them.

    ``fingerprints`` are the findings whose edits it holds; ``left_out`` says which it does not, and why.
    """

    data: bytes = b""
    paths: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()


class _Span(NamedTuple):
    """Characters ``old_start:old_end`` of the old text that became ``start:end`` of the new one."""

    old_start: int
    old_end: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Text:
    """A file with the edits so far; ``spans`` are disjoint and in order."""

    old: str
    new: str
    spans: tuple[_Span, ...] = field(default=())

    def replace(self, at: int, find: str, text: str) -> "_Text":
        """Replace ``find``, which stands at ``at``, and keep track of what it was."""
        end, shift = at + len(find), len(text) - len(find)
        before = [span for span in self.spans if span.end < at]
        after = [span for span in self.spans if span.start > end]
        hit = self.spans[len(before) : len(self.spans) - len(after)]
        start, stop = min([at, *(span.start for span in hit)]), max([end, *(span.end for span in hit)])
        merged = _Span(_to_old(start, before), _to_old(stop, [*before, *hit]), start, stop + shift)
        moved = (span._replace(start=span.start + shift, end=span.end + shift) for span in after)
        return _Text(self.old, self.new[:at] + text + self.new[end:], (*before, merged, *moved))


def _to_old(at: int, before: Sequence[_Span]) -> int:
    return at - (before[-1].end - before[-1].old_end) if before else at


def build_patch(findings: Iterable[Finding], read_head: Callable[[str], bytes | None]) -> Patch:
    """One patch of the edits of all findings of ``test_fix``.

    ``read_head`` gives the bytes of a path at head, or None. The edits of a finding go in together or not
    at all: half a fix is none. An edit that an earlier finding made already is not made twice.
    """
    texts: dict[str, _Text] = {}
    done: set[Edit] = set()
    kept: list[str] = []
    left_out: list[str] = []
    for finding in findings:
        edits = finding.evidence.edits
        if finding.evidence.tool != AGENT or not edits:
            continue
        changed = dict(texts)
        why = next(
            (said for edit in edits if edit not in done and (said := _apply(edit, changed, read_head))), ""
        )
        if why:
            left_out.append(f"{finding.evidence.title}: {why}")
            continue
        texts = changed
        done.update(edits)
        kept.append(finding.fingerprint)
    changed_texts = {path: text for path, text in sorted(texts.items()) if text.new != text.old}
    data = "".join(_render_file(path, text) for path, text in changed_texts.items())
    return Patch(
        _encode(data),
        tuple(changed_texts),
        tuple(kept),
        tuple(left_out),
        tuple((path, _encode(text.new)) for path, text in changed_texts.items()),
    )


def without_edits(finding: Finding) -> Finding:
    """The finding, its words only."""
    return replace(finding, evidence=replace(finding.evidence, edits=()))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def head_reader(repository: Repository, commit: Sha) -> Callable[[str], bytes | None]:
    """How ``build_patch`` reads the files of a commit: regular files only, a link is no text to patch."""

    def read(path: str) -> bytes | None:
        entry = repository.entry_at(commit, path)
        is_file = entry is not None and entry.kind == "blob" and entry.mode != "120000"
        return repository.read_object(entry.sha) if entry and is_file else None

    return read


def _apply(edit: Edit, texts: dict[str, _Text], read_head: Callable[[str], bytes | None]) -> str:
    """Make one edit in ``texts``; what keeps it from being made, else nothing."""
    if edit.path not in texts:
        data = read_head(edit.path)
        if data is None:
            return f"{edit.path} is not in head"
        if decode_wide(data) is not None or b"\0" in data[:8_000]:
            return f"{edit.path} is no text that git can patch"
        head = data.decode("utf-8", "surrogateescape")
        texts[edit.path] = _Text(head, head)
    text = texts[edit.path]
    at = text.new.find(edit.find) if edit.find else -1
    if at < 0 or text.new.find(edit.find, at + 1) >= 0:
        return f"an edit of {edit.path} does not fit beside those of the other findings"
    texts[edit.path] = text.replace(at, edit.find, edit.replace)
    return ""


def _render_file(path: str, text: _Text) -> str:
    """The git diff of one file (https://git-scm.com/docs/diff-format#generate_patch_text_with_p)."""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    tab = "\t" if " " in path and not old.startswith('"') else ""
    head = f"diff --git {old} {new}\n--- {old}{tab}\n+++ {new}{tab}\n"
    return head + "".join(_render_hunks(_split(text.old), list(_whole_lines(text))))


class _Block(NamedTuple):
    """Lines from ``first`` on, counted from 0, that are taken out, and those that come in for them."""

    first: int
    removed: list[str]
    added: list[str]

    @property
    def end(self) -> int:
        return self.first + len(self.removed)


def _whole_lines(text: _Text) -> Iterator[_Block]:
    """The spans widened to whole lines; those that share a line become one."""
    spans: list[_Span] = []
    for span in text.spans:
        before = span.old_start - (text.old.rfind("\n", 0, span.old_start) + 1)
        stop = text.old.find("\n", span.old_end)
        after = (stop + 1 if stop >= 0 else len(text.old)) - span.old_end
        wide = _Span(span.old_start - before, span.old_end + after, span.start - before, span.end + after)
        if spans and wide.old_start < spans[-1].old_end:
            last = spans.pop()
            wide = _Span(last.old_start, wide.old_end, last.start, wide.end)
        spans.append(wide)
    for span in spans:
        removed, added = (
            _split(text.old[span.old_start : span.old_end]),
            _split(text.new[span.start : span.end]),
        )
        first = text.old.count("\n", 0, span.old_start)
        while removed and added and removed[0] == added[0]:
            first, removed, added = first + 1, removed[1:], added[1:]
        while removed and added and removed[-1] == added[-1]:
            removed, added = removed[:-1], added[:-1]
        if removed or added:
            yield _Block(first, removed, added)


def _render_hunks(lines: list[str], blocks: list[_Block]) -> Iterator[str]:
    """The blocks with three lines around them; near ones share a hunk."""
    grouped: list[list[_Block]] = []
    for block in blocks:
        if grouped and block.first - grouped[-1][-1].end <= 2 * CONTEXT:
            grouped[-1].append(block)
        else:
            grouped.append([block])
    shift = 0
    for group in grouped:
        first, end = max(0, group[0].first - CONTEXT), min(len(lines), group[-1].end + CONTEXT)
        grown = sum(len(block.added) - len(block.removed) for block in group)
        count = end - first
        yield f"@@ -{_range(first, count)} +{_range(first + shift, count + grown)} @@\n"
        shift += grown
        at = first
        for block in group:
            yield from (_line(" ", line) for line in lines[at : block.first])
            yield from (_line("-", line) for line in block.removed)
            yield from (_line("+", line) for line in block.added)
            at = block.end
        yield from (_line(" ", line) for line in lines[at:end])


def _range(first: int, count: int) -> str:
    """Start and length as a hunk's header has them: an empty range starts at the line before it."""
    return f"{first + 1 if count else first},{count}"


def _line(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


def _split(text: str) -> list[str]:
    """Lines with their line feed, and with nothing else that Python would call a line's end."""
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *filter(None, lines[-1:])]


def _quoted(path: str) -> str:
    """A path as git quotes it: in double quotes with octal bytes where it holds anything unusual."""
    data = path.encode("utf-8", "surrogateescape")
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in data):
        return path
    shown = (chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\{b:03o}" for b in data)
    return f'"{"".join(shown)}"'
