import os
from pathlib import Path

import pytest

from reviewbot.change import changeset
from reviewbot.change.changeset import load_change_set
from reviewbot.change.exclusions import excluded_by_rule
from reviewbot.change.git import Repository
from reviewbot.change.git_calls import BIG_FILE_BYTES
from reviewbot.core import ChangeSet, ChangeStatus, FileChange
from reviewbot.errors import RepositoryError
from tests.repositories import Sandbox

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n"


def load(sandbox: Sandbox, base: str, head: str) -> ChangeSet:
    with Repository(sandbox.folder) as repository:
        return load_change_set(repository, base, head)


def by_path(changes: ChangeSet) -> dict[str, FileChange]:
    return {change.path: change for change in changes.files}


def test_every_kind_of_change_has_its_row(sandbox: Sandbox) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    base = sandbox.commit(
        {
            "modified": "a\nb\n",
            "deleted": "x\n",
            "old": text,
            "copied": text + "tail\n",
            "mode": "m\n",
            "becomes-link": "text\n",
            "emptied": "x\n",
            "binary": b"\0\1",
        }
    )
    sandbox.remove("deleted")
    os.rename(sandbox.folder / "old", sandbox.folder / "new")
    (sandbox.folder / "mode").chmod(0o755)
    sandbox.remove("becomes-link")
    (sandbox.folder / "becomes-link").symlink_to("/etc/passwd")
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{base},module")
    files: dict[str, str | bytes] = {
        "modified": "a\nc\n",
        "copied": text + "tail 2\n",
        "copy": text + "tail\n",
        "added": "1\n",
        "empty": "",
        "emptied": "",
        "binary": b"\0\2",
    }
    for path, content in files.items():
        sandbox.write(path, content)
    (sandbox.folder / "module").mkdir()
    sandbox.git("add", "-A", "--", ".", ":!module")
    sandbox.git("commit", "-q", "-m", "c")
    head = sandbox.git("rev-parse", "HEAD")
    found = by_path(load(sandbox, base, head))
    assert {path: str(change.status) for path, change in found.items()} == {
        "modified": "modified", "deleted": "deleted", "new": "renamed", "copied": "modified", "copy": "copied",
        "mode": "mode_changed", "becomes-link": "type_changed", "added": "added", "empty": "added",
        "emptied": "modified", "binary": "modified", "module": "added",
    }  # fmt: skip
    assert found["new"].old_path == "old"
    assert found["copy"].old_path == "copied"
    assert found["binary"].is_binary
    assert found["becomes-link"].is_symlink
    assert found["becomes-link"].added == ((1, 1),)
    assert found["module"].is_submodule
    assert found["empty"].added_lines == 0
    numstat = sandbox.numstat(base, head)
    assert {p: None if c.is_binary else (c.added_lines, c.deleted_lines) for p, c in found.items()} == numstat


@pytest.mark.parametrize(
    "name",
    [b"caf\xe9.txt", "tab\there", "new\nline.py", 'quo"te', "-rf.py", "::warning::x", "é", "a b", ":(top)x"],
)
def test_any_file_name_is_one_file(sandbox: Sandbox, name: str | bytes) -> None:
    base = sandbox.commit({"other": "x\n"})
    sandbox.write(name, "1\n2\n")
    head = sandbox.commit()
    [change] = load(sandbox, base, head).files
    assert os.fsencode(change.path) == (name if isinstance(name, bytes) else name.encode())
    assert change.added == ((1, 2),)


@pytest.mark.parametrize(
    "attribute", ["-diff", "binary", "diff=evil", "-text", "export-ignore", "linguist-generated"]
)
def test_attributes_in_head_hide_nothing(sandbox: Sandbox, attribute: str) -> None:
    base = sandbox.commit({"a.py": "1\n"})
    head = sandbox.commit({"a.py": "2\n", ".gitattributes": f"*.py {attribute}\n"})
    change = by_path(load(sandbox, base, head))["a.py"]
    assert (change.added, change.deleted, change.is_binary) == (((1, 1),), ((1, 1),), False)


