"""The fake's own reading of a diff against git, and against the change set that reviewbot reads."""

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.hunks import numbered_lines
from tests.contract.slice import missing_packages
from tests.github.served import DiffFile, ServedRepository
from tests.github.views import diff_entries
from tests.repositories import Sandbox


def diff(sandbox: Sandbox, base: str, head: str) -> dict[str, DiffFile]:
    return {each.path: each for each in ServedRepository(sandbox.folder).diff(base, head)}


@pytest.fixture
def hard(sandbox: Sandbox) -> tuple[str, str]:
    """A change with one of everything: base and head."""
    lines = "".join(f"{number}\n" for number in range(60))
    base = sandbox.commit(
        {
            "gone.txt": "a\nb\n", "moved.txt": lines, "ends.txt": "a\nb", "odd.txt": "a\x0cb\rc\n@@ -1 +1 @@\nd\n",
            "picture.bin": b"\0\1\2", "link": "was a file\n", "script.sh": "echo\n", "ä \"quoted\".txt": "a\n",
            "dashes.sql": "-- a\n++ b\nc\n",
        }
    )  # fmt: skip
    (sandbox.folder / "there").mkdir()
    sandbox.git("mv", "moved.txt", "there/moved.txt")
    sandbox.remove("gone.txt")
    (sandbox.folder / "link").unlink()
    (sandbox.folder / "link").symlink_to("ends.txt")
    (sandbox.folder / "script.sh").chmod(0o755)
    head = sandbox.commit(
        {
            "there/moved.txt": lines.replace("30\n", "thirty\n"), "ends.txt": "a\nc",
            "odd.txt": "a\x0cb\rc\n@@ -1 +1 @@\ndiff --git a/x b/x\n", "picture.bin": b"\0\3",
            "ä \"quoted\".txt": "b\n", "dashes.sql": "- c\n+ d\nc\n", "empty.txt": "", "new.txt": "1\n2\n",
        }
    )  # fmt: skip
    return base, head


def test_each_file_has_the_status_that_github_gives_it(sandbox: Sandbox, hard: tuple[str, str]) -> None:
    assert {path: each.status for path, each in diff(sandbox, *hard).items()} == {
        "dashes.sql": "modified",
        "empty.txt": "added",
        "ends.txt": "modified",
        "gone.txt": "removed",
        "link": "changed",
        "new.txt": "added",
        "odd.txt": "modified",
        "picture.bin": "modified",
        "script.sh": "changed",
        "there/moved.txt": "renamed",
        'ä "quoted".txt': "modified",
    }


def test_counts_agree_with_git_and_nothing_without_a_patch_takes_a_comment(
    sandbox: Sandbox, hard: tuple[str, str]
) -> None:
    counted = sandbox.numstat(*hard)
    for path, each in diff(sandbox, *hard).items():
        assert (each.additions, each.deletions) == (counted[path] or (0, 0)), path
        assert bool(each.places) == (each.patch is not None), path
    found = diff(sandbox, *hard)
    assert [path for path, each in found.items() if each.patch is None] == [
        "empty.txt",
        "picture.bin",
        "script.sh",
    ]


def test_the_lines_that_take_a_comment_are_those_of_the_hunks_that_reviewbot_reads(
    sandbox: Sandbox, hard: tuple[str, str]
) -> None:
    with Repository(sandbox.folder) as repository:
        change_set = load_change_set(repository, *hard)
    found = diff(sandbox, *hard)
    assert {each.path for each in change_set.files} == set(found)
    for change in change_set.files:
        spots = {
            (side, number)
            for hunk in change.hunks
            for line in numbered_lines(hunk)
            for side, number, absent in (("LEFT", line.base, "+"), ("RIGHT", line.head, "-"))
            if line.sign != absent
        }
        assert spots == set(found[change.path].places), change.path


def test_a_list_of_files_ends_at_three_thousand() -> None:
    reason = missing_packages()
    if reason:
        pytest.skip(reason)
    file = DiffFile("a.py", None, "added", "0" * 40, 1, 0, "@@ -0,0 +1 @@\n+a", {("RIGHT", 1): (1, 1)})
    assert len(diff_entries([file] * 3_001)) == 3_000


def test_unrelated_histories_have_no_merge_base_and_options_are_no_revisions(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": "a\n"})
    sandbox.git("checkout", "-q", "--orphan", "other")
    other = sandbox.commit({"b": "b\n"})
    served = ServedRepository(sandbox.folder)
    assert served.merge_base(first, other) is None
    assert served.resolve("--all") is None
    assert served.resolve("main") == first
    assert served.resolve(other[:10]) == other
