import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from reviewbot.change import git_calls, grep
from reviewbot.change.git import GrepHit, Repository, SearchError
from reviewbot.change.git_calls import SEARCHES
from tests.repositories import Sandbox

FILES: dict[str, str | bytes] = {
    "a.py": "import os\nos.system(x)\n# OS\n",
    "sub/b.py": "x = os.system\n",
    "odd\nname:7\x01": "os.system here\n",
    "binary": b"os.system\0\n",
    ".gitattributes": "a.py binary -diff\n",
    "ü.txt": "grüße\n",
}


@pytest.fixture
def searched(sandbox: Sandbox) -> tuple[Sandbox, str]:
    return sandbox, sandbox.commit(FILES)


def places(hits: tuple[GrepHit, ...]) -> list[tuple[str, int]]:
    return [(hit.path, hit.line) for hit in hits]


def test_lines_are_found_in_text_files_whatever_their_names_and_attributes(
    searched: tuple[Sandbox, str],
) -> None:
    sandbox, commit = searched
    with Repository(sandbox.folder) as repository:
        hits = repository.grep(commit, "os.system", max_count=9)
        assert places(hits) == [("a.py", 2), ("odd\nname:7\x01", 1), ("sub/b.py", 1)]
        assert hits[0].text == "os.system(x)"
        assert repository.grep(commit, "os.system", max_count=2) == hits[:2]
        assert repository.grep(commit, "grüße", max_count=9) == (GrepHit("ü.txt", 1, "grüße"),)
        assert repository.grep(commit, "nowhere", max_count=9) == ()


def test_case_and_expressions_are_asked_for(searched: tuple[Sandbox, str]) -> None:
    sandbox, commit = searched
    with Repository(sandbox.folder) as repository:
        assert places(repository.grep(commit, "# os", ignore_case=True, max_count=9)) == [("a.py", 3)]
        assert repository.grep(commit, "^os[.]s.stem", max_count=9) == ()
        found = repository.grep(commit, "^os[.]s.stem", fixed=False, max_count=9)
        assert places(found) == [("a.py", 2), ("odd\nname:7\x01", 1)]


@pytest.mark.parametrize("text", ["--help", "-O/bin/sh", "--open-files-in-pager=sh", "-f/etc/passwd", "-e"])
def test_a_text_that_looks_like_an_option_is_text(sandbox: Sandbox, text: str) -> None:
    commit = sandbox.commit({"a": f"x {text} y\n"})
    with Repository(sandbox.folder) as repository:
        assert places(repository.grep(commit, text, max_count=9)) == [("a", 1)]


def test_paths_are_taken_literally(searched: tuple[Sandbox, str]) -> None:
    sandbox, commit = searched
    with Repository(sandbox.folder) as repository:
        for pathspec, expected in {
            "sub": ["sub/b.py"],
            "sub/": ["sub/b.py"],
            "*.py": [],
            ":(glob)**": [],
        }.items():
            hits = repository.grep(commit, "os.system", pathspec=[pathspec], max_count=9)
            assert [hit.path for hit in hits] == expected, pathspec
        for pathspec in ("", "a\0b"):
            with pytest.raises(SearchError, match="empty or holds a NUL"):
                repository.grep(commit, "os", pathspec=[pathspec], max_count=9)


@pytest.mark.parametrize(
    ("text", "fixed", "words"),
    [
        ("", True, "1 to 500 characters"),
        ("x" * 501, True, "1 to 500 characters"),
        ("a\nb", True, "must be one line"),
        ("a\0b", True, "must be one line"),
        ("\ud800", True, "half a character"),
        ("((a{1,255}){1,255}){1,255}", False, "repeats too often"),
        ("a{999999999}", False, "repeats too often"),
        ("a(", False, "could not search"),
        ("[", False, "could not search"),
    ],
)
def test_a_text_that_cannot_be_sought_says_why(sandbox: Sandbox, text: str, fixed: bool, words: str) -> None:
    commit = sandbox.commit({"a": "x\n"})
    with Repository(sandbox.folder) as repository, pytest.raises(SearchError, match=words) as caught:
        repository.grep(commit, text, fixed=fixed, max_count=9)
    assert "\n" not in caught.value.sentences


def test_an_expression_that_eats_memory_is_stopped(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grep, "_MAX_REPETITIONS", 10**9)
    monkeypatch.setattr(git_calls, "MAX_GREP_MEMORY", 48 * 1024 * 1024)
    commit = sandbox.commit({"a": "a\n"})
    with Repository(sandbox.folder) as repository, pytest.raises(SearchError, match="could not search"):
        repository.grep(commit, "((a{1,255}){1,255}){1,255}", fixed=False, max_count=9)


def test_a_search_that_takes_too_long_is_stopped(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_calls, "GREP_SECONDS", 0.3)
    commit = sandbox.commit({"a": "ab" * 30_000 + "\n"})
    started = time.monotonic()
    with (
        Repository(sandbox.folder) as repository,
        pytest.raises(SearchError, match="took longer than 0.3 seconds"),
    ):
        repository.grep(commit, r"(a|b|ab)*\1(a|b|ab)*\2c", fixed=False, max_count=9)
    assert time.monotonic() - started < 10


def test_more_output_than_fits_is_an_error_unless_enough_was_found(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_calls, "MAX_GREP_OUTPUT", 10_000)
    monkeypatch.setattr(grep, "MAX_GREP_OUTPUT", 10_000)
    commit = sandbox.commit({"a": "hit\n" * 1_000})
    with Repository(sandbox.folder) as repository:
        assert len(repository.grep(commit, "hit", max_count=20)) == 20
        with pytest.raises(SearchError, match="found more than"):
            repository.grep(commit, "hit", max_count=900)


def test_a_long_line_is_cut(sandbox: Sandbox) -> None:
    commit = sandbox.commit({"a": "x" * 100_000 + "\n"})
    with Repository(sandbox.folder) as repository:
        [hit] = repository.grep(commit, "x", max_count=9)
    assert hit.text == "x" * 2_000


def test_only_a_few_searches_run_at_a_time_whatever_number_is_asked_for(
    searched: tuple[Sandbox, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, head = searched
    running: list[int] = []
    most: list[int] = []
    with Repository(sandbox.folder) as repository:
        real = repository._calls.running

        @contextmanager
        def counted(*arguments: object) -> Iterator[object]:
            running.append(1)
            most.append(len(running))
            try:
                with real(*arguments) as found:  # type: ignore[arg-type]
                    yield found
            finally:
                running.pop()

        monkeypatch.setattr(repository._calls, "running", counted)
        with ThreadPoolExecutor(8) as pool:
            found = [*pool.map(lambda _: repository.grep(head, "os.system", max_count=5), range(24))]
    assert len(found) == 24
    assert max(most) <= SEARCHES
