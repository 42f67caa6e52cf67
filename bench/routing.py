"""Measure the floor below triage: what still reaches the security agent if triage skips everything.

    python bench/routing.py [--data DIR]

Reads DIR/vuln_fixes.jsonl (each fix turned round, a change that brings a vulnerability in), and, as
ordinary changes, DIR/review_golden_aacr.jsonl (pull requests) and DIR/diffs/*.diff (commits chosen for
being hard to parse). The unit that is routed is a file of a change. A vulnerable line is one that only
the vulnerable version has; where a change only deletes lines (a guard), its deleted lines count. Files
that a built-in rule excludes reach nobody; all shares are of all changed lines, theirs included.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import inf
from pathlib import Path
from typing import Any

from reviewbot.agents.floor.risk import THRESHOLD, assess
from reviewbot.change.diff import FilePatch, parse_diff
from reviewbot.change.exclusions import excluded_by_name
from reviewbot.core import FileChange
from reviewbot.errors import CombinedDiff

TARGETS = (0.25, 0.35, 0.50)
EXCLUDED = -1.0


@dataclass(frozen=True, slots=True)
class Routed:
    """One file of one change: the lines that count, its score, and the signals that would claim it."""

    project: str
    lines: int
    score: float
    signals: tuple[str, ...]


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file, in order."""
    with path.open("rb") as lines:
        yield from map(json.loads, lines)


def parse_patches(text: bytes) -> list[FilePatch]:
    """The files of a diff; none for a combined one, which is no change to review."""
    try:
        return list(parse_diff(BytesIO(text)))
    except CombinedDiff:
        return []


def encode(text: str) -> bytes:
    """The bytes of a diff that JSON carries as text."""
    return text.encode("utf-8", "surrogateescape")


def route(project: str, patch: FilePatch, lines: int) -> Routed:
    """Let the floor judge one file."""
    if excluded_by_name(patch.path):
        return Routed(project, lines, EXCLUDED, ())
    change = FileChange(
        path=patch.path, old_path=patch.old_path, status=patch.status, base_mode=patch.base_mode,
        head_mode=patch.head_mode, base_blob="base", head_blob="head", hunks=patch.hunks,
        omitted=patch.omitted,
    )  # fmt: skip
    risk = assess(change)
    return Routed(project, lines, risk.score, tuple(signal.name for signal in risk.signals))


def read_vulnerable(data: Path) -> list[Routed]:
    """The files of the changes that bring a vulnerability in, counted in vulnerable lines."""
    files = []
    for record in read_records(data / "vuln_fixes.jsonl"):
        lines = {file["path"]: len(set(file["vuln_lines"])) for file in record["files"]}
        only_deletes = not any(lines.values())
        for patch in parse_patches(encode(record["reversed_diff"])):
            count = patch.deleted_lines if only_deletes else lines.get(patch.path, 0)
            files.append(route(record["repo"], patch, count))
    return files


def read_pull_requests(data: Path) -> list[Routed]:
    """The files of ordinary pull requests, counted in changed lines."""
    return [
        route(record["repo"], patch, patch.added_lines + patch.deleted_lines)
        for record in read_records(data / "review_golden_aacr.jsonl")
        for patch in parse_patches(encode(record["diff"]))
    ]


def read_hard_diffs(data: Path) -> list[Routed]:
    """The files of commits that were collected for their form, counted in changed lines."""
    return [
        route(path.name, patch, patch.added_lines + patch.deleted_lines)
        for path in sorted((data / "diffs").glob("*.diff"))
        for patch in parse_patches(path.read_bytes())
    ]


def share(files: Iterable[Routed], threshold: float) -> float:
    """The share of the lines that stand in files at or above a score, 0 to 1."""
    reached = total = 0
    for file in files:
        total += file.lines
        reached += file.lines if file.score >= threshold else 0
    return reached / total if total else 0.0


