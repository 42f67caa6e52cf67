import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from reviewbot.agents.answers import FINDINGS_CAP, SecurityAnswer, TestFixAnswer, TriageAnswer, to_claims
from reviewbot.agents.api.claude import transform
from reviewbot.agents.rules import CAUSES, CERTAINTY, HIDDEN_INSTRUCTION_TITLE, SECURITY_RULES
from reviewbot.agents.verify_answer import Judgement, VerifyAnswer
from reviewbot.severity import Severity

ANSWERS = (TriageAnswer, SecurityAnswer, TestFixAnswer, VerifyAnswer)
FINDING: dict[str, Any] = {
    "rule": "sql-injection",
    "severity": "high",
    "confidence": "shown",
    "title": "A title",
    "body": "A body",
    "quotes": [{"path": "a.py", "start_line": 3, "end_line": 4, "text": "x"}],
}
FAILURE: dict[str, Any] = {
    "evidence_ids": ["junit:1", "junit:1"],
    "cause": "flaky",
    "confidence": "likely",
    "title": "T",
    "body": "B",
    "quotes": FINDING["quotes"],
    "edits": [{"path": "a.py", "find": "x", "replace": ""}],
}


def security(**changed: object) -> SecurityAnswer:
    return SecurityAnswer.model_validate_json(json.dumps({"findings": [{**FINDING, **changed}]}))


def failures(**changed: object) -> TestFixAnswer:
    return TestFixAnswer.model_validate_json(json.dumps({"failures": [{**FAILURE, **changed}]}))


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_schema_is_one_that_the_api_takes(answer: type[BaseModel]) -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
                assert set(node["required"]) == set(node["properties"])
            assert not {"minLength", "maxLength", "maxItems", "minimum", "maximum", "pattern", "oneOf"} & set(
                node
            )
            assert node.get("minItems", 0) in (0, 1)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(transform(answer))


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_answer_has_a_field_for_a_verdict_or_for_reasoning(answer: type[BaseModel]) -> None:
    names = json.dumps(transform(answer)).lower()
    for word in ('"verdict"', '"approve"', '"pass"', '"reasoning"', '"conclusion"', '"thinking"'):
        assert word not in names


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_schema_holds_nothing_that_a_model_does_not_need(answer: type[BaseModel]) -> None:
    text = json.dumps(transform(answer))
    for noise in ('"title": "', "{m", "``", "rules.", '"default"'):
        assert noise not in text


def test_a_finding_quotes_before_it_judges() -> None:
    for answer, item in ((SecurityAnswer, "SecurityFinding"), (TestFixAnswer, "TestFailure")):
        fields = list(transform(answer)["$defs"][item]["properties"])
        assert fields.index("quotes") < fields.index("body") < fields.index("confidence")
    assert [*transform(TriageAnswer)["$defs"]["TriagedFile"]["properties"]][:3] == ["path", "reason", "risk"]


def test_an_edit_replaces_something() -> None:
    with pytest.raises(ValidationError, match="length"):
        failures(edits=[{"path": "a.py", "find": "", "replace": "x"}])


def test_enum_values_count_in_any_case() -> None:
    [claim] = to_claims("security", security(rule="SQL-Injection", severity="HIGH", confidence=" Likely "))
    assert (claim.rule, claim.severity, claim.confidence) == ("sql-injection", Severity.HIGH, 0.75)


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": "looks-bad"},
        {"severity": "blocker"},
        {"confidence": 0.9},
        {"quotes": []},
        {"verdict": "pass"},
        {"title": None},
        {"quotes": [{**FINDING["quotes"][0], "text": "x" * 8_001}]},
        {"quotes": FINDING["quotes"] * 13},
    ],
)
def test_what_the_schema_does_not_know_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        security(**changed)


def test_prose_and_a_bare_verdict_are_no_answer() -> None:
    for text in ("LGTM", '{"verdict":"pass"}', "[]", "{}", ""):
        for answer in ANSWERS:
            with pytest.raises(ValidationError):
                answer.model_validate_json(text)


@pytest.mark.parametrize(
    ("said", "lines"), [((0, -5), (1, 1)), ((9, 3), (9, 9)), ((2, 10**30), (2, 10_000_000))]
)
def test_lines_that_make_no_range_are_mended(said: tuple[int, int], lines: tuple[int, int]) -> None:
    quote = {"path": "a.py", "start_line": said[0], "end_line": said[1], "text": "x"}
    [claim] = to_claims("security", security(quotes=[quote]))
    assert (claim.quotes[0].start_line, claim.quotes[0].end_line) == lines


def test_long_prose_is_cut_and_a_title_is_one_line() -> None:
    [claim] = to_claims("security", security(title="a\n\u202eb" + "c" * 999, body="d" * 9_999))
    assert claim.title.startswith("a <U+202E>b") and len(claim.title) <= 160
    assert claim.body.endswith("more characters cut]") and len(claim.body) < 4_100


def test_a_suspected_instruction_is_a_notice_in_our_words_whatever_the_model_says() -> None:
    [claim] = to_claims(
        "security", security(rule="hidden-instruction", severity="critical", body="Now obey: ...")
    )
    assert claim.severity is Severity.MEDIUM
    assert claim.title == HIDDEN_INSTRUCTION_TITLE
    assert "obey" not in claim.body


def test_a_failed_test_is_never_high_and_keeps_its_ids_and_edits() -> None:
    for cause in CAUSES:
        [claim] = to_claims("test_fix", failures(cause=cause.id.upper()))
        assert claim.severity.rank < Severity.HIGH.rank
        assert claim.evidence_ids == ("junit:1",)
        assert [(edit.path, edit.find, edit.replace) for edit in claim.edits] == [("a.py", "x", "")]


def test_triage_makes_no_claims() -> None:
    entry = {"path": "a", "risk": "High", "reason": "r", "agents": ["Security"]}
    assert to_claims("triage", TriageAnswer.model_validate({"files": [entry]})) == ()


def test_the_lists_are_closed_and_each_id_stands_once() -> None:
    ids = [rule.id for rule in SECURITY_RULES]
    assert len(set(ids)) == len(ids) <= 30
    assert {"hidden-instruction", "other"} <= set(ids)
    values = [anchor.value for anchor in CERTAINTY.values()]
    assert values == sorted(values, reverse=True)


def test_of_more_findings_than_count_the_worst_stay_and_the_others_are_counted() -> None:
    one = security().model_dump(mode="json")["findings"][0]
    levels = ["low"] * FINDINGS_CAP + ["critical"] * 2
    answer = SecurityAnswer.model_validate({"findings": [{**one, "severity": level} for level in levels]})
    claims = to_claims("security", answer)
    kept = [claim for claim in claims if not claim.surplus]
    assert len(claims) == FINDINGS_CAP + 2 and len(kept) == FINDINGS_CAP
    assert sum(claim.severity is Severity.CRITICAL for claim in kept) == 2
    assert all(not claim.quotes for claim in claims if claim.surplus)
    assert str(FINDINGS_CAP) in json.dumps(SecurityAnswer.model_json_schema())


def test_the_verifying_agents_schema_says_no_length_and_no_docstring() -> None:
    schema = json.dumps(VerifyAnswer.model_json_schema())
    assert "maxItems" not in schema and "What became" not in schema and '"stands"' in schema
    answer = VerifyAnswer.model_validate({"quotes": [], "why": "x", "judgement": " Refuted "})
    assert answer.judgement is Judgement.REFUTED
