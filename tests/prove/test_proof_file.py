"""A proof that another job hands on: judged again, and believed no further than it can be checked."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.prove.proof_file import PROOF_BYTES, ProofError, parse_proof
from reviewbot.prove.result import Attempt, Setting, judge, judge_without, render_proof_json

RED = Attempt(1, "exit", 1.0, "junit", tests=5, failed=("test_a", "test_b"), output="no\x1b[0m")
GREEN = replace(RED, exit_code=0, failed=())
SETTING = Setting(
    "a" * 40, "b" * 64, ("app.py",), "make test", "none", True, ("It could reach the network.",)
)
RUNS = {
    "proven": (GREEN, ()),
    "proven in part": (replace(RED, failed=("test_b",)), ("test_a",)),
    "still_failing": (RED, ()),
    "worse": (replace(RED, failed=("test_c",)), ()),
    "gone": (replace(GREEN, tests=1), ()),
    "stopped": (replace(GREEN, stop="seconds"), ()),
    "unreadable": (replace(GREEN, source=""), ()),
}


def written(name: str = "proven") -> dict[str, Any]:
    with_patch, expected = RUNS[name]
    document: dict[str, Any] = json.loads(render_proof_json(judge(RED, with_patch, expected), SETTING))
    return document


def parsed(document: Any) -> Any:
    return parse_proof(json.dumps(document).encode())


@pytest.mark.parametrize("name", RUNS)
def test_what_prove_writes_is_read_as_what_it_was(name: str) -> None:
    found = parsed(written(name))
    with_patch, expected = RUNS[name]
    assert (found.commit, found.patch_sha256) == (SETTING.commit, SETTING.patch_sha256)
    assert found.proof.sentence == judge(RED, with_patch, expected).sentence


def test_a_failure_that_could_not_be_seen_and_a_weakened_test_are_read_too() -> None:
    nothing = judge_without(GREEN, ())
    assert nothing is not None
    assert parsed(json.loads(render_proof_json(nothing, SETTING))).proof.sentence.startswith("Not reproduced")
    unseen = judge_without(RED, ("test_z",))
    assert unseen is not None
    assert parsed(json.loads(render_proof_json(unseen, SETTING))).proof.status == "not_reproduced"
    weak = {**written(), "status": "weakened", "proven": False, "fixed": []}
    weak["runs"] = weak["runs"][:1]
    assert parsed(weak).proof.sentence == "Not proven: the patch weakens tests."


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"status": "certain"},
        {"proven": False},
        {"commit": "main"},
        {"patch_sha256": "B" * 64},
        {"fixed": ["test_a"]},
        {"fixed": []},
        {"still_failing": ["test_a"]},
        {"newly_failing": ["test_q"]},
        {"runs": []},
        {"network": 1},
        {"extra": 1},
    ],
    ids=str,
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProofError):
        parsed({**written(), **change})


@pytest.mark.parametrize(
    "change",
    [
        {"failed": ["test_a"]},
        {"tests": 3},
        {"skipped": 1},
        {"exit_code": 1},
        {"stop": "seconds"},
        {"source": ""},
    ],
    ids=str,
)
def test_a_claim_that_its_own_runs_deny_is_refused(change: dict[str, Any]) -> None:
    document = written()
    document["runs"][1].update(change)
    with pytest.raises(ProofError, match="do not come to that"):
        parsed(document)


def test_a_key_that_should_not_be_there_is_not_repeated() -> None:
    with pytest.raises(ProofError) as caught:
        parsed({**written(), "@everyone": 1})
    assert "everyone" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"null", b"{" * 100_000, b'{"a":1,"a":1}', b"1" * 10_000, b" " * (PROOF_BYTES + 1)],
    ids=["empty", "bytes", "list", "null", "deep", "twice", "number", "huge"],
)
def test_bytes_that_are_no_proof_are_one_sentence(data: bytes) -> None:
    with pytest.raises(ProofError, match=r"^The proof is .*\.$"):
        parse_proof(data)


@given(
    st.sampled_from(sorted(written())),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5),
)
def test_no_value_of_any_key_raises_anything_else(key: str, value: Any) -> None:
    try:
        found = parse_proof(json.dumps({**written(), key: value}).encode("utf-8", "surrogatepass"))
    except ProofError:
        return
    assert found.proof.sentence.startswith("Proven: test_a, test_b pass, 3 others unchanged")
