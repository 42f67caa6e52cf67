import asyncio
import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.testing import ScriptedModel
from reviewbot.testing.eyes import built_name, signs_in
from reviewbot.testing.fill import fill
from reviewbot.testing.page import read_change
from reviewbot.testing.reader import read
from reviewbot.testing.schemas import fits
from tests.repositories import Sandbox
from tests.testing.conversations import (
    FINDINGS,
    HAIKU,
    MENDS,
    PLACE,
    ROUTES,
    TOOLS,
    asking,
    client_of,
    closed,
    converse,
    listed,
    run_tool,
)

PLANTED = {
    "app/jobs.py": (
        "import subprocess\n\n\ndef pack(name):\n    return name\n",
        "import subprocess\n\n\ndef pack(name):\n    subprocess.run('tar cf ' + name, shell=True)\n    return name\n",
        "command-injection",
        "shell=True",
    ),
    "web/list.js": (
        "export function show(box, text) {\n  box.textContent = text;\n}\n",
        "export function show(box, text) {\n  box.innerHTML = text;\n}\n",
        "cross-site-scripting",
        "innerHTML",
    ),
    "cmd/run.go": (
        'package main\n\nfunc run(name string) error {\n\treturn exec.Command("ls", name).Run()\n}\n',
        'package main\n\nfunc run(name string) error {\n\treturn exec.Command("sh", "-c", "ls "+name).Run()\n}\n',
        "command-injection",
        '"-c"',
    ),
    "src/Store.java": (
        "class Store {\n  void find(String id) {\n    q.bind(id);\n  }\n}\n",
        'class Store {\n  void find(String id) {\n    db.query("SELECT * FROM t WHERE id=\'" + id + "\'");\n  }\n}\n',
        "sql-injection",
        "SELECT",
    ),
    "lib/load.rb": (
        "def load(data)\n  JSON.parse(data)\nend\n",
        "def load(data)\n  Marshal.load(data)\nend\n",
        "unsafe-deserialization",
        "Marshal",
    ),
    "site/admin.py": (
        "@login_required\ndef drop(user):\n    user.delete()\n",
        "def drop(user):\n    user.delete()\n",
        "missing-authorization",
        "login_required",
    ),
}


def diff_of(folder: Path, before: dict[str, str], after: dict[str, str], context: int = 3) -> str:
    """What git says of the change, and the files of its head."""
    sandbox = Sandbox(folder)
    base = sandbox.commit(dict(before))
    head = sandbox.commit(dict(after))
    return sandbox.git("diff", f"-U{context}", base, head)


@pytest.mark.parametrize("path", PLANTED)
def test_the_reader_finds_a_planted_fault_by_way_of_the_tools(tmp_path: Path, path: str) -> None:
    before, after, rule, mark = PLANTED[path]
    text = diff_of(tmp_path / "r", {path: before, "o.txt": "a\n"}, {path: after, "o.txt": "b\n"})
    with ScriptedModel() as model:
        answer, turns = asyncio.run(converse(model, text, {path: after, "o.txt": "b\n"}))
    (finding,) = answer["findings"]
    (quote,) = finding["quotes"]
    side = after if mark in after else before
    expected = next(n for n, line in enumerate(side.split("\n"), start=1) if mark in line)
    assert (finding["rule"], quote["path"], quote["start_line"]) == (rule, path, expected)
    assert quote["text"] == side.split("\n")[expected - 1]
    assert turns >= 2
    assert model.refused == []


def test_a_line_that_the_tool_does_not_show_is_not_reported(tmp_path: Path) -> None:
    before, after, *_ = PLANTED["app/jobs.py"]
    text = diff_of(tmp_path / "r", {"app/jobs.py": before}, {"app/jobs.py": after})
    with ScriptedModel() as model:
        answer, _ = asyncio.run(converse(model, text, {"app/jobs.py": before}))
    assert answer == {"findings": []}


def test_a_sink_that_only_a_tool_shows_is_found_and_quoted(tmp_path: Path) -> None:
    rest = "\n".join(f"    step({n})" for n in range(8))
    before = f"def go(name):\n    cmd = ['ls', name]\n{rest}\n    os.system(cmd)\n"
    after = f"def go(name):\n    cmd = 'ls ' + name\n{rest}\n    os.system(cmd)\n"
    text = diff_of(tmp_path / "r", {"go.py": before}, {"go.py": after})
    assert "os.system" not in text
    with ScriptedModel() as model:
        answer, turns = asyncio.run(converse(model, text, {"go.py": after}))
    (finding,) = answer["findings"]
    assert [quote["text"] for quote in finding["quotes"]] == ["    cmd = 'ls ' + name", "    os.system(cmd)"]
    assert turns == 3


