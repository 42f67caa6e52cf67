"""Reviews made by hand: small values for the renderers."""

from dataclasses import replace
from typing import Any

from reviewbot.core import (
    ChangeSet,
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Evidence,
    Finding,
    Frame,
    Location,
    Reason,
    Rejected,
    Review,
    Severity,
    Suppression,
    Trigger,
    TriggerKind,
    Verdict,
)

BASE, HEAD = "b" * 40, "a" * 40


def finding(number: int = 1, severity: Severity = Severity.HIGH, **changes: Any) -> Finding:
    """A finding in ``app/run.py``; ``changes`` go to the evidence or to the finding, by their names."""
    line = 10 * number
    evidence = Evidence(
        id=f"e{number}",
        source="analyzer",
        tool="ruff",
        rule="S602",
        severity=severity,
        title="`subprocess` call with `shell=True` identified, security issue",
        location=Location("app/run.py", line, line),
    )
    of_evidence = {name: value for name, value in changes.items() if name in Evidence.__slots__}
    of_finding = {name: value for name, value in changes.items() if name not in of_evidence}
    evidence = replace(evidence, **of_evidence)
    made = Finding(
        fingerprint=f"{number:016x}",
        evidence=evidence,
        location=evidence.location,
        in_diff=True,
        quote="    subprocess.call(cmd, shell=True)",
        frame=Frame(
            line - 2,
            ("def run(cmd):", "    log(cmd)", "    subprocess.call(cmd, shell=True)", "", "    return 0"),
        ),
    )
    return replace(made, **of_finding)


def row(
    path: str, status: str = "reviewed", reason: str = "", by: tuple[str, ...] = ("ruff",)
) -> CoverageRow:
    """A row of the ledger with ten added lines and two deleted ones."""
    return CoverageRow(path, CoverageStatus(status), by, reason, 10, 2)


def review(
    *findings: Finding,
    blocking: int = 0,
    rows: tuple[CoverageRow, ...] = (row("app/run.py"),),
    conclusion: Conclusion | None = None,
    reasons: tuple[Reason, ...] = (),
    notes: tuple[str, ...] = (),
    rejected: tuple[Rejected, ...] = (),
    exit_code: int | None = None,
) -> Review:
    """A review in which the first ``blocking`` findings block."""
    ids = tuple(each.fingerprint for each in findings)
    ended = conclusion or (Conclusion.FAIL if blocking else Conclusion.PASS)
    code = int(ended is Conclusion.FAIL) if exit_code is None else exit_code
    return Review(
        trigger=Trigger("run-1", TriggerKind.LOCAL, "acme/shop", "mona", BASE, BASE, HEAD),
        changes=ChangeSet(BASE, HEAD, ()),
        evidence=tuple(each.evidence for each in findings),
        findings=findings,
        rejected=rejected,
        coverage=Coverage(rows),
        verdict=Verdict(ended, code, ids[:blocking], ids[blocking:], reasons),
        notes=notes,
        started_at="2026-11-21T10:00:00Z",
        seconds=0.4,
        budget_usd=2.0,
    )


def rich_review(many: int = 3) -> Review:
    """A review with something of everything, as a real change would give."""
    findings = (
        finding(1, cwe=("CWE-78",), message="A shell with untrusted input runs whatever the input says."),
        finding(
            2,
            Severity.CRITICAL,
            tool="detect-secrets",
            rule="aws-access-key",
            title="AWS access key",
            frame=Frame(19, ("import os", 'KEY = "****************"', "")),
            note="The key is in this commit for ever: revoke it.",
        ),
        finding(3, Severity.MEDIUM, tool="zizmor", rule="artipacked", title="credentials persist"),
        finding(4, Severity.LOW, suppression=Suppression.CHANGE, rule="S311", title="Not random enough"),
        finding(5, Severity.LOW, suppression=Suppression.BASE),
        finding(6, Severity.INFO, rule="C901", title="`run` is too complex (14 > 10)"),
        finding(7, Severity.MEDIUM, in_diff=False),
        finding(
            8,
            Severity.MEDIUM,
            source="junit",
            tool="junit",
            rule="failure",
            in_diff=False,
            location=None,
            frame=None,
            title="test_ok failed",
        ),
        *(finding(n, Severity.LOW, title=f"Advice number {n}") for n in range(9, 9 + many)),
    )
    rows = (
        *(row(f"app/f{n}.py") for n in range(9)),
        row("docs/readme.md", by=("detect-secrets",)),
        row("package-lock.json", "excluded", "lock file", ()),
        row("legacy/page.cob", "unreviewed", "no analyzer reads this language", ()),
    )
    reasons = (
        Reason("blocking", "2 findings are at or above high."),
        Reason("unreviewed", "1 file was not reviewed."),
    )
    notes = (
        "The model agents did not run: no credentials were found.",
        "Uncommitted changes are not reviewed.",
    )
    rejected = (Rejected("sarif", "x/y", "gone.py", "the file is not in the commit"),)
    return review(*findings, blocking=2, rows=rows, reasons=reasons, notes=notes, rejected=rejected)
