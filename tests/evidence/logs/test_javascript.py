"""Made logs in the form that JavaScript's runners print, compared with real red runs; not so Cypress and Karma."""
# ruff: noqa: RUF001, W291, W293 - the runners' own signs and blanks

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.evidence.junit import JunitReport
from reviewbot.evidence.logs.lines import parse_lines
from reviewbot.evidence.logs.read import RUNNERS, parse_log
from reviewbot.evidence.paths import TreePaths

TREE = TreePaths(
    ["src/kite.js", "test/kite.test.js", "e2e/kite.spec.ts", "test/kite_test.ts", "src/kite.spec.ts"]
)

MOCHA = """\
  kite
    ✔ flies
    1) lands
    when it rains
      2) stays inside
      3) waits

  1 passing (12ms)
  1 pending
  3 failing

  1) kite
       lands:

      AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:

6 !== 5

      + expected - actual

      -6
      +5
      
      at Context.<anonymous> (test/kite.test.js:11:14)
      at process.processImmediate (node:internal/timers:483:21)

  2) kite
       when it rains
         stays inside:
     TypeError: Cannot read properties of undefined
      at land (src/kite.js:7:16)
      at Context.<anonymous> (test/kite.test.js:15:7)

  3) kite
       when it rains
         waits:
     Error: Timeout of 30ms exceeded. (/build/test/kite.test.js)
      at listOnTimeout (node:internal/timers:581:17)

npm error Lifecycle script `test` failed with error:
"""
CYPRESS = """\
  Running:  kite.spec.ts                                                    (1 of 1)

  kite
    1) flies

  0 passing (2s)
  1 failing

  1) kite
       flies:
     AssertionError: Timed out retrying after 4000ms: expected to find `.kite`
      at Context.eval (webpack://shop/./e2e/kite.spec.ts:5:9)



  (Results)
"""
JASMINE = """\
Started
F.F

Failures:
1) kite flies
  Message:
    TypeError: Cannot read properties of undefined
  Stack:
        at land (/build/src/kite.js:7:16)
        at UserContext.<anonymous> (/build/test/kite.test.js:6:39)

2) kite lands
  Message:
    Expected 6 to be 5.
  Stack:
        at <Jasmine>
        at UserContext.<anonymous> (/build/test/kite.test.js:4:45)

3 specs, 2 failures
Finished in 0.017 seconds
"""
KARMA = """\
Chrome Headless 120.0.0.0 (Linux x86_64): Executed 1 of 2 (1 FAILED) (0 secs / 0.1 secs)
Chrome Headless 120.0.0.0 (Linux x86_64) KiteComponent should fly FAILED
\tError: Expected 6 to be 5.
\t    at UserContext.apply (src/kite.spec.ts:21:31)
Chrome Headless 120.0.0.0 (Linux x86_64): Executed 2 of 2 (1 FAILED) (0.1 secs / 0.1 secs)
TOTAL: 1 FAILED, 1 SUCCESS
"""
PLAYWRIGHT = """\
Running 4 tests using 1 worker

  ✘  1 [chromium] › kite.spec.ts:4:3 › kite › lands (56ms)

  1) [chromium] › kite.spec.ts:4:3 › kite › lands ──────────────────────────

    Error: expect(received).toBe(expected) // Object.is equality

    > 5 |     expect(land()).toBe(5);
        at /build/e2e/kite.spec.ts:5:45

    Retry #1 ────────────────────────────────────────────────────────────────

    Error: expect(received).toBe(expected) // Object.is equality
        at /build/e2e/kite.spec.ts:5:45

  2) [chromium] › kite.spec.ts:9:1 › shaky ────────────────────────────────────

    Error: no
        at /build/e2e/kite.spec.ts:9:30

  1 failed
    [chromium] › kite.spec.ts:4:3 › kite › lands ──────────────────────────────
  1 flaky
    [chromium] › kite.spec.ts:9:1 › shaky ──────────────────────────────────────
  2 passed (5.7s)
"""
NODE = """\
▶ kite
  ✔ flies (1.09ms)
  ✖ lands (1.43ms)
    AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
✖ kite (27.13ms)
ℹ tests 3
ℹ fail 1
ℹ cancelled 1
ℹ skipped 0

✖ failing tests:

test at test/kite.test.js:10:5
✖ lands (1.43ms)
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
  
  6 !== 5
  
      at TestContext.<anonymous> (/build/test/kite.test.js:11:14)
      at Test.run (node:internal/test_runner/test:796:25) {
    actual: 6
  }

test at test/kite.test.js:34:11
✖ waits (68.14ms)
  'test timed out after 20ms'
"""
NODE_DOT = """\
X.X

Failed tests:

✖ lands (7.75ms)
  AssertionError [ERR_ASSERTION]: no
      at TestContext.<anonymous> (/build/test/kite.test.js:11:14)
✖ kite (8.22ms)
  '1 subtest failed'
"""
BUN = """\
bun test v1.4.5 (a7733435c)

##[group]test/kite.test.js:
1 | import { land } from '../src/kite.js';
                                                ^
error: expect(received).toBe(expected)

Expected: 5
      at <anonymous> (/build/test/kite.test.js:5:45)

✗ kite > lands [0.96ms]
✓ kite > flies

 1 pass
 1 fail
Ran 2 tests across 1 file. [61.00ms]
"""
DENO = """\
running 2 tests from ./test/kite_test.ts
lands ... FAILED (4ms)
flies ... ok (48µs)

 ERRORS 

lands => ./test/kite_test.ts:4:6
error: Error: 6 is not 5
    at file:///build/test/kite_test.ts:5:52

with steps ... one => ./test/kite_test.ts:8:11
error: TypeError: no
    at file:///build/test/kite_test.ts:8:37

 FAILURES 

lands => ./test/kite_test.ts:4:6
with steps ... one => ./test/kite_test.ts:8:11

FAILED | 1 passed | 2 failed (1 step) (72ms)
"""
AVA = """\
  ✘ [fail]: kite lands
  ✘ [fail]: kite flies Error thrown in test
  ✔ fine
  ─

  kite lands

  test/kite.test.js:4

   4:   t.is(land(), 5);

  Difference (- actual, + expected):

  - 6
  + 5

  › file://test/kite.test.js:4:5



  kite flies

  Error thrown in test:

  TypeError: Cannot read properties of undefined
      at Object.land (/build/src/kite.js:7:16)
      at file:///build/test/kite.test.js:6:45

  ─

  2 tests failed
  1 test passed
"""


