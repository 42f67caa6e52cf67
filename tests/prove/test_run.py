"""Real commands in real scratch copies: pytest, git and, where the machine has it, bubblewrap."""

import json
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from reviewbot.change.git import Repository
from reviewbot.claims import Edit
from reviewbot.core import Evidence, Finding, Severity
from reviewbot.errors import UnknownRevision, UsageError
from reviewbot.evidence.junit import parse_junit
from reviewbot.evidence.paths import TreePaths
from reviewbot.prove.run import ProveRequest, run_prove
from reviewbot.prove.sandbox import CannotProve, PatchRefused
from reviewbot.publish.patch import build_patch, head_reader
from tests.repositories import Sandbox

PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
JUNIT = f"{PYTEST} --junitxml=out/report.xml"
CODE = "def add(a, b):\n    return a - b\n\ndef sub(a, b):\n    return a - b\n"
TESTS = """\
from calc import add, sub

def test_add():
    assert add(1, 2) == 3

def test_add_more():
    assert add(2, 2) == 4

def test_sub():
    assert sub(3, 2) == 1
"""


class Project:
    """A repository with a broken function, and `reviewbot prove` on it."""

    def __init__(self, sandbox: Sandbox, tmp_path: Path) -> None:
        self.sandbox, self.out = sandbox, tmp_path / "out"
        self.files = {"calc.py": CODE, "test_calc.py": TESTS}
        sandbox.commit(dict(self.files))
        self.request = ProveRequest(
            patch=tmp_path / "fix.patch",
            command=JUNIT,
            repo=sandbox.folder,
            junit="out/*.xml",
            out=self.out,
            seconds=60,
        )
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "no-home")}

    def patch(self, changes: dict[str, str]) -> None:
        """Write the patch that makes these changes, and put the work tree back."""
        for path, text in changes.items():
            self.sandbox.write(path, text)
        self.sandbox.git("add", "-A")
        self.sandbox.git("diff", "--cached", f"--output={self.request.patch}")
        self.sandbox.git("reset", "-q", "--hard")

    def prove(self, **changes: object) -> int:
        return run_prove(replace(self.request, **changes), self.environment)  # type: ignore[arg-type]

    def result(self) -> dict[str, object]:
        found = json.loads((self.out / "prove.json").read_text())
        report = parse_junit((self.out / "prove.junit.xml").read_bytes(), "junit", TreePaths([]))
        assert (report.failures == 0) == found["proven"]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def project(sandbox: Sandbox, tmp_path: Path) -> Project:
    return Project(sandbox, tmp_path)


GOOD = CODE.replace("return a - b", "return a + b", 1)


@pytest.mark.parametrize("source", ["junit", "log"])
def test_a_fix_is_proven(project: Project, capsys: pytest.CaptureFixture[str], source: str) -> None:
    project.patch({"calc.py": GOOD})
    changes = {} if source == "junit" else {"junit": None, "command": PYTEST}
    assert project.prove(**changes) == 0
    found = project.result()
    assert found["status"] == "proven"
    assert found["fixed"] == ["test_calc::test_add", "test_calc::test_add_more"]
    assert found["paths"] == ["calc.py"]
    assert "test_calc::test_add, test_calc::test_add_more pass, 1 others unchanged" in capsys.readouterr().out
    assert sorted(project.sandbox.git("status", "--porcelain").split()) == []


def test_the_patch_of_a_review_is_proven_as_it_is_written(project: Project) -> None:
    (project.sandbox.folder / "link.py").symlink_to("calc.py")
    project.sandbox.commit({})
    good, bad = (
        Edit("calc.py", "def add(a, b):\n    return a - b", "def add(a, b):\n    return b + a"),
        Edit("link.py", "calc", "x"),
    )
    findings = [
        Finding(
            "0" * 16, Evidence("C1", "agent", "test_fix", "r", Severity.LOW, "t", edits=(edit,)), None, True
        )
        for edit in (good, bad)
    ]
    with Repository(project.sandbox.folder) as repository:
        head = repository.resolve("HEAD")
        assert head
        patch = build_patch(findings, head_reader(repository, head))
    assert patch.left_out == ("t: link.py is not in head",)
    project.request.patch.write_bytes(patch.data)
    assert project.prove() == 0


