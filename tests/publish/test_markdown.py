import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core import Conclusion, Finding, Frame, Location, Reason, Rejected, Review, Severity, Side
from reviewbot.publish.markdown import LIMIT, markdown_ledger, render_markdown
from tests.publish import finding, review, rich_review, row
from tests.publish.rendered import read

EVIL = (
    "![x](https://example.com/a.png) @octocat fixes #5 <img src=x> </details> | ``` "
    "\n# head\u202e :tada: \x1b[1m"
)


@pytest.mark.parametrize(
    ("conclusion", "first"),
    [
        (Conclusion.PASS, "### ✅ pass: nothing blocks, the one file is read"),
        (Conclusion.FAIL, "### ❌ fail: 1 finding blocks this change"),
        (Conclusion.INCOMPLETE, "### ⚠️ incomplete (neutral): the file is too large"),
    ],
)
def test_the_first_line_is_the_verdict_and_why(conclusion: Conclusion, first: str) -> None:
    made = review(
        finding(1),
        blocking=int(conclusion is Conclusion.FAIL),
        conclusion=conclusion,
        reasons=(Reason("unreviewed", "the file is too large"),),
    )
    assert render_markdown(made).split("\n")[0] == first


def test_a_review_without_findings_is_three_lines() -> None:
    assert render_markdown(review()) == (
        "### ✅ pass: nothing blocks, the one file is read\n\n1 file: 1 reviewed · +10 \u22122\n"
    )


def test_a_blocking_finding_has_everything_to_act_on() -> None:
    text = render_markdown(
        review(finding(1, message="Pass a list instead.", note="Seen before."), blocking=1)
    )
    assert (
        "**high** `app/run.py:10` `subprocess` call with `shell=True` identified, security issue"
        " (`ruff/S602`)\n\n"
        "Pass a list instead.\n\n"
        "```text\n"
        "   8 | def run(cmd):\n"
        "   9 |     log(cmd)\n"
        "> 10 |     subprocess.call(cmd, shell=True)\n"
        "  11 |\n"
        "  12 |     return 0\n"
        "```\n\n"
        "*Seen before.*\n"
    ) in text


def test_blocking_comes_first_and_the_rest_is_folded_away() -> None:
    text = render_markdown(rich_review())
    before, _, after = text.partition("<details>")
    assert "#### Blocking (2)" in before
    assert before.index("critical") < before.index("**high**")
    assert "<summary>6 advisory findings</summary>" in after
    assert "<summary>1 hint</summary>" in after
    assert "<summary>2 files not read</summary>" in after
    assert text.count("<details>") == text.count("</details>") == 3
    assert "test_ok` failed" in after
    assert "1 finding outside the diff, 1 silenced" in text
    assert "| `package-lock.json` | excluded | lock file |" in text
    assert "app/f3.py" not in text
    assert "- The model agents did not run: no credentials were found." in text
    assert "- 1 file was not reviewed." in text


def test_what_the_headline_said_is_not_repeated_as_the_only_reason() -> None:
    made = review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("no_credentials", "There was no key."),))
    assert render_markdown(made).count("There was no key") == 1


@pytest.mark.parametrize(
    ("made", "heading"),
    [
        (review(finding(1), blocking=1, reasons=(Reason("refused", "It was refused."),)), "Also incomplete"),
        (
            review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("a", "A."), Reason("b", "B."))),
            "Why incomplete",
        ),
    ],
)
def test_what_is_missing_is_not_told_as_the_reason_of_a_fail(made: Review, heading: str) -> None:
    assert f"\n**{heading}**\n" in render_markdown(made)


def test_what_goes_on_with_the_headline_has_no_title() -> None:
    long = Reason("x", f"No key is set. Set one {'or another ' * 30}here.")
    text = render_markdown(review(conclusion=Conclusion.INCOMPLETE, reasons=(long,)))
    assert text.startswith("### ⚠️ incomplete (neutral): No key is set\n\n- Set one or another")
    assert "Why incomplete" not in text


def test_a_reason_of_ours_stands_whole_beside_the_ledger() -> None:
    why = "security: the answer was not of the form that is asked for"
    assert f"1 not reviewed ({why})" in render_markdown(review(rows=(row("a.py", "unreviewed", why, ()),)))


def test_lines_of_the_base_are_called_deleted() -> None:
    made = review(finding(1, location=Location("a.py", 3, 3, Side.LEFT)), blocking=1)
    assert "`a.py:3` (deleted)" in render_markdown(made)


def test_a_finding_without_a_place_that_blocks_is_shown() -> None:
    text = render_markdown(
        review(finding(1, location=None, frame=None, in_diff=False, title="t failed"), blocking=1)
    )
    assert "**high** t failed (`ruff/S602`)" in text


def test_more_than_25_findings_are_one_line_each() -> None:
    text = render_markdown(review(*(finding(n, Severity.MEDIUM, title=f"Advice {n}.") for n in range(1, 41))))
    assert text.count("```text") == 25
    assert text.count("\n- **medium**") == 15
    assert all(f"Advice {n}." in text for n in range(1, 41))


