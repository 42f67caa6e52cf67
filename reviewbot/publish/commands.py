"""Following a command in a comment: a reaction at once, then an answer, or a review that somebody asked for.

Whoever may not command gets nothing but a line in the log, and neither do comments that call nobody.
"""

from dataclasses import dataclass
from typing import Protocol

from reviewbot.change.command import (
    Command,
    Verb,
    may_command,
    parse_command,
    read_dismissals,
)
from reviewbot.change.github_events import CommentEvent
from reviewbot.core import Review
from reviewbot.github.answers import Conversation
from reviewbot.github.api import GitHubError
from reviewbot.publish.costs import Keeper, add_cost
from reviewbot.publish.markers import Scope
from reviewbot.publish.replies import (
    is_answered,
    render_about_finding,
    render_budget,
    render_help,
    render_outcome,
    render_remembered,
    render_reply,
)

SEEN = "eyes"
"""The reaction that says that a command was read."""


class Talker(Keeper, Protocol):
    """What of ``github_api.GitHub`` is needed here. Every method may raise GitHubError."""

    def read_permission(self, repository: str, login: str) -> str:
        """admin, write, read or none."""

    def react(self, repository: str, comment_id: int, content: str) -> None:
        """A reaction below a comment."""

    def create_comment(self, repository: str, number: int, body: str) -> str:
        """A new comment; returns its URL."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a comment: ``review`` is still to be done, or all is done as ``sentence`` says."""

    sentence: str
    review: Command | None = None
    problems: tuple[str, ...] = ()


def follow_command(event: CommentEvent, github: Talker, key: bytes | None) -> Followed:
    """Do what a comment asks for, but for a review. Raises GitHubError where the answer cannot be given."""
    command = parse_command(event.body)
    if command is None or not event.on_pull_request or not event.by_person:
        return Followed("Nothing was reviewed: the comment asks for nothing.")
    if not may_command(github, event.repository, event.author):
        return Followed(f"Nothing was reviewed: {event.author} has no write access to the repository.")
    problems = react(event, github)
    if command.wants_review:
        return Followed("", command, problems)
    scope = Scope(event.repository, event.number)
    conversation = github.read_conversation(event.repository, event.number)
    if not is_answered(event.comment_id, conversation.summary_candidates, scope, key):
        text = _answer(command, event, github, conversation, key)
        github.create_comment(
            event.repository, event.number, render_reply(text, event.comment_id, scope, key)
        )
    return Followed(f"Nothing was reviewed: the command `{command.verb}` was answered.", problems=problems)


def report_review(
    event: CommentEvent, command: Command, github: Talker, review: Review, key: bytes | None
) -> tuple[str, ...]:
    """Answer the comment that asked for the review, unless a run did before; sentences where it failed."""
    scope = Scope(event.repository, event.number)
    try:
        conversation = github.read_conversation(event.repository, event.number)
        if not is_answered(event.comment_id, conversation.summary_candidates, scope, key):
            body = render_reply(render_outcome(review, command), event.comment_id, scope, key)
            github.create_comment(event.repository, event.number, body)
        return add_cost(review, github, scope, key, conversation) if command.is_advice else ()
    except GitHubError as error:
        return (f"The command could not be answered: {error.sentences}",)


def _answer(
    command: Command, event: CommentEvent, github: Talker, conversation: Conversation, key: bytes | None
) -> str:
    if command.verb is Verb.HELP:
        return render_help(command)
    if command.verb is Verb.REMEMBER:
        return render_remembered()
    if command.verb is Verb.BUDGET:
        return render_budget(conversation, Scope(event.repository, event.number), key)
    dismissed: dict[str, str] = {}
    if command.verb is Verb.EXPLAIN:
        about = [call for call in conversation.calls if command.finding in call.body]
        dismissed, _ = read_dismissals(github, event.repository, about)
    said = dismissed.get(command.finding, "")
    return render_about_finding(command, conversation, Scope(event.repository, event.number), key, said)


def react(event: CommentEvent, github: Talker) -> tuple[str, ...]:
    """Show below a comment that it was read; a sentence where that failed."""
    try:
        github.react(event.repository, event.comment_id, SEEN)
    except GitHubError as error:
        return (f"No reaction could be given to the command: {error.sentences}",)
    return ()
