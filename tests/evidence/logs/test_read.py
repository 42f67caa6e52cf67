"""Made logs in the form that each runner prints; the last tests read real ones."""
# ruff: noqa: RUF001 - the runners' own signs

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.errors import EvidenceError
from reviewbot.evidence.junit import JunitReport, parse_junit
from reviewbot.evidence.logs.lines import parse_lines
from reviewbot.evidence.logs.read import MOST_FAILURES, MOST_LINES, RUNNERS, parse_log
from reviewbot.evidence.paths import TreePaths

TREE = TreePaths(
    [
        "src/lib.rs",
        "src/calc.py",
        "tests/test_calc.py",
        "tests/test_other.py",
        "web/a.test.ts",
        "pkg/calc/calc.go",
        "pkg/calc/calc_test.go",
        "src/main/java/com/foo/Bar.java",
        "src/test/java/com/foo/BarTest.java",
        "src/test/kotlin/com/foo/BazTest.kt",
        "spec/calc_spec.rb",
        "lib/calc.rb",
        "tests/CalcTest.php",
        "src/Calc.cs",
    ]
)

PYTEST = """\
..F.F                                                                   [100%]
=================================== FAILURES ===================================
_________________________ TestCalc.test_adds[a - b] __________________________

self = <tests.test_calc.TestCalc object>

    def test_adds(self, x):
>       assert add(1, 2) == 3
E       assert -1 == 3

tests/test_calc.py:7: AssertionError
__________________________________ test_adds ___________________________________
src/calc.py:3: in add
    raise TimeoutError("no answer")
E   TimeoutError: no answer
=========================== short test summary info ============================
FAILED tests/test_calc.py::TestCalc::test_adds[a - b] - assert -1 == 3
FAILED tests/test_other.py::test_adds - TimeoutError: no answer
ERROR tests/test_broken.py - ModuleNotFoundError: No module named 'nothing'
2 failed, 3 passed, 1 skipped, 1 error in 0.59s
"""
SUBTESTS = """\
=================================== FAILURES ===================================
_____________________________ test_find[a b/c::d] ______________________________
tests/test_calc.py:15: in test_find
    assert find(name)
src/calc.py:6: KeyError
___________________________ Calc.test_sub [x] (n=1.5) __________________________
tests/test_calc.py:40: in test_sub
    self.assertEqual(n, 0)
E   AssertionError: 1.5 != 0
=========================== short test summary info ============================
FAILED tests/test_calc.py::test_find[a b/c::d] - KeyError: 'a b/c::d'
SUBFAILED[x] (n=1.5) tests/test_calc.py::Calc::test_sub - AssertionError: 1.5 != 0
FAILED tests/test_calc.py::test_cut
3 failed, 1 passed, 2 subtests passed in 0.07s
"""
UNITTEST = """\
FE.
======================================================================
ERROR: test_b (tests.test_calc.Calc.test_b)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/build/tests/test_calc.py", line 7, in test_b
    raise ValueError("x")
ValueError: x

======================================================================
FAIL: test_a (tests.test_calc.Calc.test_a) (i=1)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/build/tests/test_calc.py", line 5, in test_a
    self.assertEqual(1, 2, "no")
AssertionError: 1 != 2 : no

----------------------------------------------------------------------
Ran 3 tests in 0.001s

FAILED (failures=1, errors=1, expected failures=2)
"""
JEST = """\
FAIL web/a.test.ts (5.2 s)
  math
    ✕ adds (2 ms)

  ● Console

    console.log
      nothing

  ● math › adds

    expect(received).toBe(expected) // Object.is equality

    > 3 |   expect(add(1, 2)).toBe(3);

      at Object.toBe (web/a.test.ts:3:40)

PASS web/b.test.ts
Summary of all failing tests
FAIL web/a.test.ts (5.2 s)
  ● math › adds

    expect(received).toBe(expected) // Object.is equality

Test Suites: 1 failed, 1 passed, 2 total
Tests:       1 failed, 1 skipped, 4 passed, 6 total
"""
VITEST = """\
\x1b[31m\x1b[1m\x1b[7m FAIL \x1b[27m\x1b[22m\x1b[39m web/a.test.ts\x1b[2m > \x1b[22mmath > adds
 FAIL  web/a.test.ts > math > adds again
AssertionError: expected -1 to be 3 // Object.is equality

 ❯ web/a.test.ts:3:74
    3| expect(add(1, 2)).toBe(3)

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/1]⎯
   ✓ slow one 12ms (retry x2)
 Test Files  1 failed (1)
      Tests  2 failed | 3 passed (5)
"""
GO = """\
=== RUN   TestAdd
=== RUN   TestAdd/small
    calc_test.go:12: got -1, want 3
--- FAIL: TestAdd (0.00s)
    --- FAIL: TestAdd/small (0.00s)
=== RUN   TestFine
--- PASS: TestFine (0.00s)
FAIL
FAIL\texample.org/me/repo/pkg/calc\t0.004s
ok  \texample.org/me/repo/pkg/other\t0.002s
FAIL
"""
GO_PANIC = """\
=== RUN   TestAdd
panic: runtime error: index out of range [3] with length 2 [recovered]

goroutine 18 [running]:
example.org/me/repo/pkg/calc.Add(...)
\t/build/pkg/calc/calc.go:9
FAIL\texample.org/me/repo/pkg/calc\t0.004s
"""
CARGO = """\
     Running unittests src/lib.rs (target/debug/deps/demo-8348ca7a80742723)
running 2 tests
test tests::adds ... FAILED
test tests::fine ... ok

failures:

---- tests::adds stdout ----

thread 'tests::adds' (19348) panicked at src/lib.rs:6:17:
assertion `left == right` failed: sum
  left: -1
 right: 3

failures:
    tests::adds

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s
"""
NEXTEST = """\
        FAIL [   0.005s] (1/3) demo tests::adds
   FLAKY 2/3 [   0.005s] (2/3) demo tests::slow
"""
SUREFIRE = """\
[INFO] Running com.foo.BarTest
[ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0, Time elapsed: 0.05 s <<< FAILURE! -- in com.foo.BarTest
[ERROR] com.foo.BarTest.adds -- Time elapsed: 0.010 s <<< FAILURE!
java.lang.AssertionError: expected:<3> but was:<-1>
\tat org.junit.Assert.fail(Assert.java:89)
\tat com.foo.BarTest.adds(BarTest.java:5)

[ERROR] booms(com.foo.BarTest)  Time elapsed: 0 sec  <<< ERROR!
java.net.ConnectException: Connection refused
\tat com.foo.Bar.boom(Bar.java:2)
\tat com.foo.BarTest.booms(BarTest.java:6)
[INFO] Results:
[WARNING] Flakes:
[WARNING] com.foo.BarTest.slow
[ERROR]   Run 1: BarTest.slow:9 x
[INFO]   Run 2: PASS
[ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0, Flakes: 1
"""
GRADLE = """\
> Task :compileJava UP-TO-DATE
> Task :test FAILED

BazTest > adds() FAILED
    org.opentest4j.AssertionFailedError at BazTest.kt:12

3 tests completed, 1 failed
"""
RSPEC = """\
Failures:

  1) Calc adds
     Failure/Error: expect(add(1, 2)).to eq(3)

       expected: 3
            got: -1
     # ./lib/calc.rb:2:in `add'
     # ./spec/calc_spec.rb:5:in `block (2 levels) in <top (required)>'

Finished in 0.02 seconds (files took 0.1 seconds to load)
3 examples, 1 failure

Failed examples:

rspec ./spec/calc_spec.rb:4 # Calc adds
"""
PHPUNIT = """\
There was 1 error:

1) Tests\\CalcTest::testBoom
Error: Call to undefined function nothing()

/app/tests/CalcTest.php:20

--

There was 1 failure:

1) Tests\\CalcTest::testAdds with data set #0 (1, 2)
Failed asserting that -1 matches expected 3.

/app/tests/CalcTest.php:12

--

There was 1 risky test:

1) Tests\\CalcTest::testNothing
This test did not perform any assertions

FAILURES!
Tests: 4, Assertions: 2, Errors: 1, Failures: 1, Risky: 1.
"""


