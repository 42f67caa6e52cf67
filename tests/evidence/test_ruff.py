import time
from dataclasses import replace

import pytest

from reviewbot.core import Evidence, Severity
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from reviewbot.evidence.ruff import RULES
from reviewbot.verdict.grounding import touches
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


@pytest.mark.parametrize(
    "cookie",
    ["utf-7", "utf_16", "rot13", "base64", "raw_unicode_escape", "hz", "iso2022_jp", "idna", "no-such"],
)
@pytest.mark.parametrize("first", ["", "# a comment\n", " \t\n", "#\r"])
def test_a_file_in_an_encoding_that_changes_ascii_is_not_read(cookie: str, first: str) -> None:
    found = run({"a.py": f"{first}# coding: {cookie}\nx = 1\n"})
    assert (found.scanned, found.evidence) == ({}, ())
    assert "names the encoding" in found.failed["a.py"]


@pytest.mark.parametrize(
    "before", ["import subprocess\n", "#\n#\n", "\n\n", "'x'\n", "#\r\r", "import subprocess\r"]
)
def test_a_comment_about_the_encoding_counts_only_where_python_reads_it(before: str) -> None:
    text = before + "# coding: utf-7\nimport subprocess\n# +ACM-\nsubprocess.call(c + d, shell=True)\n"
    found = run({"a.py": text})
    assert [item.rule for item in found.evidence] == ["S602"]
    assert found.failed == {}


@pytest.mark.parametrize("cookie", ["latin-1", "utf-8", "UTF8", "utf-8-unix", "gbk", "cp1252", "shift_jis"])
def test_encodings_that_keep_ascii_are_read(cookie: str) -> None:
    found = run({"a.py": f"#!/bin/x\n# -*- coding: {cookie} -*-\nimport os\nos.system('ls ' + name)\n"})
    assert lines_of(found, "S605") == [4]
    assert found.failed == {}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_wide_file_is_read_as_text(encoding: str) -> None:
    found = run({"a.py": "import os\nos.system('ls ' + name)\n".encode(encoding)})
    assert lines_of(found, "S605") == [2]


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
    assert item.masks == ((1, 15, 36),)
    assert "horse" not in repr(item)


def test_every_row_of_the_table_has_a_reason_and_few_rows_are_high() -> None:
    assert all(rule.reason and 0 < rule.confidence <= 1 for rule in RULES.values())
    high = {code for code, rule in RULES.items() if rule.severity is Severity.HIGH}
    assert high == {
        "S201",
        "S304",
        "S305",
        "S323",
        "S501",
        "S502",
        "S503",
        "S506",
        "S507",
        "S602",
        "S605",
        "S609",
    }


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
    masks = next(item for item in found.evidence if item.rule == "S105").masks
    assert masks[0] == (1, 15, 36)


def touched(base: str, head: str, path: str = "a.py", old_path: str | None = None) -> dict[str, Severity]:
    """The rules (with severity) whose places the change touched."""
    blobs: Blobs = {}
    change = replace(modified_file(path, base, head, blobs), old_path=old_path)
    found = run_analyzers(change_set(change), blobs.__getitem__, names=["ruff"])
    return {
        item.rule: item.severity
        for item in found.evidence
        if item.location and any(touches(change, place) for place in (item.location, *item.related))
    }


RUN = "import subprocess\nx = '🎉'; subprocess.run(\n    'ls ' + name,\n    check=True,\n)\ny = 1\n"
UNPARSABLE_TAILS = [
    "",
    "type X = int\n",
    "def f[T](x: T): ...\n",
    f"z = {'a+' * 5_000}a\n",
    ("#" * 99 + "\n") * 3_000,
]


@pytest.mark.parametrize("tail", UNPARSABLE_TAILS)
def test_an_argument_added_to_an_old_call_touches_the_result(tail: str) -> None:
    base, head = RUN + tail, RUN.replace("check=True,", "check=True,\n    shell=True,") + tail
    assert touched(base, head)["S602"] is Severity.HIGH


