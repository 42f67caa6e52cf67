from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import Evidence, Location, Severity, Side
from reviewbot.verdict.known import add_carried, dismiss
from tests.publish import finding

OLD = Evidence(
    id="C1",
    source="agent",
    tool="security",
    rule="path-traversal",
    severity=Severity.HIGH,
    title="old",
    location=Location("a.py", 5, 7),
    confidence=0.8,
)


def test_what_nobody_said_again_is_added_under_a_name_of_its_own() -> None:
    fresh = replace(OLD, rule="code-injection", title="new")
    assert add_carried([fresh], [OLD]) == (fresh, replace(OLD, id="K1"))
    assert add_carried([fresh], []) == (fresh,)


def test_what_was_said_again_as_strongly_is_not_added() -> None:
    fresh = replace(OLD, title="new", location=Location("a.py", 7, 9), confidence=0.9)
    assert add_carried([fresh], [OLD]) == (fresh,)


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": Severity.MEDIUM},
        {"confidence": 0.4},
        {"advisory": True},
        {"location": Location("a.py", 8, 9)},
        {"location": Location("b.py", 5, 7)},
        {"location": Location("a.py", 5, 7, Side.LEFT)},
        {"location": None},
        {"tool": "test_fix"},
    ],
    ids=str,
)
def test_what_is_said_elsewhere_or_more_weakly_does_not_replace_it(changes: dict[str, Any]) -> None:
    assert replace(OLD, id="K1") in add_carried([replace(OLD, **changes)], [OLD])


def test_a_dismissed_finding_says_by_whom_and_keeps_its_note() -> None:
    one, two = finding(1, note="Seen."), finding(2)
    made = dismiss([one, two], {one.fingerprint: "Dismissed by mona: no", "f" * 16: "x"})
    assert made == (replace(one, status="dismissed", note="Seen. Dismissed by mona: no"), two)
