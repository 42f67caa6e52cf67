"""Made streams in the form that producers of TAP print; each was compared with a real one."""
# ruff: noqa: W293 - blanks as they print them

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.errors import EvidenceError
from reviewbot.evidence.logs.read import parse_log
from reviewbot.evidence.logs.tap import parse_tap
from reviewbot.evidence.paths import TreePaths

TREE = TreePaths(["src/kite.js", "test/kite.test.js", "t/kite.t", "test/kite.bats"])

NODE = """\
TAP version 13
# Subtest: kite
    # Subtest: flies
    ok 1 - flies
      ---
      duration_ms: 5.1
      ...
    # Subtest: lands
    not ok 2 - lands
      ---
      duration_ms: 1.3
      location: '/build/test/kite.test.js:10:5'
      error: |-
        Expected values to be strictly equal:
        
        6 !== 5
        
      stack: |-
        TestContext.<anonymous> (/build/test/kite.test.js:11:14)
        Test.run (node:internal/test_runner/test:796:25)
      ...
    1..2
not ok 1 - kite
  ---
  location: '/build/test/kite.test.js:9:3'
  error: '1 subtest failed'
  ...
1..1
# tests 2
# fail 1
"""
TAPE = """\
TAP version 13
# lands
not ok 1 should be equal
  ---
    operator: equal
    expected: 5
    actual:   6
    at: Test.<anonymous> (/build/test/kite.test.js:4:5)
    stack: |-
      Error: should be equal
          at Test.<anonymous> (/build/test/kite.test.js:4:5)
  ...
# flies
ok 2 fine

1..2
# tests 2
# fail  1
"""
VITEST = """\
TAP version 13
1..1
not ok 1 - test/kite.test.js # time=67.63ms {
    1..2
    not ok 1 - kite # time=62.66ms {
        1..1
        not ok 1 - lands # time=8.62ms
            ---
            error:
                name: "AssertionError"
                message: "expected 6 to be 5"
            at: "/build/test/kite.test.js:7:47"
            ...
    }
    not ok 2 - waits # time=50.87ms
        ---
        error:
            name: "Error"
            message: "Test timed out in 50ms."
        ...
}
"""
MOCHA = """\
1..2
ok 1 kite flies
not ok 2 kite waits
  Timeout of 30ms exceeded. (/build/test/kite.test.js)
      at listOnTimeout (node:internal/timers:581:17)
"""
BATS = """\
1..2
not ok 1 lands
# (in test file test/kite.bats, line 4)
#   `[ "$output" -eq 5 ]' failed
ok 2 fine
"""
DIAGNOSTICS = """\

#   Failed test 'lands'
#   at t/kite.t line 2.
#          got: '6'
#     expected: '5'
# Looks like you failed 1 test of 2.
"""
PROVE = f"""{DIAGNOSTICS}t/kite.t ..
Dubious, test returned 1 (wstat 256, 0x100)
Failed 1/2 subtests

Test Summary Report
-------------------
  Failed test:  1
Result: FAIL
"""
PROVE_VERBOSE = PROVE.replace("Dubious", "1..2\nnot ok 1 - lands\nok 2 - flies\nDubious")


def read(log: str) -> list[tuple[str, str, int, str]]:
    """Title, path, line and message of each failure."""
    found = parse_log(log.encode(), "ci.log", TREE).evidence
    places = [(each.location.path, each.location.start_line) if each.location else ("", 0) for each in found]
    return [
        (each.title.removesuffix(" failed"), *place, each.message)
        for each, place in zip(found, places, strict=True)
    ]


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (NODE, [("kite::lands", "test/kite.test.js", 11, "Expected values to be strictly equal:")]),
        (TAPE, [("lands::should be equal", "test/kite.test.js", 4, "expected 5, got 6")]),
        (
            VITEST,
            [
                ("test/kite.test.js > kite::lands", "test/kite.test.js", 7, "expected 6 to be 5"),
                (
                    "test/kite.test.js::waits",
                    "test/kite.test.js",
                    1,
                    "Test timed out in 50ms. (it names a timeout: it may be flaky)",
                ),
            ],
        ),
        (MOCHA, [("kite waits", "test/kite.test.js", 1, "Timeout of 30ms exceeded. (/build/test/kite.test.js) (it names a timeout: it may be flaky)")]),
        (BATS, [("lands", "test/kite.bats", 4, "`[ \"$output\" -eq 5 ]' failed")]),
        (PROVE, [("lands", "t/kite.t", 2, "got: '6' expected: '5'")]),
        (PROVE_VERBOSE, [("lands", "t/kite.t", 2, "got: '6' expected: '5'")]),
    ],
    ids="node tape vitest mocha bats prove prove-v".split(),
)  # fmt: skip
def test_the_innermost_tests_that_failed_are_named_and_placed(
    log: str, expected: list[tuple[str, str, int, str]]
) -> None:
    assert read(log) == expected


@pytest.mark.parametrize(
    "line", ["not ok 1 - later # TODO", "not ok 1 - later # skip no network", "ok 1 - x"]
)
def test_what_is_to_be_done_or_skipped_is_no_failure(line: str) -> None:
    report = parse_log(f"1..1\n{line}\n".encode(), "ci.log", TREE)
    assert (report.evidence, report.tests) == ((), 1)


def test_a_line_that_is_not_ok_in_another_log_is_no_tap() -> None:
    with pytest.raises(EvidenceError, match="no test output that is known"):
        parse_log(b"the server said:\nnot ok 1 - no answer\n", "ci.log", TREE)


@given(
    st.lists(
        st.sampled_from([*" #{}\n", *"\n".join((NODE, TAPE, VITEST, BATS, PROVE)).split("\n")]), max_size=60
    )
)
def test_no_text_breaks_the_parser(parts: list[str]) -> None:
    lines = ["1..3", *parts]
    for failure in parse_tap(lines).failures:
        assert 0 <= failure.at <= len(lines)
        assert failure.name


@pytest.mark.parametrize(
    "part",
    [
        b"# Subtest: x\n    not ok 1 - a\n      stack: |\n        b\n",
        b"#   Failed test 'x'\n",
        b"#   Failed test 'x'\n#   at t/kite.t line 2.\n#   got\n",
    ],
)
def test_the_time_is_linear_in_the_length(part: bytes) -> None:
    started = time.process_time()
    assert parse_log(b"Result: FAIL\n" + part * 40_000, "log", TREE).evidence
    assert time.process_time() - started < 20
