import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from reviewbot.core import (
    Conclusion,
    CoverageStatus,
    Location,
    Review,
    Severity,
    Side,
    Suppression,
    TriggerKind,
)
from reviewbot.publish import report
from reviewbot.publish.report import render_json, report_document, report_json_schema
from tests.publish import finding, review, rich_review, row

KEYS = {
    "": "schema_version run_id tool trigger verdict findings rejected coverage agents cost started_at"
    " seconds",
    "tool": "name version",
    "trigger": "kind actor repository pull_number base_sha policy_sha head_sha is_fork",
    "verdict": "conclusion exit_code blocking reasons",
    "verdict.reasons[]": "code detail",
    "findings[]": "fingerprint source rule severity confidence cwe title body path start_line end_line side"
    " in_diff blocking status quote edits",
    "findings[].edits[]": "path find replace",
    "rejected[]": "source rule path why",
    "coverage": "files added_lines deleted_lines reviewed_lines",
    "coverage.files[]": "path status by reason added_lines deleted_lines",
    "agents[]": "name model effort degraded stop turns tool_calls denied_calls usage usd seconds",
    "agents[].usage": "input output cache_read cache_write",
    "cost": "usd budget_usd complete cache_saved_usd",
}


def keys_of(schema: dict[str, Any], at: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for option in (schema, *schema.get("anyOf", ())):
        if "items" in option:
            found |= keys_of(option["items"], f"{at}[]")
        if "properties" in option:
            assert option["additionalProperties"] is False
            assert option["required"] == list(option["properties"])
            assert option["description"]
            found[at] = " ".join(option["properties"])
            for name, inner in option["properties"].items():
                found |= keys_of(inner, f"{at}.{name}".lstrip("."))
    return found


def test_the_schema_has_exactly_the_keys_of_the_contract() -> None:
    assert keys_of(report_json_schema()) == KEYS


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(report_json_schema())


@pytest.mark.parametrize(
    "made",
    [
        review(),
        rich_review(),
        review(rows=(), conclusion=Conclusion.INCOMPLETE),
        review(
            finding(1, location=Location("caf\udce9\u202e.py", 3, 4, Side.LEFT), title="\ud800\x1b"),
            blocking=1,
        ),
    ],
)
def test_reports_are_valid(made: Review) -> None:
    jsonschema.validate(json.loads(render_json(made)), report_json_schema())


def test_a_report_with_an_unknown_key_or_value_is_not_valid() -> None:
    for change in ({"more": 1}, {"schema_version": 2}, {"seconds": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**report_document(review()), **change}, report_json_schema())


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (Severity, ("findings", "items", "properties", "severity")),
        (Side, ("findings", "items", "properties", "side", "anyOf", 0)),
        (CoverageStatus, ("coverage", "properties", "files", "items", "properties", "status")),
        (Conclusion, ("verdict", "properties", "conclusion")),
        (TriggerKind, ("trigger", "properties", "kind")),
    ],
)
def test_the_schema_lists_the_values_of_the_core_types(values: Any, where: tuple[Any, ...]) -> None:
    at: Any = report_json_schema()["properties"]
    for step in where:
        at = at[step]
    assert at["enum"] == [value.value for value in values]


def test_a_finding_says_what_blocks_and_where() -> None:
    made = review(
        finding(1, message="A shell runs it.", suppression=Suppression.CHANGE, note="Look.", cwe=("CWE-78",)),
        finding(2, location=None, in_diff=False),
        blocking=1,
    )
    first, second = report_document(made)["findings"]
    assert (first["rule"], first["source"], first["cwe"]) == ("ruff/S602", "analyzer", ["CWE-78"])
    assert (first["path"], first["start_line"], first["end_line"], first["side"]) == (
        "app/run.py",
        10,
        10,
        "RIGHT",
    )
    assert (first["blocking"], second["blocking"]) == (True, False)
    assert first["body"] == (
        "A shell runs it.\n\nsilenced by a comment that this change adds: ignored\n\nLook."
    )
    assert (second["path"], second["start_line"], second["end_line"], second["side"]) == (None,) * 4


def test_paths_are_exact_and_text_is_visible() -> None:
    made = replace(
        review(finding(1, location=Location("caf\udce9\u202e.py", 3, 3), title="a\u202eb", quote="x\x1b[0m")),
        coverage=replace(review().coverage, files=(row("a\nb.py", reason="z\u200b"),)),
    )
    printed = render_json(made)
    assert printed.isascii()
    assert printed.endswith("}\n")
    document = json.loads(printed)
    assert document["findings"][0]["path"] == "caf\udce9\u202e.py"
    assert "caf\\udce9\\u202e.py" in printed
    assert document["findings"][0]["title"] == "a<U+202E>b"
    assert document["findings"][0]["quote"] == "x<U+001B>[0m"
    assert document["coverage"]["files"][0]["path"] == "a\nb.py"
    assert document["coverage"]["files"][0]["reason"] == "z<U+200B>"


def test_the_ledger_and_the_cost_are_in_the_report() -> None:
    document = report_document(rich_review())
    assert document["coverage"]["added_lines"] == 120
    assert document["coverage"]["reviewed_lines"] == 100
    assert len(document["coverage"]["files"]) == 12
    assert document["cost"] == {"usd": 0.0, "budget_usd": 2.0, "complete": True, "cache_saved_usd": 0}
    assert document["agents"] == []
    assert document["rejected"][0]["why"] == "the file is not in the commit"
    assert document["tool"]["name"] == "reviewbot"


def test_a_number_that_json_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        render_json(replace(review(), budget_usd=float("nan")))


def test_every_type_of_the_report_is_reached_by_the_schema() -> None:
    types = {value.__doc__ for value in vars(report).values() if hasattr(value, "__required_keys__")}
    printed = json.dumps(report_json_schema())
    assert types
    assert all(json.dumps(doc)[1:-1] in printed for doc in types)
