"""What scans of real code cost in batches: the first, the second, one after 1 % of the files changed, and a
full one; and the first one live, with the share of its dollars that batches take. Then scans of the same
code with faults planted in it, by a model that looks with tools and finds them: the first one, one after 1 %
of the lines changed in files that hold little else, and one after 1 % in files that hold three times as many;
with their shares of the first one's dollars.

    python bench/scan.py FOLDER [FOLDER ...]

The folders (installed packages, say) are copied into a new git repository. The model is the scripted one of
``bench/cost.py`` without latency, so the wall time is reviewbot's own with the analyzers; memory is that of
the largest process.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from cost import answer_shortly

from reviewbot.change.policy_file import Asked
from reviewbot.journal import Journal
from reviewbot.request import Request
from reviewbot.scan.options import ScanOptions
from reviewbot.scan.run import scan_local
from reviewbot.testing import BEHAVIOURS, Behaviour, ScriptedModel

FAULT = (
    "\n\ndef convert{number}(request):\n    import subprocess\n\n"
    "    subprocess.run('convert ' + request.args['name{number}'], shell=True)\n"
)
FILES_PER_FAULT = 20
DRAWS = 5
"""Which files change makes the cost: a draw may hit three of them with faults, or none."""

HEADER = "| scan | files | lines | read by agents | unchanged | requests | usd | wall s | MiB | verdict |"


def scan(folder: Path, url: str, *, full: bool, live: bool) -> dict[str, object]:
    """Scan the repository in ``folder`` in this process; what the table says of it."""
    request = Request(
        folder=folder / "repository",
        asked=Asked(overrides={"engine": "claude", "budget_usd": 1000.0}),
        environment={"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": url},
    )
    options = ScanOptions(state=folder / ("live" if live else "state"), full=full, batch=not live)
    review = scan_local(request, None, Journal(), lambda _: nullcontext(), options)
    rows = review.coverage.files
    unchanged = sum("unchanged since" in row.reason for row in rows)
    return {
        "files": len(rows),
        "lines": review.coverage.added_lines,
        "agents": sum("triage" in row.by for row in rows) - unchanged,
        "unchanged": unchanged,
        "usd": round(review.cost_usd, 4),
        "verdict": f"{review.verdict.conclusion} ({', '.join(each.code for each in review.verdict.reasons)})",
    }


def measure(
    what: str, folder: Path, *, full: bool = False, live: bool = False, mind: Behaviour = answer_shortly
) -> float:
    """Scan in a process of its own and print a row; its dollars."""
    with ScriptedModel(mind) as model, tempfile.TemporaryFile() as output:
        command = [
            sys.executable,
            __file__,
            "--one",
            str(folder),
            model.base_url,
            "full" if full else "",
            "live" if live else "",
        ]
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=output)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        output.seek(0)
        row = {**json.load(output), "requests": len(model.requests)}
    names = ("files", "lines", "agents", "unchanged", "requests", "usd")
    cells = [what, *(f"{row[name]}" for name in names), f"{seconds:.1f}", f"{usage.ru_maxrss // 1024}"]
    print("|", " | ".join((*cells, row["verdict"])), "|", flush=True)
    return float(row["usd"])


def commit(repository: Path) -> None:
    """Commit everything; ends the program where there is nothing that changed."""
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "add", "-A"], check=True)
    if not subprocess.run([*git, "status", "--porcelain"], check=True, stdout=subprocess.PIPE).stdout:
        sys.exit(
            "The folders hold nothing, or too little Python to change 1 % of its lines: name larger ones."
        )
    subprocess.run([*git, "commit", "-q", "--no-gpg-sign", "-m", "c"], check=True)


def plant(repository: Path) -> None:
    """Put a fault at the end of one file of FILES_PER_FAULT, and commit."""
    for number, path in enumerate(sorted(repository.rglob("*.py"))[::FILES_PER_FAULT]):
        path.write_text(path.read_text() + FAULT.format(number=number))
    commit(repository)


def change_lines(repository: Path, share: float, per_file: int, seed: int) -> float:
    """Give a comment to every ``per_file``-th line of files drawn with the seed, until ``share`` of all
    lines have one, and commit; the share of all bytes that stands in these files.
    """
    files = sorted(repository.rglob("*.py"))
    texts = {path: path.read_text().splitlines() for path in files}
    left = share * sum(map(len, texts.values()))
    random.Random(seed).shuffle(files)
    touched = 0
    for path in files:
        lines = texts[path]
        places = range(0, len(lines), per_file)
        if lines and len(places) <= left:
            left -= len(places)
            path.write_text("".join(f"{line}{'  # 1' * (at in places)}\n" for at, line in enumerate(lines)))
            touched += path.stat().st_size
    commit(repository)
    return touched / sum(path.stat().st_size for path in files)


def scan_with_faults(folder: Path) -> list[str]:
    """Scan with faults planted, then after 1 % of the lines changed, in two ways and DRAWS draws of files
    each, always after the first scan; what those cost, in sentences.
    """
    repository, mind = folder / "repository", BEHAVIOURS["reader"]
    shutil.rmtree(folder / "state", ignore_errors=True)
    plant(repository)
    first = measure("first, with faults", folder, mind=mind)
    told = []
    for per_file, what in (
        (1, "1 % of the lines, whole files"),
        (3, "1 % of the lines, a third of each file"),
    ):
        pairs = [_draw(folder, what, per_file, seed, mind) for seed in range(DRAWS)]
        code, usd = (sum(each) / DRAWS for each in zip(*pairs, strict=True))
        costs = ", ".join(f"{cost / first:.1%}" for _, cost in pairs)
        told.append(
            f"After {what} changed ({code:.1%} of the code) a scan costs {usd / first:.1%} of the first one "
            f"with faults in the mean ({costs})."
        )
    return told


def _draw(folder: Path, what: str, per_file: int, seed: int, mind: Behaviour) -> tuple[float, float]:
    """The share of the code in files that change, and the dollars of a scan after that; undone at the end."""
    repository, state, kept = folder / "repository", folder / "state", folder / "kept"
    shutil.copytree(state, kept)
    code = change_lines(repository, 0.01, per_file, seed)
    usd = measure(what, folder, mind=mind)
    subprocess.run(["git", "-C", str(repository), "reset", "-q", "--hard", "HEAD^"], check=True)
    shutil.rmtree(state)
    kept.rename(state)
    return code, usd


def main() -> int:
    """Make the repository, scan it four times and print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(
            json.dumps(scan(Path(sys.argv[2]), sys.argv[3], full=bool(sys.argv[4]), live=bool(sys.argv[5])))
        )
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder, repository = Path(name), Path(name) / "repository"
        repository.mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
        for source in map(Path, sys.argv[1:]):
            shutil.copytree(source, repository / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        commit(repository)
        print(HEADER)
        print("|---" * 10 + "|")
        live = measure("first, live", folder, live=True)
        batched = measure("first", folder)
        measure("second", folder)
        files = sorted(repository.rglob("*.py"))
        for path in files[:: max(1, len(files) // max(1, len(files) // 100))]:
            path.write_text(path.read_text() + "\n\ndef added(a, b):\n    return a + b\n")
        commit(repository)
        measure("1 % of the files changed", folder)
        measure("full", folder, full=True)
        told = scan_with_faults(folder)
        print(
            f"\nIn batches the first scan costs {batched / live:.0%} of what it costs live.", *told, sep="\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
