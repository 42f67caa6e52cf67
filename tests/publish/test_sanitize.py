import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reviewbot.publish.sanitize import (
    markdown_code,
    markdown_fence,
    markdown_text,
    one_line,
    shorten,
    terminal_text,
    visible,
    without_runner_commands,
)
from tests.publish.rendered import read

PIECES = [
    "@octocat",
    "fixes #5",
    "GH-12",
    "acme/shop#7",
    "![x](https://example.com/a.png)",
    '[a](//b.c "t")',
    "<img src=x>",
    "<!-- hidden -->",
    "https://example.com",
    "www.example.com",
    "a@b.example",
    ":tada:",
    "/close",
    "!12",
    "~label",
    "$x$",
    "`",
    "``",
    "```",
    "~~~",
    "#",
    "# head",
    "- item",
    "1.",
    "1)",
    "|",
    "a|b",
    "---",
    "===",
    ">",
    "*",
    "**b**",
    "_",
    "__i__",
    "\\",
    "[",
    "]",
    "(",
    ")",
    "]:",
    "[r]: http://x.y",
    "[^1]",
    "&amp;",
    "&#64;",
    "<",
    "\n",
    "\n\n",
    "    ",
    "\t",
    "word",
    "don't",
    "3.5",
    "ü",
    "مرحبا",
    "deadbeefcafe",
    "0123456",
    "```suggestion",
    "\u202e",
    "\u200b",
    "\x1b[31m",
    "\r",
    "\ud800",
    "👩‍👩‍👧",
    "❤️",
    "C++",
    "std::vector",
    "$`x`$",
]
hostile = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=12).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda glue: glue.join(parts))
)


def test_every_hidden_character_of_unicode_is_shown_by_its_number() -> None:
    left = [
        f"{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and chr(code) not in "\n\t"
        and visible(f"a{chr(code)}b") != f"a<U+{code:04X}>b"
    ]
    assert left == []


@pytest.mark.parametrize("code", [0x34F, 0x3164, 0xFE00, 0xFE0F, 0xE0100, 0xE01EF, 0x180B, 0xE0041, 0xFFA0])
def test_fillers_tags_and_variation_selectors_after_a_letter_are_shown(code: int) -> None:
    assert visible(f"a{chr(code)}") == f"a<U+{code:04X}>"


