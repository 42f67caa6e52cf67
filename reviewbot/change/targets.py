"""Which commits of a repository on GitHub a run is about: what was asked for, held against the API.

The three commits of a Trigger come from here: head as the event names it, the tip of the base branch as
the API knows it now (the policy is read there), and their merge base, which GitHub alone can tell from
a store without history.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

from reviewbot.change.github_events import (
    CommentEvent,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    WorkflowRunEvent,
)
from reviewbot.change.payload import NotReviewed
from reviewbot.core import Sha, Trigger
from reviewbot.errors import ReviewbotError, SameRevisions, UsageError
from reviewbot.github.api import (
    Call,
    Conversation,
    GitHub,
    GitHubError,
    GitHubNotFound,
    GitHubRefused,
    PullRequest,
)


class DraftPullRequest(ReviewbotError):
    """The pull request is a draft, which is reviewed only where somebody asks for it."""

    exit_code = 3
    reason = "draft"
    help = "Mark it as ready for review, or ask for it: `/reviewbot review`, or a manual run."


class HeadMoved(ReviewbotError):
    """The pull request has another head by now: what was to be reviewed is no longer what would merge."""

    exit_code = 1
    reason = "head_moved"
    help = "The run of the newer commit reviews it; this one posted nothing."


class HeadUnknown(ReviewbotError):
    """Nobody could say whether what was reviewed is still what would merge."""

    exit_code = 1
    reason = "head_unknown"
    help = "Nothing was posted on it; run it again."


class WrongInput(UsageError):
    """The inputs of the action do not say what to review."""

    help = "Correct the `with:` block of the step in the workflow file."


class NoSuchCommit(WrongInput):
    """Somebody named a branch, tag, commit or pull request that the repository does not have."""

    help = "Check the spelling; a fork's branch is named by its commit."


@dataclass(frozen=True, slots=True)
class Named:
    """What the inputs of a manual run name; empty or None where not given."""

    pull_request: int | None
    base: str
    head: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a run reviews. ``conversation`` is where it is posted, ``calls`` are the comments that call us.

    ``history`` is where earlier rounds stand; in a merge queue they may be used, and nothing is posted.
    """

    trigger: Trigger
    conversation: Conversation | None
    note: str
    calls: tuple[Call, ...] = ()
    history: Conversation | None = None


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
    return Target(
        trigger, conversation, _note(trigger, ascii(pull.base_ref)), conversation.calls, conversation
    )


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

    Raises NoSuchCommit, SameRevisions where there is nothing between them, and GitHubError.
    """
    policy_sha = resolve_input(github, asked.repository, base, "base")
    head_sha = resolve_input(github, asked.repository, head, "head")
    base_sha = policy_sha if policy_sha == head_sha else _common(github, asked, (policy_sha, head_sha))
    if base_sha == head_sha:
        raise SameRevisions(
            f"{ascii(head)[:80]} is already part of {ascii(base)[:80]}, so there is nothing to review.",
            help="Swap the inputs `base` and `head`, or name an older `base`.",
        )
    trigger = replace(asked, base_sha=base_sha, policy_sha=policy_sha, head_sha=head_sha)
    return Target(trigger, None, _note(trigger, ascii(base)))


def resolve_input(github: GitHub, repository: str, revision: str, name: str) -> Sha:
    """The commit that the input ``name`` of the action names. Raises NoSuchCommit and GitHubError."""
    try:
        return github.resolve_commit(repository, revision)
    except (GitHubRefused, UsageError):  # 422 is how GitHub says that it knows no such commit
        said = f"The input `{name}` is {ascii(revision)[:80]}, which names no commit of {repository}."
        raise NoSuchCommit(said) from None


def _common(github: GitHub, asked: Trigger, ends: tuple[Sha, Sha]) -> Sha:
    try:
        return github.merge_base(asked.repository, *ends)
    except GitHubNotFound:
        raise NoSuchCommit(
            "The inputs `base` and `head` name commits without a common ancestor.",
            help="Name two commits of one history.",
        ) from None


def find_named(github: GitHub, asked: Trigger, named: Named) -> Target:
    """What a manual run names: a pull request, also a draft, or two commits.

    Raises WrongInput, and what ``find_pull_request`` and ``find_range`` raise.
    """
    if named.pull_request is None and named.base and named.head:
        return find_range(github, asked, named.base, named.head)
    if named.pull_request is None:
        raise WrongInput(
            "Nothing says what to review.",
            help="Give the input `pull-request`, or `base` and `head`, or `mode: scan`.",
        )
    if named.base or named.head:
        raise WrongInput("The input `pull-request` excludes `base` and `head`.")
    try:
        return find_pull_request(github, asked, drafts=True)
    except GitHubNotFound:
        raise NoSuchCommit(
            f"The input `pull-request` is {named.pull_request}, and {asked.repository} has no such pull "
            "request that the github-token may read.",
            help="Give the number of an open pull request.",
        ) from None


def find_scanned(github: GitHub, asked: Trigger, named: Named, workflow_sha: Sha) -> Target:
    """The commit of a scan, to be read whole; one request. ``base_sha`` stays empty.

    It is the input ``head``, else the commit of the workflow's run, else the default branch.
    Raises WrongInput and GitHubError.
    """
    if named.base or named.pull_request is not None:
        raise WrongInput("A scan reads one commit whole: it takes neither `base` nor `pull-request`.")
    if named.head:
        head_sha = resolve_input(github, asked.repository, named.head, "head")
    else:
        head_sha = github.resolve_commit(asked.repository, workflow_sha or "HEAD")
    return Target(replace(asked, policy_sha=head_sha, head_sha=head_sha), None, "")


def find_of_event(
    github: GitHub,
    asked: Trigger,
    event: PullRequestEvent | CommentEvent | MergeGroupEvent | PushEvent | WorkflowRunEvent,
) -> Target:
    """What an event is about that says so itself."""
    if isinstance(event, MergeGroupEvent):
        return find_group(github, asked, event)
    if isinstance(event, PushEvent):
        return find_push(github, asked, event)
    if isinstance(event, WorkflowRunEvent):
        return find_of_run(github, asked, event)
    return find_pull_request(github, asked, drafts=isinstance(event, CommentEvent))


def find_of_run(github: GitHub, asked: Trigger, event: WorkflowRunEvent) -> Target:
    """The one open pull request whose head is what a workflow ran for; three requests.

    Raises NotReviewed where there is none or more than one, and what ``find_pull_request`` raises.
    """
    heads = github.read_open_heads(asked.repository, event.head_branch)
    here = (event.head_owner.lower(), event.head_sha)
    numbers = [each.number for each in heads if (each.owner.lower(), each.sha) == here]
    if len(numbers) != 1:
        found = " and ".join(f"#{number}" for number in numbers[:2]) or "No open pull request"
        verb = "both have" if numbers else "has"
        raise NotReviewed(
            f"Nothing was reviewed: {found} {verb} the head {event.head_sha[:12]} that the workflow ran for.",
            help="A newer commit has a run of its own; of two pull requests name one in a manual run.",
        )
    return find_pull_request(
        github, replace(asked, pull_number=numbers[0], head_sha=event.head_sha), drafts=False
    )


def refuse_moved_head(github: GitHub, trigger: Trigger) -> None:
    """Raise HeadMoved where a pull request has another head by now; one request.

    What cannot be read is passed over: before anything is posted it is read again.
    """
    if trigger.pull_number is None:
        return
    with suppress(GitHubError):
        now = github.read_pull_request(trigger.repository, trigger.pull_number)
        if now.head_sha != trigger.head_sha:
            raise HeadMoved(f"The head moved to {now.head_sha[:12]} before the review began.")


def find_group(github: GitHub, asked: Trigger, event: MergeGroupEvent) -> Target:
    """What a merge queue adds to its base; three requests. The policy is that of the branch as it is now.

    ``calls`` are those of the pull request: what was dismissed there must not stop the queue, and what was
    read there need not be read again.

    Raises SameRevisions where the group adds nothing, and GitHubError.
    """
    policy_sha = github.resolve_commit(asked.repository, f"heads/{event.base_branch}")
    base_sha = github.merge_base(asked.repository, event.base_sha, event.head_sha)
    _refuse_nothing_new(base_sha, event.head_sha, "The merge group adds no commit to its base.")
    trigger = replace(asked, base_sha=base_sha, policy_sha=policy_sha, head_sha=event.head_sha)
    note = _note(trigger, ascii(event.base_branch))
    if event.pull_number is None:
        return Target(trigger, None, note)
    try:
        history = github.read_conversation(asked.repository, event.pull_number)
        return Target(trigger, None, note, history.calls, history)
    except GitHubError as error:
        return Target(trigger, None, f"{note} No dismissal could be read: {error.sentences}")


def find_push(github: GitHub, asked: Trigger, event: PushEvent) -> Target:
    """What a push added to its branch; two requests, three where the branch before it is gone.

    The policy is that of the default branch, and where that was pushed to, as it was before. A new branch
    is compared with the default branch. The first push of all is read whole (``base_sha`` stays empty) by
    its own policy: there was none before.

    Raises SameRevisions where the push added nothing, and GitHubError.
    """
    is_default = event.branch == event.default_branch
    asked = replace(asked, head_sha=event.after)
    if is_default and event.before is None:
        return Target(replace(asked, policy_sha=event.after), None, "The first push of all: read whole.")
    branch = f"heads/{event.default_branch}"
    policy_sha = (
        event.before if is_default and event.before else github.resolve_commit(asked.repository, branch)
    )
    base_sha, named = _pushed_base(github, asked.repository, event, policy_sha)
    _refuse_nothing_new(base_sha, event.after, f"The push added no commit to {ascii(event.branch)[:80]}.")
    trigger = replace(asked, base_sha=base_sha, policy_sha=policy_sha)
    return Target(trigger, None, _note(trigger, named))


def _pushed_base(github: GitHub, repository: str, event: PushEvent, policy_sha: Sha) -> tuple[Sha, str]:
    """What the branch was before or, where GitHub has that no more, the default branch; and its name."""
    if event.before is not None:
        try:
            return github.merge_base(repository, event.before, event.after), "what was there before"
        except GitHubNotFound:
            if event.before == policy_sha:
                raise
    return github.merge_base(repository, policy_sha, event.after), ascii(event.default_branch)


def _refuse_nothing_new(base_sha: Sha, head_sha: Sha, what: str) -> None:
    """An older commit would otherwise get a success for the empty change that leads back to it."""
    if base_sha == head_sha:
        raise SameRevisions(what, help="Nothing is to be done: the verdict that the commit had still holds.")


def _note(trigger: Trigger, base: str) -> str:
    head, fork = trigger.head_sha[:12], trigger.base_sha[:12]
    return f"Reviewed {head} against {fork}, where it branched off from {base[:80]}."
