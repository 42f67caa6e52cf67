"""What a request begins with, for every agent: the cache of the provider is paid for by the byte."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reviewbot.spend.prices import MODELS
from reviewbot.testing import BEHAVIOURS, ScriptedModel, Served, ToolCall, Turn
from tests.agents.fake_api import bare
from tests.agents.test_subagents import failing, review
from tests.repositories import Sandbox

AGENTS = ("triage", "security", "test_fix", "verify")
BAD = "import os\n\n\ndef run{0}(name):\n    os.system('ls {0} ' + name)\n"
PADDING = "".join(f"row_{n} = 'nothing of interest in row {n} of the table'\n" for n in range(1_100))


def agent_of(body: Mapping[str, Any]) -> str:
    if body["model"] == MODELS["haiku"]:
        return "triage"
    if body["model"] == MODELS["sonnet"]:
        return "test_fix"
    return "verify" if "refute" in json.dumps(body["system"]) else "security"


def looks_twice(body: Mapping[str, Any]) -> Turn:
    """Two rounds of tools where there are any, then the reader's answer."""
    turn = len(body["messages"]) // 2
    if "tools" not in body or turn >= 2:
        return BEHAVIOURS["reader"](body)
    calls = (ToolCall("read_file", {"path": f"app/a{turn}.py"}), ToolCall("list_files", {"prefix": "app/"}))
    return Turn(thinking="more", calls=calls[: 2 - turn])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> list[Served]:
    folder: Path = tmp_path_factory.mktemp("prefixes")
    sandbox = Sandbox(folder / "repository")
    with ScriptedModel(looks_twice) as model:
        base = sandbox.commit({"README.md": "# A\n"})
        head = sandbox.commit({f"app/a{n}.py": BAD.format(n) + PADDING for n in range(3)})
        found = review(sandbox, base, head, model, evidence=(failing(1),), budget_usd=20.0)
        assert model.refused == []
    assert {outcome.task.agent for outcome in found.outcomes} == set(AGENTS)
    assert found.failed == {}
    return model.requests


def conversations(served: Sequence[Served], agent: str) -> list[list[Served]]:
    """The requests of each conversation in their order."""
    found: dict[str, list[Served]] = {}
    for one in served:
        if agent_of(one.body) == agent:
            first = json.dumps(bare(one.body["messages"][0]))
            found.setdefault(first, []).append(one)
    return list(found.values())


def blocks(body: Mapping[str, Any]) -> Iterator[tuple[bytes, bool]]:
    """The blocks in the order in which the provider reads them, and whether a mark stands on each."""
    for tool in body.get("tools", ()):
        yield from _block("tool", tool)
    for block in body["system"]:
        yield from _block("system", block)
    for turn in body["messages"]:
        for block in turn["content"]:
            yield from _block(turn["role"], block)


def _block(role: str, block: Mapping[str, Any]) -> Iterator[tuple[bytes, bool]]:
    yield f"{role} {json.dumps(bare(block))}\n".encode(), "cache_control" in block


def prefix(body: Mapping[str, Any]) -> bytes:
    """Everything up to the last mark, byte for byte."""
    parts = list(blocks(body))
    marked = [place for place, (_, is_marked) in enumerate(parts) if is_marked]
    return b"".join(data for data, _ in parts[: marked[-1] + 1]) if marked else b""


def whole(body: Mapping[str, Any]) -> bytes:
    return b"".join(data for data, _ in blocks(body))


@pytest.mark.parametrize("agent", AGENTS)
def test_each_request_begins_with_the_bytes_of_the_one_before(served: list[Served], agent: str) -> None:
    talks = conversations(served, agent)
    assert talks
    for talk in talks:
        assert len(talk) == 1 if agent == "triage" else len(talk) >= 3
        for before, after in pairwise(talk):
            assert prefix(before.body) == whole(before.body)
            assert whole(after.body).startswith(prefix(before.body))
            tokens = before.usage["input_tokens"] + before.usage["cache_read_input_tokens"]
            tokens += before.usage["cache_creation_input_tokens"]
            assert after.usage["cache_read_input_tokens"] == tokens


@pytest.mark.parametrize("agent", AGENTS)
def test_what_the_prefix_is_read_with_stays_the_same_in_a_conversation(
    served: list[Served], agent: str
) -> None:
    for talk in conversations(served, agent):
        assert len({json.dumps([one.body["output_config"], one.body["model"]]) for one in talk}) == 1
        assert len({json.dumps(one.body.get("tools")) for one in talk}) == 1
        for one in talk:
            marks = sum(is_marked for _, is_marked in blocks(one.body))
            assert 1 <= marks <= 4


@pytest.mark.parametrize("agent", ["security", "verify"])
def test_a_fan_out_reads_what_its_first_call_has_written(served: list[Served], agent: str) -> None:
    first, *others = (talk[0] for talk in conversations(served, agent))
    assert len(others) >= 2
    shared = shared_prefix([first.body, *(one.body for one in others)])
    assert shared
    written = first.usage["cache_creation_input_tokens"] + first.usage["cache_read_input_tokens"]
    for one in others:
        assert 0 < one.usage["cache_read_input_tokens"] <= written


def shared_prefix(bodies: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """The blocks that all requests begin with."""
    rows = zip(*([data for data, _ in blocks(body)] for body in bodies), strict=False)
    shared = []
    for row in rows:
        if len(set(row)) > 1:
            break
        shared.append(row[0])
    return shared
