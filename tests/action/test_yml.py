"""The files that make this an action: metadata, workflows, examples and the release check."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from reviewbot.action.inputs import NAMES

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / ".github/examples").glob("*.yml"))
REVIEWS = [file for file in EXAMPLES if file.name not in ("fork-tests.yml", "prove.yml")]
"""The examples whose one job runs reviewbot alone; tests/prove/test_three_jobs.py runs all jobs of prove.yml."""
OUTPUTS = ["verdict", "findings", "blocking", "cost-usd", "report", "sarif", "baseline", "patch"]
BIN = Path(sys.executable).parent


def load(file: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(file.read_text())
    assert isinstance(loaded, dict)
    return loaded


def named(file: Path) -> str:
    return file.name


def tool(name: str) -> str:
    found = shutil.which(name, path=str(BIN))
    assert found, f"{name} is not installed beside Python"
    return found


def release_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", ROOT / ".github/release/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_action_has_exactly_the_inputs_that_are_parsed_and_the_outputs_that_are_written() -> None:
    action = load(ROOT / "action.yml")
    assert tuple(action["inputs"]) == NAMES
    assert list(action["outputs"]) == OUTPUTS
    assert action["runs"] == {"using": "docker", "image": "Dockerfile"}


def test_every_input_is_a_sentence_that_names_its_default_and_none_has_one_that_would_arrive() -> None:
    for name, described in load(ROOT / "action.yml")["inputs"].items():
        assert re.search(r"^[A-Z].*\.$", described["description"]), name
        assert "default" in described["description"], name
        assert "required" not in described, name
        assert ("default" in described) == (name == "github-token"), name


DEPENDABOT = ROOT / ".github/dependabot.yml"


@pytest.mark.parametrize("file", [*WORKFLOWS, *EXAMPLES, ROOT / "action.yml", DEPENDABOT], ids=named)
def test_schemas_accept_every_file(file: Path) -> None:
    kinds = {"action.yml": "vendor.github-actions", "dependabot.yml": "vendor.dependabot"}
    schema = kinds.get(file.name, "vendor.github-workflows")
    done = subprocess.run(
        [tool("check-jsonschema"), "--builtin-schema", schema, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_no_fault_in_any_of_them() -> None:
    files = [str(file) for file in (*WORKFLOWS, *EXAMPLES, ROOT / "action.yml")]
    done = subprocess.run(
        [tool("zizmor"), "--offline", "--no-config", "--persona=auditor", "--format=json", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [result["ident"] for result in json.loads(done.stdout) if not result["ignored"]]
    # A key in an environment of its own is good advice, but one more thing to set up before a first run.
    assert set(found) <= {"secrets-outside-env"}


def test_zizmor_would_have_found_one(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(EXAMPLES[0].read_text().replace("0" * 40, "main"))
    done = subprocess.run(
        [tool("zizmor"), "--offline", "--no-config", "--format=json", str(bad)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unpinned-uses" in {result["ident"] for result in json.loads(done.stdout)}


@pytest.mark.parametrize("file", [*WORKFLOWS, *EXAMPLES], ids=named)
def test_workflows_start_without_rights_and_end_in_time(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert job["permissions"]
        # A job that is skipped counts as a success, so the one that gates always runs.
        assert job.get("if", "always()") == "always()" or job["name"] != "reviewbot"
        assert "if" not in job or file.name == "prove.yml"
    assert "paths" not in (workflow[True].get("pull_request") or {}), "the check would stay pending for ever"


@pytest.mark.parametrize("file", [*WORKFLOWS, *EXAMPLES], ids=named)
def test_every_action_is_named_by_a_commit(file: Path) -> None:
    for used in re.findall(r"uses: (\S+)", file.read_text()):
        assert used == "./" or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used)


@pytest.mark.parametrize("file", REVIEWS, ids=named)
def test_examples_check_nothing_out_and_give_only_inputs_that_exist(file: Path) -> None:
    for job in load(file)["jobs"].values():
        [step] = [each for each in job["steps"] if each["uses"].startswith("OWNER/reviewbot@")]
        # Only the cache that a scan keeps its state in stands beside it; it fetches nothing of the repository.
        others = [each["uses"].split("@")[0] for each in job["steps"] if each is not step]
        assert others == (["actions/cache/restore", "actions/cache/save"] if "state" in step["with"] else [])
        assert set(step.get("with", {})) <= set(NAMES)


def test_the_state_of_a_scan_is_saved_also_where_the_scan_fails() -> None:
    [job] = load(ROOT / ".github/examples/scheduled.yml")["jobs"].values()
    restore, scan, save = job["steps"]
    assert save["if"] == "always()", "actions/cache by itself saves only after a success"
    assert restore["with"]["path"] == save["with"]["path"] == scan["with"]["state"]
    assert restore["with"]["key"] == save["with"]["key"]


@pytest.mark.parametrize("file", REVIEWS, ids=named)
def test_each_example_says_what_to_write_in_it(file: Path) -> None:
    comments = " ".join(line.lstrip("# ") for line in file.read_text().split("name:")[0].splitlines())
    assert "Write the owner and the commit of a release for OWNER and the zeros" in comments
    secrets = len(set(re.findall(r"secrets\.(\w+)", file.read_text())))
    assert ("set the two secrets" in comments, "set the secret" in comments) == (secrets == 2, secrets == 1)


def test_examples_on_pull_requests_ask_for_the_events_that_are_reviewed_and_no_more_rights_than_needed() -> (
    None
):
    from reviewbot.change.payload import REVIEWED_ACTIONS

    for name, permissions in (
        ("default.yml", {"contents": "read", "pull-requests": "write"}),
        ("fork-safe.yml", {"contents": "read", "pull-requests": "read"}),
    ):
        workflow = load(ROOT / ".github/examples" / name)
        assert set(workflow[True]["pull_request"]["types"]) == set(REVIEWED_ACTIONS)
        assert workflow["jobs"]["review"]["permissions"] == permissions
        assert workflow["concurrency"]["cancel-in-progress"] is True


def test_the_two_workflows_for_forks_fit_together() -> None:
    tests, review = (load(ROOT / f".github/examples/fork-{name}.yml") for name in ("tests", "review"))
    assert review[True]["workflow_run"] == {"workflows": [tests["name"]], "types": ["completed"]}
    [job] = tests["jobs"].values()
    assert job["permissions"] == {"contents": "read"}
    assert "secrets." not in (ROOT / ".github/examples/fork-tests.yml").read_text()
    uploaded = job["steps"][-1]["with"]["name"]
    [step] = review["jobs"]["review"]["steps"]
    assert step["with"]["junit"].partition("/")[0] == uploaded


def test_ci_runs_the_command_that_everybody_runs() -> None:
    steps = load(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the release check reads, ready to be released as v1.2.3."""
    (tmp_path / "reviewbot").mkdir()
    (tmp_path / "reviewbot/__init__.py").write_text('__version__ = "1.2.3"\n')
    text = (ROOT / "Dockerfile").read_text()
    pinned = re.sub(r"(?m)^ARG BASE=.*$", f"ARG BASE=docker.io/library/python:3@sha256:{'a' * 64}", text)
    (tmp_path / "Dockerfile").write_text(pinned)
    shutil.copy(ROOT / "action.yml", tmp_path)
    return tmp_path


