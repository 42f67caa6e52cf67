"""A review -> SARIF 2.1.0, shaped by what GitHub code scanning takes.

GitHub shows no result without a file, keeps 25,000 results of a run, and shows the first 5,000.
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

import json
import re
from typing import Any
from urllib.parse import quote

from reviewbot import __version__
from reviewbot.core import Conclusion, FileChange, Finding, Location, Review, Severity, Side, Suppression
from reviewbot.text import cut, one_line, visible, visible_line, without_runner_commands

RESULT_CAP = 25_000
NOTIFICATION_CAP = 5_000
_MESSAGE_CAP = 4_000
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SCORE = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""A score within each of GitHub's bands, so that a reader finds our severity again."""

Json = dict[str, Any]


def render_sarif(review: Review) -> str:
    """One run with every finding that lies in a file of head, worst first; the rest are notifications.

    SARIF describes head. A finding on a line that the change deleted is reported at the nearest line of
    head, and its message says so; in a deleted file it is a notification, as is one without a place.
    Findings past GitHub's 25,000 are counted in a notification.
    """
    blocking = frozenset(review.verdict.blocking)
    changes = {
        path: change for change in review.changes.files for path in (change.old_path, change.path) if path
    }
    placed: list[tuple[Finding, Location, str]] = []
    loose: list[Finding] = []
    for finding in sorted(review.findings, key=lambda one: _order(one, blocking)):
        location, note = _place(finding, changes)
        if location is None:
            loose.append(finding)
        else:
            placed.append((finding, location, note))
    left_out = placed[RESULT_CAP:]
    placed = placed[:RESULT_CAP]
    rules = list(dict.fromkeys(_text(finding.rule, 200) for finding, _, _ in placed))
    index = {rule: number for number, rule in enumerate(rules)}
    run: Json = {
        "tool": {"driver": _render_driver([finding for finding, _, _ in placed], rules)},
        "automationDetails": {"id": "reviewbot/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The top folder of the repository."}}},
        "invocations": [_render_invocation(review, loose, len(left_out))],
        "results": [_render_result(*one, index, blocking) for one in placed],
        "properties": {"baseSha": review.trigger.base_sha, "headSha": review.trigger.head_sha},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _order(finding: Finding, blocking: frozenset[str]) -> tuple[bool, int, str, int, str, str]:
    place = finding.location
    path, line = (place.path, place.start_line) if place else ("", 0)
    return (
        finding.fingerprint not in blocking,
        -finding.severity.rank,
        path,
        line,
        finding.rule,
        finding.fingerprint,
    )


def _place(finding: Finding, changes: dict[str, FileChange]) -> tuple[Location | None, str]:
    """Where head shows the finding, and a sentence if that is not where it is."""
    place = finding.location
    if place is None or place.side is Side.RIGHT:
        return place, ""
    change = changes.get(place.path)
    if change is None or change.head_blob is None:
        return None, ""
    line = find_nearest_head_line(change, place.start_line)
    note = f"This is about line {place.start_line} of the base version, which the change deletes."
    return Location(change.path, line, line), note


def find_nearest_head_line(change: FileChange, base_line: int) -> int:
    """The head line to show for a base line.

    Itself if it is kept, else the first of the lines that replace it, else the one directly before the
    gap (at least 1).
    """
    shift = 0
    for hunk in change.hunks:
        # git counts an empty range from the line before it
        base = hunk.base_start + (hunk.base_count == 0)
        head = hunk.head_start + (hunk.head_count == 0)
        if base_line < base:
            break
        marks = "".join(line[:1] or " " for line in hunk.lines)
        for position, mark in enumerate(marks):
            if base == base_line and mark in "- ":
                is_gone = mark == "-" and not marks[position:].lstrip("-\\").startswith("+")
                return max(1, head - is_gone)
            base += mark in "- "
            head += mark in "+ "
        shift = head - base
    return max(1, base_line + shift)


def _render_driver(findings: list[Finding], rules: list[str]) -> Json:
    worst: dict[str, Finding] = {}
    cwes: dict[str, dict[str, None]] = {rule: {} for rule in rules}
    for finding in findings:
        rule = _text(finding.rule, 200)
        if rule not in worst or finding.severity.rank > worst[rule].severity.rank:
            worst[rule] = finding
        cwes[rule].update(dict.fromkeys(finding.evidence.cwe))
    return {
        "name": "reviewbot",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_render_rule(rule, worst[rule], tuple(cwes[rule])) for rule in rules],
    }


