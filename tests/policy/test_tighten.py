import pytest

from reviewbot.core import Severity
from reviewbot.errors import UsageError
from reviewbot.policy.file import parse_policy
from reviewbot.policy.tighten import tighten_settings
from reviewbot.settings import Policy, gate_rules


def policy(text: str) -> Policy:
    return parse_policy(text.encode(), ".github/reviewbot.yml")


@pytest.mark.parametrize(
    ("text", "inputs", "name", "value", "is_ignored"),
    [
        ("", {"fail_on": "medium"}, "fail_on", Severity.MEDIUM, False),
        ("", {"fail_on": "critical"}, "fail_on", Severity.HIGH, True),
        ("fail-on: low\n", {"fail_on": "medium"}, "fail_on", Severity.LOW, True),
        ("", {"fail_on": "high"}, "fail_on", Severity.HIGH, False),
        ("", {"fail_on_tests": True}, "fail_on_tests", True, False),
        ("on-incomplete: fail\n", {"on_incomplete": "neutral"}, "on_incomplete", "fail", True),
        ("", {"on_incomplete": "fail"}, "on_incomplete", "fail", False),
        ("", {"engine": "analyzers"}, "engine", "analyzers", False),
        ("engine: claude\n", {"engine": "analyzers"}, "engine", "claude", True),
        ("engine: auto\n", {"engine": "claude"}, "engine", "claude", False),
        ("", {"budget_usd": "5"}, "budget_usd", 5.0, False),
        ("budget-usd: 1\n", {"budget_usd": "5"}, "budget_usd", 1.0, True),
        ("budget-usd: 1\n", {"budget_usd": "0.5"}, "budget_usd", 0.5, False),
    ],
)
def test_an_input_counts_only_where_it_makes_the_policy_stricter(
    text: str, inputs: dict[str, object], name: str, value: object, is_ignored: bool
) -> None:
    settings, notes = tighten_settings([policy(text)] if text else [], inputs)

    assert getattr(settings, name) == value
    assert bool(notes) is is_ignored
    assert all("did not count" in note and name.replace("_", "-") in note for note in notes)


def test_an_input_never_loosens_a_path_that_the_policy_holds_stricter() -> None:
    rules = "paths:\n  src/: {fail-on: low}\n  docs/: {fail-on: critical}\n"
    settings, _ = tighten_settings([policy(rules)], {"fail_on": "medium"})

    thresholds = gate_rules(settings, ["src/a.py", "docs/a.py", "b.py"]).by_path

    assert thresholds["src/a.py"].fail_on is Severity.LOW
    assert "docs/a.py" not in thresholds  # as strict as everything else


def test_a_value_that_no_setting_takes_is_an_error() -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        tighten_settings([], {"fail_on": "banana"})
