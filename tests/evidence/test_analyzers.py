import os
import stat
import time
from pathlib import Path

import pytest

from reviewbot.core import ChangeSet, ChangeStatus, FileChange, Severity
from reviewbot.errors import UsageError
from reviewbot.evidence.analyzers import run_analyzers
from reviewbot.settings import ANALYZERS
from tests.evidence.whole_files import Blobs, added_file, change_set, modified_file, whole_files

SYSTEM = (Path("/usr/bin"), Path("/bin"))
FAULT = "import os\nos.system('ls ' + name)\n"


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def run_ruff_as(body: str, folder: Path, seconds: float = 20, files: int = 1) -> dict[str, str]:
    program(folder, "ruff", body)
    changes, read_blob = whole_files({f"a{n}.py": f"x = {n}\n" for n in range(files)})
    found = run_analyzers(
        changes, read_blob, names=["ruff"], program_folders=[folder, *SYSTEM], seconds=seconds
    )
    assert (found.evidence, found.scanned) == ((), {})
    return dict(found.failed)


def test_all_analyzers_run_side_by_side_and_say_what_they_read() -> None:
    changes, read_blob = whole_files(
        {"a.py": FAULT, "Dockerfile": "FROM x:1\nRUN sudo ls\n", "README.md": "hello\n"}
    )
    found = run_analyzers(changes, read_blob)
    assert found.scanned == {
        "a.py": ("ruff", "detect-secrets"),
        "Dockerfile": ("hadolint", "detect-secrets"),
        "README.md": ("detect-secrets",),
    }
    assert {item.tool for item in found.evidence if item.severity is Severity.HIGH} == {"ruff", "hadolint"}
    assert found.evidence[0].id == "ruff-1"
    assert len({item.id for item in found.evidence}) == len(found.evidence)
    assert {call.name for call in found.runs} == {"ruff", "hadolint", "detect-secrets"}
    assert all(call.seconds > 0 and call.exit_code is not None for call in found.runs)


def test_an_analyzer_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="'bandit'"):
        run_analyzers(ChangeSet("0" * 40, "1" * 40, ()), lambda sha: b"", names=["bandit"])


def test_an_empty_change_calls_nothing() -> None:
    found = run_analyzers(ChangeSet("0" * 40, "1" * 40, ()), lambda sha: b"")
    assert (found.evidence, found.scanned, found.failed, found.runs) == ((), {}, {}, ())


def test_a_program_that_crashes_is_a_failure_never_no_findings(tmp_path: Path) -> None:
    failed = run_ruff_as("echo '[]'; echo boom >&2; exit 3", tmp_path)
    assert failed == {"a0.py": "ruff ended with exit code 3: boom"}


def test_garbage_is_a_failure(tmp_path: Path) -> None:
    assert "not JSON" in run_ruff_as("echo garbage", tmp_path)["a0.py"]
    assert "no list" in run_ruff_as("echo '{}'", tmp_path)["a0.py"]
    assert "not JSON" in run_ruff_as("exit 0", tmp_path)["a0.py"]


def test_a_program_killed_by_a_signal_is_a_failure(tmp_path: Path) -> None:
    assert "exit code -9" in run_ruff_as("kill -9 $$", tmp_path)["a0.py"]


def test_a_missing_program_fails_the_files_it_should_have_read(tmp_path: Path) -> None:
    changes, read_blob = whole_files({"a.py": FAULT, "b.txt": "x\n"})
    found = run_analyzers(changes, read_blob, program_folders=[tmp_path])
    assert found.failed == {"a.py": "ruff is not installed"}
    assert found.scanned == {"a.py": ("detect-secrets",), "b.txt": ("detect-secrets",)}


def test_the_time_limit_ends_the_program_and_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "survived"
    started = time.monotonic()
    failed = run_ruff_as(f"(sleep 3; touch {mark}) & sleep 30", tmp_path / "bin", seconds=1)
    assert time.monotonic() - started < 3
    assert failed == {"a0.py": "ruff did not finish within 1 seconds"}
    time.sleep(2.5)
    assert not mark.exists()


