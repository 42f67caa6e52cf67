import time
from collections.abc import Mapping, Sequence

import pytest

from reviewbot.agents.view.passages import Pages, Passage, Side, find_quote, widen
from reviewbot.agents.view.tools import Toolbox
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Quote
from reviewbot.secrets.masking import Masker
from tests.repositories import Sandbox

HEAD = ["def run(name):", "", "    check(name)", "\tshell( name )", "    check(name)", "", "end"]
BASE = ["def run(name):", "    guard(name)"]


def pages(files: Mapping[tuple[str, str], Sequence[str]]) -> Pages:
    def read(path: str, side: Side) -> Sequence[str] | None:
        return files.get((path, side))

    return Pages(read)


@pytest.mark.parametrize(
    ("text", "near", "place"),
    [
        ("def run(name):", 1, ("head", 1, 1)),
        ("    guard(name)", 1, ("base", 2, 2)),
        ("check(name)", 1, ("head", 3, 3)),
        ("check(name)", 6, ("head", 5, 5)),
        ("def run(name):\n    check(name)\n    shell( name )", 1, ("head", 1, 4)),
        ("+    check(name)\n+\tshell( name )", 1, ("head", 3, 4)),
        ("  shell(   name )  ", 1, ("head", 4, 4)),
    ],
)
def test_a_quote_is_found_by_its_text_with_white_space_folded(
    text: str, near: int, place: tuple[Side, int, int]
) -> None:
    found = find_quote(
        Quote("a.py", near, near, text), pages({("a.py", "head"): HEAD, ("a.py", "base"): BASE})
    )
    assert found == Passage("a.py", *place)


@pytest.mark.parametrize("text", ["", "  \n ", "()", "shell(other)", "check(name)\ncheck(name)"])
def test_what_does_not_stand_there_or_stands_everywhere_is_not_found(text: str) -> None:
    assert find_quote(Quote("a.py", 1, 1, text), pages({("a.py", "head"): HEAD})) is None
    assert find_quote(Quote("b.py", 1, 1, "def run(name):"), pages({("a.py", "head"): HEAD})) is None


def test_passages_that_meet_are_shown_once() -> None:
    near, far = Passage("a", "head", 30, 31), Passage("a", "head", 200, 200)
    found = widen((far, Passage("a", "base", 1, 1), near, Passage("a", "head", 70, 70)))
    assert found == (
        Passage("a", "base", 1, 26),
        Passage("a", "head", 5, 95),
        Passage("a", "head", 175, 225),
    )


def test_a_text_that_stands_in_every_line_of_a_large_file_takes_no_time() -> None:
    many = pages({("a", "head"): ["x = 1"] * 300_000})
    started = time.process_time()
    for _ in range(3):
        assert find_quote(Quote("a", 290_000, 290_000, "x = 1"), many) == Passage("a", "head", 2_000, 2_000)
    assert time.process_time() - started < 5


def test_lines_are_read_from_both_commits_by_the_name_in_head_and_masked_where_they_hold_secrets(
    sandbox: Sandbox,
) -> None:
    many = "".join(f"line {number}\n" for number in range(20))
    base = sandbox.commit(
        {"old.py": many, "gone.py": "gone\n", ".env": "TOKEN=hunter2\n", "same.py": "same\n"}
    )
    sandbox.git("mv", "old.py", "new.py")
    sandbox.remove("gone.py")
    head = sandbox.commit(
        {"new.py": many + "and\u200b more\n", "logo.png": b"\x89PNG\x00", ".env": "TOKEN=x\n"}
    )
    with Repository(sandbox.folder) as repository:
        read = Toolbox(repository, load_change_set(repository, base, head), Masker()).read_lines
        assert read("new.py", "head") == [*many.splitlines(), "and<U+200B> more"]
        assert read("new.py", "base") == many.splitlines()
        assert (read("gone.py", "head"), read("gone.py", "base")) == (None, ["gone"])
        assert read("same.py", "head") == read("same.py", "base") == ["same"]
        assert read(".env", "base") == ["TOKEN=********"]
        for path in ("logo.png", "absent", "../x", "/etc/passwd", ""):
            assert (read(path, "head"), read(path, "base")) == (None, None)