def find_threshold(files: Sequence[Routed], target: float) -> float:
    """The lowest score at which at most ``target`` of the lines are reached."""
    best = inf
    for score in sorted({file.score for file in files if file.score > EXCLUDED}, reverse=True):
        if share(files, score) > target:
            break
        best = score
    return best


def half_of(project: str) -> int:
    """Which half of the projects one belongs to, by a hash of its name."""
    return hashlib.sha256(project.encode()).digest()[0] % 2


def print_points(name: str, ordinary: Sequence[Routed], vulnerable: Sequence[Routed]) -> None:
    """The operating points over one kind of ordinary change, and the product's own."""
    print(f"\n## Ordinary: {name} ({sum(file.lines for file in ordinary):,} changed lines)\n")
    print("| point | threshold | ordinary lines reached | vulnerable lines reached |\n|---|---|---|---|")
    points = [(f"{target:.0%}", find_threshold(ordinary, target)) for target in TARGETS]
    for label, threshold in (*points, ("product", THRESHOLD)):
        reached = f"{share(ordinary, threshold):.1%} | {share(vulnerable, threshold):.1%}"
        print(f"| {label} | {threshold:.3f} | {reached} |")


def print_halves(ordinary: Sequence[Routed], vulnerable: Sequence[Routed]) -> None:
    """The 35 % threshold of one half of the projects, tried on both."""
    print("\n## Threshold set on one half of the projects\n")
    print("| set on | tried on | threshold | ordinary lines reached | vulnerable lines reached |")
    print("|---|---|---|---|---|")
    for chosen in (0, 1):
        threshold = find_threshold([file for file in ordinary if half_of(file.project) == chosen], TARGETS[1])
        for tried in (0, 1):
            shares = [
                share([file for file in files if half_of(file.project) == tried], threshold)
                for files in (ordinary, vulnerable)
            ]
            print(f"| {'AB'[chosen]} | {'AB'[tried]} | {threshold:.3f} | {shares[0]:.1%} | {shares[1]:.1%} |")


def claimed_by(files: Sequence[Routed], threshold: float) -> dict[str, float]:
    """Share of the lines by the loudest signal of each file that is reached."""
    lines: Counter[str] = Counter()
    for file in files:
        if file.score >= threshold:
            lines[file.signals[0]] += file.lines
    total = sum(file.lines for file in files)
    return {name: count / total for name, count in lines.items()}


def print_signals(ordinary: Sequence[Routed], vulnerable: Sequence[Routed]) -> None:
    """Which signal claimed which share at each point; a file counts for its loudest one."""
    print("\n## Loudest signal of what was reached: vulnerable / ordinary lines\n")
    thresholds = [find_threshold(ordinary, target) for target in TARGETS]
    columns = [(claimed_by(vulnerable, at), claimed_by(ordinary, at)) for at in thresholds]
    print("| signal | " + " | ".join(f"{target:.0%}" for target in TARGETS) + " |")
    print("|---|" + "---|" * len(TARGETS))
    names = {name for pair in columns for shares in pair for name in shares}
    for name in sorted(names, key=lambda name: -columns[1][0].get(name, 0)):
        cells = [f"{left.get(name, 0):.1%} / {right.get(name, 0):.1%}" for left, right in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> int:
    """Print every table; exit code 2 where the data is not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="DIR")
    data = parser.parse_args().data
    needed = [data / "vuln_fixes.jsonl", data / "review_golden_aacr.jsonl"]
    if missing := [str(path) for path in needed if not path.is_file()]:
        print(f"There is no {missing[0]}: name the folder of the data with --data DIR.", file=sys.stderr)
        return 2
    vulnerable, ordinary = read_vulnerable(data), read_pull_requests(data)
    print(f"Triage skips everything; {sum(file.lines for file in vulnerable):,} vulnerable lines.")
    print_points("pull requests", ordinary, vulnerable)
    if hard := read_hard_diffs(data):
        print_points("hard diffs, nine tenths tests and documents", hard, vulnerable)
    print_halves(ordinary, vulnerable)
    print_signals(ordinary, vulnerable)
    return 0


if __name__ == "__main__":
    sys.exit(main())
