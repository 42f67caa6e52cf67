import os
import subprocess
from pathlib import Path

import pytest

from reviewbot.change.git import Repository
from reviewbot.errors import NoReview, RepositoryError, UnknownRevision
from tests.repositories import Sandbox


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="is not in a git repository"):
        Repository(tmp_path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no such file"):
        Repository(tmp_path / "absent")


def test_a_sub_folder_finds_its_repository(sandbox: Sandbox) -> None:
    sandbox.commit({"a/b/c.txt": "x\n"})
    assert Repository(sandbox.folder / "a" / "b").work_tree == sandbox.folder.resolve()


def test_a_bare_repository_counts_only_where_it_is_named_itself(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "x\n"})
    sandbox.git("clone", "-q", "--bare", ".", "nested.git")
    assert Repository(sandbox.folder / "nested.git").work_tree is None
    (sandbox.folder / "nested.git" / "deep").mkdir()
    assert Repository(sandbox.folder / "nested.git" / "deep").work_tree == sandbox.folder.resolve()


def test_a_linked_work_tree_reads_the_objects_of_its_main_one(sandbox: Sandbox, tmp_path: Path) -> None:
    commit = sandbox.commit({"a": "x\n"})
    sandbox.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    with Repository(tmp_path / "linked") as repository:
        assert repository.resolve("HEAD") == commit
        assert repository.read_object(repository.entries_at(commit, ["a"])["a"].sha) == b"x\n"


def test_a_sha256_repository_can_be_read(tmp_path: Path) -> None:
    box = Sandbox(tmp_path / "old")
    (tmp_path / "new").mkdir()
    box.folder = tmp_path / "new"
    box.git("init", "-q", "--object-format=sha256", "-b", "main")
    first, second = (
        box.commit({"a": "1\n"}),
        box.commit({"a": "2\n", ".gitattributes": "*.x linguist-generated\n"}),
    )
    with Repository(box.folder) as repository:
        assert len(second) == 64
        assert [entry.added_lines for entry in repository.diff_entries(first, second)] == [1, 1]
        assert repository.attributes(second, ["q.x"], ["linguist-generated"])["q.x"] == {
            "linguist-generated": "set"
        }
        assert repository.diff_entries(repository.empty_tree, first)[0].path == "a"


def test_only_full_object_ids_reach_git(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "x\n"})
    with (
        Repository(sandbox.folder) as repository,
        pytest.raises(UnknownRevision, match="not a full object id"),
    ):
        repository.diff_entries("--output=stolen", "HEAD")


@pytest.mark.parametrize("revision", ["--all", "-q", "absent", "", "HEAD^{/x}", "a..b", "\x00", "HEAD:a"])
def test_what_names_no_commit_is_none(sandbox: Sandbox, revision: str) -> None:
    sandbox.commit({"a": "x\n"})
    with Repository(sandbox.folder) as repository:
        assert repository.resolve(revision) is None


def test_a_missing_object_is_an_error_and_reading_goes_on(sandbox: Sandbox) -> None:
    commit = sandbox.commit({"a": "x\n"})
    with Repository(sandbox.folder) as repository:
        with pytest.raises(RepositoryError, match="is not in this clone"):
            repository.read_object("0" * 39 + "1")
        assert repository.read_object(repository.entries_at(commit, ["a"])["a"].sha) == b"x\n"


def test_attributes_come_from_the_named_commit_only(sandbox: Sandbox) -> None:
    old = sandbox.commit({"a.gen": "1\n", "sub/.gitattributes": "*.gen linguist-generated\n"})
    new = sandbox.commit({".gitattributes": "* linguist-generated\n"})
    with Repository(sandbox.folder) as repository:
        paths, names = ["a.gen", "sub/b.gen", "sub/c.py"], ["linguist-generated"]
        found = repository.attributes(old, paths, names)
        assert [found[path]["linguist-generated"] for path in paths] == ["unspecified", "set", "unspecified"]
        assert repository.attributes(new, ["a.gen"], names)["a.gen"]["linguist-generated"] == "set"
        assert repository.attributes(repository.empty_tree, paths, names) == {}


def test_nothing_of_a_hostile_repository_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    base = sandbox.commit({"a.c": "1\n", ".gitattributes": "*.c diff=evil filter=evil\n"})
    head = sandbox.commit({"a.c": "2\n"})
    for key in (
        "core.fsmonitor", "core.pager", "diff.external", "diff.evil.command", "diff.evil.textconv",
        "filter.evil.clean", "filter.evil.smudge", "core.sshCommand", "core.alternateRefsCommand",
    ):  # fmt: skip
        sandbox.git("config", key, f"touch {marker}; false")
    sandbox.git("config", "core.worktree", str(tmp_path))
    sandbox.git("config", "core.attributesFile", str(sandbox.folder / ".gitattributes"))
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        script = sandbox.folder / ".git" / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {marker}\n")
        script.chmod(0o755)
    with Repository(sandbox.folder) as repository:
        assert repository.resolve("HEAD") == head
        [entry] = repository.diff_entries(base, head)
        with repository.diff_lines(base, head) as lines:
            assert b"+2\n" in list(lines)
        assert repository.read_object(entry.head_blob or "") == b"2\n"
        repository.attributes(head, ["a.c"], ["diff"])
        repository.tree_paths(head)
    assert not marker.exists()


