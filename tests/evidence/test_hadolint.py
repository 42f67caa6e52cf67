import pytest

from reviewbot.core import Evidence, FileChange, Hunk, Location, Severity, Side
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from reviewbot.evidence.hadolint import is_dockerfile, parse_instructions
from reviewbot.verdict.grounding import touches
from tests.evidence.whole_files import change_set, modified_file, whole_files

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
        assert rows(run({"Dockerfile": silent}), "SC2115") == [("SC2115", 5, Severity.HIGH)]


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


def test_a_file_that_does_not_parse_is_medium_failed_and_fails_no_other() -> None:
    found = run({"Dockerfile": "FROM x:1\nFOO bar\n", "web.dockerfile": SUDO})
    assert rows(found, "DL1000") == [("DL1000", 2, Severity.MEDIUM)]
    assert set(found.scanned) == {"web.dockerfile"}
    assert set(found.failed) == {"Dockerfile"}
    assert found.failed["Dockerfile"].startswith("hadolint could not parse the file: line 2: ")
    assert ("DL3004", 2, Severity.HIGH) in rows(found)


@pytest.mark.parametrize(
    "before", ["RUN echo \x0c1", "RUN echo \x851", "RUN echo \u20281", "RUN echo 1\rRUN echo 2"]
)
def test_line_numbers_are_ours(before: str) -> None:
    found = run({"Dockerfile": f"FROM debian:12.5\n{before}\nRUN sudo ls\nUSER 1000\n"})
    assert rows(found, "DL3004")[-1] == ("DL3004", 3, Severity.HIGH)


@pytest.mark.parametrize(
    "path",
    "Dockerfile a/Containerfile Dockerfile.prod web.dockerfile dockerfile Dockerfile-prod Dockerfile_dev "
    "Dockerfile.go Containerfile-x".split(),
)
def test_dockerfiles_are_known_by_name(path: str) -> None:
    assert is_dockerfile(path)


@pytest.mark.parametrize(
    "path",
    "Dockerfile.j2 Dockerfile.md a.dockerfile.tmpl Dockerfile/x Dockerfile.dockerignore dockerfiles "
    "Dockerfile-prod.tmpl".split(),
)
def test_templates_and_documents_are_no_dockerfiles(path: str) -> None:
    assert not is_dockerfile(path)


@pytest.mark.parametrize("text", ["EXPOSE 80/sctp\n", "RUN <<E\nls\n"])
def test_a_file_that_hadolint_does_not_understand_is_failed_and_says_where(text: str) -> None:
    found = run({"Dockerfile": f"FROM debian:12.5\nRUN sudo ls\n{text}"})
    assert "Dockerfile" in found.failed
    assert found.scanned == {}


def test_an_ending_of_code_is_an_image_only_where_it_begins_like_one() -> None:
    program = "package dockerfile\n\nfunc main() {}\n"
    found = run({"Dockerfile.go": f"# x\n\n{SUDO}", "dockerfile.go": program})
    assert rows(found, "DL3004") == [("DL3004", 4, Severity.HIGH)]
    assert (set(found.scanned), found.failed) == ({"Dockerfile.go"}, {})


def changed(old: str, new: str) -> tuple[FileChange, list[Evidence]]:
    blobs: dict[str, bytes] = {}
    change = modified_file("Dockerfile", old, new, blobs)
    found = run_analyzers(change_set(change), blobs.__getitem__, names=["hadolint"])
    return change, [item for item in found.evidence if item.severity is Severity.HIGH]


def blocks(old: str, new: str) -> bool:
    change, items = changed(old, new)
    return any(
        touches(change, place)
        for item in items
        for place in (item.location, *item.related)
        if place is not None
    )


def test_a_command_added_inside_an_old_instruction_blocks() -> None:
    old = "FROM debian:12.5\nRUN ls && \\\n  # list\n\n  cat x && \\\n  true\nUSER 1000\n"
    assert blocks(old, old.replace("  cat x", "  sudo ls && \\\n  cat x"))
    document = "FROM debian:12.5\nRUN <<E\nls\nE\n\nUSER 1000\n"
    assert blocks(document, document.replace("ls\n", "ls\nsudo ls\n"))
    assert not blocks(SUDO, SUDO + "ENV a=b\n")


