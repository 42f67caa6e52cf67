import pytest

from reviewbot.engine import choose_engine
from reviewbot.errors import EngineError, MissingCredentials


def test_analyzers_may_pass() -> None:
    assert choose_engine("analyzers", {"CI": "true"}).reason is None


def test_claude_is_not_in_this_version() -> None:
    with pytest.raises(EngineError, match="not in this version") as caught:
        choose_engine("claude", {"ANTHROPIC_API_KEY": "x"})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("environment", [{}, {"CI": ""}, {"CI": "false"}, {"CI": "0"}])
def test_auto_outside_ci_without_credentials_says_that_the_agents_did_not_run(
    environment: dict[str, str],
) -> None:
    engine = choose_engine("auto", environment)
    assert engine.reason is not None
    assert engine.reason.code == "no_credentials"
    assert "did not run" in engine.reason.detail


def test_auto_with_a_key_says_that_this_version_has_no_agents() -> None:
    engine = choose_engine("auto", {"ANTHROPIC_API_KEY": "x", "CI": "true"})
    assert engine.reason is not None
    assert engine.reason.code == "no_agents"
    assert "this version has no agents yet" in engine.reason.detail


@pytest.mark.parametrize("key", [{}, {"ANTHROPIC_API_KEY": ""}, {"ANTHROPIC_API_KEY": "  "}])
def test_auto_in_ci_without_credentials_is_an_error(key: dict[str, str]) -> None:
    with pytest.raises(MissingCredentials) as caught:
        choose_engine("auto", {"CI": "true", **key})
    assert caught.value.exit_code == 2
