"""Files that leave a place where less was asked of them: they are new where they are.

That is a place the policy excludes, tests and examples, or paths from which only worse findings block.
"""

from collections.abc import Mapping
from dataclasses import replace

from reviewbot.change.changeset import with_every_line
from reviewbot.change.exclusions import find_excluded
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, ChangeStatus, Sha
from reviewbot.errors import UsageError
from reviewbot.policy.patterns import is_selected
from reviewbot.settings import Settings, gate_rules
from reviewbot.testlike import is_trial

NOT_ASKED = "not in the paths that were asked for"


def settle_exclusions(
    repository: Repository,
    policy_sha: Sha,
    changes: ChangeSet,
    settings: Settings,
    only: tuple[str, ...] = (),
) -> tuple[ChangeSet, Mapping[str, str]]:
    """The change as the policy sees it, and path to the named rule that excludes it.

    A rename to where more is asked of a file counts all of its lines as added (built-in rules that go by
    the name alone were applied when the change was loaded). ``only`` are patterns of the paths that were
    asked for; without any all were.

    Raises UsageError where they select no file.
    """
    changes, excluded = _settle(repository, policy_sha, changes, settings)
    left_out = {c.path: NOT_ASKED for c in changes.files if not is_selected(only, c.path)}
    if changes.files and len(left_out) == len(changes.files):
        raise UsageError(
            "No file is in the paths that were asked for.", help="Correct the patterns of the paths."
        )
    return changes, {**left_out, **excluded}


def _settle(
    repository: Repository, policy_sha: Sha, changes: ChangeSet, settings: Settings
) -> tuple[ChangeSet, dict[str, str]]:
    excluded = find_excluded(repository, policy_sha, changes.files, settings)
    moved = [
        replace(change, path=change.old_path)
        for change in changes.files
        if change.status is ChangeStatus.RENAMED and change.old_path and change.path not in excluded
    ]
    hidden_before = find_excluded(repository, policy_sha, moved, settings) if moved else {}
    new_there = {old.path for old in moved if old.path in hidden_before} | _eased_before(changes, settings)
    if not new_there:
        return changes, excluded
    files = (
        with_every_line(change, repository)
        if change.status is ChangeStatus.RENAMED
        and change.old_path in new_there
        and change.path not in excluded
        else change
        for change in changes.files
    )
    return replace(changes, files=tuple(files)), excluded


def _eased_before(changes: ChangeSet, settings: Settings) -> set[str]:
    """The old names of renamed files of which less blocked there than does where they are now."""
    pairs = [(c.old_path, c.path) for c in changes.files if c.status is ChangeStatus.RENAMED and c.old_path]
    rules = gate_rules(settings, {path for pair in pairs for path in pair})

    def eased(old: str, new: str) -> bool:
        before, now = (rules.by_path.get(path, rules.threshold) for path in (old, new))
        is_stricter = (
            now.fail_on.rank < before.fail_on.rank or now.minimum_confidence < before.minimum_confidence
        )
        return is_stricter or (is_trial(old) and not is_trial(new))

    return {old for old, new in pairs if eased(old, new)}
