"""A review that GitHub would not take whole, posted comment by comment.

GitHub refuses a review for one bad comment, and for a pending review that an earlier run left behind, and
says neither which nor whose. So what is left of ours is deleted, a review is begun, every comment is added
with an error of its own, and what was taken is submitted: three requests, whatever happens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewbot.core import Sha
from reviewbot.github.answers import Conversation, PendingReview
from reviewbot.github.api import GitHubError
from reviewbot.publish.inline import InlineComment
from reviewbot.publish.markers import Scope, read_finding_markers

_THREAD = "addPullRequestReviewThread(input: {pullRequestReviewId: $review, path: $p%d, body: $b%d, %s})"


class Changer(Protocol):
    """What of ``github_api.GitHub`` is needed here. It may raise GitHubError."""

    def change(
        self, text: str, variables: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], tuple[tuple[str, GitHubError], ...]]:
        """One mutation: what its parts answer, and the name and the error of each that failed."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The comments that GitHub took, why it did not take others, and whether the head moved meanwhile."""

    taken: tuple[InlineComment, ...] = ()
    problems: tuple[str, ...] = ()
    moved: bool = False


def post_one_by_one(
    github: Changer,
    conversation: Conversation,
    comments: Sequence[InlineComment],
    *,
    head_sha: Sha,
    body: str,
    scope: Scope,
    key: bytes | None,
) -> Filled:
    """Post what GitHub takes of ``comments`` as one review on ``head_sha``; at most three requests.

    Raises GitHubError where nothing could be posted.
    """
    left = [each for each in conversation.pending if is_left_over(each, scope, key)]
    begun, head = _begin(github, conversation.node_id, [each.node_id for each in left], head_sha, body)
    if head != head_sha:
        _end(github, begun, submit=False)
        return Filled(moved=True)
    text, variables = _render_threads(begun, comments)
    taken: tuple[InlineComment, ...] = ()
    try:
        answer, failed = github.change(text, variables)
        taken = tuple(each for n, each in enumerate(comments) if _thread(answer.get(f"t{n}")))
    finally:  # whatever became of it, no pending review stays behind
        _end(github, begun, submit=bool(taken))
    told = dict(failed)
    lost = ((n, each) for n, each in enumerate(comments) if each not in taken)
    return Filled(taken, tuple(_sentence(each, told.get(f"t{n}")) for n, each in lost))


def is_left_over(pending: PendingReview, scope: Scope, key: bytes | None) -> bool:
    """Whether a pending review holds nothing but comments of ours: other workflows share our identity."""
    ours = sum(bool(read_finding_markers(body, scope, key)) for body in pending.comments)
    return ours == pending.size


def _sentence(comment: InlineComment, error: GitHubError | None) -> str:
    where = f"{ascii(comment.path)[1:-1]}:{comment.line}"
    why = str(error) if error else "GitHub did not say why"
    return f"The comment at {where} was not taken, and stands in the summary: {why}"


def _begin(github: Changer, pull: str, left: Sequence[str], head_sha: Sha, body: str) -> tuple[str, object]:
    """A new pending review and the head that the pull request has now."""
    declared = "".join(f", $d{n}: ID!" for n in range(len(left)))
    deleted = " ".join(_deletion(f"d{n}") for n in range(len(left)))
    text = (
        f"mutation ($pull: ID!, $commit: GitObjectID!, $body: String{declared}) {{ {deleted} review: "
        "addPullRequestReview(input: {pullRequestId: $pull, commitOID: $commit, body: $body}) "
        "{ pullRequestReview { id pullRequest { headRefOid } } } }"
    )
    variables = {"pull": pull, "commit": head_sha, "body": body}
    answer, failed = github.change(text, {**variables, **{f"d{n}": each for n, each in enumerate(left)}})
    review = (answer.get("review") or {}).get("pullRequestReview") or {}
    if not isinstance(review.get("id"), str):
        raise dict(failed).get("review") or GitHubError("GitHub did not begin a review.")
    return review["id"], (review.get("pullRequest") or {}).get("headRefOid")


def _deletion(name: str) -> str:
    return f"{name}: deletePullRequestReview(input: {{pullRequestReviewId: ${name}}}) {{ clientMutationId }}"


def _render_threads(review: str, comments: Sequence[InlineComment]) -> tuple[str, dict[str, str]]:
    """One mutation that adds every comment to the pending review, and its variables."""
    declared, parts, variables = ["$review: ID!"], [], {"review": review}
    for n, each in enumerate(comments):
        declared.append(f"$p{n}: String!, $b{n}: String!")
        variables |= {f"p{n}": each.path, f"b{n}": each.body}
        place = f"line: {each.line:d}, side: {each.side.value}"
        if each.start_line is not None and each.start_side is not None:
            place += f", startLine: {each.start_line:d}, startSide: {each.start_side.value}"
        parts.append(f"t{n}: {_THREAD % (n, n, place)} {{ thread {{ id }} }}")
    return f"mutation ({', '.join(declared)}) {{ {' '.join(parts)} }}", variables


def _thread(part: object) -> bool:
    """Whether a thread was made: a line outside the diff is answered with none and no error."""
    return isinstance(part, Mapping) and isinstance(part.get("thread"), Mapping)


def _end(github: Changer, review: str, *, submit: bool) -> None:
    """Submit the pending review, or delete it where it is empty or about an older head."""
    what = _deletion("review")
    if submit:
        what = (
            "review: submitPullRequestReview(input: {pullRequestReviewId: $review, event: COMMENT}) "
            "{ clientMutationId }"
        )
    _, failed = github.change(f"mutation ($review: ID!) {{ {what} }}", {"review": review})
    if failed:
        raise failed[0][1]
