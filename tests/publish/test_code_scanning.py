"""What is handed to code scanning, by a recording double: tests/action/test_code_scanning.py has the sockets."""

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import Conclusion, Reason, Review, TriggerKind
from reviewbot.github.api import GitHubDenied, GitHubError, GitHubNotFound
from reviewbot.github.errors import GitHubLost
from reviewbot.publish import code_scanning
from reviewbot.publish.code_scanning import (
    MOST_BYTES,
    NotUploaded,
    Place,
    compress_sarif,
    find_place,
    publish_sarif,
)
from tests.publish import HEAD, finding, review

BRANCH = {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": HEAD}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_scanning, "PAUSES", (0.0, 0.0))


class Taker:
    """Takes what it is given; each look at it is answered by the next of ``states``."""

    def __init__(self, *states: object, refuses: GitHubError | None = None) -> None:
        self.states, self.refuses = list(states), refuses
        self.taken: list[tuple[str, str, str, str]] = []

    def upload_sarif(self, repository: str, ref: str, commit_sha: str, sarif: str) -> str:
        if self.refuses:
            raise self.refuses
        self.taken.append((repository, ref, commit_sha, sarif))
        return "47177e22"

    def read_sarif_status(self, repository: str, upload: str) -> tuple[str, tuple[str, ...]]:
        assert upload == "47177e22"
        state = self.states.pop(0)
        if isinstance(state, GitHubError):
            raise state
        assert isinstance(state, tuple)
        return state


def whole(pull_number: int | None = 7, kind: TriggerKind = TriggerKind.PULL_REQUEST) -> Review:
    made = review(finding(1), blocking=1)
    return replace(made, trigger=replace(made.trigger, pull_number=pull_number, kind=kind))


def test_a_pull_request_belongs_to_its_head_and_a_scan_to_its_branch() -> None:
    assert find_place(whole(), {}, is_scan=False) == Place("refs/pull/7/head", "reviewbot")
    scanned = whole(None, TriggerKind.SCHEDULE)
    assert find_place(scanned, BRANCH, is_scan=True) == Place("refs/heads/main", "reviewbot-scan")


@pytest.mark.parametrize(
    ("made", "environment", "is_scan"),
    [
        (whole(None, TriggerKind.PUSH), BRANCH, False),
        (whole(7, TriggerKind.MERGE_GROUP), BRANCH, False),
        (whole(None, TriggerKind.WORKFLOW_DISPATCH), BRANCH, False),
        (whole(None, TriggerKind.SCHEDULE), {**BRANCH, "GITHUB_SHA": "e" * 40}, True),
        (whole(None, TriggerKind.SCHEDULE), {**BRANCH, "GITHUB_REF": "refs/tags/v1"}, True),
        (whole(None, TriggerKind.SCHEDULE), {}, True),
    ],
    ids=["push", "queue", "range", "another commit", "tag", "no ref"],
)
def test_what_would_close_alerts_of_other_code_is_not_uploaded(
    made: Review, environment: dict[str, str], is_scan: bool
) -> None:
    with pytest.raises(NotUploaded):
        find_place(made, environment, is_scan=is_scan)
    taker = Taker()
    [said] = publish_sarif(made, taker, environment, is_scan=is_scan)
    assert said.startswith("Code scanning got nothing: ")
    assert taker.taken == []


@pytest.mark.parametrize("code", ["unreviewed", "budget", "no_secrets", "head_moved"])
def test_what_was_not_read_whole_is_not_uploaded(code: str) -> None:
    made = whole()
    verdict = replace(made.verdict, conclusion=Conclusion.INCOMPLETE, reasons=(Reason(code, "x."),))
    taker = Taker()
    [said] = publish_sarif(replace(made, verdict=verdict), taker, {}, is_scan=False)
    assert "not all was read" in said
    assert taker.taken == []


def test_the_report_is_compressed_and_has_our_category_and_fingerprints() -> None:
    taker = Taker(("complete", ()))
    assert publish_sarif(whole(), taker, {}, is_scan=False) == ()
    [(repository, ref, commit, sarif)] = taker.taken
    assert (repository, ref, commit) == ("acme/shop", "refs/pull/7/head", HEAD)
    [run] = json.loads(gzip.decompress(base64.b64decode(sarif)))["runs"]
    assert run["automationDetails"] == {"id": "reviewbot/"}
    [result] = run["results"]
    assert result["partialFingerprints"] == {"reviewbotFingerprint/v1": finding(1).fingerprint}


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ([("pending", ()), ("complete", ())], None),
        ([GitHubNotFound("Not yet."), ("complete", ())], None),
        ([("pending", ()), ("pending", ())], "still processing"),
        ([("failed", ("rule x is broken",))], "rule x is broken"),
        ([("failed", ())], "no reason"),
        ([GitHubLost("No answer.")], "cannot be read: No answer."),
    ],
)
def test_what_became_of_the_report_is_waited_for_and_said(states: list[Any], says: str | None) -> None:
    said = publish_sarif(whole(), Taker(*states), {}, is_scan=False)
    assert says is None if not said else says and says in said[0]
    assert bool(said) == bool(says)


@pytest.mark.parametrize("error", [GitHubDenied("Not enabled."), GitHubNotFound("Hidden.")])
def test_a_refusal_is_one_sentence_that_names_both_remedies(error: GitHubError) -> None:
    [said] = publish_sarif(whole(), Taker(refuses=error), {}, is_scan=False)
    assert "security-events: write" in said
    assert "enabled" in said


def test_another_fault_of_the_server_is_one_sentence() -> None:
    [said] = publish_sarif(whole(), Taker(refuses=GitHubLost("No answer.")), {}, is_scan=False)
    assert "No answer." in said


def test_a_report_beyond_githubs_size_is_refused_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_BYTES == 10_000_000
    monkeypatch.setattr(code_scanning, "MOST_BYTES", 50)
    with pytest.raises(NotUploaded, match="GitHub takes 50"):
        compress_sarif("{" + "".join(map(str, range(200))) + "}")
    taker = Taker()
    assert "compressed" in publish_sarif(whole(), taker, {}, is_scan=False)[0]
    assert taker.taken == []
