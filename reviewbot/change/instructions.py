"""What the maintainers tell reviewers: AGENTS.md and CLAUDE.md at the policy commit, as data for prompts."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from reviewbot.change.git import Repository
from reviewbot.core import Sha
from reviewbot.text import cut, visible

NAMES = ("AGENTS.md", "CLAUDE.md")
MAX_CHARACTERS = 6_000
MAX_FILES = 8


def read_instructions(
    repository: Repository, policy_sha: Sha, paths: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """(path, text) of the instruction files at the root and in the folders of ``paths``, nearest root first.

    At most MAX_FILES of them, each cut visibly to MAX_CHARACTERS; links are not followed.
    """
    folders = {folder for path in paths for folder in PurePosixPath(path).parents}
    wanted = [
        str(folder / name) for folder in sorted(folders, key=lambda f: (len(f.parts), f)) for name in NAMES
    ]
    entries = repository.entries_at(policy_sha, wanted) if wanted else {}
    files = [
        (path, entry.sha)
        for path, entry in entries.items()
        if entry.kind == "blob" and entry.mode != "120000"
    ]
    return tuple(
        (path, cut(visible(repository.read_object(sha).decode("utf-8", "replace")), MAX_CHARACTERS))
        for path, sha in files[:MAX_FILES]
    )
