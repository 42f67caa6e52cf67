"""Secrets on their way through a whole review: what models are sent, what they say, what is published."""

import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from reviewbot.core import Review
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.progress import Progress
from reviewbot.publish.report import report_document
from reviewbot.request import Request
from reviewbot.testing import BEHAVIOURS, ScriptedModel, Turn
from tests.repositories import Sandbox

KEY = "sk-ant-api03-Zq8fWm2LxT9vKd4RbN7cYh5JpG3sEu6AoXi1Qw0"
TOKEN = "ghp_" + "Zq8fWm2LxT9vKd4RbN7cYh5JpG3sEu6AoXi1"
STATE_KEY = "Wm2LxT9vKd4RbN7c"
PASSWORD = "Zq8fWm2LxT9vKd4"
APP = (
    "import os\n\n\ndef run(request):\n"
    f'    password = "{PASSWORD}"\n    os.system("convert " + request.args["name"] + password)\n'
)


def saying(text: str) -> Any:
    """A reader that puts a text into every sentence of its own."""

    def behave(body: Mapping[str, Any]) -> Turn:
        turn = BEHAVIOURS["reader"](body)
        if turn.calls or not turn.text.startswith("{"):
            return turn
        answer = json.loads(turn.text)
        for entry in (*answer.get("findings", ()), *answer.get("files", ())):
            for name in {"title", "body", "reason"} & set(entry):
                entry[name] += f" {text}"
        return replace(turn, text=json.dumps(answer))

    return behave


def review(sandbox: Sandbox, text: str) -> tuple[Review, str, str]:
    """The review, all that is published of it, and all that the model was sent."""
    base = sandbox.commit({"app.py": "import os\n"})
    head = sandbox.commit({"app.py": APP, "copy.txt": f"see {PASSWORD}\n"})
    journal = Journal()
    with ScriptedModel(saying(text)) as model:
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": model.base_url}
        request = Request(
            folder=sandbox.folder, base=base, head=head, environment=environment, secrets=(STATE_KEY,)
        )
        made = review_change(request, journal, Progress(StringIO()).step)
        sent = json.dumps([served.body for served in model.requests])
    return made, json.dumps(report_document(made)) + repr(made.findings) + journal.data().decode(), sent


def test_a_secret_of_the_change_reaches_no_model_and_a_quote_around_it_still_counts(sandbox: Sandbox) -> None:
    made, published, sent = review(sandbox, "and so on")
    assert PASSWORD not in sent and 'password = \\"********\\"' in sent and "os.system" in sent
    assert PASSWORD not in published
    assert any(finding.evidence.tool == "security" for finding in made.findings)
    assert all(reason.code != "withheld" for reason in made.verdict.reasons)


def test_what_a_model_says_of_any_secret_is_published_nowhere(sandbox: Sandbox) -> None:
    for secret in (KEY, STATE_KEY, PASSWORD):
        made, published, _ = review(sandbox, f"it is {secret}")
        assert secret not in published
        assert made.verdict.exit_code >= 1 and "withheld" in {one.code for one in made.verdict.reasons}


def test_a_secret_that_a_report_prints_is_published_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    base = sandbox.commit({"app.py": "import os\n"})
    head = sandbox.commit({"app.py": "import os\n\nkey = 1\n"})
    junit, sarif = tmp_path / "j.xml", tmp_path / "s.sarif"
    junit.write_text(
        f'<testsuite><testcase classname="t" name="test_{TOKEN}"><failure message="got {TOKEN}">'
        f"{TOKEN}\nat app.py:3</failure></testcase></testsuite>"
    )
    result = {"ruleId": f"r-{TOKEN}", "message": {"text": f"found {TOKEN}"}}
    passed = {**result, "kind": "pass"}
    said = {"level": "error", "message": {"text": f"cannot read {TOKEN}"}}
    run = {
        "tool": {"driver": {"name": f"t {TOKEN}"}},
        "invocations": [{"executionSuccessful": False, "toolExecutionNotifications": [said]}],
        "results": [result, passed],
    }
    sarif.write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
    request = Request(
        folder=sandbox.folder, base=base, head=head, junit=(str(junit),), sarif=(str(sarif),), environment={}
    )
    made = review_change(request, Journal(), Progress(StringIO()).step)
    published = repr(replace(made, evidence=())) + json.dumps(report_document(made))
    assert TOKEN not in published
    assert {finding.evidence.source for finding in made.findings} == {"junit", "sarif"}
    assert any("Secrets were hidden in" in note for note in made.notes)
