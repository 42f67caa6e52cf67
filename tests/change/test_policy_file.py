from pathlib import Path

import pytest

from reviewbot.change.git import Repository
from reviewbot.change.policy_file import read_settings
from reviewbot.core import Severity
from reviewbot.errors import PolicyError
from tests.repositories import Sandbox


def test_without_a_policy_the_built_in_values_hold(sandbox: Sandbox) -> None:
    commit = sandbox.commit({"a": "x\n"})
    with Repository(sandbox.folder) as repository:
        settings, note = read_settings(repository, commit, None, {})
        assert (settings.fail_on, note) == (Severity.HIGH, "")
        assert read_settings(repository, repository.empty_tree, None, {})[0] == settings


def test_the_policy_is_read_at_the_commit_it_is_asked_for(sandbox: Sandbox) -> None:
    old = sandbox.commit({".github/reviewbot.yml": "fail-on: low\n"})
    new = sandbox.commit({".github/reviewbot.yml": "fail-on: critical\n"})
    sandbox.write(".github/reviewbot.yml", "fail-on: info\n")
    with Repository(sandbox.folder) as repository:
        settings, note = read_settings(repository, old, None, {})
        assert (settings.fail_on, note) == (Severity.LOW, f"Policy: .github/reviewbot.yml at {old[:12]}.")
        assert read_settings(repository, new, None, {})[0].fail_on is Severity.CRITICAL
        assert read_settings(repository, new, None, {"fail_on": "medium"})[0].fail_on is Severity.MEDIUM


def test_a_file_on_disk_takes_its_place_and_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    commit = sandbox.commit({".github/reviewbot.yml": "fail-on: low\n"})
    file = tmp_path / "policy.yml"
    file.write_text("fail-on: info\n")
    with Repository(sandbox.folder) as repository:
        settings, note = read_settings(repository, commit, file, {})
        assert settings.fail_on is Severity.INFO
        assert "policy.yml" in note
        with pytest.raises(PolicyError, match="absent.yml"):
            read_settings(repository, commit, tmp_path / "absent.yml", {})


def test_what_is_no_regular_file_is_refused(sandbox: Sandbox) -> None:
    commit = sandbox.commit({".github/reviewbot.yml/inside": "x\n"})
    with Repository(sandbox.folder) as repository, pytest.raises(PolicyError, match="not a regular file"):
        read_settings(repository, commit, None, {})
