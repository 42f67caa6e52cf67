import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from reviewbot.core import Location
from reviewbot.errors import OutputError, UsageError
from reviewbot.publish.files import FORMATS, render, write_reports
from reviewbot.publish.markdown import render_markdown
from reviewbot.publish.report import render_json
from tests.publish import finding, review, rich_review

NAMES = ["report.json", "report.md", "report.sarif", "report.junit.xml", "metrics.prom", "journal.jsonl"]
BROKEN = replace(rich_review(), budget_usd=float("nan"))  # JSON has no such number


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_report_is_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    written = write_reports(rich_review(), folder, b'{"event": "start"}\n')
    assert written == tuple(folder / name for name in NAMES)
    assert names_in(folder) == sorted(NAMES)
    assert (folder / "report.json").read_text(encoding="utf-8") == render_json(rich_review())
    assert (folder / "report.md").read_text(encoding="utf-8") == render_markdown(rich_review())
    assert json.loads((folder / "report.sarif").read_bytes())["version"] == "2.1.0"
    assert b"<testsuite" in (folder / "report.junit.xml").read_bytes()
    assert (folder / "journal.jsonl").read_bytes() == b'{"event": "start"}\n'


def test_a_second_run_replaces_the_files_of_the_first(tmp_path: Path) -> None:
    write_reports(review(), tmp_path, b"one")
    before = (tmp_path / "report.json").stat().st_ino
    write_reports(rich_review(), tmp_path, b"two")
    assert json.loads((tmp_path / "report.json").read_bytes())["verdict"]["conclusion"] == "fail"
    assert (tmp_path / "report.json").stat().st_ino != before
    assert (tmp_path / "journal.jsonl").read_bytes() == b"two"
    assert len(names_in(tmp_path)) == len(NAMES)


def test_a_report_that_fails_is_named_and_loses_no_other(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"report\.json: ValueError"):
        write_reports(BROKEN, tmp_path, b"kept")
    assert names_in(tmp_path) == sorted(set(NAMES) - {"report.json"})
    assert (tmp_path / "journal.jsonl").read_bytes() == b"kept"


def test_a_report_that_fails_does_not_leave_the_one_of_an_earlier_change(tmp_path: Path) -> None:
    write_reports(review(), tmp_path, b"")
    with pytest.raises(OutputError):
        write_reports(BROKEN, tmp_path, b"")
    assert not (tmp_path / "report.json").exists()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to("elsewhere")
    with pytest.raises(OutputError, match="out is a symbolic link"):
        write_reports(review(), tmp_path / "out", b"")
    assert names_in(tmp_path / "elsewhere") == []


def test_a_link_that_leads_nowhere_is_refused_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("absent")
    with pytest.raises(OutputError, match="out is a symbolic link"):
        write_reports(review(), tmp_path / "out", b"")
    assert not (tmp_path / "absent").exists()


def test_a_file_that_is_a_link_is_refused_and_the_others_are_written(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.md").symlink_to(target)
    with pytest.raises(OutputError, match=r"report\.md is a symbolic link"):
        write_reports(review(), out, b"")
    assert target.read_text() == "mine"
    assert (out / "report.md").is_symlink()
    assert names_in(out) == sorted(NAMES)
    assert (out / "report.json").stat().st_size > 0


def test_a_link_planted_under_the_temporary_name_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    for name in NAMES:
        (out / f".{name}.{os.getpid()}.tmp").symlink_to(target)
    write_reports(review(), out, b"")
    assert target.read_text() == "mine"
    assert names_in(out) == sorted(NAMES)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.sarif").mkdir()
    with pytest.raises(OutputError, match=r"report\.sarif is not a regular file"):
        write_reports(review(), tmp_path, b"")
    assert (tmp_path / "report.json").exists()


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="out cannot be used as a folder") as caught:
        write_reports(review(), tmp_path / "out", b"")
    assert "--out" in caught.value.remedy


def test_every_format_renders_a_review_with_everything_in_it() -> None:
    made = rich_review()
    texts = {name: render(made, name, width=100, color=False) for name in FORMATS}
    assert set(texts) == {"text", "json", "markdown", "sarif", "junit", "codequality"}
    assert all(text.endswith("\n") for text in texts.values())
    assert len(set(texts.values())) == len(FORMATS)
    assert "\x1b[" in render(made, "text", color=True)


def test_every_format_takes_a_path_that_is_not_utf_8() -> None:
    made = review(finding(1, location=Location("caf\udce9\x01.py", 3, 3), title="\ud800\x00"), blocking=1)
    for name in FORMATS:
        render(made, name).encode("utf-8")


def test_a_format_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="'yaml'") as caught:
        render(review(), "yaml")
    assert "codequality" in caught.value.remedy