def test_no_letter_and_no_sign_is_changed() -> None:
    kept = [
        f"{code:04X}"
        for code in range(0x20, 0x30000)
        if unicodedata.category(chr(code))[0] in "LNPS"
        and chr(code) not in "\u115f\u1160\u3164\uffa0"  # letters that have no shape: Hangul fillers
        and visible(chr(code)) != chr(code)
    ]
    assert kept == []


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦",
        "❤️",
        "👍🏽",
        "🏳️‍🌈",
        "🏴‍☠️",
        "1️⃣",
        "🇩🇪",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "🤷🏾‍♀️",
        "مرحبا بالعالم",
        "שלום",
        "नमस्ते",
        "std::vector\n\tx",
    ],
)
def test_emoji_letters_of_every_direction_and_blanks_pass(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pass\u200bword", "pass<U+200B>word"),
        ("# \u202e if", "# <U+202E> if"),
        ("a\u200db", "a<U+200D>b"),
        ("👍\u200d", "👍<U+200D>"),
        ("🏴\U000e0061\U000e0062\U000e007f", "🏴<U+E0061><U+E0062><U+E007F>"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f<U+FE0F>"),
        ("\x1b]0;x\x07", "<U+001B>]0;x<U+0007>"),
        ("a\r\nb\rc", "a\nb<U+000D>c"),
        ("caf\udce9.py", "caf<U+DCE9>.py"),
    ],
)
def test_what_is_hidden_is_shown_in_its_place(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(hostile)
@example("❤\ufe0f\u200d")
def test_showing_twice_shows_no_more(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    visible(text).encode("utf-8")


@given(hostile, st.integers(1, 30))
def test_short_text_is_no_longer_than_asked_and_hides_nothing(text: str, limit: int) -> None:
    for short in (shorten(text, limit), one_line(text, limit)):
        assert len(short) <= limit
        assert visible(short) == short
    assert "\n" not in one_line(text, limit)


def test_a_cut_is_seen_and_leaves_no_half_of_an_emoji() -> None:
    assert one_line("one\n two\tthree", 8) == "one two…"
    assert shorten("a👩‍👩‍👧", 4) == "a👩…"


@given(hostile)
@example("`\t`")
@settings(max_examples=300)
def test_prose_renders_as_its_words_and_nothing_else(text: str) -> None:
    seen = read(markdown_text(text))
    assert seen.links == []
    assert seen.foreign_html == []
    assert seen.kinds <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
        "softbreak",
        "code_inline",
        "html_inline",
    }
    assert re.sub(r"[\s`]", "", seen.words) == re.sub(r"[\s`]", "", visible(text))


@given(hostile)
def test_prose_within_a_line_or_a_cell_keeps_to_itself(text: str) -> None:
    row = f"| head | two |\n|---|---|\n| {markdown_text(one_line(text, 400))} | end |\n"
    seen = read(row)
    assert seen.links == []
    assert seen.foreign_html == []
    assert seen.words.endswith("end")
    assert re.sub(r"[\s`]", "", seen.words) == "headtwo" + re.sub(r"[\s`]", "", one_line(text, 400)) + "end"


def test_prose_reads_well_before_it_is_rendered() -> None:
    message = "`subprocess` call with `shell=True` identified, security issue (see page 3)."
    assert markdown_text(message) == message
    assert markdown_text("Don't use and/or here: it's 3.5 times slower!") == (
        "Don't use and/or here: it's 3.5 times slower!"
    )
    assert markdown_text("@octocat fixes #5") == "`@octocat` fixes `#5`"
    assert markdown_text("1. see\n- this") == "1\\. see\n\\- this"


@given(hostile)
@example("    ")
@example("")
def test_code_renders_as_itself_in_prose_and_in_a_cell(text: str) -> None:
    shown = visible(text).replace("\n", "<U+000A>").replace("\t", "<U+0009>") or " "
    assert "".join(read(f"see {markdown_code(text)} there").code) == shown
    cell = read(f"| path | why |\n|---|---|\n| {markdown_code(text)} | end |\n")
    assert "".join(cell.code).strip() == shown.strip()
    assert cell.foreign_html == []
    assert cell.prose.split() == ["path", "why", "end"]


@pytest.mark.parametrize(
    "path", ["<img src=x>.md", "a\nb.py", "::warning::x.py", "a`b``c.py", " x ", "-rf.py", "a|b`.py"]
)
def test_a_path_is_code_whatever_it_is_called(path: str) -> None:
    assert "".join(read(f"- {markdown_code(path)}").code) == path.replace("\n", "<U+000A>")


@pytest.mark.parametrize("inside", ["```", "````\nx", "x\n  ```\n@octocat", "~~~\n<img>", "`````"])
def test_a_fence_is_longer_than_any_inside(inside: str) -> None:
    seen = read(markdown_fence(inside) + "after\n")
    assert seen.code == [inside + "\n"]
    assert seen.prose.strip() == "after"


@given(hostile, st.sampled_from(["", "python", "mermaid", "math", "suggestion", "x`y", "a b", "text\n"]))
def test_nothing_inside_closes_a_fence_and_no_language_acts(text: str, language: str) -> None:
    seen = read("before\n\n" + markdown_fence(text, language) + "\nafter\n")
    assert seen.code == [visible(text).rstrip("\n") + "\n"]
    assert seen.prose.split() == ["before", "after"]
    info = markdown_fence(text, language).split("\n")[0].strip("`")
    assert info == ("python" if language == "python" else "text")


@given(hostile)
def test_a_terminal_gets_no_control_and_a_runner_no_command(text: str) -> None:
    shown = terminal_text(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))
    assert "##[" not in shown


def test_a_runner_command_is_broken_also_behind_a_colour_and_ordinary_colons_stay() -> None:
    assert without_runner_commands("\x1b[31m  ::error::x\n") == "\x1b[31m  <U+003A>:error::x\n"
    assert without_runner_commands("\n\n ::set-output name=x::y") == "\n\n <U+003A>:set-output name=x::y"
    assert without_runner_commands("a ##[error]b") == "a ##<U+005B>error]b"
    assert terminal_text("std::vector ::x") == "std::vector ::x"


def test_long_runs_of_signs_take_no_long_time() -> None:
    for piece in (".", "(", "`", "`a ", "\n", " ", "::\n", "a.", "\u200d", "👩‍", "["):
        for function in (markdown_text, markdown_code, markdown_fence, terminal_text):
            assert function(piece * 20_000 + "x")


@pytest.mark.shared_data
def test_real_injections_render_without_links_or_html() -> None:
    data = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "injections.jsonl"
    if not data.exists():
        pytest.skip("the data folder is not beside the checkout")
    with data.open(encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            seen = read(markdown_text(text))
            assert (seen.links, seen.foreign_html) == ([], [])
            assert read(markdown_fence(text)).kinds == {"fence"}
