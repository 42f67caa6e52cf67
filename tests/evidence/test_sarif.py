import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import Location, Severity, Suppression
from reviewbot.errors import EvidenceError
from reviewbot.evidence import sarif
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.sarif import SarifLog, parse_sarif
from reviewbot.evidence.sarif_places import LAST_LINE
from reviewbot.verdict.grounding import ground_evidence
from tests.repositories import Sandbox

TREE = TreePaths(["src/app.py", "src/view.js", "Dockerfile", "go/main.go", "a b.py"], ["/build/repo"])
SHA = "0123456789abcdef" * 2 + "01234567"


def result(**more: Any) -> dict[str, Any]:
    return {"ruleId": "R1", "message": {"text": "Bad thing."}, "locations": [at("src/app.py", 3)], **more}


def at(uri: str, line: Any = None, **region: Any) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if line is not None or region:
        physical["region"] = {**({} if line is None else {"startLine": line}), **region}
    return {"physicalLocation": physical}


def log(*results: Any, driver: Any = None, **run: Any) -> dict[str, Any]:
    tool = {"driver": {"name": "Tool", **(driver or {})}}
    return {"version": "2.1.0", "runs": [{"tool": tool, "results": list(results), **run}]}


def parse(document: Any, tree: TreePaths = TREE) -> SarifLog:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_sarif(data, "scan.sarif", tree)


def only(document: Any, tree: TreePaths = TREE) -> Any:
    (evidence,) = parse(document, tree).evidence
    return evidence


# Producers


def test_codeql_rules_of_an_extension_with_score_cwe_and_message_links() -> None:
    rule = {
        "id": "js/xss",
        "shortDescription": {"text": "Client-side cross-site scripting"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "external/cwe/cwe-079"], "security-severity": "6.1"},
    }
    document = log(
        result(
            ruleId="js/xss",
            rule={"id": "js/xss", "index": 0, "toolComponent": {"index": 0}},
            message={"text": "This depends on a [user-provided value](1)."},
            locations=[{"physicalLocation": {"artifactLocation": {"index": 0}, "region": {"startLine": 7}}}],
            relatedLocations=[{"id": 1, **at("src/app.py", 2)}],
            codeFlows=[{"threadFlows": []}],
        ),
        artifacts=[{"location": {"uri": "src/view.js", "uriBaseId": "%SRCROOT%"}}],
        versionControlProvenance=[{"repositoryUri": "https://example.org/r", "revisionId": SHA}],
    )
    document["runs"][0]["tool"]["extensions"] = [{"name": "queries", "rules": [rule]}]
    evidence = only(document)
    assert (evidence.rule, evidence.severity, evidence.level) == ("js/xss", Severity.MEDIUM, "error")
    assert evidence.cwe == ("CWE-79",)
    assert evidence.title == "This depends on a user-provided value."
    assert evidence.location == Location("src/view.js", 7, 7)
    assert evidence.related == (Location("src/app.py", 2, 2),)
    assert evidence.revision == SHA


def test_semgrep_takes_the_level_of_the_rule_and_keeps_a_comment_in_the_source_apart() -> None:
    rule = {
        "id": "rules.eval",
        "shortDescription": {"text": "Semgrep Finding: rules.eval"},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["CWE-95: Improper Neutralization", "OWASP-A03"]},
    }
    snippet: dict[str, Any] = {"startLine": 3, "endLine": 4, "snippet": {"text": "eval(x)\nmore"}}
    document = log(
        result(
            ruleId="rules.eval", locations=[at("src/app.py", **snippet)], suppressions=[{"kind": "inSource"}]
        ),
        driver={"name": "Semgrep OSS", "rules": [rule]},
    )
    evidence = only(document)
    assert (evidence.tool, evidence.severity, evidence.title) == (
        "Semgrep OSS",
        Severity.MEDIUM,
        "Bad thing.",
    )
    assert evidence.cwe == ("CWE-95",)
    assert evidence.snippet == "eval(x)"
    assert evidence.location == Location("src/app.py", 3, 4)
    assert evidence.suppression is Suppression.CHANGE


