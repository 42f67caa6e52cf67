"""Time and memory of whole reviews of made changes, from one line to 3,000 files.

    python bench/sizes.py

Each change is reviewed by the installed command line in a process of its own: wall seconds, CPU
seconds with the analyzers, and the peak memory of the largest process in MiB.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FUNCTION = "def f{n}(a, b):\n    if a > b:\n        return a - {n}\n    return b\n\n\n"


def made_changes() -> Iterator[tuple[str, dict[str, str]]]:
    """Names and files of the changes."""
    yield "one line", {"a.py": "x = 1\n"}
    yield "45 files, 2,700 lines", _modules(45, 10)
    yield "236 files, 14,160 lines", _modules(236, 10)
    yield "3,000 files, 18,000 lines", _modules(3000, 1)
    yield "one line of 1 MB", {"app.js": "var a=1;" * 131_072 + "\n"}
    yield "one file of 100,000 lines", {"data.csv": "".join(f"{n},text,{n * 7}\n" for n in range(100_000))}
    yield "100,000 lines of Python", {"data.py": "".join(f"x{n} = {n}\n" for n in range(100_000))}


def _modules(files: int, functions: int) -> dict[str, str]:
    text = "".join(FUNCTION.format(n=number) for number in range(functions))
    return {f"d{number % 40}/m{number}.py": text for number in range(files)}


def measure(command: list[str], folder: Path) -> tuple[float, float, int, int]:
    """Wall seconds, CPU seconds, peak MiB and exit code of one process and its children."""
    started = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, process.returncode


def main() -> None:
    """Print the table."""
    reviewbot = [sys.executable, "-I", "-m", "reviewbot"]
    print("| what | wall s | CPU s | MiB | exit |\n|---|---|---|---|---|")
    wall, cpu, memory, code = measure([*reviewbot, "--help"], Path.cwd())
    print(f"| `--help` | {wall:.2f} | {cpu:.2f} | {memory} | {code} |")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for name, files in made_changes():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            subprocess.run([*git, "init", "-q", "."], cwd=folder, check=True)
            subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "c"], cwd=folder, check=True)
            for path, text in files.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_text(text)
            subprocess.run([*git, "add", "-A"], cwd=folder, check=True)
            subprocess.run([*git, "commit", "-q", "-m", "c"], cwd=folder, check=True)
            review = [*reviewbot, "review", "--engine", "analyzers", "--format", "json"]
            wall, cpu, memory, code = measure(review, folder)
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory} | {code} |", flush=True)


if __name__ == "__main__":
    main()
