"""A pull request over several pushes: what is posted, what is hidden, what is remembered."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reviewbot.testing import ScriptedModel
from tests.action.test_action import CLEAN, FAULT, NAME, Bench
from tests.github.events import merge_group_event, pull_request_event
from tests.github.state import ReviewComment

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = "0123456789abcdef"
TWO = FAULT + "\n\ndef evaluate(text):\n    return eval(text)\n"
OTHER = "def evaluate(text):\n    return eval(text)\n"
AGENT_FAULT = 'import subprocess\nsubprocess.run("convert " + request.args["name"], shell=True)\n'


@pytest.fixture
def bench(bench: Bench) -> Iterator[Bench]:
    yield bench
    assert all(each.status < 500 for each in bench.fake.api_requests)


def push(bench: Bench, files: dict[str, str]) -> str:
    """One more commit on the branch of the pull request."""
    bench.sandbox.git("switch", "-q", "feature")
    head = bench.sandbox.commit(files)
    bench.sandbox.git("switch", "-q", "main")
    bench.fake.move_head(NAME, 1, head)
    return head


def review(bench: Bench, action: str = "synchronize", **inputs: Any) -> int:
    """Run on the pull request as it is; how many requests that took is in ``bench.requests``."""
    before = len(bench.fake.api_requests)
    payload = pull_request_event(bench.fake, NAME, 1, action)
    code = bench.run("pull_request", payload, **{"engine": "analyzers", "state_key": KEY, **inputs})
    assert len(bench.fake.api_requests) - before <= 10
    return code


def opened(bench: Bench) -> list[ReviewComment]:
    """Our comments at lines that are not hidden; answers are left out."""
    comments = bench.fake.review_comments(NAME, 1)
    return [each for each in comments if each.reply_to is None and each.minimized is None]


def answers(bench: Bench, comment: ReviewComment) -> list[str]:
    return [each.body for each in bench.fake.review_comments(NAME, 1) if each.reply_to == comment.id]


def summary(bench: Bench) -> str:
    [comment] = bench.fake.issue_comments(NAME, 1)
    return comment.body


def test_a_fixed_finding_is_answered_and_hidden_and_the_summary_counts(bench: Bench) -> None:
    bench.pull_request(TWO)
    assert review(bench, "opened") == 1
    assert len(opened(bench)) == 2
    assert "Since" not in summary(bench)
    first = bench.sandbox.git("rev-parse", "feature")
    head = push(bench, {"app.py": CLEAN + "\n\n" + OTHER})
    review(bench)
    [gone] = [each for each in bench.fake.review_comments(NAME, 1) if each.minimized]
    assert "S602" in gone.body
    assert gone.minimized == "outdated"
    [answer] = answers(bench, gone)
    assert f"gone from here as of {head[:12]}" in answer
    assert len(opened(bench)) == 1
    assert f"Since {first[:12]}: 0 new, 1 still open, 1 gone." in summary(bench)


def test_a_run_again_changes_nothing_on_github(bench: Bench) -> None:
    bench.pull_request(TWO)
    review(bench, "opened")
    push(bench, {"app.py": CLEAN})
    review(bench)
    before = (summary(bench), len(bench.fake.review_comments(NAME, 1)), len(bench.fake.api_requests))
    review(bench)
    assert (summary(bench), len(bench.fake.review_comments(NAME, 1))) == before[:2]
    assert [each.method for each in bench.fake.api_requests[before[2] :]] == ["POST", "GET", "GET"]


def test_a_finding_that_comes_back_is_posted_anew_once(bench: Bench) -> None:
    bench.pull_request(FAULT)
    review(bench, "opened")
    push(bench, {"app.py": CLEAN})
    assert review(bench) == 0
    assert opened(bench) == []
    push(bench, {"app.py": FAULT})
    assert review(bench) == 1
    assert review(bench) == 1
    [again] = opened(bench)
    assert "S602" in again.body


def test_a_thread_that_a_person_answered_and_nobody_resolved_is_left_alone(bench: Bench) -> None:
    bench.pull_request(FAULT)
    review(bench, "opened")
    [comment] = opened(bench)
    bench.fake.answer_thread(NAME, 1, comment, "mona")
    push(bench, {"app.py": CLEAN})
    review(bench)
    assert opened(bench) == [comment]
    assert len(answers(bench, comment)) == 1
    comment.resolved = True
    review(bench)
    assert opened(bench) == []


def test_an_answer_that_was_given_is_not_given_twice_where_hiding_failed(bench: Bench) -> None:
    bench.pull_request(FAULT)
    review(bench, "opened")
    [comment] = opened(bench)
    push(bench, {"app.py": CLEAN})
    review(bench)
    comment.minimized = None
    review(bench)
    assert opened(bench) == []
    assert len(answers(bench, comment)) == 1


def test_nothing_is_gone_where_not_all_was_read(bench: Bench) -> None:
    bench.pull_request(FAULT)
    review(bench, "opened")
    push(bench, {"app.py": CLEAN})
    with ScriptedModel("refuser") as model:
        code = review(bench, engine="claude", anthropic_api_key="sk-test", base_url=model.base_url)
    assert code == 1
    assert len(opened(bench)) == 1
    assert "1 not seen again" in summary(bench)


def test_a_hiding_that_github_refuses_is_said_and_changes_no_verdict(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.pull_request(FAULT)
    review(bench, "opened")
    push(bench, {"app.py": CLEAN})
    said = {"data": {"a0": None, "m0": None}, "errors": [{"type": "FORBIDDEN", "message": "No."}]}
    asked = {"data": None, "errors": [{"type": "FORBIDDEN", "message": "No."}]}
    for body in (said, asked):
        start_hiding = len(bench.fake.requests)
        fail_mutation(bench, body)
        assert review(bench) == 0
        assert "A comment whose finding is gone stays" in capsys.readouterr().err
        assert len(opened(bench)) == 1
        assert len(bench.fake.requests) > start_hiding


def fail_mutation(bench: Bench, body: Any) -> None:
    """Let the next mutation be answered with this, and no question."""
    from tests.github.rules import Answer
    from tests.github.site import Request

    graphql = type(bench.fake.site)._graphql

    def answer(request: Request, problems: list[str]) -> Answer:
        if b'"mutation' in request.body:
            del bench.fake.site._graphql
            return Answer(200, body)
        return graphql(bench.fake.site, request, problems)

    bench.fake.site._graphql = answer  # type: ignore[method-assign]


def test_what_a_model_does_not_say_again_blocks_until_its_code_is_gone(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    with ScriptedModel("reader") as model:
        given = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert review(bench, "opened", **given) == 1
    tools = {each["rule"].split("/")[0] for each in bench.report["findings"] if each["blocking"]}
    assert "security" in tools
    push(bench, {"README.md": "more\n"})
    with ScriptedModel("skipper") as model:
        given["base_url"] = model.base_url
        assert review(bench, **given) == 1
    carried = [each for each in bench.report["findings"] if each["rule"].startswith("security/")]
    assert [each["blocking"] for each in carried] == [True]
    assert "its code is still there" in carried[0]["body"]
    assert len({each.body.rpartition("finding ")[2] for each in opened(bench)}) == len(opened(bench))
    assert "0 new" in summary(bench)
    push(bench, {"app.py": CLEAN})
    with ScriptedModel("skipper") as model:
        given["base_url"] = model.base_url
        assert review(bench, **given) == 0
    assert opened(bench) == []


def test_what_was_not_signed_with_the_key_is_neither_believed_nor_carried(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    with ScriptedModel("reader") as model:
        given = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        review(bench, "opened", state_key="", **given)
    push(bench, {"README.md": "more\n"})
    with ScriptedModel("skipper") as model:
        review(bench, state_key="", **{**given, "base_url": model.base_url})
    assert not any(each["rule"].startswith("security/") for each in bench.report["findings"])
    [comment] = [each for each in opened(bench) if "security/" in each.body]
    assert comment.minimized is None, "its lines are still there"


def test_fifty_threads_cost_no_more_requests_than_one(bench: Bench) -> None:
    lines = "".join(f"subprocess.run(c{n}, shell=True)\n" for n in range(50))
    bench.pull_request("import subprocess\n" + lines)
    review(bench, "opened", max_comments="100")
    assert len(opened(bench)) == 50
    push(bench, {"app.py": "import subprocess\n" + lines.replace("c7,", "d7,")})
    before = len(bench.fake.api_requests)
    review(bench, max_comments="100")
    assert len(bench.fake.api_requests) - before == 6
    assert len(opened(bench)) == 50


def test_the_thread_of_what_is_gone_is_resolved_where_the_token_can(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.pull_request(TWO)
    review(bench, "opened")
    mine, other = bench.fake.review_comments(NAME, 1)
    push(bench, {"app.py": CLEAN + "\n\n" + OTHER})
    capsys.readouterr()
    review(bench)
    assert (mine.minimized, mine.resolved, other.resolved) == ("outdated", False, False)
    assert "stays" not in capsys.readouterr().err, "a token that may not resolve is no problem"
    push(bench, {"app.py": CLEAN})
    may = {"contents": "write", "pull-requests": "write"}
    review(bench, github_token=bench.fake.token(permissions=may))
    assert (other.minimized, other.resolved) == ("outdated", True)


def test_what_a_model_found_blocks_also_after_its_file_moved(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    with ScriptedModel("reader") as model:
        given = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url}
        assert review(bench, "opened", **given) == 1
    bench.sandbox.git("switch", "-q", "feature")
    bench.sandbox.git("mv", "app.py", "moved.py")
    push(bench, {})
    with ScriptedModel("skipper") as model:
        given["base_url"] = model.base_url
        assert review(bench, **given) == 1
    [carried] = [each for each in bench.report["findings"] if each["rule"].startswith("security/")]
    assert (carried["path"], carried["blocking"]) == ("moved.py", True)


def ask(bench: Bench, script: str, action: str = "synchronize", **inputs: Any) -> tuple[int, bytes]:
    """Review with the agents; the exit code, and all that the model was sent."""
    with ScriptedModel(script) as model:
        given = {"engine": "claude", "anthropic_api_key": "sk-test", "base_url": model.base_url, **inputs}
        code = review(bench, action, **given)
        assert model.refused == []
        return code, b"\n".join(each.raw for each in model.requests)


def ledger(bench: Bench) -> dict[str, tuple[str, str]]:
    rows = bench.report["coverage"]["files"]
    return {row["path"]: (row["status"], row["reason"]) for row in rows}


def test_where_markers_are_signed_agents_read_only_what_changed_and_the_verdict_is_of_the_whole(
    bench: Bench,
) -> None:
    first = bench.pull_request(AGENT_FAULT)
    assert ask(bench, "reader", "opened")[0] == 1
    push(bench, {"other.py": CLEAN})
    code, sent = ask(bench, "skipper")
    assert code == 1, "what was found is carried"
    assert b"other.py" in sent
    assert b"convert" not in sent
    status, reason = ledger(bench)["app.py"]
    assert status == "reviewed"
    assert first[:12] in reason
    assert ledger(bench)["other.py"][1].find("earlier") < 0
    assert "1 of 2 changed files are as agents read them" in summary(bench)
    code, sent = ask(bench, "skipper")
    assert (code, sent) == (1, b""), "a run again asks no model"
    push(bench, {"app.py": CLEAN})
    code, sent = ask(bench, "skipper")
    assert code == 0
    assert b"def run(command)" in sent
    assert b"other.py" not in sent


@pytest.mark.parametrize("why", ["no key", "another key", "the policy", "the notes", "the merge base"])
def test_everything_is_read_again_where_what_was_read_may_not_hold(bench: Bench, why: str) -> None:
    bench.pull_request(AGENT_FAULT)
    key = {"state_key": ""} if why == "no key" else {}
    ask(bench, "reader", "opened", **key)
    if why == "another key":
        key = {"state_key": "fedcba9876543210"}
    brought = {
        "the policy": {".github/reviewbot.yml": "verify: false\n"},
        "the notes": {"AGENTS.md": "Mind.\n"},
    }
    if why in brought:
        bench.fake.set_branch(NAME, "main", bench.sandbox.commit(brought[why]))
    if why == "the merge base":
        bench.fake.set_branch(NAME, "main", bench.sandbox.commit({"base.py": CLEAN}))
        bench.sandbox.git("switch", "-q", "feature")
        bench.sandbox.git("-c", "core.editor=true", "rebase", "-q", "main")
    push(bench, {"other.py": CLEAN})
    assert b"convert" in ask(bench, "skipper", **key)[1]


def test_a_moving_base_branch_alone_makes_nobody_read_again(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    ask(bench, "reader", "opened")
    bench.fake.set_branch(NAME, "main", bench.sandbox.commit({"base.py": CLEAN}))
    assert ask(bench, "skipper") == (1, b"")


def test_what_an_agent_did_not_finish_is_read_in_the_next_round(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    assert ask(bench, "refuser", "opened")[0] == 1
    assert b"convert" in ask(bench, "reader")[1]


def report_notes(bench: Bench, *results: tuple[str, int, str]) -> dict[str, str]:
    """Hand in what some tool says of app.py, as (rule, line, level)."""
    said = [
        {
            "ruleId": rule,
            "level": level,
            "message": {"text": f"About {rule}."},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": "app.py"}, "region": {"startLine": line}}}
            ],
        }
        for rule, line, level in results
    ]
    run = {"tool": {"driver": {"name": "tool"}}, "results": said}
    (bench.workspace / "tool.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
    return {"sarif": "tool.sarif"}


def statuses(bench: Bench) -> dict[str, str]:
    return {each["rule"].partition("/")[2]: each["status"] for each in bench.report["findings"]}


def test_from_the_second_round_on_nothing_low_is_new_on_old_lines_and_what_is_deferred_is_listed(
    bench: Bench,
) -> None:
    bench.pull_request(CLEAN)
    assert review(bench, "opened", **report_notes(bench, ("first", 1, "note"))) == 0
    push(bench, {"other.py": "x = 1\n"})
    late = report_notes(bench, ("first", 1, "note"), ("late", 2, "note"), ("worse", 2, "warning"))
    review(bench, **late)
    assert statuses(bench) == {"first": "new", "late": "deferred", "worse": "new"}
    assert not any("late" in each.body for each in opened(bench))
    assert "1 new, 1 still open, 0 gone, 1 deferred" in summary(bench)
    assert "<summary>1 deferred</summary>" in summary(bench)
    assert "About late" in summary(bench)
    before = summary(bench)
    review(bench, **late)
    assert (statuses(bench)["late"], summary(bench)) == ("deferred", before)
    assert review(bench, fail_on="low", **late) == 1, "what blocks is never deferred"
    push(bench, {"app.py": "def run(command):\n    return  command\n"})
    review(bench, **late)
    assert statuses(bench) == {"first": "new", "late": "new", "worse": "new"}
    assert any("late" in each.body for each in opened(bench))


def test_a_dismissal_is_counted_among_what_changed_since(bench: Bench) -> None:
    bench.pull_request(FAULT)
    review(bench, "opened")
    [name] = bench.report["verdict"]["blocking"]
    bench.fake.state.repository(NAME).collaborators = {"mona": "write"}
    bench.fake.add_issue_comment(NAME, 1, "mona", f"/reviewbot dismiss {name} a known one")
    push(bench, {"other.py": CLEAN})
    assert review(bench) == 0
    [ours] = [each.body for each in bench.fake.issue_comments(NAME, 1) if each.author != "mona"]
    assert "0 new, 0 still open, 0 gone, 1 dismissed" in ours


def queue(bench: Bench, *, ahead: dict[str, str] | None = None) -> bytes:
    """A merge group of the pull request on the base branch, which others may have reached first."""
    base = bench.sandbox.commit(ahead) if ahead else bench.sandbox.git("rev-parse", "main")
    bench.sandbox.git("switch", "-q", "-c", f"queue-{base}")
    bench.sandbox.git("merge", "-q", "--no-ff", "-m", "group", "feature")
    head = bench.sandbox.git("rev-parse", "HEAD")
    bench.sandbox.git("switch", "-q", "main")
    return merge_group_event(bench.fake, NAME, base, head)


def ask_of_group(bench: Bench, payload: bytes, **inputs: str) -> tuple[int, bytes]:
    with ScriptedModel("skipper") as model:
        given = {"anthropic_api_key": "sk-test", "base_url": model.base_url, "state_key": KEY, **inputs}
        code = bench.run("merge_group", payload, engine="claude", **given)
        return code, b"\n".join(each.raw for each in model.requests)


def test_a_merge_group_of_the_tree_that_was_reviewed_asks_no_model_and_has_its_verdict(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    assert ask(bench, "reader", "opened")[0] == 1
    said = len(bench.fake.issue_comments(NAME, 1)), len(bench.fake.review_comments(NAME, 1))
    assert ask_of_group(bench, queue(bench)) == (1, b"")
    assert any(rule.startswith("security/") for rule in (each["rule"] for each in bench.report["findings"]))
    assert ledger(bench)["app.py"][0] == "reviewed"
    push(bench, {"app.py": CLEAN})
    assert ask(bench, "skipper")[0] == 0
    bench.sandbox.git("branch", "-D", f"queue-{bench.base}")
    assert ask_of_group(bench, queue(bench)) == (0, b"")
    assert said[0] == len(bench.fake.issue_comments(NAME, 1)) == 1


def test_a_merge_group_of_another_tree_or_without_a_key_is_reviewed(bench: Bench) -> None:
    bench.pull_request(AGENT_FAULT)
    assert ask(bench, "reader", "opened")[0] == 1
    payload = queue(bench)
    assert b"convert" in ask_of_group(bench, payload, state_key="")[1]
    code, sent = ask_of_group(bench, queue(bench, ahead={"base.py": CLEAN}))
    assert (code, b"convert" in sent) == (1, True), "what was found is carried all the same"
