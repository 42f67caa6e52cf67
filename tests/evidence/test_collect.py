import json
from pathlib import Path

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import Location, Suppression
from reviewbot.errors import EvidenceError
from reviewbot.evidence.collect import HandedIn, collect_evidence, read_handed_in
from tests.repositories import Sandbox

TREE = ["src/app.py", "tests/test_app.py"]


def sarif(**run: object) -> str:
    result = {
        "ruleId": "R1",
        "message": {"text": "bad"},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": "src/app.py"}, "region": {"startLine": 2}}}
        ],
    }
    return json.dumps(
        {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "results": [result], **run}]}
    )


def read(folder: Path, **files: str) -> HandedIn:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    patterns = {
        kind: [str(folder / f"*.{kind}")] if any(kind in name for name in files) else []
        for kind in ("sarif", "xml")
    }
    return read_handed_in(patterns["sarif"], patterns["xml"], lambda: TREE, [])


def test_nothing_handed_in_reads_no_tree() -> None:
    def no_tree() -> list[str]:
        raise AssertionError("the tree was listed")

    assert read_handed_in([], [], no_tree, []) == HandedIn()


def test_sarif_and_junit_become_evidence_with_ids_of_their_own(tmp_path: Path) -> None:
    junit = '<testsuite><testcase name="t" file="tests/test_app.py"><failure/></testcase><testcase name="u"/></testsuite>'
    found = read(tmp_path, a_sarif=sarif(), b_sarif=sarif(), j_xml=junit)
    assert [one.source for one in found.evidence] == ["sarif", "sarif", "junit"]
    assert len({one.id for one in found.evidence}) == 3
    assert found.evidence[0].location == Location("src/app.py", 2, 2)
    assert found.notes == ("Tests handed in: 2, of which 1 failed (they block with --fail-on-tests only).",)
    assert found.gaps == ()


@pytest.mark.parametrize(
    ("blocks", "said"),
    [(True, "1 failed (they block)."), (False, "1 failed (they block with --fail-on-tests only).")],
)
def test_the_note_on_failed_tests_says_whether_they_block(tmp_path: Path, blocks: bool, said: str) -> None:
    (tmp_path / "j.xml").write_text('<testsuite><testcase name="t"><failure/></testcase></testsuite>')
    found = read_handed_in([], [str(tmp_path / "*.xml")], lambda: TREE, [], tests_block=blocks)
    assert found.notes[0].endswith(said)


def test_a_tool_that_did_not_finish_leaves_a_gap(tmp_path: Path) -> None:
    [gap] = read(tmp_path, a_sarif=sarif(invocations=[{"executionSuccessful": False}])).gaps
    assert gap.code == "unfinished_evidence"
    assert "did not finish" in gap.detail


def test_a_cut_test_report_leaves_a_gap(tmp_path: Path) -> None:
    [gap] = read(tmp_path, a_xml='<testsuite tests="9" failures="3"><testcase name="t"/></testsuite>').gaps
    assert gap.code == "unfinished_evidence"


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"\*\.xml"):
        read_handed_in([], [str(tmp_path / "*.xml")], lambda: TREE, [])


def test_analyzers_notices_and_files_come_together_with_their_suppressions(sandbox: Sandbox) -> None:
    base = sandbox.commit({"src/app.py": "# ruff: noqa\nimport os\n", "CLAUDE.md": "x\n"})
    head = sandbox.commit({"src/app.py": "# ruff: noqa\nimport os\nos.system(input())\n", "CLAUDE.md": "y\n"})
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        found = collect_evidence(
            repository, changes, HandedIn(notes=("n",)), analyzers=["ruff", "detect-secrets"], excluded=[]
        )
    rules = {one.rule: one.suppression for one in found.evidence}
    assert rules == {"S605": Suppression.BASE, "agent-config-changed": Suppression.NONE}
    assert found.scanned["src/app.py"] == ("ruff", "detect-secrets")
    assert found.notes == ("n",)
    assert {call.name for call in found.runs} == {"ruff", "detect-secrets"}
