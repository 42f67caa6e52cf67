import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core import Location, Severity
from reviewbot.errors import EvidenceError
from reviewbot.evidence import junit
from reviewbot.evidence.junit import JunitReport, parse_junit
from reviewbot.evidence.paths import TreePaths

TREE = TreePaths(
    [
        "src/app.py",
        "tests/test_app.py",
        "tests/helpers.py",
        "core/src/test/java/com/foo/BarTest.java",
        "core/src/main/java/com/foo/Bar.java",
        "web/src/sum.test.ts",
        "pkg/expr/expr_test.go",
        "pkg/other/expr_test.go",
        "Unit/ParserTests.cs",
        "spec/a_spec.rb",
        "src/latest.py",
    ],
    ["/build/repo"],
)
SHA = "0123456789abcdef" * 2 + "01234567"


def parse(text: str | bytes) -> JunitReport:
    return parse_junit(text if isinstance(text, bytes) else text.encode(), "report.xml", TREE)


def case(inside: str = "", suite: str = "", before: str = "", **attributes: str) -> str:
    listed = "".join(f" {key}={quoteattr(value)}" for key, value in {"name": "t", **attributes}.items())
    return f"<testsuites><testsuite {suite}>{before}<testcase{listed}>{inside}</testcase></testsuite></testsuites>"


def failure(trace: str = "", **attributes: str) -> Any:
    listed = f"<failure message='no'>{trace.replace('<', '&lt;')}</failure>"
    (evidence,) = parse(case(listed, **attributes)).evidence
    return evidence


# Counting


def test_counts_come_from_elements_not_from_attributes() -> None:
    report = parse(
        '<testsuite tests="9" failures="0" errors="4"><testcase name="a"><failure/></testcase></testsuite>'
    )
    assert (report.tests, report.failures, report.errors, report.skipped) == (1, 1, 0, 0)
    (evidence,) = report.evidence
    assert (evidence.id, evidence.source, evidence.tool, evidence.rule) == (
        "junit:1",
        "junit",
        "junit",
        "failure",
    )
    assert (evidence.severity, evidence.title) == (Severity.HIGH, "a failed")


def test_failures_errors_and_skips_of_nested_suites_are_counted() -> None:
    report = parse(
        "<testsuites><testsuite><testsuite><testcase name='a'><error/></testcase></testsuite>"
        "<testcase name='b'><skipped/></testcase><testcase name='c'/></testsuite>"
        "<testcase name='d'><failure/><error/></testcase></testsuites>"
    )
    assert (report.tests, report.failures, report.errors, report.skipped) == (4, 1, 2, 1)
    assert [one.rule for one in report.evidence] == ["error", "failure", "error"]


def test_a_suite_that_could_not_start_is_an_error() -> None:
    report = parse("<testsuite name='db'><error message='no socket'/></testsuite>")
    assert (report.tests, report.errors) == (0, 1)
    assert (report.evidence[0].title, report.evidence[0].message) == ("db failed", "no socket")


def test_a_namespace_changes_nothing() -> None:
    report = parse("<testsuite xmlns='urn:x'><testcase name='a'><failure/></testcase></testsuite>")
    assert report.failures == 1


def test_a_flaky_test_is_rejected_and_one_that_fails_its_reruns_is_a_failure() -> None:
    flaky = parse(case("<flakyFailure message='x'>trace</flakyFailure>", classname="com.foo.BarTest"))
    assert (flaky.evidence, flaky.failures) == ((), 0)
    assert flaky.rejected[0].why == "flaky: passed on retry (com.foo.BarTest::t)"
    assert flaky.rejected[0].path == "core/src/test/java/com/foo/BarTest.java"
    for tries in ("<failure/><rerunFailure/>", "<rerunFailure/>", "<failure/><flakyError/>"):
        report = parse(case(tries))
        assert (report.failures, report.rejected) == (1, ())
    assert parse(case("<rerunFailure/><failure/>")).failures > 0


