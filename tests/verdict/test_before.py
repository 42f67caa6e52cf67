from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import ChangeSet, ChangeStatus, Coverage, CoverageRow, CoverageStatus, FileChange
from reviewbot.earlier import Round
from reviewbot.verdict.before import (
    ReadBefore,
    digest_terms,
    files_read_before,
    name_change,
    next_readings,
    note_of,
)
from reviewbot.verdict.coverage import Readers, build_coverage

BASE, HEAD, LATER = "b" * 40, "a" * 40, "c" * 40
KEY = b"a long secret"


def change(path: str, blob: str = "1", **more: Any) -> FileChange:
    made = FileChange(path, None, ChangeStatus.MODIFIED, "100644", "100644", "0" * 40, blob * 40, 3, 1)
    return replace(made, **more)


def row(path: str, status: CoverageStatus = CoverageStatus.REVIEWED, *by: str, **more: Any) -> CoverageRow:
    return CoverageRow(path, status, by or ("triage", "security", "ruff"), "", 3, 1, **more)


FILES = (change("a.py"), change("b.py"), change("c.py"), change("d.py"))
ROWS = (
    row("a.py"),
    row("b.py", CoverageStatus.TRIAGED, "triage"),
    row("c.py", CoverageStatus.UNREVIEWED, "triage"),
    row("d.py", CoverageStatus.REVIEWED, "ruff"),
)


def last(**changes: Any) -> Round:
    readings = next_readings(ChangeSet(BASE, HEAD, FILES), Coverage(ROWS), KEY)
    made = Round(HEAD, BASE, (), base_sha=BASE, terms="ab", readings=readings)
    return replace(made, **changes)


def found(round: Round, *files: FileChange, key: bytes | None = KEY, **more: Any) -> dict[str, ReadBefore]:
    terms = more.pop("terms", "ab")
    base = more.pop("base", BASE)
    return dict(files_read_before(round, key, ChangeSet(base, LATER, files or FILES), terms, **more))


def test_what_agents_read_and_nothing_else_is_known_by_whom_and_at_which_head() -> None:
    assert found(last()) == {
        "a.py": ReadBefore(CoverageStatus.REVIEWED, ("triage", "security"), HEAD),
        "b.py": ReadBefore(CoverageStatus.TRIAGED, ("triage",), HEAD),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"head_blob": "2" * 40},
        {"base_blob": "2" * 40},
        {"path": "e.py"},
        {"old_path": "e.py"},
        {"head_mode": "100755"},
        {"status": ChangeStatus.ADDED},
    ],
    ids=str,
)
def test_a_file_of_which_anything_changed_is_read_again(changes: dict[str, Any]) -> None:
    assert found(last(), replace(change("a.py"), **changes)) == {}


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, {"key": None}),
        ({}, {"key": b"another"}),
        ({}, {"terms": "cd"}),
        ({"terms": ""}, {"terms": ""}),
        ({"forgotten": 1}, {}),
        ({}, {"base": LATER}),
    ],
    ids=str,
)
def test_everything_is_read_again_where_the_round_is_not_signed_whole_or_about_the_same(
    changes: dict[str, Any], more: dict[str, Any]
) -> None:
    assert found(last(**changes), **more) == {}


def test_another_merge_base_is_no_matter_where_the_tree_is_the_same() -> None:
    assert set(found(last(), base=LATER, same_tree=True)) == {"a.py", "b.py"}


def test_triage_alone_is_not_enough_for_a_file_of_which_a_program_says_something() -> None:
    assert set(found(last(), named={"a.py", "b.py"})) == {"a.py"}


def test_a_reading_keeps_the_head_it_was_made_at_over_many_rounds() -> None:
    coverage = build_coverage(
        ChangeSet(BASE, LATER, FILES[:1]), {}, {"a.py": ("ruff",)}, {}, Readers(before=found(last()))
    )
    [carried] = coverage.files
    assert (carried.status, carried.by, carried.read_at) == (
        CoverageStatus.REVIEWED, ("triage", "security", "ruff"), HEAD,
    )  # fmt: skip
    assert HEAD[:12] in carried.reason
    [reading] = next_readings(ChangeSet(BASE, LATER, FILES[:1]), coverage, KEY)
    assert (reading.head_sha, reading.files) == (HEAD, (name_change(FILES[0], KEY),))


def test_what_cannot_be_read_or_was_not_scanned_is_no_pass_because_it_was_read_before() -> None:
    files = (change("a.py", omitted="larger than 10 MiB"), change("b.py"))
    before = {path: ReadBefore(CoverageStatus.REVIEWED, ("triage",), HEAD) for path in ("a.py", "b.py")}
    coverage = build_coverage(
        ChangeSet(BASE, LATER, files), {}, {}, {"b.py": "ruff failed"}, Readers(before=before)
    )
    assert {each.status for each in coverage.files} == {CoverageStatus.UNREVIEWED}


def test_terms_differ_where_the_texts_do_however_they_are_cut() -> None:
    digests = {digest_terms(texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""])}
    assert len(digests) == 4
    assert digest_terms(["\udcff"]) == digest_terms(["\udcff"])


def test_a_sentence_says_how_many_files_were_not_read_again() -> None:
    assert note_of({}, 3) == ()
    [note] = note_of(found(last()), 4)
    assert "2 of 4 changed files" in note
    assert HEAD[:12] in note
