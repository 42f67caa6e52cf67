import pytest

from reviewbot.core import Severity
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from reviewbot.evidence.hadolint import is_dockerfile
from tests.evidence.whole_files import whole_files

CLEAN = "FROM debian:12.5\nRUN useradd --uid 1000 app\nUSER 1000\n"
SUDO = "FROM debian:12.5\nRUN sudo ls\nUSER 1000\n"


def run(files: dict[str, str | bytes]) -> AnalyzerRun:
    changes, read_blob = whole_files(files)
    return run_analyzers(changes, read_blob, names=["hadolint"])


def rows(found: AnalyzerRun, *rules: str) -> list[tuple[str, int, Severity]]:
    return [
        (item.rule, item.location.start_line, item.severity)
        for item in found.evidence
        if item.location and (not rules or item.rule in rules)
    ]


def test_a_clean_file_has_no_findings_and_is_scanned() -> None:
    found = run({"Dockerfile": CLEAN})
    assert found.evidence == ()
    assert found.scanned == {"Dockerfile": ("hadolint",)}


def test_sudo_and_a_last_user_root_are_high() -> None:
    found = run({"Dockerfile": "FROM debian:12.5\nRUN sudo ls\nUSER root\n"})
    assert rows(found, "DL3002", "DL3004") == [
        ("DL3004", 2, Severity.HIGH),
        ("DL3002", 3, Severity.HIGH),
    ]


def test_deleting_below_a_variable_is_high_and_a_latest_tag_medium() -> None:
    found = run({"Dockerfile": 'FROM debian:latest\nRUN x=$(pwd) && rm -rf "$x/"*\n'})
    assert rows(found, "SC2115", "DL3007") == [
        ("DL3007", 1, Severity.MEDIUM),
        ("SC2115", 2, Severity.HIGH),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian:12.5\n# hadolint ignore=DL3004\nRUN sudo ls\nUSER 1000\n",
        "# hadolint global ignore=DL3004\nFROM debian:12.5\nRUN sudo ls\nUSER 1000\n",
        "# hadolint shell=pwsh\nFROM debian:12.5\nRUN sudo ls\nUSER 1000\n",
    ],
)
def test_inline_ignores_change_nothing(text: str) -> None:
    assert rows(run({"Dockerfile": text}), "DL3004") == [("DL3004", 3, Severity.HIGH)]


def test_shellcheck_directives_change_nothing() -> None:
    text = 'FROM debian:12.5\n{}\nRUN x=$(pwd); \\\n {}\n  rm -rf "$x/"*\nUSER 1000\n'
    comment = "# shellcheck disable=SC2115"
    for silent in (text.format(comment, comment), text.format("# hadolint shell=pwsh", comment)):
        assert rows(run({"Dockerfile": silent}), "SC2115") == [("SC2115", 3, Severity.HIGH)]


def test_instructions_after_a_here_document_are_read() -> None:
    text = "FROM debian:12.5\nRUN <<EOF\necho 1\nEOF\nRUN sudo ls\nCOPY <<X /x\nsudo\nX\nUSER root\n"
    found = run({"Dockerfile": text})
    assert rows(found, "DL1000", "DL3002", "DL3004") == [
        ("DL3004", 5, Severity.HIGH),
        ("DL3002", 9, Severity.HIGH),
    ]


def test_config_files_of_the_change_change_nothing() -> None:
    off = "ignored: [DL3004]\nfailure-threshold: none\n"
    found = run(
        {".hadolint.yaml": off, ".hadolint.yml": off, ".config/hadolint.yaml": off, "Dockerfile": SUDO}
    )
    assert rows(found, "DL3004") == [("DL3004", 2, Severity.HIGH)]


def test_a_file_that_does_not_parse_is_medium_not_scanned_and_fails_no_other() -> None:
    found = run({"Dockerfile": "FROM x:1\nFOO bar\n", "web.dockerfile": SUDO})
    assert rows(found, "DL1000") == [("DL1000", 2, Severity.MEDIUM)]
    assert set(found.scanned) == {"web.dockerfile"}
    assert ("DL3004", 2, Severity.HIGH) in rows(found)


@pytest.mark.parametrize(
    "before", ["RUN echo \x0c1", "RUN echo \x851", "RUN echo \u20281", "RUN echo 1\rRUN echo 2"]
)
def test_line_numbers_are_ours(before: str) -> None:
    found = run({"Dockerfile": f"FROM debian:12.5\n{before}\nRUN sudo ls\nUSER 1000\n"})
    assert rows(found, "DL3004")[-1] == ("DL3004", 3, Severity.HIGH)


@pytest.mark.parametrize(
    "path", ["Dockerfile", "a/Containerfile", "Dockerfile.prod", "web.dockerfile", "dockerfile"]
)
def test_dockerfiles_are_known_by_name(path: str) -> None:
    assert is_dockerfile(path)


@pytest.mark.parametrize(
    "path", ["Dockerfile.j2", "Dockerfile.md", "a.dockerfile.tmpl", "Dockerfile/x", "Dockerfile.dockerignore"]
)
def test_templates_and_documents_are_no_dockerfiles(path: str) -> None:
    assert not is_dockerfile(path)
