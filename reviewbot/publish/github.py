"""What a review leaves on a pull request: one summary comment, and one review with all comments.

It approves, merges and labels nothing, and touches no comment and no thread but its own. What GitHub refuses
ends in ``Posted``, never in an exception: the reports and the exit code stand without it.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewbot.core import Review, Sha
from reviewbot.earlier import Remembered, render_round
from reviewbot.github.api import (
    Conversation,
    GitHubDenied,
    GitHubError,
    GitHubLost,
    GitHubNotFound,
    GitHubRefused,
    OwnComment,
    PullRequest,
)
from reviewbot.publish import summary
from reviewbot.publish.comment import render_review_body, render_summary_comment
from reviewbot.publish.costs import add_cost
from reviewbot.publish.inline import InlineComment, plan_inline
from reviewbot.publish.markers import Scope
from reviewbot.publish.memory import next_round, since_last_round
from reviewbot.publish.pending import Changer, Filled, post_one_by_one
from reviewbot.publish.sanitize import one_line
from reviewbot.publish.threads import (
    MOST_RETIRED,
    RESOLVED,
    find_summary,
    plan_retirements,
    render_retirements,
    standing,
)

PAUSE_SECONDS = 2.0
"""Between an answer that was lost and a look at what became of the request."""

_READ_ONLY = (
    "this run's token may only read, as is usual for a fork or Dependabot. The job summary and annotations "
    "hold the review; in other runs give the job `pull-requests: write`."
)
_COMMENT_ID = re.compile(r"#issuecomment-(\d{1,18})$")


class Writer(Changer, Protocol):
    """What of ``github_api.GitHub`` is needed here. Every method may raise GitHubError."""

    def read_pull_request(self, repository: str, number: int) -> PullRequest:
        """The pull request as it is now."""

    def create_comment(self, repository: str, number: int, body: str) -> str:
        """A new comment; returns its URL."""

    def edit_comment(self, repository: str, comment_id: int, body: str) -> str:
        """Another body for a comment; returns its URL."""

    def create_review(
        self,
        *,
        repository: str,
        number: int,
        head_sha: Sha,
        body: str,
        comments: Sequence[Mapping[str, Any]],
    ) -> str:
        """A review that only comments; returns its URL."""

    def read_conversation(self, repository: str, number: int) -> Conversation:
        """All that we said on the pull request."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of it.

    ``inline`` findings got a comment in this run; ``left_over`` deserve one and stand only in the summary;
    ``retired`` comments of earlier runs were hidden, because their finding is gone.
    ``denied``: GitHub refused the token; ``read_only``: because it has no right to write. ``moved``: the pull
    request is about other commits now, ``unread``: nobody knows, and nothing was posted. ``problems`` are
    sentences; empty where all went well.
    """

    inline: int = 0
    left_over: int = 0
    summary_url: str = ""
    denied: bool = False
    moved: bool = False
    problems: tuple[str, ...] = ()
    retired: int = 0
    read_only: bool = False
    unread: bool = False


def publish_to_pull_request(
    review: Review,
    github: Writer,
    conversation: Conversation,
    *,
    limit: int,
    key: bytes | None,
    gate: Callable[[], str],
    remembered: Sequence[Remembered] = (),
) -> Posted:
    """Post the review to its pull request, in at most five requests (one more where our summary is gone).

    The head is read once more before anything is posted; then ``gate`` is called for the sentence that says
    what gates. The summary is created or edited, and where there are new comments, one review holds them
    all. If GitHub does not take it, they are posted one by one in three requests more, and the summary is
    edited to show in full what has no comment. Comments whose finding is gone are hidden. ``remembered``
    is what the next run is told of model agents' findings, where there is a ``key``.

    Raises ValueError for a review of no pull request, and no GitHubError.
    """
    publisher = _Publisher(review, github, conversation, key, remembered=remembered)
    if not publisher.is_current():
        publisher.problems += add_cost(review, github, publisher.scope, key) if publisher.moved else ()
        return publisher.posted()
    publisher.gate = gate()
    posted = standing(conversation, publisher.scope, key)
    plan = plan_inline(review, posted=posted, limit=limit, scope=publisher.scope, key=key)
    standing_here = frozenset(finding.fingerprint for finding in plan.already)
    promised = standing_here | {comment.fingerprint for comment in plan.comments}
    publisher.write_summary(commented=promised, left_over=len(plan.not_inline))
    if publisher.denied:
        return publisher.posted(left_over=len(plan.comments) + len(plan.not_inline))
    inline, left_over = len(plan.comments), len(plan.not_inline)
    taken = publisher.write_review(plan.comments) if plan.comments else ()
    if publisher.moved:
        return publisher.posted()
    if len(taken) < inline:
        inline, left_over = len(taken), left_over + inline - len(taken)
        commented = standing_here | {comment.fingerprint for comment in taken}
        publisher.write_summary(commented=commented, left_over=left_over)
    publisher.retire()
    return publisher.posted(inline=inline, left_over=left_over)


class _Publisher:
    """One pull request, our summary on it, and what went wrong so far."""

    def __init__(
        self,
        review: Review,
        github: Writer,
        conversation: Conversation,
        key: bytes | None,
        *,
        remembered: Sequence[Remembered],
    ) -> None:
        if review.trigger.pull_number is None:
            raise ValueError("the review is of no pull request")
        self.review, self.github, self.key, self.gate = review, github, key, ""
        self.conversation, self.pull = conversation, conversation.pull
        self.scope = Scope(review.trigger.repository, review.trigger.pull_number)
        self.summary, last = find_summary(conversation, self.scope, key)
        self.round = next_round(review, last, remembered if key else (), key)
        self.retired = 0
        self.summary_url = ""
        self.moved = self.unread = self.denied = self.read_only = False
        self.problems: list[str] = []

    def posted(self, *, inline: int = 0, left_over: int = 0) -> Posted:
        """Everything that happened so far."""
        return Posted(
            inline, left_over, self.summary_url, self.denied, self.moved, tuple(self.problems), self.retired,
            self.read_only, self.unread,
        )  # fmt: skip

    def is_current(self) -> bool:
        """Whether the pull request still asks for the review of these commits, as far as can be known."""
        try:
            now = self.github.read_pull_request(self.scope.repository, self.scope.pull_number)
        except GitHubError as error:
            self._note("The pull request could not be read again, so nothing was posted", error)
            self.unread = True
            return False
        if now.head_sha != self.review.trigger.head_sha:
            self.moved = True
            self.problems.append(
                f"The head moved to {now.head_sha[:12]} during the review, so nothing was posted."
            )
        elif now.base_ref != self.pull.base_ref:
            self.moved = True
            self.problems.append("The base branch was changed during the review, so nothing was posted.")
        return not self.moved

    def write_summary(self, *, commented: Collection[str], left_over: int) -> None:
        """Create the one summary or edit it; the same text is not sent twice."""
        body = render_summary_comment(
            self.review,
            scope=self.scope,
            key=self.key,
            inline_posted=len(commented),
            left_over=left_over,
            gate=self.gate,
            commented=commented,
            since=since_last_round(self.review, self.round),
            memory=render_round(self.round),
        )
        try:
            self.summary_url = self._put(body)
        except GitHubError as error:
            self._note("The summary comment could not be written", error)

    def _put(self, body: str) -> str:
        repository, number = self.scope.repository, self.scope.pull_number
        if self.summary is not None:
            # GitHub may hand out carriage returns and drop white space at the end.
            if self.summary.body.replace("\r\n", "\n").rstrip() == body.rstrip():
                return self.summary.url
            try:
                url = self.github.edit_comment(repository, self.summary.id, body)
            except GitHubNotFound:  # somebody deleted it during the review
                self.summary = None
            else:
                self.summary = OwnComment(id=self.summary.id, body=body, url=url)
                return url
        url = self.github.create_comment(repository, number, body)
        if found := _COMMENT_ID.search(url):
            self.summary = OwnComment(id=int(found[1]), body=body, url=url)
        return url

    def write_review(self, comments: Sequence[InlineComment]) -> Sequence[InlineComment]:
        """Post all comments as one review, and what GitHub does not take whole one by one.

        The comments that GitHub took.
        """
        try:
            try:
                self._send_review(comments)
            except GitHubLost:
                time.sleep(PAUSE_SECONDS)
                if not self._stand(comments):
                    self._send_review(comments)
        except GitHubRefused as error:
            return self._one_by_one(comments, error)
        except GitHubError as error:
            self._note("The comments at the lines could not be posted; the summary shows them", error)
            return ()
        return comments

    def _send_review(self, comments: Sequence[InlineComment]) -> None:
        self.github.create_review(
            repository=self.scope.repository,
            number=self.scope.pull_number,
            head_sha=self.review.trigger.head_sha,
            body=render_review_body(self.summary_url),
            comments=[comment.as_request() for comment in comments],
        )

    def _stand(self, comments: Sequence[InlineComment]) -> bool:
        """Whether the comments are there although the answer that says so was lost."""
        now = self.github.read_conversation(self.scope.repository, self.scope.pull_number)
        there = standing(now, self.scope, self.key)
        return all(comment.fingerprint in there for comment in comments)

    def _one_by_one(
        self, comments: Sequence[InlineComment], refused: GitHubRefused
    ) -> Sequence[InlineComment]:
        try:
            filled = post_one_by_one(
                self.github,
                self.conversation,
                comments,
                head_sha=self.review.trigger.head_sha,
                body=render_review_body(self.summary_url),
                scope=self.scope,
                key=self.key,
            )
        except GitHubError as error:
            self._note("The comments at the lines could not be posted; the summary shows them", refused)
            self._note("Nor could they be posted one by one", error)
            return ()
        self._take(filled)
        return filled.taken

    def _take(self, filled: Filled) -> None:
        if filled.moved:
            self.moved = True
            self.problems.append("The head moved while the comments were posted, so none was.")
        self.problems += [one_line(problem, 600) for problem in filled.problems[:3]]
        if len(filled.problems) > 3:
            left = summary.count(len(filled.problems) - 3, "more comment")
            self.problems.append(f"{left} could not be posted, and the summary shows them.")

    def retire(self) -> None:
        """Answer and hide our comments whose finding is gone, in one request."""
        planned = plan_retirements(self.review, self.conversation, self.scope, self.key)
        if not planned:
            return
        try:
            _, failed = self.github.change(*render_retirements(planned[:MOST_RETIRED]))
            said = tuple(str(error) for name, error in failed if not name.startswith(RESOLVED))
        except GitHubError as error:
            said = (error.sentences,)
        self.retired = 0 if said else len(planned[:MOST_RETIRED])
        self.problems += [
            one_line(f"A comment whose finding is gone stays: {each}", 600) for each in said[:3]
        ]
        if len(planned) > MOST_RETIRED:
            left = summary.count(len(planned) - MOST_RETIRED, "more comment")
            self.problems.append(f"{left} whose finding is gone will be hidden by the next run.")

    def _note(self, what: str, error: GitHubError) -> None:
        said = error.sentences
        if isinstance(error, GitHubDenied):
            self.denied, self.read_only = True, self.read_only or error.is_read_only
            said = _READ_ONLY if error.is_read_only and not self.summary_url else said
        if isinstance(error, GitHubRefused):
            said = "; ".join([said, *(detail for detail in error.details if detail not in said)])
        self.problems.append(one_line(f"{what}: {said}", 600))
