from reviewbot.change.hunks import HunkLine, count_ranges, numbered_lines
from reviewbot.core import Hunk

MARK = "\\ No newline at end of file"


def test_each_line_has_its_number_on_both_sides() -> None:
    hunk = Hunk(4, 2, 4, 3, (" same", "-gone", MARK, "+new", "+more"))
    assert list(numbered_lines(hunk)) == [
        HunkLine(" ", "same", 4, 4),
        HunkLine("-", "gone", 5, 5),
        HunkLine("+", "new", 6, 5),
        HunkLine("+", "more", 6, 6),
    ]


def test_an_empty_side_is_numbered_by_the_line_that_follows() -> None:
    assert list(numbered_lines(Hunk(3, 0, 4, 1, ("+new",)))) == [HunkLine("+", "new", 4, 4)]
    assert list(numbered_lines(Hunk(4, 1, 3, 0, ("-gone",)))) == [HunkLine("-", "gone", 4, 4)]


def test_a_deletion_leaves_a_gap_after_the_line_before_it() -> None:
    assert count_ranges([Hunk(1, 1, 0, 0, ("-gone",)), Hunk(9, 2, 8, 1, (" same", "-gone"))]) == (
        (),
        ((1, 1), (10, 10)),
        (0, 8),
    )
