import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Claim
from reviewbot.core import Finding, Location, Reason, Review, Severity, Side
from reviewbot.earlier import MOST_DATA, Reading, Remembered, Round, parse_round, render_round
from reviewbot.publish.memory import (
    MOST_OPEN,
    STILL_OPEN,
    forgotten_note,
    next_round,
    recall,
    remember,
    since_last_round,
)
from tests.publish import BASE, HEAD, finding, review
from tests.repositories import Sandbox

KEY = b"a long secret"
SAID = Remembered(
    "security",
    "path-traversal",
    "high",
    0.9,
    "Title",
    "Body",
    ("CWE-22",),
    False,
    "a.py",
    "RIGHT",
    3,
    ("ab",),
)


def agents(number: int = 1, **changes: Any) -> Finding:
    made = finding(number, source="agent", tool="security", rule="code-injection")
    return replace(made, **changes)


def at_commits(made: Review, base: str, head: str) -> Review:
    trigger = replace(made.trigger, base_sha=base, head_sha=head)
    return replace(made, trigger=trigger, changes=replace(made.changes, base_sha=base, head_sha=head))


def found_again(
    kept: Sequence[Remembered], repository: Repository, base: str, head: str, key: bytes = KEY
) -> list[Claim]:
    last = Round(BASE, BASE, (), remembered=tuple(kept))
    return list(recall(last, load_change_set(repository, base, head), repository, key))


def test_a_round_is_read_as_it_was_written() -> None:
    made = Round(HEAD, BASE, ("0" * 16,), None, "", (SAID, replace(SAID, path="b\udcff\n.py")), 0)
    assert parse_round(render_round(made)) == made
    assert set(render_round(made)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def test_what_does_not_fit_is_counted_and_said_in_the_next_round() -> None:
    many = tuple(replace(SAID, title="t" * 200, body="b" * 400, start_line=n) for n in range(1, 200))
    text = render_round(Round(HEAD, BASE, (), remembered=many))
    made = parse_round(text)
    assert made is not None
    assert len(text) <= MOST_DATA
    assert made.remembered == many[: len(made.remembered)]
    assert len(made.remembered) >= 10
    assert made.forgotten == 199 - len(made.remembered)
    assert str(made.forgotten) in next(forgotten_note(made))
    assert list(forgotten_note(None)) == []


READ = Reading(HEAD, "triaged", ("triage",), ("0123456789abcdef", "f" * 16))


def test_readings_are_kept_and_are_the_first_to_go_where_there_is_no_room() -> None:
    made = Round(HEAD, BASE, (), remembered=(SAID,), base_sha=BASE, terms="ab", readings=(READ,))
    assert parse_round(render_round(made)) == made
    crowded = replace(made, readings=(replace(READ, files=("0" * 16,) * 1_500), READ))
    assert parse_round(render_round(crowded)) == replace(made, readings=())


def packed(**changes: Any) -> str:
    whole = json.loads(base64.b64decode(render_round(Round(HEAD, BASE, ("0" * 16,), remembered=(SAID,)))))
    return base64.b64encode(json.dumps({**whole, **changes}).encode()).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"more": 1},
        {"head_sha": "<b>"},
        {"head_sha": 1},
        {"open": ["-->"]},
        {"open": 3},
        {"open": "abc"},
        {"before": [1]},
        {"forgotten": "x"},
        {"base_sha": "<b>"},
        {"terms": 1},
        {"readings": 3},
        {"readings": [{}]},
        *(
            {
                "readings": [
                    {"head_sha": HEAD, "status": "reviewed", "by": ["triage"], "files": "0" * 16, **wrong}
                ]
            }
            for wrong in (
                {"status": "unreviewed"},
                {"by": ["mallory"]},
                {"files": "0" * 17},
                {"files": "-" * 16},
                {"head_sha": "-->"},
                {"head_sha": 1},
                {"files": 1},
            )
        ),
        {"remembered": None},
        {"remembered": [{}]},
        {"remembered": [1]},
    ],
    ids=str,
)
def test_any_other_round_is_none(changes: dict[str, Any]) -> None:
    assert parse_round(packed()) is not None
    assert parse_round(packed(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "worst"},
        {"side": "UP"},
        {"start_line": 0},
        {"confidence": 2},
        {"confidence": "1"},
        {"lines": []},
        {"lines": [1]},
        {"cwe": [1]},
        {"title": None},
        {"advisory": "no"},
    ],
    ids=str,
)
def test_any_other_finding_in_it_is_none(changes: dict[str, Any]) -> None:
    whole = json.loads(base64.b64decode(packed()))
    assert parse_round(packed(remembered=[{**whole["remembered"][0], **changes}])) is None


