"""Which commits of a repository on GitHub a run is about: what was asked for, held against the API.

The three commits of a Trigger come from here: head as the event names it, the tip of the base branch as
the API knows it now (the policy is read there), and their merge base, which GitHub alone can tell from
a store without history.
"""

from dataclasses import dataclass, replace

from reviewbot.change.payload import NotReviewed
from reviewbot.core import Sha, Trigger
from reviewbot.errors import ReviewbotError, SameRevisions
from reviewbot.github_api import Conversation, GitHub, PullRequest


class DraftPullRequest(ReviewbotError):
    """The pull request is a draft, which is not reviewed."""

    exit_code = 3
    reason = "draft"
    help = "Mark it as ready for review, and reviewbot will read it."


class HeadMoved(ReviewbotError):
    """The pull request has another head by now: what was to be reviewed is no longer what would merge."""

    exit_code = 1
    reason = "head_moved"
    help = "The run of the newer commit reviews it; this one posted nothing."


@dataclass(frozen=True, slots=True)
class Target:
    """What a run reviews. ``conversation`` is what is said on the pull request, where there is one."""

    trigger: Trigger
    conversation: Conversation | None
    note: str


def find_pull_request(github: GitHub, asked: Trigger, *, drafts: bool) -> Target:
    """The commits of the open pull request ``asked.pull_number``; two requests.

    Where ``asked.head_sha`` is not empty the pull request must still have that head. ``drafts`` says
    whether a draft is reviewed, too.

    Raises:
        NotReviewed: it is closed or merged. DraftPullRequest, HeadMoved, GitHubError.
    """
    assert asked.pull_number is not None
    conversation = github.read_conversation(asked.repository, asked.pull_number)
    pull = conversation.pull
    _refuse_unreviewable(pull, drafts)
    if asked.head_sha and pull.head_sha != asked.head_sha:
        raise HeadMoved(
            f"The head of pull request #{pull.number} is {pull.head_sha[:12]} by now, no longer "
            f"{asked.head_sha[:12]}."
        )
    base_sha = github.merge_base(asked.repository, conversation.base_tip, pull.head_sha)
    trigger = replace(
        asked,
        base_sha=base_sha,
        policy_sha=conversation.base_tip,
        head_sha=pull.head_sha,
        is_fork=pull.is_fork,
    )
    return Target(trigger, conversation, _note(trigger, ascii(pull.base_ref)))


def _refuse_unreviewable(pull: PullRequest, drafts: bool) -> None:
    if pull.state != "open":
        state = "merged" if pull.merged else "closed"
        raise NotReviewed(
            f"Pull request #{pull.number} is {state}, so there is nothing to gate.",
            help="Reopen it, or review two commits by hand with the inputs `base` and `head`.",
        )
    if pull.is_draft and not drafts:
        raise DraftPullRequest(f"Pull request #{pull.number} is a draft and was not reviewed.")


def find_range(github: GitHub, asked: Trigger, base: str, head: str) -> Target:
    """The commits between two branches, tags or commits of ``asked.repository``; three requests.

    Raises SameRevisions where there is nothing between them, and GitHubError.
    """
    policy_sha: Sha = github.resolve_commit(asked.repository, base)
    head_sha = github.resolve_commit(asked.repository, head)
    base_sha = (
        policy_sha if policy_sha == head_sha else github.merge_base(asked.repository, policy_sha, head_sha)
    )
    if base_sha == head_sha:
        raise SameRevisions(
            f"{ascii(head)[:80]} is already part of {ascii(base)[:80]}, so there is nothing to review.",
            help="Swap the inputs `base` and `head`, or name an older `base`.",
        )
    trigger = replace(asked, base_sha=base_sha, policy_sha=policy_sha, head_sha=head_sha)
    return Target(trigger, None, _note(trigger, ascii(base)))


def find_tree(github: GitHub, asked: Trigger, revision: str) -> Target:
    """One commit of ``asked.repository``, to be read whole; one request. ``base_sha`` stays empty.

    Raises GitHubError.
    """
    head_sha = github.resolve_commit(asked.repository, revision)
    return Target(replace(asked, policy_sha=head_sha, head_sha=head_sha), None, "")


def _note(trigger: Trigger, base: str) -> str:
    head, fork = trigger.head_sha[:12], trigger.base_sha[:12]
    return f"Reviewed {head} against {fork}, where it branched off from {base[:80]}."
