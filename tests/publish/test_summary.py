from dataclasses import replace

import pytest

from reviewbot.core import Conclusion, Coverage, Frame, Location, Reason, Review, Severity, Side, Suppression
from reviewbot.publish import summary
from tests.publish import finding, review, rich_review, row


def test_each_finding_is_in_one_group_and_blocking_wins() -> None:
    blocks_though_silenced = finding(1, suppression=Suppression.BASE, in_diff=False)
    others = (
        finding(2, Severity.LOW),
        finding(3, Severity.MEDIUM),
        finding(4, Severity.INFO),
        finding(5, Severity.INFO, in_diff=False),
        finding(6, suppression=Suppression.BASE),
        finding(7, status="dismissed"),
        finding(8, suppression=Suppression.CHANGE),
        finding(9, suppression=Suppression.EXTERNAL),
    )
    groups = summary.group_findings(review(blocks_though_silenced, *others, blocking=1))
    lines = {name: [f.evidence.id for f in getattr(groups, name)] for name in summary.Groups.__slots__}
    assert lines == {
        "blocking": ["e1"],
        "advisory": ["e8", "e9", "e3", "e2"],
        "hints": ["e4"],
        "elsewhere": ["e5"],
        "silenced": ["e6", "e7"],
        "deferred": [],
    }


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (review(finding(1), blocking=1), "1 finding blocks this change"),
        (review(finding(1), finding(2), blocking=2), "2 findings block this change"),
        (review(), "nothing blocks, the one file is read"),
        (review(rows=(row("a"), row("b"))), "nothing blocks, both files are read"),
        (review(rows=(row("a"), row("b", "excluded"))), "nothing blocks, 1 of 2 files read"),
        (review(rows=(row("b", "excluded"),)), "nothing to review, the one file is excluded"),
        (review(rows=()), "the change is empty"),
        (
            review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("no_credentials", "No key."),)),
            "No key",
        ),
        (
            review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("a", "One."), Reason("b", "Two."))),
            "One (and 1 more reason)",
        ),
        (review(conclusion=Conclusion.FAIL, reasons=(Reason("tests", "A test failed."),)), "A test failed"),
        (review(conclusion=Conclusion.INCOMPLETE), "no reason was given"),
    ],
)
def test_the_headline_says_why_in_one_clause(made: Review, said: str) -> None:
    assert summary.headline(made) == said


def test_the_ledger_counts_every_file_and_names_reasons() -> None:
    rows = (
        row("a"),
        row("b", by=("detect-secrets",)),
        row("c", "excluded", "lock file", ()),
        row("d", "excluded", "lock file", ()),
        row("e", "excluded", "binary\x1b", ()),
        row("f", "unreviewed", "too large", ()),
    )
    assert summary.ledger(Coverage(rows)) == summary.Ledger(
        "6 files: 2 reviewed, 3 excluded (2 lock file, 1 binary<U+001B>), 1 not reviewed (too large)",
        "+60 -12",
        "the secret scan alone read 50% of the added lines",
    )


@pytest.mark.parametrize(
    ("seen", "added", "said"),
    [
        (1, 1000, "the secret scan alone read 1% of the added lines"),
        (999, 1000, "the secret scan alone read 99% of the added lines"),
        (10, 10, "the secret scan alone read all added lines"),
        (0, 10, ""),
        (0, 0, ""),
    ],
)
def test_the_share_of_the_secret_scan_is_never_rounded_away(seen: int, added: int, said: str) -> None:
    rows = (
        replace(row("a"), added_lines=added - seen),
        replace(row("b", by=("detect-secrets",)), added_lines=seen),
    )
    assert summary.ledger(Coverage(rows)).secret_scan == said


def test_what_is_only_counted_is_counted_by_kind() -> None:
    made = rich_review()
    assert summary.not_shown(made, summary.group_findings(made)) == (
        "1 finding outside the diff",
        "1 silenced by comments that stood there before",
        "1 result rejected",
    )


def test_a_frame_marks_the_flagged_lines_and_shows_its_cuts() -> None:
    lines = ("\tx\r", "y\u202e", *["z" * 500] * 30)
    made = finding(1, frame=Frame(9, lines), location=Location("a.py", 10, 11))
    shown = summary.frame_lines(made)
    assert (shown[0].text, shown[1].text) == ("    x", "y<U+202E>")
    assert [line.number for line in shown if line.flagged] == [10, 11]
    assert shown[2].text == "z" * 197 + "..."
    assert len(shown) == summary.FRAME_LINES
    assert summary.frame_cut(made) == 12


def test_a_finding_without_a_frame_has_no_lines() -> None:
    assert summary.frame_lines(finding(1, frame=None)) == ()
    assert summary.frame_cut(finding(1, frame=None)) == 0


def test_places_read_as_editors_link_them() -> None:
    assert summary.place(Location("a/b.py", 3, 3)) == "a/b.py:3"
    assert summary.place(Location("a/b.py", 3, 5)) == "a/b.py:3-5"
    assert summary.side_note(Location("a/b.py", 3, 5, Side.LEFT)) == "deleted"


def test_a_message_that_repeats_the_title_is_not_said_twice() -> None:
    assert summary.explanation(finding(1, title="No.", message="No")) == ""
    assert summary.explanation(finding(1, title="No.", message="No, because.")) == "No, because."


def test_a_silencing_that_counts_for_nothing_is_told() -> None:
    made = finding(1, suppression=Suppression.CHANGE, note="Seen twice.")
    assert summary.remarks(made) == (
        "silenced by a comment that this change adds: ignored",
        "Seen twice.",
    )
    assert "cannot be checked" in summary.remarks(finding(1, suppression=Suppression.EXTERNAL))[0]


def test_each_finding_is_shown_in_full_or_briefly_once_and_in_its_order() -> None:
    plain, remarked, medium = (
        finding(1, Severity.LOW),
        finding(2, Severity.LOW, note="Seen before."),
        finding(3, Severity.MEDIUM),
    )
    every = (medium, plain, remarked)
    assert summary.split_by_detail(every, most=9) == ((medium, remarked), (plain,))
    assert summary.split_by_detail(every, most=1) == ((medium,), (plain, remarked))
    assert summary.split_by_detail(every, most=2, blocking=True) == ((medium, plain), (remarked,))


def test_a_long_reason_is_told_once_its_first_sentences_in_the_headline() -> None:
    first, then = "The state cannot be used: permission denied.", f"Name another folder {'or so ' * 40}here."
    made = review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("x", f"{first} {then}"),))
    assert summary.headline(made) == first.rstrip(".")
    assert summary.reasons_beyond_headline(made) == (then,)


def test_a_sentence_too_long_for_the_headline_is_cut_there_and_stands_whole_below() -> None:
    made = review(conclusion=Conclusion.INCOMPLETE, reasons=(Reason("x", "word " * 80 + "end."),))
    assert summary.headline(made).endswith("…")
    assert summary.reasons_beyond_headline(made) == ("word " * 80 + "end.",)
