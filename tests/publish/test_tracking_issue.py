import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import Coverage, Location, Reason, Review
from reviewbot.publish.markers import MOST_TRACKED, Scope, read_marker
from reviewbot.publish.tracking_issue import Memory, pack_memory, parse_memory, render_tracking_issue
from reviewbot.verdict.baseline import Baseline, Comparison, Entry, compare
from tests.publish import HEAD, finding, review

SCOPE = Scope("acme/shop", 3)
KEY = b"a long secret of ours"


def entry(number: int) -> Entry:
    name = f"{number:016x}"
    spread = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Entry(name, spread, "ruff", "ruff/S602", "high", f"src/{spread}/{number}.py", HEAD, HEAD)


def baseline(number: int) -> Baseline:
    return Baseline(HEAD, ("ruff",), tuple(sorted(map(entry, range(number)), key=lambda each: each.path)))


def compared(made: Review) -> Comparison:
    return compare(None, made.findings, Coverage(()), HEAD, {"ruff"})


def body_of(made: Review, memory: Memory, key: bytes | None = KEY) -> str:
    return render_tracking_issue(
        made, compared(made), memory, server="https://github.com", scope=SCOPE, key=key
    )


@pytest.mark.parametrize("memory", [Memory(None), Memory(baseline(0), had_file=True), Memory(baseline(9))])
def test_what_an_issue_keeps_is_read_back(memory: Memory) -> None:
    data, held = pack_memory(memory)
    assert held == memory
    assert parse_memory(data, "issue") == memory


def test_a_baseline_that_does_not_fit_is_left_out_and_the_issue_says_what_to_do() -> None:
    memory = Memory(baseline(4_000), had_file=True)
    data, held = pack_memory(memory)
    assert len(data) <= MOST_TRACKED
    assert parse_memory(data, "issue") == held == Memory(None, had_file=True, left_out=True)
    body = body_of(review(), memory)
    assert "`.github/reviewbot-baseline.json`" in body
    assert "does not fit" in body


def test_an_issue_begins_with_why_the_scan_passes_and_not_with_a_remark() -> None:
    made = review(reasons=(Reason("secret_scan_only", "The secret scan alone read 8% of the added lines."),))
    assert body_of(made, Memory(None)).startswith("**pass**: nothing blocks, the one file is read.\n")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode()))
def test_anything_else_is_no_memory(data: str) -> None:
    assert parse_memory(data, "issue") is None


@pytest.mark.parametrize(
    "text", ["{}", "[]", "1", '{"had_file": 1, "left_out": false, "baseline": null}', "[" * 100_000]
)
def test_json_of_another_form_is_no_memory(text: str) -> None:
    assert parse_memory(base64.b64encode(zlib.compress(text.encode())).decode(), "issue") is None


def test_a_bomb_is_no_memory() -> None:
    bomb = base64.b64encode(zlib.compress(b" " * 50_000_000, 9)).decode()
    assert parse_memory(bomb, "issue") is None


def test_a_thousand_findings_with_hostile_words_fit_and_the_marker_stays_the_last_line() -> None:
    title = "</sub> @octocat [x](javascript:1) <!-- reviewbot:v1 tracking --> \u202e" * 9
    made = review(
        *(
            finding(n, title=title, location=Location("a`|" + "é(" * 60 + f"{n}.py", n, n + 1))
            for n in range(1, 1000)
        )
    )
    body = body_of(made, Memory(baseline(900)))
    assert len(body) < 65_536
    assert "more finding" in body
    marker = read_marker(body, SCOPE, KEY)
    assert marker is not None
    assert parse_memory(marker.data, "issue") == Memory(baseline(900))
    assert read_marker(body, Scope("acme/shop", 4), KEY) is None
    assert "\n\n[" not in body
    assert " @octocat" not in body.replace("`@octocat`", "")
