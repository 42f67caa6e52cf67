"""Two commits to a ChangeSet: git's list of files joined with the parsed patch and checked against it."""

from dataclasses import replace

from reviewbot.change.diff import FilePatch, count_ranges, parse_diff
from reviewbot.change.entries import DiffEntry
from reviewbot.change.git import BIG_FILE_BYTES, Repository
from reviewbot.core import ChangeSet, ChangeStatus, FileChange, Sha
from reviewbot.errors import RepositoryError

_LETTERS = {
    "A": ChangeStatus.ADDED,
    "M": ChangeStatus.MODIFIED,
    "D": ChangeStatus.DELETED,
    "R": ChangeStatus.RENAMED,
    "C": ChangeStatus.COPIED,
    "T": ChangeStatus.TYPE_CHANGED,
}
SOURCE_SUFFIXES = frozenset(
    (
        ".py .pyi .pyw .sh .bash .zsh .fish .ps1 .js .jsx .mjs .cjs .ts .tsx .mts .go .rs .java .kt .kts "
        ".scala .groovy .c .h .cc .cpp .hpp .cs .fs .vb .swift .m .mm .rb .php .pl .pm .lua .r .jl .ex "
        ".exs .erl .clj .sql .tf .hcl .yml .yaml .json .toml .ini .cfg .conf .xml .html .htm .css .vue "
        ".svelte .gradle .cmake .mk .dockerfile .proto .graphql .sol"
    ).split()
)
"""A NUL byte makes git call a file binary; in one of these it hides code from a reader."""


def load_change_set(repository: Repository, base: Sha, head: Sha) -> ChangeSet:
    """Every file that differs between two commits, each with its lines or the reason why not.

    ``FileChange.omitted`` is set, and the file must count as unreviewed, where it is too large, where
    its text is hidden behind a NUL byte, or where the patch disagrees with ``git diff --numstat``.

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
            help=f"Let git fetch them: run `git diff {base[:12]} {head[:12]} > /dev/null` in the repository.",
        ) from None
    binaries = [entry for entry in entries if entry.added_lines is None]
    sizes = repository.sizes({sha for entry in binaries for sha in _blobs(entry)})
    return ChangeSet(base, head, tuple(_join(entry, patches.get(entry.path), sizes) for entry in entries))


def _blobs(entry: DiffEntry) -> list[Sha]:
    gitlink = "160000"
    sides = ((entry.base_mode, entry.base_blob), (entry.head_mode, entry.head_blob))
    return [sha for mode, sha in sides if sha and mode != gitlink]


def _join(entry: DiffEntry, patch: FilePatch | None, sizes: dict[Sha, int]) -> FileChange:
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
        return _without_text(change, sizes)
    omitted = _disagreement(change, patch)
    if omitted or patch is None:
        return replace(change, omitted=omitted)
    added, deleted, gaps = count_ranges(patch.hunks)
    return replace(change, hunks=patch.hunks, added=added, deleted=deleted, gaps=gaps)


def _status(entry: DiffEntry) -> ChangeStatus:
    if entry.letter == "M" and entry.base_blob == entry.head_blob:
        return ChangeStatus.MODE_CHANGED
    return _LETTERS.get(entry.letter, ChangeStatus.MODIFIED)


def _without_text(change: FileChange, sizes: dict[Sha, int]) -> FileChange:
    """A file that git counts no lines of: really binary, or large, or source code with a NUL byte."""
    largest = max((sizes.get(sha, 0) for sha in (change.base_blob, change.head_blob) if sha), default=0)
    name = change.path.rsplit("/", 1)[-1].lower()
    suffix = f".{name.rsplit('.', 1)[-1]}"
    changed = change.base_blob != change.head_blob and change.head_blob is not None
    if largest > BIG_FILE_BYTES and changed:
        return replace(change, omitted=f"larger than {BIG_FILE_BYTES >> 20} MiB")
    is_source = suffix in SOURCE_SUFFIXES or name.startswith(("dockerfile", "makefile"))
    omitted = "source code that holds a NUL byte" if changed and is_source else None
    return replace(change, is_binary=True, omitted=omitted)


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