@pytest.mark.parametrize("tail", UNPARSABLE_TAILS)
def test_a_changed_or_deleted_argument_touches_the_result(tail: str) -> None:
    old = RUN.replace("check=True", "shell=True") + tail
    assert "S602" in touched(old, old.replace("'ls ' + name", "'ls ' + other"))
    load = f"import yaml\nyaml.load(\n    text,\n    Loader=yaml.SafeLoader,\n)\n{tail}"
    assert touched(load, load.replace("    Loader=yaml.SafeLoader,\n", ""))["S506"] is Severity.HIGH


@pytest.mark.parametrize("tail", UNPARSABLE_TAILS)
def test_what_stands_beside_the_call_does_not_touch_it(tail: str) -> None:
    old = RUN.replace("check=True", "shell=True") + tail
    assert "S602" not in touched(old, old.replace("y = 1", "y = 2"))
    header = f"import subprocess\nif subprocess.run(\n    'a' + b, shell=True\n):\n    c = 1\n{tail}"
    assert "S602" not in touched(header, header.replace("c = 1", "c = 2"))


@pytest.mark.parametrize(
    ("rule", "call"),
    [
        ("S605", "import os\nos.system(\n    A\n)\n"),
        ("S604", "f(\n    A,\n    shell=True,\n)\n"),
        ("S604", "g(f(\n    A,\n    shell=True,\n)(1))\n"),
        ("S307", "print(eval(\n    A\n))\n"),
        ("S301", "import pickle\nprint(pickle.loads(\n    A\n))\n"),
        ("S102", "exec(\n    A\n)\n"),
        ("S501", "import requests\nrequests.get(\n    A,\n    verify=False,\n)\n"),
        ("S609", "import os\nos.system(\n    'chown * x',\n    A\n)\n"),
        ("S324", "import hashlib\nhashlib.new(\n    'md5',\n    A\n)\n"),
        ("S704", "from markupsafe import Markup\nMarkup(\n    A\n)\n"),
        ("S202", "import tarfile\ntarfile.open(\n    'x'\n).extractall(\n    A\n)\n"),
    ],
)
def test_every_line_of_a_call_belongs_to_its_result(rule: str, call: str) -> None:
    assert rule in touched(call.replace("A", "one + 1"), call.replace("A", "two + 1"))


def test_a_flag_below_a_hundred_arguments_is_seen() -> None:
    arguments = "".join(f"    a{n}={n},\n" for n in range(100))
    base = f"import subprocess\nsubprocess.run(\n    'ls ' + x,\n{arguments})\n"
    for place in (3, 41, 42, 43, 80, 81, 82, 103):
        lines = base.split("\n")
        lines.insert(place, "    shell=True,")
        assert "S602" in touched(base, "\n".join(lines)), place
    full = base.replace("    a0=0,\n", "    shell=True,\n    a0=0,\n")
    for number in range(100):
        assert "S602" in touched(full, full.replace(f"    a{number}={number},\n", "")), number


def test_the_body_of_a_lambda_and_long_code_in_an_argument_do_not_touch_the_call() -> None:
    body = "f(x=lambda: (\n    a,\n    b,\n    c,\n),\n    shell=True,\n)\n"
    assert "S604" not in touched(body, body.replace("    b,\n", "    bb,\n"))
    assert "S604" in touched(body.replace("    shell=True,\n", ""), body)
    code = "f([\n" + "".join(f"    g({n}),\n" for n in range(60)) + "],\n    shell=True,\n)\n"
    assert "S604" not in touched(code, code.replace("g(30)", "h(30)"))
    assert "S604" in touched(code.replace("    shell=True,\n", ""), code)


def test_one_lambda_in_an_argument_hides_no_flag_behind_it() -> None:
    head = "f(\n    x=lambda: (\n        a,\n        b,\n    ), shell=True,\n)\n"
    assert "S604" in touched(head.replace(", shell=True", ""), head)


