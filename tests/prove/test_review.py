"""`reviewbot review --prove`: real tests in a real copy, the fixes by the scripted model."""

import hashlib
import json
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from reviewbot.cli import main
from reviewbot.errors import UsageError
from reviewbot.prove.review import ask_consent
from reviewbot.testing import ScriptedModel
from reviewbot.testing.reader import read
from reviewbot.testing.wire import Turn
from tests.repositories import Sandbox
from tests.test_patch_review import FAILED, SUM, TESTS

COMMAND = f"{sys.executable} -m pytest -q -p no:cacheprovider"
RIGHT, WRONG = "return one + other", "return one * other"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def prove(
    sandbox: Sandbox, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch, *more: str, policy: str = ""
) -> tuple[int, Path]:
    base = sandbox.commit({"app.py": SUM, "test_app.py": TESTS, ".github/reviewbot.yml": policy})
    sandbox.commit({"app.py": SUM.replace("+", "-")})
    out, report = sandbox.folder.parent / "out", sandbox.folder.parent / "junit.xml"
    report.write_text(FAILED)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", model.base_url)
    arguments = ["review", "--repo", str(sandbox.folder), "--base", base, "--junit", str(report)]
    return main([*arguments, "--out", str(out), "--prove", "--test-command", COMMAND, *more]), out


def wrong_at_first(body: Any) -> Turn:
    """The reader, whose fix is wrong until it is told that one failed."""
    turn = read(body)
    told = "This fix was tried on head and failed" in json.dumps(body)
    return turn if told else replace(turn, text=turn.text.replace(RIGHT, WRONG))


def always_wrong(body: Any) -> Turn:
    turn = read(body)
    return replace(turn, text=turn.text.replace(RIGHT, WRONG))


def test_a_real_fix_is_proven_in_one_go(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedModel() as model:
        code, out = prove(sandbox, model, monkeypatch, "--yes")
    assert code == 0
    markdown = (out / "report.md").read_text()
    assert "A fix for the failed tests, proven" in markdown
    assert "Proven: `test_app::test_add` passes, 0 others unchanged." in markdown
    assert json.loads((out / "prove.json").read_text())["status"] == "proven"
    sandbox.git("apply", "--check", str(out / "fix.patch"))


def test_a_fix_that_failed_goes_back_once_with_the_output(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(wrong_at_first) as model:
        _, out = prove(sandbox, model, monkeypatch, "--yes")
        asked = [each for each in model.requests if "This fix was tried on head and failed" in str(each.body)]
    assert asked
    assert "assert 2 == 3" in str(asked[0].body)
    assert RIGHT in (out / "fix.patch").read_text()
    report = json.loads((out / "report.json").read_text())
    assert report["cost"]["usd"] == pytest.approx(model.usd)
    assert "A fix before it failed" in (out / "report.md").read_text()
    [edits] = [finding["edits"] for finding in report["findings"] if finding["edits"]]
    assert RIGHT in edits[0]["replace"], "the report tells of the fix that was proven"
    proof = json.loads((out / "prove.json").read_text())
    assert proof["patch_sha256"] == hashlib.sha256((out / "fix.patch").read_bytes()).hexdigest()


def test_a_fix_that_is_never_proven_is_an_idea(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedModel(always_wrong) as model:
        code, out = prove(sandbox, model, monkeypatch, "--yes")
    assert code == 0
    markdown = (out / "report.md").read_text()
    assert "A fix for the failed tests, not proven" in markdown
    assert "The fix is an idea and no more: Not proven: `test_app::test_add` still fails." in markdown


@pytest.mark.parametrize(("rounds", "fixes"), [(0, 1), (2, 3)])
def test_the_policy_says_how_often_a_fix_goes_back(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, rounds: int, fixes: int
) -> None:
    def wrong_twice(body: Any) -> Turn:
        turn, told = read(body), json.dumps(body)
        if f"+    {WRONG}" in told:
            return turn
        wrong = WRONG if "+    return one / other" in told else "return one / other"
        return replace(turn, text=turn.text.replace(RIGHT, wrong))

    with ScriptedModel(wrong_twice) as model:
        _, out = prove(sandbox, model, monkeypatch, "--yes", policy=f"fix-rounds: {rounds}\n")
    markdown = (out / "report.md").read_text()
    assert markdown.count("A fix before it failed") == fixes - 1
    assert ("A fix for the failed tests, proven" in markdown) == (rounds == 2)


def test_a_fix_that_is_never_proven_is_not_shown_where_the_policy_hides_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(always_wrong) as model:
        code, out = prove(sandbox, model, monkeypatch, "--yes", policy="unproven-fixes: hide\n")
    assert code == 0
    markdown = (out / "report.md").read_text()
    assert "A fix was tried and is not shown, as the policy wants: Not proven" in markdown
    assert "one * other" not in "".join(path.read_text() for path in out.glob("report.*"))
    assert not (out / "fix.patch").exists()


def test_a_proven_fix_is_shown_whatever_the_policy_hides(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel() as model:
        _, out = prove(sandbox, model, monkeypatch, "--yes", policy="unproven-fixes: hide\n")
    assert "A fix for the failed tests, proven" in (out / "report.md").read_text()
    assert [each for each in json.loads((out / "report.json").read_text())["findings"] if each["edits"]]


def test_a_full_journal_of_a_proven_review_is_replayed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with ScriptedModel(wrong_at_first) as model:
        code, out = prove(sandbox, model, monkeypatch, "--yes", "--journal", "full")
        asked = len(model.requests)
        again = out.parent / "again"
        assert main(["replay", str(out), "--repo", str(sandbox.folder), "--out", str(again)]) == code
        assert len(model.requests) == asked
    first, second = (json.loads((folder / "report.json").read_text()) for folder in (out, again))
    assert second["verdict"]["conclusion"] == first["verdict"]["conclusion"]
    assert "A replay runs no test" in (again / "report.md").read_text()
    assert WRONG in (again / "fix.patch").read_text()


def test_without_a_yes_and_a_terminal_nothing_is_run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedModel() as model:
        code, out = prove(sandbox, model, monkeypatch)
    assert (code, model.requests, out.exists()) == (2, [], False)
    assert "nobody is at a terminal" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["", "n\n", "yesterday\n"])
def test_anything_but_yes_is_a_no(answer: str) -> None:
    with pytest.raises(UsageError, match="Nobody agreed"):
        ask_consent("make test", Terminal(), Terminal(answer), is_given=False)


def test_a_yes_at_the_terminal_is_enough() -> None:
    said = Terminal()
    ask_consent("make test", said, Terminal("y\n"), is_given=False)
    assert "`make test`" in said.getvalue()
