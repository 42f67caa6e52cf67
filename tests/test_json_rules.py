import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.json_rules import BadJson, is_deeper_than, read_json, repeated_key


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "is empty"),
        (b" \n", "is empty"),
        ("{", "is not JSON at line 1, column 2"),
        (b'{"a":\n?}', "is not JSON at line 2, column 1"),
        (b'"\xff"', "is not UTF-8 at byte 1"),
        ("{}".encode("utf-16"), "is not UTF-8 at byte 0"),
        ("[NaN]", "holds NaN, which is no JSON number"),
        ("[-Infinity]", "holds -Infinity, which is no JSON number"),
        ("[1e999]", "holds a number that is too large"),
        ("[0." + "1" * 400 + "]", "holds a number that is too large"),
        ("-" + "9" * 20, "holds an integer of 20 digits"),
        ("[" * 5 + "]" * 5, "is nested deeper than 4 levels"),
        ("[" * 100_000, "is nested too deeply"),
        ('[{"b": {"a": 1, "\\u0061": 1}}]', "has a key twice in one object"),
        (b"1" * 1_000_001, "has more than 1,000,000 bytes"),
        ("1" * 1_000_001, "has more than 1,000,000 characters"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_what_strict_json_is_not_is_told_as_the_end_of_a_sentence(data: str | bytes, said: str) -> None:
    with pytest.raises(BadJson) as caught:
        read_json(data, most=1_000_000, levels=4)
    assert str(caught.value).startswith(said)


def test_the_key_that_stands_twice_is_named_only_where_it_is_asked_for() -> None:
    with pytest.raises(BadJson) as caught:
        read_json(json.dumps({"\x1b" * 90: 1})[:-1] + ', "é": 1, "é": 2}', most=1_000, levels=4)
    assert "xe9" not in str(caught.value)
    assert caught.value.naming == r"has the key '\xe9' twice in one object"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_what_anybody_would_write_is_read_as_it_was(value: object) -> None:
    text = json.dumps(value)
    assert read_json(text, most=len(text), levels=50) == value
    assert read_json(text.encode(), most=len(text), levels=50) == value


@pytest.mark.parametrize(("encoding", "text"), [("utf-8-sig", "\ufeff{}"), ("utf-16", "{}")])
def test_other_encodings_are_read_where_the_reader_asks_for_them(encoding: str, text: str) -> None:
    assert read_json(text.lstrip("\ufeff").encode(encoding), most=100, levels=1, encoding=encoding) == {}


def test_the_first_key_that_stands_twice_is_named() -> None:
    assert repeated_key([("a", 1), ("b", 2), ("b", 3), ("a", 4)]) == "b"
    assert repeated_key([("a", 1), ("b", 1)]) is None


@pytest.mark.parametrize(
    ("document", "depth"), [("1", 0), ("[]", 1), ('{"a": [1, {}]}', 3), ("[" * 50 + "]" * 50, 50)]
)
def test_depth_counts_objects_and_arrays(document: str, depth: int) -> None:
    value = json.loads(document)
    assert not is_deeper_than(value, depth)
    assert depth == 0 or is_deeper_than(value, depth - 1)
