"""Quotes against texts in memory: which of several places is taken, and the exact bounds."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import ChangeSet, ChangeStatus, Evidence, FileChange, Rejected, Severity, Side
from reviewbot.secrets.masking import Masker
from reviewbot.verdict.quotes import EDITED_CHARACTERS, SHORTEST_QUOTE, ground_claims
from tests.verdict.test_grounding_places import BASE, HEAD, Texts

Ranges = tuple[tuple[int, int], ...]


def claim(*texts: str, line: int = 1, path: str = "a.py", **changes: object) -> Claim:
    quotes = tuple(Quote(path, line, line, text) for text in texts)
    made = Claim("security", "command-injection", Severity.HIGH, 0.9, "A shell", "Why.", quotes)
    return replace(made, **changes)  # type: ignore[arg-type]


def ground(
    head: str,
    *claims: Claim,
    added: Ranges = (),
    base: str | None = None,
    deleted: Ranges = (),
    also: Sequence[str] = (),
    touched: str = "",
    masker: Masker | None = None,
) -> tuple[tuple[Evidence, ...], tuple[Rejected, ...]]:
    """Claims about a change of ``a.py`` and of the same file under the paths of ``also``.

    ``added`` are lines of all of them, or of the one that is ``touched``.
    """
    paths = ("a.py", *also)
    files: dict[tuple[str, str], str | None] = {(HEAD, path): head for path in paths}
    changes = []
    for path in paths:
        old = None if base is None else f"{BASE}:{path}"
        if base is not None:
            files[BASE, path] = base
        modes = "100644", "100644"
        made = FileChange(path, None, ChangeStatus.MODIFIED, *modes, old, f"{HEAD}:{path}")
        changes.append(replace(made, added=added if touched in ("", path) else (), deleted=deleted))
    return ground_claims(claims, ChangeSet(BASE, HEAD, tuple(changes)), Texts(files), masker)


def lines(evidence: Sequence[Evidence]) -> list[tuple[int, int, Side]]:
    return [(at.start_line, at.end_line, at.side) for one in evidence if (at := one.location)]


def test_a_quote_of_three_characters_tells_a_place_and_a_shorter_one_does_not() -> None:
    evidence, rejected = ground("x\na + b\n", claim("a + b"), claim("+ b"))
    assert SHORTEST_QUOTE == 3
    assert lines(evidence) == [(2, 2, Side.RIGHT)]
    assert len(rejected) == 1


def test_claims_are_numbered_in_their_order_with_those_that_are_dropped() -> None:
    evidence, _ = ground("run(x)\n", claim("run(x)"), claim("gone()"), claim("run(x)"))
    assert [one.id for one in evidence] == ["C1", "C3"]


@pytest.mark.parametrize(("said", "held"), [(1.5, 1.0), (1.0, 1.0), (0.4, 0.4), (-0.5, 0.0)])
def test_confidence_is_between_0_and_1(said: float, held: float) -> None:
    evidence, _ = ground("run(x)\n", claim("run(x)", confidence=said))
    assert [one.confidence for one in evidence] == [held]


def test_outside_the_diff_the_first_quote_is_the_place_and_the_others_are_related() -> None:
    evidence, _ = ground("one()\ntwo()\nthree()\n", claim("two()", "one()", "three()"))
    assert lines(evidence) == [(2, 2, Side.RIGHT)]
    assert [place.start_line for place in evidence[0].related] == [1, 3]


@pytest.mark.parametrize(("said", "found"), [(1, 1), (3, 1), (4, 5), (9, 5)])
def test_of_equal_texts_the_nearest_is_taken(said: int, found: int) -> None:
    evidence, _ = ground("run(x)\n\n\n\nrun(x)\n", claim("run(x)", line=said))
    assert lines(evidence) == [(found, found, Side.RIGHT)]


def test_the_exact_text_is_taken_before_a_nearer_one_of_other_white_space() -> None:
    evidence, _ = ground("run(x, y)\nrun(x,  y)\n", claim("run(x, y)", line=2))
    assert lines(evidence) == [(1, 1, Side.RIGHT)]


def test_head_is_taken_before_the_base_where_the_change_touched_both_or_neither() -> None:
    for ranges in ({"added": ((2, 2),), "deleted": ((1, 1),)}, {}):
        evidence, _ = ground("x\nrun(x)\n", claim("run(x)", line=1), base="run(x)\n", **ranges)  # type: ignore[arg-type]
        assert lines(evidence) == [(2, 2, Side.RIGHT)]


def test_of_equal_places_in_files_whose_names_look_the_same_the_first_name_is_taken() -> None:
    names = ("b\u200b.py", "b<U+200B>.py")
    for order in (names, names[::-1]):
        evidence, _ = ground("run(x)\n", claim("run(x)", path="b<U+200B>.py"), also=order)
        assert [one.location.path for one in evidence if one.location] == ["b<U+200B>.py"]


@pytest.mark.parametrize("touched", ["b\u200b.py", "b<U+200B>.py"])
def test_of_files_whose_names_look_the_same_the_one_that_the_change_touched_is_taken(touched: str) -> None:
    evidence, _ = ground(
        "run(x)\n",
        claim("run(x)", path="b<U+200B>.py"),
        also=("b\u200b.py", "b<U+200B>.py"),
        touched=touched,
        added=((1, 1),),
    )
    assert [one.location.path for one in evidence if one.location] == [touched]


def test_only_where_every_line_has_the_sign_of_a_diff_is_it_taken_off() -> None:
    head = "run(x)\nog(x)\n"
    mixed, signed = claim("+run(x)\nlog(x)"), claim("+run(x)\n og(x)")
    assert lines(ground(head, mixed)[0]) == []
    assert lines(ground(head, signed)[0]) == [(1, 2, Side.RIGHT)]


def test_neighbouring_copies_are_all_places() -> None:
    evidence, _ = ground("run(x)\n" * 3, *(claim("run(x)", line=number) for number in (1, 2, 3)))
    assert lines(evidence) == [(number, number, Side.RIGHT) for number in (1, 2, 3)]


@pytest.mark.parametrize("changed", [1, 5_001, 5_003])
def test_among_thousands_of_copies_the_one_of_several_lines_that_touches_the_change_is_found(
    changed: int,
) -> None:
    head = "one()\ntwo()\n" * 2_500 + "one()\ntwo()\nend()\n" + "one()\ntwo()\n" * 10
    quote = "one()\ntwo()" if changed < 5_003 else "two()\nend()"
    evidence, _ = ground(head, claim(quote, line=700), added=((changed, changed),))
    [(first, last, _)] = lines(evidence)
    assert first <= changed <= last


@pytest.mark.parametrize("changed", [5_001, 5_002])
def test_a_copy_touches_the_change_with_its_first_line_or_its_last(changed: int) -> None:
    evidence, _ = ground("one()\ntwo()\n" * 3_000, claim("one()\ntwo()"), added=((changed, changed),))
    assert lines(evidence) == [(5_001, 5_002, Side.RIGHT)]


# Masks.


def test_asterisks_in_the_code_itself_are_found_before_what_is_masked() -> None:
    masker = Masker(places={"a.py": {1: [(7, 13)]}})
    evidence, _ = ground("key = 'secret'\nkey = '********'\n", claim("key = '********'"), masker=masker)
    assert lines(evidence) == [(2, 2, Side.RIGHT)]


def test_a_few_asterisks_are_no_mask() -> None:
    masker = Masker(places={"a.py": {1: [(7, 13)]}})
    evidence, rejected = ground("key = 'secret'\n", claim("***'"), masker=masker)
    assert (evidence, len(rejected)) == ((), 1)


# Edits.


def why_removed(head: str, edit: Edit) -> list[str]:
    _, rejected = ground(head, claim(head[:20], edits=(edit,)))
    return [one.why for one in rejected]


def test_the_largest_file_that_is_edited() -> None:
    edit = Edit("a.py", "run(x)", "pass")
    largest = ("run(x)\n" + "y" * EDITED_CHARACTERS)[:EDITED_CHARACTERS]
    assert EDITED_CHARACTERS == 2_000_000
    assert why_removed(largest, edit) == []
    assert why_removed(largest + "y", edit) == ["edit removed: the file is too large for an edit"]


@pytest.mark.parametrize(
    ("head", "find", "why"),
    [
        ("run(x)\nrun(x)\n", "run(x)", "its text stands there more than once"),
        ("aaa = 1\n", "aa", "its text stands there more than once"),
        ("run(x)\n", "", "its text is not in the file"),
        ("run(x)\n", "gone", "its text is not in the file"),
    ],
)
def test_an_edit_is_of_a_text_that_stands_there_once(head: str, find: str, why: str) -> None:
    assert why_removed(head, Edit("a.py", find, "pass")) == [f"edit removed: {why}"]
