"""The review as Markdown, short: for a pull request comment, a job summary and ``report.md``.

Pure. Every value that goes into the template ``report.md.j2`` has been through the sanitiser; the
template only lays out.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reviewbot.core import Conclusion, CoverageStatus, Finding, Review
from reviewbot.publish import summary
from reviewbot.publish.sanitize import (
    markdown_code,
    markdown_fence,
    markdown_text,
    one_line,
    shorten,
    visible,
)
from reviewbot.publish.spending import spending
from reviewbot.templates import render
from reviewbot.text import cut_middle

LIMIT = 65_536
"""Characters that GitHub takes in one comment ("body is too long (maximum is 65536 characters)")."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is shown: findings in full, findings in one line, rows of the ledger, sentences."""

    full: int
    brief: int
    rows: int
    sentences: int


PATCH_CHARACTERS = 10_000
"""A longer patch is named and not shown."""

# The first that fits is taken. Whatever the last one shows fits: it has no findings and no rows. Names and
# titles grow when they are escaped, so the steps before it are small: what blocks should not be blanked out.
_CAPS = (
    *(Caps(25, 200, 200, 20), Caps(10, 60, 60, 20), Caps(3, 20, 20, 10)),
    *(Caps(1, 6, 5, 10), Caps(0, 3, 0, 5), Caps(0, 1, 0, 2), Caps(0, 0, 0, 10)),
)

_ICONS = {Conclusion.PASS: "✅", Conclusion.FAIL: "❌", Conclusion.INCOMPLETE: "⚠️"}


@dataclass(frozen=True, slots=True)
class FullFinding:
    """A finding shown with its code; every field is finished Markdown."""

    heading: str
    body: str
    frame: str
    trace: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """Findings under one title: the first in full, the next in one line, the rest as a number."""

    size: int
    title: str
    full: tuple[FullFinding, ...]
    brief: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines of the ledger's table, and how many more there are."""

    size: int
    title: str
    lines: tuple[str, ...]
    left_out: int


def render_markdown(review: Review, *, limit: int = LIMIT, commented: Collection[str] = ()) -> str:
    """The whole review in fewer than ``limit`` characters; what does not fit is counted.

    ``commented`` are the fingerprints of findings with a comment of their own: one line will do for them.
    A patch is shown collapsed, with the command that applies it.
    """
    for caps in _CAPS:
        text = _render(review, caps, commented)
        if len(text) < limit:
            break
    return text


def _render(review: Review, caps: Caps, commented: Collection[str]) -> str:
    groups = summary.group_findings(review)
    ids = review.trigger.pull_number is not None  # where a command can name a finding
    n_blocking, n_advisory = len(groups.blocking), len(groups.advisory)
    blocking = _split(groups.blocking, commented, caps.full, blocking=True)
    advisory = _split(groups.advisory, commented, caps.full - len(blocking[0]))
    collapsed = (
        _listed(summary.count(n_advisory, "advisory finding"), *advisory, caps.brief, ids),
        _listed(summary.count(len(groups.hints), "hint"), (), groups.hints, caps.brief, False),
        _listed(f"{len(groups.deferred)} deferred", (), groups.deferred, caps.brief, ids),
    )
    text = render(
        "report.md.j2",
        icon=_ICONS[review.verdict.conclusion],
        reasons_title=_reasons_title(review),
        verdict=summary.conclusion(review),
        why=markdown_text(summary.headline(review)),
        blocking=_listed(f"Blocking ({n_blocking})", *blocking, caps.brief, ids),
        collapsed=collapsed,
        not_shown=", ".join(summary.not_shown(review, groups)),
        patch=_patch(review.patch) if review.shows_fix and caps.full else "",
        has_patch=bool(review.patch) and review.shows_fix,
        has_hidden_patch=bool(review.patch) and not review.shows_fix,
        proof=markdown_text(one_line(review.proof, 300)),
        reasons=_sentences(summary.reasons_beyond_headline(review), caps.sentences),
        ledger=markdown_ledger(review),
        spending=markdown_text(spending(review)),
        rows=_rows(review, caps.rows),
        notes=_sentences(review.notes, caps.sentences),
    )
    # Blank lines of the layout only: every line of code has its number before it.
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _reasons_title(review: Review) -> str:
    """Nothing over what goes on with the headline: all of one reason, or the rest of its sentences."""
    if review.verdict.conclusion is Conclusion.FAIL:
        return "Also incomplete"
    return "Why incomplete" if len(review.verdict.reasons) > 1 else ""


