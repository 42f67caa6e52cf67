"""Review the newest ordinary commits of a repository and list what would block.

    python bench/ordinary.py REPOSITORY [COUNT]

Ordinary: not a merge, at most 60 files. Prints a row for each commit that does not pass and a total.
"""

import json
import subprocess
import sys
from collections import Counter


def ordinary_commits(repository: str, count: int) -> list[str]:
    """The newest commits with one parent, newest first."""
    command = [
        "git",
        "-C",
        repository,
        "rev-list",
        "--no-merges",
        "--min-parents=1",
        f"--max-count={count}",
        "HEAD",
    ]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()


def main() -> int:
    """Review each commit and print the table."""
    repository = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    verdicts: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    for commit in ordinary_commits(repository, count):
        command = [
            sys.executable, "-I", "-m", "reviewbot", "review", "--repo", repository, "--base", f"{commit}^",
            "--head", commit, "--engine", "analyzers", "--format", "json",
        ]  # fmt: skip
        report = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
        if len(report["coverage"]["files"]) > 60:
            continue
        verdict = report["verdict"]
        verdicts[verdict["conclusion"]] += 1
        shown = [
            finding for finding in report["findings"] if finding["in_diff"] and finding["severity"] != "info"
        ]
        findings.update(f"{finding['rule']} {finding['severity']}" for finding in shown)
        for finding in shown:
            if finding["blocking"]:
                place = f"{finding['path']}:{finding['start_line']}"
                print(f"{commit[:12]} BLOCKS {finding['rule']} {place} {finding['quote'][:90]!r}")
        if verdict["conclusion"] == "incomplete":
            print(f"{commit[:12]} incomplete: {verdict['reasons'][0]['detail'][:160]}")
    total = sum(verdicts.values())
    rate = sum(findings.values()) / max(total, 1)
    print(f"{repository}: {total} ordinary commits: {dict(verdicts)}; shown findings a change: {rate:.1f}")
    print("  " + ", ".join(f"{name} x{number}" for name, number in findings.most_common(12)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