@pytest.mark.parametrize(
    "text",
    ["x = " + "-" * 100_000 + "1\n", "x = " + "(" * 200 + "1" + ")" * 200 + "\n", "x" + "()" * 50_000 + "\n"],
)
def test_text_made_to_exhaust_a_parser_costs_seconds_at_most(text: str) -> None:
    started = time.process_time()
    run({"a.py": f"import os\nos.system(a + b)\n{text}"})
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("old_path", "first", "severity"),
    [
        ("notes.txt", "", Severity.HIGH),
        ("tool", "", Severity.HIGH),
        ("old.py", "", Severity.LOW),
        (None, "", Severity.LOW),
        ("tool", "#!/usr/bin/python\n", Severity.LOW),
    ],
)
def test_what_was_never_python_is_no_excuse_for_broken_python(
    old_path: str | None, first: str, severity: Severity
) -> None:
    blobs: Blobs = {}
    change = modified_file("a.py", f"{first}print 'x'\n", f"{first}print 'x'\nprint 'y'\n", blobs)
    found = run_analyzers(change_set(replace(change, old_path=old_path)), blobs.__getitem__, names=["ruff"])
    item = only(found)
    assert (item.severity, item.advisory) == (severity, severity is Severity.LOW)


def test_a_base_that_was_a_link_is_no_excuse_either() -> None:
    blobs: Blobs = {}
    change = replace(modified_file("a.py", "../else where\n", "print 'y'\n", blobs), base_mode="120000")
    assert (
        only(run_analyzers(change_set(change), blobs.__getitem__, names=["ruff"])).severity is Severity.HIGH
    )


@pytest.mark.parametrize("path", ["a.py", "templates/a.py", "tests/a.py"])
def test_a_syntax_error_says_that_the_rules_did_not_run(path: str) -> None:
    found = run({path: "def f(:\n"})
    assert "ruff's security rules did not run on the file" in only(found).message
    assert found.scanned == {}


def test_a_folder_named_testing_is_no_trial() -> None:
    assert only(run({"src/testing/run.py": SHELL})).severity is Severity.HIGH


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("eval(request.args['x'])", Severity.HIGH),
        ("eval(flask.request.args['x'])", Severity.HIGH),
        ("eval(\n    self.request.body\n)", Severity.HIGH),
        ("eval(event['code'])", Severity.HIGH),
        ("eval(input('> '))", Severity.HIGH),
        ("import pickle\npickle.loads(b64decode(request.data))", Severity.HIGH),
        ("import pickle\npickle.loads(connection.recv(99))", Severity.HIGH),
        ("eval(x)  # request.x, input()", Severity.MEDIUM),
        ("eval('request.x')", Severity.MEDIUM),
        ("import pickle\npickle.loads(cache.read())", Severity.MEDIUM),
    ],
)
def test_running_the_text_of_a_request_is_high(text: str, severity: Severity) -> None:
    found = run({"a.py": f"{text}\n"})
    item = next(item for item in found.evidence if item.rule in ("S307", "S301"))
    assert item.severity is severity
    assert ("request" in item.message) is (severity is Severity.HIGH)


def test_broken_ciphers_are_high_outside_tests() -> None:
    text = "from Crypto.Cipher import DES\nDES.new(key)\n"
    assert {i.rule: i.severity for i in run({"a.py": text}).evidence} == {"S304": Severity.HIGH}
    assert {i.rule: i.severity for i in run({"tests/a.py": text}).evidence} == {"S304": Severity.MEDIUM}