def _patch(patch: bytes) -> str:
    """The patch in a fence; a longer one is to be read in its own file only."""
    text = patch.decode("utf-8", "surrogateescape")
    return markdown_fence(text, "diff") if patch and len(text) <= PATCH_CHARACTERS else ""


def _split(
    findings: Sequence[Finding], commented: Collection[str], most: int, *, blocking: bool = False
) -> tuple[Sequence[Finding], Sequence[Finding]]:
    """The findings to show in full and those in one line; the order stays within each."""
    others = [finding for finding in findings if finding.fingerprint not in commented]
    full, _ = summary.split_by_detail(others, most=most, blocking=blocking)
    shown = {finding.fingerprint for finding in full}
    return full, [finding for finding in findings if finding.fingerprint not in shown]


def markdown_ledger(review: Review) -> str:
    """The ledger in one line of Markdown."""
    said = summary.ledger(review.coverage)
    clauses = (markdown_text(said.files), said.lines.replace("-", "\u2212"), said.secret_scan)
    return " · ".join(clause for clause in clauses if clause)


def _listed(
    title: str, full: Sequence[Finding], brief: Sequence[Finding], most_brief: int, ids: bool
) -> ListedGroup:
    return ListedGroup(
        size=len(full) + len(brief),
        title=title,
        full=tuple(_full(finding, ids) for finding in full),
        brief=tuple(_heading(finding, ids) for finding in brief[:most_brief]),
        left_out=max(0, len(brief) - most_brief),
    )


def _full(finding: Finding, ids: bool) -> FullFinding:
    return FullFinding(
        heading=_heading(finding, ids),
        body=markdown_text(shorten(summary.explanation(finding), 1_000)),
        frame=_frame(finding),
        trace=markdown_fence(cut_middle(finding.evidence.trace, 2_000)) if finding.evidence.trace else "",
        remarks=tuple(markdown_text(one_line(remark, 300)) for remark in summary.remarks(finding)),
    )


def _heading(finding: Finding, ids: bool) -> str:
    at = finding.location
    where = " " + _path(summary.place(at)) if at else ""
    side = f" ({summary.side_note(at)})" if summary.side_note(at) else ""
    rule = markdown_code(one_line(finding.rule, 80))
    title = markdown_text(one_line(finding.evidence.title, 200))
    name = f", `{finding.fingerprint}`" if ids else ""
    return f"**{finding.severity.value}**{where}{side} {title} ({rule}{name})"


def _path(path: str) -> str:
    """The path as code, its middle left out where it is very long."""
    shown = visible(path)
    return markdown_code(shown if len(shown) <= 240 else shorten(shown, 120) + shown[-120:])


def _frame(finding: Finding) -> str:
    lines = summary.frame_lines(finding)
    if not lines:
        return ""
    width = len(str(lines[-1].number))
    shown = [
        f"{'>' if line.flagged else ' '} {line.number:>{width}} | {line.text}".rstrip() for line in lines
    ]
    cut = summary.frame_cut(finding)
    return markdown_fence("\n".join([*shown, *([f"… {cut} more lines"] if cut else [])]))


def _sentences(sentences: Sequence[str], cap: int) -> tuple[str, ...]:
    shown = [markdown_text(one_line(sentence, 300)) for sentence in sentences[:cap]]
    left_out = len(sentences) - len(shown)
    return (*shown, *([f"… and {left_out} more in `report.json`"] if left_out else []))


def _rows(review: Review, cap: int) -> Rows:
    words = {CoverageStatus.UNREVIEWED: "not reviewed", CoverageStatus.EXCLUDED: "excluded"}
    rows = [row for status in words for row in review.coverage.files if row.status is status]
    lines = tuple(
        " | ".join((_path(row.path), words[row.status], markdown_text(one_line(row.reason, 120))))
        for row in rows[:cap]
    )
    return Rows(len(rows), summary.count(len(rows), "file") + " not read", lines, len(rows) - len(lines))
