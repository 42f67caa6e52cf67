"""The files for GitLab CI, CircleCI and Jenkins: their schemas, and their scripts run on clones as those make them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.action.test_action import CLEAN, FAULT
from tests.action.test_yml import BIN, ROOT, tool
from tests.repositories import Sandbox

FOLDER = ROOT / ".github/examples/elsewhere"
GITLAB, CIRCLE, JENKINS = (FOLDER / name for name in ("gitlab-ci.yml", "circleci.yml", "Jenkinsfile"))
POLICY = {".github/reviewbot.yml": "engine: analyzers\n"}


def test_there_is_no_other_file_and_the_readme_names_each() -> None:
    assert sorted(FOLDER.iterdir()) == sorted([GITLAB, CIRCLE, JENKINS])
    readme = (ROOT / "README.md").read_text()
    assert all(f".github/examples/elsewhere/{file.name}" in readme for file in FOLDER.iterdir())


@pytest.mark.parametrize(("file", "schema"), [(GITLAB, "vendor.gitlab-ci"), (CIRCLE, "vendor.circle-ci")])
def test_schemas_accept_them(file: Path, schema: str, tmp_path: Path) -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", schema]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / file.name
    bad.write_text(re.sub(r"(?m)^( +)(script|docker):", r"\1nonsense:", file.read_text()))
    assert subprocess.run([*command, str(bad)], capture_output=True, check=False).returncode == 1


def gitlab_script() -> list[str]:
    return list(yaml.safe_load(GITLAB.read_text())["reviewbot"]["script"])


def circle_script() -> list[str]:
    steps = yaml.safe_load(CIRCLE.read_text())["jobs"]["reviewbot"]["steps"]
    return [step["run"]["command"] for step in steps if isinstance(step, dict) and "run" in step]


def jenkins_script() -> list[str]:
    return re.findall(r"^ +sh '(.+)'$", JENKINS.read_text(), re.MULTILINE)


class Clone:
    """A repository on a server with a change on a branch, and a folder into which a runner clones it."""

    def __init__(self, sandbox: Sandbox, folder: Path, content: str) -> None:
        self.server = sandbox
        sandbox.commit({"old.txt": "x\n"})
        self.base = sandbox.commit({"app.py": "def run():\n    pass\n", **POLICY})
        sandbox.git("switch", "-q", "-c", "feature")
        sandbox.commit({"app.py": content})
        self.head = sandbox.commit({"notes.txt": "two commits\n"})
        sandbox.git("switch", "-q", "main")
        sandbox.commit({"later.txt": "main moved on\n"})
        self.here = Sandbox(folder)
        self.here.git("remote", "add", "origin", f"file://{sandbox.folder}")

    def fetch(self, *arguments: str) -> None:
        self.here.git("fetch", "-q", *arguments)

    def run(self, script: Sequence[str], **variables: str) -> "subprocess.CompletedProcess[str]":
        """The script as a runner's shell runs it, but for what installs the program: it is installed."""
        lines = [line for line in script if "pip install" not in line and "-m venv" not in line]
        assert 0 < len(lines) < len(script)
        (self.here.folder / ".reviewbot").mkdir(exist_ok=True)
        link = self.here.folder / ".reviewbot/bin"
        if not link.exists():
            link.symlink_to(BIN)
        environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "CI": "true", "HOME": str(self.here.folder)}
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.here.folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def report(self) -> Any:
        return json.loads((self.here.folder / "reviewbot-report/report.json").read_text())

    def assert_reviewed(self, code: int) -> None:
        trigger = self.report["trigger"]
        assert (trigger["base_sha"], trigger["head_sha"]) == (self.base, self.head)
        assert {row["path"] for row in self.report["coverage"]["files"]} == {"app.py", "notes.txt"}
        assert self.report["verdict"]["exit_code"] == code
        assert (self.here.folder / "reviewbot-report/report.junit.xml").is_file()


