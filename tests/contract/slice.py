"""Slices of GitHub's own descriptions, cut at test time from the installed npm packages.

The whole REST description takes 13 MB and 0.4 s to load, the GraphQL schema 0.8 s to parse; the parts
that we call take milliseconds. Nothing of theirs is kept in this project: the slices are cached beside
the packages (a git-ignored folder) or, where that cannot be written, in the temporary folder.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

NODE_MODULES = Path(__file__).parent / "node_modules"
OCTOKIT = NODE_MODULES / "@octokit"
PACKAGES = ("openapi", "graphql-schema", "webhooks-examples", "webhooks-schemas")

_PULL = "/repos/{owner}/{repo}/pulls/{pull_number}"
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "/repos/{owner}/{repo}": ("get",),
    _PULL: ("get",),
    f"{_PULL}/files": ("get",),
    f"{_PULL}/reviews": ("get", "post"),
    f"{_PULL}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/compare/{basehead}": ("get",),
    "/repos/{owner}/{repo}/commits/{ref}": ("get",),
    "/repos/{owner}/{repo}/issues": ("get", "post"),
    "/repos/{owner}/{repo}/issues/{issue_number}": ("patch",),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("patch",),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions": ("post",),
    "/repos/{owner}/{repo}/check-runs": ("post",),
    "/repos/{owner}/{repo}/check-runs/{check_run_id}": ("patch",),
    "/repos/{owner}/{repo}/collaborators/{username}/permission": ("get",),
    "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts": ("get",),
    "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}": ("get",),
    "/repos/{owner}/{repo}/actions/runs": ("get",),
    "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs": ("get",),
    "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs": ("get",),
    "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations": ("get",),
    "/repos/{owner}/{repo}/code-scanning/sarifs": ("post",),
    "/repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}": ("get",),
    "/user": ("get",),
}
"""What the fake serves, in the words of the description."""

_ALWAYS = ("#/components/schemas/basic-error", "#/components/schemas/validation-error")

GRAPHQL_TYPES = frozenset(
    """
    Query Actor User Bot Repository Ref GitObject Blob Commit PageInfo RateLimit
    PullRequest PullRequestState Issue
    IssueComment IssueCommentConnection IssueCommentEdge IssueCommentOrder IssueCommentOrderField
    PullRequestReview PullRequestReviewConnection PullRequestReviewEdge PullRequestReviewState
    PullRequestReviewThread PullRequestReviewThreadConnection PullRequestReviewThreadEdge
    PullRequestReviewComment PullRequestReviewCommentConnection PullRequestReviewCommentEdge
    DiffSide PullRequestReviewThreadSubjectType OrderDirection
    PullRequestConnection PullRequestEdge RepositoryOwner IssueOrder IssueOrderField
    Mutation Minimizable ReportedContentClassifiers MinimizeCommentInput MinimizeCommentPayload
    ResolveReviewThreadInput ResolveReviewThreadPayload
    AddPullRequestReviewThreadReplyInput AddPullRequestReviewThreadReplyPayload
    PullRequestReviewCommentState PullRequestReviewEvent AddPullRequestReviewInput AddPullRequestReviewPayload
    AddPullRequestReviewThreadInput AddPullRequestReviewThreadPayload
    SubmitPullRequestReviewInput SubmitPullRequestReviewPayload
    DeletePullRequestReviewInput DeletePullRequestReviewPayload
    URI DateTime GitObjectID BigInt ID String Int Float Boolean
    """.split()
)
"""The types of the GraphQL schema that the fake answers; fields of any other type are cut away."""


def missing_packages() -> str | None:
    """Why the contract tests cannot run, or None."""
    absent = [name for name in PACKAGES if not (OCTOKIT / name / "package.json").is_file()]
    return f"not installed (npm ci in tests/contract): {', '.join(absent)}" if absent else None


def read_openapi_slice() -> dict[str, Any]:
    """OPERATIONS of GitHub's OpenAPI description with every component they reach."""
    source = OCTOKIT / "openapi" / "generated" / "api.github.com.json"
    text = _cached("openapi", repr(OPERATIONS), lambda: json.dumps(_cut_openapi(source)))
    found: dict[str, Any] = json.loads(text)
    return found


