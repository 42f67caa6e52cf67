import os
from pathlib import Path

import pytest

from reviewbot.errors import EvidenceError
from reviewbot.evidence import files
from reviewbot.evidence.files import read_evidence_files


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "out/deep").mkdir(parents=True)
    (tmp_path / "out/b.sarif").write_bytes(b"b")
    (tmp_path / "out/a.sarif").write_bytes(b"a")
    (tmp_path / "out/deep/c.sarif").write_bytes(b"c")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_come_sorted_and_each_once(reports: Path) -> None:
    (reports / "out/z.sarif").symlink_to("a.sarif")
    patterns = ["out/**/*.sarif", "out/a.sarif", f"{reports}/out/b.sarif"]
    found = read_evidence_files(patterns, "SARIF")
    assert [data for _, data in found] == [b"b", b"a", b"c"]
    assert [Path(name).name for name, _ in found] == ["b.sarif", "a.sarif", "c.sarif"]
    assert [name for name, _ in read_evidence_files(["out/*.sarif"], "SARIF")] == [
        "out/a.sarif",
        "out/b.sarif",
    ]


def test_a_closing_double_star_passes_over_folders(reports: Path) -> None:
    assert [data for _, data in read_evidence_files(["out/**"], "SARIF")] == [b"a", b"b", b"c"]


def test_a_file_whose_name_holds_pattern_characters_is_read(reports: Path) -> None:
    (reports / "[1].xml").write_bytes(b"x")
    assert read_evidence_files(["[1].xml"], "JUnit") == [("[1].xml", b"x")]


@pytest.mark.parametrize("pattern", ["none.sarif", "out/*.xml", "nowhere/**", "", "a\0b"])
def test_a_pattern_that_matches_nothing_is_named(reports: Path, pattern: str) -> None:
    with pytest.raises(EvidenceError, match="no SARIF file matches|NUL"):
        read_evidence_files(["out/a.sarif", pattern], "SARIF")


def test_a_folder_is_named(reports: Path) -> None:
    for pattern in ("out", "out/*"):
        with pytest.raises(EvidenceError, match="is a folder"):
            read_evidence_files([pattern], "SARIF")


def test_a_broken_link_and_a_named_pipe_are_named(reports: Path) -> None:
    (reports / "gone.sarif").symlink_to("nowhere")
    with pytest.raises(EvidenceError, match=r"cannot read the SARIF file gone\.sarif: No such file"):
        read_evidence_files(["gone.sarif"], "SARIF")
    os.mkfifo(reports / "pipe.sarif")
    with pytest.raises(EvidenceError, match=r"pipe\.sarif is no regular file"):
        read_evidence_files(["pipe.sarif"], "SARIF")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(reports: Path) -> None:
    (reports / "out/a.sarif").chmod(0)
    with pytest.raises(EvidenceError, match=r"a\.sarif: Permission denied"):
        read_evidence_files(["out/a.sarif"], "SARIF")


def test_a_file_over_the_cap_is_named(reports: Path) -> None:
    with (reports / "big.sarif").open("wb") as file:
        file.truncate(files.FILE_CAP + 1)
    with pytest.raises(EvidenceError, match=r"big\.sarif is larger than 64 MiB"):
        read_evidence_files(["big.sarif"], "SARIF")


def test_many_files_together_have_a_cap(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TOTAL_CAP", 2)
    with pytest.raises(EvidenceError, match=r"up to out/deep/c\.sarif hold more"):
        read_evidence_files(["out/**"], "SARIF")
