"""The cap of a pull request over several rounds, signed and unsigned, and what forging it comes to."""

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from reviewbot.earlier import NANO
from reviewbot.testing import ScriptedModel
from tests.action.test_action import NAME, Bench
from tests.action.test_commands import asking, replies, say
from tests.action.test_rounds import AGENT_FAULT, KEY, push, review
from tests.github.state import IssueComment

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CAP = "budget-usd-per-pull-request: {}\n"


def capped(bench: Bench, usd: float) -> None:
    """The policy on the base branch from now on."""
    bench.fake.set_branch(NAME, "main", bench.sandbox.commit({".github/reviewbot.yml": CAP.format(usd)}))


def summary_comment(bench: Bench) -> IssueComment:
    [found] = [each for each in bench.fake.issue_comments(NAME, 1) if "reviewbot:v1 summary" in each.body]
    return found


def kept(bench: Bench) -> dict[str, Any]:
    data = summary_comment(bench).body.rpartition("data=")[2].split()[0]
    found: dict[str, Any] = json.loads(b64decode(data))
    return found


def forge(bench: Bench, spent: object) -> None:
    """What another workflow with our identity can do: another number in the same comment."""
    comment = summary_comment(bench)
    data = comment.body.rpartition("data=")[2].split()[0]
    forged = b64encode(json.dumps({**kept(bench), "spent": spent}).encode()).decode()
    bench.fake.edit_issue_comment(comment, comment.body.replace(data, forged))


def opened(bench: Bench, usd: float) -> None:
    bench.pull_request(AGENT_FAULT)
    bench.fake.state.repository(NAME).collaborators = {"mona": "write"}
    capped(bench, usd)


def test_rounds_add_up_to_the_nano_dollar_and_above_the_cap_no_model_is_asked_until_it_is_raised(
    bench: Bench,
) -> None:
    opened(bench, 100)
    with ScriptedModel("reader") as model:
        review(bench, "opened", **asking(model))
        once = model.usd
        assert kept(bench)["spent"] == round(once * NANO) > 0
        capped(bench, once)
        push(bench, {"other.py": AGENT_FAULT})
        seen = len(model.requests)
        assert review(bench, **asking(model)) == 1
        assert len(model.requests) == seen
        assert kept(bench)["spent"] == round(once * NANO)
        body = summary_comment(bench).body
        assert "No model was asked" in body
        assert "budget" in {each["code"] for each in bench.report["verdict"]["reasons"]}
        say(bench, "/reviewbot budget", state_key=KEY)
        assert f"may have cost ${once:.4f} so far" in replies(bench)[0]
        assert "$0.0000 are left" in replies(bench)[0]
        capped(bench, 100)
        say(bench, "/reviewbot review", **asking(model), state_key=KEY)
        assert len(model.requests) > seen
        assert kept(bench)["spent"] == round(model.usd * NANO)
        assert kept(bench)["cap"] == 100 * NANO


def test_half_a_cap_is_a_warning_in_the_summary(bench: Bench) -> None:
    opened(bench, 100)
    with ScriptedModel("reader") as model:
        review(bench, "opened", **asking(model))
        capped(bench, round(model.usd * 1.5, 6))
        push(bench, {"other.py": AGENT_FAULT})
        review(bench, **asking(model))
        assert kept(bench)["spent"] == round(model.usd * NANO)
    assert "More than 50" in summary_comment(bench).body


@pytest.mark.parametrize("spent", [0, -(10**12), 10**17, "9"])
@pytest.mark.parametrize("key", [KEY, ""])
def test_a_forged_total_never_allows_more_than_a_first_round_has(
    bench: Bench, key: str, spent: object
) -> None:
    opened(bench, 0.5)
    with ScriptedModel("reader") as model:
        review(bench, "opened", **{**asking(model), "state_key": key})
        once = model.usd
        forge(bench, spent)
        push(bench, {"other.py": AGENT_FAULT})
        code = review(bench, **{**asking(model), "state_key": key})
        assert model.usd - once <= 0.5
        if spent == 10**17 and not key:
            assert model.usd == once
            assert code == 1, "a larger number blocks, and is no pass"
            assert bench.report["verdict"]["conclusion"] != "pass"
        else:
            assert model.usd > once


def test_what_advice_cost_is_added_although_the_summary_stays(bench: Bench) -> None:
    opened(bench, 100)
    tests = '<testsuite><testcase name="t" classname="c"><failure message="no">app.py:1</failure></testcase></testsuite>'
    (bench.workspace / "junit.xml").write_text(tests)
    with ScriptedModel("reader") as model:
        review(bench, "opened", **asking(model))
        text = summary_comment(bench).body.rpartition("\n")[0]
        say(bench, "/reviewbot tests", **asking(model), state_key=KEY, junit="junit.xml")
        assert kept(bench)["spent"] == round(model.usd * NANO)
        assert summary_comment(bench).body.rpartition("\n")[0] == text


def test_a_run_whose_head_moved_adds_what_it_cost(bench: Bench) -> None:
    opened(bench, 100)
    with ScriptedModel("reader") as model:
        review(bench, "opened", **asking(model))
        push(bench, {"other.py": AGENT_FAULT})
        once, moved = model.usd, list[str]()

    from reviewbot.testing import BEHAVIOURS

    def moves(body: Any) -> Any:
        if not moved:
            moved.append(push(bench, {"third.py": "x = 1\n"}))
        return BEHAVIOURS["reader"](body)

    with ScriptedModel(moves) as model:
        review(bench, **asking(model))
        assert moved
        assert "head_moved" in {each["code"] for each in bench.report["verdict"]["reasons"]}
        assert kept(bench)["spent"] == round((once + model.usd) * NANO)
