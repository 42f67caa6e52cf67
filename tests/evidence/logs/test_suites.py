"""Made logs in the form that runners of C++, .NET, Ruby, Elixir and Swift print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.evidence.junit import JunitReport
from reviewbot.evidence.logs.lines import parse_lines
from reviewbot.evidence.logs.read import RUNNERS, parse_log
from reviewbot.evidence.paths import TreePaths

TREE = TreePaths(
    ["src/kite.cc", "test/kite_test.cc", "tests/KiteTests.cs", "test/kite_test.rb", "lib/kite.rb", "test/kite_test.exs",
     "Tests/KiteTests/KiteTests.swift"]
)  # fmt: skip

GOOGLE = """\
[==========] Running 3 tests from 1 test suite.
[ RUN      ] KiteTest.Lands
/build/test/kite_test.cc:12: Failure
Expected equality of these values:
  total(2, 3)
    Which is: 6
  5
[  FAILED  ] KiteTest.Lands (0 ms)
[ RUN      ] KiteTest.Flies
[       OK ] KiteTest.Flies (0 ms)
[ RUN      ] All/KiteTest.Each/1
/build/test/kite_test.cc:20: Failure
Value of: n
[  FAILED  ] All/KiteTest.Each/1, where GetParam() = 3 (0 ms)
[==========] 3 tests from 1 test suite ran. (1 ms total)
[  PASSED  ] 1 test.
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] KiteTest.Lands
[  FAILED  ] All/KiteTest.Each/1, where GetParam() = 3

 2 FAILED TESTS
"""
DOTNET = """\
[xUnit.net 00:00:00.50]     Kite.Tests.KiteTests.Lands [FAIL]
  Failed Kite.Tests.KiteTests.Lands [12 ms]
  Error Message:
   Assert.Equal() Failure: Values differ
Expected: 5
Actual:   6
  Stack Trace:
     at Kite.Tests.KiteTests.Lands() in /build/tests/KiteTests.cs:line 12
  Failed Kite.Tests.KiteTests.Each(n: 2.5) [< 1 ms]
  Error Message:
   System.Exception : no
  Stack Trace:
     at Kite.Tests.KiteTests.Each(Double n) in /build/tests/KiteTests.cs:line 20

Failed!  - Failed:     2, Passed:     1, Skipped:     1, Total:     4, Duration: 10 ms - Kite.dll (net8.0)
"""
MINITEST = """\
# Running:

.FE

Finished in 0.000852s, 4693.6071 runs/s, 2346.8035 assertions/s.

  1) Failure:
KiteTest#test_lands [/build/test/kite_test.rb:12]:
Expected: 5
  Actual: 6

  2) Error:
KiteTest#test_flies:
RuntimeError: no
    /build/lib/kite.rb:3:in `fly'
    /build/test/kite_test.rb:18:in `block in <class:KiteTest>'

3 runs, 2 assertions, 1 failures, 1 errors, 0 skips
"""
RAILS = """\
F

Failure:
KiteTest#test_lands [/build/test/kite_test.rb:12]:
Expected: 5
  Actual: 6


bin/rails test test/kite_test.rb:10

Finished in 0.02s, 41.8 runs/s, 41.8 assertions/s.
2 runs, 2 assertions, 1 failures, 0 errors, 0 skips
"""
EXUNIT = """\
  1) test lands (Kite.KiteTest)
     test/kite_test.exs:5
     Assertion with == failed
     code:  assert Kite.land() == 5
     left:  6
     right: 5
     stacktrace:
       test/kite_test.exs:6: (test)

..

