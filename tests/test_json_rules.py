import json

import pytest

from reviewbot.json_rules import is_deeper_than, repeated_key


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
