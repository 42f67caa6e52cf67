import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reviewbot.change.diff import FilePatch, parse_diff
from reviewbot.change.hunks import count_ranges
from reviewbot.core import ChangeStatus
from reviewbot.errors import CombinedDiff, MalformedDiff

HEADER = b"diff --git a/x b/x\nindex 1111111..2222222 100644\n--- a/x\n+++ b/x\n"


def parse(data: bytes) -> list[FilePatch]:
    return list(parse_diff(BytesIO(data)))


def added_texts(patch: FilePatch) -> list[str]:
    return [line[1:] for hunk in patch.hunks for line in hunk.lines if line.startswith("+")]


def real_diffs() -> list[str]:
    index = Path(__file__).resolve().parents[3] / "shared" / "data" / "diffs" / "index.json"
    return [entry["file"] for entry in json.loads(index.read_text())] if index.is_file() else ["absent"]


@pytest.mark.shared_data
@pytest.mark.parametrize("name", real_diffs())
def test_real_diffs_agree_with_git_numstat_and_combined_ones_are_refused(
    name: str, shared_data: Path
) -> None:
    folder = shared_data / "diffs"
    entry = next(one for one in json.loads((folder / "index.json").read_text()) if one["file"] == name)
    data = (folder / name).read_bytes()
    if entry["format"].startswith("git combined"):
        with pytest.raises(CombinedDiff, match="combined"):
            parse(data)
        return
    expected = {
        (row["path"], row["old_path"]): (row["added"] or 0, row["removed"] or 0) for row in entry["files"]
    }
    patches = parse(data)
    assert {(p.path, p.old_path): (p.added_lines, p.deleted_lines) for p in patches} == expected
    for patch in patches:
        added, deleted, _ = count_ranges(patch.hunks)
        assert sum(last - first + 1 for first, last in added) == patch.added_lines
        assert sum(last - first + 1 for first, last in deleted) == patch.deleted_lines


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_line_ends_at_a_line_feed_only(mark: str) -> None:
    text = f"before{mark}after"
    [patch] = parse(HEADER + f"@@ -1 +1,2 @@\n a\n+{text}\n".encode())
    assert added_texts(patch) == [text]
    assert count_ranges(patch.hunks)[0] == ((2, 2),)


def test_a_crlf_keeps_its_carriage_return() -> None:
    [patch] = parse(HEADER + b"@@ -1 +1 @@\n-a\r\n+b\r\n")
    assert added_texts(patch) == ["b\r"]


def test_bytes_that_are_not_utf_8_survive() -> None:
    [patch] = parse(HEADER + b"@@ -0,0 +1 @@\n+caf\xe9\n")
    assert added_texts(patch)[0].encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_header_look_alikes_inside_a_hunk_stay_lines() -> None:
    body = b"--- a/y\n-+++ b/y\n+++ b/z\n+diff --git a/q b/q\n+@@ -1 +1 @@\n"
    [patch] = parse(HEADER + b"@@ -1,2 +1,3 @@\n" + body)
    assert (patch.added_lines, patch.deleted_lines) == (3, 2)
    assert added_texts(patch) == ["++ b/z", "diff --git a/q b/q", "@@ -1 +1 @@"]


def test_a_file_without_a_final_line_feed_keeps_gits_marker() -> None:
    [patch] = parse(
        HEADER + b"@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    )
    assert patch.hunks[0].lines == (
        "-a", "\\ No newline at end of file", "+b", "\\ No newline at end of file",
    )  # fmt: skip
    assert count_ranges(patch.hunks) == (((1, 1),), ((1, 1),), (0,))


def test_an_empty_context_line_may_have_lost_its_blank() -> None:
    [patch] = parse(HEADER + b"@@ -1,3 +1,4 @@\n a\n\n+b\n c\n")
    assert count_ranges(patch.hunks)[0] == ((3, 3),)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'diff --git "a/t\\303\\251.txt" "b/t\\303\\251.txt"\n', "té.txt"),
        (b'diff --git "a/a\\tb\\"c\\\\d" "b/a\\tb\\"c\\\\d"\n', 'a\tb"c\\d'),
        (b'diff --git "a/caf\\351" "b/caf\\351"\n', "caf\udce9"),
        (b"diff --git a/with blank and b/ in it b/with blank and b/ in it\n", "with blank and b/ in it"),
    ],
)
def test_names_are_unquoted_when_only_the_first_line_has_them(line: bytes, name: str) -> None:
    [patch] = parse(line + b"old mode 100644\nnew mode 100755\n")
    assert (patch.path, patch.status) == (name, ChangeStatus.MODE_CHANGED)


def test_a_name_with_a_blank_loses_the_tab_that_git_adds() -> None:
    [patch] = parse(b"diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n@@ -0,0 +1 @@\n+x\n")
    assert patch.path == "a b"


@pytest.mark.parametrize("verb", ["rename", "copy"])
def test_renames_and_copies_have_two_names(verb: str) -> None:
    [patch] = parse(
        f"diff --git a/old b/new\nsimilarity index 100%\n{verb} from old\n{verb} to new\n".encode()
    )
    assert (patch.old_path, patch.path, patch.status.value[:4]) == (
        "old",
        "new",
        {"rename": "rena", "copy": "copi"}[verb],
    )


