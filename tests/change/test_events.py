from pathlib import Path

import pytest

from reviewbot.change.events import local_trigger
from reviewbot.change.git import Repository
from reviewbot.core import Trigger
from reviewbot.errors import ReviewbotError, SameRevisions, ShallowRepository, UnknownRevision
from tests.repositories import Sandbox


def trigger(
    folder: Path, base: str | None = None, head: str | None = None
) -> tuple[Trigger, tuple[str, ...]]:
    with Repository(folder) as repository:
        return local_trigger(repository, base, head)


def clone(sandbox: Sandbox, tmp_path: Path, *options: str) -> Sandbox:
    sandbox.git("clone", "-q", *options, f"file://{sandbox.folder}", str(tmp_path / "clone"))
    copy = Sandbox.__new__(Sandbox)
    copy.folder = tmp_path / "clone"
    return copy


def test_without_an_upstream_the_first_parent_is_the_base(sandbox: Sandbox) -> None:
    first, second = sandbox.commit({"a": "1\n"}), sandbox.commit({"a": "2\n"})
    found, notes = trigger(sandbox.folder)
    assert (found.base_sha, found.policy_sha, found.head_sha) == (first, first, second)
    assert notes == (
        f"Reviewed {second[:12]} against {first[:12]}, its first parent only, because no upstream branch is known "
        "here (name another with --base). Uncommitted changes are not part of it.",
    )


def test_a_root_commit_has_the_empty_tree_as_its_base(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "1\n"})
    assert trigger(sandbox.folder)[0].base_sha == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_a_branch_is_compared_with_where_it_left_the_upstream_default_branch(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    fork_point = sandbox.commit({"a": "1\n"})
    copy = clone(sandbox, tmp_path)
    copy.git("checkout", "-q", "-b", "topic")
    copy.commit({"b": "1\n"})
    copy.commit({"b": "2\n"})
    sandbox.commit({"c": "1\n"})
    copy.git("fetch", "-q")
    found, notes = trigger(copy.folder)
    assert found.base_sha == fork_point
    assert "where it branched off from origin/main." in notes[0]


def test_on_the_upstream_default_branch_itself_the_last_commit_is_reviewed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    first = sandbox.commit({"a": "1\n"})
    sandbox.commit({"a": "2\n"})
    assert trigger(clone(sandbox, tmp_path).folder)[0].base_sha == first


def test_a_named_base_that_moved_on_is_compared_from_the_merge_base(sandbox: Sandbox) -> None:
    fork_point = sandbox.commit({"a": "1\n"})
    sandbox.git("checkout", "-q", "-b", "topic")
    head = sandbox.commit({"b": "1\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({"c": "1\n"})
    found, notes = trigger(sandbox.folder, "main", "topic")
    assert (found.base_sha, found.head_sha) == (fork_point, head)
    assert notes[0].endswith("where it branched off from 'main'.")


def test_the_empty_tree_may_be_named_as_base(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "1\n"})
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert trigger(sandbox.folder, empty)[0].base_sha == empty


@pytest.mark.parametrize(
    ("base", "head", "kind", "words"),
    [
        ("absent", None, UnknownRevision, "--base 'absent' names no commit"),
        (None, "absent", UnknownRevision, "--head 'absent' names no commit"),
        ("HEAD", "main", SameRevisions, "are the same commit"),
        ("HEAD", "HEAD~1", SameRevisions, "is already part of"),
        ("--help", None, UnknownRevision, "names no commit"),
        ("", None, UnknownRevision, "--base '' names no commit"),
        (None, "", UnknownRevision, "--head '' names no commit"),
    ],
)
def test_revisions_that_make_no_sense_are_one_sentence(
    sandbox: Sandbox, base: str | None, head: str | None, kind: type[ReviewbotError], words: str
) -> None:
    sandbox.commit({"a": "1\n"})
    sandbox.commit({"a": "2\n"})
    with pytest.raises(kind, match=words) as caught:
        trigger(sandbox.folder, base, head)
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_a_base_that_is_head_itself_is_told_the_way_to_the_last_change(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "1\n"})
    with pytest.raises(SameRevisions) as caught:
        trigger(sandbox.folder, "main", None)
    assert "leave out --base to review the last one" in caught.value.sentences


def test_a_damaged_repository_is_not_told_to_be_an_empty_one(sandbox: Sandbox) -> None:
    head = sandbox.commit({"a": "1\n"})
    path = sandbox.folder / ".git" / "objects" / head[:2] / head[2:]
    path.chmod(0o644)
    path.unlink()
    with pytest.raises(ReviewbotError, match=f"HEAD is {head[:12]}, and the repository lacks") as caught:
        trigger(sandbox.folder, None, None)
    assert caught.value.exit_code == 2
    assert "git fsck" in caught.value.sentences


def test_a_repository_without_a_commit_says_so(sandbox: Sandbox) -> None:
    with pytest.raises(UnknownRevision, match="no commit to review yet"):
        trigger(sandbox.folder)


def test_a_shallow_clone_without_the_parent_is_not_taken_for_a_root(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.commit({"a": "1\n"})
    sandbox.commit({"a": "2\n"})
    with pytest.raises(ShallowRepository, match="shallow") as caught:
        trigger(clone(sandbox, tmp_path, "--depth=1").folder)
    assert "--unshallow" in caught.value.remedy


def test_a_shallow_clone_without_the_merge_base_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.commit({"a": "1\n"})
    sandbox.commit({"a": "2\n"})
    sandbox.git("checkout", "-q", "-b", "topic")
    sandbox.commit({"b": "1\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({"c": "1\n"})
    copy = clone(sandbox, tmp_path, "--depth=1", "--no-single-branch")
    with pytest.raises(ShallowRepository, match="no common ancestor"):
        trigger(copy.folder, "origin/topic", "origin/main")


def test_histories_that_share_nothing_are_compared_directly(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": "1\n"})
    sandbox.git("checkout", "-q", "--orphan", "other")
    sandbox.commit({"a": "2\n"})
    found, notes = trigger(sandbox.folder, "main")
    assert found.base_sha == first
    assert "which shares no history with 'HEAD'" in notes[0]


def test_a_shallow_clone_that_cannot_know_the_merge_base_is_not_reviewed_by_its_last_commit(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.commit({"a": "1\n"})
    sandbox.git("checkout", "-q", "-b", "topic")
    for number in range(4):
        sandbox.commit({f"b{number}": "1\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({"c": "1\n"})
    copy = clone(sandbox, tmp_path, "--depth=2", "--no-single-branch", "-b", "topic")
    with pytest.raises(ShallowRepository, match="no common ancestor of head and origin/main"):
        trigger(copy.folder)


def test_the_default_branch_is_the_one_that_the_remote_names(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.git("checkout", "-q", "-b", "trunk")
    fork_point = sandbox.commit({"a": "1\n"})
    copy = clone(sandbox, tmp_path)
    copy.git("checkout", "-q", "-b", "topic")
    copy.git("commit", "-q", "--allow-empty", "-m", "c")
    found, notes = trigger(copy.folder)
    assert found.base_sha == fork_point
    assert "origin/trunk" in notes[0]
