"""Who asked for a review of which commits: arguments of the command line to a Trigger."""

from uuid import uuid4

from reviewbot.change.git import Repository
from reviewbot.core import Sha, Trigger, TriggerKind
from reviewbot.errors import SameRevisions, ShallowRepository, UnknownRevision


def local_trigger(
    repository: Repository, base: str | None, head: str | None
) -> tuple[Trigger, tuple[str, ...]]:
    """The three commits of a local run, and sentences about how they were chosen.

    ``base`` is compared as GitHub does it, from where head branched off. Without one it is the merge
    base with the upstream default branch, or the first parent where head is already part of that.

    Raises:
        UnknownRevision, ShallowRepository, SameRevisions, RepositoryError
    """
    head_sha = _resolve(repository, head or "HEAD", "--head")
    if base is None:
        base_sha, note = _default_base(repository, head_sha)
    else:
        base_sha, note = _named_base(repository, base, head or "HEAD", head_sha)
    folder = repository.work_tree or repository.git_dir
    trigger = Trigger(
        run_id=uuid4().hex,
        kind=TriggerKind.LOCAL,
        repository=folder.name,
        actor="local",
        base_sha=base_sha,
        policy_sha=base_sha,
        head_sha=head_sha,
    )
    notes = [note] if note else []
    if head is None and repository.work_tree:
        notes.append("Uncommitted changes are not part of a review.")
    return trigger, tuple(notes)


def _resolve(repository: Repository, revision: str, option: str) -> Sha:
    found = repository.resolve(revision)
    if found:
        return found
    if revision == "HEAD":
        raise UnknownRevision(
            "The repository has no commit to review yet.", help="Commit something, or name a --head."
        )
    raise UnknownRevision(f"{option} {ascii(revision)[:200]} names no commit of this repository.")


def _named_base(repository: Repository, base: str, head: str, head_sha: Sha) -> tuple[Sha, str]:
    if repository.resolve(base, "tree") == repository.empty_tree:
        return repository.empty_tree, ""
    named = _resolve(repository, base, "--base")
    if named == head_sha:
        raise SameRevisions(f"--base {ascii(base)[:80]} and --head {ascii(head)[:80]} are the same commit.")
    merge_base = repository.merge_base(named, head_sha)
    if merge_base is None:
        if repository.is_shallow:
            raise ShallowRepository(
                f"This clone is shallow and holds no common ancestor of {base!a} and {head!a}."
            )
        return named, f"{base!a} and {head!a} share no history: compared directly."
    if merge_base == head_sha:
        raise SameRevisions(
            f"{ascii(head)[:80]} is already part of {ascii(base)[:80]}, so there is nothing to review.",
            help="Swap --base and --head, or name an older --base.",
        )
    moved = f"{base!a} has moved on: compared with {merge_base[:12]}, where head branched off."
    return merge_base, "" if merge_base == named else moved


def _default_base(repository: Repository, head_sha: Sha) -> tuple[Sha, str]:
    for branch in _upstream_branches(repository):
        tip = repository.resolve(branch)
        if tip:
            merge_base = repository.merge_base(tip, head_sha)
            if merge_base and merge_base != head_sha:
                name = branch.removeprefix("refs/remotes/").removesuffix("/HEAD")
                return merge_base, f"Compared with the merge base of {name!a}."
            break
    parents = repository.parents(head_sha)
    if not parents:
        return repository.empty_tree, "This is the first commit: every file in it is reviewed."
    if not repository.has(parents[0]):
        raise ShallowRepository(
            f"This clone is shallow: {parents[0][:12]}, the parent of head, is not in it."
        )
    return parents[0], "Compared with the first parent of head."


def _upstream_branches(repository: Repository) -> list[str]:
    """Where a default branch may be known, the most telling name first."""
    remotes = sorted(repository.remotes(), key=lambda name: (name != "upstream", name != "origin", name))
    names = ("HEAD", "main", "master")
    return [f"refs/remotes/{remote}/{name}" for remote in remotes for name in names]
