"""What every sink says the same way: which findings are shown, the headline, the ledger in a line.

Pure. What comes from the change is passed through the sanitiser's ``visible``; escaping for a sink
is the sink's own business.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reviewbot.core import (
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Finding,
    Location,
    Review,
    Severity,
    Side,
    Suppression,
)
from reviewbot.publish.sanitize import one_line, visible

FRAME_LINES = 20
"""At most so many lines of code are shown with a finding."""

FRAME_COLUMNS = 200
"""At most so many characters of one line of code are shown."""


LONGEST_REASON = 72
"""Characters of a reason beside the ledger: ours fit whole, a rule of somebody's may be cut."""

HEADLINE = 200
"""Characters of a reason that stand in the headline."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Every finding of a review, once, by how much attention it asks for; worst first in each group.

    ``hints`` are advisory ones of severity info; ``elsewhere`` are advisory and not in the diff;
    ``silenced`` were silenced by a comment in the base or dismissed by a person; ``deferred`` are low and new
    on lines that did not change since the last round.
    """

    blocking: tuple[Finding, ...]
    advisory: tuple[Finding, ...]
    hints: tuple[Finding, ...]
    elsewhere: tuple[Finding, ...]
    silenced: tuple[Finding, ...]
    deferred: tuple[Finding, ...] = ()


def group_findings(review: Review) -> Groups:
    """Sort the findings of a review into groups. What blocks is in ``blocking`` whatever else it is."""
    groups: dict[str, list[Finding]] = {name: [] for name in Groups.__slots__}
    blocking = frozenset(review.verdict.blocking)
    for finding in sorted(review.findings, key=_attention):
        groups[_group(finding, blocking)].append(finding)
    return Groups(**{name: tuple(members) for name, members in groups.items()})


def _group(finding: Finding, blocking: frozenset[str]) -> str:
    if finding.fingerprint in blocking:
        return "blocking"
    if finding.status == "dismissed" or finding.evidence.suppression is Suppression.BASE:
        return "silenced"
    if finding.status == "deferred":
        return "deferred"
    if finding.evidence.source == "junit":
        return "advisory"  # a failed test is worth a line wherever it stands
    if not finding.in_diff:
        return "elsewhere"
    return "hints" if finding.severity is Severity.INFO else "advisory"


def _attention(finding: Finding) -> tuple[int, str, int, str]:
    at = finding.location
    return (-finding.severity.rank, at.path if at else "", at.start_line if at else 0, finding.fingerprint)


def conclusion(review: Review) -> str:
    """The conclusion in words; an incomplete review says whether it blocks."""
    verdict = review.verdict
    if verdict.conclusion is not Conclusion.INCOMPLETE:
        return verdict.conclusion.value
    return "incomplete (blocks)" if verdict.exit_code else "incomplete (neutral)"


def headline(review: Review) -> str:
    """Why the verdict is what it is, in one clause."""
    verdict, blocking = review.verdict, len(review.verdict.blocking)
    if verdict.conclusion is Conclusion.FAIL and blocking:
        return f"{count(blocking, 'finding blocks', 'findings block')} this change"
    if verdict.conclusion is Conclusion.PASS:
        return _why_it_passes(review.coverage)
    details = [_lead(reason.detail)[0].rstrip(".") for reason in verdict.reasons]
    return details[0] + _more(len(details) - 1, "reason") if details else "no reason was given"


def _lead(detail: str) -> tuple[str, str]:
    """The sentences of a reason that fit into the headline, and those that do not."""
    said = one_line(detail, 10_000)
    end = len(said) if len(said) <= HEADLINE else said.rfind(". ", 0, HEADLINE) + 1
    return (said[:end], said[end:].strip()) if end else (one_line(said, HEADLINE), said)


def _why_it_passes(coverage: Coverage) -> str:
    total, read = len(coverage.files), len(coverage.files) - coverage.count(CoverageStatus.EXCLUDED)
    if not total:
        return "the change is empty"
    if not read:
        return f"nothing to review, {_all(total)} excluded"
    return "nothing blocks, " + (f"{_all(total)} read" if read == total else f"{read} of {total} files read")


def _all(total: int) -> str:
    return {1: "the one file is", 2: "both files are"}.get(total, f"all {total} files are")


def _more(number: int, noun: str) -> str:
    return f" (and {count(number, f'more {noun}', f'more {noun}s')})" if number > 0 else ""


def place(location: Location) -> str:
    """Path and lines as editors and terminals link them: ``src/app.py:12`` or ``src/app.py:12-14``."""
    last = f"-{location.end_line}" if location.end_line > location.start_line else ""
    return f"{location.path}:{location.start_line}{last}"


def side_note(location: Location | None) -> str:
    """``deleted`` where the lines are those of the base."""
    return "deleted" if location is not None and location.side is Side.LEFT else ""


def explanation(finding: Finding) -> str:
    """What the tool says beyond the title; empty where it says nothing more."""
    title, message = finding.evidence.title.strip(), finding.evidence.message.strip()
    return "" if message.rstrip(".") == title.rstrip(".") else message


def remarks(finding: Finding) -> tuple[str, ...]:
    """Sentences of ours about the finding: who tried to silence it, and where it was found."""
    silencing = {
        Suppression.CHANGE: "silenced by a comment that this change adds: ignored",
        Suppression.EXTERNAL: "silenced outside the source, which cannot be checked: ignored",
    }
    said = silencing.get(finding.evidence.suppression, "")
    return tuple(sentence for sentence in (said, finding.note) if sentence)