@given(st.binary())
def test_no_data_is_too_strange_to_be_read(data: bytes) -> None:
    assert parse_round(base64.b64encode(data).decode()) is None


def test_a_round_tells_new_open_and_gone_from_each_other() -> None:
    first = next_round(review(finding(1), finding(2), finding(3)), None, ())
    assert since_last_round(review(finding(1)), first) == ""
    made = at_commits(review(finding(2), finding(3, status="dismissed"), finding(4)), BASE, "c" * 40)
    second = next_round(made, first, ())
    assert since_last_round(made, second) == f"Since {HEAD[:12]}: 1 new, 1 still open, 1 gone, 1 dismissed."
    again = next_round(made, parse_round(render_round(second)), ())
    assert again == second
    cut = replace(made, verdict=replace(made.verdict, reasons=(Reason("budget", "It ended."),)))
    assert "1 not seen again" in since_last_round(cut, second)


def test_more_findings_than_can_be_told_apart_are_not_compared() -> None:
    crowd = review(*(finding(n) for n in range(1, MOST_OPEN + 2)))
    first = next_round(crowd, None, ())
    assert first.open is None
    later = at_commits(review(finding(1)), BASE, "c" * 40)
    assert since_last_round(later, next_round(later, first, ())) == ""


def test_what_was_remembered_is_kept_where_not_all_was_read() -> None:
    last = Round(BASE, BASE, (), remembered=(SAID,))
    whole = review()
    assert next_round(whole, last, ()).remembered == ()
    cut = replace(whole, verdict=replace(whole.verdict, reasons=(Reason("provider_outage", "Down."),)))
    assert next_round(cut, last, ()).remembered == (SAID,)
    assert next_round(cut, last, (SAID,)).remembered == (SAID,)


def test_a_finding_is_known_again_by_its_lines_wherever_they_went(sandbox: Sandbox) -> None:
    base = sandbox.commit({"app/run.py": "one\ntwo\n"})
    head = sandbox.commit({"app/run.py": "one\n  run( x )\r\n  done()\ntwo\n"})
    later = sandbox.commit({"app/run.py": "zero\nrun( y )\none\nrun(  x )\n done()\ntwo\n"})
    gone = sandbox.commit({"app/run.py": "one\nrun(y)\ndone()\ntwo\n"})
    said = agents(1, location=Location("app/run.py", 2, 3))
    with Repository(sandbox.folder) as repository:
        [kept] = remember(at_commits(review(said), base, head), repository, KEY)
        assert "run" not in "".join(kept.lines)
        assert found_again([kept], repository, base, later, b"another key") == []
        assert found_again([kept], repository, base, gone) == []
        [claim] = found_again([kept], repository, base, later)
    [quote] = claim.quotes
    assert quote.text.split() == ["run(", "x", ")", "done()"]
    assert (quote.path, claim.agent, claim.rule, claim.severity) == (
        "app/run.py", "security", "code-injection", Severity.HIGH,
    )  # fmt: skip
    assert claim.body.endswith(STILL_OPEN)


def test_a_finding_at_deleted_lines_is_looked_for_in_the_base(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "check()\nrun()\n"})
    head = sandbox.commit({"a.py": "run()\n"})
    said = agents(1, location=Location("a.py", 1, 1, Side.LEFT))
    with Repository(sandbox.folder) as repository:
        kept = remember(at_commits(review(said), base, head), repository, KEY)
        [claim] = found_again(kept, repository, base, head)
    assert claim.quotes[0].text == "check()"


