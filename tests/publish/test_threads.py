from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import Conclusion, Reason
from reviewbot.earlier import Round, render_round
from reviewbot.github.answers import Conversation, OwnComment, Thread
from reviewbot.publish.markers import Scope, finding_marker, gone_marker, read_marker, summary_marker
from reviewbot.publish.threads import find_summary, plan_retirements, standing
from tests.publish import BASE, HEAD, finding, review
from tests.publish.test_github import pull_request

SCOPE = Scope("acme/shop", 7)
KEY = b"a long secret"
OPEN = Thread("PRRT_1", is_outdated=False, left_open=False)


def comment(
    number: int = 1, *, by_agent: bool = False, key: bytes | None = KEY, **changes: Any
) -> OwnComment:
    body = f"words\n\n{finding_marker(f'{number:016x}', SCOPE, key, by_agent=by_agent)}"
    made = OwnComment(number, body, "https://github.com/x", f"PRRC_{number}", thread=OPEN)
    return replace(made, **changes)


def conversation(*inline: OwnComment, summaries: tuple[OwnComment, ...] = ()) -> Conversation:
    return Conversation(pull_request(), BASE, summaries, inline)


def answered(number: int = 1, key: bytes | None = KEY) -> Thread:
    return replace(OPEN, answers=(f"gone\n\n{gone_marker(f'{number:016x}', SCOPE, key)}",))


def plan(*inline: OwnComment, **changes: Any) -> list[tuple[str, str, bool]]:
    made = replace(review(finding(2)), **changes)
    planned = plan_retirements(made, conversation(*inline), SCOPE, KEY)
    return [(each.comment_id, each.thread_id, bool(each.answer)) for each in planned]


def test_a_comment_whose_finding_is_gone_is_answered_and_hidden_and_no_other() -> None:
    assert plan(comment(1), comment(2)) == [("PRRC_1", "PRRT_1", True)]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_minimized": True},
        {"thread": None},
        {"thread": replace(OPEN, left_open=True)},
        {"key": None},
        {"key": b"another secret"},
        {"by_agent": True},
        {"body": "no marker"},
    ],
    ids=str,
)
def test_a_comment_is_left_alone_that_is_hidden_answered_not_ours_or_a_models(
    changes: dict[str, Any],
) -> None:
    assert plan(comment(1, **changes)) == []


def test_what_a_model_said_is_gone_with_its_lines() -> None:
    outdated = replace(OPEN, is_outdated=True)
    assert plan(comment(1, by_agent=True, thread=outdated)) == [("PRRC_1", "PRRT_1", True)]


def test_an_answer_is_given_once() -> None:
    assert plan(comment(1, thread=answered())) == [("PRRC_1", "PRRT_1", False)]
    assert plan(comment(1, thread=answered(2))) == [("PRRC_1", "PRRT_1", True)]
    assert plan(comment(1, thread=answered(key=None))) == [("PRRC_1", "PRRT_1", True)]


@pytest.mark.parametrize(
    ("reasons", "complete"),
    [
        ((Reason("blocking_findings", "2."),), True),
        ((Reason("blocking_findings", "2."), Reason("budget", "Out.")), False),
        ((Reason("provider_outage", "Down."),), False),
        ((Reason("no_review", "Failed."),), False),
        ((Reason("secret_scan_only", "All."),), True),
    ],
)
def test_nothing_is_hidden_where_not_all_was_read(reasons: tuple[Reason, ...], complete: bool) -> None:
    verdict = replace(review().verdict, conclusion=Conclusion.FAIL, reasons=reasons)
    assert bool(plan(comment(1), verdict=verdict)) is complete


def test_the_answer_ends_in_a_marker_that_is_no_finding() -> None:
    [planned] = plan_retirements(review(), conversation(comment(1)), SCOPE, KEY)
    marker = read_marker(planned.answer, SCOPE, KEY)
    assert marker is not None
    assert (marker.kind, marker.fingerprint) == ("gone", f"{1:016x}")
    assert HEAD[:12] in planned.answer


def test_what_stands_is_what_was_not_hidden_by_us() -> None:
    by_us = comment(1, is_minimized=True, thread=answered())
    by_a_person = comment(2, is_minimized=True)
    said = conversation(by_us, by_a_person, comment(3), comment(4, key=None))
    assert standing(said, SCOPE, KEY) == {f"{2:016x}", f"{3:016x}"}


def test_the_summary_is_found_with_the_round_it_tells_of() -> None:
    made = Round(HEAD, BASE, ("0" * 16,))
    marker = summary_marker(SCOPE, KEY, render_round(made))
    ours = OwnComment(5, f"words\n\n{marker}", "https://github.com/x")
    other = OwnComment(4, "words", "https://github.com/x")
    assert find_summary(conversation(summaries=(other, ours)), SCOPE, KEY) == (ours, made)
    assert find_summary(conversation(summaries=(other,)), SCOPE, KEY) == (None, None)
    old = replace(ours, body=summary_marker(SCOPE, KEY))
    assert find_summary(conversation(summaries=(old,)), SCOPE, KEY) == (old, None)
