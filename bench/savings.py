"""What routing, caching and hunks save: the same changes as we review them, and as a naive bot would.

    python bench/savings.py REPOSITORY BASE..HEAD [BASE..HEAD ...]

Three reviews of each range against the scripted model, which answers shortly and counts a token for every
three bytes. ``ours`` is the product. ``all-Opus`` is the same with every tier set to Opus by policy.
``naive`` is that review priced without a cache (all of a prompt at the price of input) and with whole
files: each request holds besides, for every file that it names in a diff, the rest of the file at the
head. Dollars are list prices.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cost import answer_shortly

from reviewbot.claims import Usage
from reviewbot.spend.prices import LIST_PRICES
from reviewbot.testing import ScriptedModel
from reviewbot.testing.exchange import Served
from reviewbot.testing.page import read_page

OPUS = "claude-opus-5-5"
ALL_OPUS = "".join(f"{agent}-model: {OPUS}\n" for agent in ("triage", "test-fix", "security"))
BYTES_A_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The report of a review and the requests that it took."""

    report: dict[str, Any]
    requests: Sequence[Served]

    @property
    def usd(self) -> float:
        """What the models cost."""
        return float(self.report["cost"]["usd"])


def review(repository: str, given: str, policy: str) -> Reviewed:
    """One review with a policy of its own."""
    base, _, head = given.partition("..")
    with ScriptedModel(answer_shortly) as model, tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(policy)
        file.flush()
        command = [
            sys.executable, "-I", "-m", "reviewbot", "review", "--format", "json", "--policy", file.name,
            "--budget-usd", "100", "--repo", repository, "--base", base, "--head", head or "HEAD",
        ]  # fmt: skip
        environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=False
        )
        return Reviewed(json.loads(done.stdout), model.requests)


def naive_usd(repository: str, head: str, reviewed: Reviewed) -> float:
    """The requests of an all-Opus review, priced without a cache and with the rest of each shown file."""
    sizes = _sizes(repository, head)
    total = 0.0
    for served in reviewed.requests:
        usage, page = served.usage, read_page(served.body)
        shown: Counter[str] = Counter()
        for hunk in page.hunks:
            shown[hunk.path] += sum(len(line.text.encode()) + 1 for line in hunk.lines if line.sign != "-")
        rest = sum(max(0, sizes.get(path, 0) - held) for path, held in shown.items()) // BYTES_A_TOKEN
        prompt = sum(
            int(usage.get(f"{kind}input_tokens", 0)) for kind in ("", "cache_read_", "cache_creation_")
        )
        total += (
            LIST_PRICES.price_usd(OPUS, Usage(input=prompt + rest, output=int(usage["output_tokens"]))) or 0.0
        )
    return total


def _sizes(repository: str, head: str) -> dict[str, int]:
    command = ["git", "-C", repository, "ls-tree", "-rlz", head or "HEAD"]
    rows = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    pairs = [row.partition("\t") for row in rows if " blob " in row]
    return {path: int(facts.split()[3]) for facts, _, path in pairs}


def cached_share(reports: Sequence[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Tokens read from the cache and all prompt tokens, by agent."""
    shares: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in (row for report in reports for row in report["agents"]):
        use, (read, total) = row["usage"], shares[row["name"]]
        prompt = use["input"] + use["cache_read"] + use["cache_write"]
        shares[row["name"]] = (read + use["cache_read"], total + prompt)
    return shares


def off_opus(reviewed: Reviewed) -> tuple[int, int]:
    """Requests and prompt tokens that went to another model than Opus."""
    others = [served for served in reviewed.requests if "opus" not in served.body["model"]]
    return len(others), sum(map(_prompt, others))


def _prompt(served: Served) -> int:
    return sum(
        int(served.usage.get(f"{kind}input_tokens", 0)) for kind in ("", "cache_read_", "cache_creation_")
    )


def main() -> int:
    """Run every range three ways and print the tables."""
    repository, *ranges = sys.argv[1:]
    print("| range | files | lines | requests | ours $ | all-Opus $ | ours ÷ it | naive $ | it ÷ ours |")
    print("|---" * 9 + "|")
    reports, calls, tokens = [], [0, 0], [0, 0]
    for given in ranges:
        ours, opus = review(repository, given, "{}\n"), review(repository, given, ALL_OPUS)
        naive = naive_usd(repository, given.partition("..")[2], opus)
        coverage = ours.report["coverage"]
        cells = (
            given, len(coverage["files"]), coverage["added_lines"] + coverage["deleted_lines"],
            len(ours.requests), f"{ours.usd:.4f}", f"{opus.usd:.4f}", f"{ours.usd / opus.usd:.2f}",
            f"{naive:.4f}", f"{naive / ours.usd:.1f}",
        )  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        reports.append(ours.report)
        off = off_opus(ours)
        calls = [calls[0] + off[0], calls[1] + len(ours.requests)]
        tokens = [tokens[0] + off[1], tokens[1] + sum(map(_prompt, ours.requests))]
    print(f"\nOff Opus: {calls[0]} of {calls[1]} calls, {tokens[0] / max(1, tokens[1]):.0%} of the tokens.")
    for agent, (read, total) in cached_share(reports).items():
        print(f"Read from the cache by {agent}: {read / max(1, total):.0%} of {total:,} prompt tokens.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
