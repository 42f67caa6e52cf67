"""Every parser of foreign bytes against the same tricks: a value or one typed sentence, never anything else.

Each parser's own fuzzing stands beside its own tests; here none of them can be forgotten.
"""

import base64
import json
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reviewbot.agents.answers import SecurityAnswer, TriageAnswer
from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.replies import parse_answer, parse_reply
from reviewbot.change.artifacts import unpack_artifacts
from reviewbot.change.diff import parse_diff
from reviewbot.change.payload import parse_event
from reviewbot.earlier import parse_round
from reviewbot.errors import ReviewbotError
from reviewbot.evidence.junit import parse_junit
from reviewbot.evidence.logs.read import parse_log
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.sarif import parse_sarif
from reviewbot.policy.file import parse_policy
from reviewbot.publish.tracking_issue import parse_memory
from reviewbot.scan.readings import Reading, parse_reading
from reviewbot.verdict.baseline import parse_baseline
from tests.agents.fake_api import message, text
from tests.change.test_artifacts import ONE, zipped
from tests.change.test_payload import pull_request

TREE = TreePaths(["src/app.py"], ["/build/repo"])
SECONDS = 10.0
"""No input of this size may take longer; most take milliseconds."""


def unpack(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        unpack_artifacts(ONE, lambda number, most: data, Path(folder) / "new")
        assert [path for path in Path(folder).iterdir() if path.name != "new"] == []


def refuse_none(value: object) -> None:
    """Some parsers say None for what they do not take: what rests on it is then read or asked again."""
    if value is None:
        raise ValueError("refused")


READING = Reading("src/app.py", "a" * 40, ("security",))
SARIF = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "results": []}]}
QUOTE = {"path": "src/app.py", "start_line": 1, "end_line": 1, "text": "x"}
JSON: dict[str, tuple[Callable[[bytes], object], dict[str, Any]]] = {
    "event": (lambda data: parse_event("pull_request", data, {}), pull_request()),
    "sarif": (lambda data: parse_sarif(data, "a.sarif", TREE), SARIF),
    "reply": (
        lambda data: parse_reply(data, "m", request_id="", seconds=0.0),
        message(text("{}"), model="m"),
    ),
    "triage": (lambda data: parse_answer(TriageAnswer, data.decode()), {"files": []}),
    "security": (lambda data: parse_answer(SecurityAnswer, data.decode()), {"findings": []}),
    "baseline": (
        lambda data: parse_baseline(data, "b.json"),
        {"schema_version": 1, "commit": "a" * 40, "readers": [], "findings": []},
    ),
    "round": (
        lambda data: refuse_none(parse_round(base64.b64encode(data).decode())),
        {"head_sha": "a" * 40, "policy_sha": "b" * 40, "open": [], "remembered": []},
    ),
    "memory": (
        lambda data: refuse_none(parse_memory(base64.b64encode(zlib.compress(data)).decode(), "issue")),
        {"had_file": True, "left_out": False, "baseline": None},
    ),
    "reading": (lambda data: refuse_none(parse_reading(data.decode())), asdict(READING)),
}
"""Strict JSON: the parser, and a document that it takes."""
REFUSED = (ReviewbotError, ModelError, ValueError)
"""``parse_answer`` says ValueError, pydantic's own error is one of those; the others are ours."""

OTHERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "diff": (
        lambda data: list(parse_diff(data.splitlines(keepends=True))),
        b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
    ),
    "policy": (lambda data: parse_policy(data, "policy.yml"), b"fail-on: high\nexclude: ['a/**']\n"),
    "junit": (
        lambda data: parse_junit(data, "r.xml", TREE),
        b'<?xml version="1.0"?><testsuite><testcase name="t"><failure message="m">x</failure></testcase></testsuite>',
    ),
    "log": (
        lambda data: parse_log(data, "job.log", TREE),
        b"FAILED src/app.py::test_x - assert 1\n1 failed in 1s\n",
    ),
    "zip": (unpack, zipped({"a.xml": "<testsuite/>"})),
}
EVERY: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    **{name: (parse, json.dumps(valid).encode()) for name, (parse, valid) in JSON.items()},
    **OTHERS,
}


def tried(parse: Callable[[bytes], object], data: bytes) -> str | None:
    """The sentence of the refusal, or None for a value. Anything else that is raised goes on."""
    begun = time.process_time()
    try:
        parse(data)
        return None
    except REFUSED as error:
        said = error.sentences if isinstance(error, ReviewbotError) else str(error)
        assert said
        return said
    finally:
        assert time.process_time() - begun < SECONDS


@pytest.mark.parametrize("name", EVERY)
def test_the_samples_are_taken(name: str) -> None:
    parse, valid = EVERY[name]
    assert tried(parse, valid) is None


