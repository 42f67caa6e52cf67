"""What prefetching adds to real changes: tokens, seconds, and what it finds.

    python bench/prefetch.py REPOSITORY [COMMITS]

For each of the newest commits with one parent (50 of them unless told) it looks around as a review does.
A name counts as found where its definition, or a use of it, is among the lines that were shown. Of
changes that touch tests, those tests (6 of them) are taken for failed.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from reviewbot.agents.view.failing_tests import look_at_tests
from reviewbot.agents.view.prefetch import MOST_NAMES, Surroundings
from reviewbot.agents.view.symbols import find_symbols
from reviewbot.agents.view.tools import Toolbox
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, Evidence, Location, Severity
from reviewbot.secrets.masking import Masker


def look_at(changes: ChangeSet, toolbox: Toolbox) -> list[tuple[float, float]]:
    """Tokens and seconds for the tests that a change touches, as if they had failed; none without tests."""
    failures = [
        Evidence(
            "junit:1",
            "junit",
            "junit",
            "failure",
            Severity.HIGH,
            f"t::{name}",
            "",
            location=Location(path, 1, 1),
        )
        for path, name in tests_of(changes)
    ]
    if not failures:
        return []
    started = time.monotonic()
    shown = look_at_tests(failures, changes.files, toolbox.read_lines, toolbox.has_in_head)
    return [(len(shown.encode()) / 3, time.monotonic() - started)]


def tests_of(changes: ChangeSet) -> list[tuple[str, str]]:
    """Path and name of some tests whose lines a change touches."""
    found = [
        (change.path, name)
        for change in changes.files
        if "test" in change.path and change.head_blob
        for name in find_symbols([change], MOST_NAMES).changed
        if name.lower().startswith("test") and name.islower()
    ]
    return found[:6]


def main(folder: Path, commits: int) -> None:
    """Print one line of medians and sums."""
    log = [
        "git",
        "-C",
        str(folder),
        "log",
        "--no-merges",
        f"-{commits}",
        "--format=%H",
        "--",
        "*.py",
        "*.c",
        "*.ts",
    ]
    heads = subprocess.run(log, capture_output=True, text=True, check=True).stdout.split()
    sizes: list[int] = []
    seconds: list[float] = []
    names = found = 0
    tests: list[tuple[float, float]] = []
    with Repository(folder) as repository:
        for head in heads:
            parents = repository.parents(head)
            if not parents:
                continue
            changes = load_change_set(repository, parents[0], head)
            toolbox = Toolbox(repository, changes, Masker())
            surroundings = Surroundings(toolbox.find_lines, toolbox.show_line)
            started = time.monotonic()
            shown = surroundings.look_around(changes.files)
            seconds.append(time.monotonic() - started)
            tests += look_at(changes, toolbox)
            sizes.append(len(shown.encode()))
            symbols = find_symbols(changes.files, MOST_NAMES)
            wanted = {*symbols.changed, *symbols.used}
            names += len(wanted)
            found += sum(name in shown for name in wanted)
    print(f"changes {len(sizes)}, with something found {sum(map(bool, sizes))}")
    print(f"tokens added (3 bytes each): median {median(sizes) / 3:.0f}, largest {max(sizes) / 3:.0f}")
    print(f"seconds: median {median(seconds):.2f}, largest {max(seconds):.2f}")
    print(f"names searched for {names}, of which shown {found}")
    if tests:
        print(
            f"changes with tests {len(tests)}, tokens: median {median(size for size, _ in tests):.0f}", end=""
        )
        print(f", seconds: median {median(each for _, each in tests):.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 50)