def test_bandit_names_rules_by_index_and_shows_lines_around() -> None:
    physical = {
        "artifactLocation": {"uri": "./src/app.py"},
        "region": {"startLine": 3, "snippet": {"text": "shell=True"}},
        "contextRegion": {"startLine": 2, "endLine": 4, "snippet": {"text": "x\n  call(shell=True)\r\ny\n"}},
    }
    rule = {"id": "B602", "name": "subprocess_popen", "properties": {"tags": ["external/cwe/cwe-78"]}}
    bandit = result(ruleIndex=0, level="error", locations=[{"physicalLocation": physical}])
    del bandit["ruleId"]
    evidence = only(log(bandit, driver={"rules": [rule]}))
    assert (evidence.rule, evidence.cwe, evidence.severity) == ("B602", ("CWE-78",), Severity.HIGH)
    assert evidence.snippet == "  call(shell=True)"


def test_eslint_paths_of_another_machine_are_found_through_all_results() -> None:
    uris = ("file:///home/me/proj/src/view.js", "file:///home/me/proj/src/app.py")
    found = parse(log(*(result(locations=[at(uri, 1)]) for uri in uris))).evidence
    assert [one.location for one in found] == [Location("src/view.js", 1, 1), Location("src/app.py", 1, 1)]
    assert [one.id for one in found] == ["sarif:1", "sarif:2"]


def test_gosec_names_its_cwe_through_a_taxonomy() -> None:
    target = {"id": "327", "toolComponent": {"name": "CWE", "guid": "8b2e"}}
    rule = {"id": "G401", "relationships": [{"target": target, "kinds": ["superset"]}]}
    document = log(
        result(
            ruleId="G401",
            taxa=[{"id": "22", "toolComponent": {"index": 0}}, {"id": "1", "toolComponent": {}}],
        ),
        driver={"rules": [rule]},
        taxonomies=[{"name": "CWE"}],
    )
    assert only(document).cwe == ("CWE-22", "CWE-327")


def test_trivy_paths_use_base_ids_and_its_title_is_the_rules() -> None:
    rule = {
        "id": "CVE-2026-1",
        "shortDescription": {"text": "openssl: overflow"},
        "properties": {"security-severity": "9.8"},
    }
    location = {
        "artifactLocation": {"uri": "main.go", "uriBaseId": "SUB"},
        "region": {"startLine": 1, "endLine": 1},
    }
    document = log(
        result(
            ruleId="CVE-2026-1",
            message={"text": "Package: openssl\nFixed: 3"},
            locations=[{"physicalLocation": location}],
        ),
        driver={"rules": [rule]},
        originalUriBaseIds={
            "SUB": {"uri": "go/", "uriBaseId": "ROOT"},
            "ROOT": {"uri": "file:///build/repo/"},
        },
    )
    evidence = only(document)
    assert (evidence.severity, evidence.title) == (Severity.CRITICAL, "openssl: overflow")
    assert evidence.location == Location("go/main.go", 1, 1)


def run_tool(name: str, *arguments: str, folder: Path) -> bytes:
    tool = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if tool is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run([tool, *arguments], cwd=folder, capture_output=True, check=False).stdout


def test_the_real_ruff_zizmor_and_hadolint_are_understood(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('import subprocess\nsubprocess.call("ls " + input(), shell=True)\n')
    workflow = tmp_path / ".github/workflows/ci.yml"
    workflow.parent.mkdir(parents=True)
    steps = (
        "  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.event.issue.title }}\n"
    )
    workflow.write_text(f"on: issues\njobs:\n{steps}")
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /x\n")
    tree = TreePaths(["a.py", ".github/workflows/ci.yml", "Dockerfile"], [str(tmp_path)])
    ruff = run_tool(
        "ruff", "check", "--isolated", "--select=S", "--output-format=sarif", "a.py", folder=tmp_path
    )
    zizmor = run_tool("zizmor", "--offline", "--no-config", "--format=sarif", str(workflow), folder=tmp_path)
    hadolint = run_tool("hadolint", "-f", "sarif", "Dockerfile", folder=tmp_path)
    places: dict[tuple[str, str], Location | None] = {}
    for data in (ruff, zizmor, hadolint):
        found = parse(data, tree)
        assert found.unfinished == ()
        places |= {(one.tool.lower(), one.rule): one.location for one in found.evidence}
    assert places["ruff", "S602"] == Location("a.py", 2, 2)
    assert places["hadolint", "DL3006"] == Location("Dockerfile", 1, 1)
    injection = places["zizmor", "template-injection"]
    assert injection is not None and injection.path == ".github/workflows/ci.yml"


# What decides


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        ("9.0", Severity.CRITICAL),
        ("8.9", Severity.HIGH),
        (7, Severity.HIGH),
        ("4.0", Severity.MEDIUM),
        ("0.0", Severity.LOW),
        ("11", Severity.INFO),
        ("nan", Severity.INFO),
        (True, Severity.INFO),
        ([1], Severity.INFO),
    ],
)
def test_security_severity_counts_before_the_level(score: Any, severity: Severity) -> None:
    document = log(result(level="none", properties={"security-severity": score}))
    assert only(document).severity is severity
    rule = {"id": "R1", "properties": {"security-severity": score}}
    assert only(log(result(level="none"), driver={"rules": [rule]})).severity is severity


