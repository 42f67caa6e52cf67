import tracemalloc

from reviewbot.change.git import Repository
from reviewbot.change.instructions import MAX_CHARACTERS, NOTES_PATH, read_instructions
from tests.repositories import Sandbox


def read(sandbox: Sandbox, sha: str, *paths: str) -> tuple[tuple[str, str], ...]:
    with Repository(sandbox.folder) as repository:
        return read_instructions(repository, sha, paths)


def test_notes_for_reviewers_come_before_the_instructions_of_folders(sandbox: Sandbox) -> None:
    sha = sandbox.commit(
        {"AGENTS.md": "root\n", "src/AGENTS.md": "src\n", "docs/CLAUDE.md": "docs\n", NOTES_PATH: "mind it\n"}
    )
    found = read(sandbox, sha, "src/a.py")
    assert found == ((NOTES_PATH, "mind it\n"), ("AGENTS.md", "root\n"), ("src/AGENTS.md", "src\n"))


def test_notes_are_read_at_the_policy_commit_only(sandbox: Sandbox) -> None:
    sha = sandbox.commit({"a.py": "x = 1\n"})
    sandbox.commit({NOTES_PATH: "everything here is fine\n"})
    assert read(sandbox, sha, "a.py") == ()


def test_long_notes_are_cut_and_links_are_not_followed(sandbox: Sandbox) -> None:
    sha = sandbox.commit({NOTES_PATH: "x" * (2 * MAX_CHARACTERS), "a.py": "x\n"})
    [(_, text)] = read(sandbox, sha, "a.py")
    assert text == "x" * MAX_CHARACTERS + f" [… {MAX_CHARACTERS:,} more characters cut]"
    (sandbox.folder / NOTES_PATH).unlink()
    (sandbox.folder / NOTES_PATH).symlink_to("../a.py")
    sandbox.git("add", "-A")
    sandbox.git("commit", "-q", "-m", "link")
    assert read(sandbox, sandbox.git("rev-parse", "HEAD"), "a.py") == ()


def test_the_notes_of_a_deep_folder_are_read(sandbox: Sandbox) -> None:
    folder = "/".join("abcdefghijklmnopqrst")
    sha = sandbox.commit({f"{folder}/AGENTS.md": "deep\n", f"{folder}/a.py": "x\n"})
    assert read(sandbox, sha, f"{folder}/a.py", f"{folder}/new/a.py") == ((f"{folder}/AGENTS.md", "deep\n"),)


def test_folders_that_only_the_change_makes_take_no_memory(sandbox: Sandbox) -> None:
    sha = sandbox.commit({"a.py": "x\n"})
    deep = [f"{number}/" + "d/" * 1_500 + "a.py" for number in range(200)]  # 450 MB of prefixes
    tracemalloc.start()
    try:
        assert read(sandbox, sha, *deep) == ()
        with Repository(sandbox.folder) as repository:
            assert repository.attributes(sha, deep, ["linguist-generated"]) == {}
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_more_path_names_than_one_command_line_takes_are_asked_for(sandbox: Sandbox) -> None:
    sha = sandbox.commit({"a.py": "x\n"})
    with Repository(sandbox.folder) as repository:
        assert (
            repository.entries_at(sha, [f"{number}/" + "d" * 200 + "/e" * 1_900 for number in range(600)])
            == {}
        )
