"""Which files of a change belong together because one imports the other, by the words of import lines."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import PurePosixPath

from reviewbot.core import FileChange

_IMPORT = re.compile(
    r"\s*(?:from|import|use|using|require|require_once|include|include_once|#\s*include)\b"
    r"|.*\b(?:require|import)\s*\(|\s*(?:export|\}).*\bfrom\s*['\"]"
)
_WORD = re.compile(r"\w{3,}")
_OF_FOLDER = frozenset({"__init__", "index", "mod", "lib", "main"})
"""Names of files that are imported by the name of their folder."""

LINES_READ = 400
"""Lines of one file that are looked at; imports stand at the top."""


def beside_imports(files: Sequence[FileChange]) -> list[FileChange]:
    """The files in their order, but that behind the files of a folder stand those of the folders they import.

    One step far, so that the order by risk is kept from one folder to the next. A name that files of several
    folders have says nothing.
    """
    folders: dict[str, list[FileChange]] = {}
    for change in files:
        folders.setdefault(_folder(change.path), []).append(change)
    owners = _owners(files)
    placed: dict[str, None] = {}
    for folder, members in folders.items():
        placed.setdefault(folder)
        linked = Counter(owners[name] for change in members for name in _imported(change) if name in owners)
        placed.update((name, None) for name, _ in linked.most_common() if name not in placed)
    return [change for folder in placed for change in folders[folder]]


def _owners(files: Iterable[FileChange]) -> dict[str, str]:
    """The folder of each name by which a file can be imported, where it is one folder."""
    owners: dict[str, set[str]] = {}
    for change in files:
        path = PurePosixPath(change.path)
        name = path.parent.name if path.stem in _OF_FOLDER else path.stem
        owners.setdefault(name, set()).add(_folder(change.path))
    return {name: next(iter(found)) for name, found in owners.items() if len(found) == 1}


def _imported(change: FileChange) -> set[str]:
    """The words of the import lines among the first lines that a file shows."""
    lines = islice((line for hunk in change.hunks for line in hunk.lines), LINES_READ)
    texts = (line[1:500] for line in lines if not line.startswith("-"))
    return {word for text in texts if _IMPORT.match(text) for word in _WORD.findall(text)}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
