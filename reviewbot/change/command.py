"""What people ask for in comments: one line, a closed set of words, and who may (THREATS R20)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reviewbot.github.answers import CALLED
from reviewbot.github.api import Call, GitHubError
from reviewbot.text import one_line

MOST_AUTHORS = 20
"""People whose rights one run looks up; the dismissals of more do not count, and the review says so."""

LONGEST_REASON = 300
LONGEST_NOTE = 500
_MAY = frozenset({"write", "admin"})
_FINDING = re.compile(r"`?([0-9a-f]{16})`?")


class Verb(StrEnum):
    """Every command."""

    HELP = "help"
    REVIEW = "review"
    SECURITY = "security"
    TESTS = "tests"
    BUDGET = "budget"
    EXPLAIN = "explain"
    DISMISS = "dismiss"
    REMEMBER = "remember"


@dataclass(frozen=True, slots=True)
class Command:
    """One command; ``reason`` is the text of one that takes some.

    ``wrong`` is a sentence where it cannot be followed; it is answered with the help then.
    ``full``: nothing that an earlier round read is taken as read.
    """

    verb: Verb
    finding: str = ""
    reason: str = ""
    wrong: str = ""
    full: bool = False

    @property
    def wants_review(self) -> bool:
        """Whether it takes a run over the change to answer it."""
        return self.verb in (Verb.REVIEW, Verb.SECURITY, Verb.TESTS)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents that are asked; empty for all of them."""
        return _AGENTS.get(self.verb, ())

    @property
    def is_advice(self) -> bool:
        """Whether what is found is only answered: it leaves files unread, so it says nothing of a merge."""
        return self.verb is Verb.TESTS


_AGENTS = {Verb.SECURITY: ("security",), Verb.TESTS: ("test_fix",)}


class Rights(Protocol):
    """What of ``github_api.GitHub`` tells who may command."""

    def read_permission(self, repository: str, login: str) -> str:
        """admin, write, read or none. May raise GitHubError."""


def parse_command(body: str) -> Command | None:
    """The command of a comment, None where nobody calls us.

    The whole comment is one line. A reason and a note are data: kept and shown, never followed.
    """
    line = body.strip()
    called, _, rest = line.partition(" ")
    if called.split("\n")[0].strip() != CALLED:
        return None
    if "\n" in line or "\r" in line:
        return Command(Verb.HELP, wrong="A command is a comment of one line.")
    word, _, argument = rest.strip().partition(" ")
    if word not in list(Verb):
        return Command(Verb.HELP, wrong="I do not know this command." if word else "")
    return _with_argument(Verb(word), argument.strip())


def _with_argument(verb: Verb, argument: str) -> Command:
    if verb in (Verb.EXPLAIN, Verb.DISMISS):
        return _about_finding(verb, argument)
    if verb is Verb.REMEMBER:
        wrong = Command(Verb.HELP, wrong="`remember` needs a text.")
        return Command(verb, reason=one_line(argument, LONGEST_NOTE)) if argument else wrong
    full = verb is Verb.REVIEW and argument == "full"
    if argument and not full:
        more = " or with `full`" if verb is Verb.REVIEW else ""
        return Command(Verb.HELP, wrong=f"`{verb}` stands alone{more}.")
    return Command(verb, full=full or verb is Verb.SECURITY)


def _about_finding(verb: Verb, argument: str) -> Command:
    named, _, reason = argument.partition(" ")
    found = _FINDING.fullmatch(named)
    if found is None:
        return Command(Verb.HELP, wrong=f"`{verb}` needs the 16 hex digits that name a finding.")
    if verb is Verb.EXPLAIN:
        return Command(verb, found[1]) if not reason else Command(Verb.HELP, wrong="`explain` takes one id.")
    if not reason.strip():
        return Command(Verb.HELP, wrong="`dismiss` needs a reason.")
    return Command(verb, found[1], one_line(reason.strip(), LONGEST_REASON))


def may_command(rights: Rights, repository: str, login: str) -> bool:
    """Whether somebody may write to the repository. What cannot be looked up is no."""
    try:
        return rights.read_permission(repository, login) in _MAY
    except GitHubError:
        return False


def read_dismissals(
    rights: Rights, repository: str, calls: Iterable[Call]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """A sentence for each finding that somebody with write access dismissed, and sentences about the others.

    One request for each person who wrote such a comment.
    """
    may: dict[str, bool] = {}
    dismissed: dict[str, str] = {}
    ignored = unknown = 0
    for call in calls:
        command = parse_command(call.body)
        if command is None or command.verb is not Verb.DISMISS:
            continue
        if call.author not in may:
            if len(may) >= MOST_AUTHORS:
                unknown += 1
                continue
            may[call.author] = may_command(rights, repository, call.author)
        if may[call.author]:
            dismissed[command.finding] = f"Dismissed by {call.author}: {command.reason}"
        else:
            ignored += 1
    return dismissed, tuple(_explain_uncounted(ignored, unknown))


def _explain_uncounted(ignored: int, unknown: int) -> Iterator[str]:
    if ignored:
        yield f"{_several(ignored)} not counted: only people with write access may dismiss."
    if unknown:
        why = f"{MOST_AUTHORS} other people wrote such comments before, and no more are looked up in a run"
        yield f"{_several(unknown)} not counted: {why}. Delete those comments and run it again."


def _several(dismissals: int) -> str:
    return "A dismissal was" if dismissals == 1 else f"{dismissals} dismissals were"