def read(log: str) -> JunitReport:
    return parse_log(log.encode(), "ci.log", TREE, 1)


def told(log: str) -> list[tuple[str, str, int]]:
    """Title, path and line of each failure."""
    places = [(item.title.removesuffix(" failed"), item.location) for item in read(log).evidence]
    return [(title, at.path, at.start_line) if at else (title, "", 0) for title, at in places]


TEST = "test/kite.test.js"


@pytest.mark.parametrize(
    ("log", "expected", "counts"),
    [
        (
            MOCHA,
            [("kite lands", TEST, 11), ("kite when it rains stays inside", TEST, 15), ("kite when it rains waits", TEST, 1)],
            (4, 3, 0, 1),
        ),
        (CYPRESS, [("kite flies", "e2e/kite.spec.ts", 5)], (1, 1, 0, 0)),
        (JASMINE, [("kite flies", TEST, 6), ("kite lands", TEST, 4)], (3, 2, 0, 0)),
        (KARMA, [("KiteComponent should fly", "src/kite.spec.ts", 21)], (2, 1, 0, 0)),
        (PLAYWRIGHT, [("kite.spec.ts::kite › lands", "e2e/kite.spec.ts", 5)], (4, 1, 0, 0)),
        (NODE, [(f"{TEST}::lands", TEST, 11), (f"{TEST}::waits", TEST, 34)], (3, 2, 0, 0)),
        (NODE_DOT, [("lands", TEST, 11)], (1, 1, 0, 0)),
        (BUN, [(f"{TEST}::kite > lands", TEST, 5)], (2, 1, 0, 0)),
        (
            DENO,
            [
                ("./test/kite_test.ts::lands", "test/kite_test.ts", 5),
                ("./test/kite_test.ts::with steps ... one", "test/kite_test.ts", 8),
            ],
            (3, 2, 0, 0),
        ),
        (AVA, [("kite lands", TEST, 4), ("kite flies", TEST, 6)], (3, 2, 0, 0)),
    ],
    ids="mocha cypress jasmine karma playwright node node-dot bun deno ava".split(),
)  # fmt: skip
def test_a_runner_s_failures_are_named_placed_and_counted(
    log: str, expected: list[tuple[str, str, int]], counts: tuple[int, int, int, int]
) -> None:
    report = read(log)
    assert told(log) == expected
    assert (report.tests, report.failures, report.errors, report.skipped) == counts
    assert report.unfinished == ()
    assert all(item.message and item.trace for item in report.evidence)


@pytest.mark.parametrize("log", [MOCHA, JASMINE, PLAYWRIGHT, NODE, BUN, DENO, AVA])
def test_times_groups_and_colours_of_a_service_do_not_matter(log: str) -> None:
    stamped = "\n".join(f"2026-11-21T12:01:38.6470000Z {line}" for line in log.split("\n"))
    coloured = "\n".join(f"\x1b[31m{line}\x1b[39m" if line else line for line in log.split("\n"))
    assert told(stamped) == told(coloured) == told(log)


@pytest.mark.parametrize(
    ("log", "until"), [(MOCHA, "  2) kite\n"), (JASMINE, "2) kite lands\n"), (NODE, "✖ failing tests:")]
)
def test_a_log_whose_failures_are_cut_off_says_so(log: str, until: str) -> None:
    end = "\n3 specs, 2 failures\n" if log is JASMINE else ""
    [said] = read(
        log[: log.index(until, log.index("Failures" if log is JASMINE else "fail"))] + end
    ).unfinished
    assert "so it was cut" in said


def test_what_stands_behind_the_last_failure_is_no_part_of_it() -> None:
    assert "npm error" not in read(MOCHA).evidence[-1].trace
    assert "Results" not in read(CYPRESS).evidence[-1].trace


def test_a_retry_that_passed_is_flaky_and_no_failure() -> None:
    assert [item.why for item in read(PLAYWRIGHT).rejected] == [
        "flaky: passed on retry (kite.spec.ts::shaky)"
    ]


def test_numbered_lines_without_a_count_are_no_tests_of_mocha() -> None:
    assert (
        RUNNERS["Mocha"](["  1) kite", "       lands:", "      at x (test/kite.test.js:1:1)"]).failures == ()
    )


ALL = "\n".join((MOCHA, CYPRESS, JASMINE, KARMA, PLAYWRIGHT, NODE, BUN, DENO, AVA)).split("\n")


@pytest.mark.parametrize("runner", ["Mocha", "Jasmine", "Playwright", "node:test", "Bun", "Deno", "AVA"])
@given(st.lists(st.sampled_from([*"✖✘✗) \n\n\n", *ALL]), max_size=60))
def test_no_text_breaks_a_parser(runner: str, parts: list[str]) -> None:
    lines = parse_lines("".join(part if len(part) < 2 else f"{part}\n" for part in parts).encode())
    for failure in RUNNERS[runner](lines).failures:
        assert 0 <= failure.at <= len(lines)
        assert failure.name
