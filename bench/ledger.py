"""Hold the ledger of whole reviews against `git diff --numstat`, with time and memory.

    python bench/ledger.py REPOSITORY BASE..HEAD [BASE..HEAD ...]

Each range is reviewed by the installed command line in a process of its own. Prints one row a range;
exit code 1 where a row of the ledger differs from git's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def read_numstat(repository: str, base: str, head: str) -> dict[str, tuple[int, int]]:
    """git's own counts by path; a binary file counts (0, 0)."""
    command = ["git", "-C", repository, "diff", "-M", "-C", "--numstat", "-z", f"{base}...{head}"]
    output = subprocess.run(command, capture_output=True, check=True).stdout.decode(
        "utf-8", "surrogateescape"
    )
    parts = iter(output.split("\0"))
    rows = {}
    for part in parts:
        if part:
            added, deleted, path = part.split("\t", 2)
            if not path:
                next(parts)
                path = next(parts)
            rows[path] = (0, 0) if added == "-" else (int(added), int(deleted))
    return rows


def review(repository: str, base: str, head: str, folder: Path) -> tuple[dict[str, Any], float, float, int]:
    """The report, the wall and CPU seconds, and the peak memory in MiB of the largest process."""
    command = [
        sys.executable, "-I", "-m", "reviewbot", "review", "--engine", "analyzers", "--format", "json",
        "--repo", repository, "--base", base, "--head", head,
    ]  # fmt: skip
    started = time.monotonic()
    with (folder / "report.json").open("wb") as output:
        process = subprocess.Popen(command, stdout=output)
        _, _, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    report = json.loads((folder / "report.json").read_text())
    return report, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def main() -> int:
    """Run every range and print the table."""
    repository, *ranges = sys.argv[1:]
    wrong = 0
    print(
        "| range | files | +lines | -lines | equal | verdict | blocking | unreviewed | wall s | CPU s | MiB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for given in ranges:
        base, _, head = given.partition("..")
        with tempfile.TemporaryDirectory() as folder:
            report, seconds, cpu, memory = review(repository, base, head, Path(folder))
        files = report["coverage"]["files"]
        ledger = {row["path"]: (row["added_lines"], row["deleted_lines"]) for row in files}
        numstat = read_numstat(repository, base, head)
        wrong += ledger != numstat
        verdict = report["verdict"]
        print(
            f"| {given} | {len(files)} | {report['coverage']['added_lines']} "
            f"| {report['coverage']['deleted_lines']} | {'yes' if ledger == numstat else 'NO'} "
            f"| {verdict['conclusion']} | {len(verdict['blocking'])} "
            f"| {sum(row['status'] == 'unreviewed' for row in files)} "
            f"| {seconds:.1f} | {cpu:.1f} | {memory} |",
            flush=True,
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