def _render_rule(rule: str, worst: Finding, cwes: tuple[str, ...]) -> Json:
    """One rule. Only what analyzers say has a security score: a failed test is no weakness."""
    title = "A test failed." if worst.evidence.source == "junit" else _text(worst.evidence.title, 200)
    tool = _text(worst.evidence.tool, 100)
    descriptor: Json = {
        "id": rule,
        "shortDescription": {"text": title or rule},
        "fullDescription": {
            "text": f"{tool} reported this under its rule {_text(worst.evidence.rule, 200)}."
        },
        "help": {"text": f"See the documentation of {tool} for the rule {_text(worst.evidence.rule, 200)}."},
        "defaultConfiguration": {"level": _LEVEL[worst.severity]},
    }
    properties: Json = {}
    if (tags := [tag for cwe in cwes if (tag := _cwe_tag(cwe))][:9]) or worst.evidence.source != "junit":
        properties["tags"] = ["security", *tags]
    if worst.evidence.source == "junit":
        properties["tags"] = ["tests"]
    elif worst.severity in _SCORE:
        properties["security-severity"] = _SCORE[worst.severity]
    return descriptor | {"properties": properties}


def _cwe_tag(cwe: str) -> str:
    """``CWE-79`` -> ``external/cwe/cwe-079``, the form that CodeQL made known."""
    match = re.search(r"([0-9]{1,6})$", cwe)
    return f"external/cwe/cwe-{int(match.group(1)):03d}" if match else ""


def _render_result(
    finding: Finding, location: Location, note: str, index: dict[str, int], blocking: frozenset[str]
) -> Json:
    rule = _text(finding.rule, 200)
    properties: Json = {
        "severity": finding.severity.value,
        "confidence": finding.evidence.confidence,
        "blocking": finding.fingerprint in blocking,
        "inDiff": finding.in_diff,
        "status": finding.status,
    }
    if finding.evidence.source != "junit" and finding.severity in _SCORE:
        properties["security-severity"] = _SCORE[finding.severity]
    result: Json = {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(finding, note)},
        "locations": [_render_location(location)],
        "partialFingerprints": {"reviewbotFingerprint/v1": finding.fingerprint},
        "properties": properties,
    }
    if finding.evidence.suppression is Suppression.BASE:
        why = "A comment that already stands in the base version."
        result["suppressions"] = [{"kind": "inSource", "status": "accepted", "justification": why}]
    return result


def _render_location(location: Location) -> Json:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": render_uri(location.path), "uriBaseId": "SRCROOT"},
            "region": {"startLine": location.start_line, "endLine": location.end_line},
        }
    }


def render_uri(path: str) -> str:
    """A path of the tree as a relative URI: git's bytes, percent-encoded."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")


def _message(finding: Finding, note: str) -> str:
    """Title, then what the tool said unless that is the same, then our notes."""
    evidence = finding.evidence
    said = _plain(evidence.message.strip())
    title = _text(evidence.title, 300)
    parts = [title, "" if said == title else cut(said, _MESSAGE_CAP), _plain(finding.note), note]
    return "\n\n".join(part for part in parts if part) or _text(finding.rule, 200)


def _render_invocation(review: Review, loose: list[Finding], left_out: int) -> Json:
    """How the run ended: an incomplete review did not succeed, and the reasons stand in notifications."""
    incomplete = review.verdict.conclusion is Conclusion.INCOMPLETE
    told = [
        ("error" if incomplete else "note", f"{reason.code}: {reason.detail}")
        for reason in review.verdict.reasons
    ]
    if left_out:
        told.append(
            ("warning", f"{left_out:,} more findings are not here: GitHub takes {RESULT_CAP:,} of a run.")
        )
    told += [("note", note) for note in review.notes]
    told += [
        (_LEVEL[finding.severity], f"{finding.rule}: {_message(finding, _deleted(finding))}")
        for finding in loose
    ]
    if len(told) > NOTIFICATION_CAP:
        more = len(told) - NOTIFICATION_CAP + 1
        told = [*told[: NOTIFICATION_CAP - 1], ("warning", f"{more:,} more notifications are not here.")]
    invocation: Json = {"executionSuccessful": not incomplete}
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", review.started_at):
        invocation["startTimeUtc"] = review.started_at
    invocation["toolExecutionNotifications"] = [
        {"level": level, "message": {"text": cut(_plain(text), _MESSAGE_CAP)}} for level, text in told
    ]
    return invocation


def _deleted(finding: Finding) -> str:
    place = finding.location
    if place is None:
        return ""
    return f"This is about line {place.start_line} of {visible_line(place.path)}, which head does not have."


def _text(text: str, cap: int) -> str:
    return one_line(_plain(text), cap)


def _plain(text: str) -> str:
    """Visible text that makes no link and gives no command.

    Viewers turn ``[words](target)`` in any message into a link (3.11.6); a workflow runner obeys ``##[``
    anywhere in what a job prints.
    """
    return without_runner_commands(visible(text)).replace("](", "] (")
