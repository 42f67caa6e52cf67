"""Reviews while a share of the model's calls fails: what is lost, what passes in silence, what it costs.

    python bench/outages.py [RUNS]

Each run reviews a change of forty files, eight of them with a fault that the scripted model finds, while
every call fails with the given chance in one of ten ways (seeded). A finding is lost where it is missing
and the verdict is not incomplete; a pass is silent where a faulty file is not in the report. Calls are
held against the declared bound: steps of each task, times three attempts.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from reviewbot.agents.spec import SPECS
from reviewbot.testing import ScriptedModel

SHARES = (0.0, 0.03, 0.08, 0.15)
WAYS = (
    "server_error", "overloaded", "rate_limit", "rate_limit_1s", "reset", "html",
    "broken_json", "early_end", "no_stop_reason", "invalid",
)  # fmt: skip
ATTEMPTS = 3
FAULTY = "import subprocess\n\n\ndef run{n}(name):\n    return subprocess.run(f'ls {{name}}', shell=True)\n"
SOUND = "import hashlib\n\n\ndef token{n}(text):\n    return hashlib.sha256(text).hexdigest()\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """One review: the files with an agent's finding, the conclusion, calls, their bound, seconds, dollars."""

    found: frozenset[str]
    conclusion: str
    calls: int
    bound: int
    failed: int
    seconds: float
    usd: float


def make_change(folder: Path) -> None:
    """Two commits; the second brings forty files."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder)]
    subprocess.run([*git, "init", "-q", "."], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "empty"], check=True)
    for number in range(40):
        text = SOUND.format(n=number) * 30 + ("" if number % 5 else FAULTY.format(n=number))
        path = folder / f"part{number}" / "work.py"
        path.parent.mkdir()
        path.write_text(text)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "forty files"], check=True)


def failing(share: float, seed: int) -> dict[Callable[[Any], bool] | int, str]:
    """Faults by the number of the request, in the share and the ways that the seed draws."""
    draw = random.Random(seed)
    return {number: draw.choice(WAYS) for number in range(1, 2_000) if draw.random() < share}


def review(folder: Path, share: float, seed: int) -> Seen:
    """One review through the command line."""
    command = [sys.executable, "-I", "-m", "reviewbot", "review", "--format", "json"]
    command += ["--repo", str(folder)]
    with ScriptedModel("reader", faults=failing(share, seed)) as model:
        environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url}
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        seconds = time.monotonic() - started
    report = json.loads(done.stdout)
    tasks = Counter(row["name"] for row in report["agents"])
    return Seen(
        found=frozenset(f["path"] for f in report["findings"] if f["source"] == "agent"),
        conclusion=report["verdict"]["conclusion"],
        calls=len(model.requests),
        bound=sum(SPECS[name].bounds.steps * count for name, count in tasks.items()) * ATTEMPTS,
        failed=sum(served.fault is not None for served in model.requests),
        seconds=seconds,
        usd=float(model.usd),
    )


def main() -> int:
    """Print a row for each share."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    titles = "calls failing|calls|failed|complete|findings lost|silent passes|over the bound|seconds|$"
    print(f"| {titles.replace('|', ' | ')} |\n" + "|---" * 9 + "|")
    expected: frozenset[str] = frozenset()
    with tempfile.TemporaryDirectory() as temporary:
        make_change(Path(temporary))
        for share in SHARES:
            seen = [review(Path(temporary), share, seed) for seed in range(runs if share else 1)]
            expected = expected or seen[0].found
            lost = sum(len(expected - one.found) for one in seen if one.conclusion != "incomplete")
            cells = (
                f"{share:.0%}",
                sum(one.calls for one in seen),
                sum(one.failed for one in seen),
                f"{sum(one.found >= expected for one in seen)} of {len(seen)}",
                lost,
                sum(one.conclusion == "pass" for one in seen),
                sum(one.calls > one.bound for one in seen),
                f"{median(one.seconds for one in seen):.1f}",
                f"{median(one.usd for one in seen):.3f}",
            )
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return 0 if len(expected) == 8 else 1


if __name__ == "__main__":
    sys.exit(main())