def overriding(level: str, **descriptor: Any) -> dict[str, Any]:
    override = {"configuration": {"level": level}, "descriptor": descriptor}
    return {"executionSuccessful": True, "ruleConfigurationOverrides": [override]}


def test_the_level_that_an_invocation_sets_counts_before_the_rules_own() -> None:
    driver = {"rules": [{"id": "R1", "defaultConfiguration": {"level": "note"}}, {"id": "R2"}]}
    for descriptor in ({"id": "R1"}, {"index": 0}, {"id": "R1", "toolComponent": {"name": "Tool"}}):
        calls = [overriding("error", **descriptor)]
        assert only(log(result(), driver=driver, invocations=calls)).level == "error"
        assert only(log(result(ruleId="R1/sub"), driver=driver, invocations=calls)).level == "error"
        assert only(log(result(ruleId="R2"), driver=driver, invocations=calls)).level == "warning"
        assert only(log(result(level="warning"), driver=driver, invocations=calls)).level == "warning"
    two = [overriding("error", id="R1"), overriding("warning", id="R1")]
    second = result(provenance={"invocationIndex": 1})
    assert only(log(second, driver=driver, invocations=two)).level == "warning"
    for unknown in (result(), result(provenance={"invocationIndex": 9})):
        assert only(log(unknown, driver=driver, invocations=two)).level == "note"
    with pytest.raises(EvidenceError, match="level 'fatal'"):
        parse(log(result(), driver=driver, invocations=[overriding("fatal", id="R1")]))


def test_without_any_level_a_result_is_a_warning() -> None:
    assert only(log(result())).severity is Severity.MEDIUM
    assert only(log(result(level="note"))).severity is Severity.LOW


@pytest.mark.parametrize("kind", ["pass", "open", "informational", "notApplicable", "review"])
def test_a_kind_other_than_fail_is_rejected_by_name(kind: str) -> None:
    found = parse(log(result(kind=kind)))
    assert found.evidence == ()
    (rejected,) = found.rejected
    assert (rejected.source, rejected.rule, rejected.path) == ("Tool", "R1", "src/app.py")
    assert kind in rejected.why


def test_a_result_absent_since_the_baseline_is_rejected_and_an_unchanged_one_is_not() -> None:
    assert "absent" in parse(log(result(baselineState="absent"))).rejected[0].why
    assert only(log(result(baselineState="unchanged")))


@pytest.mark.parametrize(
    ("suppressions", "expected"),
    [
        ([], Suppression.NONE),
        ([{"kind": "external"}], Suppression.EXTERNAL),
        ([{"kind": "inSource", "status": "accepted"}], Suppression.CHANGE),
        ([{"kind": "external"}, {"kind": "inSource"}], Suppression.CHANGE),
        ([{"kind": "inSource", "status": "rejected"}], Suppression.NONE),
        ([{"kind": "inSource", "status": "underReview"}], Suppression.NONE),
        ([{"kind": "inSource"}, {"kind": "external", "status": "underReview"}], Suppression.NONE),
    ],
)
def test_suppressions_count_only_if_nobody_objects(suppressions: Any, expected: Suppression) -> None:
    assert only(log(result(suppressions=suppressions))).suppression is expected


