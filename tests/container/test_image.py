"""The image, built here and started as a runner would start it, against the fake GitHub."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action.test_yml import release_check
from tests.container import image
from tests.container.runner import GID, NAME, UID, Runner, describe
from tests.github.events import pull_request_event
from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(bool(image.missing()), reason=image.missing() or "-"),
]

FAULT = "import subprocess\n\n\ndef run(command):\n    subprocess.run(command, shell=True)\n"
HOSTILE = "open('/github/workspace/RAN', 'a').write(__name__)\n"
"""What would leave a trace if Python imported anything from the workspace."""


@pytest.fixture
def fake(sandbox: Sandbox) -> Iterator[FakeGitHub]:
    """A repository whose pull request 1 adds a fault."""
    sandbox.commit({"app.py": "def run():\n    pass\n"})
    sandbox.git("switch", "-q", "-c", "feature")
    head = sandbox.commit({"app.py": FAULT, "reviewbot/__init__.py": HOSTILE})
    sandbox.git("switch", "-q", "main")
    with FakeGitHub() as fake:
        fake.add_repository(NAME, sandbox.folder)
        fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head)
        yield fake
        assert fake.refused == []


def plant_hostile_workspace(workspace: Path) -> None:
    """What a checkout of the change could put where the container starts."""
    files = (
        "reviewbot/__init__.py",
        "reviewbot/__main__.py",
        "sitecustomize.py",
        "usercustomize.py",
        "json.py",
    )
    for name in (*files, "git", "ruff"):
        file = workspace / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(HOSTILE if name.endswith(".py") else "#!/bin/sh\ntouch /github/workspace/RAN\n")
        file.chmod(0o755)
    (workspace / "reviewbot-report").symlink_to("/tmp")


def test_the_container_posts_a_review_as_the_workspaces_owner_and_runs_nothing_of_the_workspace(
    built: str, runner: Runner, fake: FakeGitHub
) -> None:
    plant_hostile_workspace(runner.workspace)
    given = describe(fake, engine="analyzers", state_key="0123456789abcdef")
    given["PYTHONPATH"] = "/github/workspace"
    payload = pull_request_event(fake, NAME, 1)
    ran = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert ran.code == 1, ran.out + ran.error
    assert ran.outputs["verdict"] == "fail"
    assert ran.outputs["report"] == "reviewbot-report-2/report.json"
    assert [(each.path, each.line) for each in fake.review_comments(NAME, 1)] == [("app.py", 5)]
    assert "S602" in ran.summary
    assert not (runner.workspace / "RAN").exists()
    folder = runner.workspace / "reviewbot-report-2"
    owners = {(file.stat().st_uid, file.stat().st_gid) for file in (folder, *folder.iterdir())}
    assert owners == {(UID, GID)}
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"]["exit_code"] == 1
    assert {tuple(file["by"]) for file in report["coverage"]["files"]} == {("ruff", "detect-secrets")}

    again = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert again.code == 1
    assert len(fake.review_comments(NAME, 1)) == 1
    assert len(fake.issue_comments(NAME, 1)) == 1
    assert len(fake.api_requests) <= 12


def test_a_fork_without_secrets_is_annotated(built: str, runner: Runner, fake: FakeGitHub) -> None:
    fake.change_pull_request(NAME, 1, head_repository="mallory/app")
    token = fake.token(permissions={"contents": "read", "pull-requests": "read"})
    payload = pull_request_event(fake, NAME, 1)
    given = describe(fake, github_token=token)
    ran = runner.step(built, "pull_request", payload, given, ca_file=fake.ca_file)
    assert ran.code == 1, ran.out + ran.error
    assert "::error file=app.py,line=5" in ran.out
    assert fake.issue_comments(NAME, 1) == []


def test_the_fully_hardened_run_works_as_the_documents_show(
    built: str, runner: Runner, fake: FakeGitHub
) -> None:
    rights = (
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"),
        *("--security-opt", "no-new-privileges", "--pids-limit", "200"),
    )
    shown = " ".join((image.ROOT / "docs/operating.md").read_text().replace("\\\n", "").split())
    assert " ".join(rights) in shown
    options = ("--user", f"{UID}:{GID}", *rights)
    given = describe(fake, engine="analyzers")
    # Outside of a workflow nobody reads these files, and root's could not be opened.
    given |= {"GITHUB_OUTPUT": "", "GITHUB_STEP_SUMMARY": ""}
    payload = pull_request_event(fake, NAME, 1)
    ran = runner.step(built, "pull_request", payload, given, options=options, ca_file=fake.ca_file)
    assert ran.code == 1, ran.out + ran.error
    assert len(fake.review_comments(NAME, 1)) == 1


def test_a_root_without_capabilities_does_not_review_as_root(
    built: str, runner: Runner, fake: FakeGitHub
) -> None:
    os.chown(runner.workspace, 0, 0)  # else root could not even write to it
    payload = pull_request_event(fake, NAME, 1)
    options = ("--cap-drop", "all")
    ran = runner.step(built, "pull_request", payload, describe(fake), options=options, ca_file=fake.ca_file)
    assert ran.code == 2
    assert "--user" in ran.error
    assert fake.requests == []


def test_a_missing_event_is_one_sentence(built: str, runner: Runner, fake: FakeGitHub) -> None:
    given = {**describe(fake, engine="analyzers"), "GITHUB_EVENT_PATH": "/github/workflow/none.json"}
    ran = runner.step(built, "pull_request", b"", given, ca_file=fake.ca_file)
    assert ran.code == 2
    assert ran.outputs["verdict"] == "incomplete"
    assert (runner.workspace / ran.outputs["report"]).is_file()
    assert "Traceback" not in ran.error


def test_the_image_holds_no_compiler_no_installer_and_nothing_of_the_machine_that_built_it(
    built: str,
) -> None:
    mounted = " ".join(["/etc/pip.conf", *map(str, image.pip_folders())])  # a mount leaves an empty place
    look = (
        "for name in pip pip3 gcc cc make; do command -v $name; done; ls /src /opt/installer; "
        f"find {mounted} -type f -size +0 2>/dev/null; "
        "/opt/reviewbot/bin/python -I -c 'import pip'; "
        "/opt/reviewbot/bin/python -I -m reviewbot --version; git --version"
    )
    done = subprocess.run(
        [
            *("podman", *image.storage(), "--runtime", "runc", "run", "--rm", "--network", "none"),
            *("--ulimit", "nofile=10000:10000", "--ulimit", "nproc=4096:4096"),
            *("--entrypoint", "/bin/sh", built, "-c", look),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["reviewbot", "git"]
    assert done.stderr.count("No such file or directory") == 2
    assert "No module named 'pip'" in done.stderr


def files_of(name: str) -> set[str]:
    """Every file and link of an image."""
    done = subprocess.run(
        [
            *("podman", *image.storage(), "--runtime", "runc", "run", "--rm", "--network", "none"),
            *("--ulimit", "nofile=10000:10000", "--ulimit", "nproc=4096:4096"),
            *(
                "--entrypoint",
                "/usr/bin/find",
                name,
                "/",
                "-xdev",
                "(",
                "-type",
                "f",
                "-o",
                "-type",
                "l",
                ")",
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines())


BUILDERS = {"hatchling", "editables", "pluggy", "trove-classifiers"}
"""Packages of the lock that build ours and are taken out again."""
PROGRAMS = re.compile(r"bin/(activate|Activate|python|reviewbot$|ruff$|zizmor$|hadolint$)|lib64$|pyvenv.cfg$")
OF_PACKAGES = {"cffi-gen-src", "detect-secrets", "detect-secrets-hook", "httpx2", "idna", "markdown-it", "normalizer",
               "pygmentize", "unidiff"}  # fmt: skip
"""Commands that packages of the lock bring along."""


def test_the_image_is_its_base_the_locked_packages_and_reviewbot_and_nothing_else(built: str) -> None:
    added = files_of(built) - files_of(image.BASE) - {"/etc/pip.conf"}  # a mount leaves an empty place
    ours = {name.removeprefix("/opt/reviewbot/") for name in added}
    assert {name for name in ours if name.startswith("/")} == set()
    packaged = {name.partition("/site-packages/")[2] for name in ours if "/site-packages/" in name}
    others = {name for name in ours if "/site-packages/" not in name and not PROGRAMS.match(name)}
    assert others <= {f"bin/{name}" for name in OF_PACKAGES}
    installed = {}
    for name in packaged:
        described = re.match(r"([^/]+)-([^-/]+)\.dist-info/", name)
        if described:
            installed[re.sub(r"[-_.]+", "-", described[1]).lower()] = described[2]
    lock = {name: version for name, (version, _) in release_check().locked(image.ROOT).items()}
    text = (image.ROOT / "requirements/run.txt").read_text()
    elsewhere = set(re.findall(r"^([a-z0-9-]+)==\S+ ; ", text, re.MULTILINE))
    del installed["reviewbot"]
    assert installed.items() <= lock.items()
    assert set(lock) - set(installed) - elsewhere == BUILDERS
    source = {str(path.relative_to(image.ROOT)) for path in (image.ROOT / "reviewbot").rglob("*.py")}
    prompts = {f"reviewbot/prompts/{path.name}" for path in (image.ROOT / "prompts").iterdir()}
    package = {name for name in packaged if name.startswith("reviewbot/") and not name.endswith(".pyc")}
    assert package == source | prompts | {"reviewbot/py.typed"}
