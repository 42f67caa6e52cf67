"""What is posted, by a recording double: ``tests/github`` has the same with a server that judges it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import (
    ChangeSet,
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Finding,
    Location,
    Reason,
    Review,
    Sha,
)
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
from reviewbot.publish.checks import (
    CheckPosted,
    check_conclusion,
    plan_annotations,
    publish_check_run,
    render_check_text,
)
from reviewbot.publish.github import Posted, publish_to_pull_request
from reviewbot.publish.markers import Scope, is_summary, read_finding_markers, summary_marker
from tests.publish import BASE, HEAD, finding, review
from tests.publish.test_inline import file_change

SCOPE = Scope("acme/shop", 7)
URL = "https://github.com/acme/shop/pull/7"
GATE = "The exit code of this job is the gate."


def pull_request(**changes: Any) -> PullRequest:
    made = PullRequest(
        number=7, state="open", is_draft=False, merged=False, head_sha=HEAD, base_sha=BASE, base_ref="main",
        head_ref="topic", head_repository="acme/shop", is_fork=False, author="mona",
    )  # fmt: skip
    return replace(made, **changes)


class Recorder:
    """A pull request that remembers what was posted; ``faults`` are raised by the methods they name."""

    def __init__(self, **faults: GitHubError | list[GitHubError | None]) -> None:
        self.faults = {n: list(fault) if isinstance(fault, list) else [fault] for n, fault in faults.items()}
        self.pull = pull_request()
        self.comments: dict[int, str] = {}
        self.reviews: list[tuple[Sha, str, Sequence[Mapping[str, Any]]]] = []
        self.check_runs: list[dict[str, Any]] = []
        self.calls: list[str] = []

    def conversation(self) -> Conversation:
        """What a next run would read."""
        inline = [comment["body"] for _, _, comments in self.reviews for comment in comments]
        return Conversation(
            pull=pull_request(),
            base_tip=BASE,
            summary_candidates=tuple(own(number, body) for number, body in self.comments.items()),
            inline=tuple(own(number, body) for number, body in enumerate(inline, 900)),
        )

    def _called(self, name: str) -> None:
        self.calls.append(name)
        fault = self.faults[name].pop(0) if self.faults.get(name) else None
        if fault is not None:
            raise fault

    def read_pull_request(self, repository: str, number: int) -> PullRequest:
        self._called("read_pull_request")
        assert (repository, number) == ("acme/shop", 7)
        return self.pull

    def create_comment(self, repository: str, number: int, body: str) -> str:
        self._called("create_comment")
        assert (repository, number) == ("acme/shop", 7)
        self.comments[100 + len(self.comments)] = body
        return f"{URL}#issuecomment-{max(self.comments)}"

    def edit_comment(self, repository: str, comment_id: int, body: str) -> str:
        self._called("edit_comment")
        assert repository == "acme/shop"
        assert comment_id in self.comments
        self.comments[comment_id] = body
        return f"{URL}#issuecomment-{comment_id}"

    def create_review(
        self, repository: str, number: int, head_sha: Sha, body: str, comments: Sequence[Mapping[str, Any]]
    ) -> str:
        self._called("create_review")
        assert (repository, number) == ("acme/shop", 7)
        self.reviews.append((head_sha, body, comments))
        return f"{URL}#pullrequestreview-1"

    def read_conversation(self, repository: str, number: int) -> Conversation:
        self._called("read_conversation")
        assert (repository, number) == ("acme/shop", 7)
        return self.conversation()

    def change(
        self, text: str, variables: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], tuple[tuple[str, GitHubError], ...]]:
        self._called("change")
        raise GitHubError("GitHub could not answer")

    def create_check_run(
        self, *, repository: str, name: str, head_sha: Sha, conclusion: str, output: Mapping[str, Any],
        details_url: str | None,
    ) -> int:  # fmt: skip
        self._called("create_check_run")
        assert repository == "acme/shop"
        self.check_runs.append({"name": name, "head_sha": head_sha, "conclusion": conclusion, **output})
        return 1

    def edit_check_run(self, repository: str, check_run: int, output: Mapping[str, Any]) -> None:
        self._called("edit_check_run")
        assert (repository, check_run) == ("acme/shop", 1)
        self.check_runs.append({**output})


def own(number: int, body: str) -> OwnComment:
    return OwnComment(id=number, body=body, url=f"{URL}#issuecomment-{number}")


def pull_review(*findings: Finding, blocking: int = 0) -> Review:
    made = review(*findings, blocking=blocking)
    trigger = replace(made.trigger, pull_number=7)
    return replace(made, trigger=trigger, changes=ChangeSet(BASE, HEAD, (file_change(),)))


THREE = pull_review(finding(1), finding(2), finding(3), blocking=2)
SIXTY = pull_review(*(finding(n) for n in range(1, 61)), blocking=60)
LOST = pull_review(finding(1), finding(2, location=Location("other.py", 1, 1)), blocking=2)


def post(
    made: Review, github: Recorder, conversation: Conversation | None = None, key: bytes | None = b"key"
) -> Posted:
    before = conversation or github.conversation()
    return publish_to_pull_request(made, github, before, limit=25, key=key, gate=lambda: GATE)


def test_a_first_run_posts_one_summary_and_then_one_review() -> None:
    github = Recorder()
    posted = post(THREE, github)
    assert posted == Posted(inline=3, left_over=0, summary_url=f"{URL}#issuecomment-100")
    assert github.calls == ["read_pull_request", "create_comment", "create_review"]
    ((head_sha, body, comments),) = github.reviews
    assert head_sha == HEAD
    assert body == f"The verdict and all findings are in the [summary]({URL}#issuecomment-100)."
    assert [(comment["line"], comment["side"]) for comment in comments] == [
        (10, "RIGHT"), (20, "RIGHT"), (30, "RIGHT"),
    ]  # fmt: skip
    (text,) = github.comments.values()
    assert text.startswith("### ❌ fail: 2 findings block this change")
    assert f"3 findings have a comment at the line.\n\n{GATE}" in text


def test_a_review_without_findings_is_a_summary_alone() -> None:
    github = Recorder()
    assert post(pull_review(), github) == Posted(summary_url=f"{URL}#issuecomment-100")
    assert github.calls == ["read_pull_request", "create_comment"]


@pytest.mark.parametrize("made", [THREE, SIXTY, LOST, pull_review()])
def test_a_second_run_of_the_same_review_posts_nothing(made: Review) -> None:
    github = Recorder()
    first = post(made, github)
    github.calls.clear()
    second = post(made, github)
    assert github.calls == ["read_pull_request"]
    assert second == replace(first, inline=0)
    assert len(github.comments) == 1


def test_line_ends_that_github_changed_are_no_reason_to_edit() -> None:
    github = Recorder()
    post(THREE, github)
    github.comments = {n: body.replace("\n", "\r\n") + "\r\n" for n, body in github.comments.items()}
    github.calls.clear()
    post(THREE, github)
    assert github.calls == ["read_pull_request"]


def test_a_second_run_posts_only_what_is_new_and_edits_the_one_summary() -> None:
    github = Recorder()
    post(THREE, github)
    github.calls.clear()
    more = pull_review(finding(1), finding(2), finding(3), finding(4), blocking=2)
    assert post(more, github).inline == 1
    assert github.calls == ["read_pull_request", "edit_comment", "create_review"]
    assert [comment["line"] for comment in github.reviews[1][2]] == [40]
    assert "4 findings have a comment at the line." in github.comments[100]


def test_every_comment_carries_its_own_fingerprint() -> None:
    github = Recorder()
    post(THREE, github)
    marked = [read_finding_markers(comment["body"], SCOPE, b"key") for comment in github.reviews[0][2]]
    assert marked == [{finding(n).fingerprint} for n in (1, 2, 3)]


def test_with_a_key_markers_without_it_are_ignored() -> None:
    github = Recorder()
    post(THREE, github, key=None)
    posted = post(THREE, github)
    assert posted.inline == 3
    assert len(github.comments) == 2


def test_comments_beyond_the_limit_stand_in_the_summary() -> None:
    github = Recorder()
    posted = post(SIXTY, github)
    assert (posted.inline, posted.left_over) == (25, 35)
    assert "25 findings have a comment at the line; 35 stand only here." in github.comments[100]
    assert len(github.reviews[0][2]) == 25


def test_the_oldest_summary_is_edited_and_no_comment_that_is_none() -> None:
    github = Recorder()
    github.comments = {
        5: "words",
        6: f"a\n{summary_marker(SCOPE, b'key')}",
        7: f"b\n{summary_marker(SCOPE, b'key')}",
    }
    assert post(pull_review(), github).summary_url.endswith("-6")
    assert (github.comments[5], github.comments[7][:1]) == ("words", "b")


def test_a_summary_that_somebody_deleted_meanwhile_is_written_anew() -> None:
    github = Recorder(edit_comment=GitHubNotFound("no such comment"))
    github.comments = {6: f"a\n{summary_marker(SCOPE, b'key')}"}
    posted = post(THREE, github)
    assert github.calls == ["read_pull_request", "edit_comment", "create_comment", "create_review"]
    assert posted.problems == ()


def test_a_head_that_moved_gets_nothing() -> None:
    github = Recorder()
    github.pull = pull_request(head_sha="f" * 40)
    posted = post(THREE, github)
    assert posted.moved
    assert posted.problems == ("The head moved to ffffffffffff during the review, so nothing was posted.",)
    assert github.calls == ["read_pull_request"]


def test_a_base_branch_that_was_changed_counts_as_moved_and_its_new_commits_do_not() -> None:
    github = Recorder()
    github.pull = pull_request(base_ref="release")
    assert post(THREE, github).moved
    assert github.comments == {}
    github.pull = pull_request(base_sha="e" * 40)
    assert not post(THREE, github).moved


def test_where_the_head_cannot_be_read_nothing_is_posted() -> None:
    github = Recorder(read_pull_request=GitHubError("GitHub answered 502"))
    posted = post(THREE, github)
    assert github.calls == ["read_pull_request"]
    assert (posted.unread, posted.moved, posted.denied) == (True, False, False)
    assert "so nothing was posted: GitHub answered 502." in posted.problems[0]


def test_a_token_that_may_not_write_is_said_once_and_not_tried_again() -> None:
    github = Recorder(create_comment=GitHubDenied("Resource not accessible by integration"))
    posted = post(THREE, github)
    assert posted.denied
    assert posted.read_only
    locked = post(THREE, Recorder(create_comment=GitHubDenied("the issue is locked")))
    assert (locked.denied, locked.read_only) == (True, False)
    assert (posted.inline, posted.left_over, posted.summary_url) == (0, 3, "")
    [problem] = posted.problems
    assert "as is usual for a fork or Dependabot" in problem
    assert "as is usual" not in locked.problems[0]
    assert github.calls == ["read_pull_request", "create_comment"]


def test_a_token_that_may_comment_but_not_review_leaves_all_in_the_summary() -> None:
    github = Recorder(create_review=GitHubDenied("Resource not accessible by integration"))
    posted = post(THREE, github)
    assert posted.denied
    assert (posted.inline, posted.left_over) == (0, 3)
    assert "No finding has a comment at its line: 3 stand only here." in github.comments[100]
    assert "may only read" not in posted.problems[0]


def refusal() -> GitHubRefused:
    return GitHubRefused(
        "GitHub refused the review", ("pull_request_review_thread.line must be part of the diff",)
    )


def test_a_refused_review_loses_nothing() -> None:
    github = Recorder(create_review=refusal())
    posted = post(THREE, github)
    calls = ["read_pull_request", "create_comment", "create_review", "change", "edit_comment"]
    assert github.calls == calls
    assert (posted.inline, posted.left_over, posted.denied) == (0, 3, False)
    assert "pull_request_review_thread.line must be part of the diff" in posted.problems[0]
    (text,) = github.comments.values()
    assert text.count("```text") == 3
    assert is_summary(text, SCOPE, b"key")


def test_a_refused_second_review_keeps_what_stands() -> None:
    github = Recorder(create_review=[None, refusal()])
    post(THREE, github)
    more = pull_review(finding(1), finding(2), finding(3), finding(4), blocking=2)
    posted = post(more, github)
    assert (posted.inline, posted.left_over) == (0, 1)
    assert "3 findings have a comment at the line; 1 stands only here." in github.comments[100]


def test_a_summary_that_fails_does_not_stop_the_review() -> None:
    github = Recorder(create_comment=GitHubError("GitHub answered 502"))
    posted = post(THREE, github)
    assert posted.inline == 3
    assert github.reviews[0][1] == "The verdict and all findings are in the summary of reviewbot."
    assert "The summary comment could not be written: GitHub answered 502." in posted.problems[0]


def test_when_everything_fails_each_failure_is_a_sentence() -> None:
    down = GitHubError("GitHub answered 502")
    github = Recorder(create_comment=[down, down], create_review=down)
    posted = post(THREE, github)
    assert len(posted.problems) == 3
    assert (posted.inline, posted.left_over) == (0, 3)


def test_githubs_own_words_are_shown_as_text() -> None:
    error = GitHubRefused("no", ("\x1b[31m\n::error::x\u202e",))
    posted = post(THREE, Recorder(create_review=error))
    assert "\n" not in posted.problems[0]
    assert "<U+001B>" in posted.problems[0]
    assert "<U+202E>" in posted.problems[0]


def test_a_review_of_no_pull_request_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="of no pull request"):
        post(review(), Recorder())


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"create_review": refusal()},
        {"create_review": GitHubDenied("no")},
        {"edit_comment": GitHubError("502")},
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_no_road_that_ends_early_needs_more_than_five_requests(
    faults: dict[str, GitHubError], again: bool
) -> None:
    github = Recorder(**faults)
    if again:
        github.comments = {6: f"a\n{summary_marker(SCOPE, b'key')}"}
    post(LOST, github)
    assert len(github.calls) <= 5


def test_nothing_is_approved_and_nothing_committed_by_a_click() -> None:
    github = Recorder()
    post(pull_review(finding(1, message="```suggestion\nrm\n```"), blocking=1), github)
    for comment in github.reviews[0][2]:
        assert comment.keys() <= {"path", "body", "line", "side", "start_line", "start_side"}
        assert not re.search(r"^\s*(`{3,}|~{3,})\s*suggestion", comment["body"], re.MULTILINE)


@pytest.mark.parametrize(
    ("conclusion", "exit_code", "said"),
    [
        (Conclusion.PASS, 0, "success"),
        (Conclusion.FAIL, 1, "failure"),
        (Conclusion.INCOMPLETE, 0, "neutral"),
        (Conclusion.INCOMPLETE, 1, "action_required"),
        (Conclusion.INCOMPLETE, 2, "action_required"),
        (Conclusion.INCOMPLETE, 3, "action_required"),
        (Conclusion.FAIL, 2, "action_required"),
    ],
)
def test_a_check_run_says_the_verdict_in_githubs_words(
    conclusion: Conclusion, exit_code: int, said: str
) -> None:
    made = review(conclusion=conclusion, exit_code=exit_code)
    assert check_conclusion(made) == said


def test_a_check_run_stands_on_the_reviewed_commit() -> None:
    github = Recorder()
    made = review(finding(1), blocking=1, reasons=(Reason("blocking_findings", "1 blocking finding."),))
    assert publish_check_run(made, github, "acme/shop") == CheckPosted(1)
    (run,) = github.check_runs
    assert (run["name"], run["head_sha"], run["conclusion"]) == ("reviewbot", HEAD, "failure")
    assert run["title"] == "fail: 1 finding blocks this change"
    assert run["summary"].startswith("### ❌ fail")
    assert len(run["summary"]) < 65_536


def test_without_the_right_there_is_no_check_run_and_other_failures_are_raised() -> None:
    assert publish_check_run(review(), Recorder(create_check_run=GitHubDenied("no")), "acme/shop") is None
    with pytest.raises(GitHubError, match="502"):
        publish_check_run(review(), Recorder(create_check_run=GitHubError("502")), "acme/shop")


def test_annotations_are_sent_in_pages_and_every_file_stands_in_the_text() -> None:
    github = Recorder()
    made = pull_review(*(finding(n) for n in range(1, 231)), blocking=230)
    assert publish_check_run(made, github, "acme/shop") == CheckPosted(1)
    assert [len(run["annotations"]) for run in github.check_runs] == [50, 50, 50, 50]
    assert github.calls == ["create_check_run"] + ["edit_check_run"] * 3
    names = [each["message"][-17:-1] for run in github.check_runs for each in run["annotations"]]
    assert len(set(names)) == 200
    first = github.check_runs[0]
    assert first["annotations"][0]["annotation_level"] == "failure"
    assert "30 findings without an annotation." in first["text"]
    assert all(row.path in first["text"] for row in made.coverage.files)
    assert len(first["text"]) <= 65_535


def test_an_annotation_is_made_of_whole_sentences() -> None:
    [said] = plan_annotations(pull_review(finding(1, message="Why high: a shell runs it."), blocking=1))
    assert said["message"] == (
        "`subprocess` call with `shell=True` identified, security issue. Why high: a shell runs it. "
        "Finding 0000000000000001."
    )


def test_a_ledger_of_any_size_fits_the_text() -> None:
    rows = tuple(
        CoverageRow(f"{'d' * 200}/{n}.py", CoverageStatus.REVIEWED, ("ruff",), "", 1, 0) for n in range(900)
    )
    text = render_check_text(replace(review(), coverage=Coverage(rows)), 0)
    assert 60_000 < len(text) <= 65_535
    shown = text.count("reviewed (ruff)")
    assert f"and {900 - shown} more files" in text


@pytest.mark.parametrize("path", ["a\nb.py", "b\u202e.py", "bad\udcff.py"])
def test_a_path_that_github_spells_in_its_own_way_gets_no_annotation(path: str) -> None:
    made = pull_review(finding(1, location=Location(path, 1, 1)), finding(2, location=None), blocking=2)
    assert plan_annotations(made) == []


def test_annotations_that_are_refused_are_said_and_the_check_stands() -> None:
    github = Recorder(edit_check_run=GitHubError("GitHub answered 502"))
    made = pull_review(*(finding(n) for n in range(1, 61)), blocking=60)
    posted = publish_check_run(made, github, "acme/shop")
    assert posted is not None
    assert "Annotations of the check run are missing: GitHub answered 502." in posted.problems[0]


def lost() -> GitHubLost:
    return GitHubLost("GitHub answered with status 502")


def test_a_review_whose_answer_was_lost_is_sent_again_only_where_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reviewbot.publish.github.PAUSE_SECONDS", 0)
    github = Recorder(create_review=[lost(), None])
    assert post(THREE, github).inline == 3
    assert github.calls[2:] == ["create_review", "read_conversation", "create_review"]
    twice = Recorder(create_review=[lost(), lost()])
    posted = post(THREE, twice)
    assert (posted.inline, posted.left_over) == (0, 3)
    assert twice.calls[2:] == ["create_review", "read_conversation", "create_review", "edit_comment"]
