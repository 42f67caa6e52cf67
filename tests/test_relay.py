"""bench/relay.py: a person (here a thread that writes files) plays the model over a real socket."""

import importlib.util
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import pytest

from reviewbot.change.policy_file import Asked
from reviewbot.core import Conclusion, Review
from reviewbot.evidence.junit import parse_junit
from reviewbot.evidence.paths import TreePaths
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.progress import Progress
from reviewbot.publish.report import report_document
from reviewbot.request import Request
from reviewbot.testing import ScriptedModel, ToolCall, Turn
from tests.repositories import Sandbox

LINE = '    subprocess.run("convert " + request.args["name"], shell=True)'
CODE = f"import subprocess\n\n\ndef convert(request):\n{LINE}\n"


@pytest.fixture(scope="module")
def relay() -> ModuleType:
    path = Path(__file__).parent.parent / "bench" / "relay.py"
    spec = importlib.util.spec_from_file_location("bench_relay", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.POLL_SECONDS = 0.02  # type: ignore[attr-defined]
    return module


@contextmanager
def person(folder: Path, answer: Callable[[str, str], str]) -> Iterator[None]:
    """Somebody who reads each parked page and writes a reply: ``answer`` takes the agent and the page."""
    done = threading.Event()

    def play() -> None:
        while not done.is_set():
            for page in [*folder.glob("*.md")]:
                reply = page.with_suffix(".reply")
                if not reply.exists():
                    reply.write_text(answer(page.stem.partition("-")[2], page.read_text()))
            time.sleep(0.02)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    yield
    done.set()
    thread.join()


def answer_as_a_person(agent: str, page: str) -> str:
    if agent == "triage":
        return json.dumps(
            {"files": [{"path": "app.py", "reason": "a shell", "risk": "high", "agents": ["security"]}]}
        )
    if agent == "verify":
        return json.dumps({"quotes": [], "why": "Nothing stops it.", "judgement": "stands"})
    if "[result]" not in page:
        return json.dumps([{"name": "read_file", "input": {"path": "app.py"}}])
    quote = {"path": "app.py", "start_line": 5, "end_line": 5, "text": LINE}
    fault = {"rule": "command-injection", "severity": "high", "confidence": "shown"}
    return json.dumps({"findings": [{**fault, "title": "T", "body": "B", "quotes": [quote]}]})


def review(sandbox: Sandbox, model: ScriptedModel, relay: ModuleType) -> Review:
    base = sandbox.commit({"README": "a project\n"})
    head = sandbox.commit({"app.py": CODE})
    request = Request(
        folder=sandbox.folder,
        base=base,
        head=head,
        asked=Asked(overrides={"engine": "claude"}),
        environment=relay.environment(model),
    )
    return review_change(request, Journal(), Progress(StringIO()).step)


def test_whoever_writes_the_replies_is_the_model(sandbox: Sandbox, relay: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    with ScriptedModel(relay.Relay(folder)) as model, person(folder, answer_as_a_person):
        made = review(sandbox, model, relay)

    assert model.refused == []
    assert made.verdict.conclusion is Conclusion.FAIL
    assert [f.location.start_line for f in made.findings if f.rule == "security/command-injection"] == [5]  # type: ignore[union-attr]
    names = sorted(path.name for path in folder.glob("*.md"))
    assert names[:3] == ["1-triage.md", "2-security.md", "3-security.md"]


def test_a_page_holds_all_that_the_request_holds(sandbox: Sandbox, relay: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    with ScriptedModel(relay.Relay(folder)) as model, person(folder, answer_as_a_person):
        review(sandbox, model, relay)

    body = json.loads((folder / "3-security.json").read_text())
    assert body == model.requests[2].body
    page = (folder / "3-security.md").read_text()
    for text in every_text(body):
        assert text in page
    assert '[calls read_file {"path": "app.py"}]' in page


def every_text(body: dict[str, Any]) -> Iterator[str]:
    yield from (tool["description"] for tool in body["tools"])
    blocks = [*body["system"], *(block for message in body["messages"] for block in message["content"])]
    for block in blocks:
        if block["type"] == "text":
            yield block["text"]
        if block["type"] == "tool_result":
            content = block["content"]
            yield from [content] if isinstance(content, str) else (part["text"] for part in content)


def test_what_the_real_api_refuses_is_never_parked(relay: ModuleType, tmp_path: Path) -> None:
    with ScriptedModel(relay.Relay(tmp_path)) as model:
        client = anthropic.Anthropic(api_key="x", base_url=model.base_url, max_retries=0)
        with pytest.raises(anthropic.BadRequestError, match="whitespace"):
            client.messages.create(
                model="claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": " "}]
            )

    assert model.refused
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("reply", "turn"),
    [
        ('{"findings": []}', Turn('{"findings": []}')),
        ("I would rather not.\n", Turn("I would rather not.")),
        ('{"findings": [', Turn('{"findings": [')),
        ("[]", Turn("[]")),
        ('["a"]', Turn('["a"]')),
        (
            '[{"name": "search", "input": {"text": "x"}}]',
            Turn(calls=(ToolCall("search", {"text": "x"}),)),
        ),
    ],
)
def test_a_reply_is_tool_calls_or_what_the_model_says(relay: ModuleType, reply: str, turn: Turn) -> None:
    assert relay.parse_reply(reply) == turn