def read(log: str) -> JunitReport:
    return parse_log(log.encode(), "ci.log", TREE, 1)


def told(log: str) -> list[tuple[str, str, int]]:
    """Title, path and line of each failure."""
    return [
        (
            item.title.removesuffix(" failed"),
            *((at.path, at.start_line) if (at := item.location) else ("", 0)),
        )
        for item in read(log).evidence
    ]


@pytest.mark.parametrize(
    ("log", "expected", "counts"),
    [
        (
            PYTEST,
            [
                ("tests.test_calc.TestCalc::test_adds[a - b]", "tests/test_calc.py", 7),
                ("tests.test_other::test_adds", "tests/test_other.py", 1),
                ("tests.test_broken::collection", "", 0),
            ],
            (7, 2, 1, 1),
        ),
        (
            UNITTEST,
            [
                ("tests.test_calc.Calc::test_b", "tests/test_calc.py", 7),
                ("tests.test_calc.Calc::test_a (i=1)", "tests/test_calc.py", 5),
            ],
            (3, 1, 1, 0),
        ),
        (JEST, [("web/a.test.ts::math › adds", "web/a.test.ts", 3)], (6, 1, 0, 1)),
        (
            VITEST,
            [
                ("web/a.test.ts::math > adds", "web/a.test.ts", 3),
                ("web/a.test.ts::math > adds again", "web/a.test.ts", 3),
            ],
            (5, 2, 0, 0),
        ),
        (GO, [("example.org/me/repo/pkg/calc::TestAdd/small", "pkg/calc/calc_test.go", 12)], (2, 1, 0, 0)),
        (GO_PANIC, [("example.org/me/repo/pkg/calc::TestAdd", "pkg/calc/calc.go", 9)], (1, 0, 1, 0)),
        (CARGO, [("tests::adds", "src/lib.rs", 6)], (2, 1, 0, 0)),
        (NEXTEST, [("demo::tests::adds", "", 0)], (1, 1, 0, 0)),
        (
            SUREFIRE,
            [
                ("com.foo.BarTest::adds", "src/test/java/com/foo/BarTest.java", 5),
                ("com.foo.BarTest::booms", "src/test/java/com/foo/BarTest.java", 6),
            ],
            (3, 1, 1, 0),
        ),
        (GRADLE, [("BazTest::adds()", "src/test/kotlin/com/foo/BazTest.kt", 12)], (3, 1, 0, 0)),
        (RSPEC, [("Calc adds", "spec/calc_spec.rb", 5)], (3, 1, 0, 0)),
        (
            PHPUNIT,
            [
                ("Tests\\CalcTest::testBoom", "tests/CalcTest.php", 20),
                ("Tests\\CalcTest::testAdds with data set #0 (1, 2)", "tests/CalcTest.php", 12),
            ],
            (4, 1, 1, 0),
        ),
    ],
    ids="pytest unittest jest vitest go go-panic cargo nextest surefire gradle rspec phpunit".split(),
)
def test_a_runner_s_failures_are_named_placed_and_counted(
    log: str, expected: list[tuple[str, str, int]], counts: tuple[int, int, int, int]
) -> None:
    report = read(log)
    assert told(log) == expected
    assert (report.tests, report.failures, report.errors, report.skipped) == counts
    assert report.unfinished == ()
    assert [item.id for item in report.evidence] == [f"log:{n}" for n in range(1, len(expected) + 1)]
    assert all(item.source == "junit" and item.message for item in report.evidence)