def first(document: dict[str, Any], member: str) -> bytes:
    """The document with one more member at its beginning, as bytes that may be no JSON."""
    return b"{" + member.encode("utf-8", "surrogatepass") + b"," + json.dumps(document).encode()[1:]


NO_JSON = {
    "a key twice": '"zz": 1, "zz": 2',
    "a key twice inside": '"zz": {"a": 1, "a": 2}',
    "not a number": '"zz": NaN',
    "infinity": '"zz": -Infinity',
    "depth": '"zz": ' + "[" * 100_000 + "]" * 100_000,
    "depth of objects": '"zz": ' + '{"a":' * 5_000 + "1" + "}" * 5_000,
    "an integer of 5,000 digits": '"zz": ' + "9" * 5_000,
    "a surrogate in UTF-8": '"zz": "\udcff"',
    "a control character": '"zz": "\x00"',
    "a comment": '"zz": 1 /* x */',
    "single quotes": "'zz': 1",
}


@pytest.mark.parametrize("trick", NO_JSON)
@pytest.mark.parametrize("name", JSON)
def test_r14_what_strict_json_is_not_is_refused_everywhere(name: str, trick: str) -> None:
    parse, valid = JSON[name]
    assert tried(parse, first(valid, NO_JSON[trick])) is not None


@pytest.mark.parametrize("name", JSON)
def test_r14_a_key_that_is_written_twice_in_two_spellings_is_refused(name: str) -> None:
    parse, valid = JSON[name]
    key = next(iter(valid))
    spelled = "".join(f"\\u{ord(char):04x}" for char in key)
    assert tried(parse, first(valid, f'"{spelled}": 1')) is not None


HUGE = b"x" * 3_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", HUGE, b"\n" * 3_000_000, b"[" * 1_000_000, b"{" * 1_000_000,
        b"<a>" * 300_000, b"- " * 300_000, b"&" * 300_000, b"\x1b[2J" * 300_000, b"PK\x03\x04" * 300_000,
        b"@@ -1 +1 @@\n" * 200_000, b"diff --git a/x b/x\n" * 100_000, b"FAILED a::b\n" * 100_000,
        b"a: &a [*a]\n", b"a: &a {b: *a}\n", b"Traceback (most recent call last):\n" * 100_000,
        b'  File "x", line 1, in y\n' * 100_000, b"::" * 300_000, b"=" * 3_000_000, b" " * 3_000_000,
    ],
    ids=lambda data: f"{bytes(data[:12])!r}x{len(data)}",
)  # fmt: skip
@pytest.mark.parametrize("name", EVERY)
def test_r26_what_repeats_without_end_is_a_value_or_a_sentence_in_seconds(name: str, data: bytes) -> None:
    tried(EVERY[name][0], data)


DOCTYPE = '<!DOCTYPE testsuite [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
SUITE = f"{DOCTYPE}<testsuite><testcase name='t'><failure>&a;</failure></testcase></testsuite>"


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"),
     ("latin-1", "ISO-8859-1"), ("utf-32", "UTF-32"), ("utf-7", "UTF-7"), ("cp037", "IBM037"), ("utf-16", "UTF-8")],
)  # fmt: skip
@pytest.mark.parametrize("padding", [0, 6_000])
def test_r24_a_document_type_is_refused_in_any_encoding_and_at_any_place(
    encoding: str, declared: str, padding: int
) -> None:
    written = f'<?xml version="1.0" encoding="{declared}"?>{" " * padding}{SUITE}'
    said = tried(OTHERS["junit"][0], written.encode(encoding))
    assert said is not None
    assert "root:" not in said


PIECES = st.sampled_from(
    [b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r", b"\0", b"\x1b", b"<", b">", b"&", b"]]>",
     b"<!--", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"9" * 40, b"1e999", b"NaN", b"null", b"true", b"-", b"../", b"/etc/",
     b"C:\\", b"%2e%2e/", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"PK\x01\x02", b"@@ -0,0 +1,9 @@\n", b"diff --git a/x b/x\n",
     b"*a", b"&a ", b"!!python/object:os.system ", b"? ", b"%TAG ! x\n", b"<!DOCTYPE x>", b"\x80\x04\x95"]
)  # fmt: skip


@settings(max_examples=60)
@pytest.mark.parametrize("name", EVERY)
@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 8), PIECES | st.binary(max_size=6)), max_size=6)
)
@example([(1, 0, b'"a":1,"a":2,')])
@example([(0, 2_000, b"")])
def test_any_sample_with_pieces_put_in_is_a_value_or_a_sentence(
    name: str, edits: list[tuple[int, int, bytes]]
) -> None:
    parse, data = EVERY[name]
    for place, length, piece in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + length :]
    tried(parse, data)
