import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Edit
from reviewbot.core import (
    ChangeSet,
    ChangeStatus,
    FileChange,
    Finding,
    Hunk,
    LineRanges,
    Location,
    Review,
    Severity,
    Side,
    Suppression,
)
from reviewbot.publish.inline import MOST_LINES, InlinePlan, commentable, plan_inline
from reviewbot.publish.markers import Scope, finding_marker
from tests.publish import finding, review
from tests.publish.rendered import read
from tests.repositories import Sandbox

SCOPE = Scope("acme/shop", 7)
EVIL = "![x](https://example.com/a.png) @octocat fixes #5 <img src=x> --> ```suggestion\n/merge \u202e"


def numbered(numbers: Iterable[int]) -> str:
    return "".join(f"line {n}\n" for n in numbers)


def file_change(path: str = "app/run.py", lines: int = 2_000, **changes: Any) -> FileChange:
    """A new file, all of whose lines are in one hunk."""
    hunk = Hunk(0, 0, 1, lines, tuple(f"+line {n}" for n in range(1, lines + 1)))
    made = FileChange(
        path, None, ChangeStatus.ADDED, "000000", "100644", None, "c" * 40, lines,
        hunks=(hunk,), added=((1, lines),),
    )  # fmt: skip
    return replace(made, **changes)


def with_files(made: Review, *files: FileChange) -> Review:
    return replace(made, changes=ChangeSet(made.changes.base_sha, made.changes.head_sha, files))


def plan(made: Review, posted: Iterable[str] = (), limit: int = 25) -> InlinePlan:
    return plan_inline(made, posted=frozenset(posted), limit=limit, scope=SCOPE, key=None)


def plan_one(change: FileChange, first: int, last: int, side: Side = Side.RIGHT) -> InlinePlan:
    at = Location(change.path, first, last, side)
    return plan(with_files(review(finding(1, location=at), blocking=1), change))


def changed_file(sandbox: Sandbox, before: Iterable[int], after: str) -> FileChange:
    base = sandbox.commit({"a.py": numbered(before)})
    head = sandbox.commit({"a.py": after})
    with Repository(sandbox.folder) as repository:
        return load_change_set(repository, base, head).files[0]


def shown_by_git(sandbox: Sandbox) -> LineRanges:
    """The head lines of each hunk as git itself prints them."""
    diff = sandbox.git("diff", "--unified=3", "HEAD~1", "HEAD")
    pairs = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", diff, re.MULTILINE)
    return tuple((int(first), int(first) + int(size or 1) - 1) for first, size in pairs)


def test_the_hunks_are_commentable_with_their_context(sandbox: Sandbox) -> None:
    after = numbered(range(1, 61)).replace("line 10\n", "ten\n").replace("line 40\n", "")
    change = changed_file(sandbox, range(1, 61), after)
    assert commentable(change, Side.RIGHT) == shown_by_git(sandbox) == ((7, 13), (37, 42))


def test_on_the_left_only_deleted_lines_are_commentable(sandbox: Sandbox) -> None:
    after = numbered(range(1, 61)).replace("line 10\nline 11\n", "").replace("line 13\n", "")
    change = changed_file(sandbox, range(1, 61), after)
    assert commentable(change, Side.LEFT) == ((10, 11), (13, 13))


@pytest.mark.parametrize(
    ("change", "right", "left"),
    [
        (file_change(hunks=(), added=()), (), ()),
        (file_change(status=ChangeStatus.TYPE_CHANGED, deleted=((1, 1),)), (), ()),
        (file_change(path="caf\udce9.py", deleted=((1, 1),)), (), ()),
        (file_change(status=ChangeStatus.COPIED, deleted=((1, 1),)), ((1, 2_000),), ()),
        (file_change(status=ChangeStatus.RENAMED, deleted=((1, 1),)), ((1, 2_000),), ((1, 1),)),
        (file_change(hunks=(Hunk(1, 2, 0, 0, ("-a", "-b")),), deleted=((1, 2),)), (), ((1, 2),)),
    ],
)
def test_what_github_shows_otherwise_takes_no_comment(
    change: FileChange, right: LineRanges, left: LineRanges
) -> None:
    assert (commentable(change, Side.RIGHT), commentable(change, Side.LEFT)) == (right, left)


def test_a_comment_names_its_place_in_githubs_words() -> None:
    (comment,) = plan_one(file_change(), 4, 6).comments
    request = comment.as_request()
    assert request.pop("body") == comment.body
    assert request == {
        "path": "app/run.py",
        "line": 6,
        "side": "RIGHT",
        "start_line": 4,
        "start_side": "RIGHT",
    }


def test_a_comment_on_one_line_has_no_start() -> None:
    (comment,) = plan_one(file_change(), 4, 4).comments
    assert comment.as_request().keys() == {"path", "line", "side", "body"}


def test_a_deleted_line_is_commented_on_the_left(sandbox: Sandbox) -> None:
    change = changed_file(sandbox, range(1, 61), numbered(range(1, 61)).replace("line 10\n", ""))
    (comment,) = plan_one(change, 10, 10, Side.LEFT).comments
    assert (comment.line, comment.side, comment.start_line) == (10, Side.LEFT, None)
    assert plan_one(change, 11, 11, Side.LEFT).comments == ()


