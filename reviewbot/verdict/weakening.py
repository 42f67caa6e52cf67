"""Whether an edit makes a test say less: recognised in code, whatever a model says of it. Pure.

Counts of what tests are made of, before and after, with comments taken out: that sees a test that is
deleted, skipped or commented out, an assertion that goes or grows loose, an error that is swallowed.
A changed expectation (``== 3`` to ``== 4``) is no weakening: it says as much as before.
"""

import re
from collections.abc import Iterator

from reviewbot.claims import Edit
from reviewbot.testlike import is_test_path

_RUN_PATH = re.compile(
    r"(?:^|/)(?:pytest\.ini|tox\.ini|noxfile\.py|setup\.cfg|pyproject\.toml|conftest\.py|Makefile|"
    r"package\.json|"
    r"(?:jest|vitest)\.config\.\w+|pom\.xml|build\.gradle(?:\.kts)?|phpunit\.xml(?:\.dist)?|"
    r"\.rspec|Cargo\.toml)$|"
    r"^\.github/workflows/"
)

TESTS = re.compile(
    r"^[ \t]*(?:async )?def test\w*|^[ \t]*(?:it|test|specify|scenario|describe|"
    r"context)(?:\.\w{1,20}){0,3}[ \t]?"
    r"[(\"'`]|^func (?:Test|Fuzz)\w+|#\[(?:\w+::)?test\b|@(?:Test|ParameterizedTest|RepeatedTest|"
    r"Theory|Fact)\b|"
    r"^[ \t]*(?:public )?function test\w*|\[(?:Test|Fact|Theory|TestMethod)\b",
    re.MULTILINE,
)
_ASSERTIONS = re.compile(
    r"\bassert\b|\bassert[A-Z_]\w*|\bself\.(?:assert|fail)\w*|\bexpect\b ?[({]|\bshould\b|"
    r"\b(?:require|assert|check)\.\w+\(|\bt\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\(|"
    r"\bpytest\.(?:raises|warns|fail)\b|\bdebug_assert|\$this->assert\w+|\bAssert\.\w+|\bverify\("
)
_STRICT = re.compile(
    r"(?<![=!<>])={2,3}(?!=)|\bis (?:not )?\w|\bassert(?:Equals?|_eq|Same|Is|DictEqual|ListEqual|"
    r"StrictEquals|ArrayEquals)\b|"
    r"\.(?:toBe|toEqual|toStrictEqual|toMatchObject|isEqualTo|equal|eql|deepEqual|strictEqual|"
    r"Equal|Same)\(|"
    r"\bassert_(?:eq|equal|same)!?|\bEqual\(|\beq\(|\bisEqualTo\("
)
_BROAD = re.compile(
    r"(?:raises|assertRaises|toThrow|assertThrows|raise_error|expectException)\w*\(?\s{0,4}"
    r"(?:\(?\s{0,4}(?:Base)?Exception\b|Throwable|Error\b)"
)
_COUNTED = {
    "it skips or narrows tests": re.compile(
        r"\bpytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b|\bunittest\.(?:skip\w*|"
        r"expectedFailure)\b|"
        r"\bskipTest\(|\bSkipTest\b|^[ \t]*@(?:skip\w*|expectedFailure|xfail)\b|\.(?:skip|skipIf|"
        r"todo|only|failing)\b ?[(\[]|"
        r"\bx(?:it|describe|test|specify|context)\b ?[(\"' ]|\bf(?:it|describe)\(|\bt\.(?:Skip|"
        r"Skipf|SkipNow)\(|#\[ignore\b|"
        r"@(?:Disabled|Ignore)\b|\bmarkTest(?:Skipped|Incomplete)\(|^[ \t]*(?:pending|"
        r"skip)\b(?! *[=:])|"
        r"\[Ignore\b|Skip ?= ?\"|\breturn unittest\.skip",
        re.MULTILINE,
    ),
    "it makes an assertion that is always true": re.compile(
        r"\bassert \(?(?:True|1|not False)\b(?! *[=!<>])|\bor True\b|\|\| ?true\b|"
        r"\bassertTrue\((?:True|true)\)|"
        r"expect\(true\)\.|\bassert!\(true\b|\bassert\(true\b"
    ),
    "it swallows an error": re.compile(
        r"\bexcept\b[^\n]{0,200}:\s{0,200}(?:pass\b|\.\.\.)|\bsuppress\(|"
        r"\bcatch\b ?(?:\([^)\n]{0,200}\))? ?\{\s{0,200}\}|"
        r"\.catch\(\(\w{0,20}\) ?=> ?\{\s{0,200}\}\)|\brescue\b[^\n]{0,200}\n\s{0,200}(?:nil|end)\b"
    ),
    "it switches code off": re.compile(
        r"\bif (?:False|0)\b|\bif ?\((?:false|0)\)|#if 0\b|"
        r"cfg\(any\(\)\)"
    ),
    "it accepts any error": _BROAD,
    "it loosens an assertion to a tolerance": re.compile(
        r"\bapprox\(|\bassertAlmostEqual|\bdelta ?=|\bplaces ?=|\.toBeCloseTo\(|\bbe_within\(|"
        r"\bInDelta\(|mock\.ANY\b|"
        r"expect\.any\(|expect\.anything\("
    ),
    "it retries a test": re.compile(
        r"\bmark\.flaky\b|^[ \t]*@(?:flaky|retry)\b|\bretryTimes\(|--reruns\b|"
        r"\brerunFailingTestsCount\b|\bretries ?[:=]",
        re.MULTILINE,
    ),
}
_LEFT_OUT = re.compile(
    r"--(?:ignore|deselect)\b|\bcollect_ignore|testPathIgnorePatterns|continue-on-error: *true|\|"
    r"\| *true\b|"
    r"-DskipTests|-Dmaven\.test\.skip|maven\.test\.failure\.ignore|ignoreFailures|-k ['\"]?not |"
    r"--exit-zero|--passWithNoTests|"
    r"\bnorecursedirs|\bset \+e\b"
)
_KNOWS_TESTS = re.compile(
    r"PYTEST_CURRENT_TEST|['\"](?:pytest|unittest)['\"] in sys\.modules|"
    r"NODE_ENV['\"\])]{0,3} ?={2,3} ?['\"]test['\"]|"
    r"JEST_WORKER_ID|\btesting\.Testing\(\)|\bcfg!\(test\)|process\.env\.VITEST\b"
)


