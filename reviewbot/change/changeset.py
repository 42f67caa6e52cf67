"""Two commits to a ChangeSet: git's list of files joined with the parsed patch and checked against it."""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import AnyStr

from reviewbot.change.content import decode_wide, looks_like_text
from reviewbot.change.diff import FilePatch, parse_diff
from reviewbot.change.entries import DiffEntry
from reviewbot.change.exclusions import excluded_by_name
from reviewbot.change.git import Repository
from reviewbot.change.git_calls import BIG_FILE_BYTES
from reviewbot.change.hunks import count_ranges
from reviewbot.core import ChangeSet, ChangeStatus, FileChange, LineRanges, Sha
from reviewbot.errors import RepositoryError

_LETTERS = {
    "A": ChangeStatus.ADDED,
    "M": ChangeStatus.MODIFIED,
    "D": ChangeStatus.DELETED,
    "R": ChangeStatus.RENAMED,
    "C": ChangeStatus.COPIED,
    "T": ChangeStatus.TYPE_CHANGED,
}
SNIFFED_BYTES = 1024 * 1024 * 1024
"""Files that git calls binary are looked into up to this total of a change; beyond it they are unread."""

SOURCE_SUFFIXES = frozenset(
    (
        ".py .pyi .pyw .sh .bash .zsh .fish .ps1 .js .jsx .mjs .cjs .ts .tsx .mts .go .rs .java .kt .kts "
        ".scala .groovy .c .h .cc .cpp .hpp .cs .fs .vb .swift .m .mm .rb .php .pl .pm .lua .r .jl .ex "
        ".exs .erl .clj .sql .tf .hcl .yml .yaml .json .toml .ini .cfg .conf .xml .html .htm .css .vue "
        ".svelte .gradle .cmake .mk .dockerfile .proto .graphql .sol .bat .cmd .psm1 .psd1 .vbs .wsf .awk "
        ".tcl .phtml .jsp .asp .aspx .cshtml .erb .ejs .hbs .twig .j2 .svg .ipynb .cxx .hh .hxx .inl .cu "
        ".asm .s .f90 .dart .zig .nim .hs .ml .elm .nix .bzl .bazel .csproj .fsproj .vbproj .props "
        ".targets .sbt .rake .gemspec"
    ).split()
)
"""A NUL byte makes git call a file binary; in one of these it hides code from a reader."""

_LFS = re.compile(
    r"version https://git-lfs\.github\.com/spec/v\d|size \d{1,20}"
    r"|(?:oid|ext-\d-[a-z0-9]{1,40}) sha256:[0-9a-f]{64}"
)
"""The lines of a pointer (Git LFS, docs/spec.md)."""

_SOURCE_NAMES = (
    *("dockerfile", "containerfile", "makefile", "gnumakefile", "jenkinsfile", "rakefile", "gemfile"),
    *("vagrantfile", "justfile", "procfile", "sconstruct", "sconscript", "wscript"),
)


def load_change_set(repository: Repository, base: Sha, head: Sha) -> ChangeSet:
    """Every file that differs between two commits, each with its lines or the reason why not.

    ``FileChange.omitted`` is set, and the file must count as unreviewed, where it is too large, where
    it is text that git calls binary, or where the patch disagrees with ``git diff --numstat``.

    Raises:
        RepositoryError: an object of the change is not in this clone.
    """
    try:
        entries = repository.diff_entries(base, head)
        with repository.diff_lines(base, head) as lines:
            patches = {patch.path: patch for patch in parse_diff(lines)}
    except RepositoryError:
        if not repository.is_partial:
            raise
        raise RepositoryError(
            "This is a partial clone, and it does not hold every object of the change.",
            help=f"Let git fetch them: run `git diff {base} {head} > /dev/null` in the repository.",
        ) from None
    binaries = [entry for entry in entries if entry.added_lines is None]
    sizes = repository.sizes({sha for entry in binaries for sha in entry.blobs})
    sniff = _Sniffer(repository)
    changes = (_join(entry, patches.get(entry.path), sizes, sniff) for entry in entries)
    return ChangeSet(base, head, tuple(_with_new_lines(change, repository) for change in changes))


def _join(entry: DiffEntry, patch: FilePatch | None, sizes: dict[Sha, int], sniff: "_Sniffer") -> FileChange:
    change = FileChange(
        path=entry.path,
        old_path=entry.old_path if entry.letter in "RC" else None,
        status=_status(entry),
        base_mode=entry.base_mode,
        head_mode=entry.head_mode,
        base_blob=entry.base_blob,
        head_blob=entry.head_blob,
        added_lines=entry.added_lines or 0,
        deleted_lines=entry.deleted_lines or 0,
    )
    if entry.added_lines is None:
        return _without_text(change, sizes, sniff)
    omitted = _disagreement(change, patch)
    if omitted or patch is None:
        return replace(change, omitted=omitted)
    if _is_pointer(patch):
        unread = "a pointer of Git LFS: the text it stands for is not in the repository"
        hidden = _is_source(change.path)
        return replace(
            change,
            is_binary=True,
            hunks=() if hidden else patch.hunks,
            omitted=unread if hidden else None,
        )
    added, deleted, gaps = count_ranges(patch.hunks)
    return replace(change, hunks=patch.hunks, added=added, deleted=deleted, gaps=gaps)


