import re
from dataclasses import replace

import pytest

from reviewbot.claims import Outcome, Stop, Task, Usage
from reviewbot.publish.comment import render_summary_comment
from reviewbot.publish.files import render
from reviewbot.publish.markers import Scope
from reviewbot.publish.report import report_document
from reviewbot.publish.spending import read_spending, spending
from tests.publish import finding, review


def outcome(agent: str, model: str, stop: Stop = Stop.DONE, usd: float | None = 0.01) -> Outcome:
    return Outcome(Task(agent, ("app/run.py",)), model, "medium", stop, usage=Usage(10, 5), usd=usd, turns=2)


AGENTS = (
    outcome("triage", "claude-haiku-5-5", usd=0.0005),
    outcome("security", "claude-opus-5-5", usd=0.0312),
    outcome("security", "claude-opus-5-5", Stop.REFUSED, usd=0.002),
)


def test_a_run_without_agents_says_nothing_about_money() -> None:
    assert spending(review()) == ""


def test_each_agent_is_named_with_what_it_finished_and_the_dollars_follow() -> None:
    said = spending(replace(review(), outcomes=AGENTS))
    assert said == (
        "Agents: triage (claude-haiku-5-5, $0.0005), "
        "security (claude-opus-5-5, 1 of 2 tasks done (refused), $0.0332). "
        "$0.0337 of $2.00 spent."
    )


@pytest.mark.parametrize("stop", [stop for stop in Stop if stop is not Stop.DONE])
def test_every_end_is_told_in_words(stop: Stop) -> None:
    said = spending(replace(review(), outcomes=(outcome("security", "claude-opus-5-5", stop),)))
    [words] = re.findall(r"0 of 1 tasks done \(([a-z ]+)\)", said)
    assert words == "refused" or " " in words


def test_an_unknown_price_is_never_nothing() -> None:
    with_unknown = replace(review(), outcomes=(*AGENTS, outcome("test_fix", "other-model", usd=None)))
    said = spending(with_unknown)
    assert "test_fix (other-model, unknown)" in said
    assert "At least $0.0337 of $2.00 spent: a cost is unknown." in said
    cost = report_document(with_unknown)["cost"]
    assert (cost["usd"], cost["complete"]) == (0.0337, False)


def test_what_caching_saved_is_told_once_it_is_something() -> None:
    saving = tuple(replace(each, saved_usd=0.02) for each in AGENTS)
    assert spending(replace(review(), outcomes=saving)).endswith("Caching saved $0.0600.")
    assert report_document(replace(review(), outcomes=saving))["cost"]["cache_saved_usd"] == 0.06
    losing = replace(review(), outcomes=tuple(replace(each, saved_usd=-0.02) for each in AGENTS))
    assert "Caching" not in spending(losing)
    assert report_document(losing)["cost"]["cache_saved_usd"] == -0.06


def test_every_sink_for_people_shows_it() -> None:
    shown = replace(review(finding(), blocking=1), outcomes=AGENTS)
    assert "of $2.00 spent" in render(shown, "text", width=200)
    assert "2.00" in render(shown, "markdown")


def test_the_report_holds_a_row_for_each_task_and_their_sum() -> None:
    document = report_document(replace(review(), outcomes=AGENTS))
    assert [row["stop"] for row in document["agents"]] == ["done", "done", "refused"]
    assert document["cost"]["usd"] == round(sum(row["usd"] or 0 for row in document["agents"]), 9)


def test_what_a_summary_comment_tells_of_the_dollars_is_read_again() -> None:
    made = replace(review(finding(1), blocking=1), outcomes=AGENTS)
    shown = render_summary_comment(
        made, scope=Scope("acme/shop", 7), key=None, inline_posted=0, left_over=0, gate="", commented=()
    )
    assert read_spending(shown) == ("$0.0337", "$2.00")
    assert read_spending("no agent ran") is None
    assert read_spending("") is None
