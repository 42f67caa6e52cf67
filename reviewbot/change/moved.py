"""Files that leave a place the policy excludes: nobody read them there, so they are new where they are."""

from collections.abc import Mapping
from dataclasses import replace

from reviewbot.change.changeset import with_every_line
from reviewbot.change.exclusions import find_excluded
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, ChangeStatus, Sha
from reviewbot.errors import UsageError
from reviewbot.policy.patterns import is_selected
from reviewbot.settings import Settings

NOT_ASKED = "not in the paths that were asked for"


def settle_exclusions(
    repository: Repository,
    policy_sha: Sha,
    changes: ChangeSet,
    settings: Settings,
    only: tuple[str, ...] = (),
) -> tuple[ChangeSet, Mapping[str, str]]:
    """The change as the policy sees it, and path to the named rule that excludes it.

    A rename out of an excluded place counts all of its lines as added (built-in rules that go by the
    name alone were applied when the change was loaded). ``only`` are patterns of the paths that were asked
    for; without any all were.

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
    if not hidden_before:
        return changes, excluded
    files = (
        with_every_line(change, repository)
        if change.status is ChangeStatus.RENAMED
        and change.old_path in hidden_before
        and change.path not in excluded
        else change
        for change in changes.files
    )
    return replace(changes, files=tuple(files)), excluded