def test_a_finding_spans_its_instruction_up_to_sixty_lines() -> None:
    short = "FROM debian:12.5\nRUN cd /srv{}\nUSER 1000\n"
    for more, end in (("", 2), (" \\\n && ls", 3), (" \\\n" + "  && true \\\n" * 100 + "  && ls", 61)):
        found = run({"Dockerfile": short.format(more)})
        places = [item.location for item in found.evidence if item.rule == "DL3003"]
        assert places == [Location("Dockerfile", 2, end)]


ROOT = "FROM debian:12.5\nUSER root\nRUN ls\nUSER 1000\n"


@pytest.mark.parametrize("rest", ["", "RUN pwd\n"])
def test_taking_away_the_user_after_root_blocks(rest: str) -> None:
    old, new = ROOT + rest, ROOT.replace("USER 1000\n", "") + rest
    assert blocks(old, new)
    _, items = changed(old, new)
    assert [place for item in items for place in item.related] == [Location("Dockerfile", 4, 4, Side.LEFT)]
    assert blocks(old, old.replace("USER 1000", "ENV a=b"))
    assert blocks(old, old.replace("USER 1000", "USER root"))


def test_a_last_user_root_that_stood_before_does_not_block() -> None:
    old = ROOT.replace("USER 1000\n", "ENV a=b\n")
    assert not blocks(old, old.replace("ENV a=b\n", ""))
    assert not blocks(old, old.replace("RUN ls", "RUN pwd"))
    before = old.replace("USER root", "USER 1000\nUSER root")
    hunk = Hunk(1, 3, 1, 2, (" FROM debian:12.5", "-USER 1000", " USER root"))
    blobs: dict[str, bytes] = {}
    change = modified_file("Dockerfile", before, old, blobs)
    change = FileChange(**{name: getattr(change, name) for name in FileChange.__slots__} | {"hunks": (hunk,)})
    found = run_analyzers(change_set(change), blobs.__getitem__, names=["hadolint"])
    assert [item.related for item in found.evidence if item.rule == "DL3002"] == [()]


@pytest.mark.parametrize(
    ("last", "severity"),
    [
        ("FROM debian:12.5", Severity.LOW),
        ("FROM --platform=linux/amd64 Build AS x", Severity.HIGH),
        ("ARG B=debian:12.5\nFROM ${B}", Severity.HIGH),
        ("FROM ${B:-build}", Severity.HIGH),
        ("FROM ${B:-debian:12.5}", Severity.HIGH),
        ("FROM ${B:+build}", Severity.HIGH),
        ("ARG B=build\nFROM ${B}", Severity.HIGH),
        ("ARG B\nFROM $B", Severity.HIGH),
    ],
)
def test_root_in_a_stage_counts_where_a_later_stage_is_built_on_it(last: str, severity: Severity) -> None:
    text = f"FROM debian:12.5 AS build\nUSER root\nRUN ls\n{last}\nCOPY --from=build /x /x\nUSER 1000\n"
    assert rows(run({"Dockerfile": text}), "DL3002") == [("DL3002", 2, severity)]


@pytest.mark.parametrize(
    ("default", "inside", "severity"),
    [("debian:12.5", "build", Severity.LOW), ("build", "debian:12.5", Severity.HIGH)],
)
def test_a_stage_is_named_by_the_argument_before_the_first_stage(
    default: str, inside: str, severity: Severity
) -> None:
    text = (
        f"ARG B={default}\nFROM debian:12.5 AS build\nARG B={inside}\nUSER root\n"
        "FROM ${B}\nCOPY --from=build /x /x\nUSER 1000\n"
    )
    assert rows(run({"Dockerfile": text}), "DL3002") == [("DL3002", 4, severity)]


