"""What the maintainers tell reviewers, in files at the policy commit, as data for prompts."""

from collections.abc import Iterable

from reviewbot.change.attributes import folders_above
from reviewbot.change.git import Repository
from reviewbot.core import Sha
from reviewbot.text import cut, visible

NAMES = ("AGENTS.md", "CLAUDE.md")
NOTES_PATH = ".github/reviewbot-notes.md"
"""Notes for reviewers alone; they come before all others."""

MAX_CHARACTERS = 6_000
MAX_FILES = 8


def read_instructions(
    repository: Repository, policy_sha: Sha, paths: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """(path, text) of the notes, then of the instruction files at the root and in the folders of ``paths``.

    The nearest to the root come first.

    At most MAX_FILES of them, each cut visibly to MAX_CHARACTERS; links are not followed.
    """
    folders = folders_above(paths, lambda names: repository.entries_at(policy_sha, names))
    nearest = sorted(folders, key=lambda folder: (folder.count("/"), folder))
    wanted = [NOTES_PATH, *(folder + name for folder in nearest for name in NAMES)]
    entries = repository.entries_at(policy_sha, wanted)
    files = [
        (path, entry.sha)
        for path, entry in entries.items()
        if entry.kind == "blob" and entry.mode != "120000"
    ]
    return tuple(
        (path, cut(visible(repository.read_object(sha).decode("utf-8", "replace")), MAX_CHARACTERS))
        for path, sha in files[:MAX_FILES]
    )
