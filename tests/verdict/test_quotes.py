from dataclasses import replace
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import ChangeSet, Evidence, Rejected, Severity, Side
from reviewbot.secrets.masking import Masker
from reviewbot.text import visible
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

    def tree_paths(self, tree: str) -> tuple[str, ...]:
        return ()


# What a hostile author may do so that a true claim is not found, or is found where it blocks nothing.


@pytest.fixture
def located(sandbox: Sandbox):  # type: ignore[no-untyped-def]
    """Grounds claims about a change of any files and gives their places and what was dropped."""

    def ground(
        base: dict[str, str | bytes], head: dict[str, str | bytes], *claims: Claim, removed: str = ""
    ) -> tuple[list[tuple[str, int, int, Side]], list[bool], tuple[Rejected, ...]]:
        first = sandbox.commit(base)
        if removed:
            sandbox.remove(removed)
        second = sandbox.commit(head)
        with Repository(Path(sandbox.folder)) as repository:
            changes = load_change_set(repository, first, second)
            evidence, rejected = ground_claims(claims, changes, repository)
            findings, _ = ground_evidence(evidence, changes, repository)
        return [where(item) for item in evidence], [one.in_diff for one in findings], rejected

    return ground


def test_a_decoy_outside_the_diff_does_not_take_a_claim_out_of_it(located) -> None:  # type: ignore[no-untyped-def]
    decoy = "# run(x)<U+200B>\n"  # spells what models are shown of the hidden character below
    places, in_diff, _ = located(
        {"a.py": decoy}, {"a.py": decoy + "run(x)\u200b\n"}, claim("run(x)<U+200B>", line=1)
    )
    assert places == [("a.py", 2, 2, Side.RIGHT)]
    assert in_diff == [True]


@pytest.mark.parametrize("quoted", ["run(x)", "run( x)", "one()\nrun(x)"])
def test_no_number_of_copies_takes_a_claim_out_of_the_diff(located, quoted: str) -> None:  # type: ignore[no-untyped-def]
    copies = "one()\nrun(x)\nrun( x)\n" * 2_500
    head = copies + "\n\none()\nrun(x)\nrun( x)\n"
    places, in_diff, _ = located({"a.py": copies}, {"a.py": head}, claim(quoted))
    assert in_diff == [True]
    assert places[0][1] > 7_500


@pytest.mark.parametrize("ends", ["\r\r\n", "\r\r\r\n", " \r\r\n", "\r \r\r\n"])
def test_carriage_returns_at_the_end_of_a_line_do_not_hide_it(located, ends: str) -> None:  # type: ignore[no-untyped-def]
    head = f"one(){ends}run(x){ends}"
    shown = visible(head).rstrip("\n")
    places, in_diff, rejected = located(
        {"a.py": ""}, {"a.py": head}, claim(shown), claim("one()\nrun(x)", rule="other")
    )
    assert rejected == ()
    assert places == [("a.py", 1, 2, Side.RIGHT)] * 2
    assert in_diff == [True, True]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_text_of_wide_characters_is_quoted_as_models_are_shown_it(located, encoding: str) -> None:  # type: ignore[no-untyped-def]
    head = "Write-Host 1\r\niex $args[0]\r\n".encode(encoding)
    places, in_diff, rejected = located({"x": "1\n"}, {"a.ps1": head}, claim("iex $args[0]", path="a.ps1"))
    assert rejected == ()
    assert places == [("a.ps1", 2, 2, Side.RIGHT)]
    assert in_diff == [True]


def test_a_renamed_file_may_be_quoted_by_the_name_that_it_has_in_the_base(located) -> None:  # type: ignore[no-untyped-def]
    base = "".join(f"line({number})\n" for number in range(30)) + "check(x)\n"
    quotes = (Quote("old.py", 31, 31, "check(x)"), Quote("new.py", 31, 31, "run(x)"))
    places, in_diff, rejected = located(
        {"old.py": base},
        {"new.py": base.replace("check(x)", "run(x)")},
        claim(quotes=quotes),
        removed="old.py",
    )
    assert rejected == ()
    assert places == [("new.py", 31, 31, Side.LEFT)]
    assert in_diff == [True]


@pytest.mark.parametrize("said", ["a<U+200B>.py", "a\u200b.py"])
@pytest.mark.parametrize("evil", ["a<U+200B>.py", "a\u200b.py"])
def test_a_file_whose_name_looks_like_another_does_not_hide_behind_it(located, said: str, evil: str) -> None:  # type: ignore[no-untyped-def]
    head = {"a<U+200B>.py": "one()\n", "a\u200b.py": "one()\n", evil: "run(x)\n"}
    places, in_diff, rejected = located({"x": "1\n"}, head, claim("run(x)", path=said))
    assert rejected == ()
    assert places == [(evil, 1, 1, Side.RIGHT)]
    assert in_diff == [True]


