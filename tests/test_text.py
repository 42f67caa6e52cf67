import re

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.publish import sanitize
from reviewbot.text import (
    cut,
    cut_middle,
    dollars,
    one_line,
    printable,
    shorten,
    show_surrogates,
    visible,
    visible_line,
    without_runner_commands,
)

# visible, shorten and one_line meet all of Unicode in tests/publish/test_sanitize.py.


def test_the_sanitiser_gives_these_very_functions() -> None:
    ours = (visible, shorten, one_line, without_runner_commands)
    assert all(getattr(sanitize, function.__name__) is function for function in ours)


def test_on_a_line_of_its_own_nothing_is_folded_and_line_feeds_are_shown() -> None:
    assert visible_line("a  b\n\tc\u202e") == "a  b<U+000A><U+0009>c<U+202E>"


@given(st.text())
def test_a_visible_line_is_one_line_and_stays_what_it_is(text: str) -> None:
    shown = visible_line(text)
    assert len(shown.splitlines()) <= 1
    assert visible_line(shown) == shown


def test_a_giant_text_is_cut_without_reading_it_whole_and_the_cut_is_seen() -> None:
    giant = "word " * 1_000_000
    assert one_line(giant, 9) == shorten(giant, 9) == "word wor…"
    assert one_line(" " * 1_000_000 + "hidden far away", 20) == "…"
    assert one_line("a" + " " * 1_000_000 + "b", 20) == "a…"


@given(st.text(st.sampled_from("\r\n\u200d\ufe0f❤👩🏴\U000e0067\U000e007fa")), st.integers(1, 20))
def test_shortening_reads_no_more_than_it_must_and_shows_the_same(text: str, limit: int) -> None:
    whole = visible(text)
    short = shorten(text, limit)
    assert short == whole if len(whole) <= limit else whole.startswith(short.removesuffix("…"))


def test_cuts_say_how_much_is_missing() -> None:
    assert cut("abc", 3) == cut_middle("abc", 3) == "abc"
    assert cut("x" * 1_500, 100) == "x" * 100 + " [… 1,400 more characters cut]"
    assert cut_middle("a" * 50 + "b" * 50, 10) == "aaaaa\n[… 90 characters cut …]\nbbbbb"


def test_lone_surrogates_alone_are_shown() -> None:
    assert show_surrogates("a\ud800\udcff\u202e\n") == "a<U+D800><U+DCFF>\u202e\n"


@given(st.text(), st.integers(1, 60))
def test_a_printable_value_is_exact_or_seen_to_be_cut(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text if len(text) <= limit else shown == text[: limit - 1] + "…"


def test_a_printable_value_shows_blanks_that_are_none() -> None:
    assert printable("src/\u00a0\n", 80) == "src/<U+00A0><U+000A>"


@given(st.text(st.sampled_from(":#[ \t\na\x1bm0")))
def test_no_line_is_left_that_a_runner_obeys(text: str) -> None:
    printed = without_runner_commands(text)
    assert not re.search(r"^[^\S\n]*::|##\[", printed, re.MULTILINE)
    assert without_runner_commands(printed) == printed


def test_money_shows_cents_and_more_where_cents_would_not_be_true() -> None:
    assert [dollars(usd) for usd in (0, 2, 0.3, 0.0358, 0.001, 0.00005)] == [
        "$0.00",
        "$2.00",
        "$0.30",
        "$0.0358",
        "$0.001",
        "$0.00005",
    ]
