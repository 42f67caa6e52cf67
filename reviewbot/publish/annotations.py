"""The review as workflow commands, for runs whose token may not write: GitHub shows them as annotations.

Pure. https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
Escaping is that of actions/toolkit, ``packages/core/src/command.ts``.
"""

from collections.abc import Sequence

from reviewbot.core import Finding, Location, Review, Side
from reviewbot.publish import summary
from reviewbot.publish.sanitize import one_line, terminal_text

PER_LEVEL = 10
"""GitHub shows so many errors and so many warnings of one step, and drops the rest without a word."""


def render_annotations(review: Review) -> str:
    """One line a finding, what blocks as errors and what is advisory as warnings; last a notice.

    The notice has the verdict and how many findings have no annotation. Printed as it is: whatever is
    printed around it must be whole lines.
    """
    groups = summary.group_findings(review)
    shown = (
        *(_annotation("error", finding) for finding in groups.blocking[:PER_LEVEL]),
        *(_annotation("warning", finding) for finding in groups.advisory[:PER_LEVEL]),
    )
    left_out = len(groups.blocking) + len(groups.advisory) + len(groups.hints) - len(shown)
    rest = f" {summary.count(left_out, 'more finding')} in the job summary." if left_out else ""
    said = _text(f"{summary.conclusion(review)}: {summary.headline(review)}.", 600) + rest
    return "\n".join([*shown, _command("notice", {"title": "reviewbot"}, said)]) + "\n"


def _annotation(level: str, finding: Finding) -> str:
    at = finding.location
    named = _properties(at) if at else {}
    said = [finding.evidence.title, summary.explanation(finding), *summary.remarks(finding)]
    if at and "line" not in named:
        said.insert(0, f"{summary.place(at)}{' (deleted)' * (at.side is Side.LEFT)}:")
    title = _text(f"{finding.severity.value}: {finding.rule}", 120)
    return _command(level, {**named, "title": title}, _text(sentences(said), 1_000))


def _properties(at: Location) -> dict[str, str]:
    """The place, as far as GitHub can show it: it knows head's lines only, and paths in UTF-8."""
    if terminal_text(at.path) != at.path or "\n" in at.path:
        return {}
    if at.side is Side.LEFT:
        return {"file": at.path}
    return {"file": at.path, "line": str(at.start_line), "endLine": str(at.end_line)}


def sentences(parts: Sequence[str]) -> str:
    """The parts that are not empty as one text; each ends as a sentence does."""
    return " ".join(part if part.endswith((".", "!", "?", ":")) else f"{part}." for part in parts if part)


def _text(text: str, limit: int) -> str:
    return terminal_text(one_line(text, limit))


def _command(name: str, properties: dict[str, str], said: str) -> str:
    listed = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())
    return f"::{name} {listed}::{_escape(said)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
