from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot import errors
from reviewbot.core import (
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Evidence,
    Finding,
    GateRules,
    Location,
    Reason,
    Severity,
    Suppression,
    Threshold,
)
from reviewbot.verdict.gate import MISCONFIGURED, NOT_PERFORMED, UNAVOIDABLE, decide

EVIDENCE = Evidence("1", "analyzer", "ruff", "S602", Severity.HIGH, "a shell")
BLOCKER = Finding("f" * 16, EVIDENCE, Location("a.py", 3, 3), in_diff=True)
FAILED_TEST = Finding(
    "e" * 16, replace(EVIDENCE, source="junit", tool="junit", rule="failure"), None, in_diff=False
)
READ = Coverage((CoverageRow("a.py", CoverageStatus.REVIEWED, ("ruff", "detect-secrets"), "", 10, 0),))
UNREAD = Coverage((CoverageRow("a.py", CoverageStatus.UNREVIEWED, (), "ruff crashed", 10, 0),))


def changed(**values: object) -> Finding:
    return replace(BLOCKER, evidence=replace(EVIDENCE, **values))  # type: ignore[arg-type]


def test_nothing_blocking_and_nothing_unread_is_a_pass() -> None:
    verdict = decide([], READ, [], GateRules())
    assert (verdict.conclusion, verdict.exit_code, verdict.reasons) == (Conclusion.PASS, 0, ())


def test_a_blocker_fails() -> None:
    verdict = decide([BLOCKER], READ, [], GateRules())
    assert (verdict.conclusion, verdict.exit_code, verdict.blocking) == (Conclusion.FAIL, 1, ("f" * 16,))
    assert verdict.reasons == (Reason("blocking_findings", "1 blocking finding."),)


@pytest.mark.parametrize(
    "finding",
    [
        changed(severity=Severity.MEDIUM),
        changed(confidence=0.49),
        changed(advisory=True),
        changed(suppression=Suppression.BASE),
        replace(BLOCKER, in_diff=False),
        replace(BLOCKER, status="dismissed"),
        FAILED_TEST,
    ],
)
def test_what_does_not_block_is_advisory(finding: Finding) -> None:
    verdict = decide([finding], READ, [], GateRules())
    assert (verdict.conclusion, verdict.advisory) == (Conclusion.PASS, (finding.fingerprint,))


@pytest.mark.parametrize("suppression", [Suppression.CHANGE, Suppression.EXTERNAL])
def test_suppressions_that_the_base_does_not_hold_lower_nothing(suppression: Suppression) -> None:
    assert decide([changed(suppression=suppression)], READ, [], GateRules()).conclusion is Conclusion.FAIL


def test_failed_tests_block_by_fail_on_tests_alone() -> None:
    verdict = decide([FAILED_TEST], READ, [], GateRules(fail_on_tests=True))
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.FAIL, 1)
    assert verdict.reasons[0].detail == "1 failed test."


@pytest.mark.parametrize(
    ("fail_on", "severity", "blocks"),
    [(on, at, at.rank >= on.rank) for on in Severity for at in Severity],
)
def test_severity_is_compared_with_fail_on(fail_on: Severity, severity: Severity, blocks: bool) -> None:
    verdict = decide([changed(severity=severity)], READ, [], GateRules(threshold=Threshold(fail_on)))
    assert (verdict.conclusion is Conclusion.FAIL) is blocks


def test_a_finding_that_is_just_sure_enough_blocks() -> None:
    rules = GateRules(threshold=Threshold(minimum_confidence=0.7))
    assert decide([changed(confidence=0.7)], READ, [], rules).conclusion is Conclusion.FAIL
    assert decide([changed(confidence=0.69)], READ, [], rules).conclusion is Conclusion.PASS


def test_a_path_may_have_a_threshold_of_its_own() -> None:
    rules = GateRules(by_path={"a.py": Threshold(Severity.CRITICAL)})
    assert decide([BLOCKER], READ, [], rules).conclusion is Conclusion.PASS
    elsewhere = replace(BLOCKER, location=Location("b.py", 1, 1))
    assert decide([elsewhere], READ, [], rules).conclusion is Conclusion.FAIL


@pytest.mark.parametrize(
    ("code", "neutral", "fail"),
    [
        *((code, 0, 1) for code in sorted(UNAVOIDABLE)),
        *((code, 1, 1) for code in ("refused", "invalid", "context", "budget", "unreviewed", "head_moved")),
        *((code, 1, 1) for code in ("baseline_missing", "unfinished_evidence", "a code nobody knows")),
        *((code, 2, 2) for code in sorted(MISCONFIGURED)),
        *((code, 3, 3) for code in sorted(NOT_PERFORMED)),
    ],
)
def test_each_reason_has_the_row_of_the_table(code: str, neutral: int, fail: int) -> None:
    for on_incomplete, expected in (("neutral", neutral), ("fail", fail)):
        verdict = decide([], READ, [Reason(code, "")], GateRules(on_incomplete=on_incomplete))  # type: ignore[arg-type]
        assert (verdict.conclusion, verdict.exit_code) == (Conclusion.INCOMPLETE, expected)


def test_an_unreviewed_file_is_never_a_pass() -> None:
    verdict = decide([], UNREAD, [], GateRules())
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.INCOMPLETE, 1)
    assert verdict.reasons[0].detail == "1 file was not reviewed (a.py: ruff crashed)."


