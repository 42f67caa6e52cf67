from time import process_time

import pytest

from reviewbot.policy.patterns import MOST_SECONDS, TooManyWays, matching


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/a/**/a/**/b", "a/" * 1_000 + "y"),
        ("*a*a*a*a*a*a*b", "a" * 250),
        ("!src/*a*a*a*a*a*a*b", "src/" + "a" * 250),
    ],
)
def test_a_path_made_to_be_matched_for_minutes_is_refused(pattern: str, path: str) -> None:
    started = process_time()
    with pytest.raises(TooManyWays):
        matching(("docs/**", pattern), path)
    assert process_time() - started < 5


@pytest.mark.parametrize(
    "pattern", ["**/a/**/a/**/b", "**/*a*/**/*b*/x", "*a*a*a*b", "a/**", "**/*.py", "a?[a-z]*/"]
)
@pytest.mark.parametrize("path", ["a/" * 100 + "y", "a" * 200, "/".join(["a" * 60] * 20), "ab/" * 40 + "b"])
def test_what_is_not_refused_is_quick(pattern: str, path: str) -> None:
    started = process_time()
    try:
        matching((pattern,), path)
    except TooManyWays:
        pytest.fail("an ordinary pattern is refused on a path that people have")
    assert process_time() - started < 25 * MOST_SECONDS
