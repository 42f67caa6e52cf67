"""The findings of a whole review as alerts of GitHub's code scanning.

An upload takes the place of the one before it on the same ref and in the same category: what is not in it
GitHub calls fixed. So only what was read whole is uploaded, a change to its pull request and a scan to its
branch, each in a category of its own; a push or a range would close the alerts of all that it does not touch.
"""

import base64
import gzip
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from reviewbot.core import Review, Sha, TriggerKind
from reviewbot.errors import ReviewbotError
from reviewbot.evidence.sarif_report import render_sarif
from reviewbot.github.api import GitHubError, GitHubNotFound
from reviewbot.github.errors import GitHubDenied
from reviewbot.publish.memory import is_complete
from reviewbot.text import one_line

MOST_BYTES = 10_000_000
"""Compressed bytes that GitHub takes: https://docs.github.com/code-security/code-scanning."""

PAUSES = (2.0, 8.0)
"""Seconds before each look at what became of an upload; with the upload itself three requests."""

CHANGE, SCAN = "reviewbot", "reviewbot-scan"
"""The categories: a change is not compared with what a scan found, which knows other files."""

_BRANCH = re.compile(r"refs/heads/[!-~]{1,250}")


class SarifTaker(Protocol):
    """What of ``github_api.GitHub`` is needed here. Every method may raise GitHubError."""

    def upload_sarif(self, repository: str, ref: str, commit_sha: Sha, sarif: str) -> str:
        """Hand in a compressed report; returns the name of the upload."""

    def read_sarif_status(self, repository: str, upload: str) -> tuple[str, tuple[str, ...]]:
        """pending, complete or failed, and what went wrong."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the alerts of a review belong."""

    ref: str
    category: str


class NotUploaded(ReviewbotError):
    """A review that code scanning cannot take without calling something fixed that is not."""

    help = "Let a whole pull request or the workflow's own branch be read to the end."


def find_place(review: Review, environment: Mapping[str, str], *, is_scan: bool) -> Place:
    """The ref that holds the reviewed commit. ``environment`` is the step's.

    Raises NotUploaded, with the reason, where there is none or where not all was read.
    """
    trigger = review.trigger
    if not is_complete(review):
        raise NotUploaded("not all was read, and code scanning would call fixed what is missing.")
    if trigger.pull_number is not None and not is_scan and trigger.kind is not TriggerKind.MERGE_GROUP:
        # GitHub knows no `merge` commit of ours: what was reviewed is the head itself.
        return Place(f"refs/pull/{trigger.pull_number:d}/head", CHANGE)
    ref = environment.get("GITHUB_REF", "")
    if not is_scan:
        raise NotUploaded("only whole pull requests and whole scans are.")
    if not _BRANCH.fullmatch(ref) or environment.get("GITHUB_SHA") != trigger.head_sha:
        raise NotUploaded("the scanned commit is not the one of the workflow's branch.")
    return Place(ref, SCAN)


def publish_sarif(
    review: Review, github: SarifTaker, environment: Mapping[str, str], *, is_scan: bool
) -> tuple[str, ...]:
    """Upload the review and wait at most ten seconds for GitHub to process it; at most three requests.

    Sentences about what did not work: nothing here changes a verdict.
    """
    try:
        place = find_place(review, environment, is_scan=is_scan)
        upload = _upload(review, github, place)
        return _await_processing(github, review.trigger.repository, upload)
    except NotUploaded as reason:
        return (f"Code scanning got nothing: {reason}",)
    except (GitHubDenied, GitHubNotFound) as error:
        return (
            one_line(
                f"Code scanning got nothing: {error}. It must be enabled, and the job needs "
                "`security-events: write`.",
                600,
            ),
        )
    except GitHubError as error:
        return (one_line(f"Code scanning got nothing: {error.sentences}", 600),)


def _upload(review: Review, github: SarifTaker, place: Place) -> str:
    data = compress_sarif(_in_category(render_sarif(review), place.category))
    trigger = review.trigger
    return github.upload_sarif(trigger.repository, place.ref, trigger.head_sha, data)


def _in_category(sarif: str, category: str) -> str:
    log = json.loads(sarif)
    for run in log["runs"]:
        run["automationDetails"] = {"id": f"{category}/"}
    return json.dumps(log, separators=(",", ":"), ensure_ascii=True)


def compress_sarif(sarif: str) -> str:
    """The report as base64 of gzip, the same for the same report. Raises NotUploaded where too large."""
    packed = gzip.compress(sarif.encode("ascii"), mtime=0)
    if len(packed) > MOST_BYTES:
        raise NotUploaded(
            f"the report has {len(packed):,} bytes compressed, and GitHub takes {MOST_BYTES:,}."
        )
    return base64.b64encode(packed).decode("ascii")


def _await_processing(github: SarifTaker, repository: str, upload: str) -> tuple[str, ...]:
    for pause in PAUSES:
        time.sleep(pause)
        try:
            status, errors = github.read_sarif_status(repository, upload)
        except GitHubNotFound:  # it is not listed at once
            continue
        except GitHubError as error:
            said = f"Code scanning took the report; what became of it cannot be read: {error.sentences}"
            return (one_line(said, 600),)
        if status == "complete":
            return ()
        if status == "failed":
            said = "; ".join(errors) or "it gives no reason"
            return (one_line(f"Code scanning could not process the report: {said}", 600),)
    return ("Code scanning took the report and is still processing it.",)