def test_an_ordinary_change_needs_no_tool_and_has_no_finding(tmp_path: Path) -> None:
    text = diff_of(
        tmp_path / "r", {"a.py": "x = 1\n"}, {"a.py": "x = 1\n\n\ndef area(w, h):\n    return w * h\n"}
    )
    with ScriptedModel() as model:
        answer, turns = asyncio.run(converse(model, text, {}))
    assert (answer, turns) == ({"findings": []}, 1)


def test_triage_names_every_file_and_sends_the_dangerous_one_to_security(tmp_path: Path) -> None:
    before, after, *_ = PLANTED["app/jobs.py"]
    text = diff_of(
        tmp_path / "r", {"app/jobs.py": before, "n.md": "a\n"}, {"app/jobs.py": after, "n.md": "b\n"}
    )
    with ScriptedModel() as model:
        answer, _ = asyncio.run(converse(model, text, {}, ROUTES))
    routed = {entry["path"]: (entry["risk"], entry["agents"]) for entry in answer["files"]}
    assert routed == {"app/jobs.py": ("high", ["security"]), "n.md": ("low", [])}


def test_a_failed_test_is_led_back_to_the_line_that_broke_it_and_mended(tmp_path: Path) -> None:
    good = "def area(width, height):\n    return width * height\n"
    bad = "def area(width, height):\n    return width + height\n"
    text = diff_of(
        tmp_path / "r", {"shape.py": good, "b.py": "left = 1\n"}, {"shape.py": bad, "b.py": "left = 2\n"}
    )
    told = f"junit:7 test_area failed: assert area(width=2, height=3) == 6\n{text}"
    with ScriptedModel() as model:
        answer, turns = asyncio.run(converse(model, told, {"shape.py": bad}, MENDS))
    (failure,) = answer["failures"]
    assert failure["evidence_ids"] == ["junit:7"]
    assert failure["cause"] == "change-broke-code"
    assert failure["quotes"][0]["text"] == "    return width + height"
    (edit,) = failure["edits"]
    assert bad.count(edit["find"]) == 1
    assert bad.replace(edit["find"], edit["replace"]) == good
    assert turns == 3


def test_the_reader_answers_at_once_when_told_that_it_is_the_last_turn(tmp_path: Path) -> None:
    before, after, *_ = PLANTED["app/jobs.py"]
    text = diff_of(tmp_path / "r", {"app/jobs.py": before}, {"app/jobs.py": after})

    async def talk(model: ScriptedModel) -> Any:
        async with client_of(model) as client:
            body = asking(text, FINDINGS, tools=TOOLS)
            reply = await client.messages.create(**body)
            content: list[Any] = [
                {"type": "tool_result", "tool_use_id": b.id, "content": run_tool({"app/jobs.py": after}, b)}
                for b in reply.content
                if b.type == "tool_use"
            ]
            content.append({"type": "text", "text": "This is your last turn."})
            said = {"role": "assistant", "content": [b.to_dict() for b in reply.content]}
            body["messages"] = [*body["messages"], said, {"role": "user", "content": content}]
            return await client.messages.create(**body)

    with ScriptedModel() as model:
        reply = asyncio.run(talk(model))
    assert reply.stop_reason == "end_turn"
    assert "command-injection" in reply.content[-1].text


def answers(behaviour: str, text: str, schema: dict[str, Any], model_id: str = HAIKU) -> Any:
    async def ask(model: ScriptedModel) -> Any:
        async with client_of(model) as client:
            return await client.messages.create(**asking(text, schema, model=model_id))

    with ScriptedModel(behaviour) as model:
        return asyncio.run(ask(model))


def test_the_inventor_quotes_what_stands_nowhere(tmp_path: Path) -> None:
    before, after, *_ = PLANTED["web/list.js"]
    text = diff_of(tmp_path / "r", {"web/list.js": before}, {"web/list.js": after})
    reply = answers("inventor", text, FINDINGS)
    (finding,) = json.loads(reply.content[-1].text)["findings"]
    assert finding["quotes"][0]["path"] == "web/list.js"
    assert finding["quotes"][0]["text"] not in text


