import re

import pytest

from reviewbot.agents.floor.sinks import SINKS, gather_words, split_alternatives


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        (r"a|b", ["a", "b"]),
        (r"(a|b)|c", ["(a|b)", "c"]),
        (r"[|\]|]|\|x|[]|]|[^]|]", [r"[|\]|]", r"\|x", "[]|]", "[^]|]"]),
        (r"\(a|b\)", [r"\(a", r"b\)"]),
        ("", [""]),
    ],
)
def test_alternatives_end_at_a_bar_outside_of_groups_and_sets(pattern: str, parts: list[str]) -> None:
    assert split_alternatives(pattern) == parts


@pytest.mark.parametrize("text", ["eval(x)", "medieval(x)", "a\nif len(x) > 1", ".run(a)", "x eval (y)", ""])
def test_gathered_words_find_in_the_same_texts(text: str) -> None:
    pattern = r"\beval\s?\(|\.run\(|\bif\b.{0,9}\b(?:len|size)\b|\b_x"
    assert bool(re.search(gather_words(pattern), text)) == bool(re.search(pattern, text))


def test_no_sink_begins_more_than_one_alternative_with_the_edge_of_a_word() -> None:
    for sink in SINKS:
        every = split_alternatives(sink.pattern.pattern)
        assert sum(each.startswith(r"\b") for each in every) <= 1, sink.name
