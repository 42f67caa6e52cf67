"""Prove the real fixes of real red runs, rebuilt offline from source packages.

    python bench/proofs.py --sdists DIR [--data DIR]

DIR holds source packages of the projects of ci_failures_python.jsonl (`pip download --no-binary :all:`).
A record is rebuilt from the first package that its test diff and its fix apply to, or can be taken out of;
its tests run with the interpreter that runs this script, and what that has installed. Each is proven
twice: with the real fix, which must be proven, and with one that only adds a comment, which must not be.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reviewbot.errors import ReviewbotError
from reviewbot.prove import ProveRequest, run_prove


def git(folder: Path, *arguments: str, data: str | None = None) -> bool:
    """Whether git did it."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, input=data and data.encode(), capture_output=True, check=False)
    return done.returncode == 0


def candidates(record: dict[str, Any], sdists: Path) -> Iterator[Path]:
    """The packages of a record's project."""
    name = record["repo"].rpartition("/")[2]
    yield from sorted(sdists.glob(f"{name}*.tar.gz"))


def rebuild(record: dict[str, Any], package: Path, folder: Path) -> bool:
    """Put the red commit into ``folder`` and its fix into ``fix.patch``; False where they do not fit."""
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    for path in root.rglob("*.egg-info"):
        subprocess.run(["rm", "-rf", str(path)], check=True)
    git(root, "init", "-q")
    code = code_part(record)
    has_fix = git(root, "apply", "-R", "--check", "-", data=code)
    if has_fix:
        git(root, "apply", "-R", "-", data=code)
    elif not git(root, "apply", "--check", "-", data=code):
        return False
    if not git(root, "apply", "-R", "--check", "-", data=record["test_diff"]) and not git(
        root, "apply", "-", data=record["test_diff"]
    ):
        return False
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "red")
    (folder / "fix.patch").write_text(code)
    return True


def code_part(record: dict[str, Any]) -> str:
    """The fix without change logs and documents."""
    parts = ["diff --git " + part for part in record["fix_diff"].split("diff --git ")[1:]]
    return "".join(
        part.rstrip("\n") + "\n" for part in parts if part.split(" ", 3)[2][2:] in record["fix_files"]
    )


def prove(record: dict[str, Any], root: Path, patch: Path) -> int:
    """The exit code of the proof."""
    command = f"PYTHONPATH=src:. {sys.executable} -m pytest -q -p no:cacheprovider --junitxml=proof.xml "
    request = ProveRequest(
        patch=patch,
        command=command + " ".join(record["test_files"]),
        repo=root,
        junit="proof.xml",
        tests=tuple(record["fail_to_pass"]),
        seconds=300,
    )
    try:
        return run_prove(request, os.environ)
    except ReviewbotError as error:
        print(f"  {error.sentences}")
        return error.exit_code


def write_wrong(record: dict[str, Any], root: Path, patch: Path) -> None:
    """A fix that only adds a comment."""
    target = root / record["fix_files"][0]
    text = target.read_text()
    target.write_text(text + "\n# nothing\n")
    git(root, "diff", f"--output={patch}")
    target.write_text(text)


def main() -> int:
    """One line for each record; exit 1 where a rebuilt one is not proven, or a wrong fix is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--sdists", type=Path, required=True)
    options = parser.parse_args()
    rebuilt = good = 0
    for line in (options.data / "ci_failures_python.jsonl").open(encoding="utf-8"):
        record = json.loads(line)
        for package in candidates(record, options.sdists):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                if not rebuild(record, package, folder):
                    continue
                root = next(path for path in folder.iterdir() if path.is_dir())
                real = prove(record, root, folder / "fix.patch")
                write_wrong(record, root, folder / "wrong.patch")
                wrong = prove(record, root, folder / "wrong.patch")
                rebuilt, good = rebuilt + 1, good + (real == 0 and wrong == 1)
                print(f"{record['id']} from {package.name}: real fix {real}, wrong fix {wrong}", flush=True)
                break
        else:
            print(f"{record['id']}: no package fits")
    print(f"{rebuilt} rebuilt, of which {good} went as they must")
    return 0 if rebuilt == good else 1


if __name__ == "__main__":
    sys.exit(main())
