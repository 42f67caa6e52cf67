"""What a review leaves on GitHub: one summary comment, one review with all comments, or a check run.

It approves, merges, labels and resolves nothing, and touches no comment but its own. What GitHub refuses
ends in ``Posted``, never in an exception: the reports and the exit code stand without it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewbot.core import Conclusion, Review, Sha
from reviewbot.github_api import (
    Conversation,
    GitHubDenied,
    GitHubError,
    GitHubNotFound,
    GitHubRefused,
    OwnComment,
    PullRequest,
)
from reviewbot.publish import summary
from reviewbot.publish.comment import render_review_body, render_summary_comment
from reviewbot.publish.inline import InlinePlan, plan_inline
from reviewbot.publish.markdown import render_markdown
from reviewbot.publish.markers import Scope, is_summary, read_finding_markers
from reviewbot.publish.sanitize import one_line

_CHECK_CONCLUSIONS = {
    Conclusion.PASS: "success",
    Conclusion.FAIL: "failure",
    Conclusion.INCOMPLETE: "action_required",
}
_COMMENT_ID = re.compile(r"#issuecomment-(\d{1,18})$")


class Writer(Protocol):
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


class CheckWriter(Protocol):
    """What of ``github_api.GitHub`` a check run needs."""

    def create_check_run(
        self,
        *,
        repository: str,
        name: str,
        head_sha: Sha,
        conclusion: str,
        title: str,
        summary: str,
        text: str,
        details_url: str | None,
    ) -> str:
        """A finished check run; returns its URL."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of it.

    ``inline`` findings got a comment in this run; ``left_over`` deserve one and stand only in the summary.
    ``denied``: the token may not write (or read). ``moved``: the pull request is about other commits now,
    and nothing was posted. ``problems`` are sentences; empty where all went well.
    """

    inline: int = 0
    left_over: int = 0
    summary_url: str = ""
    denied: bool = False
    moved: bool = False
    problems: tuple[str, ...] = ()


def publish_to_pull_request(
    review: Review,
    github: Writer,
    conversation: Conversation,
    *,
    limit: int,
    key: bytes | None,
    gate: str,
) -> Posted:
    """Post the review to its pull request, in at most four requests (one more where our summary is gone).

    The head is read once more before anything is posted. Then the summary is created or edited, and where
    there are new comments, one review holds them all. If GitHub does not take it, the summary is edited to
    show every finding in full. Raises ValueError for a review of no pull request, and no GitHubError.
    """
    publisher = _Publisher(review, github, conversation, key, gate)
    if not publisher.is_current():
        return publisher.posted(moved=publisher.moved)
    known = (read_finding_markers(own.body, publisher.scope, key) for own in conversation.inline)
    posted = frozenset[str]().union(*known)
    plan = plan_inline(review, posted=posted, limit=limit, scope=publisher.scope, key=key)
    standing = frozenset(finding.fingerprint for finding in plan.already)
    promised = standing | {comment.fingerprint for comment in plan.comments}
    publisher.write_summary(commented=promised, left_over=len(plan.not_inline))
    if publisher.denied:
        return publisher.posted(left_over=len(plan.comments) + len(plan.not_inline))
    if not plan.comments or publisher.write_review(plan):
        return publisher.posted(inline=len(plan.comments), left_over=len(plan.not_inline))
    left_over = len(plan.comments) + len(plan.not_inline)
    publisher.write_summary(commented=standing, left_over=left_over)
    return publisher.posted(left_over=left_over)


class _Publisher:
    """One pull request, our summary on it, and what went wrong so far."""

    def __init__(
        self, review: Review, github: Writer, conversation: Conversation, key: bytes | None, gate: str
    ) -> None:
        if review.trigger.pull_number is None:
            raise ValueError("the review is of no pull request")
        self.review, self.github, self.key, self.gate = review, github, key, gate
        self.pull = conversation.pull
        self.scope = Scope(review.trigger.repository, review.trigger.pull_number)
        ours = (own for own in conversation.summary_candidates if is_summary(own.body, self.scope, key))
        self.summary: OwnComment | None = next(ours, None)
        self.summary_url = ""
        self.moved = self.denied = False
        self.problems: list[str] = []

    def posted(self, *, inline: int = 0, left_over: int = 0, moved: bool = False) -> Posted:
        """Everything that happened so far."""
        return Posted(inline, left_over, self.summary_url, self.denied, moved, tuple(self.problems))

    def is_current(self) -> bool:
        """Whether the pull request still asks for the review of these commits, as far as can be known."""
        try:
            now = self.github.read_pull_request(self.scope.repository, self.scope.pull_number)
        except GitHubError as error:
            self._note("The pull request could not be read again, so nothing was posted", error)
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

    def write_review(self, plan: InlinePlan) -> bool:
        """Post all comments of the plan as one review; False where GitHub did not take it."""
        try:
            self.github.create_review(
                repository=self.scope.repository,
                number=self.scope.pull_number,
                head_sha=self.review.trigger.head_sha,
                body=render_review_body(self.summary_url),
                comments=[comment.as_request() for comment in plan.comments],
            )
        except GitHubError as error:
            self._note("The comments at the lines could not be posted; the summary shows them", error)
            return False
        return True

    def _note(self, what: str, error: GitHubError) -> None:
        self.denied |= isinstance(error, GitHubDenied)
        said = error.sentences
        if isinstance(error, GitHubRefused):
            said = "; ".join([said, *(detail for detail in error.details if detail not in said)])
        self.problems.append(one_line(f"{what}: {said}", 600))


def publish_check_run(
    review: Review,
    github: CheckWriter,
    repository: str,
    *,
    name: str = "reviewbot",
    details_url: str | None = None,
) -> str | None:
    """Write the verdict as a check run on the reviewed commit and return its URL.

    None where the token may not (403: there is no ``checks: write``). Raises other GitHubErrors: whoever
    gates by a check run must know that there is none.
    """
    try:
        return github.create_check_run(
            repository=repository,
            name=name,
            head_sha=review.trigger.head_sha,
            conclusion=check_conclusion(review),
            title=one_line(f"{summary.conclusion(review)}: {summary.headline(review)}", 250),
            summary=render_markdown(review),
            text="",
            details_url=details_url,
        )
    except GitHubDenied:
        return None


def check_conclusion(review: Review) -> str:
    """The verdict in GitHub's words: success, failure, neutral or action_required."""
    verdict = review.verdict
    if verdict.exit_code > 1:
        return "action_required"
    if verdict.conclusion is Conclusion.INCOMPLETE and verdict.exit_code == 0:
        return "neutral"
    return _CHECK_CONCLUSIONS[verdict.conclusion]
