"""How long planning a scan of a large tree takes, before any model is asked, and the memory it needs.

    python bench/scan_plan.py LINES FOLDER [FOLDER ...]

The folders (installed packages, say) are copied into a new git repository until it holds that many lines,
file by file. Planned is what a scan plans: the tree is read, rules exclude, the code claims what is
risky, and the tasks of triage and of security are cut. Memory is the peak of that process; git is apart.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scan import commit

from reviewbot.agents.routes import claim_files, route_files
from reviewbot.agents.spec import SPECS
from reviewbot.agents.tasks import plan_security, plan_triage, select_readable
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.moved import settle_exclusions
from reviewbot.settings import Settings


def plan(folder: Path) -> dict[str, float]:
    """Plan the repository's head in this process: seconds by step, and what came of it."""
    found: dict[str, float] = {}
    began = last = time.monotonic()

    def lap(name: str) -> None:
        nonlocal last
        found[name], last = time.monotonic() - last, time.monotonic()

    with Repository(folder) as repository:
        head = repository.resolve("HEAD", "commit") or ""
        changes = load_change_set(repository, repository.empty_tree, head)
        lap("tree")
        changes, excluded = settle_exclusions(repository, head, changes, Settings(), ())
        readable = select_readable(changes, excluded, repository.read_object)
        lap("rules")
        claimed = claim_files(readable.files)
        lap("risk")
        routes = route_files(readable.files, {}, claimed)
        batches = plan_triage(readable.files)
        tasks = plan_security(routes.security, SPECS["security"].bounds.context_tokens)
        lap("tasks")
    lines = sum(change.added_lines for change in changes.files)
    counts = {"files": len(changes.files), "lines": lines, "excluded": len(excluded)}
    asked = {"claimed": len(claimed), "triage": len(batches), "security": len(tasks)}
    return {**counts, **asked, **found, "all": time.monotonic() - began}


def fill(repository: Path, sources: list[Path], wanted: int) -> None:
    """Copy files until there are so many lines."""
    lines = 0
    for source in sources:
        for path in sorted(each for each in source.rglob("*") if each.is_file() and not each.is_symlink()):
            if "__pycache__" in path.parts or ".git" in path.parts:
                continue
            target = repository / source.name / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            data = path.read_bytes()
            lines += 0 if b"\0" in data[:8000] else data.count(b"\n")
            if lines >= wanted:
                return


def main() -> int:
    """Make the repository, plan it in a process of its own, and print the row."""
    if sys.argv[1] == "--one":
        print(json.dumps(plan(Path(sys.argv[2]))))
        return 0
    with tempfile.TemporaryDirectory() as name:
        repository = Path(name) / "repository"
        subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
        fill(repository, list(map(Path, sys.argv[2:])), int(sys.argv[1]))
        commit(repository)
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen([sys.executable, __file__, "--one", str(repository)], stdout=output)
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                return 1
            output.seek(0)
            row = json.load(output)
    row |= {"cpu": usage.ru_utime + usage.ru_stime, "MiB": usage.ru_maxrss // 1024}
    print("|", " | ".join(row), "|")
    print("|---" * len(row) + "|")
    print(
        "|",
        " | ".join(f"{value:,.1f}" if type(value) is float else f"{value:,}" for value in row.values()),
        "|",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
