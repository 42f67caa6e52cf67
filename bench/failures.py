"""Measure what is found of real red runs: the failed tests and the changed files.

    python bench/failures.py --data DIR

Reads DIR/ci_failures_python.jsonl, whose records hold the console log: a test counts as found where the
log gives evidence of its name, placed in its own file. DIR/ci_failures_gitbug.jsonl holds no logs, only
what the runner's report said of each test, so those are read as a JUnit file and counted apart. A changed
file counts as named where a trace names a file that the fix or its tests change: that is what the log can
say; the agent reads the rest of the change anyway. The tree is every path that the record's texts name.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from reviewbot.core import Evidence
from reviewbot.evidence.junit import JunitReport, parse_junit
from reviewbot.evidence.logs.read import parse_log
from reviewbot.evidence.paths import TreePaths

_PATCHED = re.compile(r"^(?:---|\+\+\+) [ab]/(.+)$", re.MULTILINE)
_IN_LOG = re.compile(r"(?<![\w./-])((?:[\w-]+/){1,20}[\w-]+\.py)(?=:\d)")
_EXTENSIONS = (".java", ".kt", ".js", ".ts", ".go", ".cs", ".py")


@dataclass(frozen=True, slots=True)
class Found:
    """How one record went: tests named, tests placed in their file, and whether the change was named.

    ``is_there``: what was read names a changed file at all, by its name or as a Java class.
    """

    id: str
    tests: int
    named: int
    placed: int
    change: bool
    fix: bool
    is_there: bool = True


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file, in order."""
    with path.open("rb") as lines:
        yield from map(json.loads, lines)


def measure_log(record: dict[str, Any]) -> Found:
    """One record with a console log."""
    log = record["log"]
    changed = {*record["fix_files"], *record["test_files"]}
    tree = TreePaths(sorted(changed | set(_IN_LOG.findall(log))))
    report = parse_log(log.encode(), record["id"], tree)
    return _compare(record["id"], set(record["fail_to_pass"]), report, changed, set(record["fix_files"]))


def measure_report(record: dict[str, Any]) -> Found:
    """One record that holds what a report said of each failed test."""
    fix = set(_PATCHED.findall(record["bug_patch"]))
    changed = fix | set(_PATCHED.findall(record["test_patch"] or ""))
    owners = {test["classname"] or "" for test in record["failing_tests"]}
    # The tree also holds the test classes themselves, where the patch does not touch them.
    missing = {owner for owner in owners if not any(_is_file_of(path, owner) for path in changed)}
    tree = TreePaths(
        sorted(changed | {f"src/test/java/{_outer(owner).replace('.', '/')}.java" for owner in missing})
    )
    report = parse_junit(_render_junit(record), record["id"], tree)
    wanted = {f"{test['classname']}::{test['name']}" for test in record["failing_tests"]}
    found = _compare(record["id"], wanted, report, changed, fix)
    said = json.dumps(record["failing_tests"])
    return replace(found, is_there=any(_is_named(path, said) for path in changed))


def _is_named(path: str, said: str) -> bool:
    """Whether a text holds the name of a file with its ending, or that of its class after its package."""
    folder, _, name = path.rpartition("/")
    package = folder.rpartition("/")[2]
    owner = re.escape(f"{package}.{name.partition('.')[0]}")
    return name in said or bool(re.search(rf"{owner}\b", said))


def _compare(id_: str, wanted: set[str], report: JunitReport, changed: set[str], fix: set[str]) -> Found:
    by_test = {item.title.removesuffix(" failed"): item for item in report.evidence}
    spelled = {
        test: test.split("::")[-1] if test.split("::")[0] == test.split("::")[-1] else test for test in wanted
    }
    found = {test: by_test[name] for test, name in spelled.items() if name in by_test}
    placed = [test for test, item in found.items() if item.location and _is_file_of(item.location.path, test)]
    named = {path for item in report.evidence for path in _paths(item)}
    return Found(id_, len(wanted), len(found), len(placed), bool(named & changed), bool(named & fix))


def _paths(item: Evidence) -> set[str]:
    return {place.path for place in (item.location, *item.related) if place}


def _outer(owner: str) -> str:
    return re.split(r"[$ (]", owner, maxsplit=1)[0]


def _is_file_of(path: str, test: str) -> bool:
    stem = path.rpartition(".")[0].replace("/", ".")
    owner = _outer(test.split("::", maxsplit=1)[0])
    return path.endswith(_EXTENSIONS) and any(
        f".{stem}".endswith(f".{end}") for end in (owner, owner.rpartition(".")[0]) if end
    )


def _render_junit(record: dict[str, Any]) -> bytes:
    rows = []
    for test in record["failing_tests"]:
        message = next((one.get("message") or "" for one in test["result"]), "")
        clean = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]", "?", message)
        names = f"classname={quoteattr(test['classname'] or '')} name={quoteattr(test['name'])}"
        rows.append(f"<testcase {names}><failure message={quoteattr(clean)}/></testcase>")
    return f"<testsuite>{''.join(rows)}</testsuite>".encode()


def print_table(title: str, rows: list[Found]) -> None:
    """One line for the whole and one for each record that was not found whole."""
    tests, named, placed = (sum(getattr(row, key) for row in rows) for key in ("tests", "named", "placed"))
    change, fix = sum(row.change for row in rows), sum(row.fix for row in rows)
    print(
        f"{title}: {len(rows)} records, {tests} failed tests; named {named / tests:.1%}, "
        f"placed in their file {placed / tests:.1%}; a changed file named in {change / len(rows):.1%}, "
        f"a file of the fix in {fix / len(rows):.1%}"
    )
    for row in rows:
        if row.placed < row.tests or not row.change:
            why = "" if row.is_there else "; its report names no changed file"
            print(f"  {row.id}: {row.named}/{row.tests} named, {row.placed} placed, change {row.change}{why}")
    there = [row for row in rows if row.is_there]
    named = sum(row.change for row in there)
    print(f"  of {len(there)} records whose text names a changed file at all, {named} were found to")


def main() -> int:
    """Print both tables; exit 1 where less than 95 % of the logs' tests and changes are found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    folder = parser.parse_args().data
    logs = [measure_log(record) for record in read_records(folder / "ci_failures_python.jsonl")]
    reports = [measure_report(record) for record in read_records(folder / "ci_failures_gitbug.jsonl")]
    print_table("Console logs (pytest)", logs)
    print_table("Reports without logs (Maven, Gradle, Go, Jest)", reports)
    tests = sum(row.tests for row in logs)
    good = sum(row.placed for row in logs) >= 0.95 * tests and sum(row.change for row in logs) >= 0.95 * len(
        logs
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
