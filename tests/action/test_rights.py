"""What is done as root, and that it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reviewbot.action.rights import (
    NOBODY,
    Owner,
    find_workspace,
    make_report_folder,
    owner_to_become,
    read_start_file,
)
from reviewbot.errors import OutputError, UsageError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")


def test_the_workspace_must_be_named_and_be_there(tmp_path: Path) -> None:
    assert find_workspace({"GITHUB_WORKSPACE": str(tmp_path)}) == tmp_path
    for environment in (
        {},
        {"GITHUB_WORKSPACE": ""},
        {"GITHUB_WORKSPACE": str(tmp_path / "no")},
        {"GITHUB_WORKSPACE": "."},
    ):
        with pytest.raises(UsageError, match="GITHUB_WORKSPACE"):
            find_workspace(environment)


def test_the_report_folder_is_new_each_time(tmp_path: Path) -> None:
    names = [make_report_folder(tmp_path, None).name for _ in range(3)]
    assert names == ["reviewbot-report", "reviewbot-report-2", "reviewbot-report-3"]


def test_no_link_is_followed_to_make_it(tmp_path: Path) -> None:
    elsewhere, workspace = tmp_path / "elsewhere", tmp_path / "workspace"
    elsewhere.mkdir()
    workspace.mkdir()
    (workspace / "reviewbot-report").symlink_to(elsewhere)
    (workspace / "reviewbot-report-2").symlink_to(tmp_path / "dangling")
    assert make_report_folder(workspace, None) == workspace / "reviewbot-report-3"
    assert list(elsewhere.iterdir()) == []


def test_a_workspace_full_of_reports_is_one_sentence(tmp_path: Path) -> None:
    for _ in range(100):
        make_report_folder(tmp_path, None)
    with pytest.raises(OutputError, match="100 folders"):
        make_report_folder(tmp_path, None)


def test_a_start_file_is_read_up_to_its_cap_and_must_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_bytes(b"x" * 20)
    assert len(read_start_file(tmp_path / "event.json", 10)) == 11
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none"):
        with pytest.raises(OSError):
            read_start_file(path, 10)


@as_root
def test_root_becomes_the_owner_of_the_workspace_and_nobody_in_one_of_roots(tmp_path: Path) -> None:
    assert owner_to_become(tmp_path) == Owner(NOBODY, NOBODY)
    os.chown(tmp_path, 1001, 118)
    assert owner_to_become(tmp_path) == Owner(1001, 118)
    os.chown(tmp_path, 1001, 0)
    assert owner_to_become(tmp_path) == Owner(1001, NOBODY)


@as_root
def test_the_report_folder_belongs_to_the_owner(tmp_path: Path) -> None:
    made = make_report_folder(tmp_path, Owner(1001, 118)).stat()
    assert (made.st_uid, made.st_gid) == (1001, 118)


DROP = """
import os, sys
from reviewbot.action.rights import Owner, drop_rights
os.setgroups([0, 27])
drop_rights(Owner(1001, 118))
print(os.getresuid(), os.getresgid(), os.getgroups())
status = open("/proc/self/status").read()
print([line.split()[1] for line in status.splitlines() if line.startswith(("CapPrm", "CapEff"))])
for attempt in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.open("/etc/shadow", 0)):
    try:
        attempt()
    except PermissionError:
        continue
    print("still root")
"""


@as_root
def test_rights_are_dropped_for_good() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", DROP], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[0] == "(1001, 1001, 1001) (118, 118, 118) []"
    assert set(said[1]) <= set("[]', 0")
    assert said[2:] == []


REFUSED = """
import os
from reviewbot.action.rights import Owner, RightsError, drop_rights
def refuse(*_):
    raise PermissionError(1, "Operation not permitted")
os.setresuid = refuse
try:
    drop_rights(Owner(1001, 118))
except RightsError as error:
    print(error.exit_code, error.sentences)
"""


@as_root
def test_a_root_that_cannot_become_anybody_else_does_not_go_on() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", REFUSED], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 The container runs as root and cannot become user 1001: operation not")
    assert "--user" in done.stdout
