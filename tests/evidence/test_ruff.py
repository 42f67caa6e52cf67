import time

import pytest

from reviewbot.core import Evidence, Severity
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from reviewbot.evidence.ruff import RULES
from tests.evidence.whole_files import Blobs, change_set, modified_file, whole_files

SHELL = "import subprocess\n\n\ndef run(name):\n    subprocess.run('ls ' + name, shell=True)\n"


def run(files: dict[str, str | bytes]) -> AnalyzerRun:
    changes, read_blob = whole_files(files)
    return run_analyzers(changes, read_blob, names=["ruff"])


def only(found: AnalyzerRun) -> Evidence:
    assert len(found.evidence) == 1, found
    return found.evidence[0]


def lines_of(found: AnalyzerRun, rule: str) -> list[int]:
    return [item.location.start_line for item in found.evidence if item.rule == rule and item.location]


def test_a_shell_command_put_together_at_run_time_is_high_at_its_line() -> None:
    item = only(run({"app/jobs.py": SHELL}))
    assert (item.tool, item.rule, item.severity) == ("ruff", "S602", Severity.HIGH)
    assert item.location is not None
    assert (item.location.path, item.location.start_line) == ("app/jobs.py", 5)
    assert item.cwe == ("CWE-78",)


def test_a_clean_twin_has_no_findings_and_is_scanned() -> None:
    found = run({"app/jobs.py": SHELL.replace("'ls ' + name, shell=True", "['ls', name], check=True")})
    assert found.evidence == ()
    assert found.scanned == {"app/jobs.py": ("ruff",)}
    assert found.failed == {}


def test_a_literal_shell_command_is_low() -> None:
    assert only(run({"a.py": SHELL.replace("'ls ' + name", "'ls'")})).severity is Severity.LOW


def test_the_same_fault_in_tests_is_a_step_lower() -> None:
    assert only(run({"tests/test_jobs.py": SHELL})).severity is Severity.MEDIUM


def test_asserts_are_off_in_tests_and_low_elsewhere() -> None:
    text = "def f(x):\n    assert x\n"
    assert run({"tests/test_x.py": text}).evidence == ()
    assert only(run({"x.py": text})).severity is Severity.LOW


@pytest.mark.parametrize(
    "comment",
    ["# noqa", "# noqa: S602", "# nosec", "# ruff: ignore[S602]"],
)
def test_an_inline_ignore_changes_nothing(comment: str) -> None:
    text = SHELL.replace("shell=True)", f"shell=True)  {comment}")
    assert lines_of(run({"a.py": text}), "S602") == [5]


@pytest.mark.parametrize(
    "first", ["# ruff: noqa", "# flake8: noqa", "# ruff: file-ignore[S602]", "# ruff: disable[S602]"]
)
def test_a_file_level_ignore_changes_nothing(first: str) -> None:
    assert lines_of(run({"a.py": f"{first}\n{SHELL}"}), "S602") == [6]


def test_config_files_of_the_change_change_nothing() -> None:
    ignore = 'lint.ignore = ["ALL"]\nexclude = ["*.py"]\n'
    found = run(
        {
            "ruff.toml": ignore,
            "pyproject.toml": '[tool.ruff]\nexclude = ["*"]\n[tool.ruff.lint]\nselect = []\n',
            ".gitignore": "*.py\n",
            "a.py": SHELL,
        }
    )
    assert lines_of(found, "S602") == [5]


@pytest.mark.parametrize(
    "before",
    [
        "a = 1\x0c",
        "a = '\x0c\x0b'",
        "\x0c",
        "a = 'x\x85y'",
        "a = 'x\u2028y\u2029z'",
        "a = 1\rb = 2",
        "a = 1\r\r\rb = 2\r",
        "a = 1\r",
    ],
)
def test_line_numbers_are_ours_whatever_else_ends_a_line(before: str) -> None:
    text = f"{before}\nimport os\nos.system('ls ' + a)\n"
    assert lines_of(run({"a.py": text}), "S605") == [3]


def test_code_hidden_behind_a_source_encoding_is_read() -> None:
    hidden = b"# coding: utf-7\nimport os\n# harmless +AAo-os.system('ls ' +- name)\n"
    assert lines_of(run({"a.py": hidden}), "S605") == [3]


def test_invalid_bytes_and_a_byte_order_mark_do_not_hide_a_fault() -> None:
    text = b"\xef\xbb\xbfimport os\n# \xff\xfe\nos.system('ls ' + name)\n"
    assert lines_of(run({"a.py": text}), "S605") == [3]