def test_source_code_behind_a_nul_byte_is_not_taken_for_a_binary(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a": "x\n"})
    head = sandbox.commit(
        {
            "run.sh": b"rm -rf /\n#\0\n",
            "deploy": b"#!/bin/sh\n#\0\nrm -rf /\n",
            "image.png": bytes(range(256)) * 9,
        }
    )
    found = by_path(load(sandbox, base, head))
    assert found["run.sh"].omitted == found["deploy"].omitted == "text that holds NUL bytes"
    assert (found["image.png"].omitted, found["image.png"].is_binary) == (None, True)


def test_what_no_longer_fits_into_the_total_is_unread_and_not_taken_for_a_binary(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changeset, "SNIFFED_BYTES", 3_000)
    base = sandbox.commit({"a": "x\n"})
    head = sandbox.commit({"a.bin": bytes(range(256)) * 12, "deploy": b"#!/bin/sh\ncurl x | sh\n\0"})
    found = by_path(load(sandbox, base, head))
    assert found["a.bin"].omitted is None
    assert "are looked into" in (found["deploy"].omitted or "")


def test_text_in_utf_16_that_moves_to_another_kind_is_new_there(sandbox: Sandbox) -> None:
    base = sandbox.commit({"notes.txt": "Remove-Item C:/\r\n".encode("utf-16")})
    sandbox.git("mv", "notes.txt", "run.ps1")
    change = by_path(load(sandbox, base, sandbox.commit()))["run.ps1"]
    assert (change.added, change.is_binary) == (((1, 1),), False)


@pytest.mark.parametrize("name", ["lib.js", "model.onnx"])
def test_a_pointer_of_git_lfs_is_no_text_that_anybody_read(sandbox: Sandbox, name: str) -> None:
    base = sandbox.commit({"a": "x\n"})
    first = sandbox.commit({name: LFS_POINTER.format("1" * 64)})
    second = sandbox.commit({name: LFS_POINTER.format("2" * 64)})
    unread = "a pointer of Git LFS: the text it stands for is not in the repository"
    for old, new in ((base, first), (first, second)):
        change = by_path(load(sandbox, old, new))[name]
        is_source = name == "lib.js"
        assert change.omitted == (unread if is_source else None)
        assert excluded_by_rule(change, {}) == (None if is_source else "pointer of Git LFS")


@pytest.mark.parametrize("more", ["curl x | sh\n", "size 1; curl x | sh\n"])
def test_code_behind_a_pointer_of_git_lfs_is_read(sandbox: Sandbox, more: str) -> None:
    base = sandbox.commit({"a": "x\n"})
    change = by_path(load(sandbox, base, sandbox.commit({"deploy": LFS_POINTER.format("1" * 64) + more})))
    assert (change["deploy"].added, change["deploy"].is_binary) == (((1, 4),), False)


def test_text_in_utf_16_is_text_and_all_of_it_is_new(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a": "x\n", "old.ps1": "Write 1\r\n".encode("utf-16")})
    head = sandbox.commit({"new.txt": "one\ntwo".encode("utf-16"), "old.ps1": "Write 2\r\n".encode("utf-16")})
    found = by_path(load(sandbox, base, head))
    assert (found["new.txt"].added, found["new.txt"].is_binary, found["new.txt"].added_lines) == (
        ((1, 2),),
        False,
        0,
    )
    assert found["old.ps1"].added == ((1, 1),)


def test_a_file_too_large_for_a_diff_says_so(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a": "x\n"})
    head = sandbox.commit({"dump.sql": b"0123456789abcde\n" * (BIG_FILE_BYTES // 16 + 1)})
    [change] = load(sandbox, base, head).files
    assert change.omitted == "larger than 32 MiB"


def test_a_disagreement_with_numstat_is_noticed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    base = sandbox.commit({"a": "1\n"})
    head = sandbox.commit({"a": "2\n3\n"})
    real = Repository.diff_lines

    def without_a_line(self: Repository, one: str, other: str):  # type: ignore[no-untyped-def]
        from contextlib import contextmanager

        @contextmanager
        def stream():  # type: ignore[no-untyped-def]
            with real(self, one, other) as lines:
                yield [line.replace(b"+1,2 @@", b"+1 @@") for line in lines if line != b"+3\n"]

        return stream()

    monkeypatch.setattr(Repository, "diff_lines", without_a_line)
    [change] = load(sandbox, base, head).files
    assert change.omitted == "the patch has +1 -1, git diff --numstat has +2 -1"
    assert change.hunks == ()


def test_a_root_commit_is_compared_with_the_empty_tree(sandbox: Sandbox) -> None:
    head = sandbox.commit({"a": "1\n", "b/c": "2\n"})
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, repository.empty_tree, head)
    assert {change.status for change in changes.files} == {ChangeStatus.ADDED}
    assert len(changes.files) == 2


def test_three_thousand_files_keep_their_order_and_counts(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a": "x\n"})
    head = sandbox.commit({f"d{number % 50}/f{number}.txt": f"{number}\n" for number in range(3000)})
    changes = load(sandbox, base, head)
    assert [change.path for change in changes.files] == list(sandbox.numstat(base, head))
    assert sum(change.added_lines for change in changes.files) == 3000


def test_a_partial_clone_without_the_objects_says_what_to_run(sandbox: Sandbox, tmp_path: Path) -> None:
    base = sandbox.commit({"a": "1\n"})
    head = sandbox.commit({"a": "2\n"})
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.git("clone", "-q", "--filter=blob:none", f"file://{sandbox.folder}", str(tmp_path / "partial"))
    with (
        Repository(tmp_path / "partial") as repository,
        pytest.raises(RepositoryError, match="partial clone") as caught,
    ):
        load_change_set(repository, base, head)
    assert f"git diff {base} {head}" in caught.value.remedy


def test_a_clone_that_borrows_objects_reads_them(sandbox: Sandbox, tmp_path: Path) -> None:
    base, head = sandbox.commit({"a": "1\n"}), sandbox.commit({"a": "2\n"})
    sandbox.git("clone", "-q", "--shared", ".", str(tmp_path / "borrower"))
    with Repository(tmp_path / "borrower") as repository:
        assert len(load_change_set(repository, base, head).files) == 1


def test_the_work_tree_is_never_read(sandbox: Sandbox, tmp_path: Path) -> None:
    base = sandbox.commit({"a": "1\n"})
    head = sandbox.commit({"a": "2\n"})
    sandbox.write("a", "3\n")
    sandbox.write(".gitattributes", "* -diff\n")
    [change] = load(sandbox, base, head).files
    assert change.hunks[0].lines == ("-1", "+2")


def test_every_line_of_a_copy_is_new_at_its_path_and_the_counts_are_gits(sandbox: Sandbox) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    base = sandbox.commit({"vendor/a.py": text})
    head = sandbox.commit({"vendor/a.py": text + "more\n", "app/a.py": text})
    copy = by_path(load(sandbox, base, head))["app/a.py"]
    assert (copy.status, copy.added_lines, copy.added) == (ChangeStatus.COPIED, 0, ((1, 30),))


@pytest.mark.parametrize(
    ("old", "new", "is_new"),
    [
        ("docs/a.yml", ".github/workflows/a.yml", True),
        (".github/workflows/a.yml", ".github/workflows/b.yml", False),
        ("notes.txt", "a.py", True),
        ("vendor/a.py", "src/a.py", True),
        ("src/a.py", "lib/b.py", False),
        ("x", "Dockerfile", True),
        ("a/Dockerfile", "b/Dockerfile", False),
        ("data.yml", "action.yml", True),
    ],
)
def test_a_file_that_moves_to_where_other_rules_hold_is_new(
    sandbox: Sandbox, old: str, new: str, is_new: bool
) -> None:
    base = sandbox.commit({old: "1\n2\n3\n"})
    (sandbox.folder / new).parent.mkdir(parents=True, exist_ok=True)
    os.rename(sandbox.folder / old, sandbox.folder / new)
    [change] = load(sandbox, base, sandbox.commit()).files
    assert change.status is ChangeStatus.RENAMED
    assert change.added == (((1, 3),) if is_new else ())