Finished in 0.03 seconds (0.00s async, 0.03s sync)
3 tests, 1 failure
"""
XCTEST = """\
Test Case '-[KiteTests.KiteTests testLands]' started.
/build/Tests/KiteTests/KiteTests.swift:12: error: -[KiteTests.KiteTests testLands] : XCTAssertEqual failed: ("6") is not ("5")
/build/Tests/KiteTests/KiteTests.swift:20: error: KiteTests.testFlies : XCTAssertTrue failed
\t Executed 3 tests, with 2 failures (0 unexpected) in 0.001 (0.002) seconds
"""


def read(log: str) -> JunitReport:
    return parse_log(log.encode(), "ci.log", TREE, 1)


def told(log: str) -> list[tuple[str, str, int]]:
    """Title, path and line of each failure."""
    places = [(item.title.removesuffix(" failed"), item.location) for item in read(log).evidence]
    return [(title, at.path, at.start_line) if at else (title, "", 0) for title, at in places]


@pytest.mark.parametrize(
    ("log", "expected", "counts"),
    [
        (
            GOOGLE,
            [("KiteTest::Lands", "test/kite_test.cc", 12), ("All/KiteTest::Each/1", "test/kite_test.cc", 20)],
            (3, 2, 0, 0),
        ),
        (
            DOTNET,
            [
                ("Kite.Tests.KiteTests::Lands", "tests/KiteTests.cs", 12),
                ("Kite.Tests.KiteTests::Each(n: 2.5)", "tests/KiteTests.cs", 20),
            ],
            (4, 2, 0, 1),
        ),
        (
            MINITEST,
            [("KiteTest::test_lands", "test/kite_test.rb", 12), ("KiteTest::test_flies", "test/kite_test.rb", 18)],
            (3, 1, 1, 0),
        ),
        (RAILS, [("KiteTest::test_lands", "test/kite_test.rb", 12)], (2, 1, 0, 0)),
        (EXUNIT, [("Kite.KiteTest::test lands", "test/kite_test.exs", 6)], (3, 1, 0, 0)),
        (
            XCTEST,
            [
                ("KiteTests.KiteTests::testLands", "Tests/KiteTests/KiteTests.swift", 12),
                ("KiteTests::testFlies", "Tests/KiteTests/KiteTests.swift", 20),
            ],
            (3, 2, 0, 0),
        ),
    ],
    ids="google dotnet minitest rails exunit xctest".split(),
)  # fmt: skip
def test_a_runner_s_failures_are_named_placed_and_counted(
    log: str, expected: list[tuple[str, str, int]], counts: tuple[int, int, int, int]
) -> None:
    report = read(log)
    assert told(log) == expected
    assert (report.tests, report.failures, report.errors, report.skipped) == counts
    assert report.unfinished == ()
    assert all(item.message for item in report.evidence)


def test_ctest_s_numbers_do_not_matter() -> None:
    assert told("\n".join(f"1: {line}" for line in GOOGLE.split("\n"))) == told(GOOGLE)


@pytest.mark.parametrize(
    ("log", "until"), [(DOTNET, "  Failed Kite.Tests.KiteTests.Each"), (MINITEST, "  2) Error:")]
)
def test_a_log_whose_failures_are_cut_off_says_so(log: str, until: str) -> None:
    end = log.rstrip().rpartition("\n")[2]
    [said] = read(f"{log[: log.index(until)]}{end}\n").unfinished
    assert "so it was cut" in said


def test_a_list_of_failed_google_tests_names_those_whose_output_is_not_there() -> None:
    assert [title for title, *_ in told(GOOGLE[GOOGLE.index("[==========] 3") :])] == [
        "KiteTest::Lands",
        "All/KiteTest::Each/1",
    ]


ALL = "\n".join((GOOGLE, DOTNET, MINITEST, RAILS, EXUNIT, XCTEST)).split("\n")


@pytest.mark.parametrize("runner", ["GoogleTest", ".NET", "Minitest", "ExUnit", "XCTest"])
@given(st.lists(st.sampled_from([*" :)[\n\n\n", *ALL]), max_size=60))
def test_no_text_breaks_a_parser(runner: str, parts: list[str]) -> None:
    lines = parse_lines("".join(part if len(part) < 2 else f"{part}\n" for part in parts).encode())
    for failure in RUNNERS[runner](lines).failures:
        assert 0 <= failure.at <= len(lines)
        assert failure.name
