"""What is built is what users get."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def build(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_the_source_archive_holds_what_the_wheel_is_made_of_and_nothing_else(tmp_path: Path) -> None:
    built = build("sdist", tmp_path)
    with tarfile.open(built) as archive:
        members = archive.getmembers()
    assert {member.isfile() for member in members} == {True}, "no link and no device"
    top = built.name.removesuffix(".tar.gz")
    names = {member.name.removeprefix(f"{top}/") for member in members}
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "reviewbot").rglob("*.py")}
    prompts = {f"prompts/{path.name}" for path in (ROOT / "prompts").iterdir()}
    documents = {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "SECURITY.md",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
    }
    assert names == package | prompts | documents | {"reviewbot/py.typed"}


def test_the_wheel_holds_the_package_the_prompts_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    expected = {
        f"reviewbot/{path.relative_to(ROOT / 'reviewbot')}" for path in (ROOT / "reviewbot").rglob("*.py")
    }
    prompts = {f"reviewbot/prompts/{path.name}" for path in (ROOT / "prompts").iterdir()}
    others = {name for name in names if ".dist-info/" not in name}
    assert prompts
    assert others == expected | prompts | {"reviewbot/py.typed"}
    [information] = {name.partition("/")[0] for name in set(names) - others}
    described = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert set(names) - others == {f"{information}/{name}" for name in described}


def test_the_installed_wheel_reviews_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "a.txt").write_text("hello\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q", "."], ["add", "."], [*identity, "commit", "-q", "-m", "c"]):
        subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True)
    (repository / "prompts").mkdir()
    (repository / "prompts" / "report.md.j2").write_text("hijacked")
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-I", "-m", "reviewbot", "review", "--format", "markdown"],
        cwd=repository, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "incomplete" in done.stdout
    assert "hijacked" not in done.stdout
