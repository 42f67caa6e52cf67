from pathlib import Path

import pytest

from reviewbot.errors import OutputError
from reviewbot.scan.baseline import FILE_NAME, write_baseline


def test_the_file_is_replaced_as_a_whole_and_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    for data in (b"one, which is longer", b"two"):
        write_baseline(folder, data)
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [(FILE_NAME, data)]
    write_baseline(folder, None)
    assert list(folder.iterdir()) == []


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FILE_NAME).symlink_to("../theirs")
    write_baseline(tmp_path / "out", b"new")
    assert not (tmp_path / "out" / FILE_NAME).is_symlink()
    assert (tmp_path / "theirs").read_text() == "mine"


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used as a folder"):
        write_baseline(tmp_path / "file", b"x")
    (tmp_path / "out" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(OutputError, match=f"{FILE_NAME} cannot be written"):
        write_baseline(tmp_path / "out", b"x")
