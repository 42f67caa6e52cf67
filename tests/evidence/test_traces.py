import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.evidence.traces import TraceFrame, parse_frames


@pytest.mark.parametrize(
    ("line", "path", "number"),
    [
        ('  File "/w/my tests/test_a.py", line 12, in test_a', "/w/my tests/test_a.py", 12),
        ("tests/test_a.py:12: AssertionError", "tests/test_a.py", 12),
        ("\tat com.foo.BarTest.runs(BarTest.java:42)", "com/foo/BarTest.java", 42),
        ("\tat app//com.foo.BarTest$Inner.runs(BarTest.java:42)", "com/foo/BarTest.java", 42),
        ("\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1541)", "java/util/ArrayList.java", 1541),
        ("    at Object.<anonymous> (src/a.test.js:10:5)", "src/a.test.js", 10),
        ("    at /w/src/a.test.ts:10:5", "/w/src/a.test.ts", 10),
        ("    at file:///w/a.mjs:3:1", "file:///w/a.mjs", 3),
        (" \N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT} src/a.test.ts:10:5", "src/a.test.ts", 10),
        ("    a_test.go:12: got 1, want 2", "a_test.go", 12),
        ("thread 'x' panicked at src/lib.rs:4:5:", "src/lib.rs", 4),
        ("thread 'x' panicked at 'boom', src/lib.rs:4:5", "src/lib.rs", 4),
        ("   at A.B.C() in /src/X Tests.cs:line 12", "/src/X Tests.cs", 12),
        ("   at A.B.C() in D:\\src\\X.cs:line 12", "D:\\src\\X.cs", 12),
        ("/w/tests/FooTest.php:12", "/w/tests/FooTest.php", 12),
        ("#0 /w/src/Foo.php(12): Foo->bar()", "/w/src/Foo.php", 12),
        ("# ./spec/a_spec.rb:12:in `block (2 levels)'", "./spec/a_spec.rb", 12),
        ("src/a.ts(10,5): error TS2322", "src/a.ts", 10),
        ("C:\\w\\test_a.py:7: Error", "C:\\w\\test_a.py", 7),
    ],
)
def test_one_line_of_each_language_is_read(line: str, path: str, number: int) -> None:
    assert parse_frames(line) == [TraceFrame(path, number)]


def test_pytest_shows_the_code_line_before_the_place() -> None:
    trace = "    def test_a():\n>       assert f(1) == 2\nE       assert 1 == 2\n\ntests/test_a.py:5: AssertionError"
    assert parse_frames(trace) == [TraceFrame("tests/test_a.py", 5, "assert f(1) == 2")]


def test_traces_that_start_with_the_innermost_call_are_turned_round() -> None:
    java = "java.lang.Error\n\tat a.Inner.run(Inner.java:1)\n\tat a.Outer.run(Outer.java:2)"
    assert [frame.line for frame in parse_frames(java)] == [2, 1]
    python = 'Traceback\n  File "outer.py", line 2\n  File "inner.py", line 1'
    assert [frame.line for frame in parse_frames(python)] == [2, 1]


def test_lines_without_a_place_give_none() -> None:
    assert parse_frames("expected 3: got 4\n12\nat (:1)\na.py:0\nx.py:12345678\n> \n") == []


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "(",
        " ",
        "a:",
        "(a",
        "at ",
        "in ",
        '"',
        "a.b.",
        "File ",
        "> ",
        "[a",
        ":1",
        "a:b(",
        "file:/",
        "C:\\",
    ],
)
def test_hostile_lines_cost_linear_time(piece: str) -> None:
    trace = "\n".join([piece * 2_000] * 2_000)
    started = time.process_time()
    parse_frames(trace)
    # far from the 0.1 s it takes; a pattern that backtracks takes minutes
    assert time.process_time() - started < 10


@given(st.text())
def test_any_text_gives_frames_with_lines(trace: str) -> None:
    assert all(frame.line > 0 and frame.path for frame in parse_frames(trace))


@pytest.mark.parametrize(
    ("line", "path", "number"),
    [
        ("(in test file test/kite.bats, line 4)", "test/kite.bats", 4),
        ("  at t/kite.t line 2.", "t/kite.t", 2),
        ("Error in /srv/kite.php on line 7", "/srv/kite.php", 7),
        ("at Context.eval (webpack://shop/./e2e/kite.ts:5:9)", "e2e/kite.ts", 5),
        ("at webpack:///./src/kite.js:5:9", "src/kite.js", 5),
    ],
)
def test_a_place_in_words_or_behind_the_name_of_a_bundle_is_a_frame(
    line: str, path: str, number: int
) -> None:
    assert [(frame.path, frame.line) for frame in parse_frames(line)] == [(path, number)]
