"""What maintainers told us in comments (`remember`): data for prompts, read by no rule, written by no model.

The comment itself is what is remembered: whoever edits or deletes it takes it back.
"""

from collections.abc import Iterable

from reviewbot.change.command import MOST_AUTHORS, Rights, Verb, may_command, parse_command
from reviewbot.github.api import Call
from reviewbot.github.errors import GitHubError

MOST_NOTES = 10
"""Notes of one conversation that prompts get; the newest count."""


class OncePerPerson:
    """``Rights`` that look each person up once, and MOST_AUTHORS people at most."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._known: dict[tuple[str, str], str] = {}

    def read_permission(self, repository: str, login: str) -> str:
        """As ``Rights``. Raises GitHubError, also for one person too many."""
        if (repository, login) not in self._known:
            if len(self._known) >= MOST_AUTHORS:
                raise GitHubError(f"The rights of more than {MOST_AUTHORS} people are not looked up.")
            self._known[repository, login] = "none"  # a look-up that fails is not tried again
            self._known[repository, login] = self._rights.read_permission(repository, login)
        return self._known[repository, login]


def read_notes(
    rights: Rights, repository: str, calls: Iterable[Call]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """(who, text) of what people with write access asked to remember, newest first, and what was left out."""
    parsed = ((call, parse_command(call.body)) for call in calls)
    asked = [(call, command) for call, command in parsed if command and command.verb is Verb.REMEMBER]
    allowed = [
        (f"told by {call.author} in a comment", command.reason)
        for call, command in reversed(asked)
        if may_command(rights, repository, call.author)
    ]
    told = []
    if len(allowed) < len(asked):
        told.append("A note in a comment was not counted: only people with write access may leave some.")
    if len(allowed) > MOST_NOTES:
        told.append(f"Agents were given the newest {MOST_NOTES} of {len(allowed)} notes in comments.")
    return tuple(allowed[:MOST_NOTES]), tuple(told)
