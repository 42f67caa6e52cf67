from dataclasses import replace

from reviewbot.agents.answers import TriageAnswer
from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.tasks import (
    DELETED_LINES,
    Entry,
    hidden_lines,
    plan_security,
    plan_test_fix,
    plan_triage,
    read_entries,
    render_failures,
    select_readable,
    tell_of_tests,
)
from reviewbot.agents.view.excerpts import estimate_tokens, render_file
from reviewbot.core import ChangeSet, Evidence, FileChange, Location, Severity
from reviewbot.errors import RepositoryError
from tests.agents.view.test_excerpts import changed, hunk_of

PLAIN = changed("doc/area.md", hunk_of("+A rectangle has four sides."))
SHELL = changed("app/run.py", hunk_of("+    subprocess.run(f'ls {name}', shell=True)"))


def failed(number: int, message: str, trace: str = "", path: str = "") -> Evidence:
    return Evidence(
        id=f"junit:{number}", source="junit", tool="junit", rule="failure", severity=Severity.HIGH, title=f"t{number}",
        message=message, trace=trace, location=Location(path, 3, 3) if path else None,
    )  # fmt: skip


def test_a_file_named_twice_keeps_the_higher_risk_and_strangers_count_for_nothing() -> None:
    answer = TriageAnswer.model_validate(
        {
            "files": [
                {"path": "doc/area.md", "risk": "high", "reason": "worse", "agents": []},
                {"path": "doc/area.md", "risk": "none", "reason": "fine", "agents": ["test_fix"]},
                {"path": "/etc/passwd", "risk": "none", "reason": "fine", "agents": []},
            ]
        }
    )
    assert read_entries(answer, [PLAIN, SHELL]) == {
        "doc/area.md": Entry("high", "worse", frozenset({"test_fix"}))
    }
    assert read_entries(None, [PLAIN]) == {}


def test_triage_batches_stay_under_the_cheap_band() -> None:
    files = [changed(f"d{n}/f.py", hunk_of(*["+" + "x" * 90] * 200)) for n in range(60)]
    batches = plan_triage(files)
    assert len(batches) > 1
    assert max(sum(estimate_tokens(render_file(part)) for part in batch) for batch in batches) <= 80_000
    assert {part.path for batch in batches for part in batch} == {change.path for change in files}
    assert len(plan_triage(files, smaller=True)) > len(batches)


def test_a_security_task_leaves_room_for_tools() -> None:
    files = [changed(f"d{n}/f.py", hunk_of(*["+" + "x" * 90] * 400)) for n in range(6)]
    for batch in plan_security(files, 50_000):
        assert sum(estimate_tokens(render_file(part)) for part in batch) <= 30_000


def gone(lines: int) -> FileChange:
    text = hunk_of(*[f"-def check{number}(): ..." for number in range(lines)])
    return replace(changed("auth.py", text), head_blob=None, deleted_lines=lines)


def test_of_a_deleted_file_triage_is_shown_all_and_the_dear_agents_its_beginning() -> None:
    file = gone(1_000)
    readable = select_readable(ChangeSet("1" * 40, "2" * 40, (file,)), (), lambda sha: b"")
    shown = "".join(render_file(part) for batch in plan_triage(readable.files) for part in batch)
    assert "check999()" in shown
    dear = "".join(render_file(part) for batch in plan_security(readable.files, 50_000) for part in batch)
    assert f"check{DELETED_LINES - 1}()" in dear and f"check{DELETED_LINES}()" not in dear
    assert "400 of these changed lines are not shown here" in dear
    assert hidden_lines(file) == 400 and hidden_lines(gone(DELETED_LINES)) == 0
    assert hidden_lines(replace(file, head_blob="b" * 40)) == 0


def test_triage_is_told_whether_tests_failed() -> None:
    prompt = Prompt((), ({"type": "text", "text": "Sort."},))
    assert tell_of_tests(prompt, 0).user[-1]["text"].endswith("Name test_fix for no file.")
    assert tell_of_tests(prompt, 1).user[-1]["text"] == "1 test of this change failed."
    assert tell_of_tests(prompt, 3).user[-1]["text"] == "3 tests of this change failed."


def test_what_has_no_lines_is_asked_of_nobody_and_what_cannot_be_read_says_why() -> None:
    copy = replace(changed("copy.py"), added=((1, 9),))
    files = (
        PLAIN, replace(PLAIN, path="x.lock"), replace(PLAIN, path="big", omitted="too large"), changed("moved.py"),
        replace(PLAIN, path="b", is_binary=True), replace(changed("ca.pem", hunk_of("+********"))), copy,
        replace(PLAIN, path="sub", head_mode="160000"), replace(PLAIN, path="y.txt", old_path="id_rsa", omitted="too large"),
    )  # fmt: skip

    def read(sha: str) -> bytes:
        raise RepositoryError("it is not in this clone")

    readable = select_readable(ChangeSet("1" * 40, "2" * 40, files), {"x.lock"}, read)
    assert [change.path for change in readable.files] == [PLAIN.path]
    assert readable.failed == {"copy.py": "it is not in this clone"}
    assert readable.withheld == ("ca.pem",)


def test_equal_failures_share_a_trace_and_what_finds_no_room_is_not_called_shown() -> None:
    same = [failed(n, f"timed out after {n} s", "trace\n" * 10) for n in range(5)]
    text, shown = render_failures(same)
    assert text.count("timed out") == 1 and [item.id for item in shown] == [f"junit:{n}" for n in range(5)]
    other = [failed(n, "m" + "abcdefghijklmnopqrstuvwxyz"[n] * 20, "t" * 9_000) for n in range(26)]
    text, shown = render_failures(other)
    assert len(text) <= 45_000 and 0 < len(shown) < 26
    assert all(f"{item.id}:" in text for item in shown)


def test_the_files_that_failures_name_are_shown_first_and_only_as_many_as_fit() -> None:
    big = changed("a/big.py", hunk_of(*["+" + "x" * 90] * 200))
    named = changed("z/named.py", hunk_of("+x"))
    said = changed("m/said.py", hunk_of("+x"))
    evidence = [failed(1, "boom", 'File "/ci/m/said.py", line 3', path="z/named.py")]
    shown = plan_test_fix([big, PLAIN, said, named], evidence, {}, 500)
    assert [change.path for change in shown] == ["z/named.py", "m/said.py", "doc/area.md"]


def test_two_changed_files_whose_names_look_the_same_are_both_unread() -> None:
    files = (changed("a\u200b.py", hunk_of("+x")), changed("a<U+200B>.py", hunk_of("+y")), PLAIN)
    readable = select_readable(ChangeSet("1" * 40, "2" * 40, files), (), lambda sha: b"")
    assert [change.path for change in readable.files] == [PLAIN.path]
    assert set(readable.failed) == {"a\u200b.py", "a<U+200B>.py"}


def test_a_failure_says_its_message_once_and_no_line_that_no_report_named() -> None:
    item = replace(failed(1, "it is wrong", "x\nit is wrong\n"), location=Location("t.py", 1, 1))
    text, _ = render_failures([item])
    assert text.count("it is wrong") == 1 and "at t.py\n" in text