def test_the_trace_keeps_head_and_tail_and_the_message_is_its_first_line() -> None:
    evidence = failure("first\n" + "x" * 20_000 + "\nlast")
    assert evidence.message == "no"
    assert evidence.trace.startswith("no\nfirst") and evidence.trace.endswith("last")
    assert "characters cut" in evidence.trace and len(evidence.trace) < 8_100
    (same,) = parse(case("<failure message='boom'>Error: boom\n at x</failure>")).evidence
    assert (same.message, same.trace) == ("boom", "Error: boom\n at x")


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        (
            '<testsuite name="s" tests="3" failures="3"><testcase name="a"/></testsuite>',
            "3 failures but holds 0",
        ),
        ('<testsuite name="s" errors="1"><testcase name="a"/></testsuite>', "1 errors but holds 0"),
        ('<testsuite name="s" tests="3"><testcase name="a"/></testsuite>', "3 tests but holds 1"),
        (
            '<testsuites name="s" failures="2"><testsuite><testcase><failure/></testcase></testsuite></testsuites>',
            "2 failures but holds 1",
        ),
        (
            '<testsuites><testsuite name="s" tests="5"/><testsuite><testcase/></testsuite></testsuites>',
            "5 tests but holds 0",
        ),
    ],
)
def test_counters_larger_than_what_stands_in_a_suite_mean_a_cut_report(inside: str, what: str) -> None:
    sentence = f"The test suite s counts {what}, so the report was cut or filtered (report.xml)."
    assert parse(inside).unfinished == (sentence,)


@pytest.mark.parametrize(
    "whole",
    [
        # nested suites, and counters of the outer one that include them
        '<testsuites tests="3" failures="1"><testsuite tests="3" failures="1"><testsuite tests="2" failures="1">'
        "<testcase><failure/></testcase><testcase/></testsuite><testcase/></testsuite></testsuites>",
        # Surefire, each try counted
        '<testsuite tests="3" failures="3"><testcase><failure/><rerunFailure/><rerunFailure/></testcase></testsuite>',
        '<testsuite tests="2" errors="1"><testcase><flakyError/></testcase></testsuite>',
        # pytest: a test and its teardown; passed subtests
        '<testsuites><testsuite name="pytest" tests="2" errors="1"><testcase><error/></testcase></testsuite></testsuites>',
        '<testsuites><testsuite name="pytest" tests="9"><testcase/></testsuite></testsuites>',
        # Catch2 and doctest count assertions
        '<testsuite tests="40" failures="0"><testcase status="run"/></testsuite>',
        # Node.js counts only what stands directly in a suite
        '<testsuites><testsuite tests="2"><testsuite tests="1"><testcase/></testsuite><testcase/></testsuite></testsuites>',
        # ESLint and others call failures errors
        '<testsuite tests="1" errors="1"><testcase><failure/></testcase></testsuite>',
        # fewer than there are, no number, nonsense
        '<testsuite tests="0" failures="" errors="-1"><testcase/></testsuite>',
        f'<testsuite tests="many" failures="{"9" * 5_000}"><testcase/></testsuite>',
    ],
)
def test_counters_of_real_producers_raise_nothing(whole: str) -> None:
    assert parse(whole).unfinished == ()


def test_a_cut_suite_is_named_once_and_not_again_by_those_around_it() -> None:
    cut = '<testsuite name="a&#10;&#x202e;" failures="1"><testcase/></testsuite>'
    report = parse(f'<testsuites failures="12">{cut * 12}</testsuites>')
    assert len(report.unfinished) == 11
    assert report.unfinished[0].startswith("The test suite a <U+202E> counts 1 failures")
    assert report.unfinished[-1] == "2 more suites miss elements, too (report.xml)."


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"status": "failed"}, "failure"),
        ({"status": "FAIL"}, "failure"),
        ({"result": "failed"}, "failure"),
        ({"status": "run", "result": "error"}, "error"),
    ],
)
def test_a_case_that_only_its_status_calls_failed_is_a_failure(attributes: dict[str, str], kind: str) -> None:
    report = parse(case(classname="tests.test_app", suite='failures="1"', **attributes))
    (evidence,) = report.evidence
    assert (evidence.rule, evidence.title) == (kind, "tests.test_app::t failed")
    assert evidence.message == "The report marks it as failed and says no more."
    assert evidence.location == Location("tests/test_app.py", 1, 1)
    assert report.unfinished == ()