def test_a_change_of_kind_is_one_file() -> None:
    removed = (
        b"diff --git a/l b/l\ndeleted file mode 120000\n--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-target\n"
    )
    created = b"diff --git a/l b/l\nnew file mode 100644\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+text\n"
    [patch] = parse(removed + created)
    assert patch.status is ChangeStatus.TYPE_CHANGED
    assert (patch.added_lines, patch.deleted_lines) == (1, 1)


def test_binary_patches_have_no_hunks() -> None:
    binary = b"diff --git a/b b/b\nnew file mode 100644\nGIT binary patch\nliteral 4\nLc${NkWMT\n\nliteral 0\nHc$@<O00001\n\n"
    first, second = parse(binary + HEADER + b"@@ -0,0 +1 @@\n+x\n")
    assert first.is_binary
    assert not first.hunks
    assert second.added_lines == 1


@pytest.mark.parametrize("line", [b"diff --cc x\n", b"diff --combined x\n", HEADER + b"@@@ -1 -1 +1 @@@\n"])
def test_a_combined_diff_is_refused_by_name(line: bytes) -> None:
    with pytest.raises(CombinedDiff, match="combined"):
        parse(line)


@pytest.mark.parametrize(
    "data",
    [
        b"no diff at all\n",
        HEADER + b"@@ -1,2 +1,2 @@\n a\n",
        HEADER + b"@@ -1 +1,1 @@\n a\nx\n+b\n"[:24] + b"@@ -1,2 +1 @@\n a\n*\n",
        HEADER + b"@@ nonsense @@\n",
        b'diff --git "a/\\q" "b/\\q"\n',
        b"diff --git a/x b/y\nold mode 1\nnew mode 2\n",
    ],
)
def test_what_is_no_diff_is_an_error_of_one_sentence(data: bytes) -> None:
    with pytest.raises(MalformedDiff) as caught:
        parse(data)
    assert "\n" not in str(caught.value)


def test_a_commit_message_before_the_first_file_is_passed_over() -> None:
    [patch] = parse(
        b"From 1234 Mon Sep 17\nSubject: x\n\n---\n x | 1 +\n\n" + HEADER + b"@@ -0,0 +1 @@\n+x\n-- \n2.39\n"
    )
    assert patch.added_lines == 1


def test_a_hundred_thousand_lines_are_one_hunk() -> None:
    count = 100_000
    body = b"".join(b"+line %d\n" % number for number in range(count))
    [patch] = parse(HEADER + b"@@ -0,0 +1,%d @@\n" % count + body)
    assert len(patch.hunks[0].lines) == count
    assert count_ranges(patch.hunks)[0] == ((1, count),)


def test_a_megabyte_on_one_line_is_one_line() -> None:
    [patch] = parse(HEADER + b"@@ -0,0 +1 @@\n+" + b"x" * 1_000_000 + b"\n")
    assert len(added_texts(patch)[0]) == 1_000_000


text_lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20)
edits = st.lists(st.tuples(st.sampled_from("+- "), text_lines), min_size=1, max_size=30)


@given(edits)
@example([("-", "-- a/x"), ("+", "++ b/x")])
@example([(" ", ""), ("+", "\r")])
def test_every_line_of_any_hunk_comes_back_as_it_was(hunk: list[tuple[str, str]]) -> None:
    base = sum(kind != "+" for kind, _ in hunk)
    head = sum(kind != "-" for kind, _ in hunk)
    lines = [kind + text for kind, text in hunk]
    start = f"@@ -{int(base > 0)},{base} +{int(head > 0)},{head} @@\n"
    [patch] = parse(HEADER + (start + "".join(f"{line}\n" for line in lines)).encode())
    assert list(patch.hunks[0].lines) == lines
    assert patch.added_lines == sum(kind == "+" for kind, _ in hunk)
    assert patch.deleted_lines == sum(kind == "-" for kind, _ in hunk)


@given(st.binary(max_size=400), st.binary(max_size=100))
@example(b"", b"")
@example(HEADER + b"@@ -1 +1 @@\n", b"\\")
@example(b"diff --git a/x b/x\n@@ -999999999 +999999999 @@\n", b" x\n")
def test_any_bytes_parse_or_are_refused(one: bytes, other: bytes) -> None:
    for data in (one, HEADER + one, HEADER + b"@@ -1,2 +1,2 @@\n" + one, one + b"\n" + HEADER + other):
        try:
            parse(data)
        except (MalformedDiff, CombinedDiff):
            continue


def test_a_change_too_large_to_be_held_is_counted_and_says_so() -> None:
    from reviewbot.change.diff import BYTES_PER_CHANGE

    body = b"+" + b"x" * (BYTES_PER_CHANGE // 4) + b"\n"
    small = HEADER.replace(b"x", b"y") + b"@@ -0,0 +1 @@\n+y\n"
    patches = parse(HEADER + b"@@ -0,0 +1,5 @@\n" + body * 5 + small)
    assert [(patch.added_lines, patch.hunks) for patch in patches] == [(5, ()), (1, ())]
    assert all("too large" in (patch.omitted or "") for patch in patches)


def test_memory_stays_bounded_on_a_hundred_thousand_lines() -> None:
    import tracemalloc

    def lines() -> Iterator[bytes]:
        yield from (HEADER + b"@@ -0,0 +1,100000 @@\n").splitlines(keepends=True)
        yield from (b"+the line with the number %d of a long file\n" % number for number in range(100_000))

    tracemalloc.start()
    [patch] = list(parse_diff(lines()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert patch.added_lines == 100_000
    assert peak < 30 * 1024 * 1024
