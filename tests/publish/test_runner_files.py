import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewbot.publish.runner_files import SUMMARY_BYTES, RunnerFileError, RunnerFiles

NOBODY = 65534


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    made = {"GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "summary"}
    for path in made.values():
        path.touch()
    return made


def opened(paths: dict[str, Path]) -> RunnerFiles:
    return RunnerFiles.open({name: str(path) for name, path in paths.items()})


def read_outputs(data: str) -> dict[str, str]:
    """The outputs as a runner reads them: ``name<<delimiter``, the value, the delimiter."""
    outputs, lines = {}, iter(data.split("\n"))
    for line in lines:
        if line:
            name, _, delimiter = line.partition("<<")
            value = []
            while (part := next(lines)) != delimiter:
                value.append(part)
            outputs[name] = "\n".join(value)
    return outputs


def test_outputs_and_summary_reach_their_files(paths: dict[str, Path]) -> None:
    files = opened(paths)
    outputs = {"verdict": "fail", "cost-usd": "0.0123", "report": "reviewbot-report/report.json", "sarif": ""}
    files.write_outputs(outputs)
    files.write_summary("### ✅ pass\n")
    files.close()
    assert read_outputs(paths["GITHUB_OUTPUT"].read_text()) == outputs
    assert paths["GITHUB_STEP_SUMMARY"].read_text() == "### ✅ pass\n"


def test_what_stands_there_stays(paths: dict[str, Path]) -> None:
    paths["GITHUB_OUTPUT"].write_text("earlier=1\n")
    files = opened(paths)
    files.write_outputs({"verdict": "pass"})
    files.write_outputs({"findings": "3"})
    assert paths["GITHUB_OUTPUT"].read_text().startswith("earlier=1\n")
    said = paths["GITHUB_OUTPUT"].read_text().removeprefix("earlier=1\n")
    assert read_outputs(said) == {"verdict": "pass", "findings": "3"}
    files.close()


def test_delimiters_are_new_each_time(paths: dict[str, Path]) -> None:
    files = opened(paths)
    for _ in range(3):
        files.write_outputs({"verdict": "pass"})
    files.close()
    marks = re.findall(r"<<(.+)", paths["GITHUB_OUTPUT"].read_text())
    assert len(set(marks)) == 3
    assert all(len(mark) > 32 for mark in marks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "pass\nblocking=0"),
        ("verdict", "pass\r"),
        ("verdict", "EOF$(id)"),
        ("verdict", "a b"),
        ("verdict", "\u202e"),
        ("verdict", "x" * 501),
        ("ver dict", "pass"),
        ("verdict<<EOF", "pass"),
        ("", "pass"),
        ("Verdict\n", "pass"),
    ],
)
def test_a_value_that_is_not_plain_is_refused_and_nothing_is_written(
    paths: dict[str, Path], name: str, value: str
) -> None:
    files = opened(paths)
    with pytest.raises(RunnerFileError, match="cannot have the value"):
        files.write_outputs({"findings": "3", name: value})
    files.close()
    assert paths["GITHUB_OUTPUT"].read_bytes() == b""


@given(value=st.text(max_size=30) | st.sampled_from(["EOF", "a\nEOF\nb=c", "reviewbot:", "<<", "%0A"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_whatever_the_value_a_runner_reads_exactly_one_output(paths: dict[str, Path], value: str) -> None:
    files = opened(paths)
    try:
        files.write_outputs({"verdict": value})
    except RunnerFileError:
        assert not re.fullmatch(r"[\w./-]*", value, re.ASCII)
    else:
        assert read_outputs(paths["GITHUB_OUTPUT"].read_text()) == {"verdict": value}
    files.close()
    paths["GITHUB_OUTPUT"].write_bytes(b"")


def test_without_the_variables_nothing_happens(tmp_path: Path) -> None:
    files = RunnerFiles.open({"GITHUB_OUTPUT": ""})
    assert (files.outputs, files.summary) == (None, None)
    files.write_outputs({"verdict": "pass"})
    files.write_summary("text")
    files.close()
    with pytest.raises(RunnerFileError):
        files.write_outputs({"verdict": "no good"})


def test_other_files_of_the_runner_are_left_alone(tmp_path: Path, paths: dict[str, Path]) -> None:
    others = {
        "GITHUB_ENV": tmp_path / "env",
        "GITHUB_PATH": tmp_path / "path",
        "GITHUB_STATE": tmp_path / "s",
    }
    for path in others.values():
        path.touch()
    files = opened({**paths, **others})
    files.write_outputs({"verdict": "pass"})
    files.write_summary("x")
    files.close()
    assert all(path.read_bytes() == b"" for path in others.values())


def test_a_summary_that_is_too_long_is_cut_at_a_line_and_says_so(paths: dict[str, Path]) -> None:
    paths["GITHUB_STEP_SUMMARY"].write_text("earlier\n")
    files = opened(paths)
    files.write_summary("ä" * 99 + "\n" + "é line\n" * 200_000)
    files.write_summary("and more\n")
    files.close()
    data = paths["GITHUB_STEP_SUMMARY"].read_bytes()
    assert SUMMARY_BYTES - 200 < len(data) <= SUMMARY_BYTES
    text = data.decode("utf-8")
    assert text.startswith("earlier\nä")
    assert "é line\n\n\n… the rest is left out: a job summary holds at most 1 MiB.\n" in text


def test_a_lone_surrogate_does_not_stop_the_summary(paths: dict[str, Path]) -> None:
    files = opened(paths)
    files.write_summary("a\udce9b\n")
    files.close()
    assert paths["GITHUB_STEP_SUMMARY"].read_bytes() == b"a\\udce9b\n"


def link(path: Path) -> None:
    path.with_name("target").touch()
    path.symlink_to(path.with_name("target"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "No such file"),
        (link, "GITHUB_OUTPUT names"),
        (os.mkfifo, "GITHUB_OUTPUT names"),
        (Path.mkdir, "GITHUB_OUTPUT names"),
    ],
)
def test_what_is_no_regular_file_is_refused_with_a_sentence(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "output"
    make(path)
    with pytest.raises(RunnerFileError, match=said) as caught:
        RunnerFiles.open({"GITHUB_OUTPUT": str(path)})
    assert caught.value.exit_code == 2


def test_a_pipe_with_a_reader_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "output"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(RunnerFileError, match="not a regular file"):
        RunnerFiles.open({"GITHUB_OUTPUT": str(path)})
    os.close(reader)


def test_where_the_second_cannot_be_opened_the_first_is_closed(paths: dict[str, Path]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    paths["GITHUB_STEP_SUMMARY"].unlink()
    with pytest.raises(RunnerFileError, match="GITHUB_STEP_SUMMARY"):
        opened(paths)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_a_sentence() -> None:
    files = RunnerFiles(os.open("/dev/full", os.O_WRONLY), None)
    with pytest.raises(RunnerFileError, match="GITHUB_OUTPUT cannot be written: No space"):
        files.write_outputs({"verdict": "pass"})
    files.close()
    files.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
def test_files_of_root_are_written_after_the_rights_are_dropped(paths: dict[str, Path]) -> None:
    for path in paths.values():
        path.chmod(0o600)
    files = opened(paths)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            try:
                opened(paths)
            except RunnerFileError:
                files.write_outputs({"verdict": "pass"})
                files.write_summary("text\n")
                os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    files.close()
    assert read_outputs(paths["GITHUB_OUTPUT"].read_text()) == {"verdict": "pass"}
    assert paths["GITHUB_STEP_SUMMARY"].read_text() == "text\n"
