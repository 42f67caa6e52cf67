"""Real changes as git repositories: the files of a diff, filled up with empty lines where it shows none.

The line numbers are those of the real files, so what the data says about a line holds here, too.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from reviewbot.change.diff import FilePatch, parse_diff
from tests.repositories import SHARED_DATA, Sandbox

Files = dict[str, str]


@dataclass(frozen=True)
class RealChange:
    """Two sets of files, by path; ``lines`` are the head lines the data speaks of; ``junit`` a report."""

    name: str
    base: Files
    head: Files
    lines: dict[str, list[int]] = field(default_factory=dict)
    junit: str = ""

    def commit(self, sandbox: Sandbox) -> tuple[str, str]:
        base = sandbox.commit({"README": "a project\n", **self.base})
        for path in self.base.keys() - self.head.keys():
            sandbox.remove(path)
        return base, sandbox.commit(self.head)


def read_records(name: str) -> Iterator[dict]:  # type: ignore[type-arg]
    with (SHARED_DATA / name).open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def both_sides(diff: str) -> tuple[Files, Files]:
    """The files before and after a diff."""
    base: Files = {}
    head: Files = {}
    for patch in parse_diff(io.BytesIO(diff.encode("utf-8", "surrogateescape"))):
        before, after = _texts(patch)
        if patch.base_mode != "000000":
            base[patch.old_path] = before
        if patch.head_mode != "000000":
            head[patch.path] = after
    return base, head


def _texts(patch: FilePatch) -> tuple[str, str]:
    base: list[str] = []
    head: list[str] = []
    for hunk in patch.hunks:
        base += [""] * (hunk.base_start - 1 - len(base)) if hunk.base_count else []
        head += [""] * (hunk.head_start - 1 - len(head)) if hunk.head_count else []
        for line in hunk.lines:
            base += [line[1:]] if line[0] in " -" else []
            head += [line[1:]] if line[0] in " +" else []
    return "".join(f"{line}\n" for line in base), "".join(f"{line}\n" for line in head)


def vulnerabilities(languages: tuple[str, ...] = ("Python",)) -> Iterator[RealChange]:
    """Changes that bring a known vulnerability in; ``lines`` are the vulnerable ones."""
    for record in read_records("vuln_fixes.jsonl"):
        if tuple(record["languages"]) == languages and record["tier"] == "advisory":
            lines = {file["path"]: file["vuln_lines"] for file in record["files"] if file["vuln_lines"]}
            if lines:
                base, head = both_sides(record["reversed_diff"])
                yield RealChange(record["id"], base, head, lines)


def failing_tests() -> Iterator[RealChange]:
    """Changes after which tests fail, each with the report of the run that saw it."""
    for record in read_records("ci_failures_python.jsonl"):
        fixed, broken = reversed(both_sides(record["fix_diff"]))
        _, tests = both_sides(record["test_diff"])
        yield RealChange(record["id"], {**tests, **fixed}, {**tests, **broken}, junit=record["junit_xml"])


def pull_requests(language: str) -> Iterator[RealChange]:
    """Ordinary pull requests that people reviewed."""
    for record in read_records("review_golden_aacr.jsonl"):
        if record["language"] == language:
            yield RealChange(record["id"], *both_sides(record["diff"]))