def _with_new_lines(change: FileChange, repository: Repository) -> FileChange:
    """A copy, or a file that moves to where other rules hold, is new at its path."""
    return with_every_line(change, repository) if _is_new_there(change) else change


def _is_new_there(change: FileChange) -> bool:
    return change.status is ChangeStatus.COPIED or _moves_into_view(change)


def with_every_line(change: FileChange, repository: Repository) -> FileChange:
    """A file of whose text every line counts as added; the counts stay git's own."""
    if change.head_blob is None or change.is_binary or change.omitted or change.is_submodule:
        return change
    text = repository.read_object(change.head_blob)
    wide = decode_wide(text)
    added = _every_line(text, b"\n") if wide is None else _every_line(wide, "\n")
    return replace(change, added=added, deleted=(), gaps=())


def _every_line(text: AnyStr, line_feed: AnyStr) -> LineRanges:
    """The range of all lines of a text; a final line feed starts no line."""
    last = text.count(line_feed) + (not text.endswith(line_feed) and bool(text))
    return ((1, last),) if last else ()


def _moves_into_view(change: FileChange) -> bool:
    """A rename after which other programs read the file: out of an excluded place, to another kind."""
    if change.status is not ChangeStatus.RENAMED or change.old_path is None:
        return False
    old, new = PurePosixPath(change.old_path), PurePosixPath(change.path)
    leaves = excluded_by_name(change.old_path) is not None and excluded_by_name(change.path) is None
    arrives = new.parts[0] == ".github" and old.parts[:2] != new.parts[:2]
    return leaves or arrives or old.suffix.lower() != new.suffix.lower() or _kind(old) != _kind(new)


def _kind(path: PurePosixPath) -> str:
    """Files that are known by their whole name, such as ``Dockerfile`` and ``action.yml``."""
    return (
        re.split(r"[._-]", path.name.lower())[0] if not path.suffix or path.name.startswith("action.") else ""
    )


def _status(entry: DiffEntry) -> ChangeStatus:
    if entry.letter == "M" and entry.base_blob == entry.head_blob:
        return ChangeStatus.MODE_CHANGED
    return _LETTERS.get(entry.letter, ChangeStatus.MODIFIED)


def _without_text(change: FileChange, sizes: dict[Sha, int], sniff: "_Sniffer") -> FileChange:
    """A file that git counts no lines of: really binary, or large, or text that holds NUL bytes."""
    largest = max((sizes.get(sha, 0) for sha in (change.base_blob, change.head_blob) if sha), default=0)
    is_same = change.base_blob == change.head_blob and not _is_new_there(change)
    if change.head_blob is None or is_same:
        return replace(change, is_binary=True)
    if largest > BIG_FILE_BYTES:
        return replace(change, omitted=f"larger than {BIG_FILE_BYTES >> 20} MiB")
    data = sniff.read(change.head_blob)
    if data is None:
        total = f"{SNIFFED_BYTES >> 20} MiB"
        return replace(change, is_binary=True, omitted=f"only {total} of binary files are looked into")
    wide = decode_wide(data)
    if wide is not None:
        # git has no lines to compare: all of them count as new.
        return replace(change, added=_every_line(wide, "\n"))
    is_text = _is_source(change.path) or looks_like_text(data)
    return replace(change, is_binary=True, omitted="text that holds NUL bytes" if is_text else None)


def _is_source(path: str) -> bool:
    name = path.rsplit("/", 1)[-1].lower()
    return f".{name.rsplit('.', 1)[-1]}" in SOURCE_SUFFIXES or name.startswith(_SOURCE_NAMES)


def _is_pointer(patch: FilePatch) -> bool:
    """Whether head is what Git LFS keeps in the place of a file: no changed line may say anything else."""
    if len(patch.hunks) != 1 or patch.hunks[0].head_start != 1:
        return False
    lines = [line[1:] for line in patch.hunks[0].lines if line[:1] in ("+", " ")]
    return lines[0].startswith("version ") and all(map(_LFS.fullmatch, lines))


class _Sniffer:
    """Reads the files that git calls binary, up to a total."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._left = SNIFFED_BYTES

    def read(self, sha: Sha) -> bytes | None:
        """The content, or None once the total is used up."""
        if self._left <= 0:
            return None
        data = self._repository.read_object(sha)
        self._left -= len(data)
        return data


def _disagreement(change: FileChange, patch: FilePatch | None) -> str | None:
    counts = (change.added_lines, change.deleted_lines)
    if patch is None:
        return "git lists the file but its patch does not" if any(counts) else None
    if patch.omitted:
        return patch.omitted
    if (patch.added_lines, patch.deleted_lines) == counts:
        return None
    found = f"+{patch.added_lines} -{patch.deleted_lines}"
    return f"the patch has {found}, git diff --numstat has +{counts[0]} -{counts[1]}"
