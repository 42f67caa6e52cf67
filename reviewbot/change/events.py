"""Who asked for a review of which commits: arguments of the command line to a Trigger."""

from collections.abc import Iterator
from uuid import uuid4

from reviewbot.change.git import Repository
from reviewbot.change.hardening import REPAIR
from reviewbot.core import Sha, Trigger, TriggerKind
from reviewbot.errors import RepositoryError, SameRevisions, ShallowRepository, UnknownRevision


def local_trigger(
    repository: Repository, base: str | None, head: str | None
) -> tuple[Trigger, tuple[str, ...]]:
    """The three commits of a local run, and sentences about how they were chosen.

    ``base`` is compared as GitHub does it, from where head branched off. Without one it is the merge
    base with the upstream default branch, or the first parent where head is already part of that.

    Raises:
        UnknownRevision, ShallowRepository, SameRevisions, RepositoryError
    """
    asked = "HEAD" if head is None else head
    head_sha = resolve_commit(repository, asked, "--head")
    if base is None:
        base_sha, how = _default_base(repository, head_sha)
    else:
        base_sha, how = _named_base(repository, base, asked, head_sha)
    trigger = make_local_trigger(repository, base_sha=base_sha, policy_sha=base_sha, head_sha=head_sha)
    compared = "the empty tree" if base_sha == repository.empty_tree else base_sha[:12]
    unread = " Uncommitted changes are not part of it." if head is None and repository.work_tree else ""
    return trigger, (f"Reviewed {head_sha[:12]} against {compared}, {how}.{unread}",)


def make_local_trigger(repository: Repository, *, base_sha: Sha, policy_sha: Sha, head_sha: Sha) -> Trigger:
    """A run that somebody began at a shell, about commits of a local repository."""
    folder = repository.work_tree or repository.git_dir
    return Trigger(
        run_id=uuid4().hex,
        kind=TriggerKind.LOCAL,
        repository=folder.name,
        actor="local",
        base_sha=base_sha,
        policy_sha=policy_sha,
        head_sha=head_sha,
    )


def resolve_commit(repository: Repository, revision: str, option: str) -> Sha:
    """The commit that an argument names; raises UnknownRevision."""
    found = repository.resolve(revision)
    if found:
        return found
    if revision == "HEAD":
        if named := repository.resolve("HEAD", ""):
            raise RepositoryError(f"HEAD is {named[:12]}, and the repository lacks that commit.", help=REPAIR)
        raise UnknownRevision(
            "The repository has no commit to review yet.", help="Commit something, or name a --head."
        )
    message = f"{option} {ascii(revision)[:200]} names no commit of this repository."
    if repository.is_shallow:
        raise UnknownRevision(message, help="This clone is shallow: `git fetch --unshallow` brings the rest.")
    raise UnknownRevision(message)


def _named_base(repository: Repository, base: str, head: str, head_sha: Sha) -> tuple[Sha, str]:
    if repository.resolve(base, "tree") == repository.empty_tree:
        return repository.empty_tree, "as asked: every file is reviewed"
    named = resolve_commit(repository, base, "--base")
    if named == head_sha:
        raise SameRevisions(
            f"--base {ascii(base)[:80]} and --head {ascii(head)[:80]} are the same commit.",
            help="Name two different commits, or leave out --base to review the last one.",
        )
    merge_base = _merge_base(repository, named, head_sha, ascii(base)[:80])
    if merge_base is None:
        return named, f"which shares no history with {ascii(head)[:80]}"
    if merge_base == head_sha:
        raise SameRevisions(
            f"{ascii(head)[:80]} is already part of {ascii(base)[:80]}, so there is nothing to review.",
            help="Swap --base and --head, or name an older --base.",
        )
    how = "as asked" if merge_base == named else f"where it branched off from {ascii(base)[:80]}"
    return merge_base, how


def _default_base(repository: Repository, head_sha: Sha) -> tuple[Sha, str]:
    branch, tip = next(_known_branches(repository), ("", None))
    merge_base = _merge_base(repository, tip, head_sha, branch) if tip else None
    if merge_base and merge_base != head_sha:
        return merge_base, f"where it branched off from {branch}"
    parents = repository.parents(head_sha)
    if not parents:
        return repository.empty_tree, "because it is the first commit"
    if not repository.has(parents[0]):
        parent = parents[0][:12]
        raise ShallowRepository(f"This clone is shallow: {parent}, the parent of head, is not in it.")
    if merge_base:
        return parents[0], f"its first parent, because {branch} already holds it"
    why = f"{branch} shares no history with it" if tip else "no upstream branch is known here"
    return parents[0], f"its first parent only, because {why} (name another with --base)"


def _merge_base(repository: Repository, one: Sha, head_sha: Sha, name: str) -> Sha | None:
    """None only where the two really share no history: a shallow clone cannot know."""
    found = repository.merge_base(one, head_sha)
    if found is None and repository.is_shallow:
        raise ShallowRepository(f"This clone is shallow and holds no common ancestor of head and {name}.")
    return found


def _known_branches(repository: Repository) -> Iterator[tuple[str, Sha]]:
    """The upstream default branch, as far as it is known here, the most telling guess first."""
    remotes = sorted(repository.remotes(), key=lambda name: (name != "upstream", name != "origin", name))
    for remote in remotes:
        head = repository.symbolic_ref(f"refs/remotes/{remote}/HEAD")
        for ref in (head, f"refs/remotes/{remote}/main", f"refs/remotes/{remote}/master"):
            tip = repository.resolve(ref) if ref else None
            if ref and tip:
                yield ascii(ref.removeprefix("refs/remotes/"))[1:-1], tip
