"""``reviewbot prove``, in order: copy, run the tests, apply the patch, run them again, compare, report.

This is the only command that runs code of the repository. No review calls it, and the job that does
should hold no secret.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reviewbot.change.git import Repository
from reviewbot.errors import OutputError, UnknownRevision, UsageError
from reviewbot.prove.attempt import check_program, run_tests
from reviewbot.prove.result import (
    Attempt,
    Proof,
    Setting,
    judge,
    judge_without,
    render_proof_json,
    render_proof_junit,
)
from reviewbot.prove.sandbox import CannotProve, PatchRefused, Sandbox
from reviewbot.publish.sanitize import terminal_text
from reviewbot.verdict.weakening import compare_tests

PATCH_CAP = 4 * 1024 * 1024
SECONDS = 900.0
RESULTS = ("prove.json", "prove.junit.xml")


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """What the user asked for.

    ``junit`` is a pattern below the copy where the command leaves its JUnit files (None: its output is
    read instead). ``tests`` are those that the patch must fix (none: all that fail). ``passed`` names
    variables of ``environment`` that the command may see. ``sandbox`` ``required``: no bubblewrap, no run.
    """

    patch: Path
    command: str
    repo: Path = Path()
    head: str | None = None
    junit: str | None = None
    tests: tuple[str, ...] = ()
    seconds: float = SECONDS
    sandbox: Literal["auto", "required"] = "auto"
    passed: tuple[str, ...] = ()
    out: Path | None = None


def run_prove(request: ProveRequest, environment: Mapping[str, str]) -> int:
    """Prove one patch, print what came of it, and write ``prove.json`` and ``prove.junit.xml`` to ``out``.

    Returns 0 where the patch is proven and 1 where it is not. Raises as ``prove_patch`` does.
    """
    proof, setting = prove_patch(request, environment)
    for sentence in (proof.sentence, *setting.notes):
        print(terminal_text(sentence), file=sys.stdout)  # noqa: T201 - this is the command's answer
    return proof.exit_code


def prove_patch(request: ProveRequest, environment: Mapping[str, str]) -> tuple[Proof, Setting]:
    """Prove one patch and write ``prove.json`` and ``prove.junit.xml`` to ``out``, if there is one.

    Raises UsageError and PatchRefused (exit 2) for what was handed in, CannotProve (exit 3) where nothing
    could be run.
    """
    if not request.command.strip() or request.seconds <= 0:
        raise UsageError(
            "prove needs a test command and a time above 0",
            help="Name them with --test-command COMMAND and --seconds N.",
        )
    patch = read_patch(request.patch)
    _check_pattern(request.junit)
    if request.out:
        _prepare(request.out)
    with (
        Repository(request.repo) as repository,
        tempfile.TemporaryDirectory(prefix="reviewbot-prove-", ignore_cleanup_errors=True) as folder,
    ):
        commit = repository.resolve(request.head or "HEAD")
        if commit is None:
            raise UnknownRevision(f"there is no revision {request.head or 'HEAD'}")
        sandbox = Sandbox(Path(folder).resolve(), environment, request.passed)
        if request.sandbox == "required" and not sandbox.bubblewrap:
            raise CannotProve(
                "bubblewrap is not there or may not be used",
                help="Install bubblewrap where user namespaces are allowed, or leave --sandbox required out.",
            )
        proof, setting = _prove(request, repository, commit, patch, sandbox)
    if request.out:
        _write(request.out, render_proof_json(proof, setting), render_proof_junit(proof))
    return proof, setting


def read_patch(path: Path) -> bytes:
    """The patch file. Raises PatchRefused for none, an empty one, or one past 4 MiB."""
    try:
        with path.open("rb") as file:
            data = file.read(PATCH_CAP + 1)
    except OSError as error:
        raise PatchRefused(f"the patch {path} cannot be read: {error.strerror}") from error
    if not data.strip() or len(data) > PATCH_CAP:
        raise PatchRefused(f"the patch {path} is {'empty' if not data.strip() else 'larger than 4 MiB'}")
    return data


def _prove(
    request: ProveRequest, repository: Repository, commit: str, patch: bytes, sandbox: Sandbox
) -> tuple[Proof, Setting]:
    paths = repository.tree_paths(commit)
    left_out = sandbox.fill(repository, commit)
    before = _digest(sandbox.tree)
    sandbox.apply(patch)  # before anything runs: a patch that does not apply costs no test run
    after = _digest(sandbox.tree)
    changed = tuple(path for path in sorted({*before, *after}) if before.get(path) != after.get(path))
    weak = _find_weakened(repository, commit, sandbox.tree, changed)
    setting = Setting(
        commit=commit,
        patch_sha256=hashlib.sha256(patch).hexdigest(),
        paths=changed,
        command=request.command,
        sandbox="bubblewrap" if sandbox.bubblewrap else "none",
        network=sandbox.bubblewrap is None,
        notes=_notes(sandbox, left_out),
    )

    def attempt() -> Attempt:
        return run_tests(request.command, sandbox, paths, seconds=request.seconds, junit=request.junit)

    sandbox.fill(repository, commit)
    without = attempt()
    check_program(without, request.command)
    if proof := judge_without(without, request.tests):
        return proof, setting
    if weak:
        return Proof("weakened", f"Not proven: the patch weakens tests: {'; '.join(weak)}.", without), setting
    sandbox.fill(repository, commit)
    sandbox.apply(patch)
    return judge(without, attempt(), request.tests), setting


def _notes(sandbox: Sandbox, left_out: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if not sandbox.bubblewrap:
        notes.append("The tests ran without bubblewrap: they could reach the network and this user's files.")
    if left_out:
        notes.append(f"Not in the copy: {', '.join(left_out[:10])}{' and more' if left_out[10:] else ''}.")
    return tuple(notes)


def _digest(tree: Path) -> dict[str, str]:
    """What each file of the copy is, by its path; a link is its target."""
    found = {}
    for folder, folders, names in os.walk(tree):
        for name in (*names, *folders):
            path = Path(folder, name)
            if path.is_symlink():
                found[str(path.relative_to(tree))] = f"link {path.readlink()}"
            elif path.is_file():
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                found[str(path.relative_to(tree))] = f"{digest} {os.access(path, os.X_OK)}"
    return found


def _find_weakened(
    repository: Repository, commit: str, tree: Path, changed: Sequence[str]
) -> tuple[str, ...]:
    """How the patch, applied to ``tree``, makes tests of the commit say less."""
    found = []
    for path, entry in repository.entries_at(commit, changed).items():
        before = repository.read_object(entry.sha).decode("utf-8", "replace")
        target = tree / path
        is_text = target.is_file() and not target.is_symlink()
        after = target.read_bytes().decode("utf-8", "replace") if is_text else ""
        if reasons := compare_tests(path, before, after):
            found.append(f"{path}: {', '.join(reasons)}")
    return tuple(found)


def _check_pattern(junit: str | None) -> None:
    if junit is not None and (not junit or Path(junit).is_absolute() or ".." in Path(junit).parts):
        raise UsageError(
            f"the JUnit pattern {junit} leaves the copy",
            help="Name it relative to the root of the repository.",
        )


def _prepare(folder: Path) -> None:
    """Take away the results of an earlier run, which would speak for another patch."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in RESULTS:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder: {error.strerror}") from error


def _write(folder: Path, *texts: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    for name, text in zip(RESULTS, texts, strict=True):
        try:
            with open(os.open(folder / name, flags, 0o644), "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(text)
        except OSError as error:
            raise OutputError(f"{folder / name} cannot be written: {error.strerror}") from error
