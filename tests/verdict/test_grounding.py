from dataclasses import replace

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, Evidence, Finding, Location, Severity, Side, Suppression
from reviewbot.secrets.masking import mask
from reviewbot.verdict.grounding import ground_evidence, touches
from tests.repositories import Sandbox

EVIDENCE = Evidence("1", "analyzer", "ruff", "S602", Severity.HIGH, "a shell")
OLD = "one\ntwo\nthree\nfour\nfive\nsix\n"
NEW = "one\ntwo\nTHREE\nfour\nsix\n"


def at(start: int, end: int | None = None, path: str = "a.py", **values: object) -> Evidence:
    return replace(EVIDENCE, location=Location(path, start, end or start), **values)  # type: ignore[arg-type]


def ground(sandbox: Sandbox, base: str, head: str, *evidence: Evidence) -> list[Finding]:
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        findings, _ = ground_evidence(evidence, changes, repository)
    return list(findings)


@pytest.fixture
def commits(sandbox: Sandbox) -> tuple[str, str]:
    return sandbox.commit({"a.py": OLD, "other.py": "x\n"}), sandbox.commit({"a.py": NEW})


@pytest.mark.parametrize(
    ("start", "end", "in_diff"),
    [(3, 3, True), (1, 2, False), (2, 4, True), (4, 4, False), (4, 5, True), (5, 5, False)],
)
def test_a_finding_is_in_the_diff_where_its_lines_were_added_or_span_a_deletion(
    sandbox: Sandbox, commits: tuple[str, str], start: int, end: int, in_diff: bool
) -> None:
    [finding] = ground(sandbox, *commits, at(start, end))
    assert finding.in_diff is in_diff
    assert finding.status == ("new" if in_diff else "known")


