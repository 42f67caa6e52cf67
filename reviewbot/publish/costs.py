"""What all runs on one pull request have cost, as it stands in the marker of our summary.

Each run that writes the summary adds its own cost. One that does not (its head moved, or it only gave
advice) changes the marker alone, so that its cost is not forgotten.
"""

from dataclasses import replace
from typing import Protocol

from reviewbot.core import Review
from reviewbot.earlier import MOST_NANO, NANO, Round, render_round
from reviewbot.github.answers import Conversation
from reviewbot.github.errors import GitHubError
from reviewbot.publish.markers import Scope, summary_marker
from reviewbot.publish.memory import charged_nano
from reviewbot.publish.threads import find_summary
from reviewbot.text import dollars


class Keeper(Protocol):
    """What of ``github_api.GitHub`` is needed here. Every method may raise GitHubError."""

    def edit_comment(self, repository: str, comment_id: int, body: str) -> str:
        """Another body for a comment; returns its URL."""

    def read_conversation(self, repository: str, number: int) -> Conversation:
        """All that we said on the pull request."""


def add_cost(
    review: Review, github: Keeper, scope: Scope, key: bytes | None, conversation: Conversation | None = None
) -> tuple[str, ...]:
    """Add a run's cost to the total in our summary; a sentence where there is none that can take it.

    The summary is read again unless it is given: a run beside this one may have changed it.
    """
    cost = charged_nano(review)
    if not cost:
        return ()
    lost = f"The ${cost / NANO:.4f} of this run are in no total of the pull request: "
    try:
        said = conversation or github.read_conversation(scope.repository, scope.pull_number)
        ours, last = find_summary(said, scope, key)
        if ours is None or last is None:
            return (f"{lost}it has no summary yet that could hold one.",)
        data = render_round(replace(last, spent=min(MOST_NANO, last.spent + cost)))
        text = ours.body.replace("\r\n", "\n").rstrip().rpartition("\n")[0]
        github.edit_comment(scope.repository, ours.id, f"{text}\n{summary_marker(scope, key, data)}")
    except GitHubError as error:
        return (f"{lost}{error.sentences}",)
    return ()


def render_costs(last: Round) -> str:
    """What the pull request has cost, and what its cap leaves."""
    spent = f"All runs on this pull request may have cost ${last.spent / NANO:.4f} so far"
    if last.cap is None:
        return f"{spent}; its policy sets no `budget-usd-per-pull-request`."
    left = max(0, last.cap - last.spent) / NANO
    return (
        f"{spent}, of {dollars(last.cap / NANO)} (`budget-usd-per-pull-request` at the last round): "
        f"${left:.4f} are left."
    )
