import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.claims import Edit
from reviewbot.core import Evidence, Finding, Severity
from reviewbot.publish.files import prepare_folder, write_reports
from reviewbot.publish.markdown import render_markdown
from reviewbot.publish.patch import Patch, build_patch
from tests.publish import review
from tests.repositories import Sandbox


def finding(*edits: Edit, tool: str = "test_fix", title: str = "It broke") -> Finding:
    evidence = Evidence("C1", "agent", tool, "change-broke-code", Severity.MEDIUM, title, edits=edits)
    return Finding(f"{abs(hash(edits)):016x}"[:16], evidence, None, True)


def build(files: dict[str, bytes], *findings: Finding) -> Patch:
    return build_patch(findings, files.get)


def applied(sandbox: Sandbox, files: dict[str, bytes], patch: Patch) -> dict[str, bytes]:
    """What git makes of it: `git apply --check` first, then for good."""
    sandbox.commit(dict(files))
    for flags in (("--check",), ("--whitespace=nowarn",)):
        sandbox.git("apply", *flags, "-", stdin=patch.data)
    return {path: (Path(sandbox.folder) / path).read_bytes() for path in files}


def test_edits_of_several_findings_and_files_become_one_patch_that_git_applies(sandbox: Sandbox) -> None:
    files = {
        "a.py": b"".join(b"line %d\n" % n for n in range(40)),
        "dir with blank/\xc3\xa4.py".encode("latin-1").decode("utf-8"): b"x = 1\r\ny = 2\r\n",
        "end.py": b"no line feed",
    }
    names = list(files)
    patch = build(
        files,
        finding(Edit("a.py", "line 3\n", "line three\nand more\n"), Edit("a.py", "line 30", "line thirty")),
        finding(Edit(names[1], "x = 1\r\n", "x = 11\r\n"), title="Another"),
        finding(Edit("end.py", "line feed", "line feed\nat all")),
    )
    after = applied(sandbox, files, patch)
    assert after["a.py"] == files["a.py"].replace(b"line 3\n", b"line three\nand more\n").replace(
        b"line 30", b"line thirty"
    )
    assert after[names[1]] == b"x = 11\r\ny = 2\r\n"
    assert after["end.py"] == b"no line feed\nat all"
    assert patch.paths == tuple(sorted(names))
    assert len(patch.fingerprints) == 3
    assert patch.left_out == ()


def test_only_the_agent_that_fixes_tests_writes_the_patch() -> None:
    assert build({"a.py": b"x\n"}, finding(Edit("a.py", "x", "y"), tool="security")) == Patch()


def test_one_edit_of_two_findings_is_made_once(sandbox: Sandbox) -> None:
    edit = Edit("a.py", "x", "yx")
    patch = build({"a.py": b"x\n"}, finding(edit), finding(edit, title="Another"))
    assert applied(sandbox, {"a.py": b"x\n"}, patch) == {"a.py": b"yx\n"}
    assert patch.left_out == ()


def test_half_a_fix_is_left_out_whole_and_said() -> None:
    files = {"a.py": b"one\ntwo\n", "b.bin": b"\0x"}
    patch = build(
        files,
        finding(Edit("a.py", "one", "1")),
        finding(Edit("a.py", "two", "2"), Edit("a.py", "one", "uno"), title="Second"),
        finding(Edit("b.bin", "x", "y"), title="Third"),
        finding(Edit("gone.py", "x", "y"), title="Fourth"),
    )
    assert b"+1\n two" in patch.data
    assert b"+2" not in patch.data
    assert patch.left_out == (
        "Second: an edit of a.py does not fit beside those of the other findings",
        "Third: b.bin is no text that git can patch",
        "Fourth: gone.py is not in head",
    )


def test_edits_that_undo_each_other_are_no_patch() -> None:
    assert build({"a.py": b"x\n"}, finding(Edit("a.py", "x", "y"), Edit("a.py", "y", "x"))).data == b""


WORDS = st.lists(st.sampled_from(["a", "b", "\n", "\n\n", "\r\n", "\x0c", " ", "c\n", "ä"]), max_size=30).map(
    "".join
)


@given(text=WORDS, edits=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6), WORDS), max_size=5))
def test_git_applies_any_edits(text: str, edits: list[tuple[int, int, str]]) -> None:
    made, after = [], text
    for start, length, new in edits:
        find = after[start : start + length]
        at = after.find(find) if find else -1
        if at < 0 or after.find(find, at + 1) >= 0:
            continue
        made.append(Edit("a.txt", find, new))
        after = after.replace(find, new)
    files = {"a.txt": text.encode()}
    patch = build(files, finding(*made)) if made else Patch()
    assert (patch.data == b"") == (after == text)
    if patch.data and after:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "a.txt"
            target.write_bytes(files["a.txt"])
            box = Sandbox(Path(folder))
            box.git("apply", "--whitespace=nowarn", "-", stdin=patch.data)
            assert target.read_bytes() == after.encode()


def test_the_patch_lies_beside_the_reports_and_is_shown_with_the_command_that_applies_it(
    tmp_path: Path,
) -> None:
    patch = build({"a.py": b"x ``` </details>\n"}, finding(Edit("a.py", "x", "y"))).data
    written = write_reports(replace(review(), patch=patch), tmp_path, b"")
    assert (tmp_path / "fix.patch").read_bytes() == patch
    assert tmp_path / "fix.patch" in written
    text = (tmp_path / "report.md").read_text()
    assert "<code>git apply fix.patch</code>" in text
    assert "````diff\n" + patch.decode() + "````\n" in text


def test_a_run_without_a_fix_leaves_no_patch_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "fix.patch").write_text("old")
    write_reports(review(), tmp_path, b"")
    assert not (tmp_path / "fix.patch").exists()
    assert "fix.patch" not in (tmp_path / "report.md").read_text()
    (tmp_path / "fix.patch").write_text("old")
    prepare_folder(tmp_path)
    assert not (tmp_path / "fix.patch").exists()


def test_a_long_patch_is_named_and_not_shown() -> None:
    text = render_markdown(replace(review(), patch=b"+x\n" * 5_000))
    assert "It is too long to be shown here." in text
    assert "+x" not in text
    assert len(text) < 2_000
