"""Prove the real fixes of real red runs by ``review --prove``, rebuilt offline from source packages.

    python bench/proofs.py --sdists DIR [--data DIR]

DIR holds source packages of the projects of ci_failures_python.jsonl (`pip download --no-binary :all:`).
A record is rebuilt from the first package that its test diff and its fix apply to, or can be taken out of:
the fixed commit, and on top of it the one that breaks the tests. That change is reviewed with the record's
own log and the scripted model, which answers with the real fix, and at once proven; then again with an
answer that only adds a comment, which must not be. The tests run with the interpreter that runs this script.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from reviewbot.cli import main as reviewbot
from reviewbot.testing import ScriptedModel
from reviewbot.testing.reader import read
from reviewbot.testing.wire import Turn

Edit = dict[str, str]

AT_LEAST = 5
"""Records that must go as they should."""


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
    """Put a green commit into ``folder`` and the red one on top of it; False where they do not fit."""
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
    for name, arguments in (("green", ()), ("red", ("-R",))):
        git(root, "apply", *arguments, "-", data=code)
        git(root, "add", "-A", "-f")
        git(root, "commit", "-q", "-m", name)
    return True


def code_part(record: dict[str, Any]) -> str:
    """The fix without change logs and documents."""
    parts = ["diff --git " + part for part in record["fix_diff"].split("diff --git ")[1:]]
    return "".join(
        part.rstrip("\n") + "\n" for part in parts if part.split(" ", 3)[2][2:] in record["fix_files"]
    )


def real_edits(record: dict[str, Any], root: Path) -> list[Edit]:
    """The fix as the edits of a model: each finds text that stands once in a file of the red commit."""
    edits = []
    for path in record["fix_files"]:
        red, green = (show(root, f"{revision}:{path}").splitlines(True) for revision in ("HEAD", "HEAD~1"))
        for context in range(3, 30):
            groups = SequenceMatcher(None, red, green, autojunk=False).get_grouped_opcodes(context)
            made = [
                {
                    "path": path,
                    "find": "".join(red[group[0][1] : group[-1][2]]),
                    "replace": "".join(green[group[0][3] : group[-1][4]]),
                }
                for group in groups
            ]
            if all("".join(red).count(edit["find"]) == 1 for edit in made):
                break
        edits += made
    return edits


def show(root: Path, name: str) -> str:
    """The text of a blob."""
    return subprocess.run(["git", "show", name], cwd=root, capture_output=True, text=True, check=True).stdout


def wrong_edits(edits: list[Edit]) -> list[Edit]:
    """A fix that only adds a comment."""
    return [{**edits[0], "replace": edits[0]["find"] + "# nothing\n"}]


def prove(record: dict[str, Any], root: Path, edits: list[Edit]) -> str:
    """What ``prove.json`` says after a review whose model answers with ``edits``, or why there is none."""

    def answer(body: Any) -> Turn:
        turn = read(body)
        if '"failures"' not in turn.text:
            return turn
        said = json.loads(turn.text)
        said["failures"][0]["edits"] = edits
        return replace(turn, text=json.dumps(said))

    out, log = root.parent / "out", root.parent / "run.log"
    log.write_text(record["log"])
    files = " ".join(record["test_files"])
    command = f"PYTHONPATH=src:. {sys.executable} -m pytest -q -p no:cacheprovider {files}"
    arguments = ["review", "--repo", str(root), "--base", "HEAD~1", "--log", str(log), "--out", str(out)]
    said = io.StringIO()
    with ScriptedModel(answer) as model, redirect_stdout(said), redirect_stderr(said):
        os.environ |= {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url}
        reviewbot([*arguments, "--prove", "--yes", "--test-command", command])
    proof = out / "prove.json"
    if not proof.exists():
        notes = [line for line in said.getvalue().splitlines() if "fix" in line]
        return f"no proof ({' '.join(notes)[:300]})"
    return str(json.loads(proof.read_text())["sentence"])


def main() -> int:
    """One line for each record; exit 1 where one is not proven, a wrong fix is, or fewer than five fit."""
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
                started, edits = time.monotonic(), real_edits(record, root)
                real, wrong = prove(record, root, edits), prove(record, root, wrong_edits(edits))
                is_good = real.startswith("Proven") and wrong.startswith("Not proven")
                rebuilt, good = rebuilt + 1, good + is_good
                print(f"{record['id']} from {package.name}, {time.monotonic() - started:.0f} s")
                print(f"  real fix: {real}\n  wrong fix: {wrong}", flush=True)
                break
        else:
            print(f"{record['id']}: no package fits")
    print(f"{rebuilt} rebuilt, of which {good} went as they must")
    return 0 if rebuilt == good >= AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