def test_an_id_counts_more_than_a_wrong_index_and_a_case_finds_its_rule() -> None:
    rules = [
        {"id": "R1", "properties": {"security-severity": "9"}},
        {"id": "R2", "properties": {"security-severity": "1"}},
    ]
    for wrong in (result(ruleIndex=1), result(ruleId="R1/sub", ruleIndex=-1), result(ruleIndex=99)):
        assert only(log(wrong, driver={"rules": rules})).severity is Severity.CRITICAL


def test_the_tools_name_is_taken_off_the_rule() -> None:
    assert only(log(result(ruleId="tool/x"))).rule == "x"


def test_message_strings_take_arguments_within_the_cap() -> None:
    rule = {"id": "R1", "messageStrings": {"default": {"text": "{0} is {1} {{0}} {7}"}}}
    message = {"id": "default", "arguments": ["x", "bad"]}
    assert only(log(result(message=message), driver={"rules": [rule]})).message == "x is bad {0} {7}"
    bomb = {"text": "{0}" * 10_000, "arguments": ["y" * 10_000]}
    text = only(log(result(message=bomb))).message
    assert len(text) < 5_000 and "more characters cut" in text


# Places


@pytest.mark.parametrize(
    "uri", ["/etc/passwd", "file:///etc/passwd", "../app.py", "src/%00", "https://x/src/app.py"]
)
def test_a_result_outside_the_tree_is_kept_without_a_place(uri: str) -> None:
    evidence = only(log(result(locations=[at(uri, 3)])))
    assert evidence.location is None
    assert "which is no file of the head tree" in evidence.message


@pytest.mark.parametrize(
    "location",
    [
        at("src/app.py"),
        at("src/app.py", 0),
        at("src/app.py", -4),
        at("src/app.py", charOffset=90, charLength=3),
    ],
)
def test_a_result_without_a_line_means_the_whole_file_and_says_so(location: Any) -> None:
    evidence = only(log(result(locations=[location])))
    assert evidence.location == Location("src/app.py", 1, LAST_LINE)
    assert evidence.message == "Bad thing. (The tool named no line, so the whole file counts.)"


def test_a_result_about_a_whole_file_lies_in_the_diff_of_that_file(sandbox: Sandbox) -> None:
    base = sandbox.commit({"src/app.py": "a\nb\nc\nd\n", "go/main.go": "x\n"})
    head = sandbox.commit({"src/app.py": "a\nb\nC\nd\n"})
    found = parse(log(result(locations=[at("src/app.py")]), result(locations=[at("go/main.go")])))
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        findings, _ = ground_evidence(found.evidence, changes, repository)
    assert [(one.location, one.in_diff) for one in findings] == [
        (Location("src/app.py", 1, 4), True),
        (Location("go/main.go", 1, 1), False),
    ]


def test_a_range_that_ends_before_it_starts_or_never_is_one_line() -> None:
    for end in (2, 10**12):
        location = at("src/app.py", 3, endLine=end)
        assert only(log(result(locations=[location]))).location == Location("src/app.py", 3, 3)


def test_without_locations_there_is_no_place() -> None:
    every: list[Any] = [[], [{}], [{"logicalLocations": [{"name": "f"}]}]]
    for locations in every:
        assert only(log(result(locations=locations))).location is None


def test_each_place_in_the_tree_is_evidence_and_names_the_others() -> None:
    places = [at("gone.py", 1), at("src/app.py", 3), at("src/view.js", 4), at("src/app.py", 3)]
    found = parse(log(result(locations=places, relatedLocations=[at("src/app.py", 3), at("Dockerfile", 1)])))
    app, view = Location("src/app.py", 3, 3), Location("src/view.js", 4, 4)
    assert [one.location for one in found.evidence] == [app, view]
    assert [one.related for one in found.evidence] == [
        (view, Location("Dockerfile", 1, 1)),
        (app, Location("Dockerfile", 1, 1)),
    ]
    assert [one.message for one in found.evidence] == [
        "Bad thing. (Also at src/view.js:4.)",
        "Bad thing. (Also at src/app.py:3.)",
    ]
    assert [one.id for one in found.evidence] == ["sarif:1", "sarif:2"]
    assert {(one.rule, one.title, one.severity) for one in found.evidence} == {
        ("R1", "Bad thing.", Severity.MEDIUM)
    }
    assert found.unfinished == ()


