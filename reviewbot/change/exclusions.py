"""Which changed files need no reviewer, each by a named rule that the ledger shows."""

import re
from collections.abc import Sequence

from reviewbot.change.git import Repository
from reviewbot.core import FileChange, Sha
from reviewbot.settings import Settings, excluded_by

LOCK_FILES = frozenset(
    (
        "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock "
        "poetry.lock pdm.lock uv.lock pixi.lock pipfile.lock conda-lock.yml cargo.lock go.sum go.work.sum "
        "gemfile.lock composer.lock mix.lock rebar.lock pubspec.lock podfile.lock cartfile.resolved "
        "package.resolved packages.lock.json paket.lock project.assets.json gradle.lockfile flake.lock "
        "stack.yaml.lock cabal.project.freeze .terraform.lock.hcl chart.lock module.bazel.lock"
    ).split()
)
_VENDORED = re.compile(
    r"(?:^|/)(?:vendor|third[_-]?party|node_modules|bower_components|jspm_packages|godeps|\.yarn/releases|pods)/",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"\.min\.(?:js|mjs|cjs|css)$|\.(?:js|css|mjs|cjs)\.map$|(?:^|/)[^/]+_pb2(?:_grpc)?\.pyi?$|\.pb\.(?:go|cc|h|rs)$"
    r"|\.pb\.gw\.go$|\.g\.dart$|\.freezed\.dart$|\.designer\.cs$|\.g\.cs$|(?:^|/)__snapshots__/.*\.snap$"
    r"|(?:^|/)__generated__/",
    re.IGNORECASE,
)
ATTRIBUTES = ("linguist-generated", "linguist-vendored")
"""Attributes that count, as GitHub's own diff view reads them, at the policy commit only."""


def find_excluded(
    repository: Repository, policy_sha: Sha, changes: Sequence[FileChange], settings: Settings
) -> dict[str, str]:
    """Path to the named rule that excludes it: built in, an attribute at ``policy_sha``, or the policy's."""
    attributes = repository.attributes(policy_sha, [change.path for change in changes], ATTRIBUTES)
    named = {
        change.path: excluded_by_rule(change, attributes.get(change.path, {}))
        or excluded_by(settings, change.path)
        for change in changes
    }
    return {path: rule for path, rule in named.items() if rule}


def excluded_by_rule(change: FileChange, attributes: dict[str, str]) -> str | None:
    """The name of the built-in rule that excludes a file, or None. Deletions are never excluded."""
    if change.is_submodule:
        return "submodule"
    if change.head_blob is None or change.omitted:
        return None
    if change.is_binary:
        return "pointer of Git LFS" if change.hunks else "binary file"
    said = [attributes.get(name) for name in ATTRIBUTES]
    for name, value in zip(ATTRIBUTES, said, strict=True):
        if value in ("set", "true"):
            return f"{name} at the policy commit"
    return excluded_by_name(change.path) if not {"unset", "false"} & set(said) else None


def excluded_by_name(path: str) -> str | None:
    """The rule that excludes a file for its name alone, or None.

    Below ``.github`` a name excludes nothing: GitHub runs a workflow called ``pnpm-lock.yaml`` too.
    """
    if path == ".github/reviewbot-baseline.json":
        return "baseline of scans"
    if path.startswith(".github/"):
        return None
    if path.rsplit("/", 1)[-1].lower() in LOCK_FILES:
        return "lock file"
    if _VENDORED.search(path):
        return "vendored file"
    return "generated file" if _GENERATED.search(path) else None
