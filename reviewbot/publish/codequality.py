"""The review as a GitLab Code Quality report.

The format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

import json
from typing import Any

from reviewbot.core import Finding, Location, Review, Severity
from reviewbot.publish.sanitize import one_line
from reviewbot.publish.summary import explanation, group_findings, remarks, side_note

_SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}


def render_codequality(review: Review) -> str:
    """A JSON array of what blocks and what is in the diff, where it has a place, worst first; ASCII only.

    Findings that are silenced or dismissed are left out: GitLab would show them as open.
    """
    groups = group_findings(review)
    advisory = [finding for finding in (*groups.advisory, *groups.hints) if finding.in_diff]
    shown = (*groups.blocking, *advisory)
    entries = [_entry(finding, finding.location) for finding in shown if finding.location]
    return json.dumps(entries, ensure_ascii=True, indent=2) + "\n"


def _entry(finding: Finding, at: Location) -> dict[str, Any]:
    side = f"On a {side_note(at)} line:" if side_note(at) else ""
    said = (finding.evidence.title, explanation(finding), *remarks(finding))
    sentences = " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in said if part)
    return {
        "description": one_line(f"{side} {sentences}".strip(), 1_000),
        "check_name": one_line(finding.rule, 200),
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": at.path, "lines": {"begin": at.start_line}},
    }