def test_a_review_of_any_size_fits_into_a_comment_and_counts_the_rest() -> None:
    many = [
        finding(n, message="words " * 300, title="a_b| " * 60, frame=Frame(10 * n, ("`x" * 99,) * 20))
        for n in range(1, 400)
    ]
    rows = tuple(row(f"{n}/{'a|' * 300}", "unreviewed", "b|" * 200) for n in range(900))
    reasons = tuple(Reason("c", f"{n} " + "c|" * 400) for n in range(99))
    made = review(*many, blocking=200, rows=rows, reasons=reasons, notes=("d_|" * 300,) * 50)
    text = render_markdown(made)
    assert len(text) < LIMIT
    assert text.startswith("### ❌ fail: 200 findings block this change\n")
    assert "#### Blocking (200)" in text
    assert re.search(r"… and \d+ more in `report.json`", text)
    assert text.count("<details>") == text.count("</details>")
    assert read(text).links == []


def test_a_large_but_ordinary_review_still_shows_findings() -> None:
    made = review(*(finding(n, message="why it matters, " * 20) for n in range(1, 300)), blocking=299)
    text = render_markdown(made)
    assert len(text) < LIMIT
    assert text.count("```text") >= 10


def test_hostile_text_in_every_field_stays_text() -> None:
    made = review(
        finding(
            1,
            title=EVIL,
            message=EVIL,
            rule=EVIL,
            tool=EVIL,
            note=EVIL,
            location=Location(EVIL, 9, 9),
            frame=Frame(8, (EVIL, EVIL)),
        ),
        finding(2, Severity.LOW, title=EVIL, message=EVIL, location=Location(EVIL, 9, 9)),
        finding(3, Severity.INFO, title=EVIL),
        blocking=1,
        rows=(row(EVIL, "unreviewed", EVIL), row(EVIL, "excluded", EVIL)),
        reasons=(Reason("x", EVIL), Reason("y", EVIL)),
        notes=(EVIL,),
        rejected=(Rejected(EVIL, EVIL, EVIL, EVIL),),
    )
    text = render_markdown(made)
    seen = read(text)
    assert (seen.links, seen.foreign_html) == ([], [])
    assert text.count("<details>") == 3
    assert len(re.findall(r"^</details>$", text, re.MULTILINE)) == 3
    assert "\u202e" not in text
    assert "\x1b" not in text


@given(
    st.lists(
        st.sampled_from(
            ["@a", "#1", "`", "```", "\n", "|", "<b>", "- ", "[x](y)", "a", " ", "\u2028", "\ud800"]
        ),
        max_size=10,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_field_breaks_out_of_its_place(parts: list[str]) -> None:
    said = "".join(parts)
    made = review(
        finding(1, title=said, message=said, note=said, frame=Frame(9, (said, said))),
        finding(2, Severity.MEDIUM, title=said, trace=said),
        finding(3, Severity.LOW, title=said),
        blocking=1,
        rows=(row(said or "a", "excluded", said),),
        notes=(said,),
    )
    seen = read(render_markdown(made))
    assert (seen.links, seen.foreign_html) == ([], [])
    assert len([code for code in seen.code if "\n" in code]) == 2 + bool(said)
    assert {"table_open", "heading_open"} <= seen.kinds
    assert "1 file: 1 excluded" in seen.prose


def test_the_ledger_is_one_line() -> None:
    rows = (row("a"), row("b", by=("detect-secrets",)), row("c", "excluded", "lock file"))
    assert markdown_ledger(review(rows=rows)) == (
        "3 files: 2 reviewed, 1 excluded (lock file) · +30 \u22126 · the secret scan"
        " alone read 50% of the added lines"
    )


def test_a_low_finding_before_one_with_a_remark_is_not_lost() -> None:
    made = review(
        finding(1, Severity.LOW, title="First one"),
        finding(2, Severity.LOW, title="Second one", note="Seen."),
    )
    text = render_markdown(made)
    assert (text.count("First one"), text.count("Second one")) == (1, 1)


def test_names_and_titles_that_grow_when_escaped_leave_room_for_what_blocks() -> None:
    def hostile(number: int) -> Finding:
        return finding(
            number,
            location=Location(f"{number}{'|' * 230}.py", 10, 10),
            title="a|||| " * 40,
            message="a| " * 400,
        )

    text = render_markdown(review(*(hostile(n) for n in range(1, 200)), blocking=100))
    assert len(text) < LIMIT
    assert text.count("**high**") >= 3
    assert re.search(r"… and \d+ more in `report.json`", text)


def test_on_a_pull_request_a_command_can_name_each_finding() -> None:
    made = rich_review()
    on_a_pull_request = replace(made, trigger=replace(made.trigger, pull_number=7))
    blocking = [f.fingerprint for f in made.findings if f.fingerprint in made.verdict.blocking]
    assert blocking
    assert all(f"`{name}`" in render_markdown(on_a_pull_request) for name in blocking)
    assert not any(name in render_markdown(made) for name in blocking)
