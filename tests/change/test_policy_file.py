from pathlib import Path

import pytest

from reviewbot.change.git import Repository
from reviewbot.change.policy_file import Asked, read_settings
from reviewbot.core import Severity
from reviewbot.errors import PolicyError
from tests.repositories import Sandbox


def test_without_a_policy_the_built_in_values_hold(sandbox: Sandbox) -> None:
    commit = sandbox.commit({"a": "x\n"})
    with Repository(sandbox.folder) as repository:
        settings, notes = read_settings(repository, commit, Asked())
        assert (settings.fail_on, notes) == (Severity.HIGH, ())
        assert read_settings(repository, repository.empty_tree, Asked())[0] == settings


def test_the_policy_is_read_at_the_commit_it_is_asked_for(sandbox: Sandbox) -> None:
    old = sandbox.commit({".github/reviewbot.yml": "fail-on: low\n"})
    new = sandbox.commit({".github/reviewbot.yml": "fail-on: critical\n"})
    sandbox.write(".github/reviewbot.yml", "fail-on: info\n")
    with Repository(sandbox.folder) as repository:
        settings, notes = read_settings(repository, old, Asked())
        assert (settings.fail_on, notes) == (Severity.LOW, (f"Policy: .github/reviewbot.yml at {old[:12]}.",))
        assert read_settings(repository, new, Asked())[0].fail_on is Severity.CRITICAL
        assert (
            read_settings(repository, new, Asked(overrides={"fail_on": "medium"}))[0].fail_on
            is Severity.MEDIUM
        )


def test_a_file_on_disk_takes_its_place_and_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    commit = sandbox.commit({".github/reviewbot.yml": "fail-on: low\n"})
    file = tmp_path / "policy.yml"
    file.write_text("fail-on: info\n")
    with Repository(sandbox.folder) as repository:
        settings, notes = read_settings(repository, commit, Asked(file=file))
        assert settings.fail_on is Severity.INFO
        assert "policy.yml" in notes[0]
        with pytest.raises(PolicyError, match="absent.yml"):
            read_settings(repository, commit, Asked(file=tmp_path / "absent.yml"))


def test_what_is_no_regular_file_is_refused(sandbox: Sandbox) -> None:
    commit = sandbox.commit({".github/reviewbot.yml/inside": "x\n"})
    with Repository(sandbox.folder) as repository, pytest.raises(PolicyError, match="not a regular file"):
        read_settings(repository, commit, Asked())


def test_another_place_in_the_repository_may_be_named_and_must_exist(sandbox: Sandbox) -> None:
    commit = sandbox.commit({"ci/policy.yml": "fail-on: info\n"})
    with Repository(sandbox.folder) as repository:
        assert read_settings(repository, commit, Asked(path="ci/policy.yml"))[0].fail_on is Severity.INFO
        with pytest.raises(PolicyError, match="There is no ci/absent.yml at"):
            read_settings(repository, commit, Asked(path="ci/absent.yml"))


def test_inputs_of_an_action_tighten_and_never_loosen(sandbox: Sandbox) -> None:
    commit = sandbox.commit({".github/reviewbot.yml": "fail-on: medium\n"})
    with Repository(sandbox.folder) as repository:
        loose = Asked(overrides={"fail_on": "critical"}, tighten=True)
        settings, notes = read_settings(repository, commit, loose)
        assert settings.fail_on is Severity.MEDIUM
        assert "did not count" in notes[1]


def test_an_action_cannot_choose_another_policy_than_the_repositorys(sandbox: Sandbox) -> None:
    commit = sandbox.commit({".github/reviewbot.yml": "fail-on: low\n", "pkg/__init__.py": ""})
    with Repository(sandbox.folder) as repository, pytest.raises(PolicyError, match="cannot choose|names"):
        read_settings(repository, commit, Asked(path="pkg/__init__.py", tighten=True))