def test_a_finding_survives_that_its_file_moves_and_not_that_its_lines_go(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "one\n" * 9 + "check()\n"})
    head = sandbox.commit({"a.py": "one\n" * 9 + "run(x)\n", "other.py": "run(x)\n"})
    kept: list[Remembered] = []
    with Repository(sandbox.folder) as repository:
        for side, line in ((Side.RIGHT, 10), (Side.LEFT, 10)):
            said = agents(1, location=Location("a.py", line, line, side))
            kept += remember(at_commits(review(said), base, head), repository, KEY)
    sandbox.git("mv", "a.py", "b.py")
    moved = sandbox.commit()
    rewritten = sandbox.commit({"b.py": "two\n" * 9 + "run(x)\n"})
    sandbox.remove("other.py")
    fixed = sandbox.commit({"b.py": "two\n" * 9})
    stub = sandbox.commit({"b.py": "one\n" * 9 + "run(x)\n", "a.py": "from b import *\n"})
    with Repository(sandbox.folder) as repository:
        places = [
            [
                (claim.quotes[0].path, claim.quotes[0].text)
                for claim in found_again(kept, repository, base, at)
            ]
            for at in (moved, rewritten, fixed, stub)
        ]
    deleted = ("a.py", "check()")
    assert places == [
        [("b.py", "run(x)"), ("b.py", "check()")],
        [("b.py", "run(x)"), deleted],
        [deleted],
        [deleted],
    ]


def test_every_finding_of_an_agent_is_remembered_what_is_open_first(sandbox: Sandbox) -> None:
    head = sandbox.commit({"a.py": "run()\n"})
    place = Location("a.py", 1, 1)
    made = review(
        finding(1, location=place),
        agents(2, location=place, status="dismissed"),
        agents(3, location=None),
        agents(4, location=Location("gone.py", 1, 1)),
        agents(5, location=place, in_diff=True),
    )
    titled = [
        replace(each, evidence=replace(each.evidence, title=each.fingerprint)) for each in made.findings
    ]
    with Repository(sandbox.folder) as repository:
        kept = remember(at_commits(replace(made, findings=tuple(titled)), head, head), repository, KEY)
    assert [each.title[-1] for each in kept] == ["5", "2"]


def test_a_finding_in_a_file_of_wide_characters_is_known_again(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.ps1": "one\n".encode("utf-16")})
    head = sandbox.commit({"a.ps1": "one\nrun($x)\n".encode("utf-16")})
    said = agents(1, location=Location("a.ps1", 2, 2))
    with Repository(sandbox.folder) as repository:
        kept = remember(at_commits(review(said), base, head), repository, KEY)
        [claim] = found_again(kept, repository, base, head)
    assert claim.quotes[0].text == "run($x)"


def test_what_test_fix_explained_is_not_carried_and_what_cannot_be_is_counted(sandbox: Sandbox) -> None:
    head = sandbox.commit({"a.py": "run()\n"})
    explained = agents(1, location=Location("a.py", 1, 1))
    explained = replace(explained, evidence=replace(explained.evidence, tool="test_fix"))
    made = at_commits(review(explained, agents(2, location=Location("gone.py", 1, 1))), head, head)
    with Repository(sandbox.folder) as repository:
        kept = remember(made, repository, KEY)
    assert kept == ()
    parsed = parse_round(render_round(next_round(made, None, kept, KEY)))
    assert parsed is not None
    assert parsed.forgotten == 1


def test_the_words_of_earlier_rounds_do_not_pile_up(sandbox: Sandbox) -> None:
    head = sandbox.commit({"a.py": "run()\n"})
    said = agents(1, location=Location("a.py", 1, 1))
    said = replace(said, evidence=replace(said.evidence, message=f"Body {STILL_OPEN}"))
    with Repository(sandbox.folder) as repository:
        [kept] = remember(at_commits(review(said), head, head), repository, KEY)
    assert kept.body.strip() == "Body"
