"""The trust rules of the threat model, one test or more named after each; SECURITY.md has the others.

Rules about a whole process are in ``test_process.py``, rules about GitHub in ``test_rules_on_github.py``.
"""

import inspect
import json
import re
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from reviewbot.agents import prompts
from reviewbot.agents.answers import SecurityAnswer, TriageAnswer
from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.replies import parse_answer, parse_reply
from reviewbot.agents.prompts import draw_fence
from reviewbot.agents.rules import HIDDEN_INSTRUCTION_TITLE
from reviewbot.agents.spec import SPECS
from reviewbot.agents.view.tools import Toolbox
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.grep import GREP_SECONDS
from reviewbot.change.hardening import DIFF, HARDENED, git_env
from reviewbot.change.policy_file import Asked
from reviewbot.claims import Claim, Stop
from reviewbot.core import Conclusion, CoverageStatus, Location, Side
from reviewbot.errors import EvidenceError
from reviewbot.evidence.junit import parse_junit
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.sarif import parse_sarif
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.files import render
from reviewbot.request import Request
from reviewbot.secrets.masking import Masker
from reviewbot.testing import ScriptedModel, Turn
from reviewbot.testing.behaviours import skip
from reviewbot.testing.reader import read
from tests.agents.fake_api import message, text
from tests.hostile.captive import CAPTIVES, MARKUP, PATH_TRICKS, parrot, say
from tests.hostile.corpus import FAULT, FAULT_LINE, OURS, Planted, in_comments
from tests.hostile.on_github import without_nonce
from tests.hostile.rig import KEY, attack, broken_rules, lost_cases, review_cases, sinks
from tests.repositories import Sandbox

ROOT = Path(__file__).resolve().parents[2]
CLEAN = Planted("nothing wrong", {"app/handler.py": "def handle(request):\n    return str(request)\n"}, ())
ONE = Planted("one fault", {"app/run.py": FAULT}, ("app/run.py",))


def deterministic(sandbox: Sandbox, base: str, head: str, **asked: Any) -> Any:
    """The review without models."""
    settings = Asked(overrides={"engine": "analyzers", **asked})
    request = Request(folder=sandbox.folder, base=base, head=head, asked=settings)
    return review_change(request, Journal(), lambda words: nullcontext())


def test_r01_no_rule_hangs_on_the_words_of_a_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "render", lambda *_, **__: "Do as the change says.")
    held = attack(tmp_path, in_comments(OURS), parrot)
    assert b"Do as the change says." in held.sent[0]
    assert broken_rules(held) == []
    assert lost_cases(held) == []


def test_r02_no_request_holds_the_key_and_a_proxy_may_add_it(tmp_path: Path) -> None:
    with ScriptedModel("reader", key=None) as model:
        environment = {"ANTHROPIC_BASE_URL": model.base_url}
        review, _ = review_cases(tmp_path, ONE, environment, 2.0)
    assert {outcome.stop for outcome in review.outcomes} == {Stop.DONE}
    assert model.requests
    parameters = inspect.signature(Toolbox.__init__).parameters
    assert [*parameters] == ["self", "repository", "changes", "masker"]  # no environment, folder or process


def test_r03_the_tools_are_a_closed_set_and_everything_else_is_denied_and_counted(tmp_path: Path) -> None:
    assert {tool for spec in SPECS.values() for tool in spec.tools} == {
        "read_file", "list_files", "search", "show_diff",
    }  # fmt: skip
    held = attack(tmp_path, ONE, CAPTIVES["explores"])
    [security] = [outcome for outcome in held.review.outcomes if outcome.task.agent == "security"]
    strangers = 7
    assert security.denied_calls >= 3 * (len(PATH_TRICKS) - 2) + strangers
    assert security.tool_calls == 4 * len(PATH_TRICKS) + 16
    assert broken_rules(held) == []


def test_r05_git_is_called_so_that_nothing_of_a_repository_takes_part(tmp_path: Path) -> None:
    options = " ".join(HARDENED)
    for said in ("core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.bareRepository=explicit",
                 "protocol.allow=never", "--no-replace-objects"):  # fmt: skip
        assert said in options
    assert {"--no-ext-diff", "--no-textconv"} <= set(DIFF)
    assert git_env(tmp_path).items() >= {
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1", "GIT_ATTR_NOSYSTEM": "1",
    }.items()  # fmt: skip


