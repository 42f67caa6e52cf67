import json
from pathlib import Path

import pytest

from reviewbot.claims import Edit
from reviewbot.verdict.weakening import compare_tests, find_weakening

PYTHON = """\
import pytest

class TestCalc:
    def test_adds(self):
        result = add(1, 2)
        assert result == 3

    def test_raises(self):
        with pytest.raises(ValueError):
            add(None, 2)
"""
SCRIPT = """\
describe('math', () => {
  it('adds', () => { expect(add(1, 2)).toBe(3); });
  it('keeps', () => { expect(add(0, 2)).toEqual(2); });
});
"""
JAVA = """\
class CalcTest {
  @Test void adds() { assertEquals(3, add(1, 2)); }
}
"""
GO = 'func TestAdd(t *testing.T) {\n\tif add(1, 2) != 3 {\n\t\tt.Errorf("no")\n\t}\n}\n'
RUST = "fn add() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn adds() { assert_eq!(add(1, 2), 3); }\n}\n"


@pytest.mark.parametrize(
    ("path", "text", "find", "replace", "reason"),
    [
        ("tests/test_a.py", PYTHON, "def test_adds", "def check_adds", "it takes away a test"),
        ("tests/test_a.py", PYTHON, "    def test_adds", "    @pytest.mark.skip\n    def test_adds", "it skips"),
        ("tests/test_a.py", PYTHON, "    def test_adds", "    @pytest.mark.xfail\n    def test_adds", "it skips"),
        ("tests/test_a.py", PYTHON, "result = add", "pytest.skip('x')\n        result = add", "it skips"),
        ("tests/test_a.py", PYTHON, "        assert result == 3\n", "", "it takes away an assertion"),
        ("tests/test_a.py", PYTHON, "assert result == 3", "# assert result == 3", "it takes away an assertion"),
        ("tests/test_a.py", PYTHON, "assert result == 3", '"""assert result == 3"""', "it takes away an assertion"),
        ("tests/test_a.py", PYTHON, "assert result == 3", "assert result >= 2", "it loosens an assertion"),
        ("tests/test_a.py", PYTHON, "assert result == 3", "assert result", "it loosens an assertion"),
        ("tests/test_a.py", PYTHON, "assert result == 3", "assert result == 3 or True", "always true"),
        ("tests/test_a.py", PYTHON, "assert result == 3", "assert True", "always true"),
        ("tests/test_a.py", PYTHON, "== 3", "== pytest.approx(3, abs=9)", "a tolerance"),
        ("tests/test_a.py", PYTHON, "raises(ValueError)", "raises(Exception)", "accepts any error"),
        ("tests/test_a.py", PYTHON, "result = add(1, 2)", "try:\n            add()\n        except Exception:\n            pass", "swallows"),
        ("tests/test_a.py", PYTHON, "    def test_adds", "    @pytest.mark.flaky\n    def test_adds", "retries"),
        ("a/x.test.ts", SCRIPT, "it('adds'", "it.skip('adds'", "it skips"),
        ("a/x.test.ts", SCRIPT, "it('adds'", "it.only('adds'", "it skips"),
        ("a/x.test.ts", SCRIPT, "it('adds'", "xit('adds'", "it "),
        ("a/x.test.ts", SCRIPT, ".toBe(3)", ".toBeTruthy()", "it loosens an assertion"),
        ("a/x.test.ts", SCRIPT, "  it('adds', () => { expect(add(1, 2)).toBe(3); });\n", "", "it takes away a test"),
        ("a/x.test.ts", SCRIPT, "describe('math'", "/* describe('math' */ void ('math'", "it takes away a test"),
        ("src/test/java/CalcTest.java", JAVA, "@Test", "@Disabled @Test", "it skips"),
        ("src/test/java/CalcTest.java", JAVA, "assertEquals(3, add(1, 2))", "assertNotNull(add(1, 2))", "loosens"),
        ("calc_test.go", GO, "\tif add", "\tt.Skip()\n\tif add", "it skips"),
        ("calc_test.go", GO, "t.Errorf", "t.Logf", "it takes away an assertion"),
        ("src/lib.rs", RUST, "#[test]", "#[test]\n    #[ignore]", "it skips"),
        ("src/lib.rs", RUST, "assert_eq!(add(1, 2), 3)", "assert!(add(1, 2) > 0)", "it loosens an assertion"),
        ("pytest.ini", "[pytest]\naddopts = -q\n", "-q", "-q --deselect tests/test_a.py", "out of the run"),
        (".github/workflows/ci.yml", "run: pytest\n", "run: pytest", "run: pytest || true", "out of the run"),
        ("src/app.py", "import sys\n", "import sys", "import sys\nif 'pytest' in sys.modules: pass", "under test"),
    ],
)  # fmt: skip
def test_an_edit_that_makes_a_test_say_less_is_recognised(
    path: str, text: str, find: str, replace: str, reason: str
) -> None:
    assert text.count(find) == 1
    assert reason in "; ".join(find_weakening(Edit(path, find, replace), text))


