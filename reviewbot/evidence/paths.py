"""The path a tool wrote -> the path of the head tree it means, or None. Nothing is ever opened."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from typing import Self
from urllib.parse import unquote_to_bytes

_LENGTH_CAP = 4_096  # PATH_MAX on Linux
_DEPTH_CAP = 100
_DRIVE = re.compile(r"[A-Za-z]:(?=/|$)")


def decode_uri(uri: str) -> str:
    """The path that a URI reference writes: percent-encoding undone once, into git's bytes.

    A ``file:`` scheme stays for ``TreePaths.find`` to take off. Bytes that are not UTF-8 become
    surrogate escapes. Text that cannot be encoded comes back as it is.
    """
    if "%" not in uri:
        return uri
    try:
        return unquote_to_bytes(uri.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return uri


class TreePaths:
    """The files of the head tree, found by whatever a tool on this or another machine calls them.

    ``paths`` are the tree's paths, ``roots`` the folders on disk that the tree was checked out to
    (the work tree, GITHUB_WORKSPACE). The values never change; ``learn`` gives a new one.
    """

    def __init__(self, paths: Collection[str], roots: Sequence[str] = ()) -> None:
        self._paths = frozenset(paths)
        self._roots = tuple(root for root in map(_split, roots) if root)
        self._prefix: tuple[str, ...] = ()
        self._reversed: list[str] = []
        self._stems: set[str] = set()
        self._folders: set[str] = set()

    def learn(self, written: Iterable[str]) -> Self:
        """A copy that takes off the one leading folder under which most of ``written`` lie in the tree.

        For reports from another machine: give it all paths of one run or file. One path that matches
        only by its last name is no evidence (``/etc/passwd`` is not the tree's ``passwd``); paths that are
        found without help do not vote.
        """
        votes: Counter[tuple[str, ...]] = Counter()
        best_tail: Counter[tuple[str, ...]] = Counter()
        for path in set(written):
            parts = _split(path)
            if not parts or self.find(path) is not None:
                continue
            for length in range(1, len(parts)):
                if "/".join(parts[length:]) in self._paths:
                    votes[parts[:length]] += 1
                    best_tail[parts[:length]] = max(best_tail[parts[:length]], len(parts) - length)
        sure = [prefix for prefix in votes if votes[prefix] > 1 or best_tail[prefix] > 1]
        taught = copy(self)
        taught._prefix = min(sure, key=lambda prefix: (-votes[prefix], len(prefix), prefix), default=())
        return taught

    def find(self, written: str) -> str | None:
        """The tree's path for ``written``; None if there is none, or more than one.

        Tried in this order: the path itself; below a root; below the learnt folder; for a relative
        path the only file of the tree that ends with it.
        """
        if written in self._paths:
            return written
        parts = _split(written)
        if not parts:
            return None
        for root in (*self._roots, self._prefix):
            if root and _starts_with(parts, root):
                path = "/".join(parts[len(root) :])
                if path in self._paths:
                    return path
        if _is_absolute(parts):
            return None
        path = "/".join(parts)
        return path if path in self._paths else self._find_suffix(path)

    def has_stem(self, stem: str) -> bool:
        """Whether any file is called ``stem`` plus an extension (or ``stem`` itself)."""
        if not self._stems:
            self._stems.update(path.rpartition("/")[2].partition(".")[0] for path in self._paths)
        return stem.partition(".")[0] in self._stems

    def has_folder(self, folder: str) -> bool:
        """Whether ``folder``, written as git does without a closing slash, holds a file directly."""
        if not self._folders:
            self._folders.update(path.rpartition("/")[0] for path in self._paths)
        return folder in self._folders

    def _find_suffix(self, path: str) -> str | None:
        """Bisect in the reversed paths, so that 10,000 files of one name cost no more than one."""
        if not self._reversed:
            self._reversed.extend(sorted(f"/{known}"[::-1] for known in self._paths))
        key = f"/{path}"[::-1]
        at = bisect_left(self._reversed, key)
        matches = [known for known in self._reversed[at : at + 2] if known.startswith(key)]
        return matches[0][::-1][1:] if len(matches) == 1 else None


def _split(written: str) -> tuple[str, ...]:
    """The parts of a path, ``.`` and ``..`` resolved; empty for what cannot be a file of a tree.

    An absolute path starts with the part ``/`` or with a drive such as ``c:``.
    """
    if not written or "\0" in written or len(written) > _LENGTH_CAP:
        return ()
    text = written
    if text[:5].lower() == "file:":
        text = _strip_file_scheme(decode_uri(text))
    elif "://" in text:
        return ()
    text = text.replace("\\", "/")
    start: list[str] = []
    if drive := _DRIVE.match(text):
        start, text = [drive.group().lower()], text[2:]
    elif text.startswith("/"):
        start = ["/"]
    parts = _resolve(text.split("/"))
    return tuple(start + parts) if parts is not None else ()


def _strip_file_scheme(uri: str) -> str:
    """``file:///a``, ``file:/a`` and ``file://localhost/a`` -> ``/a``; ``file:///C:/a`` -> ``C:/a``."""
    path = uri[5:].replace("\\", "/")
    if path.startswith("//"):
        host, _, rest = path[2:].partition("/")
        path = f"/{rest}" if host.lower() in ("", "localhost") or _DRIVE.match(host) else path
        path = f"{host}{path}" if _DRIVE.match(host) else path
    return path[1:] if _DRIVE.match(path[1:]) else path


def _resolve(parts: list[str]) -> list[str] | None:
    """Take out empty parts, ``.`` and ``..``; None if the path climbs out or is too deep."""
    kept: list[str] = []
    for part in parts:
        if part == "..":
            if not kept:
                return None
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    return kept if len(kept) <= _DEPTH_CAP else None


def _is_absolute(parts: tuple[str, ...]) -> bool:
    return parts[0] == "/" or _DRIVE.fullmatch(parts[0]) is not None


def _starts_with(parts: tuple[str, ...], root: tuple[str, ...]) -> bool:
    """Whether ``root`` is a folder above ``parts``; on a Windows drive letter case does not count."""
    if len(parts) <= len(root):
        return False
    head = parts[: len(root)]
    if root[0] != "/" and _is_absolute(root):
        return [part.lower() for part in head] == [part.lower() for part in root]
    return head == root