def test_a_status_adds_nothing_to_an_element_that_says_more() -> None:
    assert parse(case("<failure message='m'/>", status="failed")).failures == 1
    assert parse(case("<skipped/>", status="failed")).evidence == ()
    for status in ("passed", "run", "completed", "notrun", ""):
        assert parse(case(status=status)).evidence == ()


def test_a_commit_named_by_a_property_is_the_revision() -> None:
    for name in ("git.commit.id", "GITHUB_SHA", "revision"):
        before = f"<properties><property name='{name}' value='{SHA}'/></properties>"
        (evidence,) = parse(case("<failure/>", before=before)).evidence
        assert evidence.revision == SHA
    for name, value in (("commit", SHA[:12]), ("digest", SHA), ("commit", "main")):
        before = f"<properties><property name='{name}' value='{value}'/></properties>"
        assert parse(case("<failure/>", before=before)).evidence[0].revision is None


# Places


def test_the_attributes_name_the_file_and_the_trace_the_line() -> None:
    assert failure(file="tests/test_app.py", line="7").location == Location("tests/test_app.py", 7, 7)
    assert failure(file="/build/repo/tests/test_app.py").location == Location("tests/test_app.py", 1, 1)
    trace = "tests/test_app.py:9: in t\nsrc/app.py:3: KeyError"
    evidence = failure(trace, file="tests/test_app.py", line="7")
    assert evidence.location == Location("tests/test_app.py", 9, 9)
    assert evidence.related == (Location("src/app.py", 3, 3),)


def test_pytest_counts_the_line_attribute_from_zero() -> None:
    evidence = failure(suite='name="pytest"', file="tests/test_app.py", line="0")
    assert evidence.location == Location("tests/test_app.py", 1, 1)
    assert failure(suite='name="pytest"', file="tests/test_app.py", line="6").location.start_line == 7


def test_a_suite_may_name_the_file() -> None:
    assert failure(suite='file="spec/a_spec.rb"').location.path == "spec/a_spec.rb"
    assert failure(suite='name="web/src/sum.test.ts"').location.path == "web/src/sum.test.ts"


def test_a_frame_in_a_test_file_counts_before_the_innermost() -> None:
    trace = 'File "/build/repo/tests/test_app.py", line 4\nFile "/build/repo/src/app.py", line 8'
    assert failure(trace).location == Location("tests/test_app.py", 4, 4)
    decoy = 'File "tests/test_app.py", line 4\nFile "src/latest.py", line 8'
    assert failure(decoy).location == Location("tests/test_app.py", 4, 4)
    inner = failure('File "/usr/lib/x.py", line 1\nFile "/build/repo/src/app.py", line 8')
    assert inner.location == Location("src/app.py", 8, 8)


def test_the_code_line_of_pytest_is_the_snippet() -> None:
    trace = ">       assert f() == 2\nE       assert 1 == 2\n\ntests/test_app.py:5: AssertionError"
    evidence = failure(trace, classname="tests.test_app")
    assert (evidence.location, evidence.snippet) == (Location("tests/test_app.py", 5, 5), "assert f() == 2")


def test_jvm_packages_are_mapped_to_source_folders() -> None:
    trace = "java.lang.Error\n\tat com.foo.Bar.f(Bar.java:9)\n\tat com.foo.BarTest.t(BarTest.java:42)"
    evidence = failure(trace, classname="com.foo.BarTest")
    assert evidence.location == Location("core/src/test/java/com/foo/BarTest.java", 42, 42)
    assert evidence.related == (Location("core/src/main/java/com/foo/Bar.java", 9, 9),)


def test_a_go_file_is_sought_in_the_folder_of_its_package() -> None:
    evidence = failure("    expr_test.go:12: bad", classname="example.org/me/repo/pkg/expr")
    assert evidence.location == Location("pkg/expr/expr_test.go", 12, 12)


