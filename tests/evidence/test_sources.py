import encodings
import pkgutil

import pytest

from reviewbot.core import ChangeStatus, FileChange
from reviewbot.evidence.python_text import comment_columns, logical_lines
from reviewbot.evidence.sources import Source, parse_source
from reviewbot.testlike import is_trial

FAULT = b"x = 1\n"


def parse(path: str, blob: bytes) -> Source:
    return parse_source(FileChange(path, None, ChangeStatus.ADDED, "000000", "100755", None, "a" * 40), blob)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("x.PY", ""),
        ("x.Pyw", ""),
        ("bin/deploy.prod", "#!/usr/bin/env python3"),
        ("bin/deploy.sh", "#!/usr/bin/python3.12 -u"),
        ("tool", "#!/usr/bin/env -S uv run --script"),
        ("tool", "#!/opt/pypy3/bin/pypy3"),
        ("tool", "#!python"),
        ("tool", "#! /usr/bin/env -S 'python3' -I\r"),
    ],
)
def test_python_by_name_or_first_line(path: str, first: str) -> None:
    assert parse(path, first.encode() + b"\n" + FAULT).is_python


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("tool", "#!/bin/sh"),
        ("tool", "#!/bin/sh /opt/python/run.sh"),
        ("tool", " #!/usr/bin/python"),
        ("notes.md", "#!/usr/bin/python"),
        ("a.py.j2", "#!/usr/bin/python"),
        ("a.pyc", ""),
    ],
)
def test_what_is_no_python(path: str, first: str) -> None:
    assert not parse(path, first.encode() + b"\n" + FAULT).is_python


def test_every_codec_either_keeps_ascii_or_is_not_used() -> None:
    probe = rb"x = '\u000a' # +AAo- ~{VP~} xn--a" + b"\x1b$B!!\x1b(B"
    unread = set()
    for module in pkgutil.iter_modules(encodings.__path__):
        source = parse("a.py", b"# coding: " + module.name.encode() + b"\n" + probe)
        assert source.lines[1] == probe.decode("ascii"), module.name
        if source.unread:
            unread.add(module.name)
    assert {
        "utf_7",
        "utf_16",
        "rot_13",
        "base64_codec",
        "unicode_escape",
        "raw_unicode_escape",
        "hz",
    } <= unread
    assert {"idna", "punycode", "iso2022_jp", "iso2022_kr", "cp037", "zlib_codec"} <= unread
    assert (
        not {"ascii", "utf_8", "latin_1", "cp1252", "gbk", "gb18030", "shift_jis", "euc_jp", "koi8_r"}
        & unread
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("path", ["run.sh", "run.ps1", "a.txt"])
def test_text_in_a_wide_encoding_is_decoded(encoding: str, path: str) -> None:
    assert parse(path, "one\ntwö\n".encode(encoding)).lines == ("one", "twö", "")


def test_what_only_begins_with_the_mark_of_a_wide_encoding_is_utf_8() -> None:
    assert parse("a.txt", b"\xff\xfea\nb").lines == ("\ufffd\ufffda", "b")


def test_testing_is_no_folder_of_trials_and_tests_is() -> None:
    assert not is_trial("src/testing/run.py")
    assert is_trial("src/tests/run.py")


def test_comments_are_told_from_strings() -> None:
    lines = [
        "a = '# x'  # y",
        '"""',
        "# ruff: noqa",
        '"""  # z',
        "f('\\'#') # q",
        "s = 'abc\\",
        "# no' # yes",
        "# own",
    ]
    assert comment_columns(lines) == {1: 11, 4: 5, 5: 9, 7: 6, 8: 0}


def test_a_logical_line_ends_where_its_brackets_close() -> None:
    assert logical_lines(["f(", "a,", "b)", "x = 1", '"""', "(", '"""', "y \\", "= 2"]) == [1, 4, 5, 8]
