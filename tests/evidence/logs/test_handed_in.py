from pathlib import Path

import pytest

from reviewbot.core import Location
from reviewbot.errors import EvidenceError
from reviewbot.evidence.collect import HandedIn, read_handed_in

TREE = ["tests/test_app.py", "app.py"]
LOG = """\
=================================== FAILURES ===================================
____________________________________ test_a ____________________________________
tests/test_app.py:7: AssertionError
=========================== short test summary info ============================
FAILED tests/test_app.py::test_a - assert 1 == 2
1 failed, 4 passed in 0.10s
"""
JUNIT = (
    '<testsuite name="pytest"><testcase classname="tests.test_app" name="test_a"><failure>'
    "tests/test_app.py:7: AssertionError</failure></testcase></testsuite>"
)


def read(folder: Path, **files: str) -> HandedIn:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    junit = [str(folder / "*.xml")] if any(name.endswith("xml") for name in files) else []
    return read_handed_in([], junit, lambda: TREE, [], [str(folder / "*.log")])


def test_a_log_is_evidence_like_a_junit_file(tmp_path: Path) -> None:
    found = read(tmp_path, ci_log=LOG)
    [item] = found.evidence
    assert (item.source, item.location) == ("junit", Location("tests/test_app.py", 7, 7))
    assert found.notes == ("Tests handed in: 5, of which 1 failed (they block with --fail-on-tests only).",)


def test_what_a_junit_file_tells_is_not_taken_from_the_log_again(tmp_path: Path) -> None:
    other = LOG.replace("_ test_a _", "_ test_b _").replace("::test_a", "::test_b")
    found = read(tmp_path, j_xml=JUNIT, a_log=LOG, b_log=other)
    assert [(item.tool, item.title) for item in found.evidence] == [
        ("junit", "tests.test_app::test_a failed"),
        ("log", "tests.test_app::test_b failed"),
    ]
    assert len({item.id for item in found.evidence}) == 2


def test_a_cut_log_leaves_a_gap(tmp_path: Path) -> None:
    [gap] = read(tmp_path, ci_log=LOG.replace("1 failed", "3 failed")).gaps
    assert (gap.code, "it was cut" in gap.detail) == ("unfinished_evidence", True)


def test_a_pattern_that_matches_no_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no log file matches"):
        read_handed_in([], [], lambda: TREE, [], [str(tmp_path / "*.log")])