def test_a_test_of_cargo_that_should_panic_is_one_and_a_doc_test_stands_where_it_begins() -> None:
    log = """\
test tests::dives - should panic ... FAILED
test src/lib.rs - total (line 3) ... FAILED

failures:

---- tests::dives stdout ----
note: test did not panic as expected at src/lib.rs:15:8

---- src/lib.rs - total (line 3) stdout ----
thread 'main' (7) panicked at src/lib.rs:9:1:
assertion `left == right` failed

test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
"""
    assert told(log) == [("tests::dives", "src/lib.rs", 15), ("src/lib.rs - total (line 3)", "src/lib.rs", 3)]


def test_names_with_double_colons_and_subtests_of_pytest_are_whole() -> None:
    assert told(SUBTESTS) == [
        ("tests.test_calc::test_find[a b/c::d]", "tests/test_calc.py", 15),
        ("tests.test_calc.Calc::test_sub [x] (n=1.5)", "tests/test_calc.py", 40),
        ("tests.test_calc::test_cut", "tests/test_calc.py", 1),
    ]
    assert (read(SUBTESTS).tests, read(SUBTESTS).unfinished) == (4, ())
    [said] = read(SUBTESTS.replace("FAILED tests/test_calc.py::test_cut\n", "")).unfinished
    assert "pytest counts 3 failures but the log tells of 2" in said


