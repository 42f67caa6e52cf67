import pytest

from reviewbot.change.git import Repository
from reviewbot.errors import RepositoryError
from tests.repositories import Sandbox


def commit_tree(sandbox: Sandbox, base: str, *entries: tuple[str, bytes]) -> str:
    """A commit whose tree holds files under names that git's own commands would refuse."""
    rows = b"".join(
        b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob(sandbox, content))
        for name, content in entries
    )
    tree = sandbox.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=rows)
    return sandbox.git("commit-tree", tree, "-p", base, "-m", "odd")


def blob(sandbox: Sandbox, content: bytes) -> str:
    return sandbox.git("hash-object", "-w", "--stdin", stdin=content)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["run.py", "run.py"], "run.py stands twice in one tree"),
        (["vendor/../run.py"], "is no path that git checks out"),
        ([".git/config"], "is no path that git checks out"),
        ([".GIT/hooks/x"], "is no path that git checks out"),
        (["/etc/x"], "is no path that git checks out"),
    ],
)
def test_a_tree_that_nobody_could_check_out_as_it_was_read_is_refused(
    sandbox: Sandbox, names: list[str], why: str
) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = commit_tree(sandbox, base, *((name, b"%d\n" % number) for number, name in enumerate(names)))
    with Repository(sandbox.folder) as repository, pytest.raises(RepositoryError, match=why):
        repository.diff_entries(base, head)


def test_names_that_only_look_like_those_are_read(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit(
        {".gitignore": "none\n", "...": "x\n", "a..b": "x\n", "git": "x\n", "b/.github/x": "x\n"}
    )
    with Repository(sandbox.folder) as repository:
        assert len(repository.diff_entries(base, head)) == 5
