"""The whole action as a process: what it and its children execute, see, write and connect to (THREATS R02-R05, R27)."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reviewbot.change.hardening import HARDENED, find_git, git_env
from reviewbot.testing import ScriptedModel
from tests.github.events import pull_request_event
from tests.github.fake import FakeGitHub
from tests.hostile.captive import CAPTIVES
from tests.hostile.on_github import NAME, step_environment
from tests.hostile.rig import KEY
from tests.hostile.test_process import arm, arm_git_folder
from tests.hostile.traced import Executed, Traced, trace, why_not
from tests.repositories import Sandbox

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

# Not root's first steps: tests/container runs those where the process may become somebody else.
START = (
    "import os, sys, reviewbot.action.entrypoint as action; action.owner_to_become = lambda workspace: None; "
    "sys.exit(action.run_action(os.environ))"
)
FETCHES = {"GIT_SSL_CAINFO", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"}
BORROWS = {"GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"}
ANALYZERS_SEE = {
    "PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "NO_COLOR", "RUST_BACKTRACE", "PYTHONDONTWRITEBYTECODE",
}  # fmt: skip
SAFE = {"ruff": "--isolated", "zizmor": "--no-config", "hadolint": "--config"}
"""What keeps configuration of the change from each analyzer."""
STARTED_BY_GIT = {"git", "git-remote-https"}


@dataclass(frozen=True)
class Ran:
    """A traced run of the action, its folder, its token and the two addresses that it was given."""

    traced: Traced
    folder: Path
    token: str
    given: set[tuple[str, int]]

    @property
    def children(self) -> list[Executed]:
        """What the action itself started."""
        return [each for each in self.traced.executed[1:] if "/git-core/" not in each.program]

    def started(self, *names: str) -> list[Executed]:
        """The children of these names."""
        return [each for each in self.children if each.name in names]


def fill_workspace(workspace: Path, repository: Path, marker: Path, base: str, head: str) -> None:
    """What an earlier step may have left: a checkout of the change whose git folder wants to run things."""
    checkout = Sandbox(workspace)
    checkout.git("fetch", "-q", str(repository), head)
    checkout.git("checkout", "-q", "--force", head)
    arm_git_folder(checkout, marker, base, head)
    for name in ("reviewbot/__init__.py", "sitecustomize.py", "json.py"):
        checkout.write(name, f"import os\nos.system('touch {marker}')\n")
    (workspace / "reviewbot-report").symlink_to("/tmp")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Pull request 1 brings everything that wants to run; the model is a captured one that tries every tool."""
    folder = tmp_path_factory.mktemp("action")
    marker = folder / "marker"
    sandbox = Sandbox(folder / "repository")
    base, head = arm(sandbox, marker)
    sandbox.git("switch", "-q", "--detach")
    sandbox.git("branch", "-q", "-f", "main", base)
    sandbox.git("branch", "-q", "feature", head)
    served = folder / "served.git"
    sandbox.git("clone", "-q", "--bare", "--branch", "main", ".", str(served))
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    with FakeGitHub() as fake, ScriptedModel(CAPTIVES["explores"]) as model:
        fake.add_repository(NAME, served)
        fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head)
        token = fake.token()
        payload = json.loads(pull_request_event(fake, NAME, 1))
        environment = step_environment(fake, folder, payload, token, model) | {
            "PATH": f".:{folder / 'workspace'}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(folder / "workspace"),
            "ACTIONS_RUNTIME_TOKEN": "runtime-4f1c",
        }
        fill_workspace(folder / "workspace", sandbox.folder, marker, base, head)
        program = [sys.executable, "-I", "-B", "-c", START]
        traced = trace(program, cwd=folder / "workspace", env=environment, log=folder / "strace.log")
        assert fake.refused == []
        assert model.requests, traced.stdout + traced.stderr
        assert len(fake.review_comments(NAME, 1)) > 0
        places = [urlsplit(fake.server_url), urlsplit(model.base_url)]
        yield Ran(traced, folder, token, {(str(place.hostname), int(place.port or 0)) for place in places})


