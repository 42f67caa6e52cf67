"""Zip files that anybody may have made."""

import stat
import tempfile
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change import artifacts
from reviewbot.change.artifacts import Artifact, ArtifactError, choose_artifacts, unpack_artifacts
from reviewbot.errors import ReviewbotError

ONE = (Artifact(1, "reports"),)


def zipped(files: Mapping[str, str | bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    """A zip file as `actions/upload-artifact` makes it."""
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def unpack(folder: Path, data: bytes) -> dict[str, bytes]:
    unpack_artifacts(ONE, lambda number, most: data, folder / "new")
    return {
        str(path.relative_to(folder / "new")): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_arrive_in_a_folder_of_the_artifacts_name(tmp_path: Path) -> None:
    found = unpack(tmp_path, zipped({"a.xml": "one", "deep/b.xml": "two"}))
    assert found == {"reports/a.xml": b"one", "reports/deep/b.xml": b"two"}


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/a", "a\\b", "x" * 300, "/".join("a" * 25), "..", "a/.."]
)
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="no plain file"):
        unpack(tmp_path, zipped({name: "x"}))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(ArtifactError, match="no plain file"):
        unpack(tmp_path, zipped({"a": "/etc/passwd"}, kind | 0o777))


def test_what_is_in_it_twice_is_refused(tmp_path: Path) -> None:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning):
            archive.writestr("a", "2")
    with pytest.raises(ArtifactError, match="twice"):
        unpack(tmp_path, held.getvalue())


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="twice"):
        unpack(tmp_path, zipped({"a": "1", "a/b": "2"}))


def test_a_bomb_ends_while_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "UNPACKED_BYTES", 1 << 20)
    with pytest.raises(ArtifactError, match="more than 1 MiB"):
        unpack(tmp_path, zipped({"a": b"\0" * (50 << 20)}))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 1 << 20


def test_too_many_files_are_refused_before_one_is_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="2,000 files"):
        unpack(tmp_path, zipped({f"{n}": "" for n in range(2_001)}))
    assert list((tmp_path / "new").iterdir()) == []


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_are_files_or_one_sentence(junk: bytes, at: int) -> None:
    whole = zipped({"a.xml": "<testsuite/>" * 20, "b/c.xml": "x"})
    for data in (junk, whole[:at] + junk + whole[at:], whole[:at] + junk + whole[at + len(junk) :]):
        with tempfile.TemporaryDirectory() as folder:
            try:
                unpack(Path(folder), data)
            except ReviewbotError as error:
                assert "\n" not in error.sentences


def listing(*names: Any) -> dict[str, Any]:
    return {"artifacts": [{"id": number, "name": name} for number, name in enumerate(names, 1)]}


def test_only_what_a_pattern_names_first_is_fetched() -> None:
    def chosen(*patterns: str) -> list[str]:
        return [each.name for each in choose_artifacts(listing("image", "test-3", "test-2"), patterns)]

    assert chosen("test-*/**/*.xml") == ["test-2", "test-3"]
    assert chosen("image/a", "test-2/b") == ["image", "test-2"]
    assert chosen("**/*.xml") == ["image", "test-2", "test-3"]
    assert chosen("absent/a") == chosen() == []


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ""])
def test_an_artifact_whose_name_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="artifact named"):
        choose_artifacts(listing(name), ["**"])


def test_more_artifacts_than_a_review_reads_are_named_as_a_mistake() -> None:
    with pytest.raises(ArtifactError, match="11 artifacts"):
        choose_artifacts(listing(*(f"a{n}" for n in range(11))), ["**"])