def test_a_pinned_tree_may_be_released_under_its_version_only(tree: Path) -> None:
    check = release_check()
    assert check.problems(tree, "v1.2.3") == []
    assert "tag 'v1.2.4'" in check.problems(tree, "v1.2.4")[0]


@pytest.mark.parametrize("base", ["python:3", "python:3@sha256:abc", f"python@sha256:{'a' * 64} x", ""])
def test_a_base_without_a_digest_is_not_released(tree: Path, base: str) -> None:
    file = tree / "Dockerfile"
    file.write_text(re.sub(r"(?m)^ARG BASE=.*$", f"ARG BASE={base}", file.read_text()))
    assert "not pinned by a digest" in release_check().problems(tree, "v1.2.3")[0]


def test_the_pin_names_the_image_by_its_digest_and_is_made_once(tree: Path) -> None:
    check, image = release_check(), f"ghcr.io/owner/reviewbot@sha256:{'b' * 64}"
    check.pin(tree, image)
    assert load(tree / "action.yml")["runs"] == {"using": "docker", "image": f"docker://{image}"}
    with pytest.raises(ValueError, match="exactly once"):
        check.pin(tree, image)
    assert "image: Dockerfile" in check.problems(tree, "v1.2.3")[0]


@pytest.mark.parametrize("image", ["ghcr.io/owner/reviewbot:v1", f"x@sha256:{'b' * 64}\nevil: 1", "-x"])
def test_only_a_digest_can_be_the_pin(tree: Path, image: str) -> None:
    with pytest.raises(ValueError, match="not an image named by its digest"):
        release_check().pin(tree, image)