def test_python_is_known_by_extension_or_by_its_first_line() -> None:
    fault = "import os\nos.system('ls ' + name)\n"
    found = run(
        {
            "bin/tool": f"#!/usr/bin/env python3\n{fault}",
            "a.pyw": fault,
            "a.pyi": "x: int\n",
            "bin/other": f"#!/bin/sh\n{fault}",
            "a.txt": fault,
        }
    )
    assert {item.location.path for item in found.evidence if item.location} == {"bin/tool", "a.pyw"}
    assert set(found.scanned) == {"bin/tool", "a.pyw", "a.pyi"}


def test_a_new_syntax_error_is_high_and_the_file_counts_as_not_scanned() -> None:
    found = run({"a.py": "x = 1\ndef f(:\n    pass\n", "b.py": "y = 1\n"})
    item = only(found)
    assert (item.rule, item.severity, item.advisory) == ("invalid-syntax", Severity.HIGH, False)
    assert item.location is not None and item.location.start_line == 2
    assert found.scanned == {"b.py": ("ruff",)}


def test_a_syntax_error_stands_on_the_touched_line_that_caused_it() -> None:
    blobs: Blobs = {}
    change = modified_file(
        "a.py", "x = (1)\ny = 2\ndef f():\n  pass\n", "x = (1\ny = 2\ndef f():\n  pass\n", blobs
    )
    item = only(run_analyzers(change_set(change), blobs.__getitem__, names=["ruff"]))
    assert item.severity is Severity.HIGH
    assert item.location is not None and item.location.start_line == 1


def test_a_file_that_never_parsed_is_advice() -> None:
    blobs: Blobs = {}
    change = modified_file("a.py", "print 'x'\n", "print 'x'\nprint 'y'\n", blobs)
    item = only(run_analyzers(change_set(change), blobs.__getitem__, names=["ruff"]))
    assert (item.rule, item.severity, item.advisory) == ("invalid-syntax", Severity.LOW, True)


def test_a_syntax_error_in_tests_is_medium() -> None:
    assert only(run({"tests/fixtures/bad.py": "def f(:\n"})).severity is Severity.MEDIUM


def test_complexity_and_length_are_advice() -> None:
    branches = "".join(f"    if x == {n}:\n        return {n}\n" for n in range(20))
    found = run({"a.py": f"def f(x):\n{branches}    return '{'y' * 170}'\n"})
    assert {item.rule for item in found.evidence} == {"C901", "PLR0912", "E501"}
    assert all(item.advisory and item.severity is Severity.INFO for item in found.evidence)


def test_a_guessed_password_is_low_and_masked() -> None:
    item = only(run({"a.py": "db_password = 'correct-horse-battery'\n"}))
    assert (item.rule, item.severity) == ("S105", Severity.LOW)
    assert item.masks == ((1, "db_password = '********'"),)
    assert "horse" not in repr(item)


def test_every_row_of_the_table_has_a_reason_and_few_rows_are_high() -> None:
    assert all(rule.reason and 0 < rule.confidence <= 1 for rule in RULES.values())
    high = {code for code, rule in RULES.items() if rule.severity is Severity.HIGH}
    assert high == {"S201", "S323", "S501", "S502", "S503", "S506", "S507", "S602", "S605", "S609"}


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("S501", "requests.get(u, verify=False, timeout=1)"),
        ("S506", "yaml.load(u)"),
        ("S201", "app.run(debug=True)"),
        ("S323", "ssl._create_unverified_context()"),
        ("S507", "client.set_missing_host_key_policy(AutoAddPolicy)"),
    ],
)
def test_unmistakable_faults_are_high(code: str, line: str) -> None:
    heads = "import requests, yaml, ssl\nfrom flask import Flask\nfrom paramiko.client import AutoAddPolicy, SSHClient\n"
    found = run({"a.py": f"{heads}app = Flask(__name__)\nclient = SSHClient()\n{line}\n"})
    assert [(item.rule, item.severity) for item in found.evidence] == [(code, Severity.HIGH)]


@pytest.mark.parametrize(
    "tail", ["it's " + "\\" * 80, "'" + "\\'" * 20_000, "'\"" * 20_000, "'" + "a" * 40_000]
)
def test_a_hostile_line_cannot_hang_the_masking(tail: str) -> None:
    started = time.process_time()
    found = run({"a.py": f"db_password = 'correct-horse-battery'  # {tail}\n"})
    assert time.process_time() - started < 2
    masks = dict(next(item for item in found.evidence if item.rule == "S105").masks)
    assert masks[1].startswith("db_password = '********'")
