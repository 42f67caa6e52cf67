import re

import pytest
from rich.cells import cell_len
from rich.text import Text

from reviewbot.core import Conclusion, Frame, Location, Reason, Severity
from reviewbot.publish.terminal import render_terminal
from tests.publish import finding, review, rich_review, row

EVIL = "::error file=x::y [red]z[/red] ##[error] \x1b]0;t\x07 \u202e \r :tada: https://example.com"


def test_a_review_without_findings_is_two_facts() -> None:
    assert render_terminal(review(), width=80, color=False) == (
        "1 file: 1 reviewed; +10 -2\n\nPASS: nothing blocks, the one file is read\n"
    )


def test_a_finding_shows_its_code_with_the_flagged_line_marked() -> None:
    text = render_terminal(
        review(finding(1, message="Pass a list.", note="Seen."), blocking=1), width=80, color=False
    )
    assert text.startswith(
        "Blocking (1)\n"
        "\n"
        "high     app/run.py:10  ruff/S602\n"
        "  `subprocess` call with `shell=True` identified, security issue\n"
        "     8 | def run(cmd):\n"
        "     9 |     log(cmd)\n"
        "  > 10 |     subprocess.call(cmd, shell=True)\n"
        "    11 |\n"
        "    12 |     return 0\n"
        "  Pass a list.\n"
        "  note: Seen.\n"
    )


def test_blocking_comes_first_and_the_verdict_last() -> None:
    text = render_terminal(rich_review(), width=80, color=False)
    order = [
        "Blocking (2)",
        "critical app/run.py:20",
        "high     app/run.py:10",
        "Advisory (6)",
        "note: silenced by a comment that this change adds: ignored",
        "Not shown: 1 hint of severity info, 1 finding outside the diff",
        "12 files: 10 reviewed",
        "The model agents did not run",
        "FAIL: 2 findings block this change",
        "  1 file was not reviewed.",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.endswith("  1 file was not reviewed.\n")
    assert "C901" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("color", [True, False])
def test_lines_fit_the_width_but_for_headings_with_a_path(width: int, color: bool) -> None:
    long = finding(1, message="many words " * 40, frame=Frame(9, ("x" * 300, "界" * 100)), note="n " * 90)
    text = render_terminal(review(long, notes=("word " * 60,)), width=width, color=color)
    lines = Text.from_ansi(text).plain.split("\n")
    assert all(cell_len(line) <= width for line in lines if "app/run.py" not in line)
    assert any(line.endswith("...") for line in lines)


def test_plain_text_is_ascii_but_for_the_letters_of_the_change() -> None:
    assert render_terminal(rich_review(60), width=80, color=False).isascii()
    long = review(finding(1, title="word " * 99, frame=Frame(9, ("grün", "x" * 400))))
    text = render_terminal(long, width=300, color=False)
    assert text.replace("ü", "").isascii()
    assert "grün" in text


def test_the_coloured_text_says_the_same_words() -> None:
    made = rich_review(5)
    coloured = render_terminal(made, width=80, color=True)
    assert "\x1b[" in coloured
    assert "\x1b[" not in render_terminal(made, width=80, color=False)
    plain = Text.from_ansi(coloured).plain.rstrip("\n")
    assert [line.rstrip() for line in plain.split("\n")] == render_terminal(
        made, width=80, color=False
    ).rstrip("\n").split("\n")


def test_only_the_first_twenty_findings_show_code_and_none_is_missing() -> None:
    made = review(*(finding(n, Severity.MEDIUM, title=f"Advice {n}.") for n in range(1, 61)))
    text = render_terminal(made, width=80, color=False)
    assert text.count("def run(cmd):") == 20
    assert all(f"Advice {n}." in text for n in range(1, 61))
    assert "medium   app/run.py:600  ruff/S602  Advice 60.\n" in text


def test_every_blocking_finding_shows_its_code() -> None:
    made = review(*(finding(n) for n in range(1, 31)), blocking=30)
    assert render_terminal(made, width=80, color=False).count("def run(cmd):") == 30


def test_an_incomplete_review_says_its_one_reason_once() -> None:
    made = review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("no_credentials", "There was no key."),))
    text = render_terminal(made, width=80, color=False)
    assert text.endswith("INCOMPLETE (neutral): There was no key\n")


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("width", range(40, 70))
def test_hostile_text_drives_neither_the_terminal_nor_a_runner(color: bool, width: int) -> None:
    made = review(
        finding(
            1,
            title=EVIL,
            message=EVIL * 3,
            rule=EVIL,
            tool=EVIL,
            note=EVIL,
            location=Location(f"::warning::{EVIL}", 9, 9),
            frame=Frame(8, (EVIL, EVIL)),
        ),
        finding(2, Severity.LOW, title=EVIL),
        blocking=1,
        rows=(row("a", "excluded", EVIL),),
        reasons=(Reason("x", EVIL), Reason("y", EVIL)),
        notes=(EVIL, "::" * 100),
    )
    text = render_terminal(made, width=width, color=color)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", bare)
    assert not re.search(r"^\s*::", bare, re.MULTILINE)
    assert "##[" not in bare
    assert "[red]z[/red]" in bare
    assert ":tada:" in bare


def test_a_width_too_small_to_read_is_raised() -> None:
    assert render_terminal(rich_review(), width=0, color=False) == render_terminal(
        rich_review(), width=40, color=False
    )


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render_terminal(rich_review(), width=80, color=True)
    for name, value in (("NO_COLOR", "1"), ("COLUMNS", "33"), ("TERM", "dumb"), ("FORCE_COLOR", "1")):
        monkeypatch.setenv(name, value)
    assert render_terminal(rich_review(), width=80, color=True) == before


def test_low_advice_is_one_line_and_low_blockers_have_their_code() -> None:
    made = review(finding(1, Severity.LOW), finding(2, Severity.LOW), blocking=1)
    assert render_terminal(made, width=80, color=False).count("def run(cmd):") == 1


def test_an_incomplete_review_that_blocks_says_so() -> None:
    made = review(
        conclusion=Conclusion.INCOMPLETE, reasons=(Reason("unreviewed", "A file is too large."),), exit_code=1
    )
    assert "INCOMPLETE (blocks): A file is too large" in render_terminal(made, width=80, color=False)


def test_a_low_finding_before_one_with_a_remark_is_not_lost() -> None:
    made = review(
        finding(1, Severity.LOW, title="First."), finding(2, Severity.LOW, title="Second.", note="Seen.")
    )
    text = render_terminal(made, width=120, color=False)
    assert (text.count("First."), text.count("Second.")) == (1, 1)