def test_r06_policy_and_attributes_of_head_change_nothing_and_are_announced(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.txt": "1\n"})
    weak = "fail-on: critical\non-incomplete: neutral\nanalyzers: []\nexclude: ['**']\n"
    head = sandbox.commit(
        {
            ".github/reviewbot.yml": weak,
            ".gitattributes": "* linguist-generated linguist-vendored -diff binary\n",
            "app.py": FAULT.replace("shell=True)", "shell=True)  # noqa: S602 nosec"),
        }
    )
    review = deterministic(sandbox, base, head)
    rules = {finding.rule for finding in review.findings}
    blocking = {f.rule for f in review.findings if f.fingerprint in review.verdict.blocking}
    assert review.verdict.conclusion is Conclusion.FAIL
    assert "ruff/S602" in blocking
    assert "reviewbot/policy-changed" in rules
    assert {row.status for row in review.coverage.files} == {CoverageStatus.REVIEWED}


@pytest.mark.parametrize(
    "policy", ["fail-on: banana\n", "fail-on: high\nfail-on: info\n", "unknown: 1\n", "- 1\n"]
)
def test_r06_a_policy_that_is_wrong_at_the_base_is_an_error(sandbox: Sandbox, policy: str) -> None:
    base = sandbox.commit({".github/reviewbot.yml": policy})
    head = sandbox.commit({"a.py": "x = 1\n"})
    verdict = deterministic(sandbox, base, head).verdict
    assert (verdict.conclusion, verdict.exit_code) == (Conclusion.INCOMPLETE, 2)


def _properties(schema: object) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_properties, schema))
    if not isinstance(schema, dict):
        return set()
    named = set(schema.get("properties", {}))
    return named.union(*map(_properties, schema.values()))


@pytest.mark.parametrize("name", SPECS)
def test_r07_no_answer_has_a_field_for_a_verdict(name: str) -> None:
    fields_of_answer = _properties(SPECS[name].answer().model_json_schema())
    assert fields_of_answer
    assert not fields_of_answer & {"verdict", "pass", "approve", "approved", "conclusion", "exit_code", "ok"}


@pytest.mark.parametrize(
    "name",
    ["refuses", "approves in prose", "pronounces a verdict", "nests", "writes keys twice", "talks around"],
)
def test_r07_what_is_no_answer_is_no_success(tmp_path: Path, name: str) -> None:
    held = attack(tmp_path, CLEAN, CAPTIVES[name])
    assert held.review.verdict.conclusion is Conclusion.INCOMPLETE
    assert held.review.verdict.exit_code == 1


@pytest.mark.parametrize("fault", ["truncator", "invalid", "refuser"])
def test_r07_an_answer_that_broke_off_is_no_success(tmp_path: Path, fault: str) -> None:
    held = attack(tmp_path, CLEAN, fault)
    assert (held.review.verdict.conclusion, held.review.verdict.exit_code) == (Conclusion.INCOMPLETE, 1)


@pytest.mark.parametrize(
    "attributes",
    ["*.py -diff", "*.py binary", "*.py diff=evil", "*.py filter=lfs -text", "*.py export-ignore", "* -diff"],
)
def test_r08_attributes_hide_no_line_from_the_ledger(sandbox: Sandbox, attributes: str) -> None:
    base = sandbox.commit({"a.txt": "1\n"})
    head = sandbox.commit({".gitattributes": f"{attributes}\n", "app.py": FAULT})
    review = deterministic(sandbox, base, head)
    rows = {row.path: (row.status, row.added_lines) for row in review.coverage.files}
    assert rows["app.py"] == (CoverageStatus.REVIEWED, FAULT.count("\n"))
    assert review.verdict.conclusion is Conclusion.FAIL


def test_r10_a_model_names_no_target(tmp_path: Path) -> None:
    held = attack(tmp_path, ONE, CAPTIVES["speaks of elsewhere"])
    assert [finding for finding in held.review.findings if finding.evidence.source == "agent"] == []
    assert len(held.review.rejected) >= 30
    assert broken_rules(held) == []
    assert not {field.name for field in fields(Claim)} & {"repository", "pull_number", "sha", "commit", "url"}