def test_building_on_a_root_stage_or_losing_the_last_stage_blocks() -> None:
    old = "FROM debian:12.5 AS build\nUSER root\nRUN ls\nFROM debian:12.5\nRUN ls\n"
    assert blocks(old, old.replace("FROM debian:12.5\n", "FROM build\n"))
    assert blocks(old, old.replace("FROM debian:12.5\n", ""))
    assert not blocks(old, old.replace("RUN ls\nFROM", "RUN pwd\nFROM"))


def test_a_development_container_is_a_place_for_trials() -> None:
    assert rows(run({".devcontainer/Dockerfile": SUDO}), "DL3004") == [("DL3004", 2, Severity.MEDIUM)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("FROM a\nRUN b \\\n\n # c\n d\nUSER x\n", [("FROM", 1, 1), ("RUN", 2, 5), ("USER", 6, 6)]),
        ("RUN <<A <<-'B'\na\nA\nb\n\tB\nUSER x", [("RUN", 1, 5), ("USER", 6, 6)]),
        ("RUN x=$((1<<2)) <<<y\nUSER x", [("RUN", 1, 1), ("USER", 2, 2)]),
        ("# escape=`\nRUN a `\n b\nRUN c \\\nUSER x", [("RUN", 2, 3), ("RUN", 4, 4), ("USER", 5, 5)]),
        ("RUN a \\\n", [("RUN", 1, 2)]),
        ("\\\n\\\n", []),
        ("", []),
    ],
)
def test_instructions_keep_their_lines(text: str, spans: list[tuple[str, int, int]]) -> None:
    found = parse_instructions(text.split("\n"))
    assert [(item.keyword, item.first, item.last) for item in found] == spans


def test_an_edit_beside_an_old_sudo_is_not_at_its_place_and_a_new_sudo_is() -> None:
    text = "FROM debian:12.8\nRUN make a && \\\n    sudo make b && \\\n    make c\nUSER app\n"
    [item] = [one for one in run({"Dockerfile": text}).evidence if one.rule == "DL3004"]
    assert item.location is not None
    assert (item.location.start_line, item.location.end_line, item.related) == (3, 3, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('USER "root"', [("DL3002", 2, Severity.HIGH)]),
        ("USER '0'", [("DL3002", 2, Severity.HIGH)]),
        ("ARG U\nUSER ${U:-root}", [("DL3002", 3, Severity.HIGH)]),
        ('USER "${U-0}"', [("DL3002", 2, Severity.HIGH)]),
        ('USER "root"\nUSER 1000', []),
        ('USER "rootless"', []),
        ("USER ${U:-1000}", []),
        ('USER "root"\nFROM debian:12.5\nUSER 1000', [("DL3002", 2, Severity.LOW)]),
        ("USER root", [("DL3002", 2, Severity.HIGH)]),
    ],
)
def test_root_is_root_however_it_is_written(text: str, expected: list[tuple[str, int, Severity]]) -> None:
    assert rows(run({"Dockerfile": f"FROM debian:12.5\n{text}\n"}), "DL3002") == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("RUN /usr/bin/sudo ls", [2]),
        ("RUN --mount=type=cache,target=/x /usr/bin/sudo ls", [2]),
        ('RUN ["/usr/bin/sudo", "ls"]', [2]),
        ("RUN <<E\nls\nE\nRUN ls && \\\n  /usr/bin/sudo ls", [6]),
        ("RUN sudo ls; /usr/bin/sudo ls", [2]),
        ("RUN chmod u-s /usr/bin/sudo && ls", []),
        ("RUN /usr/bin/sudoedit x", []),
        ("ENV a=/usr/bin/sudo", []),
    ],
)
def test_sudo_by_its_path_is_sudo(text: str, lines: list[int]) -> None:
    found = rows(run({"Dockerfile": f"FROM debian:12.5\n{text}\nUSER 1000\n"}), "DL3004")
    assert found == [("DL3004", line, Severity.HIGH) for line in lines]