def test_output_beyond_the_cap_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviewbot.evidence.analyzers.MAX_OUTPUT_BYTES", 1 << 20)
    assert "more than 1 MB" in run_ruff_as("while :; do echo 0123456789abcdef; done", tmp_path)["a0.py"]


def test_a_file_that_crashes_the_program_costs_only_itself(tmp_path: Path) -> None:
    program(tmp_path, "ruff", "shift $(($# - 0)) 2>/dev/null; exit 9")
    body = 'for file in "$@"; do if grep -q CRASH "$file" 2>/dev/null; then exit 9; fi; done; echo "[]"'
    program(tmp_path, "ruff", body)
    files: dict[str, str | bytes] = {f"a{n}.py": "CRASH\n" if n == 5 else "x\n" for n in range(8)}
    changes, read_blob = whole_files(files)
    found = run_analyzers(changes, read_blob, names=["ruff"], program_folders=[tmp_path, *SYSTEM])
    assert set(found.failed) == {"a5.py"}
    assert len(found.scanned) == 7


def test_results_of_unknown_form_or_line_are_rejected_by_name(tmp_path: Path) -> None:
    body = (
        'for file in "$@"; do :; done; printf \'[{"x": 1}, {"filename": "%s", "code": "S602", "message": "m", '
        '"location": {"row": 99}, "end_location": {"row": 99}}]\' "$file"'
    )
    program(tmp_path, "ruff", body)
    changes, read_blob = whole_files({"a.py": "x = 1\n"})
    found = run_analyzers(changes, read_blob, names=["ruff"], program_folders=[tmp_path])
    assert found.evidence == ()
    assert [(item.rule, item.path) for item in found.rejected] == [
        ("ruff/unknown", None),
        ("ruff/S602", "a.py"),
    ]


def test_the_program_sees_no_secret_no_name_of_the_change_and_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "canary-in-the-environment")
    seen = tmp_path / "seen"
    body = f'(env; pwd; ls -A .; echo "$@"; cat) > {seen}; echo "[]"'
    program(tmp_path / "bin", "ruff", body)
    changes, read_blob = whole_files({"--config=evil/$(id)/canary.py": "x = 1\n"})
    folders = [tmp_path / "bin", *SYSTEM]
    found = run_analyzers(changes, read_blob, names=["ruff"], program_folders=folders)
    assert found.failed == {}
    said = seen.read_text()
    assert "canary" not in said
    assert str(Path.cwd()) not in said.split("/x.py")[0]
    assert {line.split("=")[0] for line in said.splitlines() if "=" in line.split(" ")[0]} <= {
        *(
            "PATH",
            "HOME",
            "TMPDIR",
            "LANG",
            "LC_ALL",
            "NO_COLOR",
            "RUST_BACKTRACE",
            "PYTHONDONTWRITEBYTECODE",
        ),
        *("PWD", "SHLVL", "_", "OLDPWD"),
    }


def test_no_program_is_taken_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    program(tmp_path / "repository", "ruff", f"touch {mark}; echo '[]'")
    monkeypatch.chdir(tmp_path / "repository")
    monkeypatch.setenv("PATH", os.pathsep.join([".", str(tmp_path / "repository"), "", os.environ["PATH"]]))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "no-scripts"))
    changes, read_blob = whole_files({"a.py": FAULT})
    run_analyzers(changes, read_blob, names=["ruff"])
    assert not mark.exists()


