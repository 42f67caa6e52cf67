from pathlib import Path

import pytest
from jinja2 import UndefinedError

from reviewbot import templates
from reviewbot.templates import TemplateMissing, find_folder, render

VALUES = {
    "icon": "!",
    "conclusion": "pass",
    "verdict": "pass",
    "why": "w",
    "blocking": {"size": 0},
    "collapsed": (),
    "not_shown": "",
    "reasons": (),
    "ledger": "<b>1 file</b>",
    "spending": "",
    "has_patch": False,
    "has_hidden_patch": False,
    "patch": "",
    "rows": {"size": 0},
    "notes": (),
}


def test_a_template_is_filled_in_and_nothing_is_escaped() -> None:
    assert "<b>1 file</b>" in render("report.md.j2", **VALUES)


def test_a_value_that_was_not_passed_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="ledger"):
        render("report.md.j2", **{name: value for name, value in VALUES.items() if name != "ledger"})


def test_a_template_that_was_not_installed_is_one_sentence() -> None:
    with pytest.raises(TemplateMissing, match=r"absent\.md\.j2"):
        render("absent.md.j2")


def test_the_current_folder_never_gives_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path / "prompts", tmp_path / "reviewbot" / "prompts"):
        folder.mkdir(parents=True)
        (folder / "report.md.j2").write_text("planted")
        (folder / "planted.md.j2").write_text("planted")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "reviewbot"\n')
    monkeypatch.chdir(tmp_path)
    assert "planted" not in render("report.md.j2", **VALUES)
    with pytest.raises(TemplateMissing):
        render("planted.md.j2")


def test_the_folder_in_the_package_comes_first(tmp_path: Path) -> None:
    package = tmp_path / "reviewbot"
    (package / "prompts").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "reviewbot"\n')
    assert find_folder(package) == package / "prompts"


@pytest.mark.parametrize("pyproject", [b'name = "other"\n', b"\xff\xfe", None])
def test_a_folder_beside_the_package_counts_only_in_our_own_checkout(
    tmp_path: Path, pyproject: bytes | None
) -> None:
    package = tmp_path / "reviewbot"
    package.mkdir()
    (tmp_path / "prompts").mkdir()
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_bytes(pyproject)
    assert find_folder(package) == package / "prompts"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "reviewbot"\n')
    assert find_folder(package) == tmp_path / "prompts"


def test_importing_the_door_does_not_import_jinja2(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, reviewbot.templates; sys.exit('jinja2' in sys.modules)"
    root = Path(templates.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
