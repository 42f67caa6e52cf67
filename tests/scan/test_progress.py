"""A live scan keeps what it reads as it reads it: held to real scans that are killed, and to what waits."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reviewbot.agents.results import Progress
from reviewbot.claims import Claim, Outcome, Stop, Task
from reviewbot.core import Severity
from reviewbot.journal import Journal
from reviewbot.scan.progress import ReadingsUnderWay
from reviewbot.scan.readings import Reading, key_of, parse_reading
from reviewbot.state_file import StateError
from reviewbot.testing import ScriptedModel
from reviewbot.testing.page import read_page
from tests.repositories import Sandbox
from tests.scan.test_readings import RECIPE, change, claim, tree
from tests.scan.test_run import FLASK, PLAIN, Bench, codes

KILLED = """
import os, signal, sys
from reviewbot.verdict.memory import ScanMemory
number, real, calls = int(sys.argv[1]), ScanMemory.keep, []
def watched(self, readings):
    real(self, readings)
    calls.append(1)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
ScanMemory.keep = watched
from reviewbot.cli import main
sys.exit(main(sys.argv[2:]))
"""
IMAGES = {f"svc{number:02}/Dockerfile": f"FROM scratch\nLABEL n={number}\n" for number in range(33)}
PROSE = {f"lib/plain{number}.py": f"{PLAIN}\nN = {number}\n" for number in range(3)}
FAULTS = {"app/views.py": FLASK, "app/more.py": FLASK.replace("name", "size")}


KILLED_LOOKING = """
import os, signal, sys
from reviewbot.agents import subagents
async def watched(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
subagents.look_again = watched
from reviewbot.cli import main
sys.exit(main(sys.argv[1:]))
"""


def is_second_look(body: Mapping[str, Any]) -> bool:
    return "judgement" in str(read_page(body).schema)


def kill(bench: Bench, model: ScriptedModel, number: int, *options: str) -> int:
    """A live scan of its own process, killed once it has kept readings so many times; its exit code."""
    arguments = ["scan", "--engine", "claude", "--no-batch", "--repo", str(bench.sandbox.folder)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(number), *arguments, *options,
         "--state", str(bench.options.state)],
        env={"PATH": "/usr/bin:/bin", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.base_url},
        capture_output=True,
        check=False,
    )  # fmt: skip
    return done.returncode


@pytest.mark.parametrize(
    ("number", "options"),
    [(1, ()), (2, ()), (2, ("--full",))],
    ids=["after triage", "after a task of security", "a full one"],
)
def test_a_live_scan_that_is_killed_leaves_what_it_has_read(
    sandbox: Sandbox, tmp_path: Path, number: int, options: tuple[str, ...]
) -> None:
    sandbox.commit({**IMAGES, **PROSE, **FAULTS})
    bench = Bench(sandbox, tmp_path)
    with ScriptedModel("reader") as model:
        assert kill(bench, model, number, *options) == -9
    assert bench.baseline() is None
    with ScriptedModel("reader") as model:
        bench.model = model
        review = bench.scan(batch=False)
        read_again = [served.body for served in model.requests if not is_second_look(served.body)]
        again = {path for body in read_again for path in read_page(body).paths}
        assert model.refused == []
    rested = {row.path for row in review.coverage.files if "unchanged since" in row.reason}
    assert set(PROSE) <= rested
    assert bool(rested & set(IMAGES)) == (number > 1)
    assert rested.isdisjoint(again)
    assert rested | again == {*IMAGES, *PROSE, *FAULTS}
    agents = {
        str(each.location.path)
        for each in review.findings
        if each.location and each.evidence.source == "agent"
    }
    assert agents == set(FAULTS)
    assert codes(review) == []


def asked_by_agent(model: ScriptedModel) -> Counter[str]:
    assert model.refused == []
    return Counter("verify" if is_second_look(each.body) else "reader" for each in model.requests)


@pytest.mark.parametrize("batch", [False, True])
def test_a_scan_that_is_killed_at_its_second_look_leaves_only_that_to_be_paid(
    sandbox: Sandbox, tmp_path: Path, batch: bool
) -> None:
    sandbox.commit({**PROSE, **FAULTS})
    bench, other = Bench(sandbox, tmp_path), Bench(sandbox, tmp_path / "other")
    with ScriptedModel("reader") as other.model:
        whole, first = other.scan(batch=False), other.model
    arguments = ["scan", "--engine", "claude", "--no-batch", "--repo", str(sandbox.folder)]
    with ScriptedModel("reader") as model:
        environment = {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "k",
            "ANTHROPIC_BASE_URL": model.base_url,
        }
        command = [sys.executable, "-c", KILLED_LOOKING, *arguments, "--state", str(bench.options.state)]
        assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == -9
        killed = asked_by_agent(model)
    with ScriptedModel("reader") as bench.model:
        review = bench.scan(batch=batch)
        left = asked_by_agent(bench.model)
    assert (left["reader"], killed["verify"]) == (0, 0)
    assert killed + left == asked_by_agent(first)
    assert left["verify"] == len(FAULTS)
    assert (review.verdict, review.findings) == (whole.verdict, whole.findings)
    with ScriptedModel("reader") as bench.model:
        assert (bench.scan().cost_usd, asked_by_agent(bench.model)) == (0, Counter())


FILES = tree(change("a.py"), change("b.py", "2"), change("c.py", "3"), change("d.py", "4"))
MEDIUM = Severity.MEDIUM


class Shelf:
    """What was kept, by path."""

    def __init__(self, *, has_second_look: bool = True) -> None:
        self.texts: dict[str, str] = {}
        self.calls = 0
        self.fault: Exception | None = None
        self.under_way = ReadingsUnderWay(
            FILES, RECIPE, self.keep, Journal(), has_second_look=has_second_look
        )

    def keep(self, readings: Mapping[str, str]) -> None:
        self.calls += 1
        if self.fault:
            raise self.fault
        self.texts.update(readings)

    def end(self, paths: str, finished: str, *claims: Claim) -> None:
        """A security task about files ended, and with it some of them."""
        names = tuple(f"{name}.py" for name in paths)
        outcome = Outcome(Task("security", names), "m", "medium", Stop.DONE, claims)
        reviewed = {f"{name}.py": ("security",) for name in finished}
        self.under_way.watch(Progress(reviewed, outcome=outcome))

    def read(self) -> dict[str, Reading]:
        """The readings, by path without its suffix."""
        found = {}
        for file in FILES.files:
            reading = parse_reading(self.texts.get(key_of(RECIPE, file), ""))
            if reading:
                found[file.path.removesuffix(".py")] = reading
        return found


def said(path: str, *others: str, severity: Severity = MEDIUM) -> Claim:
    return replace(claim(f"{path}.py", *(f"{other}.py" for other in others)), severity=severity)


def test_a_file_is_kept_with_the_claims_about_it_once_all_of_it_was_read() -> None:
    shelf = Shelf()
    shelf.end("ab", "b", said("a"), said("b"))
    assert {name: reading.claims for name, reading in shelf.read().items()} == {"b": (said("b"),)}
    shelf.end("a", "a", said("a", "c"))
    assert shelf.read()["a"].claims == (said("a"), said("a", "c"))
    assert shelf.read()["a"].others == {"c.py": "3" * 40}


def test_a_file_with_a_claim_that_is_looked_at_again_is_kept_as_open() -> None:
    shelf = Shelf()
    shelf.end("ab", "ab", said("a", severity=Severity.HIGH))
    assert {name: reading.is_open for name, reading in shelf.read().items()} == {"a": True, "b": False}
    alone = Shelf(has_second_look=False)
    alone.end("ab", "ab", said("a", severity=Severity.HIGH))
    assert {name: reading.is_open for name, reading in alone.read().items()} == {"a": False, "b": False}


def test_a_claim_about_a_file_of_another_task_is_kept_with_one_of_its_own() -> None:
    shelf = Shelf()
    shelf.end("ab", "b", said("d"))
    shelf.end("d", "d")
    shelf.end("a", "a")
    read = shelf.read()
    assert (read["b"].claims, read["b"].others) == ((said("d"),), {"d.py": "4" * 40})
    assert read["a"].claims == read["d"].claims == ()


def test_where_no_file_can_keep_such_a_claim_all_of_the_task_waits() -> None:
    shelf = Shelf()
    shelf.end("ab", "", said("d"))
    shelf.end("c", "c", said("d", severity=Severity.HIGH))
    shelf.end("abd", "abd")
    read = shelf.read()
    assert set(read) == {"c", "d"}
    assert (read["c"].is_open, read["d"].is_open) == (True, False)


def test_a_claim_that_quotes_no_file_of_the_tree_is_not_kept() -> None:
    shelf = Shelf()
    shelf.end("a", "a", said("a", "absent"))
    assert shelf.read()["a"].claims == ()


def test_what_triage_alone_read_is_kept_and_gives_way_to_more() -> None:
    shelf = Shelf()
    shelf.under_way.watch(Progress(triaged={"a.py": "prose"}))
    assert shelf.read()["a"].triaged == "prose"
    shelf.under_way.watch(Progress(triaged={"a.py": "prose"}))
    assert shelf.calls == 1
    shelf.end("a", "a")
    assert shelf.read()["a"].by == ("security",)
    shelf.under_way.watch(Progress(triaged={"a.py": "prose"}))
    assert shelf.read()["a"].by == ("security",)


def test_a_state_that_cannot_be_written_is_left_to_the_end_of_the_scan() -> None:
    shelf = Shelf()
    shelf.fault = StateError("the disk is full")
    shelf.end("a", "a")
    shelf.end("b", "b")
    assert (shelf.calls, shelf.texts) == (1, {})
