"""The text of the one issue in which scans say what they found, and what it keeps for the next scan. Pure.

Its last line is a marker whose data is the baseline. Signed, it is as good as a committed one. Not signed,
whoever shares our identity could have written it: then it may only make a scan stricter than one without
a baseline, in which all that is found is known.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from reviewbot.core import Conclusion, Finding, Review, Severity, Suppression
from reviewbot.json_rules import read_json
from reviewbot.publish import summary
from reviewbot.publish.markdown import LIMIT
from reviewbot.publish.markers import MOST_TRACKED, Scope, tracking_marker
from reviewbot.publish.sanitize import markdown_code, markdown_text, one_line
from reviewbot.verdict.baseline import (
    BASELINE_PATH,
    BadBaseline,
    Baseline,
    Comparison,
    Entry,
    parse_baseline,
    render_baseline,
)

TITLE = "reviewbot: what scans found in this repository"

MOST_FIXED = 20
_MOST_UNPACKED = 5_000_000
_MOST_LEVELS = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """What the issue keeps. ``had_file``: there was a committed baseline; ``left_out``: ours did not fit.

    Without a baseline and not ``left_out`` no scan has finished yet.
    """

    baseline: Baseline | None
    had_file: bool = False
    left_out: bool = False


def pack_memory(memory: Memory) -> tuple[str, Memory]:
    """The data of the marker, and what of the memory it holds: a baseline that does not fit is left out."""
    packed = _pack(memory)
    if len(packed) <= MOST_TRACKED:
        return packed, memory
    memory = Memory(None, memory.had_file, left_out=True)
    return _pack(memory), memory


def _pack(memory: Memory) -> str:
    baseline = render_baseline(memory.baseline).decode("ascii") if memory.baseline else None
    whole = {"had_file": memory.had_file, "left_out": memory.left_out, "baseline": baseline}
    return base64.b64encode(zlib.compress(json.dumps(whole).encode(), 9)).decode()


def parse_memory(data: str, where: str) -> Memory | None:
    """The memory that ``pack_memory`` packed; None for anything else."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(base64.b64decode(data, validate=True), _MOST_UNPACKED)
        whole = read_json(text, most=_MOST_UNPACKED, levels=_MOST_LEVELS)
        had_file, left_out, held = whole["had_file"], whole["left_out"], whole["baseline"]
        if type(had_file) is not bool or type(left_out) is not bool or not unpacker.eof:
            return None
        baseline = None if held is None else parse_baseline(held.encode("ascii"), where)
    except (binascii.Error, zlib.error, ValueError, TypeError, KeyError, AttributeError):
        return None
    except BadBaseline:
        return None
    return Memory(baseline, had_file, left_out)


def listed_findings(review: Review) -> tuple[Finding, ...]:
    """The findings for the checklist, worst first: all but hints and what somebody silenced."""
    kept = [
        each
        for each in review.findings
        if each.status != "dismissed"
        and each.evidence.suppression is not Suppression.BASE
        and each.severity is not Severity.INFO
    ]
    return tuple(sorted(kept, key=_attention))


def unread_entries(review: Review, compared: Comparison) -> tuple[Entry, ...]:
    """What is known from earlier scans in files that this one did not read."""
    seen = {finding.fingerprint for finding in review.findings}
    return tuple(
        entry
        for entry in compared.after.entries
        if entry.fingerprint not in seen and entry.severity != Severity.INFO
    )


def render_tracking_issue(
    review: Review, compared: Comparison, memory: Memory, *, server: str, scope: Scope, key: bytes | None
) -> str:
    """The body of the issue, fewer than 65,536 characters; ends in the marker with ``memory``.

    ``server`` is GitHub's own address, for links to the lines at the commit that was scanned.
    """
    data, memory = pack_memory(memory)
    marker = tracking_marker(scope, key, data)
    findings, unread = listed_findings(review), unread_entries(review, compared)
    head = [_headline(review), *(markdown_text(one_line(note, 400)) for note in review.notes[:4])]
    if memory.left_out:
        head.append(
            "**The baseline does not fit into this issue.** Commit `baseline.json` of the run's reports as "
            f"`{BASELINE_PATH}`, or keep `state` in the workflow; else the next scan ends `baseline_missing`."
        )
    tail = [*_fixed(compared), *_unread(unread), _about(key)]
    room = LIMIT - len(marker) - sum(len(part) + 2 for part in (*head, *tail)) - 400
    rows = _rows(findings, compared, room, f"{server}/{scope.repository}/blob/{review.trigger.head_sha}")
    return "\n\n".join([*head, *rows, *tail, marker])


def _headline(review: Review) -> str:
    details = "; ".join(one_line(reason.detail, 300).rstrip(".") for reason in review.verdict.reasons[:3])
    passes = review.verdict.conclusion is Conclusion.PASS
    said = markdown_text(summary.headline(review) if passes else details or "nothing blocks")
    return f"**{summary.conclusion(review)}**: {said}."


def _rows(findings: Sequence[Finding], compared: Comparison, room: int, tree: str) -> list[str]:
    """The checklist, as long as there is room."""
    if not findings:
        return ["Nothing that was found asks for work."]
    since = {entry.fingerprint: entry.first_seen for entry in compared.after.entries}
    rows: list[str] = []
    for finding in findings:
        row = _row(finding, since.get(finding.fingerprint, ""), tree)
        if len(row) + 1 > room:
            break
        room -= len(row) + 1
        rows.append(row)
    left = len(findings) - len(rows)
    more = [f"… and {summary.count(left, 'more finding')}: the reports of the run hold all."] if left else []
    return ["\n".join(rows), *more] if rows else more


def _row(finding: Finding, since: str, tree: str) -> str:
    at = finding.location
    place = ""
    if at is not None:
        path = quote(at.path.encode("utf-8", "surrogateescape"), safe="/")
        last = f"-L{at.end_line}" if at.end_line > at.start_line else ""
        place = f" [{markdown_code(summary.place(at))}]({tree}/{path}?plain=1#L{at.start_line}{last})"
    known = "**new**" if finding.status == "new" else f"since `{since[:12]}`" if since else "known"
    title = markdown_text(one_line(finding.evidence.title, 160))
    return f"- [ ] **{finding.severity}**{place}: {title} ({markdown_code(finding.rule)}, {known})"


def _fixed(compared: Comparison) -> list[str]:
    gone = [entry for entry in compared.fixed if entry.severity != Severity.INFO]
    rows = [
        f"- [x] {markdown_code(one_line(entry.path, 160) or 'no file')} ({markdown_code(entry.rule)}): gone"
        for entry in gone[:MOST_FIXED]
    ]
    more = [f"… and {len(gone) - MOST_FIXED} more are gone."] if len(gone) > MOST_FIXED else []
    return ["\n".join(rows), *more] if rows else []


def _unread(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return []
    return [
        f"{summary.count(len(entries), 'known finding')} of earlier scans stay: nobody read the files again."
    ]


def _about(key: bytes | None) -> str:
    signed = (
        "Its last line keeps the signed baseline."
        if key
        else "Its last line keeps the baseline, unsigned: without a `state-key` others may change it."
    )
    return (
        "<sub>Every scan updates this issue, and closes it when nothing is left. Ticking a box changes "
        f"nothing: a finding goes when its code does. {signed} Delete the issue "
        "to take all that is found as known.</sub>"
    )


def _attention(finding: Finding) -> tuple[bool, int, str, int, str]:
    at = finding.location
    where = (at.path if at else "", at.start_line if at else 0)
    return (finding.status != "new", -finding.severity.rank, *where, finding.fingerprint)
