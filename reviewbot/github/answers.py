"""What GitHub answers: JSON that nobody checked -> values. Pure.

Shapes: https://docs.github.com/en/rest and https://docs.github.com/en/graphql/reference.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reviewbot.core import Sha
from reviewbot.errors import UsageError
from reviewbot.github.errors import GitHubError, GitHubNotFound, graphql_error, graphql_path
from reviewbot.settings import POLICY_PATH
from reviewbot.text import one_line, show_surrogates

_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*/(?!\.\.?$)[A-Za-z0-9_.-]+")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

SHARED = "shared"
"""The part of an answer that holds the organisation's policy; it may fail alone."""

CALLED = "/reviewbot"
"""How people call us in a comment."""

Node = Mapping[str, Any]
"""One JSON object of an answer whose values nobody has checked yet."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request; ``state`` is open or closed, ``base_sha`` the tip of the base branch in this answer.

    ``head_repository`` is None where the fork was deleted; it is a fork all the same.
    """

    number: int
    state: str
    is_draft: bool
    merged: bool
    head_sha: Sha
    base_sha: Sha
    base_ref: str
    head_ref: str
    head_repository: str | None
    is_fork: bool
    author: str


@dataclass(frozen=True, slots=True)
class Thread:
    """What became of a comment of ours at a line. ``answers`` are our own below it, oldest first.

    ``left_open``: somebody else answered, and nobody resolved it.
    """

    node_id: str
    is_outdated: bool
    left_open: bool
    answers: tuple[str, ...] = ()
    is_resolved: bool = False


@dataclass(frozen=True, slots=True)
class OwnComment:
    """A comment that the identity of our own token wrote; ``thread`` is what it opened, if it did."""

    id: int
    body: str
    url: str
    node_id: str = ""
    is_minimized: bool = False
    thread: Thread | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A comment in which a person calls us, and which nobody edited or hid since."""

    id: int
    author: str
    body: str


@dataclass(frozen=True, slots=True)
class PendingReview:
    """A review that was begun; ``comments`` are the texts of its first hundred, ``size`` counts them all."""

    node_id: str
    comments: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class SharedPolicy:
    """The policy that an owner's `.github` repository holds for all repositories, or why there is none.

    ``said`` is a sentence for the report. ``where`` names the file and its blob; ``text`` is None where there
    is none, or where ``fault`` says what is wrong with it.
    """

    said: str
    where: str = ""
    text: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A pull request, the present tip of its base branch, what we said and who called us, oldest first.

    ``node_id`` is what GraphQL calls the pull request; ``pending`` are reviews of our identity that nobody
    submitted.
    """

    pull: PullRequest
    base_tip: Sha
    summary_candidates: tuple[OwnComment, ...]
    inline: tuple[OwnComment, ...]
    calls: tuple[Call, ...] = ()
    node_id: str = ""
    pending: tuple[PendingReview, ...] = ()
    shared_policy: SharedPolicy | None = None


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What a payload may lack; ``size_kib`` is GitHub's own count, of all objects."""

    default_branch: str
    size_kib: int


def check_repository(repository: str) -> str:
    """The name if it is ``owner/name``, so that it cannot lead to another place of the API."""
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{ascii(repository)[:80]} is no repository.", help="Name it as owner/name.")
    return repository


def check_ref(ref: str) -> str:
    """A branch, tag or commit as one segment of a path (git-check-ref-format(1) allows no ``..``)."""
    if not ref or ".." in ref or ref == "." or not ref.isprintable():
        raise UsageError(f"{ascii(ref)[:80]} names no commit.", help="Name a branch, a tag or a commit.")
    return quote(ref, safe="")


def check_login(login: str) -> str:
    """The name of a person as one segment of a path."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", login):
        raise GitHubError(f"{ascii(login)[:80]} is no name of a person.")
    return login


def check_name(name: str) -> str:
    """A name that GitHub gave to something of ours as one segment of a path."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise GitHubError(f"{ascii(name)[:80]} is no name that GitHub gives.")
    return name