def test_a_wrong_fix_is_not_proven(project: Project) -> None:
    project.patch({"calc.py": CODE.replace("return a - b", "return 3", 1)})
    assert project.prove() == 1
    found = project.result()
    assert (found["status"], found["still_failing"]) == ("still_failing", ["test_calc::test_add_more"])


def test_a_fix_that_breaks_another_test_is_worse(project: Project) -> None:
    project.patch({"calc.py": CODE.replace("a - b", "a + b")})
    assert project.prove() == 1
    found = project.result()
    assert (found["status"], found["newly_failing"]) == ("worse", ["test_calc::test_sub"])


@pytest.mark.parametrize(
    ("tests", "status"),
    [
        (TESTS.replace("def test_add", "def check_add"), "weakened"),
        (TESTS.replace("== 3", "!= 0").replace("== 4", "!= 1"), "weakened"),
        (
            TESTS.replace("from calc", "import pytest; pytest.skip('x', allow_module_level=True)\nfrom calc"),
            "weakened",
        ),
    ],
)
def test_a_patch_that_weakens_the_tests_is_not_proven(project: Project, tests: str, status: str) -> None:
    project.patch({"test_calc.py": tests})
    assert project.prove() == 1
    assert project.result()["status"] == status


@pytest.mark.parametrize(
    ("conftest", "words"),
    [
        ("collect_ignore_glob = ['*']\n", "no longer ran"),
        ("def pytest_collection_modifyitems(items):\n    del items[:2]\n", "no longer ran"),
        (
            "import pytest\ndef pytest_runtest_setup(item):\n    getattr(pytest, 'sk' + 'ip')()\n",
            "more tests were skipped",
        ),
    ],
)
def test_a_patch_that_keeps_the_tests_from_running_is_not_proven(
    project: Project, conftest: str, words: str
) -> None:
    project.patch({"conftest.py": conftest})
    assert project.prove() == 1
    found = project.result()
    assert found["status"] in ("worse", "unreadable")
    assert words in str(found["sentence"]) or found["status"] == "unreadable"


def test_what_does_not_fail_without_the_patch_is_no_proof(project: Project) -> None:
    project.patch({"calc.py": GOOD})
    assert project.prove(tests=("test_calc.py::test_sub",)) == 1
    assert project.result()["status"] == "not_reproduced"
    project.sandbox.commit({"calc.py": GOOD, "other.py": "x = 1\n"})
    project.patch({"other.py": "x = 2\n"})
    assert project.prove() == 1
    assert project.result()["status"] == "not_reproduced"


def test_named_tests_are_to_be_fixed_and_what_failed_before_may_go_on(project: Project) -> None:
    project.patch({"calc.py": CODE.replace("return a - b", "return 3", 1)})
    assert project.prove(tests=("test_calc.py::test_add",)) == 0
    assert "1 that failed before still fail" in str(project.result()["sentence"])


def test_a_patch_for_another_tree_is_refused_before_anything_runs(project: Project) -> None:
    project.patch({"calc.py": GOOD})
    project.sandbox.commit({"calc.py": "something else\n"})
    started = time.monotonic()
    with pytest.raises(PatchRefused, match="does not apply"):
        project.prove(command="sleep 30")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", ["../escaped.txt", "/tmp/escaped.txt", ".git/config"])
def test_a_patch_that_leaves_the_copy_is_refused(project: Project, name: str, tmp_path: Path) -> None:
    project.request.patch.write_text(
        f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+x\n"
    )
    with pytest.raises(PatchRefused):
        project.prove()
    assert not (tmp_path / "escaped.txt").exists()


def test_an_endless_test_is_stopped_with_all_that_it_started(project: Project, tmp_path: Path) -> None:
    project.patch({"calc.py": GOOD})
    started = time.monotonic()
    assert project.prove(command="sleep 300 & sleep 300", seconds=2) == 1
    assert time.monotonic() - started < 30
    assert project.result()["status"] == "stopped"


def test_a_flood_of_output_is_kept_in_bounds(project: Project) -> None:
    project.patch({"calc.py": GOOD})
    assert project.prove(command=f"head -c 30000000 /dev/zero | tr '\\0' x; {JUNIT}") == 0
    assert (project.out / "prove.json").stat().st_size < 100_000