@pytest.mark.parametrize(
    ("classname", "path"),
    [
        ("tests.test_app", "tests/test_app.py"),
        ("tests.test_app.TestApp", "tests/test_app.py"),
        ("test_app", "tests/test_app.py"),
        ("com.foo.BarTest$Inner", "core/src/test/java/com/foo/BarTest.java"),
        ("Company.Product.ParserTests", "Unit/ParserTests.cs"),
        ("web/src/sum.test.ts", "web/src/sum.test.ts"),
    ],
)
def test_a_class_name_alone_leads_to_line_one(classname: str, path: str) -> None:
    assert failure(classname=classname).location == Location(path, 1, 1)


@pytest.mark.parametrize(
    "classname", ["", "adds two numbers", "com.other.Thing", "../../etc/passwd", "....", "src"]
)
def test_what_leads_nowhere_has_no_place(classname: str) -> None:
    evidence = failure("/etc/passwd:1: x\n../../secret.py:3: y", classname=classname, file="/etc/passwd")
    assert evidence.location is None


def test_paths_of_another_machine_are_found_through_the_whole_file() -> None:
    evidence = failure("/builds/7/tests/test_app.py:4: in t\n/builds/7/src/app.py:9: Error")
    assert evidence.location == Location("tests/test_app.py", 4, 4)


# Refusals

DTD = '<!DOCTYPE testsuite [<!ENTITY a "aaaa">]>'


