"""How much longer a review takes than its model calls do, and what it does before the first of them.

    python bench/latency.py REPOSITORY BASE..HEAD [BASE..HEAD ...]

The scripted model takes a fixed time for each answer: 5 s on Haiku, 15 s on Sonnet and Opus. The critical
path is worked out from the turns that the report names, not from when they were: a conversation is a
chain, four go on at a time, security waits for triage, its tasks for the first answer of the first of
them, and the second look for all of security; test_fix goes on beside both. The first table is for whole
reviews; the second compares the CPU from the start of the process to the first request with what the
import of the SDK and its client cost alone, taken in turns.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from pathlib import Path
from statistics import median
from typing import Any

from cost import answer_shortly

from reviewbot.testing import BEHAVIOURS, Behaviour, ScriptedModel, ToolCall, Turn
from reviewbot.testing.page import read_page

SECONDS = {"haiku": 5.0, "sonnet": 15.0, "opus": 15.0}
SIDE_BY_SIDE = 4
ROUNDS = 5
READS = 3
CLIENT = 'import anthropic; anthropic.AsyncAnthropic(api_key="sk-test", base_url="http://127.0.0.1:9")'


@dataclass(frozen=True, slots=True)
class Slow:
    """A behaviour that takes its tier's time."""

    behaviour: Behaviour

    def __call__(self, body: Any) -> Turn:
        """The answer, late."""
        time.sleep(next(seconds for tier, seconds in SECONDS.items() if tier in body["model"]))
        return self.behaviour(body)


def _find(body: Any) -> Turn:
    """Triage names no risk; who reads code reports what it can quote, so that there is a second look."""
    return BEHAVIOURS["reader" if body.get("tools") else "skipper"](body)


def _read_then_find(body: Any) -> Turn:
    """Read three times, as real reviewers do, then report what can be quoted."""
    page, turn = read_page(body), len(body["messages"]) // 2
    if not body.get("tools") or not page.paths or turn >= READS:
        return _find(body)
    arguments = {"path": page.paths[0], "side": "head", "start_line": 1 + 40 * turn, "max_lines": 40}
    return Turn(calls=(ToolCall("read_file", arguments),))


BEHAVIOURS_SHOWN = {
    "finds nothing": answer_shortly,
    "finds something": _find,
    "reads, then finds": _read_then_find,
}


def critical_path(agents: Sequence[dict[str, Any]]) -> float:
    """Seconds of the slowest chain of the calls that a report names."""
    stages = {
        name: [row["turns"] * _seconds(row) for row in agents if row["name"] == name and row["turns"]]
        for name in ("triage", "security", "verify", "test_fix")
    }
    warm = SECONDS["opus"]
    looking = _warmed(stages["security"], warm) + _warmed(stages["verify"], warm)
    return _side_by_side(stages["triage"]) + max(looking, max(stages["test_fix"], default=0.0))


def _seconds(row: dict[str, Any]) -> float:
    return next(seconds for tier, seconds in SECONDS.items() if tier in row["model"])


def _warmed(chains: Sequence[float], warm: float) -> float:
    """The first chain begins, the others follow its first answer."""
    if not chains:
        return 0.0
    return warm + _side_by_side([chains[0] - warm, *chains[1:]])


def _side_by_side(chains: Sequence[float]) -> float:
    ends = [0.0] * SIDE_BY_SIDE
    heapify(ends)
    for chain in chains:
        heapreplace(ends, ends[0] + chain)
    return max(ends)


def review(repository: str, given: str, url: str) -> tuple[dict[str, Any], float, float]:
    """The report of a review, its wall seconds and its CPU seconds without the analyzers' and git's."""
    base, _, head = given.partition("..")
    command = [
        sys.executable, "-I", "-m", "reviewbot", "review", "--format", "json",
        "--budget-usd", "100", "--repo", repository, "--base", base, "--head", head or "HEAD",
    ]  # fmt: skip
    environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": url}
    with tempfile.NamedTemporaryFile() as output:
        started = time.monotonic()
        with subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, env=environment) as process:
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
        seconds = time.monotonic() - started
        return json.loads(Path(output.name).read_text()), seconds, usage.ru_utime + usage.ru_stime


def whole_reviews(repository: str, ranges: Sequence[str]) -> None:
    """Print wall time over critical path."""
    print(
        "| range | the model | conversations | calls | critical path s | wall s | ratio |\n"
        + "|---" * 7
        + "|"
    )
    for given in ranges:
        for name, behaviour in BEHAVIOURS_SHOWN.items():
            with ScriptedModel(Slow(behaviour)) as model:
                report, wall, _ = review(repository, given, model.base_url)
            path, calls = critical_path(report["agents"]), len(model.requests)
            tasks = len(report["agents"])
            print(
                f"| {given} | {name} | {tasks} | {calls} | {path:.1f} | {wall:.1f} | {wall / path:.3f} |",
                flush=True,
            )


def until_first_request(repository: str, given: str) -> float:
    """CPU seconds of the whole process group when the first request arrives."""
    spent: list[float] = []

    def note(body: Any) -> Turn:
        if not spent:
            spent.append(_cpu_of(children[0]))
        return BEHAVIOURS["skipper"](body)

    children: list[int] = []
    base, _, head = given.partition("..")
    with ScriptedModel(note) as model:
        command = [
            sys.executable,
            "-I",
            "-m",
            "reviewbot",
            "review",
            "--format",
            "json",
            "--repo",
            repository,
        ]
        environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url}
        with subprocess.Popen(
            [*command, "--base", base, "--head", head or "HEAD"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as process:
            children.append(process.pid)
    return spent[0]


def _cpu_of(process: int) -> float:
    """CPU seconds of a process and of its children that have ended, as Linux counts them (proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def client_alone() -> float:
    """CPU seconds of a process that imports the SDK and makes its client."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-c", CLIENT], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print both tables."""
    repository, *ranges = sys.argv[1:]
    whole_reviews(repository, ranges)
    print("\n| range | CPU s to the first request | SDK and client alone | ratio |\n" + "|---" * 4 + "|")
    for given in ranges:
        pairs = [(until_first_request(repository, given), client_alone()) for _ in range(ROUNDS)]
        ours, theirs = (median(column) for column in zip(*pairs, strict=True))
        print(f"| {given} | {ours:.2f} | {theirs:.2f} | {median(a / b for a, b in pairs):.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
