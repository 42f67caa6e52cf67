"""What is asked of GitHub's GraphQL API, in its words; ``answers`` reads most of the answers. Pure."""

from dataclasses import dataclass

from reviewbot.core import Sha
from reviewbot.github.answers import Node, number_at, sha_at, text_at

# `fullDatabaseId`: comments have outgrown the 32 bits of `databaseId`. A comment of ours opens a
# thread or answers early in it.
_SHARED = """
  shared: repository(owner: $owner, name: ".github") {
    policy: object(expression: "HEAD:.github/reviewbot.yml") {
      __typename oid ... on Blob { text isBinary isTruncated }
    }
  }
"""

SHARED_POLICY = f"query ($owner: String!) {{{_SHARED}}}"

CONVERSATION = (
    """
query ($owner: String!, $name: String!, $number: Int!, $comments: String, $threads: String) {"""
    + _SHARED
    + """
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      id number state isDraft headRefOid headRefName headRepository { nameWithOwner }
      baseRefName baseRefOid baseRef { target { oid } } isCrossRepository author { __typename login }
      reviews(last: 5, states: [PENDING]) {
        nodes { id viewerDidAuthor comments(first: 100) { totalCount nodes { body } } }
      }
      comments(first: 100, after: $comments) {
        nodes {
          id fullDatabaseId body url viewerDidAuthor isMinimized
          lastEditedAt author { __typename login }
        }
        pageInfo { hasNextPage endCursor }
      }
      reviewThreads(first: 100, after: $threads) {
        nodes {
          id isResolved isOutdated
          comments(first: 20) {
            totalCount nodes { id fullDatabaseId body url viewerDidAuthor isMinimized state }
          }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
)

ISSUE_COMMENTS = """
query ($owner: String!, $name: String!, $number: Int!, $before: String) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      comments(last: 100, before: $before) {
        nodes {
          id fullDatabaseId body url viewerDidAuthor isMinimized
          lastEditedAt author { __typename login }
        }
        pageInfo { hasPreviousPage startCursor }
      }
    }
  }
}
"""

OPEN_HEADS = """
query ($owner: String!, $name: String!, $branch: String!) {
  repository(owner: $owner, name: $name) {
    pullRequests(headRefName: $branch, states: [OPEN], last: 100) {
      nodes { number headRefOid headRepositoryOwner { login } }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class OpenHead:
    """The head of an open pull request and the owner of the repository it lives in."""

    number: int
    sha: Sha
    owner: str


def open_heads(listing: Node) -> tuple[OpenHead, ...]:
    """Read a list of pull requests; those whose fork is gone are left out. Raises GitHubError."""
    return tuple(
        OpenHead(
            number_at(node, "number"),
            sha_at(node, "headRefOid"),
            text_at(node, "headRepositoryOwner", "login"),
        )
        for node in listing.get("nodes") or ()
        if isinstance(node, dict) and node.get("headRepositoryOwner")
    )