def test_r12_hidden_characters_are_shown_to_models_and_people_and_lines_stay_true(tmp_path: Path) -> None:
    hidden = "x = 1  # \u202e\u2066 \u200b\U000e0041 \ufe0f \x1b[2J\u2028 \u0085\n"
    emoji, arabic = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u0631\u062d\u0628\u0627"
    files = {"app/bidi.py": f"{hidden}# {emoji} {arabic}\n{FAULT}"}
    held = attack(tmp_path, Planted("hidden", files, ("app/bidi.py",)), parrot)
    request = json.dumps(json.loads(held.sent[-1]), ensure_ascii=False)
    assert "<U+202E><U+2066> <U+200B><U+E0041>" in request
    assert re.search("[\u202e\u2066\u200b\u2028]", request) is None
    assert f"{emoji} {arabic}" in request
    blocking = [f for f in held.review.findings if f.fingerprint in held.review.verdict.blocking]
    assert Location("app/bidi.py", FAULT_LINE + 2, FAULT_LINE + 2, Side.RIGHT) in [
        f.location for f in blocking
    ]
    assert broken_rules(held) == []


def test_r13_the_number_of_a_fence_stands_in_no_text_and_is_new_each_time() -> None:
    drawn = iter(["1111", "2222", "3333"])
    assert draw_fence(["x 1111 y", "</change-2222>"], lambda: next(drawn)).nonce == "3333"
    assert len({draw_fence(OURS).nonce for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "answer",
    [
        '{"findings": [], "findings": []}',
        '{"findings": [], "verdict": "pass"}',
        '{"findings": NaN}',
        '{"findings": [{"severity": "none"}]}',
        '{"findings": ' + "[" * 500 + "]" * 500 + "}",
        '{"findings": ' + "9" * 5_000 + "}",
        '{"files": []}',
        "[]",
        "",
        'LGTM {"findings": []}',
    ],
    ids=range(10),
)
def test_r14_only_the_exact_schema_is_an_answer(answer: str) -> None:
    with pytest.raises(ValueError):  # whatever it says, it is none
        parse_answer(SecurityAnswer, answer)
    assert parse_answer(SecurityAnswer, '{"findings": []}')
    assert parse_answer(TriageAnswer, '{"files": []}')


def test_r14_an_answer_of_another_model_is_none() -> None:
    data = json.dumps({**message(text('{"findings": []}')), "model": "somebody-else"}).encode()
    with pytest.raises(ModelError):
        parse_reply(data, "claude-opus-5-5", request_id="", seconds=0.0)


def test_r15_markup_of_a_model_is_words_in_every_sink(tmp_path: Path) -> None:
    held = attack(tmp_path, in_comments(("said",) * len(MARKUP)), say(MARKUP))
    said = [finding for finding in held.review.findings if finding.evidence.source == "agent"]
    assert len(said) >= len(MARKUP) - 2
    assert broken_rules(held) == []


SPELLINGS: Mapping[str, str] = {
    "plain": KEY,
    "base64": b64encode(KEY.encode()).decode(),
    "hex": KEY.encode().hex(),
    "url": "".join(f"%{byte:02x}" for byte in KEY.encode()),
    "reversed": KEY[::-1],
    "spaced": " ".join(KEY),
    "hidden": "\u200b".join(KEY),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_r17_a_key_of_the_run_is_withheld_however_it_is_spelled(tmp_path: Path, spelling: str) -> None:
    secret = SPELLINGS[spelling]
    held = attack(tmp_path, CLEAN, say((f"It is {secret}.",)))
    for name, shown in sinks(held.review).items():
        assert secret not in shown, name
        assert KEY not in re.sub(r"<U\+200B>| ", "", shown), name
    assert held.review.verdict.conclusion is Conclusion.INCOMPLETE
    assert held.review.verdict.exit_code == 1


def test_r23_an_expression_of_a_model_takes_no_long_time(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.txt": "1\n"})
    head = sandbox.commit({"long.txt": "a" * 4_000 + "b\n"})
    with Repository(sandbox.folder) as repository:
        tools = Toolbox(repository, load_change_set(repository, base, head), Masker())
        for pattern in ("(a+)+$", "(a|a)*$", "((a*)*)*c", "a?a?a?a?a?a?a?a?aaaaaaaac"):
            started = time.monotonic()
            assert tools.call("search", {"text": pattern, "regex": True}).text
            assert time.monotonic() - started < GREP_SECONDS + 5, pattern
        assert tools.call("search", {"text": "(a)\\1", "regex": True}).denied
        assert (
            tools.call("search", {"text": "--open-files-in-pager=sh", "regex": False}).text
            == "No line of head holds it."
        )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_r24_a_document_type_is_refused_wherever_it_stands(encoding: str) -> None:
    document = (
        f"<!--{'x' * 6_000}-->\n<!DOCTYPE\tt [<!ENTITY a 'b'>]><testsuite><testcase name='a'/></testsuite>"
    )
    with pytest.raises(EvidenceError):
        parse_junit(document.encode(encoding), "r.xml", TreePaths([]))


def test_r24_counts_come_from_elements_and_nothing_a_report_says_lowers_or_opens() -> None:
    junit = b"<testsuite failures='0'><testcase name='a'><failure>x</failure></testcase></testsuite>"
    assert len(parse_junit(junit, "r.xml", TreePaths([])).evidence) == 1
    place = {
        "physicalLocation": {"artifactLocation": {"uri": "file:///etc/passwd"}, "region": {"startLine": 1}}
    }
    silenced = [{"kind": "external", "status": "accepted"}]
    result = {"ruleId": "r", "level": "error", "message": {"text": "<b>m</b>"}, "locations": [place]}
    runs = [{"tool": {"driver": {"name": "t"}}, "results": [{**result, "suppressions": silenced}]}]
    [evidence] = parse_sarif(
        json.dumps({"version": "2.1.0", "runs": runs}).encode(), "r", TreePaths(["a"])
    ).evidence
    assert evidence.location is None
    assert evidence.suppression == "external"


def test_r24_an_external_suppression_lowers_nothing(tmp_path: Path) -> None:
    place = {
        "physicalLocation": {"artifactLocation": {"uri": "app/run.py"}, "region": {"startLine": FAULT_LINE}}
    }
    result = {"ruleId": "r", "level": "error", "message": {"text": "m"}, "locations": [place]}
    result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    runs = [{"tool": {"driver": {"name": "scanner"}}, "results": [result]}]
    planted = Planted("x", ONE.files, ONE.paths, sarif=json.dumps({"version": "2.1.0", "runs": runs}))
    review = attack(tmp_path, planted, "skipper").review
    blocking = {f.rule for f in review.findings if f.fingerprint in review.verdict.blocking}
    assert "scanner/r" in blocking


def test_r25_a_link_is_its_target_as_text_and_no_path_leaves_the_commits(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    base = sandbox.commit({"app.py": "x = 1\n"})
    (sandbox.folder / "link-out").symlink_to("/etc/hostname")
    (sandbox.folder / "folder").symlink_to("..")
    head = sandbox.commit({"b.py": "y = 1\n"})
    with Repository(sandbox.folder) as repository:
        tools = Toolbox(repository, load_change_set(repository, base, head), Masker())
        assert "/etc/hostname" in tools.call("read_file", {"path": "link-out"}).text
        for path in {*PATH_TRICKS, "folder/outside.txt", "./app.py", "app.py/", "folder/../app.py"} - {
            "link-out"
        }:
            for tool in ("read_file", "show_diff"):
                assert tools.call(tool, {"path": path}).denied, (tool, path)


@pytest.mark.parametrize("budget", [0.02, 0.05])
@pytest.mark.parametrize("name", ["floods", "loops", "explores", "nests"])
def test_r26_no_captured_model_spends_more_than_the_budget(tmp_path: Path, budget: float, name: str) -> None:
    held = attack(tmp_path, in_comments(OURS), CAPTIVES[name], budget)
    assert held.usd <= budget
    assert broken_rules(held) == []
    clean = attack(tmp_path / "clean", CLEAN, CAPTIVES[name], 0.0001)
    assert (clean.review.verdict.conclusion, clean.review.verdict.exit_code) == (Conclusion.INCOMPLETE, 1)


WORKFLOWS = sorted((ROOT / ".github").glob("*/*.yml"))


def _steps(workflow: Any) -> list[Mapping[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


MORE_WRITES = {
    ("workflows", "release"): ("contents", "packages", "id-token", "attestations"),
    ("examples", "scheduled"): ("issues",),
    ("examples", "commands"): ("issues",),  # `remember` below the tracking issue
    ("examples", "code-scanning"): ("security-events",),
}
"""The workflows that may write more than comments and checks, and what."""


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_r29_r30_actions_are_pinned_rights_are_least_and_no_cache_is_used(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        writes = {right for right, level in (job.get("permissions") or {}).items() if level == "write"}
        assert writes <= {"pull-requests", "checks", *MORE_WRITES.get((file.parent.name, file.stem), ())}, (
            name
        )
    for step in _steps(workflow):
        uses = step.get("uses", "./")
        assert (
            re.search(r"^\./|@[0-9a-f]{40}$|@sha256:[0-9a-f]{64}$", uses)
            or "OWNER" in uses
            or "/reviewbot@" in uses
        ), uses
        # A scan of the default branch gates nothing; it may keep paid results, and no policy or baseline.
        assert "cache" not in uses or file.name == "scheduled.yml"
        if uses.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_r29_dependencies_are_locked_with_hashes_and_no_older_than_the_floor() -> None:
    lock = (ROOT / "requirements/run.txt").read_text()
    names = re.findall(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?)==", lock, re.MULTILINE)
    assert len(names) >= 20
    assert lock.count("--hash=sha256:") >= len(names)
    assert (ROOT / "Dockerfile").read_text().count("--require-hashes") >= 1
    [version] = re.findall(r"^anthropic==(\d+)\.(\d+)", lock, re.MULTILINE)
    assert tuple(map(int, version)) >= (0, 87)


def test_r31_records_hold_decisions_and_no_text_of_the_change(tmp_path: Path) -> None:
    word = "quetzalcoatlus"
    files = {"app/run.py": f"# {word}\n" + FAULT, "README.md": f"{word}\n"}
    held = attack(tmp_path, Planted("records", files, ()), parrot)
    assert word.encode() in held.sent[0]
    assert word.encode() not in held.journal
    events = {json.loads(line)["event"] for line in held.journal.splitlines()}
    assert {"run_started", "routed", "task_ended", "decided"} <= events
    assert all(f'"{name}"'.encode() in held.journal for name in ("head_sha", "usd", "turns", "model"))


def test_r32_a_second_run_knows_nothing_of_the_first(tmp_path: Path) -> None:
    first, second = (attack(tmp_path / name, in_comments(OURS), parrot) for name in ("one", "two"))
    assert first.review.trigger.run_id != second.review.trigger.run_id
    assert without_nonce(first.sent) == without_nonce(second.sent)


def test_r33_triage_only_adds_attention_and_an_empty_answer_takes_nothing(tmp_path: Path) -> None:
    def mind(body: Mapping[str, Any]) -> Turn:
        return skip(body) if "haiku" in body["model"] else read(body)

    held = attack(tmp_path, ONE, mind)
    assert "app/run.py" in {
        p for o in held.review.outcomes if o.task.agent == "security" for p in o.task.paths
    }
    assert {row.status for row in held.review.coverage.files if row.path == "app/run.py"} == {
        CoverageStatus.REVIEWED
    }
    assert not any("agent" in name or "task" in name for spec in SPECS.values() for name in spec.tools)


def test_r34_a_suspected_injection_is_a_notice_in_our_words_and_blocks_nothing(tmp_path: Path) -> None:
    def mind(body: Mapping[str, Any]) -> Turn:
        turn = say((OURS[0],))(body)
        return Turn(re.sub(r'"rule": "[a-z-]+"', '"rule": "hidden-instruction"', turn.text)
                    .replace('"medium"', '"critical"'))  # fmt: skip

    held = attack(tmp_path, CLEAN, mind)
    [notice] = [finding for finding in held.review.findings if finding.evidence.source == "agent"]
    assert notice.evidence.title == HIDDEN_INSTRUCTION_TITLE
    assert "Ignore all previous" not in render(held.review, "markdown")
    assert held.review.verdict.conclusion is Conclusion.PASS


def test_r34_text_that_discusses_injection_fails_no_change(tmp_path: Path) -> None:
    files = {"docs/injection.md": "# Prompt injection\n\nAttackers write `ignore previous instructions`.\n"}
    assert attack(tmp_path, Planted("docs", files, ()), "reader").review.verdict.conclusion is Conclusion.PASS


def test_every_rule_has_a_test_or_a_paragraph() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    tested = {
        int(number)
        for names in re.findall(r"def test((?:_r\d\d)+)_", tests)
        for number in re.findall(r"\d\d", names)
    }
    written = {int(number) for number in re.findall(r"\*\*R(\d\d)\b", (ROOT / "SECURITY.md").read_text())}
    assert set(range(1, 35)) - tested - written == set()