@pytest.mark.parametrize(
    ("first", "last", "place"),
    [
        (10, 10, (None, 10)),
        (7, 7, (None, 7)),  # context
        (6, 6, None),
        (14, 30, None),
        (5, 8, (7, 8)),
        (12, 50, (37, 43)),  # the first hunk has context only in it, the second a change
        (12, 38, (12, 13)),
        (1, 60, (7, 13)),
    ],
)
def test_a_place_that_leaves_a_hunk_is_cut_to_it(
    sandbox: Sandbox, first: int, last: int, place: tuple[int | None, int] | None
) -> None:
    after = numbered(range(1, 61)).replace("line 10\n", "ten\n").replace("line 40\n", "forty\n")
    change = changed_file(sandbox, range(1, 61), after)
    made = plan_one(change, first, last)
    assert [(c.start_line, c.line) for c in made.comments] == ([place] if place else [])
    assert len(made.comments) + len(made.not_inline) == 1


def test_a_comment_that_is_cut_says_what_it_is_about() -> None:
    (comment,) = plan_one(file_change(), 3, 900).comments
    assert (comment.start_line, comment.line) == (3, 3 + MOST_LINES - 1)
    assert "This is about lines 3 to 900." in comment.body


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_no_comment_ever_leaves_one_hunk_of_gits_own_diff(sandbox: Sandbox, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=40, max_size=40))
    new = data.draw(st.lists(st.integers(0, 39), max_size=4))
    after = "".join(f"new {n}\n" * new.count(n) + f"line {n}\n" * keep for n, keep in enumerate(kept))
    change = changed_file(sandbox, range(40), after + "end\n")
    shown = shown_by_git(sandbox)
    for first in range(1, 45):
        for length in (0, 3, 30):
            made = plan_one(change, first, first + length)
            for comment in made.comments:
                start = comment.start_line or comment.line
                assert sum(a <= start <= comment.line <= b for a, b in shown) == 1
                assert first <= start <= comment.line <= first + length
            if not made.comments:
                assert not any(a <= first + length and first <= b for a, b in shown)


def test_what_blocks_comes_first_and_hints_silenced_and_elsewhere_get_no_comment() -> None:
    made = review(
        finding(1),
        finding(2, Severity.LOW),
        finding(3, Severity.CRITICAL),
        finding(4, Severity.INFO),
        finding(5, suppression=Suppression.BASE),
        finding(6, in_diff=False),
        finding(7, status="dismissed"),
        blocking=1,
    )
    made_plan = plan(with_files(made, file_change()))
    assert [comment.line for comment in made_plan.comments] == [10, 30, 20]
    assert made_plan.not_inline == ()


def test_a_finding_without_a_place_in_the_diff_is_left_over() -> None:
    missing: list[Finding] = [
        finding(1, location=None),
        finding(2, location=Location("other.py", 1, 1)),
        finding(3, location=Location("app/run.py", 99, 99)),
    ]
    made = plan(with_files(review(*missing, blocking=3), file_change(lines=50)))
    assert made.comments == ()
    assert set(made.not_inline) == set(missing)


def test_a_finding_that_has_its_comment_gets_no_second_one() -> None:
    made = with_files(review(finding(1), finding(2), finding(3), blocking=2), file_change())
    made_plan = plan(made, posted={finding(2).fingerprint, "f" * 16})
    assert [comment.line for comment in made_plan.comments] == [10, 30]
    assert made_plan.already == (finding(2),)


def test_the_limit_counts_comments_that_stand_so_a_second_run_posts_nothing() -> None:
    made = with_files(review(*(finding(n) for n in range(1, 61)), blocking=60), file_change())
    first = plan(made)
    assert (len(first.comments), len(first.not_inline)) == (25, 35)
    second = plan(made, posted={comment.fingerprint for comment in first.comments})
    assert (len(second.comments), len(second.not_inline), len(second.already)) == (0, 35, 25)


def body_of(*findings: Finding, blocking: int = 1) -> str:
    (comment,) = plan(with_files(review(*findings, blocking=blocking), file_change())).comments
    return comment.body


def test_a_comment_says_what_is_wrong_and_why_but_shows_no_code() -> None:
    body = body_of(finding(1, message="Pass a list instead.", suppression=Suppression.CHANGE, note="Seen."))
    assert body == (
        "**high, blocks** `subprocess` call with `shell=True` identified, security issue (`ruff/S602`)\n\n"
        "Pass a list instead.\n\n"
        "*silenced by a comment that this change adds: ignored*\n\n"
        "*Seen.*\n\n"
        "Finding `0000000000000001`\n\n"
        f"{finding_marker(finding(1).fingerprint, SCOPE, None)}"
    )


def test_advice_does_not_say_that_it_blocks() -> None:
    assert body_of(finding(1, Severity.LOW), blocking=0).startswith("**low** ")


def test_a_trace_is_folded_away() -> None:
    body = body_of(finding(1, trace="Traceback:\n  boom\n" * 900, source="junit"))
    assert "<summary>trace</summary>\n\n```text\nTraceback:" in body
    assert len(body) < 3_000


def test_an_edit_is_mentioned_and_no_suggestion_is_made() -> None:
    body = body_of(finding(1, edits=(Edit("app/run.py", "a", "b"),)))
    assert "A fix is proposed in the report; nobody has run it." in body
    assert "```" not in body


@pytest.mark.parametrize("field", ["title", "message", "rule", "tool", "note", "trace"])
def test_hostile_text_in_a_comment_stays_text(field: str) -> None:
    changes: dict[str, Any] = {field: EVIL}
    body = body_of(finding(1, **changes))
    marker = finding_marker(finding(1).fingerprint, SCOPE, None)
    assert body.endswith(f"\n\n{marker}")
    seen = read(body.removesuffix(marker))
    assert (seen.links, seen.foreign_html) == ([], [])
    assert not re.search(r"^\s*(`{3,}|~{3,})\s*suggestion", body, re.MULTILINE)
    assert "\u202e" not in body