def release_job(name: str) -> dict[str, Any]:
    job = load(ROOT / ".github/workflows/release.yml")["jobs"][name]
    assert isinstance(job, dict)
    return job


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list of packages as the release's own step writes and checks it, in a copy of what it reads."""
    folder = tmp_path_factory.mktemp("sbom")
    for name in ("pyproject.toml", "requirements/run.txt", ".github/release/check.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/cyclonedx-py").symlink_to(tool("cyclonedx-py"))
    [command] = [
        step["run"] for step in release_job("sbom")["steps"] if "cyclonedx-py" in step.get("run", "")
    ]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return folder / "reviewbot.cdx.json"


def test_the_release_lists_exactly_the_packages_versions_and_hashes_of_the_lock(sbom: Path) -> None:
    listed = json.loads(sbom.read_text())
    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE)
    assert [(each["name"], each["version"]) for each in listed["components"]] == pinned
    assert listed["metadata"]["component"]["name"] == "reviewbot"
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert release_check().sbom_problems(ROOT, sbom) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"name": "jinja2"', '"name": "jinja3"', "jinja3: the lock says None"),
        ('"version": "3.1.6"', '"version": "3.1.5"', "says ('3.1.5'"),
        ('"SHA-256"', '"MD5"', "frozenset()"),
        ('"components"', '"parts"', "no CycloneDX list"),
        ("{", "[", "no CycloneDX list"),
    ],
)
def test_a_list_that_is_not_the_lock_is_not_released(
    sbom: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    other = tmp_path / "other.json"
    text = sbom.read_text()
    assert old in text
    other.write_text(text.replace(old, new))
    assert words in "\n".join(release_check().sbom_problems(ROOT, other))


def test_only_the_job_that_signs_may_sign_and_it_runs_nothing_of_the_repository() -> None:
    jobs = load(ROOT / ".github/workflows/release.yml")["jobs"]
    signing = {"id-token": "write", "attestations": "write"}
    assert [name for name, job in jobs.items() if set(job["permissions"]) & set(signing)] == ["attest"]
    attest = jobs["attest"]
    assert attest["permissions"] == signing
    assert [step.get("run") for step in attest["steps"]] == [None] * len(attest["steps"])
    assert {step["uses"].partition("@")[0] for step in attest["steps"]} == {
        "actions/download-artifact",
        "actions/attest",
    }
    signed = [step["with"] for step in attest["steps"] if step["uses"].startswith("actions/attest@")]
    assert [each.get("sbom-path") for each in signed] == [None, "reviewbot.cdx.json"]
    assert {each["subject-digest"] for each in signed} == {"${{ needs.image.outputs.digest }}"}
    assert jobs["pin"]["needs"] == ["image", "attest"], "nothing unsigned becomes the commit that users pin"


def test_what_is_signed_is_the_digest_that_was_checked(tmp_path: Path) -> None:
    [step] = [step for step in release_job("image")["steps"] if step.get("id") == "publish"]
    name, digest = "ghcr.io/owner/reviewbot", f"sha256:{'c' * 64}"
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$1" != image ] || echo "{name}@{digest}"\n')
    (tmp_path / "docker").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{BIN}:/usr/bin:/bin", "GITHUB_REPOSITORY": "Owner/reviewbot", "GITHUB_ACTOR": "a",
        "TOKEN": "t", "GITHUB_REF_NAME": "v1.2.3", "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }  # fmt: skip
    command = ["bash", "-euo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "outputs").read_text().splitlines())
    assert outputs == {"image": f"{name}@{digest}", "name": name, "digest": digest}
    assert set(release_job("image")["outputs"]) == set(outputs)


def test_the_image_is_built_from_the_files_that_the_ignore_file_lets_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert {name for line in copied for name in line.split()} == let_in
