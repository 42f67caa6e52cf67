"""Following a command below an issue: only the tracking issue of scans takes one, a note for the agents.

The comment itself is the note: `action.scan` reads it from there.
"""

from reviewbot.change.command import Command, Verb, may_command, parse_command
from reviewbot.change.github_events import CommentEvent
from reviewbot.github.api import GitHub
from reviewbot.github.issues import read_talk
from reviewbot.publish.commands import Followed, react
from reviewbot.publish.markers import Scope
from reviewbot.publish.replies import (
    is_answered,
    render_help_for_scans,
    render_remembered_for_scans,
    render_reply,
)
from reviewbot.publish.tracking import read_tracked


def follow_below_issue(event: CommentEvent, github: GitHub, key: bytes | None) -> Followed:
    """Do what a comment below an issue asks for. Raises GitHubError where the answer cannot be given.

    Whoever may not command gets nothing, and neither does a comment below another issue.
    """
    command = parse_command(event.body)
    if command is None or not event.by_person:
        return Followed("Nothing was reviewed: the comment asks for nothing.")
    if not may_command(github, event.repository, event.author):
        return Followed(f"Nothing was reviewed: {event.author} has no write access to the repository.")
    tracked = read_tracked(github, event.repository, key)
    if tracked.denied:
        return Followed("Nothing was reviewed.", problems=(f"No answer to the command: {tracked.denied}",))
    if tracked.issue is None or tracked.issue.number != event.number:
        return Followed("Nothing was reviewed: commands stand below pull requests and the tracking issue.")
    problems = react(event, github)
    _answer(command, event, github, key)
    return Followed(f"Nothing was reviewed: the command `{command.verb}` was answered.", problems=problems)


def _answer(command: Command, event: CommentEvent, github: GitHub, key: bytes | None) -> None:
    scope = Scope(event.repository, event.number)
    if is_answered(event.comment_id, read_talk(github, event.repository, event.number).own, scope, key):
        return
    is_note = command.verb is Verb.REMEMBER
    text = render_remembered_for_scans() if is_note else render_help_for_scans(command)
    body = render_reply(text, event.comment_id, scope, key)
    github.create_comment(event.repository, event.number, body)