def test_more_than_ten_places_of_one_result_are_a_gap() -> None:
    ten = parse(log(result(locations=[at("src/app.py", line) for line in range(1, 11)])))
    assert (len(ten.evidence), ten.unfinished) == (10, ())
    assert ten.evidence[0].message.endswith("(Also at src/app.py:2, src/app.py:3, src/app.py:4 and 6 more.)")
    many = parse(log(*[result(locations=[at("src/app.py", line) for line in range(1, 12)])] * 3))
    assert len(many.evidence) == 30
    assert many.unfinished == ("Tool names more places for one result than are read (scan.sarif).",)
    hidden = parse(log(result(locations=[at("src/app.py", 1)] * 20 + [at("src/app.py", 9)])))
    assert hidden.unfinished != ()


def test_further_places_of_many_results_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "RESULT_CAP", 4)
    found = parse(log(*[result(locations=[at("src/app.py", line) for line in (1, 2, 3)])] * 4))
    assert [one.location.start_line for one in found.evidence if one.location] == [1, 2, 3, 1, 2, 3, 1, 1]
    assert found.unfinished != ()


def test_unencoded_uris_and_bases_that_point_at_each_other_do_no_harm() -> None:
    assert only(log(result(locations=[at("a b.py", 1)]))).location == Location("a b.py", 1, 1)
    physical = {"artifactLocation": {"uri": "src/app.py", "uriBaseId": "A"}, "region": {"startLine": 1}}
    bases = {"A": {"uri": "x/", "uriBaseId": "B"}, "B": {"uri": "y/", "uriBaseId": "A"}}
    document = log(result(locations=[{"physicalLocation": physical}]), originalUriBaseIds=bases)
    assert only(document).location == Location("src/app.py", 1, 1)


# Runs


def test_a_run_that_did_not_finish_is_named() -> None:
    found = parse(log(result(), invocations=[{"executionSuccessful": False}]))
    assert found.unfinished == ("Tool says it did not finish (scan.sarif).",)
    assert len(found.evidence) == 1


def test_a_run_without_a_results_array_did_not_scan() -> None:
    document = log()
    del document["runs"][0]["results"]
    assert "names no results at all" in parse(document).unfinished[0]
    elsewhere = log(externalPropertyFileReferences={"results": [{"location": {"uri": "/etc/passwd"}}]})
    assert "keeps results in other files" in parse(elsewhere).unfinished[0]
    assert parse(log()).unfinished == ()


def test_errors_that_the_tool_reports_are_notes() -> None:
    reports = [{"level": "error", "message": {"text": f"cannot parse {number}"}} for number in range(12)]
    notes = parse(
        log(invocations=[{"executionSuccessful": True, "toolExecutionNotifications": reports}])
    ).notes
    assert notes[0] == "Tool reported an error (scan.sarif): cannot parse 0"
    assert notes[-1] == "Tool reported 2 more errors (scan.sarif)"


def test_an_abbreviated_revision_is_not_used_and_said() -> None:
    found = parse(log(result(), versionControlProvenance=[{"revisionId": "abc123"}]))
    assert found.evidence[0].revision is None
    assert "abc123" in found.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_encodings_are_told_apart(encoding: str) -> None:
    data = json.dumps(log(result(message={"text": "Schön"})), ensure_ascii=False).encode(encoding)
    assert only(data).message == "Schön"


def test_hidden_characters_of_titles_and_rules_are_shown() -> None:
    evidence = only(log(result(ruleId="R\u200b1", message={"text": "a\u202eb"})))
    assert (evidence.rule, evidence.title) == ("R<U+200B>1", "a<U+202E>b")


def test_lone_surrogates_are_made_visible() -> None:
    evidence = only(log(result(message={"text": "a\ud800b"}, ruleId="R\udcff")))
    assert (evidence.message, evidence.rule) == ("a<U+D800>b", "R<U+DCFF>")


# Refusals