def pull_of_rest(answer: Node) -> PullRequest:
    """Read the answer of ``GET /repos/{owner}/{repo}/pulls/{number}``."""
    own = text_at(answer, "base", "repo", "full_name")
    head = text_at(answer, "head", "repo", "full_name") if node_at(answer, "head").get("repo") else None
    return PullRequest(
        number=number_at(answer, "number"),
        state=text_at(answer, "state"),
        is_draft=answer.get("draft") is True,
        merged=answer.get("merged") is True,
        head_sha=sha_at(answer, "head", "sha"),
        base_sha=sha_at(answer, "base", "sha"),
        base_ref=text_at(answer, "base", "ref"),
        head_ref=text_at(answer, "head", "ref"),
        head_repository=head,
        is_fork=head is None or head.lower() != own.lower(),
        author=text_at(answer, "user", "login") if answer.get("user") else "ghost",
    )


def pull_of_graphql(pull: Node) -> PullRequest:
    """Read a ``PullRequest`` of GraphQL; a bot is named as REST names it."""
    state = text_at(pull, "state")
    author = text_at(pull, "author", "login") if pull.get("author") else "ghost"
    is_bot = author != "ghost" and node_at(pull, "author").get("__typename") == "Bot"
    head = text_at(pull, "headRepository", "nameWithOwner") if pull.get("headRepository") else None
    return PullRequest(
        number=number_at(pull, "number"),
        state="open" if state == "OPEN" else "closed",
        is_draft=pull.get("isDraft") is True,
        merged=state == "MERGED",
        head_sha=sha_at(pull, "headRefOid"),
        base_sha=sha_at(pull, "baseRefOid"),
        base_ref=text_at(pull, "baseRefName"),
        head_ref=text_at(pull, "headRefName"),
        head_repository=head,
        is_fork=head is None or pull.get("isCrossRepository") is not False,
        author=author + "[bot]" * (is_bot and not author.endswith("[bot]")),
    )


def shared_policy(answer: Node, owner: str) -> SharedPolicy:
    """Read the part ``shared`` of an answer of GraphQL, which may have failed alone."""
    name, errors = f"{owner}/.github", answer.get("errors") or ()
    failed = [graphql_error(error) for error in errors if graphql_path(error) == SHARED]
    said = next((error for error in failed if not isinstance(error, GitHubNotFound)), None)
    if said is not None:
        return unread_policy(owner, said)
    node = node_at(answer, "data").get(SHARED)
    if not isinstance(node, dict):
        return SharedPolicy(f"Organisation's policy: none; {name} does not exist or is hidden.")
    if node.get("policy") is None:
        return SharedPolicy(f"Organisation's policy: none; {name} holds no {POLICY_PATH}.")
    blob = node_at(node, "policy")
    where = f"{name}/{POLICY_PATH} at {sha_at(blob, 'oid')[:12]}"
    text = blob.get("text")
    is_whole = blob.get("isTruncated") is False and blob.get("isBinary") is not True
    if not isinstance(text, str) or not is_whole:
        return SharedPolicy(f"Organisation's policy: {where}.", where, None, "this is no text, or too long")
    return SharedPolicy(f"Organisation's policy: {where}.", where, text)


def unread_policy(owner: str, error: GitHubError) -> SharedPolicy:
    """No policy of an organisation, because of an error."""
    why = one_line(str(error), 300).rstrip(".")
    return SharedPolicy(f"Organisation's policy: {owner}/.github cannot be read ({why}).")


def own_comments(listing: Node) -> Iterator[OwnComment]:
    """The comments of ours in a list of comments, or in a list of threads that hold comments."""
    for node in listing.get("nodes") or ():
        if isinstance(node, dict) and "comments" in node:
            yield from _in_thread(node)
        elif isinstance(node, dict) and node.get("viewerDidAuthor") is True:
            yield _own_comment(node, None)


def _own_comment(node: Node, thread: Thread | None) -> OwnComment:
    return OwnComment(
        _comment_id(node),
        show_surrogates(str(node.get("body") or "")),
        url_at(node, "url"),
        str(node.get("id") or ""),
        node.get("isMinimized") is True,
        thread,
    )