def read_graphql_slice() -> str:
    """GRAPHQL_TYPES of GitHub's schema as schema language."""
    source = OCTOKIT / "graphql-schema" / "schema.graphql"
    return _cached("graphql-schema", repr(sorted(GRAPHQL_TYPES)), lambda: _cut_graphql(source))


def _cached(package: str, wanted: str, cut: Callable[[], str]) -> str:
    """The slice, cut once for each version of the package and of this file."""
    version = json.loads((OCTOKIT / package / "package.json").read_text())["version"]
    key = hashlib.sha256(wanted.encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    name = f"{package}-{version}-{key}"
    for folder in (NODE_MODULES / ".cache" / "slices", _temporary_folder()):
        if (folder / name).is_file():
            return (folder / name).read_text()
    text = cut()
    for folder in (NODE_MODULES / ".cache" / "slices", _temporary_folder()):
        try:
            _write_whole(folder, name, text)
            break
        except OSError:
            continue
    return text


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"contract-slices-{os.getuid()}"


def _write_whole(folder: Path, name: str, text: str) -> None:
    """Other test processes cut the same slice at the same time: they see all of it or none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, part = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(part).replace(folder / name)


def _cut_openapi(source: Path) -> dict[str, Any]:
    whole = json.loads(source.read_bytes())
    cut: dict[str, Any] = {"openapi": whole["openapi"], "info": whole["info"], "servers": whole["servers"]}
    cut["paths"] = {
        path: _without_examples({method: whole["paths"][path][method] for method in methods})
        for path, methods in OPERATIONS.items()
    }
    cut["components"] = {}
    waiting = [*_references(cut["paths"]), *_ALWAYS]
    seen = set()
    while waiting:
        reference = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        kind, name = reference.split("/")[-2:]
        part = _without_examples(whole["components"][kind][name])
        cut["components"].setdefault(kind, {})[name] = part
        waiting.extend(_references(part))
    return cut


def _without_examples(value: Any, *, names: bool = False) -> Any:
    """The same without examples; under ``properties`` the keys are names, so `example` may be one."""
    if isinstance(value, list):
        return [_without_examples(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_examples(each, names=not names and key == "properties")
        for key, each in value.items()
        if names or key not in ("example", "examples")
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/components/"):
            yield reference
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _cut_graphql(source: Path) -> str:
    from graphql import parse, print_ast

    kept = [
        _narrow(definition)
        for definition in parse(source.read_text(), no_location=True).definitions
        if definition.kind != "directive_definition"
        and getattr(getattr(definition, "name", None), "value", "") in GRAPHQL_TYPES
    ]
    return "\n\n".join(print_ast(definition) for definition in kept)


def _narrow(node: Any) -> Any:
    """Without the fields, arguments and interfaces that lead out of the slice, and without prose."""
    changes: dict[str, Any] = {"description": None, "directives": ()}
    if getattr(node, "interfaces", None):
        changes["interfaces"] = tuple(each for each in node.interfaces if each.name.value in GRAPHQL_TYPES)
    if getattr(node, "fields", None):
        changes["fields"] = tuple(_narrow(each) for each in node.fields if _stays(each))
    for part in ("arguments", "values"):
        if getattr(node, part, None):
            changes[part] = tuple(_narrow(each) for each in getattr(node, part))
    return replace(node, **changes)


def _stays(field: Any) -> bool:
    arguments: Sequence[Any] = getattr(field, "arguments", None) or ()
    return _named(field.type) in GRAPHQL_TYPES and all(
        _named(each.type) in GRAPHQL_TYPES for each in arguments
    )


def _named(node: Any) -> str:
    while hasattr(node, "type"):
        node = node.type
    return str(node.name.value)
