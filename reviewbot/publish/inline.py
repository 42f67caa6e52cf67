"""Comments at lines of the diff: which findings get one, where GitHub will take it, what it says.

Pure. GitHub refuses a whole review (422) for one comment outside the hunks it shows, and does not say
which, so every place is checked here first.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reviewbot.core import ChangeStatus, FileChange, Finding, LineRanges, Location, Review, Side
from reviewbot.publish import summary
from reviewbot.publish.markers import Scope, finding_marker
from reviewbot.publish.patch import without_edits
from reviewbot.publish.sanitize import (
    markdown_code,
    markdown_fence,
    markdown_text,
    one_line,
    shorten,
)
from reviewbot.publish.suggestion import Suggestion, suggest
from reviewbot.text import cut_middle

MOST_LINES = 10
"""A comment is attached to at most so many lines; a longer place is named in its text."""


@dataclass(frozen=True, slots=True)
class InlineComment:
    """One comment of a review, in the words of GitHub's REST API.

    https://docs.github.com/rest/pulls/reviews#create-a-review-for-a-pull-request: ``start_line`` and
    ``start_side`` stand only where the comment spans more than one line.
    """

    path: str
    line: int
    side: Side
    start_line: int | None
    start_side: Side | None
    body: str
    fingerprint: str

    def as_request(self) -> dict[str, str | int]:
        """The comment as GitHub wants it, without the fields that do not apply."""
        request: dict[str, str | int] = {
            "path": self.path,
            "body": self.body,
            "line": self.line,
            "side": self.side.value,
        }
        if self.start_line is not None and self.start_side is not None:
            request |= {"start_line": self.start_line, "start_side": self.start_side.value}
        return request


@dataclass(frozen=True, slots=True)
class InlinePlan:
    """Every finding that deserves a comment, once: to be posted, posted before, or without a place."""

    comments: tuple[InlineComment, ...]
    not_inline: tuple[Finding, ...]
    already: tuple[Finding, ...] = ()


def plan_inline(
    review: Review, *, posted: Collection[str], limit: int, scope: Scope, key: bytes | None
) -> InlinePlan:
    """Comments for what blocks and what is advisory, worst first, none for a fingerprint in ``posted``.

    ``limit`` counts comments of this review, those that stand already among them, so a second run of the
    same review posts nothing.
    """
    groups = summary.group_findings(review)
    changes = {change.path: change for change in review.changes.files}
    worthy = (*groups.blocking, *groups.advisory)
    already = tuple(finding for finding in worthy if finding.fingerprint in posted)
    comments: list[InlineComment] = []
    not_inline: list[Finding] = []
    for finding in worthy:
        if finding.fingerprint in posted:
            continue
        suggestion = suggest(review, finding, _edited(finding, changes))
        place = (
            suggestion.location
            if suggestion
            else _place(finding, changes.get(finding.location.path) if finding.location else None)
        )
        if place is None or len(already) + len(comments) >= limit:
            not_inline.append(finding)
            continue
        blocks = finding.fingerprint in review.verdict.blocking
        by_agent = finding.evidence.source == "agent"
        marker = finding_marker(finding.fingerprint, scope, key, by_agent=by_agent)
        shown = finding if review.shows_fix else without_edits(finding)
        body = _body(shown, place, blocks, _offer(suggestion, review)) + marker
        comments.append(_comment(finding, place, body))
    return InlinePlan(tuple(comments), tuple(not_inline), already)


def commentable(change: FileChange, side: Side) -> LineRanges:
    """The lines of a file that GitHub takes comments on, one range for what may be one comment.

    On the right these are the hunks, context included; on the left only runs of deleted lines, because
    GitHub's documentation names LEFT for deletions and RIGHT for context.
    """
    if change.status is ChangeStatus.TYPE_CHANGED or not _is_utf8(change.path):
        return ()  # GitHub shows a deleted and an added file, or spells the path in its own way
    if side is Side.RIGHT:
        starts = ((hunk.head_start, hunk.head_count) for hunk in change.hunks)
        return tuple((start, start + size - 1) for start, size in starts if size)
    if change.status is ChangeStatus.COPIED or not change.hunks:
        return ()  # GitHub shows a copy as added
    return change.deleted


def _is_utf8(path: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in path)


def _place(finding: Finding, change: FileChange | None) -> Location | None:
    """The part of the finding's location that one comment can be attached to."""
    at = finding.location
    if at is None or change is None:
        return None
    overlaps = [
        (max(first, at.start_line), min(last, at.end_line))
        for first, last in commentable(change, at.side)
        if first <= at.end_line and at.start_line <= last
    ]
    if not overlaps:
        return None
    touched = change.added if at.side is Side.RIGHT else change.deleted
    first, last = next((pair for pair in overlaps if _overlaps(touched, *pair)), overlaps[0])
    if last - first >= MOST_LINES:
        first = next((max(first, a) for a, b in touched if b >= first and a <= last), first)
    return Location(at.path, first, min(last, first + MOST_LINES - 1), at.side)


def _overlaps(ranges: Iterable[tuple[int, int]], first: int, last: int) -> bool:
    return any(a <= last and first <= b for a, b in ranges)


def _comment(finding: Finding, place: Location, body: str) -> InlineComment:
    spans = place.end_line > place.start_line
    return InlineComment(
        path=place.path,
        line=place.end_line,
        side=place.side,
        start_line=place.start_line if spans else None,
        start_side=place.side if spans else None,
        body=body,
        fingerprint=finding.fingerprint,
    )


def _edited(finding: Finding, changes: Mapping[str, FileChange]) -> FileChange | None:
    """The file that the first edit of a finding is about."""
    return next((changes.get(edit.path) for edit in finding.evidence.edits), None)


def _offer(suggestion: Suggestion | None, review: Review) -> str:
    if suggestion is None:
        return ""
    said = review.proof or "A model wrote this, and nobody has run it: read it before you commit it."
    return f"{suggestion.block}\n\n*{markdown_text(one_line(said, 300))}*"


def _body(finding: Finding, place: Location, blocks: bool, offer: str = "") -> str:
    """Everything but the code, which GitHub shows above the comment; ends in a blank line."""
    title = markdown_text(one_line(finding.evidence.title, 200))
    rule = markdown_code(one_line(finding.rule, 80))
    word = f"{finding.severity.value}, blocks" if blocks else finding.severity.value
    parts = [f"**{word}** {title} ({rule})", markdown_text(shorten(summary.explanation(finding), 1_000))]
    if finding.evidence.trace:
        trace = markdown_fence(cut_middle(finding.evidence.trace, 1_500))
        parts.append(f"<details>\n<summary>trace</summary>\n\n{trace}\n</details>")
    parts += [f"*{markdown_text(one_line(remark, 300))}*" for remark in _remarks(finding, place)]
    parts.append(offer)
    parts.append(f"Finding {markdown_code(finding.fingerprint)}")
    return "".join(f"{part}\n\n" for part in parts if part)


def _remarks(finding: Finding, place: Location) -> Iterable[str]:
    at = finding.location
    if at is not None and at != place:
        yield f"This is about lines {at.start_line} to {at.end_line}."
    yield from summary.remarks(finding)
    if finding.evidence.edits:
        yield "A fix is proposed in the report; nobody has run it."