def _in_thread(thread: Node) -> Iterator[OwnComment]:
    """Our comments of one thread; the one that opened it knows what became of it."""
    listing = node_at(thread, "comments")
    every = (node for node in listing.get("nodes") or () if isinstance(node, dict))
    nodes = [node for node in every if node.get("state") != "PENDING"]  # nobody else sees what is
    own, total = [node for node in nodes if node.get("viewerDidAuthor") is True], listing.get("totalCount")
    others = len(own) < (total if type(total) is int else len(nodes))
    about = Thread(
        str(thread.get("id") or ""),
        thread.get("isOutdated") is True,
        others and thread.get("isResolved") is not True,
        tuple(show_surrogates(str(node.get("body") or "")) for node in own if node is not nodes[0]),
        thread.get("isResolved") is True,
    )
    for node in own:
        yield _own_comment(node, about if node is nodes[0] else None)


def calls(listing: Node) -> Iterator[Call]:
    """The comments in a list in which a person calls us, as they were written."""
    for node in listing.get("nodes") or ():
        body = node.get("body") if isinstance(node, dict) else None
        if not isinstance(body, str) or not body.startswith(CALLED) or not node.get("author"):
            continue
        untouched = node.get("lastEditedAt") is None and node.get("isMinimized") is not True
        if untouched and node_at(node, "author").get("__typename") == "User":
            yield Call(_comment_id(node), text_at(node, "author", "login"), show_surrogates(body))


def pending_reviews(listing: Node) -> Iterator[PendingReview]:
    """The reviews of our own identity in a list of pending ones."""
    for node in listing.get("nodes") or ():
        if isinstance(node, dict) and node.get("viewerDidAuthor") is True:
            held = node_at(node, "comments")
            texts = (each.get("body") for each in held.get("nodes") or () if isinstance(each, dict))
            said = tuple(show_surrogates(str(text or "")) for text in texts)
            yield PendingReview(text_at(node, "id"), said, number_at(held, "totalCount"))


def _comment_id(node: Node) -> int:
    number = str(node.get("fullDatabaseId"))
    if not re.fullmatch("[0-9]{1,18}", number):
        raise GitHubError("A comment in GitHub's answer has no fullDatabaseId.")
    return int(number)


def node_at(answer: Node, *keys: str) -> Node:
    """The object under nested keys; raises GitHubError where there is none."""
    node = answer
    for key in keys:
        node = node.get(key)  # type: ignore[assignment]
        if not isinstance(node, dict):
            raise GitHubError(f"GitHub's answer has no object {'.'.join(keys)}.")
    return node


def _value(answer: Node, keys: tuple[str, ...]) -> object:
    return node_at(answer, *keys[:-1]).get(keys[-1])


def text_at(answer: Node, *keys: str) -> str:
    """The text under nested keys, lone surrogates made visible; raises GitHubError where there is none."""
    value = _value(answer, keys)
    if not isinstance(value, str) or not value:
        raise GitHubError(f"GitHub's answer has no text {'.'.join(keys)}.")
    return show_surrogates(value)


def number_at(answer: Node, *keys: str) -> int:
    """The whole number under nested keys; raises GitHubError where there is none."""
    value = _value(answer, keys)
    if type(value) is not int or value < 0:
        raise GitHubError(f"GitHub's answer has no number {'.'.join(keys)}.")
    return value


def sha_at(answer: Node, *keys: str) -> Sha:
    """The full object id under nested keys; raises GitHubError where there is none."""
    value = _value(answer, keys)
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        raise GitHubError(f"GitHub's answer has no object id {'.'.join(keys)}.")
    return value


def url_at(answer: Node, key: str = "html_url") -> str:
    """The https address under a key; raises GitHubError where there is none."""
    value = answer.get(key)
    if not isinstance(value, str) or not re.fullmatch("https://[!-~]{1,2000}", value):
        raise GitHubError(f"GitHub's answer has no address {key}.")
    return value