def test_a_deleted_line_is_on_the_left(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    left = replace(EVIDENCE, location=Location("a.py", 5, 5, Side.LEFT))
    [finding] = ground(sandbox, *commits, left)
    assert (finding.in_diff, finding.quote) == (True, "five")


def test_quote_and_frame_are_the_blobs_own_text(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    [finding] = ground(sandbox, *commits, at(3))
    assert finding.quote == "THREE"
    assert finding.frame is not None
    assert (finding.frame.start_line, finding.frame.lines) == (1, ("one", "two", "THREE", "four", "six"))


def test_masked_lines_are_masked_everywhere(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    secret = replace(at(3), rule="aws", masks=((3, 0, 5),))
    findings = ground(sandbox, *commits, secret, at(2))
    assert all("THREE" not in repr(finding.frame) + finding.quote for finding in findings)


def test_lines_past_the_end_lose_their_place_and_are_kept(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    [finding] = ground(sandbox, *commits, at(900))
    assert (finding.location, finding.in_diff) == (None, False)
    assert "a.py:900" in finding.note


def test_a_file_that_head_does_not_have_is_kept_without_a_place(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    [finding] = ground(sandbox, *commits, at(1, path="../../etc/passwd"))
    assert finding.location is None
    assert "is not in head" in finding.note


def test_evidence_of_another_commit_counts_where_the_blob_is_the_same(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    base, head = commits
    merge = sandbox.commit({"unrelated": "x\n"})
    [finding] = ground(sandbox, base, head, at(3, revision=merge))
    assert (finding.in_diff, finding.note) == (True, "")


def test_evidence_of_another_commit_is_matched_by_its_text_otherwise(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    base, head = commits
    merge = sandbox.commit({"a.py": "zero\nzero\n" + NEW})
    [finding] = ground(sandbox, base, head, at(5, revision=merge))
    assert finding.location == Location("a.py", 3, 3)
    assert finding.in_diff
    assert "found by its text" in finding.note


def test_text_that_head_does_not_have_is_off_the_diff(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    base, head = commits
    merge = sandbox.commit({"a.py": "one\ntwo\nnowhere\n"})
    [finding] = ground(sandbox, base, head, at(3, revision=merge))
    assert (finding.location, finding.in_diff) == (None, False)
    assert "the line is not in head" in finding.note


def test_a_commit_nobody_has_falls_back_on_the_snippet(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    lost = "f" * 40
    with_text, without = (at(9, revision=lost, snippet=text) for text in ("  THREE", None))
    findings = ground(sandbox, *commits, with_text, replace(without, rule="S1"))
    assert [finding.location.start_line if finding.location else None for finding in findings] == [3, None]


def test_of_several_matches_the_one_in_the_diff_and_nearest_wins(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "same\nx\nsame\nx\n"})
    head = sandbox.commit({"a.py": "same\nx\nsame\nx\nsame\nx\nsame\n"})
    [finding] = ground(sandbox, base, head, at(8, revision="f" * 40, snippet="same"))
    assert finding.location == Location("a.py", 7, 7)


def test_a_shifted_report_without_a_commit_is_moved_to_its_text(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    [finding] = ground(sandbox, *commits, at(1, source="sarif", snippet="THREE"))
    assert finding.location == Location("a.py", 3, 3)


def test_a_redacted_snippet_does_not_take_the_place_away(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    [finding] = ground(sandbox, *commits, at(3, source="sarif", snippet="REDACTED"))
    assert finding.in_diff


def test_an_analyzers_second_place_counts_and_a_sarif_files_does_not(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    related = (Location("a.py", 3, 3),)
    [ours] = ground(sandbox, *commits, at(1, related=related))
    [theirs] = ground(sandbox, *commits, at(1, related=related, source="sarif"))
    assert (ours.in_diff, ours.location) == (True, Location("a.py", 3, 3))
    assert theirs.in_diff is False


def test_fingerprints_survive_moved_lines_and_white_space(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    base, head = commits
    [before] = ground(sandbox, base, head, at(3))
    moved = sandbox.commit({"a.py": "new\nnew\n" + NEW.replace("THREE", "  THREE")})
    [after] = ground(sandbox, base, moved, at(5))
    assert before.fingerprint == after.fingerprint
    assert len(before.fingerprint) == 16


def test_equal_lines_have_fingerprints_of_their_own(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit({"a.py": "x\nsame\nsame\n"})
    found = ground(sandbox, base, head, at(2), at(3))
    assert len({finding.fingerprint for finding in found}) == 2


def test_the_same_rule_on_overlapping_lines_is_one_finding(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, *commits)
        findings, rejected = ground_evidence(
            [at(3), at(2, 3, source="sarif"), at(3, rule="S999")], changes, repository
        )
    assert len(findings) == 2
    assert [(one.rule, one.path) for one in rejected] == [("ruff/S602", "a.py")]


def test_failed_tests_in_one_place_stay_apart(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    tests = [at(1, source="junit", tool="junit", rule="failure", title=f"test_{n} failed") for n in (1, 2)]
    assert len({finding.fingerprint for finding in ground(sandbox, *commits, *tests)}) == 2


def test_the_worst_in_the_diff_comes_first(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    found = ground(
        sandbox, *commits,
        at(1, rule="R1", severity=Severity.CRITICAL), at(3, rule="R2", severity=Severity.LOW), at(3, rule="R3"),
    )  # fmt: skip
    assert [finding.evidence.rule for finding in found] == ["R3", "R2", "R1"]


def test_touching_is_fast_on_many_ranges() -> None:
    from reviewbot.core import ChangeStatus, FileChange

    ranges = tuple((number, number) for number in range(2, 400_000, 2))
    change = FileChange("a", None, ChangeStatus.MODIFIED, "1", "1", None, None, added=ranges)
    assert sum(touches(change, Location("a", line, line)) for line in range(1, 20_001)) == 10_000


def test_no_evidence_is_no_finding(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    with Repository(sandbox.folder) as repository:
        assert ground_evidence([], ChangeSet(*commits, ()), repository) == ((), ())


def test_a_weaker_result_of_the_same_rule_cannot_push_out_a_stronger_one(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    weaker = at(3, source="sarif", severity=Severity.LOW, title="A", message="handed in")
    for order in ((at(3), weaker), (weaker, at(3))):
        [finding] = ground(sandbox, *commits, *order)
        assert finding.severity is Severity.HIGH


def test_a_result_outside_the_diff_cannot_swallow_one_inside_it(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    before, inside = at(1, 2, source="sarif"), at(2, 3, source="sarif")
    [finding] = ground(sandbox, *commits, before, inside)
    assert finding.in_diff


@pytest.mark.parametrize("source", ["sarif", "agent"])
def test_a_result_that_is_worse_but_a_guess_cannot_push_out_one_that_is_sure(
    sandbox: Sandbox, commits: tuple[str, str], source: str
) -> None:
    guess = at(1, 9, source=source, severity=Severity.CRITICAL, confidence=0.2)
    sure = at(3, source=source, confidence=0.95)
    for order in ((sure, guess), (guess, sure)):
        found = ground(sandbox, *commits, *order)
        assert {(one.severity, one.evidence.confidence) for one in found} == {
            (Severity.CRITICAL, 0.2),
            (Severity.HIGH, 0.95),
        }
        assert len({one.fingerprint for one in found}) == 2


@pytest.mark.parametrize("silenced", [{"advisory": True}, {"suppression": Suppression.BASE}])
def test_a_worse_result_that_is_silenced_cannot_swallow_one_that_blocks(
    sandbox: Sandbox, commits: tuple[str, str], silenced: dict[str, object]
) -> None:
    worse = at(3, source="sarif", severity=Severity.CRITICAL)
    quiet = replace(worse, **silenced)  # type: ignore[arg-type]
    for order in ((at(3), quiet), (quiet, at(3))):
        [finding] = ground(sandbox, *commits, *order)
        assert (finding.severity, finding.evidence.advisory) == (Severity.HIGH, False)
        assert finding.evidence.suppression is Suppression.NONE


def test_a_report_that_borrows_our_tools_name_cannot_swallow_what_we_found_below_its_first_line(
    sandbox: Sandbox,
) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit({"a.py": "x\ncall(ls)\ny\ncall(evil)\n"})
    [dismissed, *_] = ground(sandbox, base, head, at(2), at(4))
    cover = at(2, 4, source="sarif", severity=Severity.CRITICAL, title="A false positive")
    found = ground(sandbox, base, head, at(2), at(4), cover)
    others = {one.fingerprint for one in found} - {dismissed.fingerprint}
    assert [one.location.start_line for one in found if one.fingerprint in others and one.location] == [4]


def test_what_a_weaker_result_of_the_rule_cannot_push_out_may_repeat_it(
    sandbox: Sandbox, commits: tuple[str, str]
) -> None:
    same = [at(3, source="agent", confidence=0.4), at(3, source="agent", confidence=0.95)]
    [finding] = ground(sandbox, *commits, *same)
    assert finding.evidence.confidence == 0.95


def test_a_chain_of_ranges_drops_only_what_overlaps_what_is_kept(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit({"a.py": "".join(f"{number}\n" for number in range(30))})
    found = ground(sandbox, base, head, at(1, 5), at(5, 10), at(8, 12))
    assert [(one.location.start_line, one.location.end_line) for one in found if one.location] == [
        (1, 5),
        (8, 12),
    ]


def test_many_results_whose_text_is_nowhere_are_quick(sandbox: Sandbox) -> None:
    from time import process_time

    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit({"a.py": "".join(f"line {number}\n" for number in range(50_000))})
    evidence = [at(number, revision="f" * 40, snippet=f"gone {number}") for number in range(1, 2_001)]
    started = process_time()
    assert len(ground(sandbox, base, head, *evidence)) == 2_000
    assert process_time() - started < 20


@pytest.mark.parametrize(
    ("spans", "shown"),
    [
        ([], "key = abcdefghijklmnop; x"),
        ([(6, 22)], "key = abcd********; x"),
        ([(6, 10)], "key = ********efghijklmnop; x"),
        ([(6, 14), (10, 22)], "key = abcd********; x"),
        ([(6, 14), (16, 22)], "key = ********ij********; x"),
        ([(6, -1)], "key = abcd********"),
        ([(0, 999)], "key ********"),
        ([(30, 40), (5, 5)], "key = abcdefghijklmnop; x"),
    ],
)
def test_the_union_of_all_spans_is_hidden(spans: list[tuple[int, int]], shown: str) -> None:
    assert mask("key = abcdefghijklmnop; x", spans) == shown


def test_places_named_apart_from_evidence_are_hidden_too(sandbox: Sandbox, commits: tuple[str, str]) -> None:
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, *commits)
        [finding], _ = ground_evidence([at(3)], changes, repository, {"a.py": [(2, 0, -1)]})
    assert finding.frame is not None
    assert finding.frame.lines[1:3] == ("********", "THREE")


@pytest.mark.parametrize("head", ["two\nthree\n", "one\ntwo\n", "one\nTWO\nthree\n"])
def test_a_result_for_a_whole_file_is_in_the_diff_wherever_it_changed(sandbox: Sandbox, head: str) -> None:
    base_sha = sandbox.commit({"a.py": "one\ntwo\nthree\n", "other": "1\n"})
    head_sha = sandbox.commit({"a.py": head, "other": "2\n"})
    merge = sandbox.commit({"more": "x\n"})
    for revision in (None, merge):
        [finding] = ground(sandbox, base_sha, head_sha, at(1, 2**31 - 1, source="sarif", revision=revision))
        assert finding.in_diff
        assert finding.location is not None
        assert finding.location.end_line <= 3


def test_a_result_for_a_whole_file_that_did_not_change_is_outside_the_diff(sandbox: Sandbox) -> None:
    base_sha = sandbox.commit({"a.py": "one\n", "b.py": "x\n"})
    head_sha = sandbox.commit({"b.py": "y\n"})
    [finding] = ground(sandbox, base_sha, head_sha, at(1, 2**31 - 1, source="sarif"))
    assert not finding.in_diff


def test_evidence_that_jumps_between_files_reads_each_file_once(sandbox: Sandbox) -> None:
    base = sandbox.commit({"x": "1\n"})
    head = sandbox.commit({f"{number}.py": "one\ntwo\n" for number in range(30)})
    evidence = [at(1 + number % 2, path=f"{number % 30}.py", rule=f"R{number}") for number in range(240)]
    read: list[str] = []
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        # Every file has a blob of its own name here, so that a count of reads is one of files.
        files = tuple(replace(change, head_blob=f"{n:040x}") for n, change in enumerate(changes.files))
        real = repository.read_object
        blob = changes.files[0].head_blob or ""
        repository.read_object = lambda sha: read.append(sha) or real(blob)  # type: ignore[method-assign,func-returns-value]
        findings, _ = ground_evidence(evidence, replace(changes, files=files), repository)
    assert len(findings) == 240
    assert len(read) <= 2 * 30  # once to place them, once for their fingerprints


def test_quote_and_frame_of_a_file_in_utf_16_are_its_text(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit({"w.ps1": "one\ntwo\n".encode("utf-16")})
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        [finding] = ground_evidence([at(2, path="w.ps1")], changes, repository)[0]
    assert finding.quote == "two" and finding.frame is not None and finding.frame.lines == ("one", "two")


def test_a_file_of_one_line_has_no_second_one(sandbox: Sandbox) -> None:
    base, head = sandbox.commit({"a.py": "x\n"}), sandbox.commit({"a.py": "y\n"})
    [finding] = ground(sandbox, base, head, at(2))
    assert finding.location is None