def test_a_child_that_keeps_the_pipe_open_does_not_keep_us(project: Project) -> None:
    project.patch({"calc.py": GOOD})
    started = time.monotonic()
    assert project.prove(command=f"sleep 40 & {JUNIT}") == 0
    assert time.monotonic() - started < 30


def test_the_command_sees_no_variable_of_the_caller_but_those_that_are_named(project: Project) -> None:
    project.patch({"calc.py": GOOD})
    project.environment |= {"ANTHROPIC_API_KEY": "s3cret", "GITHUB_TOKEN": "t0ken", "DATABASE_URL": "sqlite"}
    assert project.prove(command=f"env; {JUNIT}", passed=("DATABASE_URL",)) == 0
    said = (project.out / "prove.json").read_text()
    assert "DATABASE_URL=sqlite" in said
    assert "s3cret" not in said
    assert "t0ken" not in said


def test_what_the_first_run_leaves_behind_does_not_reach_the_second(project: Project) -> None:
    project.patch({"calc.py": CODE.replace("return a - b", "return 3", 1)})
    poison = 'test -e "$HOME/x" && exit 9; test -e "$TMPDIR/x" && exit 9; test -e x && exit 9; touch x "$HOME/x" "$TMPDIR/x"'
    assert project.prove(command=f"{poison}; {JUNIT}") == 1
    assert project.result()["status"] == "still_failing"