@pytest.mark.parametrize(
    "error", ["ModuleNotFoundError: No module named 'x'", "FileNotFoundError: [Errno 2] x"]
)
def test_a_name_that_is_not_found_in_the_code_does_not_speak_of_the_network(error: str) -> None:
    message = read(PYTEST.replace("TimeoutError: no answer", error)).evidence[1].message
    assert message.startswith(error) and "flaky" not in message


@pytest.mark.parametrize(
    ("line", "path", "number"),
    [
        ("src/lib.rs:3:5: error: expected ';'", "src/lib.rs", 3),
        ("src/lib.rs:3: fatal error: no such file", "src/lib.rs", 3),
        (
            "[ERROR] /build/src/main/java/com/foo/Bar.java:[3,17] ';' expected",
            "src/main/java/com/foo/Bar.java",
            3,
        ),
        ("web/a.test.ts(3,5): error TS2322: Type 'x' is not assignable", "web/a.test.ts", 3),
        ("web/a.test.ts:3:5 - error TS2322: Type 'x' is not assignable", "web/a.test.ts", 3),
        ("error[E0308]: mismatched types\n  --> src/lib.rs:3:17\n   |", "src/lib.rs", 3),
        ("# example.org/me/repo/pkg/calc\npkg/calc/calc.go:3:2: undefined: y", "pkg/calc/calc.go", 3),
        (
            "e: file:///build/src/test/kotlin/com/foo/BazTest.kt:3:5 Unresolved reference",
            "src/test/kotlin/com/foo/BazTest.kt",
            3,
        ),
        ("src/Calc.cs(3,5): error CS1002: ; expected", "src/Calc.cs", 3),
    ],
)
def test_an_error_of_a_compiler_has_its_file_and_line(line: str, path: str, number: int) -> None:
    assert [(at, n) for _, at, n in told(line)] == [(path, number)]


def test_a_warning_of_a_compiler_is_no_failure() -> None:
    with pytest.raises(EvidenceError, match="no test output that is known"):
        read("src/lib.rs:3:5: warning: unused variable\n")


def test_the_first_error_survives_a_huge_log_and_what_is_left_out_is_said() -> None:
    many = "".join(f"FAILED tests/test_calc.py::test_{n} - boom\n" for n in range(MOST_FAILURES + 5))
    report = read("downloading\n" * 200_000 + many)
    assert report.evidence[0].title == "tests.test_calc::test_0 failed"
    assert len(report.evidence) == MOST_FAILURES
    assert report.failures == MOST_FAILURES + 5
    assert report.unfinished == (f"5 failures after the first {MOST_FAILURES:,} were left out (ci.log).",)


def test_a_long_failure_keeps_its_beginning_and_its_end() -> None:
    log = PYTEST.replace(
        "self = <tests", "first words\n" + "noise " * 20 + "\n" * 1 + "noise\n" * 5_000 + "self = <tests"
    )
    trace = read(log).evidence[0].trace
    assert trace.startswith("first words")
    assert trace.endswith("tests/test_calc.py:7: AssertionError")
    assert "lines left out" in trace or "characters cut" in trace
    assert len(trace) < 9_000


def test_a_log_that_was_cut_is_no_whole_log() -> None:
    cut = PYTEST.replace("FAILED tests/test_other.py::test_adds - TimeoutError: no answer\n", "")
    cut = cut[: cut.index("______ test_adds _____") - 30] + cut[cut.index("====== short") - 30 :]
    assert read(cut).unfinished == (
        "pytest counts 3 failures but the log tells of 2, so it was cut (ci.log).",
    )


def test_a_log_without_tests_is_refused() -> None:
    with pytest.raises(EvidenceError, match="no test output that is known") as refused:
        read("npm install\nadded 300 packages\n")
    assert "pytest" in refused.value.remedy


def test_tests_that_all_passed_are_counted() -> None:
    report = read("======= 12 passed, 1 skipped in 0.10s =======\n")
    assert (report.tests, report.evidence, report.unfinished) == (13, (), ())