def test_with_several_reasons_the_strictest_row_counts() -> None:
    reasons = [Reason("no_credentials", ""), Reason("bad_evidence", ""), Reason("budget", "")]
    assert decide([], READ, reasons, GateRules()).exit_code == 2
    assert decide([BLOCKER], READ, [Reason("no_credentials", "")], GateRules()).exit_code == 1


def test_an_empty_change_passes_and_says_so() -> None:
    verdict = decide([], Coverage(()), [], GateRules())
    assert (verdict.conclusion, verdict.reasons[0].code) == (Conclusion.PASS, "empty_change")


def test_a_change_in_which_all_is_excluded_passes_and_says_so() -> None:
    coverage = Coverage((CoverageRow("go.sum", CoverageStatus.EXCLUDED, (), "lock file", 3, 1),))
    verdict = decide([], coverage, [], GateRules())
    assert (verdict.conclusion, verdict.reasons[0].code) == (Conclusion.PASS, "all_excluded")


def test_a_pass_names_the_share_that_only_the_secret_scan_read() -> None:
    rows = (*READ.files, CoverageRow("a.go", CoverageStatus.REVIEWED, ("detect-secrets",), "", 30, 0))
    verdict = decide([], Coverage(rows), [], GateRules())
    assert verdict.conclusion is Conclusion.PASS
    assert "75%" in verdict.reasons[0].detail


def test_a_pass_of_a_change_that_only_deletes_names_no_share_of_added_lines() -> None:
    rows = (CoverageRow("a.go", CoverageStatus.REVIEWED, ("detect-secrets",), "", 0, 5),)
    assert decide([], Coverage(rows), [], GateRules()).reasons == ()


@given(
    st.lists(st.sampled_from([BLOCKER, changed(severity=Severity.LOW), FAILED_TEST, changed(advisory=True)])),
    st.sampled_from([READ, UNREAD, Coverage(())]),
    st.lists(
        st.sampled_from(["no_credentials", "budget", "bad_policy", "no_review", "x"]).map(
            lambda c: Reason(c, "")
        )
    ),
    st.builds(GateRules, fail_on_tests=st.booleans(), on_incomplete=st.sampled_from(["fail", "neutral"])),
)
def test_no_combination_turns_into_a_silent_pass(
    findings: list[Finding], coverage: Coverage, reasons: list[Reason], rules: GateRules
) -> None:
    verdict = decide(findings, coverage, reasons, rules)
    complete = not reasons and coverage is not UNREAD
    assert (verdict.conclusion is Conclusion.PASS) == (complete and not verdict.blocking)
    assert len(verdict.blocking) + len(verdict.advisory) == len(findings)
    if verdict.conclusion is Conclusion.FAIL:
        assert verdict.exit_code >= 1
    if verdict.exit_code == 0 and verdict.conclusion is not Conclusion.PASS:
        assert {reason.code for reason in verdict.reasons} <= UNAVOIDABLE


def test_every_error_has_a_reason_code_that_is_not_a_pass() -> None:
    def classes(kind: type[errors.ReviewbotError]) -> list[type[errors.ReviewbotError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in classes(child))]

    for kind in classes(errors.ReviewbotError):
        error = kind("what and where")
        verdict = decide([], READ, [Reason(error.reason, str(error))], GateRules())
        assert verdict.exit_code == error.exit_code
        assert error.remedy


OUTAGE = Reason("provider_outage", "security: 1 file was not reviewed.")


def test_what_an_outage_left_unread_is_told_once_and_stays_neutral() -> None:
    row = replace(UNREAD.files[0], cause="provider_outage")
    verdict = decide([], Coverage((row,)), [OUTAGE], GateRules())
    assert (verdict.conclusion, verdict.exit_code, verdict.reasons) == (Conclusion.INCOMPLETE, 0, (OUTAGE,))


def test_a_cause_that_no_reason_tells_does_not_hide_an_unread_file() -> None:
    row = replace(UNREAD.files[0], cause="provider_outage")
    verdict = decide([], Coverage((row,)), [], GateRules())
    assert [reason.code for reason in verdict.reasons] == ["unreviewed"]
    assert verdict.exit_code == 1


@pytest.mark.parametrize(("is_scan", "code"), [(True, 0), (False, 1)])
def test_the_budget_is_neutral_only_in_a_scan(is_scan: bool, code: int) -> None:
    verdict = decide([], READ, [Reason("budget", "x")], GateRules(is_scan=is_scan))
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.INCOMPLETE, code)


def test_a_scan_gates_nothing() -> None:
    verdict = decide([BLOCKER, FAILED_TEST], READ, [], GateRules(is_scan=True, fail_on_tests=True))
    assert (verdict.conclusion, verdict.advisory) == (Conclusion.PASS, ("f" * 16, "e" * 16))


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (1, "1 file was not reviewed (a0.py: ruff crashed)."),
        (2, "2 files were not reviewed (a0.py: ruff crashed; and 1 more)."),
        (12, "12 files were not reviewed (a0.py: ruff crashed; and 11 more)."),
    ],
)
def test_files_that_nobody_read_are_counted_in_one_sentence(count: int, sentence: str) -> None:
    rows = tuple(replace(UNREAD.files[0], path=f"a{number}.py") for number in range(count))
    [reason] = decide([], Coverage(rows), [], GateRules()).reasons
    assert (reason.code, reason.detail) == ("unreviewed", sentence)
