from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import (
    ChangeSet,
    ChangeStatus,
    Evidence,
    FileChange,
    Finding,
    Location,
    Severity,
    Side,
    Suppression,
)
from reviewbot.verdict.known import add_carried, defer, dismiss
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


def low(**changes: Any) -> Finding:
    made = finding(1, Severity.LOW, location=Location("a.py", 5, 6), in_diff=True)
    said = {name: changes.pop(name) for name in ("severity", "suppression", "source") if name in changes}
    return replace(made, evidence=replace(made.evidence, **said), **changes)


def since(**changes: Any) -> ChangeSet:
    made = FileChange("a.py", None, ChangeStatus.MODIFIED, "100644", "100644", "0" * 40, "1" * 40)
    return ChangeSet(
        "a" * 40,
        "c" * 40,
        (replace(made, added=((9, 9),), gaps=(12,)),) if not changes else (replace(made, **changes),),
    )


def status(
    made: Finding, changes: ChangeSet, opened: tuple[str, ...] = (), blocking: tuple[str, ...] = ()
) -> str:
    [after] = defer([made], opened, blocking, changes)
    return after.status


def test_what_is_low_and_new_on_lines_that_did_not_change_is_deferred() -> None:
    assert status(low(), since()) == "deferred"
    assert status(low(severity=Severity.INFO), since()) == "deferred"
    assert status(low(), ChangeSet("a" * 40, "c" * 40, ())) == "deferred"


@pytest.mark.parametrize("severity", [Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL])
def test_what_is_worse_is_never_deferred(severity: Severity) -> None:
    assert status(low(severity=severity), since()) == "new"


@pytest.mark.parametrize(
    "changes",
    [
        {"in_diff": False},
        {"location": None},
        {"status": "dismissed"},
        {"source": "junit"},
        {"suppression": Suppression.BASE},
        {"location": Location("a.py", 5, 6, Side.LEFT)},
        {"location": Location("a.py", 8, 9)},
        {"location": Location("a.py", 12, 13)},
    ],
    ids=str,
)
def test_what_is_no_new_comment_or_on_changed_lines_is_left_as_it_is(changes: dict[str, Any]) -> None:
    assert status(low(**changes), since()) == changes.get("status", "new")


def test_what_was_open_or_blocks_is_not_deferred() -> None:
    name = low().fingerprint
    assert status(low(), since(), opened=(name,)) == "new"
    assert status(low(), since(), blocking=(name,)) == "new"


@pytest.mark.parametrize("changes", [{"old_path": "b.py"}, {"omitted": "larger than 10 MiB"}], ids=str)
def test_a_file_whose_lines_cannot_be_compared_defers_nothing(changes: dict[str, Any]) -> None:
    assert status(low(), since(**changes)) == "new"
