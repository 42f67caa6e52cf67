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
    """A JSON array of the findings that have a place in the diff, worst first; ASCII only.

    Findings that are silenced or dismissed are left out: GitLab would show them as open.
    """
    groups = group_findings(review)
    shown = (*groups.blocking, *groups.advisory, *groups.hints)
    entries = [_entry(finding, finding.location) for finding in shown if finding.in_diff and finding.location]
    return json.dumps(entries, ensure_ascii=True, indent=2) + "\n"


def _entry(finding: Finding, at: Location) -> dict[str, Any]:
    side = f"On a {side_note(at)} line:" if side_note(at) else ""
    said = (side, finding.evidence.title, explanation(finding), *remarks(finding))
    return {
        "description": one_line(" ".join(part for part in said if part), 1_000),
        "check_name": one_line(finding.rule, 200),
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": at.path, "lines": {"begin": at.start_line}},
    }
