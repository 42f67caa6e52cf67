import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reviewbot.claims import Outcome, Stop, Task
from reviewbot.hooks import Failure, HookCalls, Hooks, ToolCall, ToolEnd
from reviewbot.journal import Journal
from reviewbot.testing import ScriptedModel
from tests.repositories import Sandbox

CALL = ToolCall("security", "read_file", "medium", {"path": "a.py"})
OUTCOME = Outcome(Task("security", ("a.py",)), "m", "low", Stop.DONE)


def raising(error: Exception) -> Callable[[object], None]:
    def hook(told: object) -> None:
        raise error

    return hook


def records(journal: Journal) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.data().splitlines()]


def test_the_first_no_is_the_reason_and_every_hook_is_asked() -> None:
    seen: list[ToolCall] = []

    def look(call: ToolCall) -> str | None:
        seen.append(call)
        return None

    hooks = Hooks(before_tool=(look, lambda _: "first", lambda _: "second", look))
    assert HookCalls(hooks, Journal()).object_to(CALL) == "first"
    assert seen == [CALL, CALL]


def test_no_hook_and_no_objection_let_a_call_through() -> None:
    assert HookCalls(Hooks(), Journal()).object_to(CALL) == ""
    assert HookCalls(Hooks(before_tool=(lambda _: None,)), Journal()).object_to(CALL) == ""


@pytest.mark.parametrize("said", ["", " \n"])
def test_an_empty_text_is_a_no(said: str) -> None:
    assert HookCalls(Hooks(before_tool=(lambda _: said,)), Journal()).object_to(CALL) == "forbidden here"


def test_a_reason_of_a_hook_is_one_short_line() -> None:
    reason = HookCalls(Hooks(before_tool=(lambda _: "x\n" * 900,)), Journal()).object_to(CALL)
    assert "\n" not in reason and len(reason) <= 201


@pytest.mark.parametrize("hook", [raising(KeyError("needle")), lambda _: True])
def test_a_check_that_fails_forbids_the_call_and_is_told(hook: Callable[[ToolCall], str | None]) -> None:
    journal, told = Journal(), list[Failure]()
    calls = HookCalls(Hooks(before_tool=(hook,), failed=(told.append,)), journal)
    assert calls.object_to(CALL) == "a check of this call failed"
    [record] = records(journal)
    assert (record["event"], record["hook"]) == ("hook_failed", "before_tool")
    assert "needle" not in json.dumps(record)
    [failure] = told
    assert (failure.agent, failure.where) == ("security", "hook")
    [note] = calls.notes()
    assert note.startswith("A before_tool hook failed 1 time (") and "denied" in note


def test_a_hook_cannot_change_what_the_next_one_and_the_tool_are_given() -> None:
    def change(call: ToolCall) -> None:
        call.arguments["path"] = "b.py"  # type: ignore[index]

    call = ToolCall("security", "read_file", "medium", {"path": "a.py"})
    HookCalls(Hooks(before_tool=(change,)), Journal()).object_to(call)
    assert call.arguments == {"path": "a.py"}


def test_hooks_that_only_look_on_may_fail_without_an_end() -> None:
    told: list[object] = []
    broken = raising(ValueError("x"))
    hooks = Hooks(
        after_tool=(broken, told.append), task_ended=(broken, told.append), failed=(broken, told.append)
    )
    calls = HookCalls(hooks, Journal())
    end = ToolEnd(CALL, 3, False, 0.1)
    failure = Failure("security", "model", "provider_outage", "It is down.")
    calls.tool_ended(end)
    calls.task_ended(OUTCOME)
    calls.failed(failure)
    assert [item for item in told if item in (end, OUTCOME, failure)] == [end, OUTCOME, failure]
    assert len(calls.notes()) == 3


def test_the_example_of_the_documents_runs(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = Path(__file__).parents[1].joinpath("docs/operating.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", readme.partition("## From Python")[2], re.DOTALL)
    sandbox.commit({"README.md": "# A\n"})
    sandbox.commit({"contracts/run.py": "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"})
    monkeypatch.chdir(sandbox.folder)
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "GITHUB_")) or name == "CI":
            monkeypatch.delenv(name)
    with ScriptedModel("reader") as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        exec(compile(example, "operating.md", "exec"), {})  # the file is ours
    said = capsys.readouterr().out
    assert "security 0." in said and said.endswith("\n")
    assert said.splitlines()[-1] in ("pass", "fail")
