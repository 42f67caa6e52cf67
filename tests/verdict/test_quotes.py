from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import ChangeSet, Evidence, Rejected, Severity, Side
from reviewbot.verdict.grounding import ground_evidence
from reviewbot.verdict.quotes import ground_claims
from tests.repositories import Sandbox

BASE = """\
import os

def remove(name):
    check(name)
    os.unlink(name)

def other(name):
    os.unlink(name)
"""
HEAD = """\
import os

def remove(name):
    os.system("rm " + name)
    log(name)

def other(name):
    os.unlink(name)

def third(name):
    os.unlink(name)
"""


def claim(*texts: str, line: int = 1, path: str = "a.py", **changes: object) -> Claim:
    quotes = tuple(Quote(path, line, line, text) for text in texts)
    made = Claim("security", "command-injection", Severity.HIGH, 0.9, "A shell", "Why.", quotes)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def grounded(sandbox: Sandbox):  # type: ignore[no-untyped-def]
    def ground(
        *claims: Claim, base: str = BASE, head: str = HEAD
    ) -> tuple[tuple[Evidence, ...], tuple[Rejected, ...], ChangeSet]:
        first = sandbox.commit({"a.py": base, "b.py": "x = 1\nhelper(x)\n"})
        second = sandbox.commit({"a.py": head})
        with Repository(Path(sandbox.folder)) as repository:
            changes = load_change_set(repository, first, second)
            evidence, rejected = ground_claims(claims, changes, repository)
            findings, _ = ground_evidence(evidence, changes, repository)
            assert len(findings) == len(evidence)
            assert all(f.location == f.evidence.location for f in findings)
            assert all(f.fingerprint and f.evidence.source == "agent" for f in findings)
        return evidence, rejected, changes

    return ground


def where(evidence: Evidence) -> tuple[str, int, int, Side]:
    at = evidence.location
    assert at is not None
    return at.path, at.start_line, at.end_line, at.side


def test_the_text_decides_where_a_claim_stands_whatever_line_was_said(grounded) -> None:  # type: ignore[no-untyped-def]
    evidence, rejected, _ = grounded(claim('os.system("rm " + name)', line=999))
    assert [where(item) for item in evidence] == [("a.py", 4, 4, Side.RIGHT)]
    assert rejected == ()


def test_of_several_places_the_one_inside_the_diff_wins_then_the_nearest(grounded) -> None:  # type: ignore[no-untyped-def]
    evidence, _, _ = grounded(claim("    os.unlink(name)", line=8))
    assert where(evidence[0]) == ("a.py", 11, 11, Side.RIGHT)  # 8 is nearer, but only 11 is new


def test_white_space_is_folded_only_where_the_exact_text_is_nowhere(grounded) -> None:  # type: ignore[no-untyped-def]
    evidence, _, _ = grounded(claim('def remove(name):\n  os.system("rm "   + name)\n\n  log(name)'))
    assert where(evidence[0]) == ("a.py", 3, 5, Side.RIGHT)


def test_deleted_code_is_found_in_the_base(grounded) -> None:  # type: ignore[no-untyped-def]
    evidence, _, _ = grounded(claim("check(name)"))
    assert where(evidence[0]) == ("a.py", 4, 4, Side.LEFT)


def test_a_diff_sign_before_every_line_is_not_part_of_the_code(grounded) -> None:  # type: ignore[no-untyped-def]
    evidence, _, _ = grounded(
        claim('+    os.system("rm " + name)\n+    log(name)'), claim("-    check(name)")
    )
    assert [where(item) for item in evidence] == [("a.py", 4, 5, Side.RIGHT), ("a.py", 4, 4, Side.LEFT)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (claim("subprocess.run(name)"), "its quote is not in the file"),
        (claim("os.system", "never_written()"), "its quote is not in the file"),
        (claim("os.system", path="gone.py"), "its quote is not in the file"),
        (claim("os.system", path="../../etc/passwd"), "its quote is not in the file"),
        (claim("("), "its quote is not in the file"),
        (claim(""), "its quote is not in the file"),
        (claim(), "it quotes nothing"),
    ],
)
def test_what_is_not_there_is_dropped_and_counted(grounded, bad: Claim, why: str) -> None:  # type: ignore[no-untyped-def]
    evidence, rejected, _ = grounded(bad)
    assert evidence == ()
    assert [(item.source, item.rule, item.why) for item in rejected] == [
        ("agent", "security/command-injection", why)
    ]