def test_the_skipper_passes_every_file_by_and_finds_nothing(tmp_path: Path) -> None:
    before, after, *_ = PLANTED["web/list.js"]
    text = diff_of(tmp_path / "r", {"web/list.js": before}, {"web/list.js": after})
    (entry,) = json.loads(answers("skipper", text, ROUTES).content[-1].text)["files"]
    assert (entry["path"], entry["risk"], entry["agents"]) == ("web/list.js", "none", [])
    assert json.loads(answers("skipper", text, FINDINGS).content[-1].text) == {"findings": []}


def test_the_broken_ones_break_in_the_way_their_names_say(tmp_path: Path) -> None:
    before, after, *_ = PLANTED["web/list.js"]
    text = diff_of(tmp_path / "r", {"web/list.js": before}, {"web/list.js": after})
    refused = answers("refuser", text, FINDINGS)
    assert (refused.stop_reason, refused.stop_details.category) == ("refusal", "cyber")
    assert [block.type for block in refused.content] == ["thinking"]
    cut = answers("truncator", text, FINDINGS)
    assert cut.stop_reason == "max_tokens"
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.content[-1].text)
    assert not fits(json.loads(answers("invalid", text, FINDINGS).content[-1].text), FINDINGS)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answers("talker", text, FINDINGS).content[-1].text)


def test_a_path_is_read_from_several_kinds_of_header() -> None:
    body = "@@ -1 +1 @@\n-a\n+b\n"
    for header in (
        "=== my dir/a b.py (modified, +1 -1)",
        "diff --git a/x b/my dir/a b.py",
        "+++ b/my dir/a b.py",
        '<file path="my dir/a b.py">',
    ):
        hunks, paths, _ = read_change(f"Look:\n{header}\n{body}=== trap\n")
        assert paths[0] == "my dir/a b.py"
        assert [(line.sign, line.number, line.text) for line in hunks[0].lines] == [
            ("-", 1, "a"),
            ("+", 1, "b"),
        ]


def test_content_of_a_hunk_is_never_taken_for_a_header() -> None:
    text = (
        "=== a.py (added, +2 -0)\n@@ -0,0 +1,2 @@\n+=== evil.py (added)\n+@@ -1 +1 @@\n=== b.py (modified)\n"
    )
    hunks, paths, _ = read_change(text)
    assert paths == ("a.py", "b.py")
    assert len(hunks) == 1


@pytest.mark.shared_data
def test_what_is_quoted_from_real_changes_stands_in_them_word_for_word(shared_data: Path) -> None:
    quoted = 0
    with (shared_data / "vuln_fixes.jsonl").open(encoding="utf-8") as records:
        for record in map(json.loads, itertools.islice(records, 120)):
            diff = record["reversed_diff"]
            answer = json.loads(read(asking(diff, FINDINGS)).text)
            assert fits(answer, FINDINGS)
            changed = {line[1:] for line in diff.split("\n") if line[:1] in ("+", "-")}
            for finding in answer["findings"]:
                quoted += 1
                assert finding["quotes"][0]["text"] in changed
                assert f"b/{finding['quotes'][0]['path']}\n" in diff
    assert quoted > 20


@pytest.mark.parametrize(
    "unit", ['"select a from ', 'execute("select from ', "open(", '"{', "password random "]
)
def test_a_long_hostile_line_costs_no_time(unit: str) -> None:
    line = unit * 20_000
    started = time.process_time()
    for path in ("a.py", "a.js", "a.rb", "a.yml"):
        list(signs_in(path, line))
    built_name(line)
    assert time.process_time() - started < 2


NAMES = st.sampled_from(["path", "rule", "text", "line", "notes", "score", "ok", "places"])
LEAVES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"enum": ["high", "other"]},
        {"const": 3},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        PLACE,
    ]
)
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(listed),
        inner.map(lambda items: {**listed(items), "minItems": 1}),
        st.dictionaries(NAMES, inner, max_size=4).map(lambda names: closed(**names)),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS)
def test_whatever_the_schema_asks_for_the_filled_value_fits_it(schema: dict[str, Any]) -> None:
    facts = {
        "path": "a.py",
        "rule": ("high",),
        "text": "x",
        "start_line": 3,
        "score": ("high", 0.5),
        "quotes": [{"path": "a.py", "text": "y", "start_line": 1, "end_line": 2}],
    }
    assert fits(fill(schema, facts), schema)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 4), st.sampled_from(["high", "other", "x"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


@given(schema=SCHEMAS, value=VALUES)
def test_our_check_of_a_value_agrees_with_a_validator_made_by_others(
    schema: dict[str, Any], value: Any
) -> None:
    import jsonschema

    strict_integers = jsonschema.Draft202012Validator(schema)
    assert fits(value, schema) == strict_integers.is_valid(value)