def test_replace_refs_and_grafts_change_nothing(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": "1\n"})
    second = sandbox.commit({"a": "2\n"})
    sandbox.git("replace", second, first)
    (sandbox.folder / ".git" / "info").mkdir(exist_ok=True)
    (sandbox.folder / ".git" / "info" / "grafts").write_text(f"{second}\n")
    with Repository(sandbox.folder) as repository:
        assert repository.parents(second) == (first,)
        assert len(repository.diff_entries(first, second)) == 1


def test_local_configuration_does_not_change_the_diff(sandbox: Sandbox) -> None:
    base = sandbox.commit({"old.txt": "".join(f"{n}\n" for n in range(40)), "b": "1\n"})
    os.rename(sandbox.folder / "old.txt", sandbox.folder / "new.txt")
    head = sandbox.commit({"b": "2\n"})

    def patch() -> bytes:
        with Repository(sandbox.folder) as repository, repository.diff_lines(base, head) as lines:
            return lines.read()

    before = patch()
    for key, value in {
        "diff.renames": "false", "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "color.ui": "always",
        "diff.context": "0", "core.quotePath": "false", "diff.algorithm": "patience", "diff.submodule": "log",
        "core.bigFileThreshold": "1", "diff.suppressBlankEmpty": "true", "diff.orderFile": "b",
    }.items():  # fmt: skip
        sandbox.git("config", key, value)
    assert patch() == before


def test_the_users_environment_does_not_reach_git(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = sandbox.commit({"a": "x\n"})
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_TRACE", "1")
    with Repository(sandbox.folder) as repository:
        assert repository.resolve("HEAD") == commit
        assert "GIT_TRACE" not in repository._calls._environment()


def test_a_git_that_fails_in_the_middle_of_a_diff_is_an_error(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": "1\n"})
    second = sandbox.commit({"a": "2\n"})
    blob = sandbox.git("rev-parse", f"{second}:a")
    path = sandbox.folder / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.unlink()
    with (
        Repository(sandbox.folder) as repository,
        pytest.raises(RepositoryError, match="could not write the diff"),
        repository.diff_lines(first, second) as lines,
    ):
        list(lines)


def test_a_repository_of_a_newer_git_is_told_as_that(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "1\n"})
    sandbox.git("config", "core.repositoryformatversion", "1")
    sandbox.git("config", "extensions.ofTomorrow", "true")
    with pytest.raises(RepositoryError) as caught, Repository(sandbox.folder):
        pass
    assert "unknown repository extension found: oftomorrow" in str(caught.value)
    assert "update git" in caught.value.sentences
    assert "--repo" not in caught.value.sentences


def test_no_room_for_temporary_files_is_told_as_that(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/nowhere")
    with (
        pytest.raises(NoReview, match="No temporary folder can be made") as caught,
        Repository(sandbox.folder),
    ):
        pass
    assert "TMPDIR" in caught.value.sentences


def test_the_temporary_store_is_gone_afterwards(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "x\n"})
    with Repository(sandbox.folder) as repository:
        home = repository._calls.home
        assert home.is_dir()
    assert not home.exists()
    assert (
        subprocess.run(
            ["git", "status", "--porcelain"], cwd=sandbox.folder, capture_output=True, check=True
        ).stdout
        == b""
    )


def test_a_tree_that_unfolds_into_billions_of_files_is_refused(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewbot.change.git_calls.MAX_OUTPUT_BYTES", 4 * 1024 * 1024)
    monkeypatch.setattr("reviewbot.change.git_calls.MAX_MEMORY", 64 * 1024 * 1024)
    base = sandbox.commit({"a": "1\n"})
    inner = sandbox.git("rev-parse", "HEAD:a")
    row = "100644 blob {}\tf{}\n"
    for _ in range(10):
        rows = "".join(row.format(inner, number) for number in range(10))
        inner = sandbox.git("mktree", stdin=rows.encode())
        row = "040000 tree {}\td{}\n"
    head = sandbox.git("commit-tree", "-p", base, "-m", "bomb", inner)
    with Repository(sandbox.folder) as repository:
        with pytest.raises(NoReview, match="MiB"):
            repository.diff_entries(base, head)
        with pytest.raises(NoReview, match="MiB"):
            repository.tree_paths(head)
        assert repository.tree_paths(base) == ("a",)