def test_evidence_in_an_unchanged_file_with_a_hidden_name_does_not_lose_the_claim(located) -> None:  # type: ignore[no-untyped-def]
    quotes = (Quote("a.py", 1, 1, "run(x)"), Quote("b<U+200B>.py", 1, 1, "def run(x): eval(x)"))
    places, _, rejected = located(
        {"b\u200b.py": "def run(x): eval(x)\n"}, {"a.py": "run(x)\n"}, claim(quotes=quotes)
    )
    assert rejected == ()
    assert places == [("a.py", 1, 1, Side.RIGHT)]


def test_a_line_that_a_tool_had_to_cut_may_be_quoted_as_it_was_shown(located) -> None:  # type: ignore[no-untyped-def]
    long = "run(" + "x" * 700 + ")"
    shown = f"first()\n{long[:600]} [… {len(long) - 600} more characters]\nlast()"
    places, _, rejected = located({"x": "1\n"}, {"a.py": f"first()\n{long}\nlast()\n"}, claim(shown))
    assert rejected == ()
    assert places == [("a.py", 1, 2, Side.RIGHT)]


def test_claims_that_jump_between_files_read_each_file_once(sandbox: Sandbox) -> None:
    base = sandbox.commit({"x": "1\n"})
    head = sandbox.commit({f"{number}.py": "run(x)\n" for number in range(20)})
    read: list[str] = []
    with Repository(Path(sandbox.folder)) as repository:
        changes = load_change_set(repository, base, head)
        real = repository.read_object
        repository.read_object = lambda sha: read.append(sha) or real(sha)  # type: ignore[method-assign,func-returns-value]
        claims = [claim("run(x)", path=f"{number % 20}.py", line=number + 1) for number in range(200)]
        evidence, _ = ground_claims(claims, changes, repository)
    assert len(evidence) == 200
    assert len(read) <= 20


def test_an_edit_of_a_very_large_file_is_removed_and_counted(located) -> None:  # type: ignore[no-untyped-def]
    head = "run(x)\n" + "y = 1\n" * 500_000
    made = claim("run(x)", edits=(Edit("a.py", "run(x)", "pass"),))
    _, _, rejected = located({"x": "1\n"}, {"a.py": head}, made)
    assert [item.why for item in rejected] == ["edit removed: the file is too large for an edit"]


def test_a_path_that_no_program_takes_is_only_a_quote_that_is_not_there(located) -> None:  # type: ignore[no-untyped-def]
    edits = (Edit("a\0.py", "run(x)", "pass"), Edit("", "run(x)", "pass"))
    claims = [claim("run(x)", path="a\0.py"), claim("run(x)", path=""), claim("run(x)", edits=edits)]
    places, _, rejected = located({"x": "1\n"}, {"a.py": "run(x)\n"}, *claims)
    assert places == [("a.py", 1, 1, Side.RIGHT)]
    assert [item.why for item in rejected] == ["its quote is not in the file"] * 2 + [
        "edit removed: the file is not in head"
    ] * 2


@pytest.mark.parametrize(
    "line", ["\r" * 300_000, "\r" * 300_000 + "x", " \r" * 150_000, "<U+000D> " * 60_000 + "x"]
)
def test_a_line_of_carriage_returns_takes_no_time(located, line: str) -> None:  # type: ignore[no-untyped-def]
    started = process_time()
    places, _, _ = located(
        {"x": "1\n"}, {"a.py": f"run(x)\n{line}\nend( x)\n"}, claim("end(x )"), claim("end(  x)")
    )
    assert places == [("a.py", 3, 3, Side.RIGHT)]
    assert process_time() - started < 10


def test_a_quote_of_masked_text_is_found_where_the_secret_stands_and_nowhere_else(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "x = 1\n"})
    head = sandbox.commit({"a.py": "x = 1\nkey = 'Zq8-old-secret'\nkey = 'other'\n"})
    with Repository(Path(sandbox.folder)) as repository:
        changes = load_change_set(repository, base, head)
        masker = Masker(places={"a.py": {2: [(7, 21)]}})
        said = [claim("key = '********'"), claim("other = '********'"), claim(surplus=True)]
        evidence, rejected = ground_claims(said, changes, repository, masker)
        assert [where(item) for item in evidence] == [("a.py", 2, 2, Side.RIGHT)]
        assert [one.why[:12] for one in rejected] == ["its quote is", "it came afte"]
        assert ground_claims(said[:1], changes, repository)[0] == ()