def nested(depth: int) -> bytes:
    return b'{"version": "2.1.0", "runs": [], "x": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "the file is empty"),
        (b"[]", "no JSON object"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b'{"version": "2.1.0", "runs": "\xe9"}', "is not UTF-8 at byte 30"),
        (b'{"version": "2.1.0", "version": "2.1.0"}', "'version' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "5000 digits"),
        (nested(150), "deeper than 100"),
        (nested(200_000), "nested too deeply"),
        (b'{"runs": []}', "names no version of SARIF"),
        (b'{"version": "2.0.0", "runs": []}', "2.1.x"),
        (b'{"version": "2.1.0", "runs": []}', "no run"),
        (b'{"version": "2.1.0", "runs": {}}', "runs is no array"),
        (b'{"version": "2.1.0", "runs": [{"results": []}]}', r"runs\[0\]: tool.driver.name is missing"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name_and_the_place(data: bytes, what: str) -> None:
    with pytest.raises(EvidenceError, match=rf"(?s)scan\.sarif is no SARIF file.*{what}"):
        parse(data)


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ("text", r"results is no array of objects"),
        ({"message": 3}, r"results\[1\]: message is no object"),
        ({"level": "fatal"}, r"level 'fatal'"),
        ({"kind": "maybe"}, r"kind 'maybe'"),
        ({"ruleIndex": "0"}, r"ruleIndex is no integer"),
        ({"locations": [at("src/app.py", "3")]}, r"startLine is no integer"),
    ],
)
def test_a_malformed_result_is_refused_with_its_number(broken: Any, what: str) -> None:
    second = {**result(), **broken} if isinstance(broken, dict) else broken
    with pytest.raises(EvidenceError, match=r"runs\[0\].*" + what):
        parse(log(result(), second))


def test_too_many_runs_or_results_are_refused() -> None:
    document = log()
    document["runs"] *= 21
    with pytest.raises(EvidenceError, match="21 runs"):
        parse(document)
    with pytest.raises(EvidenceError, match=r"runs\[0\]: 25001 results"):
        parse(log(*[{}] * 25_001))


def test_a_giant_rule_that_every_result_shares_costs_nothing() -> None:
    """What 5,000 results share is 2 MB long: read once for each of them it would be 10 GB."""
    giant = "ä[" * 1_000_000
    rule = {
        "id": "R1",
        "shortDescription": {"text": giant},
        "messageStrings": {"m": {"text": giant}},
        "relationships": [{}] * 100_000,
    }
    found = parse(log(*[result(message={"id": "m"})] * 5_000, driver={"rules": [rule]}))
    assert len(found.evidence) == 5_000


VALID = json.dumps(
    log(
        result(
            suppressions=[{"kind": "inSource"}],
            taxa=[{"id": "1"}],
            properties={"tags": ["external/cwe/cwe-1"]},
        ),
        driver={"rules": [{"id": "R1", "relationships": [{"target": {"id": "1"}}]}]},
        invocations=[{"executionSuccessful": True}],
        artifacts=[{"location": {"uri": "src/app.py"}}],
    )
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def parses_or_is_refused(data: bytes) -> None:
    with contextlib.suppress(EvidenceError):
        parse(data)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    parses_or_is_refused(data)


@given(st.integers(0, len(VALID)), st.integers(0, 12), st.text(max_size=6))
@settings(max_examples=300)
def test_a_valid_file_with_a_piece_replaced_parses_or_is_refused(start: int, length: int, piece: str) -> None:
    parses_or_is_refused((VALID[:start] + piece + VALID[start + length :]).encode("utf-8", "surrogatepass"))


def list_places(node: Any) -> list[tuple[Any, Any]]:
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    below = [place for _, child in items if isinstance(child, dict | list) for place in list_places(child)]
    return [(node, key) for key, _ in items] + below


@given(st.data(), values)
@settings(max_examples=400)
def test_a_valid_file_with_any_value_replaced_parses_or_is_refused(data: st.DataObject, value: Any) -> None:
    document = json.loads(VALID)
    parent, key = data.draw(st.sampled_from(list_places(document)))
    parent[key] = value
    parses_or_is_refused(json.dumps(document).encode())
