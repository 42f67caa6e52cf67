from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.earlier import MOST_DATA
from reviewbot.publish.markers import (
    LENGTH,
    Marker,
    Scope,
    finding_marker,
    gone_marker,
    is_summary,
    read_finding_markers,
    read_marker,
    reply_marker,
    summary_marker,
)

SCOPE = Scope("acme/shop", 7)
KEY = b"a long secret"
ONE = "0123456789abcdef"


@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_written_is_read_again(key: bytes | None) -> None:
    body = f"words\n\n{finding_marker(ONE, SCOPE, key)}"
    assert read_finding_markers(body, SCOPE, key) == {ONE}
    assert not is_summary(body, SCOPE, key)
    body = f"words\n\n{summary_marker(SCOPE, key)}"
    assert is_summary(body, SCOPE, key)
    assert read_finding_markers(body, SCOPE, key) == frozenset()


def test_without_a_key_nothing_is_signed() -> None:
    assert finding_marker(ONE, SCOPE, None) == f"<!-- reviewbot:v1 finding {ONE} -->"
    assert summary_marker(SCOPE, None) == "<!-- reviewbot:v1 summary -->"


def test_a_marker_is_one_short_html_comment() -> None:
    for marker in (finding_marker(ONE, SCOPE, KEY), summary_marker(SCOPE, KEY)):
        assert marker.count("<!--") == marker.count("-->") == 1
        assert "--" not in marker[4:-3]
        assert len(marker) <= LENGTH


def test_with_a_key_an_unsigned_marker_does_not_count() -> None:
    assert read_finding_markers(finding_marker(ONE, SCOPE, None), SCOPE, KEY) == frozenset()
    assert not is_summary(summary_marker(SCOPE, None), SCOPE, KEY)


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        (Scope("acme/shop", 8), KEY),
        (Scope("acme/shops", 7), KEY),
        (Scope("acme/shop", 7), b"another secret"),
    ],
)
def test_a_signature_is_for_one_pull_request_and_one_key(scope: Scope, key: bytes) -> None:
    assert read_finding_markers(finding_marker(ONE, scope, key), SCOPE, KEY) == frozenset()
    assert not is_summary(summary_marker(scope, key), SCOPE, KEY)


def test_a_signature_of_one_finding_is_not_one_of_another_or_of_a_summary() -> None:
    signed = finding_marker(ONE, SCOPE, KEY)
    assert read_finding_markers(signed.replace(ONE, "f" * 16), SCOPE, KEY) == frozenset()
    assert not is_summary(signed.replace(f"finding {ONE}", "summary"), SCOPE, KEY)


def test_the_name_of_a_repository_counts_in_any_case() -> None:
    assert is_summary(summary_marker(Scope("Acme/Shop", 7), KEY), SCOPE, KEY)


def test_without_the_key_that_signed_it_a_marker_still_suppresses_a_duplicate() -> None:
    assert read_finding_markers(finding_marker(ONE, SCOPE, KEY), SCOPE, None) == {ONE}


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n\n"])
def test_line_ends_of_github_do_not_matter(end: str) -> None:
    body = f"words\r\n\r\n{finding_marker(ONE, SCOPE, KEY)}{end}"
    assert read_finding_markers(body, SCOPE, KEY) == {ONE}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "words",
        f"{finding_marker(ONE, SCOPE, None)}\nand more words",
        f"`{finding_marker(ONE, SCOPE, None)}`",
        f"> {finding_marker(ONE, SCOPE, None)}",
        f"words {finding_marker(ONE, SCOPE, None)}",
        finding_marker(ONE, SCOPE, None).replace("v1", "v2"),
        finding_marker(ONE, SCOPE, None).replace(ONE, ONE.upper()),
        finding_marker(ONE, SCOPE, None).replace(ONE, "short"),
        "<!-- reviewbot:v1 finding -->",
        f"<!-- reviewbot:v1 summary {ONE} -->",
        f"<!-- reviewbot:v1 finding {ONE} hmac=00 -->",
    ],
)
def test_anything_else_is_no_marker(body: str) -> None:
    assert read_finding_markers(body, SCOPE, None) == frozenset()
    assert not is_summary(body, SCOPE, None)


@pytest.mark.parametrize("fingerprint", ["", "0" * 15, "0" * 17, "A" * 16, "--> <b>evil</b>", f"{ONE}\n"])
def test_only_a_fingerprint_goes_into_a_marker(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="is no fingerprint"):
        finding_marker(fingerprint, SCOPE, None)


@given(st.text(), st.sampled_from([None, KEY]))
def test_no_text_is_too_strange_to_be_read(body: str, key: bytes | None) -> None:
    assert read_finding_markers(body + "x", SCOPE, key) == frozenset()
    assert read_finding_markers(f"{body}\n{finding_marker(ONE, SCOPE, key)}", SCOPE, key) == {ONE}


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda key: finding_marker(ONE, SCOPE, key, by_agent=True), Marker("finding", ONE, by_agent=True)),
        (lambda key: gone_marker(ONE, SCOPE, key), Marker("gone", ONE)),
        (lambda key: reply_marker(77, SCOPE, key), Marker("reply", f"{77:016x}")),
        (lambda key: summary_marker(SCOPE, key, "QUJD"), Marker("summary", data="QUJD")),
    ],
)
def test_every_kind_is_read_as_it_was_written(
    write: Callable[[bytes | None], str], expected: Marker, key: bytes | None
) -> None:
    assert read_marker(f"words\n\n{write(key)}", SCOPE, key) == expected
    assert len(write(key)) <= LENGTH


def test_what_a_marker_says_beside_its_kind_is_signed_too() -> None:
    signed = finding_marker(ONE, SCOPE, KEY, by_agent=True)
    assert read_marker(signed.replace(" agent", ""), SCOPE, KEY) is None
    assert read_marker(finding_marker(ONE, SCOPE, KEY).replace(ONE, f"{ONE} agent"), SCOPE, KEY) is None
    signed = summary_marker(SCOPE, KEY, "QUJD")
    assert read_marker(signed.replace("QUJD", "QUJE"), SCOPE, KEY) is None
    assert read_marker(signed.replace(" data=QUJD", ""), SCOPE, KEY) is None
    assert read_marker(gone_marker(ONE, SCOPE, KEY).replace("gone", "finding"), SCOPE, KEY) is None


@pytest.mark.parametrize(
    "body",
    [
        f"<!-- reviewbot:v1 gone {ONE} agent -->",
        f"<!-- reviewbot:v1 finding {ONE} data=QUJD -->",
        "<!-- reviewbot:v1 reply -->",
        "<!-- reviewbot:v1 summary data= -->",
        f"<!-- reviewbot:v1 summary data={'A' * (MOST_DATA + 1)} -->",
    ],
)
def test_no_kind_says_what_is_not_its_own(body: str) -> None:
    assert read_marker(body, SCOPE, None) is None


@pytest.mark.parametrize("data", ["-->", "a b", "A" * (MOST_DATA + 1), "A=A"])
def test_only_base64_goes_into_a_marker(data: str) -> None:
    with pytest.raises(ValueError, match="is no base64"):
        summary_marker(SCOPE, None, data)
