"""Each way in which a repository can make git run, fetch or read something, alone; plain git falls for it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from reviewbot.change.policy_file import Asked
from reviewbot.core import Conclusion, Review
from reviewbot.errors import RepositoryError
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.request import Request
from tests.hostile.corpus import FAULT
from tests.repositories import Sandbox


@dataclass(frozen=True)
class Armed:
    """Two commits of a repository, and the command that would run."""

    sandbox: Sandbox
    base: str
    head: str
    run: str


def script(path: Path, run: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{run}\n")
    path.chmod(0o755)


def fsmonitor(armed: Armed) -> list[str]:
    armed.sandbox.git("config", "core.fsmonitor", armed.run)
    return ["status"]


def hooks(armed: Armed) -> list[str]:
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        script(armed.sandbox.folder / ".git/hooks" / name, armed.run)
    return ["checkout", "-q", armed.base]


def hooks_elsewhere(armed: Armed) -> list[str]:
    armed.sandbox.git("config", "core.hooksPath", str(armed.sandbox.folder.parent / "hooks"))
    script(armed.sandbox.folder.parent / "hooks/post-checkout", armed.run)
    return ["checkout", "-q", armed.base]


def filters(armed: Armed) -> list[str]:
    for kind in ("clean", "smudge"):
        armed.sandbox.git("config", f"filter.evil.{kind}", armed.run)
    (armed.sandbox.folder / ".git/info/attributes").write_text("* filter=evil\n")
    return ["checkout", "-q", "--force", armed.base]


def textconv(armed: Armed) -> list[str]:
    armed.sandbox.git("config", "diff.evil.textconv", armed.run)
    (armed.sandbox.folder / ".git/info/attributes").write_text("* diff=evil\n")
    return ["diff", armed.base, armed.head]


def external_diff(armed: Armed) -> list[str]:
    armed.sandbox.git("config", "diff.external", armed.run)
    return ["diff", armed.base, armed.head]


def included_configuration(armed: Armed) -> list[str]:
    (armed.sandbox.folder / "evil.config").write_text(f'[diff]\n\texternal = "{armed.run}"\n')
    armed.sandbox.git("config", "include.path", "../evil.config")
    return ["diff", armed.base, armed.head]


def signature_program(armed: Armed) -> list[str]:
    script(armed.sandbox.folder.parent / "gpg", armed.run)
    armed.sandbox.git("config", "gpg.program", str(armed.sandbox.folder.parent / "gpg"))
    armed.sandbox.git("config", "log.showSignature", "true")
    signed = armed.sandbox.git("cat-file", "commit", armed.head).replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    made = armed.sandbox.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=f"{signed}\n".encode())
    armed.sandbox.git("update-ref", "refs/heads/main", made)
    return ["log", "-1", made]


def promised_objects(armed: Armed) -> list[str]:
    """A blob that is not there, and a remote that promises it and is a command."""
    sandbox = armed.sandbox
    for key, value in {
        "remote.origin.url": f"ext::sh -c {armed.run.replace(' ', '% ')}", "remote.origin.promisor": "true",
        "extensions.partialClone": "origin", "core.repositoryFormatVersion": "1", "protocol.ext.allow": "always",
    }.items():  # fmt: skip
        sandbox.git("config", key, value)
    return ["cat-file", "-p", "1" * 40]


def submodule(armed: Armed) -> list[str]:
    """One that is updated by a command and fetched by another."""
    sandbox = armed.sandbox
    url = f"ext::sh -c {armed.run.replace(' ', '% ')}"
    sandbox.write(".gitmodules", f'[submodule "x"]\n\tpath = x\n\turl = {url}\n')
    sandbox.git("add", ".gitmodules")
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{armed.base},x")
    sandbox.git("commit", "-q", "--no-gpg-sign", "-m", "submodule")
    for key, value in {
        "submodule.recurse": "true",
        "diff.submodule": "diff",
        "protocol.ext.allow": "always",
    }.items():
        sandbox.git("config", key, value)
    return ["submodule", "update", "--init"]


def nested_bare_repository(armed: Armed) -> list[str]:
    """Files that git takes for a repository when it is started in their folder (CVE-2026-45033)."""
    sandbox = armed.sandbox
    settings = (
        "repositoryformatversion = 0",
        "bare = false",
        'worktree = "."',
        f'fsmonitor = "{armed.run}; false"',
    )
    config = "\n\t".join(("[core]", *settings))
    bare = {"HEAD": "ref: refs/heads/main\n", "objects/keep": "", "refs/keep": "", "config": f"{config}\n"}
    sandbox.commit({f"evil/{name}": text for name, text in bare.items()})
    return ["-C", "evil", "status"]


WAYS: tuple[Callable[[Armed], list[str]], ...] = (
    fsmonitor, hooks, hooks_elsewhere, filters, textconv, external_diff, included_configuration,
    signature_program, promised_objects, submodule, nested_bare_repository,
)  # fmt: skip


@pytest.fixture
def armed(sandbox: Sandbox, tmp_path: Path) -> Iterator[Armed]:
    base = sandbox.commit({"a.c": "1\n"})
    yield Armed(
        sandbox, base, sandbox.commit({"a.c": "2\n", "app.py": FAULT}), f"touch {tmp_path / 'marker'}"
    )


def review(sandbox: Sandbox, base: str, head: str) -> Review:
    settings = Asked(overrides={"engine": "analyzers"})
    request = Request(folder=sandbox.folder, base=base, head=head, asked=settings)
    return review_change(request, Journal(), lambda words: nullcontext())


def review_or_refuse(sandbox: Sandbox, base: str, head: str) -> Review | None:
    """None where git itself cannot read the tree: the run ends in that sentence and in its exit code."""
    try:
        return review(sandbox, base, head)
    except RepositoryError as error:
        assert "\n" not in error.sentences
        assert error.exit_code > 0
        return None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_r05_what_runs_under_plain_git_does_not_run_in_a_review(
    armed: Armed, tmp_path: Path, way: Callable[[Armed], list[str]]
) -> None:
    falls_for_it = way(armed)
    head = armed.sandbox.git("rev-parse", "refs/heads/main")
    reviewed = review(armed.sandbox, armed.base, head)
    assert not (tmp_path / "marker").exists()
    assert reviewed.verdict.conclusion is Conclusion.FAIL
    assert "ruff/S602" in {f.rule for f in reviewed.findings if f.fingerprint in reviewed.verdict.blocking}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_ALLOW_PROTOCOL": "ext:file"}
    subprocess.run(
        ["git", *falls_for_it], cwd=armed.sandbox.folder, env=environment, capture_output=True, check=False
    )
    assert (tmp_path / "marker").exists(), "plain git does not fall for it, so nothing is shown"


@pytest.mark.parametrize(
    "name",
    ["..", ".", ".git", ".GIT", "git~1", ".g\u200cit", "a/b", "/etc/passwd", "../../x.py", "-rf", "C:\\x", "x\\..\\y",
     "a\nb.py", "\x1b[2J.py", "CON.py", ":(exclude)*", "", "x" * 4096],
)  # fmt: skip
def test_r25_an_entry_of_any_name_is_a_row_or_one_sentence_and_hides_nothing(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    base = sandbox.commit({"a.c": "1\n"})
    fault = sandbox.git("hash-object", "-w", "--stdin", stdin=FAULT.encode())
    entries = sorted([("app.py", fault), (name, fault)])
    tree = b"".join(b"100644 %s\0%s" % (named.encode(), bytes.fromhex(sha)) for named, sha in entries)
    made = sandbox.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=tree)
    head = sandbox.git("commit-tree", made, "-p", base, "-m", "c")
    before = sorted(path for path in tmp_path.rglob("*") if ".git/objects" not in str(path))
    reviewed = review_or_refuse(sandbox, base, head)
    assert sorted(path for path in tmp_path.rglob("*") if ".git/objects" not in str(path)) == before
    if reviewed is None:
        return
    assert reviewed.verdict.exit_code != 0
    if reviewed.verdict.conclusion is Conclusion.FAIL:
        blocking = {
            f.location.path
            for f in reviewed.findings
            if f.fingerprint in reviewed.verdict.blocking and f.location
        }
        assert "app.py" in blocking
    else:
        assert reviewed.verdict.reasons
        assert "\n" not in reviewed.verdict.reasons[0].detail


@pytest.mark.parametrize("mode", ["40000", "120000", "160000", "100755", "100600", "777"])
def test_r25_an_entry_of_any_mode_is_a_row_or_one_sentence(sandbox: Sandbox, mode: str) -> None:
    base = sandbox.commit({"a.c": "1\n"})
    fault = sandbox.git("hash-object", "-w", "--stdin", stdin=FAULT.encode())
    tree = b"".join(
        b"%s %s\0%s" % (kind.encode(), name, bytes.fromhex(fault))
        for kind, name in (("100644", b"app.py"), (mode, b"evil.py"))
    )
    made = sandbox.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=tree)
    head = sandbox.git("commit-tree", made, "-p", base, "-m", "c")
    reviewed = review_or_refuse(sandbox, base, head)
    assert reviewed is None or reviewed.verdict.exit_code != 0
    if mode in ("100755", "100600", "160000"):
        assert reviewed is not None
        assert reviewed.verdict.conclusion is Conclusion.FAIL