def find_weakening(edit: Edit, head: str) -> tuple[str, ...]:
    """How ``edit`` makes the tests of a file with the text ``head`` say less; empty where it does not."""
    return compare_tests(edit.path, head, head.replace(edit.find, edit.replace))


def compare_tests(path: str, before: str, after: str) -> tuple[str, ...]:
    """In which ways the tests of a file say less after a change than before, as clauses."""
    return tuple(dict.fromkeys(_compare(path, _without_comments(before), _without_comments(after))))


def _compare(path: str, before: str, after: str) -> Iterator[str]:
    def more(pattern: re.Pattern[str]) -> int:
        return _count(pattern, after) - _count(pattern, before)

    if _RUN_PATH.search(path) and more(_LEFT_OUT) > 0:
        yield "it leaves tests or their failures out of the run"
    if more(_KNOWS_TESTS) > 0:
        yield "it makes the code behave differently under test"
    if not is_test_path(path) and not TESTS.search(before):
        return
    if more(TESTS) < 0:
        yield "it takes away a test"
    yield from (what for what, pattern in _COUNTED.items() if more(pattern) > 0)
    fewer, looser = more(_ASSERTIONS) < 0, more(_STRICT) < 0
    if fewer:
        yield "it takes away an assertion"
    elif looser:
        yield "it loosens an assertion"


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def _without_comments(text: str) -> str:
    """The text without what does not run: whole-line comments, block comments and strings of many lines."""
    for start, end in (('"""', '"""'), ("'''", "'''"), ("/*", "*/"), ("\n=begin", "\n=end")):
        text = _without_blocks(text, start, end)
    rows = (line for line in text.split("\n"))
    return "\n".join(line for line in rows if not _is_comment(line.lstrip()))


def _is_comment(line: str) -> bool:
    return line.startswith(("//", "--", "rem ")) or (
        line.startswith("#") and not line.startswith(("#[", "#if"))
    )


def _without_blocks(text: str, start: str, end: str) -> str:
    """Without everything between the two marks; a mark that nothing closes stays."""
    kept, at = [], 0
    while (first := text.find(start, at)) >= 0:
        last = text.find(end, first + len(start))
        if last < 0:
            break
        kept.append(text[at:first])
        at = last + len(end)
    return "".join(kept) + text[at:]