def test_the_action_posts_its_review_and_the_trace_saw_every_kind_of_child(ran: Ran) -> None:
    assert ran.traced.code == 1, ran.traced.stderr
    report = json.loads((ran.folder / "workspace/reviewbot-report-2/report.json").read_text())
    assert "ruff/S602" in {finding["rule"] for finding in report["findings"] if finding["blocking"]}
    assert {each.name for each in ran.children} >= {"git", "ruff", "zizmor", "hadolint"}
    assert {each.name for each in ran.traced.executed} >= STARTED_BY_GIT
    assert not (ran.folder / "marker").exists()


def test_r04_the_children_are_git_and_the_analyzers_by_absolute_paths_outside_of_the_workspace(
    ran: Ran,
) -> None:
    python = [each for each in ran.children if each.name.startswith("python")]
    assert [each for each in ran.children if each not in python and each.name not in ("git", *SAFE)] == []
    for each in python:
        assert each.arguments[1] == "-I", "detect-secrets, apart from the environment and the folder"
    for each in ran.traced.executed:
        assert Path(each.program).is_absolute()
        assert not Path(each.program).is_relative_to(ran.folder), each
        if "/git-core/" in each.program:
            assert each.name in STARTED_BY_GIT, each


def test_r05_every_git_is_hardened_and_sees_only_what_it_was_given(ran: Ran) -> None:
    calls = ran.started("git")
    assert len(calls) > 5
    for each in calls:
        assert each.program == find_git()
        store, *options = each.arguments[1:]
        assert store.startswith(f"--git-dir={ran.folder / 'tmp'}/"), each
        assert tuple(options[: len(HARDENED)]) == HARDENED
        fixed = git_env(Path(each.environment["HOME"]))
        assert each.environment.items() >= fixed.items()
        extra = FETCHES if "fetch" in options else BORROWS
        assert set(each.environment) - set(fixed) <= extra
        assert Path(each.folder).is_relative_to(ran.folder / "tmp"), each


def test_r04_the_analyzers_see_no_name_no_configuration_and_no_variable_of_the_workflow(ran: Ran) -> None:
    calls = [each for each in ran.children if each.name != "git"]
    changed = {"app.py", "a.c", "evil.yml", "ruff.toml", "pyproject.toml", str(ran.folder / "workspace")}
    for each in calls:
        assert set(each.environment) == ANALYZERS_SEE, each
        assert {value for name, value in each.environment.items() if name in ("HOME", "TMPDIR")} == {
            each.environment["HOME"]
        }
        assert not any(word.endswith(name) for word in each.arguments for name in changed), each
        assert Path(each.folder).is_relative_to(ran.folder / "tmp"), each
        assert SAFE.get(each.name, "-I") in each.arguments, each


def test_r02_the_key_is_in_no_child_and_the_token_in_the_fetch_alone(ran: Ran) -> None:
    from base64 import b64encode

    basic = b64encode(f"x-access-token:{ran.token}".encode()).decode()
    for each in ran.traced.executed[1:]:
        said = "\n".join((*each.arguments, *each.environment.values()))
        assert KEY not in said
        assert "runtime-4f1c" not in said
        assert ran.token not in said
        assert basic not in "\n".join(each.arguments)
        if basic in said:
            assert "/git-core/" in each.program or "fetch" in each.arguments, each
    assert any(basic in str(each.environment) for each in ran.started("git"))


def test_r27_only_the_given_model_and_github_are_connected_to(ran: Ran) -> None:
    assert set(ran.traced.reached) == ran.given


def test_r04_files_are_written_in_the_report_folder_the_runners_files_and_temporary_folders_only(
    ran: Ran,
) -> None:
    allowed = [
        str(ran.folder / name) for name in ("tmp/", "workspace/reviewbot-report-2", "outputs", "summary")
    ]
    stray = {path for path in ran.traced.written if not path.startswith((*allowed, "/dev/null", "/dev/tty"))}
    assert stray == {str(ran.folder / "workspace/reviewbot-report")}, (
        "the name that was taken, and was not used"
    )
    assert [*(ran.folder / "tmp").iterdir()] == []
    assert [*(ran.folder / "home").iterdir()] == []


def test_r06_nothing_of_the_workspace_is_opened(ran: Ran) -> None:
    workspace = str(ran.folder / "workspace")
    opened = {path for path in ran.traced.opened if path.startswith(f"{workspace}/")}
    assert {path for path in opened if not path.startswith(f"{workspace}/reviewbot-report-2")} == set()
