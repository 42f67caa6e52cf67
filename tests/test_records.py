import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.agents.results import AgentsReview
from reviewbot.claims import Claim, Outcome, Quote, Stop, Task, Usage
from reviewbot.core import Evidence, Location, Mask, Reason, Side
from reviewbot.evidence.collect import Collected
from reviewbot.evidence.sources import AnalyzerCall
from reviewbot.policy.cascade import resolve_settings
from reviewbot.records import from_plain, to_plain
from reviewbot.severity import Severity

OUTCOME = Outcome(
    Task("security", ("caf\udce9.py",), reason="risky"),
    "claude-opus-5-5",
    "medium",
    Stop.DONE,
    (Claim("security", "xss", Severity.HIGH, 0.9, "t", "b", (Quote("a.py", 1, 2, "x\udc80"),)),),
    Usage(1, 2, 3, 4),
    None,
)
REVIEW = AgentsReview(
    (OUTCOME,), {"a.py": ("triage",)}, {}, {"b": "why"}, (Reason("budget", "d"),), (), 0.5, True
)


def there_and_back(value: Any) -> Any:
    return from_plain(type(value), json.loads(json.dumps(to_plain(value))))


def test_what_agents_said_comes_back_as_it_was() -> None:
    assert there_and_back(REVIEW) == REVIEW


def test_settings_come_back_with_their_sets_rules_and_origins() -> None:
    resolved = resolve_settings([], {"fail_on": "low", "budget_usd": 3, "analyzers": ["ruff"]})
    assert there_and_back(resolved) == resolved


lines = st.integers(1, 9)
places = st.builds(Location, st.text(), lines, lines.map(lambda line: line + 9), st.sampled_from(Side))
marks = st.tuples(lines, lines, st.just(-1))
evidence = st.builds(
    Evidence,
    st.text(),
    st.sampled_from(["sarif", "junit"]),
    st.text(),
    st.text(),
    st.sampled_from(Severity),
    st.text(),
    location=st.none() | places,
    confidence=st.floats(0, 1),
    snippet=st.none() | st.text(),
    masks=st.lists(marks, max_size=2).map(tuple),
)


@given(st.lists(evidence, max_size=2), st.dictionaries(st.text(), st.lists(marks, max_size=2).map(tuple)))
@settings(max_examples=40, deadline=None)
def test_any_evidence_comes_back_as_it_was(said: list[Evidence], masks: dict[str, tuple[Mask, ...]]) -> None:
    runs = (AnalyzerCall("ruff", 1, 0.5, None, 0),)
    collected = Collected(tuple(said), (), {"a": ("ruff",)}, {}, masks, ("n",), (), runs)
    assert there_and_back(collected) == collected


def changed(**fields: object) -> dict[str, Any]:
    return {**to_plain(OUTCOME), **fields}


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {},
        changed(more=1),
        {key: value for key, value in changed().items() if key != "stop"},
        changed(stop="finished"),
        changed(turns="1"),
        changed(turns=True),
        changed(usd="0.1"),
        changed(usd=10**400),
        changed(usd=float("nan")),
        changed(usd=float("-inf")),
        changed(claims={}),
        changed(claims=[1]),
        changed(degraded=None),
        changed(task=changed()["usage"]),
    ],
)
def test_what_is_missing_unknown_or_of_another_type_is_refused(plain: object) -> None:
    with pytest.raises(ValueError):
        from_plain(Outcome, plain)


scalars = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@settings(max_examples=60, deadline=None)
def test_no_plain_value_does_anything_but_fit_or_be_refused(plain: object) -> None:
    try:
        built = from_plain(AgentsReview, plain)
    except ValueError:
        return
    assert to_plain(built) == plain


def test_the_place_of_a_fault_is_named() -> None:
    plain = to_plain(replace(REVIEW))
    plain["outcomes"][0]["usage"]["input"] = "many"
    with pytest.raises(ValueError, match=r"AgentsReview\.outcomes\[0\]\.usage\.input"):
        from_plain(AgentsReview, plain)


def test_a_type_that_json_does_not_know_is_a_mistake_of_ours() -> None:
    @dataclass(frozen=True)
    class Odd:
        data: bytes

    with pytest.raises(TypeError):
        to_plain(Odd(b"x"))
    with pytest.raises(TypeError):
        to_plain({1: "x"})
