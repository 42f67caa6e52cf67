"""Head with files replaced, as objects that git itself can read."""

from pathlib import Path

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.patched import patched
from reviewbot.errors import RepositoryError
from tests.repositories import Sandbox

FILES = {"a.py": "1\n", "deep/er/b.py": "2\n", "deep/c.py": "3\n", "z": "4\n"}


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_the_tree_is_the_one_that_git_would_write(tmp_path: Path, form: str) -> None:
    sandbox = Sandbox(tmp_path / "repo")
    (sandbox.folder / ".git").rename(tmp_path / "unused")
    sandbox.git("init", "-q", "-b", "main", f"--object-format={form}")
    head = sandbox.commit(FILES)
    new = {"a.py": b"one\n", "deep/er/b.py": b"two\r\n\xff"}
    with Repository(sandbox.folder) as repository, patched(repository, head, new) as (held, tree):
        changes = load_change_set(held, head, tree)
        assert [(change.path, change.added_lines) for change in changes.files] == [
            ("a.py", 1),
            ("deep/er/b.py", 2),
        ]
        entry = held.entry_at(tree, "deep/er/b.py")
        assert entry is not None
        assert held.read_object(entry.sha) == new["deep/er/b.py"]
        assert held.tree_paths(tree) == tuple(sorted(FILES))
    expected = sandbox.commit(dict(new))
    assert tree == sandbox.git("rev-parse", f"{expected}^{{tree}}")


def test_nothing_is_written_to_the_repository(sandbox: Sandbox) -> None:
    head = sandbox.commit(FILES)
    before = sorted(path for path in (sandbox.folder / ".git" / "objects").rglob("*"))
    with Repository(sandbox.folder) as repository, patched(repository, head, {"a.py": b"new\n"}):
        pass
    assert sorted(path for path in (sandbox.folder / ".git" / "objects").rglob("*")) == before
    assert (sandbox.folder / "a.py").read_text() == "1\n"


@pytest.mark.parametrize("path", ["gone.py", "deep", "deep/er", "a.py/x", "deep/none/x"])
def test_only_files_of_head_are_replaced(sandbox: Sandbox, path: str) -> None:
    head = sandbox.commit(FILES)
    with (
        Repository(sandbox.folder) as repository,
        pytest.raises(RepositoryError, match=r"head\."),
        patched(repository, head, {path: b""}),
    ):
        pass
