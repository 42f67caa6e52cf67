import pytest

from reviewbot.credentials import (
    HELPER,
    IDENTITY_FILE,
    JOB_TOKEN,
    JOB_URL,
    KEY,
    PROFILE,
    RULE,
    TOKEN,
    URL,
    Credentials,
    find_credentials,
)
from reviewbot.engine import Engine, choose_engine
from reviewbot.errors import MissingCredentials


def test_analyzers_may_pass() -> None:
    assert choose_engine("analyzers", {"CI": "true"}).reason is None


@pytest.mark.parametrize("asked", ["auto", "claude"])
@pytest.mark.parametrize("name", [KEY, TOKEN, PROFILE, HELPER, URL])
def test_credentials_of_any_kind_choose_claude(asked: str, name: str) -> None:
    engine = choose_engine(asked, {name: "x", "CI": "true"})
    assert (engine.name, engine.reason) == ("claude", None)


def test_claude_without_credentials_is_an_error_even_on_a_laptop() -> None:
    with pytest.raises(MissingCredentials) as caught:
        choose_engine("claude", {})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("environment", [{}, {"CI": ""}, {"CI": "false"}, {"CI": "0"}])
def test_auto_outside_ci_without_credentials_says_that_the_agents_did_not_run(
    environment: dict[str, str],
) -> None:
    engine = choose_engine("auto", environment)
    assert engine.name == "analyzers"
    assert engine.reason is not None
    assert engine.reason.code == "no_credentials"
    assert "did not run" in engine.reason.detail


@pytest.mark.parametrize("key", [{}, {"ANTHROPIC_API_KEY": ""}, {"ANTHROPIC_API_KEY": "  "}])
def test_auto_in_ci_without_credentials_is_an_error(key: dict[str, str]) -> None:
    with pytest.raises(MissingCredentials) as caught:
        choose_engine("auto", {"CI": "true", **key})
    assert caught.value.exit_code == 2


def test_a_run_that_cannot_have_secrets_falls_back_and_says_so() -> None:
    engine = choose_engine("auto", {"CI": "true"}, secrets_possible=False)
    assert engine.name == "analyzers"
    assert engine.reason is not None
    assert engine.reason.code == "no_secrets"
    assert "a manual run" in engine.notes[0]


def test_missing_credentials_in_ci_name_the_input_of_the_action() -> None:
    with pytest.raises(MissingCredentials) as caught:
        choose_engine("auto", {"CI": "true"})
    assert "`anthropic-api-key`" in caught.value.sentences


@pytest.mark.parametrize("source", [{JOB_URL: "https://x", JOB_TOKEN: "t"}, {IDENTITY_FILE: "/run/token"}])
def test_a_federation_rule_counts_where_there_is_an_identity_to_exchange(source: dict[str, str]) -> None:
    assert choose_engine("auto", {RULE: "fdrl", "CI": "true", **source}) == Engine("claude")
    with pytest.raises(MissingCredentials, match="no identity token"):
        choose_engine("auto", {RULE: "fdrl", "CI": "true"})
    fallen = choose_engine("auto", {RULE: "fdrl", "CI": "true"}, secrets_possible=False)
    assert fallen.reason is not None and fallen.reason.code == "no_secrets"


def test_a_leftover_key_that_beats_the_federation_is_reported() -> None:
    engine = choose_engine("auto", {RULE: "fdrl", JOB_URL: "https://x", JOB_TOKEN: "t", KEY: "left over"})
    assert engine.notes == (
        "ANTHROPIC_API_KEY is used and ANTHROPIC_FEDERATION_RULE_ID not: unset ANTHROPIC_API_KEY if that is not "
        "what you want.",
    )


def test_a_credential_helper_beats_every_other_credential() -> None:
    found = find_credentials({HELPER: "vault", KEY: "k", TOKEN: "t", URL: "https://proxy"})
    assert found == Credentials("helper", HELPER, (KEY, TOKEN))