@pytest.mark.parametrize(
    "data",
    [
        f"{DTD}<testsuite>&a;</testsuite>".encode(),
        f"<?xml version='1.0'?><!--{'x' * 6_000}-->{DTD}<testsuite/>".encode(),
        f"<?xml version='1.0' encoding='utf-16'?>{DTD}<testsuite/>".encode("utf-16"),
        DTD.replace("DOCTYPE ", "DOCTYPE\t").encode() + b"<testsuite/>",
        b'<!DOCTYPE testsuite SYSTEM "file:///etc/passwd"><testsuite/>',
        b"<!DOCTYPE testsuite><testsuite><testcase/></testsuite>",
    ],
)
def test_a_document_type_is_refused_wherever_it_hides(data: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"report\.xml declares a document type"):
        parse(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no XML"),
        (b"<testsuite>", "no XML"),
        (b"<testsuite><testcase name='\x01'/></testsuite>", "no XML"),
        (b"<?xml version='1.0' encoding='klingon'?><testsuite/>", "encoding|no XML"),
        (b"<testsuites/>", "holds no test case"),
        (b"<testsuites tests='5'><testsuite/></testsuites>", "holds no test case"),
        (b"<assemblies><testcase/></assemblies>", "root is <assemblies>"),
        (b"<testcase/>", "root is <testcase>"),
        (b"<testsuite><testcase><x><testcase/></x></testcase></testsuite>", "stands in a <testcase>"),
        (b"<testsuite>" * 65, "deeper than 64"),
        (b"<testsuite>" * 200_000, "deeper than 64"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name(data: bytes, what: str) -> None:
    with pytest.raises(EvidenceError, match=rf"(?s)report\.xml.*({what})"):
        parse(data)


def test_elements_and_failures_have_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = "<testcase><failure/></testcase>" * 30
    monkeypatch.setattr(junit, "PROBLEM_CAP", 29)
    with pytest.raises(EvidenceError, match="more than 29 failures"):
        parse(f"<testsuite>{cases}</testsuite>")
    monkeypatch.setattr(junit, "ELEMENT_CAP", 60)
    with pytest.raises(EvidenceError, match="more than 60 elements"):
        parse(f"<testsuite>{cases}</testsuite>")


VALID = case(
    "<failure message='m' type='t'>tests/test_app.py:3: E</failure><system-out>o</system-out>",
    before=f"<properties><property name='commit' value='{SHA}'/></properties>",
    classname="tests.test_app.TestApp",
    file="tests/test_app.py",
    line="3",
)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(EvidenceError):
        parse(data)


@given(st.integers(0, len(VALID)), st.integers(0, 12), st.text(max_size=6))
@settings(max_examples=300)
def test_a_valid_file_with_a_piece_replaced_parses_or_is_refused(start: int, length: int, piece: str) -> None:
    with contextlib.suppress(EvidenceError):
        parse((VALID[:start] + piece + VALID[start + length :]).encode("utf-8", "surrogatepass"))


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    st.text("ab./\\:$-0 \n", max_size=30),
)
@settings(max_examples=200)
def test_any_text_in_a_failure_is_one_failure(trace: str, written: str) -> None:
    escaped = trace.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = "".join(char for char in escaped if ord(char) not in (0xFFFE, 0xFFFF))
    report = parse(case(f"<failure>{escaped}</failure>", classname=written, file=written, line=written))
    assert report.failures == len(report.evidence) == 1


# Real ones


def test_the_real_pytest_is_understood(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    source = "import pytest\n\n\n@pytest.fixture\ndef broken():\n    raise OSError\n\n\ndef test_wrong():\n    x = 1\n"
    source += "    assert x == 2\n\n\ndef test_setup(broken):\n    pass\n\n\ndef test_fine():\n    pass\n"
    (tmp_path / "tests/test_new.py").write_text(source)
    tree = TreePaths(["tests/test_new.py", "src/app.py"])
    for family in ("xunit1", "xunit2"):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            f"junit_family={family}",
        ]
        command += ["--rootdir=.", "--junitxml=report.xml", "-c", "/dev/null", "tests"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        report = parse_junit((tmp_path / "report.xml").read_bytes(), "report.xml", tree)
        assert (report.tests, report.failures, report.errors) == (3, 1, 1)
        wrong, setup = report.evidence
        assert wrong.title == "tests.test_new::test_wrong failed"
        assert (wrong.location, wrong.snippet) == (Location("tests/test_new.py", 11, 11), "assert x == 2")
        assert setup.location == Location("tests/test_new.py", 6, 6)
        assert report.unfinished == ()


@pytest.mark.shared_data
def test_real_pytest_failures_lie_in_the_files_of_their_tests(shared_data: Path) -> None:
    with (shared_data / "ci_failures_python.jsonl").open() as records:
        for record in map(json.loads, records):
            tree = TreePaths([*record["fix_files"], *record["test_files"], "README.md"])
            report = parse_junit(record["junit_xml"].encode(), record["id"], tree)
            assert report.unfinished == ()
            places = {one.title.removesuffix(" failed"): one.location for one in report.evidence}
            for test in record["fail_to_pass"]:
                location = places[test]
                assert location is not None, test
                assert location.path in record["test_files"], test
                assert location.path.rpartition("/")[2].removesuffix(".py") in test


@pytest.mark.shared_data
def test_real_java_failures_are_found_by_their_class(shared_data: Path) -> None:
    found = 0
    with (shared_data / "ci_failures_gitbug.jsonl").open() as records:
        for record in map(json.loads, records):
            for failing in record["failing_tests"]:
                classname, result = failing["classname"], failing["result"][0]
                if record["language"].lower() != "java" or not re.fullmatch(
                    r"\w+(\.\w+)+([$]\w+)*", classname
                ):
                    continue
                path = f"module/src/test/java/{classname.partition('$')[0].replace('.', '/')}.java"
                inside = f"<failure message={quoteattr(result['message'] or '')} type={quoteattr(result['type'] or '')}/>"
                xml = case(inside, classname=classname, name=failing["name"])
                report = parse_junit(
                    xml.encode(), record["id"], TreePaths([path, "module/src/main/java/X.java"])
                )
                assert [one.location for one in report.evidence] == [Location(path, 1, 1)]
                found += 1
    assert found > 20


def test_a_failure_without_a_message_says_the_first_line_of_a_trace_that_ends_in_calls() -> None:
    trace = "Error: 6 is not 5\n    at land (src/kite.js:7:1)\n    at run (node:internal:1:1)"
    data = f"<testsuite><testcase name='a'><failure>{trace}</failure></testcase></testsuite>".encode()
    assert parse_junit(data, "x.xml", TreePaths([])).evidence[0].message == "Error: 6 is not 5"