@pytest.fixture(params=[(FAULT, 1), (CLEAN, 0)], ids=["fault", "clean"])
def case(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> tuple[Clone, int]:
    content, code = request.param
    return Clone(sandbox, tmp_path / "clone", content), code


def test_gitlab_reviews_the_merge_request_on_a_detached_head(case: tuple[Clone, int]) -> None:
    clone, code = case
    clone.fetch("origin", f"+{clone.head}:refs/pipelines/1")
    clone.here.git("checkout", "-q", "--detach", clone.head)
    given = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": clone.base, "CI_COMMIT_SHA": clone.head}
    done = clone.run(gitlab_script(), **given)
    assert done.returncode == code, done.stderr
    clone.assert_reviewed(code)
    found = json.loads((clone.here.folder / "gl-code-quality-report.json").read_text())
    assert {each["location"]["path"] for each in found} == ({"app.py"} if code else set())


def test_gitlab_with_merged_results_reviews_the_head_and_not_the_merge(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    clone = Clone(sandbox, tmp_path / "clone", FAULT)
    sandbox.git("merge", "-q", "--no-ff", "-m", "m", "feature")
    merged = sandbox.git("rev-parse", "HEAD")
    clone.fetch("origin", f"+{merged}:refs/pipelines/1")
    clone.here.git("checkout", "-q", "--detach", merged)
    given = {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": clone.base,
        "CI_COMMIT_SHA": merged,
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": clone.head,
    }
    assert clone.run(gitlab_script(), **given).returncode == 1
    clone.assert_reviewed(1)


def test_a_shallow_clone_without_the_base_is_a_sentence_with_the_remedy(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    clone = Clone(sandbox, tmp_path / "clone", CLEAN)
    clone.fetch("--depth=1", "origin", f"+{clone.head}:refs/pipelines/1")
    clone.here.git("checkout", "-q", "--detach", clone.head)
    given = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": clone.base, "CI_COMMIT_SHA": clone.head}
    done = clone.run(gitlab_script(), **given)
    assert done.returncode == 2
    assert "This clone is shallow" in done.stderr
    assert "git fetch --unshallow" in done.stderr


def test_a_shallow_clone_of_both_branches_without_their_fork_is_one_too(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    clone = Clone(sandbox, tmp_path / "clone", CLEAN)
    clone.fetch("--depth=1", "origin", "+refs/heads/*:refs/remotes/origin/*")
    clone.here.git("checkout", "-q", "--detach", clone.head)
    script = [line.replace("git fetch", "git fetch --depth=1") for line in circle_script()]
    done = clone.run(script, BASE_BRANCH="main", CIRCLE_SHA1=clone.head)
    assert done.returncode == 2
    assert "no common ancestor of head and 'origin/main'" in done.stderr
    assert "git fetch --unshallow" in done.stderr


def test_circleci_reviews_the_branch_against_the_base_branch(case: tuple[Clone, int]) -> None:
    clone, code = case
    clone.fetch("origin", "+refs/heads/*:refs/remotes/origin/*")
    clone.here.git("checkout", "-q", "-B", "feature", clone.head)
    done = clone.run(circle_script(), BASE_BRANCH="main", CIRCLE_SHA1=clone.head)
    assert done.returncode == code, done.stderr
    clone.assert_reviewed(code)


def test_jenkins_reviews_the_pull_request_of_a_clone_of_one_branch(case: tuple[Clone, int]) -> None:
    clone, code = case
    clone.fetch("--no-tags", "origin", "+refs/heads/feature:refs/remotes/origin/PR-1")
    clone.here.git("checkout", "-q", "-f", clone.head)
    done = clone.run(jenkins_script(), CHANGE_TARGET="main", CHANGE_ID="1")
    assert done.returncode == code, done.stderr
    clone.assert_reviewed(code)


@pytest.mark.parametrize("script", [gitlab_script, circle_script, jenkins_script])
def test_each_installs_a_release_by_its_commit(script: Any) -> None:
    [line] = [line for line in script() if "pip install" in line]
    assert line.endswith('pip install "reviewbot @ git+https://github.com/OWNER/reviewbot@' + "0" * 40 + '"')
    assert sys.version_info >= (3, 11)