def test_the_place_is_the_first_quote_that_the_change_touched(grounded) -> None:  # type: ignore[no-untyped-def]
    sink = Quote("b.py", 2, 2, "helper(x)")
    evidence, _, _ = grounded(claim(quotes=(sink, Quote("a.py", 1, 1, "log(name)"))))
    assert where(evidence[0]) == ("a.py", 5, 5, Side.RIGHT)
    assert [place.path for place in evidence[0].related] == ["b.py"]


def test_an_edit_that_does_not_apply_exactly_once_is_removed_and_counted(grounded) -> None:  # type: ignore[no-untyped-def]
    edits = (
        Edit("a.py", "    log(name)", "    log(repr(name))"),
        Edit("a.py", "    log(repr(name))", "    pass"),  # applies to what the first one left
        Edit("a.py", "os.unlink(name)", "pass"),
        Edit("a.py", "nowhere", "pass"),
        Edit("gone.py", "x", "y"),
        Edit("a.py", "import os", "import os"),
    )
    evidence, rejected, _ = grounded(claim("os.system", edits=edits))
    assert evidence[0].edits == edits[:2]
    assert [item.why for item in rejected] == [
        "edit removed: its text stands there more than once",
        "edit removed: its text is not in the file",
        "edit removed: the file is not in head",
        "edit removed: it changes nothing",
    ]


def test_windows_line_ends_and_a_missing_last_line_feed_do_not_hide_code(grounded) -> None:  # type: ignore[no-untyped-def]
    head = "one()\r\ntwo()\r\nthree()"
    evidence, rejected, _ = grounded(claim("two()\nthree()"), head=head)
    assert where(evidence[0]) == ("a.py", 2, 3, Side.RIGHT)
    assert rejected == ()


def test_hidden_characters_are_quoted_as_models_are_shown_them(grounded) -> None:  # type: ignore[no-untyped-def]
    head = "one()\ncheck\u200b(name)\n"
    evidence, _, _ = grounded(claim("check<U+200B>(name)"), head=head)
    assert where(evidence[0]) == ("a.py", 2, 2, Side.RIGHT)


TEXTS = st.lists(
    st.sampled_from(["alpha()", "  beta(1)", "\tgamma = 2", "", "alpha()", "délta('x')"]), max_size=12
)


@given(TEXTS, st.integers(0, 11), st.integers(1, 4), st.integers(-3, 40))
def test_any_lines_of_the_file_are_found_and_hold_the_quoted_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], first: int, size: int, said: int
) -> None:
    quoted = "\n".join(lines[first : first + size])
    objects = _OneFile("\n".join(lines))
    changes = ChangeSet("b" * 40, "a" * 40, ())
    evidence, rejected = ground_claims([claim(quoted, line=said)], changes, objects)
    if len("".join(quoted.split())) < 3:
        assert rejected
        return
    at = evidence[0].location
    assert at is not None
    assert quoted.strip() in "\n".join(lines[at.start_line - 1 : at.end_line])


class _OneFile:
    """A repository in which every path is the same file."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read_object(self, sha: str) -> bytes:
        return self._text.encode()

    def entry_at(self, tree: str, path: str):  # type: ignore[no-untyped-def]
        from reviewbot.change.git import TreeEntry

        return TreeEntry("100644", "blob", "c" * 40)
