"""What GraphQL may change: an answer in a thread, a comment hidden as outdated, a pending review."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.github.graphql_pages import problem
from tests.github.rules import body_problem, place_comment
from tests.github.state import IssueComment, Pull, Repository, Review, ReviewComment, State, Token

_Object = dict[str, Any]
_REASONS = {"OFF_TOPIC": "off-topic"}


def node_id(said: IssueComment | ReviewComment | Review) -> str:
    """The global id of something said."""
    kinds = {IssueComment: "IC", ReviewComment: "PRRC", Review: "PRR"}
    return f"{kinds[type(said)]}_{said.id}"


def mutations(state: State, token: Token, show: Callable[[Repository, Pull, Review], _Object]) -> _Object:
    """The resolvers, by the names of the mutations; ``show`` is how a review is answered."""

    def may_write() -> None:
        if not token.may("pull-requests:write"):
            raise problem("FORBIDDEN", "Resource not accessible by integration")

    def reply(input: _Object) -> _Object:
        may_write()
        pull, first = _find_thread(state, input["pullRequestReviewThreadId"])
        wrong = body_problem(input["body"])
        if wrong:
            raise problem("UNPROCESSABLE", wrong)
        said = _answer(state, token, first, input["body"])
        pull.review_comments.append(said)
        return {"comment": {"id": node_id(said)}}

    def minimize(input: _Object) -> _Object:
        may_write()
        said = _find_comment(state, input["subjectId"])
        classifier = input["classifier"]
        said.minimized = _REASONS.get(classifier, classifier.lower())
        return {"minimizedComment": {"__typename": _kind(said), "isMinimized": True}}

    def resolve(input: _Object) -> _Object:
        # The description says nothing of it, but an installation without this right is refused.
        if not (token.may("pull-requests:write") and token.may("contents:write")):
            raise problem("FORBIDDEN", "Resource not accessible by integration")
        _, first = _find_thread(state, input["threadId"])
        first.resolved = True
        return {"clientMutationId": None}

    return {
        "resolveReviewThread": resolve,
        "addPullRequestReviewThreadReply": reply,
        "minimizeComment": minimize,
        **_reviews(state, token, may_write, show),
    }


def _reviews(
    state: State,
    token: Token,
    may_write: Callable[[], None],
    show: Callable[[Repository, Pull, Review], _Object],
) -> _Object:
    """A review that is begun, filled, and submitted or deleted."""

    def begin(input: _Object) -> _Object:
        may_write()
        found, pull = _find_pull(state, input["pullRequestId"])
        if any(each.author == token.identity and each.state == "PENDING" for each in pull.reviews):
            raise problem("UNPROCESSABLE", "User can only have one pending review per pull request")
        commit = input.get("commitOID") or pull.head_sha
        if commit not in pull.known_heads:
            raise problem("UNPROCESSABLE", "The commit is not part of the pull request")
        clock = state.clock
        review = Review(
            clock.next_id(), token.identity, input.get("body") or "", "PENDING", commit, clock.now()
        )
        pull.reviews.append(review)
        return {"pullRequestReview": show(found, pull, review)}

    def add(input: _Object) -> _Object:
        may_write()
        found, pull, review = _find_review(state, token, input["pullRequestReviewId"])
        said = {name: input.get(name) for name in ("path", "body", "line", "side")}
        start = {"start_line": input.get("startLine"), "start_side": input.get("startSide")}
        place = place_comment(found.diff(pull), {**said, **start})
        if place == "Line could not be resolved":
            return {"thread": None}  # GitHub says nothing more
        if isinstance(place, str):
            raise problem("UNPROCESSABLE", place)
        made = ReviewComment(
            state.clock.next_id(), review.id, review.author, input["body"], review.commit_id, place.path,
            place.line, place.side, place.start_line, place.start_side, place.diff_hunk, place.position,
            state.clock.now(),
        )  # fmt: skip
        pull.review_comments.append(made)
        return {"thread": {"id": f"PRRT_{made.id}"}}

    def submit(input: _Object) -> _Object:
        may_write()
        _, pull, review = _find_review(state, token, input["pullRequestReviewId"])
        empty = not any(each.review_id == review.id for each in pull.review_comments)
        if empty and not review.body.strip():
            raise problem("UNPROCESSABLE", "Body can't be blank")
        review.state = {"COMMENT": "COMMENTED"}[input["event"]]
        return {"clientMutationId": None}

    def delete(input: _Object) -> _Object:
        may_write()
        _, pull, review = _find_review(state, token, input["pullRequestReviewId"])
        pull.reviews.remove(review)
        pull.review_comments[:] = [each for each in pull.review_comments if each.review_id != review.id]
        return {"clientMutationId": None}

    return {
        "addPullRequestReview": begin,
        "addPullRequestReviewThread": add,
        "submitPullRequestReview": submit,
        "deletePullRequestReview": delete,
    }


def pull_id(found: Repository, pull: Pull) -> str:
    """The global id of a pull request."""
    return f"PR_{found.id}_{pull.number}"


def _find_pull(state: State, wanted: str) -> tuple[Repository, Pull]:
    for found in state.repositories.values():
        for pull in found.pulls.values():
            if pull_id(found, pull) == wanted:
                return found, pull
    raise problem("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")


def _find_review(state: State, token: Token, wanted: str) -> tuple[Repository, Pull, Review]:
    """A pending review of one's own."""
    for found in state.repositories.values():
        for pull in found.pulls.values():
            for review in pull.reviews:
                if node_id(review) == wanted and review.author == token.identity:
                    if review.state != "PENDING":
                        raise problem("UNPROCESSABLE", "Can not change a review that was submitted")
                    return found, pull, review
    raise problem("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")


def _kind(said: IssueComment | ReviewComment) -> str:
    return "IssueComment" if isinstance(said, IssueComment) else "PullRequestReviewComment"


def _answer(state: State, token: Token, first: ReviewComment, body: str) -> ReviewComment:
    return ReviewComment(
        state.clock.next_id(), first.review_id, token.identity, body, first.commit_id, first.path,
        first.line, first.side, first.start_line, first.start_side, first.diff_hunk, first.position,
        state.clock.now(), reply_to=first.id,
    )  # fmt: skip


def _pulls(state: State) -> Iterator[Pull]:
    for repository in state.repositories.values():
        yield from repository.pulls.values()


def _find_thread(state: State, wanted: str) -> tuple[Pull, ReviewComment]:
    for pull in _pulls(state):
        for said in pull.review_comments:
            if said.reply_to is None and f"PRRT_{said.id}" == wanted:
                return pull, said
    raise problem("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")


def _find_comment(state: State, wanted: str) -> IssueComment | ReviewComment:
    for pull in _pulls(state):
        everything: list[IssueComment | ReviewComment] = [*pull.issue_comments, *pull.review_comments]
        for said in everything:
            if node_id(said) == wanted:
                return said
    raise problem("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")
