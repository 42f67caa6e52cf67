"""The inputs of the action, as a runner hands them over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.action.inputs import NAMES, InputError, Inputs, parse_inputs, reviewed_environment
from reviewbot.core import Severity
from reviewbot.errors import ReviewbotError


def inputs(**given: str) -> Inputs:
    """Parse inputs spelled with underscores, as keyword arguments must be."""
    return parse_inputs(variables(**given))


def variables(**given: str) -> dict[str, str]:
    return {f"INPUT_{name.replace('_', '-').upper()}": value for name, value in given.items()}


def test_without_inputs_everything_has_its_default() -> None:
    assert parse_inputs({"PATH": "/bin", "GITHUB_TOKEN": "t"}) == Inputs()


def test_an_empty_input_counts_as_not_given() -> None:
    blank = {f"INPUT_{name.upper()}": " \n" for name in NAMES}
    assert parse_inputs(blank) == Inputs()


def test_hyphens_stay_in_the_names_of_the_variables() -> None:
    found = parse_inputs(
        {"INPUT_FAIL-ON": "medium", "INPUT_BUDGET-USD": "0.50", "INPUT_FAIL-ON-TESTS": "True"}
    )
    assert found.overrides == {"fail_on": "medium", "budget_usd": 0.5, "fail_on_tests": True}


def test_a_flag_that_is_false_says_nothing() -> None:
    assert inputs(fail_on_tests="false").overrides == {}


def test_patterns_stand_one_a_line() -> None:
    found = inputs(sarif="a/*.sarif\n\n  b c.sarif  \n", junit="x.xml")
    assert found.sarif == ("a/*.sarif", "b c.sarif")
    assert found.junit == ("x.xml",)


def test_secrets_lose_the_line_feed_that_pasting_adds_and_show_in_no_repr() -> None:
    found = inputs(anthropic_api_key="sk-1234\n", github_token=" ghs_5678 ", state_key="0123456789abcdef")
    assert (found.anthropic_key, found.token, found.state_key) == ("sk-1234", "ghs_5678", b"0123456789abcdef")
    assert not any(secret in repr(found) for secret in ("sk-1234", "ghs_5678", "0123456789abcdef"))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("mode", "everything", "one of auto, review, scan"),
        ("engine", "gpt", "one of auto, claude, analyzers"),
        ("fail_on", "banana", ", ".join(Severity)),
        ("fail_on_tests", "yes", "true, false"),
        ("on_incomplete", "pass", "fail, neutral"),
        ("budget_usd", "nan", "a number from 0"),
        ("budget_usd", "-1", "a number from 0"),
        ("budget_usd", "1_0", "a number from 0"),
        ("max_comments", "2.5", "a whole number from 0 to 100"),
        ("max_comments", "101", "a whole number from 0 to 100"),
        ("pull_request", "0", "the number of a pull request"),
        ("pull_request", "\u0663", "a whole number"),
        ("base_url", "file:///etc/passwd", "https://"),
        ("base_url", "https://a b", "https://"),
        ("state_key", "short", "at least 16 characters"),
    ],
)
def test_a_value_of_the_wrong_kind_is_one_sentence_with_what_to_give(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(InputError) as refused:
        inputs(**{name: value})
    assert f"`{name.replace('_', '-')}`" in str(refused.value)
    assert says in refused.value.sentences
    assert refused.value.exit_code == 2


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(InputError) as refused:
        inputs(state_key="hunter2")
    assert "hunter2" not in refused.value.sentences


def test_a_mistyped_input_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(InputError, match="no input `fail_on`") as refused:
        parse_inputs({"INPUT_FAIL_ON": "low"})
    assert "`fail-on`" in refused.value.sentences


@given(st.sampled_from(NAMES), st.text(st.characters(exclude_characters="\0"), max_size=40))
def test_any_text_is_a_value_or_one_sentence(name: str, text: str) -> None:
    try:
        parse_inputs({f"INPUT_{name.upper()}": text})
    except ReviewbotError as error:
        assert "\n" not in error.sentences


def test_the_federation_is_named_by_inputs_and_the_jobs_identity_goes_with_it_alone() -> None:
    job = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
        "ACTIONS_X": "1",
    }
    given = variables(federation_rule_id="fdrl_1", organization_id="org", workspace_id="w")
    seen = reviewed_environment({**job, **given}, parse_inputs(given))
    assert seen == {
        "CI": "true",
        "ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1",
        "ANTHROPIC_ORGANIZATION_ID": "org",
        "ANTHROPIC_WORKSPACE_ID": "w",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
    }
    assert reviewed_environment(job, Inputs()) == {"CI": "true"}


def test_a_federation_without_its_rule_is_refused() -> None:
    with pytest.raises(InputError, match="lack `federation-rule-id`"):
        inputs(organization_id="org")
