"""Fixes as suggestion blocks: where they may stand, what they hold, and where there are none."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Edit
from reviewbot.core import ChangeSet, Finding, Location
from reviewbot.publish.inline import InlineComment, plan_inline
from reviewbot.publish.markers import Scope
from reviewbot.publish.patch import build_patch, head_reader
from tests.publish import finding, review
from tests.repositories import Sandbox

BASE = [f"line {number}" for number in range(1, 41)]
SCOPE = Scope("acme/shop", 7)


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def fixed(*edits: Edit, path: str = "a.py", line: int = 10) -> Finding:
    made = finding(1, location=Location(path, line, line))
    return replace(made, evidence=replace(made.evidence, source="agent", tool="test_fix", edits=edits))


def plan(
    sandbox: Sandbox,
    made: Finding,
    path: str = "a.py",
    more: dict[str, Any] | None = None,
    before: tuple[Finding, ...] = (),
) -> InlineComment:
    """The comment about a change that rewrites lines 10 and 30 of a file.

    The fixes of ``before`` are in the patch first.
    """
    base = sandbox.commit({path: text(BASE)})
    lines = list(BASE)
    lines[9], lines[29] = "ten", "thirty"
    head = sandbox.commit({path: text(lines)})
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        patch = build_patch([*before, made], head_reader(repository, head))
    whole = replace(
        review(made), changes=ChangeSet(base, head, changes.files), patch=patch.data, suggests=True
    )
    planned = plan_inline(replace(whole, **(more or {})), posted=(), limit=25, scope=SCOPE, key=None)
    [comment] = planned.comments
    return comment


def block(comment: InlineComment) -> str | None:
    found = re.search(r"^(`{3,})suggestion\n(.*?)^\1$", comment.body, re.MULTILINE | re.DOTALL)
    return found[2] if found else None


def test_a_fix_in_one_hunk_is_a_suggestion_at_exactly_its_lines(sandbox: Sandbox) -> None:
    comment = plan(sandbox, fixed(Edit("a.py", "ten\nline 11\n", "TEN\nmore\nELEVEN\n")))
    assert (comment.start_line, comment.line) == (10, 11)
    assert block(comment) == "TEN\nmore\nELEVEN\n"
    assert "nobody has run it" in comment.body


def test_a_proven_fix_says_so(sandbox: Sandbox) -> None:
    comment = plan(
        sandbox,
        fixed(Edit("a.py", "ten", "TEN")),
        more={"proof": "Proven: test_a passes, 3 others unchanged."},
    )
    assert "3 others unchanged" in comment.body
    assert "nobody has run it*" not in comment.body


def test_a_deletion_is_a_suggestion_of_nothing(sandbox: Sandbox) -> None:
    assert block(plan(sandbox, fixed(Edit("a.py", "ten\n", "")))) == ""


@pytest.mark.parametrize(
    "edits",
    [
        (Edit("a.py", "line 20\n", "x\n"),),
        (Edit("a.py", "ten", "x"), Edit("a.py", "thirty", "y")),
        (Edit("a.py", "ten", "x\r"),),
        (Edit("a.py", "ten", "x\u202e"),),
    ],
    ids=["outside", "two hunks", "carriage return", "hidden"],
)
def test_elsewhere_there_is_a_comment_and_no_suggestion(sandbox: Sandbox, edits: tuple[Edit, ...]) -> None:
    assert "suggestion\n" not in plan(sandbox, fixed(*edits)).body


@pytest.mark.parametrize("more", [{"suggests": False}, {"patch": b""}, {"patch": b"+other\n"}], ids=str)
def test_without_the_policy_or_the_reviewed_patch_there_is_none(
    sandbox: Sandbox, more: dict[str, Any]
) -> None:
    assert block(plan(sandbox, fixed(Edit("a.py", "ten", "TEN")), more=more)) is None


@pytest.mark.parametrize(
    ("reviewed", "left_out"),
    [
        ("check(ten)\n", ""),
        ("more\nnew\n", "new\n"),
        ("x\n", "line 11\n"),
        ("line 9\nline 9\n", "line 9\n"),
    ],
    ids=["a deletion", "half of it", "a line that stands beside", "once for twice"],
)
def test_what_the_review_of_the_patch_did_not_see_is_not_suggested(
    sandbox: Sandbox, reviewed: str, left_out: str
) -> None:
    # The second fix touches what the first one has changed already, so the patch leaves it out.
    first = fixed(Edit("a.py", "line 9\nten\n", f"line 9\n{reviewed}"))
    second = replace(fixed(Edit("a.py", "line 9\nten\n", f"line 9\n{left_out}")), fingerprint="b" * 16)
    assert block(plan(sandbox, second, before=(first,))) is None


def test_fixes_side_by_side_are_suggested_each_at_its_lines(sandbox: Sandbox) -> None:
    other = fixed(Edit("a.py", "line 12\n", "twelve\n"))
    made = fixed(Edit("a.py", "ten\n", "TEN\n"))
    comment = plan(sandbox, made, before=(other,))
    assert (block(comment), comment.line) == ("TEN\n", 10)


@pytest.mark.parametrize(
    ("find", "put", "lines"),
    [
        ("ten\n", "more\nten\n", "more\nten\n"),
        ("ten\nline 11\n", "ten\nmore\nline 11\n", "more\nline 11\n"),
        ("ten\nline 11\nline 12\n", "ten\nline 12\n", ""),
        ("line 9\nten\nline 11\n", "9\nten\n11\n", "9\nten\n11\n"),
    ],
    ids=["before a line", "between lines", "a deletion", "around a line"],
)
def test_what_comes_in_or_goes_is_found_in_the_patch(
    sandbox: Sandbox, find: str, put: str, lines: str
) -> None:
    assert block(plan(sandbox, fixed(Edit("a.py", find, put)))) == lines


@pytest.mark.parametrize(
    "path", [".github/workflows/ci.yml", ".github/reviewbot.yml", "sub/AGENTS.md", ".env.py"]
)
def test_files_that_steer_a_pipeline_get_none(sandbox: Sandbox, path: str) -> None:
    assert block(plan(sandbox, fixed(Edit(path, "ten", "TEN"), path=path), path)) is None


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.text(st.sampled_from("`~a \n"), max_size=30))
def test_nothing_in_a_fix_closes_its_fence(sandbox: Sandbox, put: str) -> None:
    comment = plan(sandbox, fixed(Edit("a.py", "ten\n", f"x{put}\n")))
    shown = block(comment)
    assert shown is None or f"x{put}\n".startswith(shown) or shown in f"x{put}\nline 11\n"
