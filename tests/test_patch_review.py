"""The fix for failed tests is reviewed before it is offered: by the analyzers and by the security agent."""

from io import StringIO
from typing import Any

import pytest

from reviewbot.core import Review
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.progress import Progress
from reviewbot.request import Request
from reviewbot.testing import ScriptedModel
from tests.repositories import Sandbox

SUM = "def add(one, other):\n    return one + other\n"
SHELL = "import subprocess\n\n\ndef add(one, other):\n    return subprocess.run(one + other, shell=True)\n"
TESTS = "from app import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
FAILED = """<testsuite name="t"><testcase name="test_add" classname="test_app" file="test_app.py" line="5">
<failure message="assert add(1, 2) == 3">app.py:2: add one other wrong</failure></testcase></testsuite>"""


def review(sandbox: Sandbox, model: ScriptedModel, before: str, after: str, name: str = "app.py") -> Review:
    """The review of a change that breaks a test; the model answers with the change undone."""
    base = sandbox.commit({name: before, "test_app.py": TESTS})
    head = sandbox.commit({name: after})
    report = sandbox.folder.parent / "junit.xml"
    report.write_text(FAILED)
    request = Request(
        folder=sandbox.folder,
        base=base,
        head=head,
        junit=(str(report),),
        environment={"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model.base_url},
    )
    return review_change(request, Journal(), Progress(StringIO()).step)


def test_a_harmless_fix_is_offered_after_the_security_agent_read_it(sandbox: Sandbox) -> None:
    with ScriptedModel() as model:
        found = review(sandbox, model, SUM, SUM.replace("+", "-"))
        assert model.refused == []
    assert b"+    return one + other" in found.patch
    assert not any("withheld" in note for note in found.notes)
    readers = [outcome.task.agent for outcome in found.outcomes]
    assert readers[-1] == "security"
    assert found.outcomes[-1].task.paths == ("app.py",)
    assert found.cost_usd == pytest.approx(model.usd)


def test_a_fix_that_brings_a_fault_is_withheld_and_the_reason_is_said(sandbox: Sandbox) -> None:
    with ScriptedModel() as model:
        found = review(
            sandbox, model, SHELL, SHELL.replace("run(one + other, shell=True)", "run([one, other])")
        )
    assert found.patch == b""
    [note] = [note for note in found.notes if "withheld" in note]
    assert note.startswith(
        "The fix for the failed tests was withheld: its own review found ruff/S602 at app.py:5"
    )


def test_a_fix_that_nobody_could_review_is_withheld(sandbox: Sandbox) -> None:
    def refuses_the_fix(body: Any) -> bool:
        return "opus" in body["model"] and "+    return one + other" in str(body)

    with ScriptedModel(faults={refuses_the_fix: "refuser"}) as model:
        found = review(sandbox, model, SUM, SUM.replace("+", "-"))
    assert found.patch == b""
    assert any("the security agent could not read it" in note for note in found.notes)
    assert found.verdict.exit_code == 0


def test_a_fix_that_steers_later_reviews_is_withheld(sandbox: Sandbox) -> None:
    with ScriptedModel() as model:
        found = review(sandbox, model, SUM, SUM.replace("+", "-"), name="AGENTS.md")
    assert found.patch == b""
    assert any("reviewbot/agent-config-changed at AGENTS.md:2" in note for note in found.notes)