@pytest.mark.parametrize(
    ("head", "loader", "severity"),
    [
        ("import yaml", "yaml.FullLoader", Severity.MEDIUM),
        ("import yaml\nfrom yaml import FullLoader", "FullLoader", Severity.MEDIUM),
        ("import yaml\nfrom yaml import UnsafeLoader as FullLoader", "FullLoader", Severity.HIGH),
        (
            "import yaml\nfrom yaml import FullLoader\nFullLoader = yaml.UnsafeLoader",
            "FullLoader",
            Severity.HIGH,
        ),
        ("import yaml\nfrom yaml import FullLoader, UnsafeLoader as FullLoader", "FullLoader", Severity.HIGH),
        ("import yaml\nclass FullLoader(yaml.UnsafeLoader): ...", "FullLoader", Severity.HIGH),
        ("import yaml", "my.FullLoader", Severity.HIGH),
    ],
)
def test_only_the_full_loader_itself_is_a_step_lower(head: str, loader: str, severity: Severity) -> None:
    found = run({"a.py": f"{head}\nyaml.load(x, Loader={loader})\nyaml.load(x, {loader})\n"})
    assert [item.severity for item in found.evidence if item.rule == "S506"] == [severity, severity]


@pytest.mark.parametrize(
    ("text", "masks"),
    [
        ('password = """hunter2"""\n', ((1, 14, 21),)),
        ('password = """\nhunter2\n"""\n', ((1, 12, -1), (2, 0, -1), (3, 0, -1))),
        ("f(password='hunter2', b='x')\n", ((1, 12, 19), (1, 25, 26))),
        ("# coding: gbk\npassword = 'hunter2'\n", ((2, 0, -1),)),
        (b"\xef\xbb\xbfpassword = 'hunter2'\n", ((1, 0, -1),)),
        (b"x = '\xff'; password = 'hunter2'\n", ((1, 0, -1),)),
    ],
)
def test_the_inside_of_a_literal_is_masked(
    text: str | bytes, masks: tuple[tuple[int, int, int], ...]
) -> None:
    assert next(item for item in run({"a.py": text}).evidence if item.rule in ("S105", "S106")).masks == masks


@pytest.mark.parametrize(
    ("query", "severity"),
    [
        ("f\"SELECT * FROM users WHERE name = '{x}'\"", Severity.HIGH),
        ("f'SELECT * FROM users WHERE id = {x}'", Severity.HIGH),
        ('"SELECT * FROM users WHERE name = \'" + x + "\'"', Severity.HIGH),
        ("\"SELECT * FROM users WHERE name = '%s'\" % x", Severity.HIGH),
        ("'SELECT * FROM users WHERE name LIKE {}'.format(x)", Severity.HIGH),
        ("f'SELECT * FROM {x} WHERE id = 1'", Severity.MEDIUM),
        ("f'DELETE FROM {x}'", Severity.MEDIUM),
        ("f'SELECT * FROM t WHERE id IN ({x})', [1]", Severity.MEDIUM),
        ("'SELECT * FROM t WHERE id IN (%s)' % ','.join('?' * x), [1]", Severity.MEDIUM),
        ("f'INSERT INTO t VALUES ({x})', [1]", Severity.MEDIUM),
        ("f'SELECT * FROM t WHERE id = {int(x)}'", Severity.MEDIUM),
        ("f'SELECT * FROM t WHERE id = {LIMIT}'", Severity.MEDIUM),
        ("f\"SELECT * FROM t WHERE id = ? AND name = '{x}'\", [1]", Severity.HIGH),
        ("\"SELECT * FROM t WHERE name = '%(n)s'\" % {'n': x}", Severity.HIGH),
    ],
)
def test_a_value_in_a_query_that_is_run_is_high_and_a_table_name_is_not(
    query: str, severity: Severity
) -> None:
    found = run({"app.py": f"def get(cursor, x):\n    cursor.execute({query})\n"})
    assert [item.severity for item in found.evidence if item.rule == "S608"] == [severity]


def test_a_query_that_is_only_built_is_medium() -> None:
    found = run({"app.py": "def build(x):\n    return f\"SELECT * FROM users WHERE name = '{x}'\"\n"})
    assert [item.severity for item in found.evidence if item.rule == "S608"] == [Severity.MEDIUM]


def test_many_loaders_in_one_file_are_looked_up_once() -> None:
    from time import process_time

    text = "import yaml\n" + "yaml.load(x, Loader=yaml.FullLoader)\n" * 1_500
    started = process_time()
    assert len(run({"a.py": text}).evidence) == 1_500
    assert process_time() - started < 15
