"""Pull requests that the policy leaves out by their author. What is skipped never passes."""

from contextlib import suppress

from reviewbot.change.git import Repository
from reviewbot.change.policy_file import Asked, read_settings
from reviewbot.change.targets import Target
from reviewbot.core import TriggerKind
from reviewbot.errors import PolicyError, ReviewbotError, UsageError

BY_HAND = (TriggerKind.ISSUE_COMMENT, TriggerKind.WORKFLOW_DISPATCH)
"""Somebody asks for this very pull request: neither its author nor that it is a draft keeps it from that."""


class SkippedAuthor(ReviewbotError):
    """The policy says that pull requests of this author are not reviewed."""

    exit_code = 3
    reason = "skipped_author"
    help = "Somebody with write access may ask for it with `/reviewbot review`."


def refuse_skipped_author(repository: Repository, target: Target, asked: Asked) -> None:
    """Raise SkippedAuthor where the policy names the author in ``skip-authors``, unless it is asked by hand.

    A policy that cannot be read skips nobody: the review says what is wrong with it.
    """
    trigger, said = target.trigger, target.conversation
    if said is None or trigger.kind in BY_HAND:
        return
    names: tuple[str, ...] = ()
    with suppress(PolicyError, UsageError):
        names = read_settings(repository, trigger.policy_sha, asked)[0].skip_authors
    if said.pull.author.lower() in {name.lower() for name in names}:
        raise SkippedAuthor(
            f"Pull request #{said.pull.number} was not reviewed: it is by {said.pull.author}, whom "
            "`skip-authors` of the policy names."
        )
