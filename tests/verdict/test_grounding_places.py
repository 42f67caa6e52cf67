"""Evidence against texts in memory: the exact lines of quotes, frames, moves and fingerprints."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from types import MappingProxyType

import pytest

from reviewbot.change.git import TreeEntry
from reviewbot.core import ChangeSet, ChangeStatus, Evidence, FileChange, Finding, Location, Severity, Side
from reviewbot.core import Suppression as Silence
from reviewbot.errors import RepositoryError
from reviewbot.verdict.grounding import ground_evidence

BASE, HEAD, OTHER = "b" * 40, "a" * 40, "c" * 40
EVIDENCE = Evidence("1", "analyzer", "ruff", "S602", Severity.HIGH, "a shell")
NUMBERED = "".join(f"line {number}\n" for number in range(1, 101))


@dataclass
class Texts:
    """Files by commit and path; each is a blob of its own. What has no text is a submodule."""

    files: Mapping[tuple[str, str], str | None]
    read: list[str] = field(default_factory=list)

    def read_object(self, sha: str) -> bytes:
        self.read.append(sha)
        commit, path = sha.split(":")
        content = self.files.get((commit, path))
        if content is None:
            raise RepositoryError("The object is missing.")
        return content.encode()

    def entry_at(self, tree: str, path: str) -> TreeEntry | None:
        if (tree, path) not in self.files:
            return None
        kind = "commit" if self.files[tree, path] is None else "blob"
        return TreeEntry("100644", kind, f"{tree}:{path}")

    def tree_paths(self, tree: str) -> tuple[str, ...]:
        return tuple(path for commit, path in self.files if commit == tree)


def at(
    start: int, end: int | None = None, path: str = "a.py", side: Side = Side.RIGHT, **values: object
) -> Evidence:
    return replace(EVIDENCE, location=Location(path, start, end or start, side), **values)  # type: ignore[arg-type]


def ground(
    *evidence: Evidence,
    head: str = NUMBERED,
    others: Mapping[tuple[str, str], str | None] = MappingProxyType({}),
    old_path: str | None = None,
    **ranges: object,
) -> list[Finding]:
    """Findings in a change of ``a.py``, whose ``ranges`` are as in ``FileChange``; no line of it by default."""
    texts = Texts({(HEAD, "a.py"): head, **others})
    change = FileChange("a.py", old_path, ChangeStatus.MODIFIED, "1", "1", None, f"{HEAD}:a.py", **ranges)  # type: ignore[arg-type]
    findings, _ = ground_evidence(evidence, ChangeSet(BASE, HEAD, (change,)), texts)
    return list(findings)


def spans(*findings: Finding) -> list[tuple[int, int] | None]:
    return [(place.start_line, place.end_line) if (place := one.location) else None for one in findings]


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (1, 1, 1, 3),
        (2, 2, 1, 4),
        (3, 3, 1, 5),
        (4, 4, 2, 6),
        (50, 52, 48, 54),
        (50, 90, 48, 58),
        (99, 99, 97, 100),
    ],
)
def test_a_frame_has_two_lines_of_context_and_ends_eight_lines_after_its_first(
    start: int, end: int, first: int, last: int
) -> None:
    [finding] = ground(at(start, end))
    assert finding.frame is not None
    assert finding.frame.start_line == first
    assert finding.frame.lines == tuple(f"line {number}" for number in range(first, last + 1))


@pytest.mark.parametrize(
    ("head", "line", "shown"),
    [
        ("a\nb\n", 2, ("a", "b")),
        ("a\nb\nc", 2, ("a", "b", "c")),
        ("a\n\n\nb\nc\n", 1, ("a", "", "")),
        ("a\n\n", 2, ("a", "")),
        ("", 1, ("",)),
    ],
)
def test_a_frame_leaves_out_what_only_stands_behind_the_last_line_feed(
    head: str, line: int, shown: tuple[str, ...]
) -> None:
    [finding] = ground(at(line), head=head)
    assert finding.frame is not None
    assert finding.frame.lines == shown


def test_a_quote_has_at_most_50_lines_of_300_characters_and_2000_characters() -> None:
    [finding] = ground(at(10, 90))
    assert finding.quote.split("\n") == [f"line {number}" for number in range(10, 60)]
    [wide] = ground(at(1), head="x" * 400 + "\n")
    assert wide.quote == "x" * 300
    [large] = ground(at(1, 40), head=("y" * 99 + "\n") * 40)
    assert len(large.quote) == 2_000


def test_a_deleted_line_of_a_renamed_file_is_quoted_from_its_old_name() -> None:
    [finding] = ground(
        at(2, side=Side.LEFT), old_path="old.py", others={(BASE, "old.py"): "a\nb\nc\n"}, deleted=((2, 2),)
    )
    assert (finding.in_diff, finding.quote) == (True, "b")


def test_a_deleted_line_that_nobody_can_read_is_kept_without_its_text() -> None:
    [finding] = ground(at(2, side=Side.LEFT), deleted=((2, 2),))
    assert (finding.in_diff, finding.quote) == (True, "")
    assert finding.frame is not None and finding.frame.lines == ()
    [elsewhere] = ground(at(2, side=Side.LEFT, path="b.py"), others={(BASE, "b.py"): "a\nb\n"})
    assert (elsewhere.in_diff, elsewhere.quote) == (False, "b")


def test_a_submodule_is_no_file_to_read() -> None:
    texts = Texts({(HEAD, "vendor"): None})
    [finding], _ = ground_evidence([at(1, path="vendor")], ChangeSet(BASE, HEAD, ()), texts)
    assert (finding.location, finding.note, texts.read) == (None, "vendor is not in head.", [])


def test_evidence_without_a_place_is_never_in_the_diff_and_told_apart_by_its_title() -> None:
    found = ground(*(replace(EVIDENCE, title=title) for title in ("one", "two", "two")))
    assert spans(*found) == [None, None, None]
    assert not any(one.in_diff for one in found)
    first, second, third = (one.fingerprint for one in found)
    assert len({first, second, third}) == 3
    [lost] = ground(at(900), added=((1, 100),))
    assert (lost.location, lost.in_diff) == (None, False)


# Where a text of another commit went.


def test_the_end_of_a_moved_range_moves_along_and_stays_in_the_file() -> None:
    seen = {(OTHER, "a.py"): "new\n" * 5 + NUMBERED}
    [moved] = ground(at(15, 18, revision=OTHER), others=seen)
    assert spans(moved) == [(10, 13)]
    assert moved.note == f"Reported for line 15 of commit {OTHER[:12]}; found by its text."
    [clipped] = ground(at(15, 18, revision=OTHER), head="x\nline 10", others=seen)
    assert spans(clipped) == [(2, 2)]


@pytest.mark.parametrize(("start", "found"), [(2, (1, 1)), (3, (1, 1)), (8, (9, 9))])
def test_of_equal_lines_the_nearest_is_taken(start: int, found: tuple[int, int]) -> None:
    head = "same\n" + "x\n" * 7 + "same\n"
    assert spans(*ground(at(start, revision=OTHER, snippet="same"), head=head)) == [found]


def test_of_equal_lines_one_that_the_change_added_is_taken_before_a_nearer_one() -> None:
    head = "same\n" + "x\n" * 7 + "same\n"
    assert spans(*ground(at(2, revision=OTHER, snippet="same"), head=head, added=((9, 9),))) == [(9, 9)]


def test_a_line_with_the_very_same_white_space_is_taken_before_a_nearer_one() -> None:
    [finding] = ground(at(2, revision=OTHER, snippet="  x = 1"), head="  x = 1\nx = 1\n")
    assert spans(finding) == [(1, 1)]


def test_text_moves_in_a_file_that_the_change_did_not_touch() -> None:
    evidence = at(9, path="b.py", revision=OTHER, snippet="two")
    [finding] = ground(evidence, others={(HEAD, "b.py"): "one\ntwo\n"})
    assert (spans(finding), finding.in_diff) == ([(2, 2)], False)


@pytest.mark.parametrize("snippet", [None, "", " \t"])
def test_what_has_no_text_to_look_for_loses_its_place(snippet: str | None) -> None:
    [finding] = ground(at(9, revision=OTHER, snippet=snippet), head="\n \nx\n")
    assert finding.location is None
    assert finding.note == f"Reported for a.py:9 of commit {OTHER[:12]}; head has another text there."


def test_the_last_line_of_the_other_commit_is_read_and_what_is_past_it_is_the_snippet() -> None:
    seen = {(OTHER, "a.py"): "zero\nline 7"}
    evidence = [at(2, revision=OTHER, snippet="line 9"), at(3, revision=OTHER, snippet="line 9")]
    assert spans(*ground(*evidence, others=seen)) == [(7, 7), (9, 9)]


def test_the_same_file_in_another_commit_keeps_its_lines_up_to_the_end() -> None:
    same = {(OTHER, "a.py"): NUMBERED}
    [last] = ground(at(100, 900, revision=OTHER), others=same)
    assert (spans(last), last.note) == ([(100, 100)], "")
    [past] = ground(at(101, revision=OTHER), others=same)
    assert past.location is None


# Evidence of no commit is believed unless its text stands elsewhere.


def test_a_range_that_reaches_past_the_end_ends_at_the_last_line() -> None:
    assert spans(*ground(at(98, 900))) == [(98, 100)]
    assert spans(*ground(at(98, 900, snippet="REDACTED"))) == [(98, 100)]
    assert spans(*ground(at(100, 900, snippet="REDACTED"))) == [(100, 100)]
    assert spans(*ground(at(101, 900, snippet="REDACTED"))) == [None]
    assert spans(*ground(at(101, 900, snippet="line 7"))) == [(7, 100)]


def test_a_snippet_that_is_a_part_of_its_line_stays_where_it_is_said_to_be() -> None:
    # "line 1" stands by itself in the first line, and is a part of the tenth and the hundredth.
    found = ground(at(10, snippet="line 1"), at(100, snippet="line  1"), at(11, snippet="line 2", rule="S1"))
    assert spans(*found) == [(2, 2), (10, 10), (100, 100)]


def test_only_what_begins_at_the_first_line_speaks_of_the_whole_file() -> None:
    added = ((1, 1),)
    assert [one.in_diff for one in ground(at(1, 900), added=added)] == [True]
    assert [one.in_diff for one in ground(at(2, 900), added=added)] == [False]
    assert [one.in_diff for one in ground(at(2, 900), added=((50, 50),))] == [True]


def test_the_whole_of_a_file_that_lost_lines_or_got_some_is_in_the_diff() -> None:
    [got] = ground(at(1, 900, source="sarif"), added=((7, 7),))
    [lost] = ground(at(1, 900, source="sarif"), gaps=(0,))
    [neither] = ground(at(1, 900, source="sarif"))
    assert [got.in_diff, lost.in_diff, neither.in_diff] == [True, True, False]


# Fingerprints.


def fingerprint(evidence: Evidence, **change: object) -> str:
    [finding] = ground(evidence, **change)  # type: ignore[arg-type]
    return finding.fingerprint


def test_fingerprints_are_those_that_comments_on_open_pull_requests_carry() -> None:
    known = [sha256(f"ruff\0S602\0a.py\0same\0{count}".encode()).hexdigest()[:16] for count in (1, 2)]
    assert [one.fingerprint for one in ground(at(1), at(2), head="same\nsame\n")] == known


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 9), (1, 5), (3, 8)])
def test_a_range_is_known_by_its_first_changed_line(start: int, end: int) -> None:
    added = ((2, 2), (5, 6)) if start > 2 else ((5, 6),)
    assert fingerprint(at(start, end), added=added) == fingerprint(at(5))


def test_a_range_without_a_changed_line_is_known_by_its_first() -> None:
    assert fingerprint(at(3, 4), added=((2, 2), (5, 6))) == fingerprint(at(3))
    assert fingerprint(at(3, 4)) != fingerprint(at(4))


def test_a_range_that_begins_within_what_was_added_is_known_by_its_own_first_line() -> None:
    assert fingerprint(at(5, 7), added=((4, 6),)) == fingerprint(at(5))
    assert fingerprint(at(6, 8), added=((4, 6), (8, 8))) == fingerprint(at(6))


def test_a_range_of_deleted_lines_is_known_by_the_first_that_the_change_deleted() -> None:
    base = {(BASE, "a.py"): NUMBERED}
    of_range = fingerprint(at(3, 7, side=Side.LEFT), others=base, deleted=((5, 5),), added=((4, 4),))
    assert of_range == fingerprint(at(5, side=Side.LEFT), others=base)


def test_the_last_line_tells_findings_apart() -> None:
    names = {fingerprint(at(2), head=f"a\n{text}") for text in ("b", "c")}
    assert len(names) == 2


def test_a_failed_test_is_known_by_its_title_wherever_it_stands() -> None:
    first, moved = (at(line, source="junit", tool="junit", title="test_a failed") for line in (3, 9))
    assert fingerprint(first) == fingerprint(moved)
    assert fingerprint(first) != fingerprint(replace(first, title="test_b failed"))


# One finding for what is said twice.


def test_of_two_equal_results_ours_is_kept_wherever_the_other_begins() -> None:
    [finding] = ground(at(2, 3, source="sarif"), at(3, 4), added=((1, 9),))
    assert finding.evidence.source == "analyzer"


def test_a_finding_that_does_not_block_is_pushed_out_by_one_that_does_however_sure_it_is() -> None:
    for quiet in (at(3, advisory=True), at(3, suppression=Silence.BASE)):
        [finding] = ground(replace(at(3), confidence=0.6), quiet, added=((1, 9),))
        assert finding.evidence.confidence == 0.6


def test_a_finding_outside_the_diff_repeats_one_inside_however_sure_it_is() -> None:
    inside, outside = at(3, 4, confidence=0.5), at(4, 5, confidence=0.9)
    assert spans(*ground(outside, inside, added=((3, 3),))) == [(3, 4)]


def test_only_what_our_analyzers_say_outside_the_diff_was_known_before() -> None:
    found = ground(at(5), at(6, source="sarif"), at(3, source="sarif"), at(2), added=((2, 3),))
    assert [(one.in_diff, one.status) for one in found] == [
        (True, "new"), (True, "new"), (False, "known"), (False, "new"),
    ]  # fmt: skip


def test_a_finding_outside_the_diff_does_not_push_out_a_surer_one_beside_it() -> None:
    outside = ground(at(1, 3, confidence=0.9), at(3, 3, confidence=0.8))
    assert spans(*outside) == [(1, 3)]
    loud, quiet = at(3, 5, severity=Severity.LOW), at(1, 3, advisory=True)
    assert spans(*ground(loud, quiet, added=((3, 5),))) == [(3, 5)]


def test_results_without_a_place_never_push_each_other_out() -> None:
    assert len(ground(at(900), at(901), replace(EVIDENCE, location=None))) == 3
    failed = at(3, source="junit", tool="junit", rule="failure")
    assert len(ground(failed, failed, added=((3, 3),))) == 2


@pytest.mark.parametrize(
    ("handed_in", "outside", "is_repeated"),
    [
        ([(1, 9), (7, 16)], (2, 3), True),
        ([(1, 9), (7, 16)], (12, 13), True),
        ([(5, 16), (8, 9)], (6, 6), True),
        ([(20, 30), (1, 5)], (10, 11), False),
        ([(20, 30), (1, 4), (3, 9)], (11, 12), False),
    ],
)
def test_what_is_handed_in_covers_its_own_lines_and_no_others(
    handed_in: list[tuple[int, int]], outside: tuple[int, int], is_repeated: bool
) -> None:
    worst, *others = handed_in
    found = ground(
        at(*worst, source="sarif", severity=Severity.CRITICAL),
        *(at(*span, source="sarif") for span in others),
        at(*outside, source="sarif"),
        added=((1, 1), (8, 8), (15, 15), (25, 25)),
    )
    assert (outside not in spans(*found)) is is_repeated
    assert len(found) == len(handed_in) + (not is_repeated)