def test_the_table_adds_up_runs_and_what_a_judge_says(
    sandbox: Sandbox, relay: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    with ScriptedModel(relay.Relay(folder)) as model, person(folder, answer_as_a_person):
        made = review(sandbox, model, relay)
    (folder / "report.json").write_text(json.dumps(report_document(made)))
    (folder / "truth.json").write_text('{"security": {"true": 1, "missed": 2}}')
    capsys.readouterr()

    relay.main([str(folder), "--table"])

    heads, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()
    ]
    security = next(dict(zip(heads, row, strict=True)) for row in rows if row[0] == "security")
    shown = ("tasks", "done", "steps", "calls", "claims", "dropped", "true", "false", "missed")
    assert [security[name] for name in shown] == ["1", "1", "2", "1", "1", "0", "1", "0", "2"]
    assert int(security["tokens in"]) > int(security["tokens out"]) > 0


def test_the_failed_tests_of_a_record_become_a_report_that_names_them(relay: ModuleType) -> None:
    said = {"result": "Failure", "type": "AssertionFailedError", "message": "expected: <a> but was: <b & c>"}
    failed = {
        "classname": "a.ParserTest",
        "name": "reads",
        "result": [said],
        "stdout": None,
        "stderr": "warm",
    }

    report = parse_junit(
        relay.render_junit([failed]).encode(), "TEST.xml", TreePaths(["src/test/java/a/ParserTest.java"])
    )

    [item] = report.evidence
    assert item.title == "a.ParserTest::reads failed"
    assert "expected: <a> but was: <b & c>" in item.message
    assert item.location and item.location.path == "src/test/java/a/ParserTest.java"


def test_a_change_inside_its_project_takes_back_the_files_of_its_diff_and_no_test(
    sandbox: Sandbox, relay: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Sandbox(tmp_path / "project")
    before = project.commit({"a.py": "wrong\n", "b.py": "b\n", "gone.py": "old\n"})
    project.remove("gone.py")
    mended = project.commit({"a.py": "right\n", "test_a.py": "new\n"})
    record = {
        "bug_patch": project.git("diff", before, mended, "--", "a.py", "gone.py") + "\n",
        "fix_commit": mended,
        "buggy_commit": before,
    }
    monkeypatch.setattr(relay, "find_record", lambda name: ("java", record))

    base, head = relay.commit_inside(sandbox, "java:0", project.folder)

    assert sandbox.git("diff", "--name-status", base, head).split() == ["M", "a.py", "A", "gone.py"]
    assert sandbox.git("show", f"{head}:a.py") == "wrong"
    assert sandbox.git("ls-tree", "--name-only", head).split() == ["a.py", "b.py", "gone.py", "test_a.py"]