@pytest.mark.parametrize(
    ("path", "text", "find", "replace"),
    [
        ("tests/test_a.py", PYTHON, "== 3", "== 4"),
        ("tests/test_a.py", PYTHON, "add(1, 2)", "add(1, 2, strict=True)"),
        ("tests/test_a.py", PYTHON, "def test_adds", "def test_adds_two"),
        ("tests/test_a.py", PYTHON, "raises(ValueError)", "raises(TypeError)"),
        ("tests/test_a.py", PYTHON, "import pytest", "import pytest\n# a skip of sorts: pytest.skip()"),
        ("tests/test_a.py", PYTHON, "assert result == 3", "assert result == 3\n        assert result < 9"),
        ("a/x.test.ts", SCRIPT, "toBe(3)", "toBe(4)"),
        ("src/app.py", "def f(x):\n    assert x == 1\n    return x\n", "    assert x == 1\n", ""),
        ("src/app.py", "try:\n    f()\nexcept E:\n    raise\n", "    raise", "    pass"),
        ("pyproject.toml", "[project]\nname = 'x'\n", "'x'", "'y'"),
    ],
)
def test_an_edit_that_says_as_much_as_before_is_none(path: str, text: str, find: str, replace: str) -> None:
    assert text.count(find) == 1
    assert find_weakening(Edit(path, find, replace), text) == ()


def test_what_nothing_closes_is_no_comment() -> None:
    assert compare_tests("test_a.py", '"""\n' + PYTHON, '"""\n' + PYTHON.replace("assert", "print")) != ()


@pytest.mark.shared_data
def test_real_fixes_of_code_weaken_nothing(shared_data: Path) -> None:
    seen = 0
    for line in (shared_data / "ci_failures_python.jsonl").open(encoding="utf-8"):
        for path, before, after in hunks(json.loads(line)["fix_diff"]):
            seen += 1
            assert compare_tests(path, before, after) == (), path
    assert seen > 5


@pytest.mark.shared_data
def test_real_added_tests_taken_away_again_are_recognised(shared_data: Path) -> None:
    for line in (shared_data / "ci_failures_python.jsonl").open(encoding="utf-8"):
        record = json.loads(line)
        found = [compare_tests(path, after, before) for path, before, after in hunks(record["test_diff"])]
        assert any(found), record["id"]


def hunks(diff: str) -> list[tuple[str, str, str]]:
    """Path, text before and text after of each hunk."""
    path, found = "", []
    for line in diff.split("\n"):
        if line.startswith("+++ b/"):
            path = line[6:]
        elif line.startswith("@@"):
            found.append((path, "", ""))
        elif found and line[:1] in " +-" and not line.startswith("--- "):
            name, before, after = found[-1]
            before += "" if line.startswith("+") else line[1:] + "\n"
            after += "" if line.startswith("-") else line[1:] + "\n"
            found[-1] = (name, before, after)
    return found
