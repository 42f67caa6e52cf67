from pathlib import Path

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.moved import settle_exclusions
from reviewbot.policy.cascade import resolve_settings
from reviewbot.policy.file import parse_policy
from tests.repositories import Sandbox

CODE = "import os\nos.system(input())\n" + "x = 1\n" * 20


@pytest.mark.parametrize(
    ("old", "new", "attributes", "added"),
    [
        ("gen/x.py", "app.py", "", ((1, 22),)),
        ("made/x.py", "app.py", "made/** linguist-generated\n", ((1, 22),)),
        ("src/x.py", "app.py", "", ()),
        ("gen/x.py", "gen/y.py", "", ()),
        ("tests/x.py", "app.py", "", ((1, 22),)),
        ("app.py", "tests/x.py", "", ()),
        ("tests/x.py", "examples/x.py", "", ()),
        ("old/x.py", "app.py", "", ((1, 22),)),
        ("guess/x.py", "app.py", "", ((1, 22),)),
        ("app.py", "old/x.py", "", ()),
    ],
)
def test_a_rename_to_where_more_is_asked_of_a_file_is_new_where_it_arrives(
    sandbox: Sandbox, old: str, new: str, attributes: str, added: tuple[tuple[int, int], ...]
) -> None:
    base = sandbox.commit({old: CODE, ".gitattributes": attributes})
    sandbox.remove(old)
    head = sandbox.commit({new: CODE})
    policy = (
        b"exclude: [gen/**]\npaths:\n  old/**:\n    fail-on: critical\n"
        b"  guess/**:\n    minimum-confidence: 0.9\n"
    )
    settings = resolve_settings([parse_policy(policy, "p.yml")], {})
    with Repository(Path(sandbox.folder)) as repository:
        loaded = load_change_set(repository, base, head)
        changes, excluded = settle_exclusions(repository, base, loaded, settings)
    [change] = changes.files
    assert change.added == added
    assert set(excluded) == ({new} if new.startswith("gen/") else set())