def test_a_flaky_test_is_named_and_is_no_failure() -> None:
    assert [one.why for log in (VITEST, NEXTEST, SUREFIRE) for one in read(log).rejected] == [
        "flaky: passed on retry (slow one)",
        "flaky: passed on retry (demo::tests::slow)",
        "flaky: passed on retry (com.foo.BarTest.slow)",
    ]


@pytest.mark.parametrize(
    ("log", "index", "hint"),
    [(PYTEST, 1, "a timeout"), (SUREFIRE, 1, "the network"), (PYTEST, 0, ""), (SUREFIRE, 0, "")],
)
def test_what_speaks_of_the_surroundings_is_a_hint(log: str, index: int, hint: str) -> None:
    message = read(log).evidence[index].message
    assert (f"it names {hint}: it may be flaky" in message) if hint else ("flaky" not in message)


def test_times_colours_and_job_names_of_a_service_do_not_matter() -> None:
    stamped = "\n".join(f"2026-11-21T12:01:38.6470000Z {line}" for line in PYTEST.split("\n"))
    downloaded = "\n".join(
        f"test\tRun pytest\t\ufeff2026-11-21T12:01:38.6470000Z {line}" for line in PYTEST.split("\n")
    )
    coloured = PYTEST.replace("FAILED", "\x1b[31mFAILED\x1b[0m").replace("E  ", "\x1b[1m\x1b[31mE  ")
    windows = PYTEST.replace("\n", "\r\n")
    assert told(stamped) == told(downloaded) == told(coloured) == told(windows) == told(PYTEST)
    assert parse_lines(b"10%\r50%\rdone\n##[error]Process completed") == ["done", "Process completed"]


@pytest.mark.parametrize("runner", RUNNERS)
@given(st.lists(st.sampled_from([*"_=-> .:[]()#@FAIL\t", *"\n\n\n", *PYTEST.split("\n"), *GO.split("\n"),
    *JEST.split("\n"), *SUREFIRE.split("\n"), *CARGO.split("\n"), *RSPEC.split("\n"), *PHPUNIT.split("\n")]),
    max_size=60))  # fmt: skip
def test_no_text_breaks_a_parser(runner: str, parts: list[str]) -> None:
    lines = parse_lines("".join(part if len(part) < 2 else f"{part}\n" for part in parts).encode())
    for failure in RUNNERS[runner](lines).failures:
        assert 0 <= failure.at <= len(lines)
        assert failure.name


@pytest.mark.shared_data
def test_every_failing_test_of_the_real_logs_is_found_in_its_file(shared_data: Path) -> None:
    script = Path(__file__).resolve().parents[3] / "bench" / "failures.py"
    command = [sys.executable, str(script), "--data", str(shared_data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "named 100.0%, placed in their file 100.0%; a changed file named in 100.0%" in done.stdout


@pytest.mark.shared_data
def test_a_real_log_and_its_junit_file_name_the_same_tests(shared_data: Path) -> None:
    for line in (shared_data / "ci_failures_python.jsonl").open(encoding="utf-8"):
        record = json.loads(line)
        tree = TreePaths([*record["fix_files"], *record["test_files"]])
        by_log = parse_log(record["log"].encode(), "log", tree)
        by_file = parse_junit(record["junit_xml"].encode(), "xml", tree)
        assert {item.title for item in by_log.evidence} == {item.title for item in by_file.evidence}
        assert by_log.tests == by_file.tests


def test_a_log_of_nothing_but_line_ends_is_refused_before_it_is_read() -> None:
    begun = time.process_time()
    with pytest.raises(EvidenceError, match="more than 1,000,000 lines"):
        parse_log(b"\n" * (MOST_LINES + 1), "job.log", TreePaths([]))
    assert time.process_time() - begun < 1.0


def test_a_log_that_names_one_test_over_and_over_is_read_once_through() -> None:
    """Each naming took a copy of all that was said: hours for a log of the size that is read."""
    times = 40_000
    data = b"--- FAIL: TestX (0.00s)\n    a_test.go:1: no\n" * times + b"FAIL\tacme/shop\t1s\n"
    started = time.process_time()
    report = parse_log(data, "log", TreePaths(("a_test.go",)))
    assert [each.title for each in report.evidence] == ["acme/shop::TestX failed"]
    assert time.process_time() - started < 10
