import sqlite3
from pathlib import Path

import pytest

from reviewbot.state_file import StateError
from reviewbot.verdict import memory as module
from reviewbot.verdict.baseline import BadBaseline, Baseline, Entry, render_baseline
from reviewbot.verdict.memory import FILE_NAME, ScanMemory

ONE, TWO = "1" * 40, "2" * 40
ENTRY = Entry("a" * 16, "b" * 16, "ruff", "ruff/S602", "high", "caf\udce9.py", ONE, ONE)


def test_a_new_folder_is_made_and_knows_nothing(tmp_path: Path) -> None:
    with ScanMemory(tmp_path / "a/b", "acme/shop") as memory:
        assert (memory.last_scan(), memory.baseline(), memory.recall(["k"])) == (None, None, {})


def test_a_finished_scan_is_there_for_the_next_one(tmp_path: Path) -> None:
    baseline = Baseline(ONE, ("ruff",), (ENTRY,))
    with ScanMemory(tmp_path, "acme/shop") as memory:
        memory.finish(Baseline(TWO, (), ()), had_file=True)
        memory.finish(baseline, had_file=False)
    with ScanMemory(tmp_path, "acme/shop") as memory:
        last = memory.last_scan()
        assert last is not None
        assert (last.sha, last.had_file) == (ONE, False)
        assert memory.baseline() == baseline


def test_readings_are_kept_replaced_and_asked_for_in_any_number(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(1201)]
    with ScanMemory(tmp_path, "acme/shop") as memory:
        memory.keep(dict.fromkeys(keys, "old"))
        memory.keep({"k7": "new"})
        memory.keep({})
        found = memory.recall([*keys, "absent"])
    assert len(found) == 1201
    assert (found["k7"], found["k8"]) == ("new", "old")


def test_the_readings_used_longest_ago_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    with ScanMemory(tmp_path, "acme/shop") as memory:
        memory.keep({"a": "1", "b": "1"})
        memory.keep({"a": "1", "c": "1"})
        assert set(memory.recall("abc")) == {"a", "c"}


def test_a_run_that_is_killed_while_it_finishes_leaves_the_scan_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Baseline) -> bytes:
        raise KeyboardInterrupt

    with ScanMemory(tmp_path, "acme/shop") as memory:
        memory.finish(Baseline(ONE, (), ()), had_file=False)
        monkeypatch.setattr(module, "render_baseline", die)
        with pytest.raises(KeyboardInterrupt):
            memory.finish(Baseline(TWO, (), ()), had_file=False)
    monkeypatch.undo()
    with ScanMemory(tmp_path, "acme/shop") as memory:
        last, baseline = memory.last_scan(), memory.baseline()
    assert last is not None
    assert baseline is not None
    assert (last.sha, baseline.commit) == (ONE, ONE)


def test_the_state_of_another_repository_is_refused(tmp_path: Path) -> None:
    ScanMemory(tmp_path, "acme/shop").__exit__(None, None, None)
    with pytest.raises(StateError, match="another repository than 'acme/caf"):
        ScanMemory(tmp_path, "acme/caf\udce9")


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_state_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StateError) as caught:
        ScanMemory(tmp_path, "acme/shop")
    assert FILE_NAME in str(caught.value)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    ScanMemory(tmp_path, "acme/shop").__exit__(None, None, None)
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="not written by this version"):
        ScanMemory(tmp_path, "acme/shop")


def test_another_database_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("CREATE TABLE mine (x)")
    with pytest.raises(StateError, match="not written by this version"):
        ScanMemory(tmp_path, "acme/shop")


def test_a_baseline_that_was_spoilt_on_disk_is_refused(tmp_path: Path) -> None:
    with ScanMemory(tmp_path, "acme/shop") as memory:
        memory.finish(Baseline(ONE, (), ()), had_file=False)
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("UPDATE state SET value = 'x' WHERE name = 'baseline'")
    with ScanMemory(tmp_path, "acme/shop") as memory, pytest.raises(BadBaseline, match=FILE_NAME):
        memory.baseline()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        ScanMemory(tmp_path / "file/state", "acme/shop")


def test_a_state_that_another_scan_holds_is_refused_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewbot.state_file.LOCK_SECONDS", 0.05)
    with ScanMemory(tmp_path, "acme/shop") as memory:
        other = sqlite3.connect(tmp_path / FILE_NAME)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="locked"):
            memory.keep({"a": "1"})
        other.close()


KEY = b"k" * 32


def test_with_a_key_only_what_was_signed_with_it_counts(tmp_path: Path) -> None:
    baseline = Baseline(ONE, ("ruff",), (ENTRY,))
    with ScanMemory(tmp_path, "acme/shop", KEY) as memory:
        memory.finish(baseline, had_file=True)
        memory.keep({"a": "1"})
    for key, seen in ((KEY, True), (b"x" * 32, False), (None, False)):
        with ScanMemory(tmp_path, "acme/shop", key) as memory:
            last = memory.last_scan()
            assert last is not None
            found = (memory.baseline() == baseline, last.had_file, memory.recall("a") == {"a": "1"})
            assert found == (seen, seen, seen)


def test_what_somebody_else_writes_into_a_signed_state_is_as_good_as_absent(tmp_path: Path) -> None:
    with ScanMemory(tmp_path, "acme/shop", KEY) as memory:
        memory.keep({"a": "clean", "b": "a fault"})
    # The forger knows no key, but may copy what is signed from one name to another.
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("UPDATE readings SET reading = (SELECT reading FROM readings WHERE key = 'a')")
        database.execute("INSERT INTO readings (key, reading) VALUES ('c', 'clean')")
        forged = render_baseline(Baseline(ONE, ("ruff",), (ENTRY,)))
        database.execute("INSERT INTO state VALUES ('baseline', ?)", (forged,))
    with ScanMemory(tmp_path, "acme/shop", KEY) as memory:
        assert memory.recall("abc") == {"a": "clean"}
        assert memory.baseline() is None


@pytest.mark.parametrize("value", [b"\xff\xfe", 7, b"{}"], ids=repr)
def test_a_reading_of_another_kind_is_no_reading(tmp_path: Path, value: object) -> None:
    with ScanMemory(tmp_path, "acme/shop", KEY) as memory:
        memory.keep({"a": "1"})
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("UPDATE readings SET reading = ?", (value,))
    with ScanMemory(tmp_path, "acme/shop", KEY) as memory:
        try:
            assert memory.recall("a") == {}
        except StateError as error:
            assert FILE_NAME in str(error)
