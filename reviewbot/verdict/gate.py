"""The decision. Pure: it sees findings, the ledger and reasons, never a model, a network or a file."""

from collections.abc import Collection, Sequence

from reviewbot.core import (
    Conclusion,
    Coverage,
    CoverageStatus,
    Finding,
    GateRules,
    Reason,
    Suppression,
    Verdict,
)

UNAVOIDABLE = frozenset({"no_secrets", "no_credentials", "provider_outage"})
"""Reasons that a run cannot help: policy says whether they let merge (neutral) or not (fail)."""

UNAVOIDABLE_IN_A_SCAN = UNAVOIDABLE | {"budget", "batch_pending"}

MISCONFIGURED = frozenset(
    {
        "bad_arguments",
        "bad_policy",
        "bad_evidence",
        "missing_credentials",
        "bad_credentials",
        "unknown_model",
        "no_batches",
    }
)
NOT_PERFORMED = frozenset({"no_review", "draft", "skipped_author"})


def decide(
    findings: Sequence[Finding], coverage: Coverage, reasons: Sequence[Reason], rules: GateRules
) -> Verdict:
    """Pass, fail or incomplete, and the exit code of README.md's table.

    ``reasons`` are what cut the review short; files of the ledger that were not reviewed add one of
    their own. With several reasons the strictest row counts.
    """
    blocking = [finding for finding in findings if blocks(finding, rules)]
    advisory = [finding for finding in findings if not blocks(finding, rules)]
    gaps = [*reasons, *_unreviewed(coverage, {reason.code for reason in reasons})]
    code = max((_exit_code(reason, rules) for reason in gaps), default=0)
    if blocking:
        conclusion, code, said = Conclusion.FAIL, max(code, 1), [_blocked(blocking), *gaps]
    elif gaps:
        conclusion, said = Conclusion.INCOMPLETE, gaps
    else:
        conclusion, said = Conclusion.PASS, _remarks(coverage)
    return Verdict(
        conclusion=conclusion,
        exit_code=code,
        blocking=tuple(finding.fingerprint for finding in blocking),
        advisory=tuple(finding.fingerprint for finding in advisory),
        reasons=tuple(said),
    )


def blocks(finding: Finding, rules: GateRules) -> bool:
    """Whether one finding blocks: severe and sure enough, and on a line that the change touched.

    A failed test blocks by ``fail_on_tests`` alone, in the diff or not.
    """
    evidence = finding.evidence
    if rules.is_scan:
        return False  # without a baseline nothing of a whole repository is new
    if evidence.source == "junit":
        return rules.fail_on_tests
    if evidence.advisory or evidence.suppression is Suppression.BASE or finding.status == "dismissed":
        return False
    path = finding.location.path if finding.location else ""
    threshold = rules.by_path.get(path, rules.threshold)
    severe = evidence.severity.rank >= threshold.fail_on.rank
    return severe and evidence.confidence >= threshold.minimum_confidence and finding.in_diff


def _exit_code(reason: Reason, rules: GateRules) -> int:
    if reason.code in NOT_PERFORMED:
        return 3
    if reason.code in MISCONFIGURED:
        return 2
    unavoidable = UNAVOIDABLE_IN_A_SCAN if rules.is_scan else UNAVOIDABLE
    return 0 if reason.code in unavoidable and rules.on_incomplete == "neutral" else 1


def _blocked(blocking: Sequence[Finding]) -> Reason:
    tests = sum(finding.evidence.source == "junit" for finding in blocking)
    others = len(blocking) - tests
    parts = [_count(others, "blocking finding"), _count(tests, "failed test")]
    return Reason("blocking_findings", f"{' and '.join(part for part in parts if part)}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}" if number else ""


def _unreviewed(coverage: Coverage, told: Collection[str]) -> list[Reason]:
    """The files that nobody read, but for those whose cause is a reason that was ``told`` already."""
    rows = [
        row for row in coverage.files if row.status is CoverageStatus.UNREVIEWED and row.cause not in told
    ]
    if not rows:
        return []
    verb = "was" if len(rows) == 1 else "were"
    first = f"{ascii(rows[0].path)[1:-1]}: {rows[0].reason}"
    more = f"; and {len(rows) - 1} more" if len(rows) > 1 else ""
    return [Reason("unreviewed", f"{_count(len(rows), 'file')} {verb} not reviewed ({first}{more}).")]


def _remarks(coverage: Coverage) -> list[Reason]:
    """What a reader of a pass must know: how little there was to read, or who alone read it."""
    if not coverage.files:
        return [Reason("empty_change", "The change is empty: there was nothing to review.")]
    if coverage.count(CoverageStatus.EXCLUDED) == len(coverage.files):
        return [
            Reason("all_excluded", "Every changed file is excluded by a named rule: nothing was reviewed.")
        ]
    share = coverage.secret_scan_share
    if not share:
        return []
    detail = f"The secret scan alone read {share:.0%} of the added lines."
    return [Reason("secret_scan_only", detail)]
