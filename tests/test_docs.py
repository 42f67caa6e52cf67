"""Documents say what the program does."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from reviewbot.core import Severity
from reviewbot.options import build_parser
from reviewbot.policy.file import parse_policy
from reviewbot.publish.files import FORMATS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{file.name}" for file in (ROOT / "docs").iterdir()),
]


def help_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "reviewbot", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
    assert {"review", "test"} <= named <= targets


def test_every_command_line_of_the_documents_is_understood() -> None:
    text = "\n".join((ROOT / name).read_text() for name in DOCUMENTS)
    lines = re.findall(r"^reviewbot (.+?)(?: +#.*)?$", text, re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        arguments = re.findall(r"'([^']*)'|(\S+)", line)
        build_parser().parse_args([one or other for one, other in arguments])


def test_the_reference_lists_exactly_the_options_of_review() -> None:
    section = REFERENCE.partition("## Options of `reviewbot review`")[2].partition("\n## ")[0]
    listed = set(
        re.findall(
            r"--[a-z-]+",
            "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `")),
        )
    )
    assert listed == set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_of("review"))) - {"--help"}


def test_formats_and_severities_are_listed() -> None:
    assert "\\|".join(FORMATS) in REFERENCE
    assert ", ".join(Severity) in REFERENCE


def test_the_policy_of_the_reference_is_one_we_accept() -> None:
    section = REFERENCE.partition("## Policy")[2].partition("\n## ")[0]
    [policy] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    parsed = parse_policy(policy.encode(), "reference.md")
    assert set(parsed.values) == {
        "fail_on",
        "minimum_confidence",
        "fail_on_tests",
        "on_incomplete",
        "budget_usd_per_pull_request",
        "fallback_models",
        "analyzers",
        "prices",
        "skip_authors",
    }
    assert len(parsed.exclude) == 2
    assert len(parsed.path_rules) == 1


def test_the_table_of_exit_codes_is_the_one_of_the_help() -> None:
    section = README.partition("## Verdicts and exit codes")[2].partition("\n## ")[0]
    codes = set(re.findall(r"^\| [^|]+ \| (\d+)", section, re.MULTILINE))
    assert (
        codes == set(re.findall(r"^  (\d+) ", help_of("review"), re.MULTILINE)) == {"0", "1", "2", "3", "130"}
    )


def test_each_dependency_earns_its_place_in_one_sentence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=]", line)[0] for line in project["dependencies"]]
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Dependencies")[2]
    assert re.findall(r"^- `([^`]+)` .+\.$", section, re.MULTILINE) == names


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_documents_name_exist(name: str) -> None:
    text, folder = (ROOT / name).read_text(), (ROOT / name).parent
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`((?:reviewbot|tests|bench|prompts)/[\w./]*)`", text)
    assert [path for path in linked if not (folder / path).exists()] == []
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_version_is_said_once() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "reviewbot", "--version"], capture_output=True, text=True, check=True
    )
    from reviewbot import __version__

    assert done.stdout == f"reviewbot {__version__}\n"
    assert f"version {__version__.rsplit('.', 1)[0]}" in README


def test_the_lock_files_name_no_address() -> None:
    for file in (*(ROOT / "requirements").glob("*.txt"), ROOT / "tests/contract/package-lock.json"):
        text = file.read_text()
        assert "--index-url" not in text
        assert '"resolved"' not in text
        assert re.search(r"--hash=sha256:|\"integrity\"", text)


def test_the_picture_shows_what_the_program_prints(tmp_path: Path) -> None:
    drawn = tmp_path / "review.svg"
    subprocess.run([sys.executable, str(ROOT / "bench" / "picture.py"), str(drawn)], cwd=ROOT, check=True)
    ids = r"\b[0-9a-f]{12}\b"

    def words(file: Path) -> list[str]:
        lines = re.findall(r">([^<>]+)</text>", file.read_text())
        return [re.sub(ids, "COMMIT", line) for line in lines]

    assert words(drawn) == words(ROOT / ".github" / "review.svg")


def test_the_workflow_of_the_readme_is_the_tested_example() -> None:
    section = README.partition("## On GitHub: one file")[2].partition("\n## ")[0]
    [workflow] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    example = (ROOT / ".github/examples/default.yml").read_text()
    assert example.endswith(workflow)
    for name in re.findall(r"\(\.github/examples/([a-z-]+\.yml)\)", section):
        assert (ROOT / ".github/examples" / name).is_file()


def test_the_reference_lists_the_inputs_and_outputs_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    section = REFERENCE.partition("## Inputs and outputs of the action")[2].partition("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([a-z-]+)`", rows)) == set(action["inputs"])
    outputs = section.partition("Outputs: ")[2].partition("(")[0]
    assert set(re.findall(r"`([a-z-]+)`", outputs)) == set(action["outputs"])
