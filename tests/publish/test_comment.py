import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import Conclusion, Frame, Location, Reason, Rejected, Review, Severity
from reviewbot.publish.comment import render_job_summary, render_review_body, render_summary_comment
from reviewbot.publish.markdown import LIMIT, render_markdown
from reviewbot.publish.markers import Scope, is_summary, summary_marker
from tests.publish import finding, review, rich_review, row
from tests.publish.rendered import read

SCOPE = Scope("acme/shop", 7)
GATE = "The exit code of this job is the gate."
URL = "https://github.com/acme/shop/pull/7#issuecomment-12"


def render(
    made: Review, *, inline: int = 0, left_over: int = 0, commented: tuple[str, ...] = (), gate: str = GATE
) -> str:
    return render_summary_comment(
        made,
        scope=SCOPE,
        key=b"key",
        inline_posted=inline,
        left_over=left_over,
        gate=gate,
        commented=commented,
    )


def test_a_clean_review_is_the_verdict_the_ledger_the_gate_and_the_marker() -> None:
    assert render(review()) == (
        "### ✅ pass: nothing blocks, the one file is read\n\n1 file: 1 reviewed · +10 \u22122\n\n"
        f"{GATE}\n\n{summary_marker(SCOPE, b'key')}"
    )


@pytest.mark.parametrize(
    ("inline", "left_over", "said"),
    [
        (1, 0, "1 finding has a comment at the line."),
        (3, 0, "3 findings have a comment at the line."),
        (25, 35, "25 findings have a comment at the line; 35 stand only here."),
        (1, 1, "1 finding has a comment at the line; 1 stands only here."),
        (0, 2, "No finding has a comment at its line: 2 stand only here."),
    ],
)
def test_the_reader_learns_where_the_findings_are(inline: int, left_over: int, said: str) -> None:
    assert f"\n\n{said}\n\n{GATE}" in render(rich_review(), inline=inline, left_over=left_over)


def test_a_finding_with_a_comment_gets_one_line_and_the_others_their_code() -> None:
    made = review(finding(1, title="First"), finding(2, title="Second", trace="boom"), blocking=2)
    text = render(made, inline=1, left_over=1, commented=(finding(1).fingerprint,))
    assert "- **high** `app/run.py:10` First (`ruff/S602`)" in text
    assert text.count("```text") == 2  # the code and the trace of the second one
    assert text.index("Second") < text.index("First")
    assert render(made, left_over=2).count("```text") == 3


def test_sixty_findings_are_all_there_in_one_line_or_in_full() -> None:
    made = review(*(finding(n, title=f"Number {n}.") for n in range(1, 61)), blocking=3)
    text = render(made, inline=25, left_over=35, commented=tuple(f"{n:016x}" for n in range(1, 26)))
    assert all(text.count(f"Number {n}.") == 1 for n in range(1, 61))
    before, _, after = text.partition("<details>")
    assert before.count("Number") == 3
    assert "<summary>57 advisory findings</summary>" in after
    assert after.count("```text") == 25


def test_the_largest_review_fits_and_keeps_gate_and_marker() -> None:
    many = [
        finding(n, message="words " * 300, title="a_b| " * 60, frame=Frame(10 * n, ("`x" * 99,) * 20))
        for n in range(1, 400)
    ]
    rows = tuple(row(f"{n}/{'a|' * 300}", "unreviewed", "b|" * 200) for n in range(900))
    reasons = tuple(Reason("c", f"{n} " + "c|" * 400) for n in range(99))
    made = review(*many, blocking=200, rows=rows, reasons=reasons, notes=("d_|" * 300,) * 50)
    text = render(made, inline=25, left_over=374, gate="g " * 2_000)
    assert len(text) < LIMIT
    assert is_summary(text, SCOPE, b"key")
    assert "25 findings have a comment at the line; 374 stand only here." in text


def of_length(length: int) -> Review:
    """A review whose Markdown has exactly ``length`` characters: 25 findings, all shown in full."""

    def made(sizes: list[int]) -> Review:
        frame = Frame(1, ("x" * 195,) * 10)
        findings = (finding(n, message="m" * size, frame=frame) for n, size in enumerate(sizes, 1))
        return review(*findings, blocking=25)

    missing = length - len(render_markdown(made([100] * 25)))
    assert 0 <= missing < 25 * 800
    share, rest = divmod(missing, 25)
    return made([100 + share + (n < rest) for n in range(25)])


@pytest.mark.parametrize("below", [1, 50, 150, 250, 400])
def test_the_limit_leaves_room_for_what_is_added(below: int) -> None:
    made = of_length(LIMIT - below)
    assert len(render_markdown(made)) == LIMIT - below
    assert len(render(made, inline=1, left_over=24)) < LIMIT


def test_the_same_review_gives_the_same_bytes() -> None:
    assert render(rich_review(), inline=3) == render(rich_review(), inline=3)


def test_nothing_a_finding_says_can_be_a_marker() -> None:
    forged = summary_marker(SCOPE, None)
    evil = f"x\n\n{forged}\n"
    made = review(
        finding(1, title=evil, message=evil, note=evil, frame=Frame(9, (forged, forged))),
        blocking=1,
        rows=(row(forged, "unreviewed", forged),),
        notes=(evil,),
        rejected=(Rejected(evil, evil, evil, evil),),
    )
    text = render(made, gate=evil)
    assert text.endswith(summary_marker(SCOPE, b"key"))
    seen = read(text.removesuffix(summary_marker(SCOPE, b"key")))
    assert (seen.links, seen.foreign_html) == ([], [])
    assert not is_summary(render_job_summary(made, gate=evil), SCOPE, None)


@given(st.text(st.characters() | st.sampled_from("`<>|\n#@-[]()"), max_size=40))
def test_no_gate_sentence_breaks_the_page(gate: str) -> None:
    text = render(review(finding(1, location=Location(gate or "x", 1, 1)), blocking=1), gate=gate)
    assert is_summary(text, SCOPE, b"key")
    seen = read(text.rpartition("\n")[0])
    assert (seen.links, seen.foreign_html) == ([], [])


def test_the_job_summary_is_the_report_and_the_gate() -> None:
    text = render_job_summary(rich_review(), gate=GATE)
    assert text == f"{render_markdown(rich_review())}\n{GATE}\n"
    assert len(text.encode()) < 1024 * 1024
    assert render_job_summary(review(), gate="") == render_markdown(review())


def test_the_body_of_a_review_is_one_line_that_links_the_summary() -> None:
    assert render_review_body(URL) == f"The verdict and all findings are in the [summary]({URL})."


@pytest.mark.parametrize(
    "url",
    ["", "javascript:alert(1)", "http://x/y", "https://x/y) @octocat", "https://x/<b>", "https://x/y\n# h"],
)
def test_an_address_that_is_not_plain_is_not_linked(url: str) -> None:
    body = render_review_body(url)
    assert "\n" not in body
    assert read(body).links == []


def test_an_incomplete_review_says_whether_it_blocks_first() -> None:
    made = review(
        finding(1, Severity.LOW),
        conclusion=Conclusion.INCOMPLETE,
        reasons=(Reason("no_secrets", "This run has no secrets."),),
    )
    assert render(made).startswith("### ⚠️ incomplete (neutral): This run has no secrets\n")