def test_what_has_no_text_to_scan_reaches_no_analyzer() -> None:
    sha, none = "a" * 40, "000000"
    file = FileChange("a.py", None, ChangeStatus.ADDED, none, "100644", None, sha, added=((1, 1),))
    without = [
        FileChange("gone.py", None, ChangeStatus.DELETED, "100644", none, sha, None, deleted=((1, 1),)),
        FileChange("new.py", "old.py", ChangeStatus.RENAMED, "100644", "100644", sha, sha),
        FileChange("sub", None, ChangeStatus.ADDED, none, "160000", None, sha, added=((1, 1),)),
        FileChange(
            "x.py", None, ChangeStatus.ADDED, none, "100644", None, sha, is_binary=True, added=((1, 1),)
        ),
        FileChange(
            "y.py", None, ChangeStatus.ADDED, none, "100644", None, sha, omitted="too large", added=((1, 1),)
        ),
    ]
    read: list[str] = []
    found = run_analyzers(change_set(*without), lambda sha: read.append(sha) or b"")  # type: ignore[func-returns-value]
    assert (found.scanned, found.runs, read) == ({}, (), [])
    assert file.path in run_analyzers(change_set(file), lambda sha: FAULT.encode()).scanned


def test_a_file_that_only_lost_lines_is_still_read() -> None:
    blobs: Blobs = {}
    change = modified_file("a.py", "import os\nname = quote(name)\nos.system('ls ' + name)\n", FAULT, blobs)
    found = run_analyzers(change_set(change), blobs.__getitem__)
    assert [(item.rule, item.location and item.location.start_line) for item in found.evidence] == [
        ("S605", 2)
    ]


def test_excluded_files_are_searched_for_known_secrets_only_and_not_scanned() -> None:
    token = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
    text = f"{FAULT}t = '{token}'\npassword = 'correct-horse-battery'\n"
    changes, read_blob = whole_files({"vendor/a.py": text})
    found = run_analyzers(changes, read_blob, excluded={"vendor/a.py"})
    assert [(item.rule, item.severity) for item in found.evidence] == [("github-token", Severity.HIGH)]
    assert found.scanned == {}


def test_the_target_of_a_link_is_searched_for_secrets_only() -> None:
    blobs: Blobs = {}
    target = "https://" + "bob:correcthorse@git.example.com/x.py"
    link = added_file("a.py", target, blobs, mode="120000")
    found = run_analyzers(change_set(link), blobs.__getitem__)
    assert [item.rule for item in found.evidence] == ["basic-auth-url"]
    assert found.scanned == {"a.py": ("detect-secrets",)}


def test_three_thousand_files_fit_into_bounded_calls() -> None:
    files: dict[str, str | bytes] = {f"a{n}.py": f"x = {n}\n" for n in range(2_999)}
    changes, read_blob = whole_files({**files, "z.py": FAULT})
    found = run_analyzers(changes, read_blob, names=["ruff"])
    assert [(item.rule, item.location and item.location.path) for item in found.evidence] == [
        ("S605", "z.py")
    ]
    assert len(found.scanned) == 3_000
    assert max(call.files for call in found.runs) <= 400


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    changes, read_blob = whole_files({"a.py": FAULT})
    run_analyzers(changes, read_blob)
    assert list(tmp_path.iterdir()) == []


def test_every_analyzer_of_the_settings_runs_by_default() -> None:
    changes, read_blob = whole_files(
        {".github/workflows/a.yml": "x: [\n", "a.py": FAULT, "Dockerfile": "x\n"}
    )
    assert {call.name for call in run_analyzers(changes, read_blob).runs} == set(ANALYZERS)


def test_large_changes_are_read_in_groups_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviewbot.evidence.analyzers.GROUP_BYTES", 3 * len(FAULT))
    changes, read_blob = whole_files({f"a{n}.py": FAULT for n in range(7)})
    found = run_analyzers(changes, read_blob, names=["ruff", "detect-secrets"])
    assert set(found.scanned) == {f"a{n}.py" for n in range(7)}
    assert [item.id for item in found.evidence] == [f"ruff-{n}" for n in range(1, 8)]
    assert [item.location and item.location.path for item in found.evidence] == [f"a{n}.py" for n in range(7)]
    assert [call.files for call in found.runs if call.name == "ruff"] == [3, 3, 1]
