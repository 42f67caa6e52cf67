"""What whole reviews with the agents cost in dollars, requests, seconds and memory.

    python bench/cost.py REPOSITORY BASE..HEAD [BASE..HEAD ...]

The model is the scripted one without latency, so the wall time is reviewbot's own. It answers shortly:
triage finds no risk, so what the security agent reads is the floor's choice alone; a security task reads
one place with a tool and then reports nothing. It counts a token for every three bytes, which is
more than the real tokenizer gives.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reviewbot.testing import BEHAVIOURS, ScriptedModel, ToolCall, Turn
from reviewbot.testing.page import read_page

HEADER = (
    "| range | files | +/- lines | to security | requests | tokens | cached | usd | wall s | MiB | verdict |"
)


def answer_shortly(body: Any) -> Turn:
    """Triage: no risk anywhere. The others: one tool round, then nothing to report."""
    page = read_page(body)
    if not body.get("tools"):
        return BEHAVIOURS["skipper"](body)
    if len(body["messages"]) == 1 and page.paths:
        arguments = {"path": page.paths[0], "side": "head", "start_line": 1, "max_lines": 40}
        return Turn(calls=(ToolCall("read_file", arguments),))
    return BEHAVIOURS["skipper"](body)


def review(repository: str, base: str, head: str, url: str) -> tuple[dict[str, Any], float, int]:
    """The report, the wall seconds and the peak memory in MiB."""
    command = [
        sys.executable, "-I", "-m", "reviewbot", "review", "--format", "json",
        "--budget-usd", "100", "--repo", repository, "--base", base, "--head", head,
    ]  # fmt: skip
    environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": url}
    with tempfile.NamedTemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, env=environment)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        return json.loads(Path(output.name).read_text()), seconds, usage.ru_maxrss // 1024


def main() -> int:
    """Run every range and print the table."""
    repository, *ranges = sys.argv[1:]
    print(HEADER)
    print("|---" * 11 + "|")
    for given in ranges:
        base, _, head = given.partition("..")
        with ScriptedModel(answer_shortly) as model:
            report, seconds, memory = review(repository, base, head or "HEAD", model.base_url)
        coverage = report["coverage"]
        security = [row for row in coverage["files"] if "security" in row["by"]]
        usage = [agent["usage"] for agent in report["agents"]]
        prompt = sum(use["input"] + use["cache_read"] + use["cache_write"] for use in usage)
        cached = sum(use["cache_read"] for use in usage)
        lines = sum(row["added_lines"] + row["deleted_lines"] for row in security)
        total = coverage["added_lines"] + coverage["deleted_lines"]
        cells = (
            given,
            len(coverage["files"]),
            total,
            f"{len(security)} files, {lines / max(1, total):.0%}",
            len(model.requests),
            prompt,
            f"{cached / max(1, prompt):.0%}",
            f"{report['cost']['usd']:.4f}",
            f"{seconds:.2f}",
            memory,
            report["verdict"]["conclusion"],
        )
        print(f"| {' | '.join(map(str, cells))} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