@dataclass(frozen=True, slots=True)
class FrameLine:
    """One line of code to show: its number, whether it is flagged, its text with tabs as blanks."""

    number: int
    flagged: bool
    text: str


def frame_lines(finding: Finding) -> tuple[FrameLine, ...]:
    """The masked code around a finding, cut visibly to FRAME_LINES and FRAME_COLUMNS."""
    if finding.frame is None:
        return ()
    at = finding.location
    first, last = (at.start_line, at.end_line) if at else (0, 0)
    return tuple(
        FrameLine(number, first <= number <= last, _code(line))
        for number, line in enumerate(finding.frame.lines[:FRAME_LINES], finding.frame.start_line)
    )


def frame_cut(finding: Finding) -> int:
    """How many lines of the frame are not shown."""
    return max(0, len(finding.frame.lines) - FRAME_LINES) if finding.frame else 0


def _code(line: str) -> str:
    # A carriage return at the end is a line end of Windows, not something hidden.
    shown = visible(line.rstrip("\r\n").expandtabs(4)).replace("\n", "<U+000A>")
    return shown if len(shown) <= FRAME_COLUMNS else visible(shown[: FRAME_COLUMNS - 3]) + "..."


@dataclass(frozen=True, slots=True)
class Ledger:
    """The coverage in three clauses; ``secret_scan`` is empty where a real analyzer read everything."""

    files: str
    lines: str
    secret_scan: str


def ledger(coverage: Coverage) -> Ledger:
    """Files by status, lines, and the share that only the secret scan saw."""
    lines = f"+{coverage.added_lines} -{coverage.deleted_lines}"
    return Ledger(_files(coverage), lines, _secret_scan_only(coverage))


def _files(coverage: Coverage) -> str:
    words = {
        CoverageStatus.REVIEWED: "reviewed",
        CoverageStatus.TRIAGED: "triaged",
        CoverageStatus.EXCLUDED: "excluded",
        CoverageStatus.UNREVIEWED: "not reviewed",
    }
    parts = []
    for status, word in words.items():
        rows = [row for row in coverage.files if row.status is status]
        why = status in (CoverageStatus.EXCLUDED, CoverageStatus.UNREVIEWED)
        if rows:
            parts.append(f"{len(rows)} {word}" + (_reasons(rows) if why else ""))
    return f"{count(len(coverage.files), 'file')}" + (f": {', '.join(parts)}" if parts else "")


def _reasons(rows: Iterable[CoverageRow]) -> str:
    """The three most frequent reasons, as `` (2 lock file, 1 binary)``; one alone needs no number."""
    # What stands in brackets behind a rule is its origin, which the table of files names.
    reasons = Counter(one_line(row.reason.partition(" (")[0], LONGEST_REASON) for row in rows if row.reason)
    if not reasons:
        return ""
    if len(reasons) == 1:
        return f" ({next(iter(reasons))})"
    named = [f"{number} {reason}" for reason, number in reasons.most_common(3)]
    return f" ({', '.join(named)}{', ...' if len(reasons) > 3 else ''})"


def _secret_scan_only(coverage: Coverage) -> str:
    share = coverage.secret_scan_share
    if not share:
        return ""
    if share == 1:
        return "the secret scan alone read all added lines"
    return f"the secret scan alone read {min(99, max(1, round(100 * share)))}% of the added lines"


def reasons_beyond_headline(review: Review) -> tuple[str, ...]:
    """The reasons of the verdict that neither the headline nor the ledger has said in full."""
    told = ("blocking_findings", "secret_scan_only")
    reasons = tuple(reason.detail for reason in review.verdict.reasons if reason.code not in told)
    leads = [reason.detail for reason in review.verdict.reasons[:1]]
    if review.verdict.conclusion is Conclusion.INCOMPLETE and list(reasons) == leads:
        return tuple(filter(None, [_lead(reasons[0])[1]]))
    return reasons


def not_shown(review: Review, groups: Groups) -> tuple[str, ...]:
    """What was found and is only counted, each as a clause such as ``3 outside the diff``."""
    others = len(groups.elsewhere)
    dismissed = sum(finding.status == "dismissed" for finding in groups.silenced)
    silenced = len(groups.silenced) - dismissed
    clauses = (
        others and f"{count(others, 'finding')} outside the diff",
        silenced and f"{silenced} silenced by comments that stood there before",
        dismissed and f"{dismissed} dismissed",
        groups.deferred
        and f"{len(groups.deferred)} low and new on lines that did not change since the last round",
        review.rejected and f"{count(len(review.rejected), 'result')} rejected",
    )
    return tuple(clause for clause in clauses if clause)


def split_by_detail(
    findings: Sequence[Finding], *, most: int, blocking: bool = False
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings to show with their code, ``most`` of them, and those for which one line will do.

    What blocks is always worth its code; else what is low and needs no remark is not.
    """
    full: list[Finding] = []
    brief: list[Finding] = []
    for number, finding in enumerate(findings):
        is_worth_it = blocking or finding.severity.rank > Severity.LOW.rank or bool(remarks(finding))
        (full if number < most and is_worth_it else brief).append(finding)
    return tuple(full), tuple(brief)


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
