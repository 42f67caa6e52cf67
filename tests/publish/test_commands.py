"""What is done for a comment, by a recording double: tests/action/test_commands.py has the real sockets."""

from dataclasses import replace

import pytest

from reviewbot.change.command import Command, Verb
from reviewbot.change.github_events import CommentEvent
from reviewbot.core import Sha
from reviewbot.earlier import Round, render_round
from reviewbot.github.answers import Call, Conversation, OwnComment
from reviewbot.github.api import GitHubDenied, GitHubError
from reviewbot.publish.commands import SEEN, Followed, follow_command, report_review
from reviewbot.publish.markers import Scope, finding_marker, read_marker, reply_marker, summary_marker
from tests.publish import BASE, HEAD, finding, review
from tests.publish.test_github import pull_request

ONE = "0123456789abcdef"
SCOPE = Scope("acme/shop", 7)
KEY = b"a long secret"
REVIEW = Command(Verb.REVIEW)
CALLED = CommentEvent("acme/shop", 7, True, 55, "/reviewbot help", "mona", True, "mona", 1)
INLINE = "https://github.com/acme/shop/pull/7#discussion_r9"
SUMMARY = "https://github.com/acme/shop/pull/7#issuecomment-8"


class Talk:
    """A pull request where mona may write; ``faults`` are raised by the methods they name."""

    def __init__(self, said: Conversation | None = None, **faults: GitHubError) -> None:
        self.said = said or Conversation(pull_request(), BASE, (), ())
        self.faults, self.calls, self.comments = faults, list[str](), list[str]()

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]

    def read_permission(self, repository: str, login: str) -> str:
        self._called("read_permission")
        return "write" if (repository, login) == ("acme/shop", "mona") else "read"

    def react(self, repository: str, comment_id: int, content: str) -> None:
        self._called("react")
        assert (repository, comment_id, content) == ("acme/shop", 55, SEEN)

    def read_conversation(self, repository: str, number: int) -> Conversation:
        self._called("read_conversation")
        return self.said

    def create_comment(self, repository: str, number: int, body: str) -> str:
        self._called("create_comment")
        self.comments.append(body)
        return SUMMARY

    def edit_comment(self, repository: str, comment_id: int, body: str) -> str:
        self._called("edit_comment")
        self.comments.append(body)
        return SUMMARY


def said(*bodies: str, inline: tuple[str, ...] = (), calls: tuple[Call, ...] = ()) -> Conversation:
    ours = tuple(OwnComment(n, body, SUMMARY) for n, body in enumerate(bodies, 1))
    lines = tuple(OwnComment(n, body, INLINE) for n, body in enumerate(inline, 1))
    return Conversation(pull_request(), BASE, ours, lines, calls)


def test_the_reaction_comes_at_once_and_the_answer_carries_a_signed_marker() -> None:
    talk = Talk()
    followed = follow_command(CALLED, talk, KEY)
    assert talk.calls == ["read_permission", "react", "read_conversation", "create_comment"]
    marker = read_marker(talk.comments[0], SCOPE, KEY)
    assert marker is not None
    assert (marker.kind, int(marker.fingerprint, 16)) == ("reply", 55)
    assert followed == Followed("Nothing was reviewed: the command `help` was answered.")


def test_a_command_is_answered_once() -> None:
    talk = Talk(said(f"words\n\n{reply_marker(55, SCOPE, KEY)}"))
    follow_command(CALLED, talk, KEY)
    assert talk.comments == []
    unsigned = Talk(said(f"words\n\n{reply_marker(55, SCOPE, None)}", reply_marker(56, SCOPE, KEY)))
    follow_command(CALLED, unsigned, KEY)
    assert len(unsigned.comments) == 1


@pytest.mark.parametrize(
    "changes", [{"body": "hm"}, {"by_person": False}, {"on_pull_request": False}], ids=str
)
def test_whoever_calls_nobody_costs_no_request(changes: dict[str, object]) -> None:
    talk = Talk()
    assert not follow_command(replace(CALLED, **changes), talk, KEY).review  # type: ignore[arg-type]
    assert talk.calls == []


def test_a_review_is_left_to_the_caller() -> None:
    talk = Talk()
    assert follow_command(replace(CALLED, body="/reviewbot review"), talk, KEY).review
    assert talk.calls == ["read_permission", "react"]


def test_a_reaction_that_fails_is_a_problem_and_no_end() -> None:
    talk = Talk(react=GitHubDenied("No."))
    followed = follow_command(CALLED, talk, None)
    assert "No reaction could be given" in followed.problems[0]
    assert len(talk.comments) == 1


def test_what_became_of_a_review_is_answered_once_and_a_failure_is_said() -> None:
    talk = Talk()
    made = review(finding(1), blocking=1)
    assert report_review(CALLED, REVIEW, talk, made, KEY) == ()
    assert talk.comments[0].startswith(f"Reviewed {HEAD[:12]}. fail: 1 finding blocks this change.\n")
    assert report_review(CALLED, REVIEW, Talk(said(talk.comments[0])), made, KEY) == ()
    [problem] = report_review(CALLED, REVIEW, Talk(create_comment=GitHubDenied("No.")), made, KEY)
    assert "could not be answered" in problem


def open_round(head: Sha = HEAD) -> str:
    return f"words\n\n{summary_marker(SCOPE, KEY, render_round(Round(head, BASE, (ONE,))))}"


def answer(verb: str, conversation: Conversation) -> str:
    talk = Talk(conversation)
    follow_command(replace(CALLED, body=f"/reviewbot {verb}"), talk, KEY)
    return talk.comments[0]


def test_a_finding_is_named_by_its_comment_or_by_the_summary_it_stands_in() -> None:
    at_line = said(inline=(finding_marker(ONE, SCOPE, KEY),))
    assert f"[its comment]({INLINE})" in answer(f"explain {ONE}", at_line)
    assert f"in [the summary]({SUMMARY})" in answer(f"explain {ONE}", said(open_round()))
    assert "Remembered" in answer(f"dismiss {ONE} why", said(open_round()))


def test_a_finding_that_others_made_up_is_not_known() -> None:
    forged = said(summary_marker(SCOPE, None), inline=(finding_marker(ONE, SCOPE, None),))
    assert "know no open finding" in answer(f"dismiss {ONE} why", forged)


def test_an_explanation_says_who_dismissed_it_if_they_might() -> None:
    calls = (
        Call(1, "rea", f"/reviewbot dismiss {ONE} mine"),
        Call(2, "mona", f"/reviewbot dismiss {ONE} a *test* <b>"),
        Call(3, "mona", f"/reviewbot dismiss {'f' * 16} other"),
    )
    text = answer(f"explain {ONE}", said(open_round(), calls=calls))
    assert "Dismissed by mona: a" in text
    assert "`<b>`" in text
    assert "mine" not in text