def test_a_report_that_stood_there_before_is_no_result(project: Project) -> None:
    project.sandbox.commit({"out/old.xml": '<testsuite><testcase name="a"/></testsuite>'})
    project.patch({"calc.py": GOOD})
    assert project.prove(command="true") == 1
    assert project.result()["status"] == "unreadable"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", "wrote no JUnit file: nothing matches out/*.xml in the root of the copy that they ran in"),
        ("mkdir -p out; echo '<testsuite' > out/a.xml", "wrote the JUnit file a.xml, which cannot be read"),
        ("mkdir out; echo 1; ln -s /etc/hosts out/a.xml", "wrote no JUnit file: nothing matches"),
    ],
)
def test_a_run_without_a_report_says_whether_it_was_written_and_where_it_was_looked_for(
    project: Project, command: str, said: str
) -> None:
    project.patch({"calc.py": GOOD})
    assert project.prove(command=command) == 1
    assert f"Not proven: the tests without the patch {said}" in str(project.result()["sentence"])


@pytest.mark.parametrize("junit", ["out/*.xml", None])
@pytest.mark.parametrize(
    ("command", "why"), [("no-such-runner -q", "found no program"), ("./calc.py", "may not run a program")]
)
def test_a_program_that_does_not_exist_is_a_wrong_argument(
    project: Project, command: str, why: str, junit: str | None
) -> None:
    project.patch({"calc.py": GOOD})
    with pytest.raises(UsageError) as caught:
        project.prove(command=command, junit=junit)
    assert caught.value.exit_code == 2
    assert caught.value.sentences.startswith(f"The test command `{command}` ran no test: the shell {why}")
    assert not (project.out / "prove.json").exists()


def test_tests_that_ran_may_end_as_if_a_program_were_missing(project: Project) -> None:
    project.patch({"calc.py": GOOD})
    assert project.prove(command=f"{JUNIT} || no-such-notifier") == 0


def test_a_link_in_the_place_of_the_report_is_not_followed(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside.xml"
    outside.write_text('<testsuite><testcase name="a"><failure/></testcase></testsuite>')
    project.patch({"calc.py": GOOD})
    assert project.prove(command=f"mkdir -p out; ln -s {outside} out/report.xml") == 1
    assert project.result()["status"] == "unreadable"


def test_links_and_modes_of_the_tree_are_there(project: Project) -> None:
    (project.sandbox.folder / "link.py").symlink_to("calc.py")
    (project.sandbox.folder / "run.sh").write_text("#!/bin/sh\nexit 0\n")
    (project.sandbox.folder / "run.sh").chmod(0o755)
    project.sandbox.commit({})
    project.patch({"calc.py": GOOD})
    assert project.prove(command=f"./run.sh && cmp link.py calc.py && {JUNIT}") == 0


def test_bad_arguments_are_refused(project: Project) -> None:
    with pytest.raises(PatchRefused, match="cannot be read"):
        project.prove()
    project.request.patch.write_text("\n")
    with pytest.raises(PatchRefused, match="is empty"):
        project.prove()
    project.patch({"calc.py": GOOD})
    with pytest.raises(UsageError, match="leaves the copy"):
        project.prove(junit="../*.xml")
    with pytest.raises(UsageError, match="test command"):
        project.prove(command=" ")
    with pytest.raises(UnknownRevision, match="no-such"):
        project.prove(head="no-such")


def test_where_bubblewrap_is_required_and_missing_nothing_runs(project: Project, tmp_path: Path) -> None:
    project.patch({"calc.py": GOOD})
    project.environment["PATH"] = str(tmp_path)
    with pytest.raises(CannotProve, match="bubblewrap"):
        project.prove(sandbox="required", command=f"touch {tmp_path}/ran")
    assert not (tmp_path / "ran").exists()


def test_without_bubblewrap_the_result_says_so(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project.request.patch.parent / "bin"
    folder.mkdir()
    for name in ("sh", "env"):
        (folder / name).symlink_to(str(shutil.which(name)))
    project.environment["PATH"] = str(folder)
    project.patch({"calc.py": GOOD})
    assert project.prove() == 0
    found = project.result()
    assert (found["sandbox"], found["network"]) == ("none", True)
    assert "without bubblewrap" in capsys.readouterr().out


def test_bubblewrap_cuts_off_the_network_and_the_rest_of_the_disk(project: Project, tmp_path: Path) -> None:
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    home = tmp_path / "no-home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id").write_text("pr1vate")
    project.patch({"calc.py": GOOD})
    tries = (
        f"touch {project.sandbox.folder}/written; cat {home}/.ssh/id; ls /proc | grep -c '^[0-9]'; "
        "cat /proc/net/dev | grep -c eth0; ls /run"
    )
    if project.prove(command=f"{tries}; {JUNIT}", sandbox="required"):
        pytest.skip("bubblewrap may not be used here")
    found = project.result()
    assert (found["sandbox"], found["network"]) == ("bubblewrap", False)
    assert not (project.sandbox.folder / "written").exists()
    assert "pr1vate" not in (project.out / "prove.json").read_text()


@pytest.mark.shared_data
@pytest.mark.parametrize("fix", ["real", "wrong"])
def test_a_real_failure_rebuilt_from_the_installed_package_is_proven(
    project: Project, shared_data: Path, fix: str
) -> None:
    """jinja's missing singleton could not be pickled: the installed package, with the real fix taken out."""
    with (shared_data / "ci_failures_python.jsonl").open(encoding="utf-8") as lines:
        record = next((r for r in map(json.loads, lines) if r["id"] == "pallets/jinja@7232b8246200"), None)
    if record is None:
        pytest.skip("the record is not in this half of the data")
    box = project.sandbox
    shutil.copytree(
        Path(jinja2.__file__).parent,
        box.folder / "src" / "jinja2",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    fixed = box.commit({})
    parts = ["diff --git " + part for part in record["fix_diff"].split("diff --git ")[1:]]
    code = "".join(part for part in parts if part.startswith("diff --git a/src/"))
    try:
        box.git("apply", "-R", "-", stdin=code.encode())
    except Exception:
        pytest.skip("the installed jinja2 no longer holds this fix")
    added = [
        line[1:] for line in record["test_diff"].split("\n") if line.startswith("+") and line[:3] != "+++"
    ]
    head = "import pickle\nimport pytest\nfrom jinja2.utils import missing\n"
    box.commit({"tests/test_utils.py": head + "\n".join(added) + "\n"})
    patch = project.request.patch
    box.git("diff", f"--output={patch}", "HEAD", fixed, "--", "src")
    if fix == "wrong":
        patch.write_text(patch.read_text().replace('return "missing"', 'return "nothing"'))
    ended = project.prove(command=f"PYTHONPATH=src {JUNIT} tests", tests=tuple(record["fail_to_pass"]))
    found = project.result()
    assert (ended, found["status"]) == ((0, "proven") if fix == "real" else (1, "still_failing"))
    assert (found["fixed"] == sorted(record["fail_to_pass"])) == (fix == "real")
