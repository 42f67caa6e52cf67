"""The review for a person at a terminal or in a log, coloured or plain.

rich is imported where it is used: it costs 0.1 s of CPU. Data goes in as ``Text``, never as markup.
Without colours our own signs are ASCII; only letters of the change may be others.
"""

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from reviewbot.core import Conclusion, Finding, Review, Severity
from reviewbot.publish import summary
from reviewbot.publish.sanitize import one_line, terminal_text, visible, without_runner_commands
from reviewbot.publish.spending import spending

if TYPE_CHECKING:
    from rich.text import Text

_COLOURS = {
    Severity.CRITICAL: "bold reverse bright_red",
    Severity.HIGH: "bold bright_red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_VERDICTS = {
    Conclusion.PASS: "bold green",
    Conclusion.FAIL: "bold bright_red",
    Conclusion.INCOMPLETE: "bold yellow",
}
_INDENT = 2
_IN_FULL = 20  # more frames than fit on a few screens hide more than they show


def render_terminal(review: Review, *, width: int, color: bool) -> str:
    """The whole review, ``width`` columns wide; the verdict comes last, where the eye is.

    Headings with a path are not wrapped, so that ``path:line`` stays one word to click on.
    """
    from rich.console import Console  # noqa: PLC0415

    out = StringIO()
    console = Console(
        file=out,
        width=max(40, width),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    for line in _story(review, console.width):
        console.print(line, soft_wrap=True)
    lines = (line.rstrip() for line in out.getvalue().split("\n"))
    return without_runner_commands("\n".join(lines).strip("\n") + "\n")


def _story(review: Review, width: int) -> Iterator["Text"]:
    groups = summary.group_findings(review)
    blocking = summary.split_by_detail(groups.blocking, most=len(groups.blocking), blocking=True)
    advisory = summary.split_by_detail(groups.advisory, most=max(0, _IN_FULL - len(groups.blocking)))
    yield from _section("Blocking", *blocking, "bold bright_red", width)
    yield from _section("Advisory", *advisory, "bold", width)
    yield from _counted(review, groups, width)
    yield from _ledger(review, width)
    yield from _wrapped(spending(review), width, "", 0)
    for note in review.notes:
        yield from _wrapped(_line(note, 400), width, "dim", 0)
    yield _text("")
    yield from _verdict(review, width)


def _section(
    title: str, full: Sequence[Finding], brief: Sequence[Finding], style: str, width: int
) -> Iterator["Text"]:
    if not (full or brief):
        return
    yield _text(f"{title} ({len(full) + len(brief)})", style)
    yield _text("")
    for finding in full:
        yield from _finding(finding, width)
        yield _text("")
    for finding in brief:
        yield _fitted(_heading(finding).append("  " + _line(finding.evidence.title, 300)), width)
    if brief:
        yield _text("")


def _finding(finding: Finding, width: int) -> Iterator["Text"]:
    yield _heading(finding)
    yield from _wrapped(_line(finding.evidence.title, 300), width, "bold", _INDENT)
    yield from _frame(finding, width)
    yield from _wrapped(_line(summary.explanation(finding), 600), width, "", _INDENT)
    for remark in summary.remarks(finding):
        yield from _wrapped("note: " + _line(remark, 300), width, "italic", _INDENT)


def _heading(finding: Finding) -> "Text":
    at = finding.location
    heading = _text("").append(f"{finding.severity.value:<8}", _COLOURS[finding.severity])
    if at:
        heading.append(" " + terminal_text(summary.place(at)).replace("\n", "<U+000A>"), "bold")
    if summary.side_note(at):
        heading.append(f" ({summary.side_note(at)})")
    return heading.append("  " + _line(finding.rule, 80), "dim")


def _frame(finding: Finding, width: int) -> Iterator["Text"]:
    lines = summary.frame_lines(finding)
    digits = len(str(lines[-1].number)) if lines else 0
    for line in lines:
        mark, dim = (">", "") if line.flagged else (" ", "dim")
        shown = _text(" " * _INDENT).append(mark, _COLOURS[finding.severity] if line.flagged else "")
        shown.append(f" {line.number:>{digits}} | ", "dim")
        shown.append(terminal_text(line.text), dim)
        yield _fitted(shown, width)
    if cut := summary.frame_cut(finding):
        yield _text(" " * _INDENT + f"  ... {cut} more lines", "dim")


def _fitted(line: "Text", width: int) -> "Text":
    if line.cell_len > width:
        line.truncate(width - 3, overflow="crop")
        line.append("...", "dim")
    return line


def _counted(review: Review, groups: summary.Groups, width: int) -> Iterator["Text"]:
    hints = summary.count(len(groups.hints), "hint") + " of severity info" if groups.hints else ""
    clauses = [clause for clause in (hints, *summary.not_shown(review, groups)) if clause]
    if clauses:
        yield from _wrapped("Not shown: " + ", ".join(clauses), width, "dim", 0)


def _ledger(review: Review, width: int) -> Iterator["Text"]:
    said = summary.ledger(review.coverage)
    clauses = [clause for clause in (said.files, said.lines, said.secret_scan) if clause]
    yield from _wrapped("; ".join(clauses), width, "", 0)


def _verdict(review: Review, width: int) -> Iterator["Text"]:
    word, _, rest = summary.conclusion(review).partition(" ")
    said = f"{word.upper()} {rest}".rstrip()
    style = _VERDICTS[review.verdict.conclusion]
    yield from _wrapped(f"{said}: {summary.headline(review)}", width, style, 0)
    for detail in summary.reasons_beyond_headline(review):
        yield from _wrapped(_line(detail, 400), width, "", _INDENT)


def _wrapped(text: str, width: int, style: str, indent: int) -> Iterator["Text"]:
    """Words folded into lines of at most ``width`` columns, each ``indent`` columns in."""
    from rich.console import Console  # noqa: PLC0415

    if not text.strip():
        return
    console = Console(file=StringIO(), width=width, _environ={})
    for line in _text(" ".join(terminal_text(text).split()), style).wrap(console, width - indent):
        line.pad_left(indent)
        yield line


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text  # noqa: PLC0415

    return Text(text, style)


def _line(text: str, limit: int) -> str:
    """One line, cut with an ASCII sign."""
    shown = one_line(text, limit)
    return shown.removesuffix("…") + "..." if len(visible(text)) > limit else shown
