from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.repositories import SHARED_DATA, Sandbox

if TYPE_CHECKING:
    from tests.action.test_action import Bench

# The same examples in every run: a red test must be the change's fault. `make fuzz` looks for new ones.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2_000, deadline=None)
settings.load_profile("suite")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "repository")


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Bench"]:
    """The action beside a fake GitHub, which must have had nothing to refuse for its form."""
    from tests.action.test_action import Bench
    from tests.github.fake import FakeGitHub

    # The process that runs the tests must not become somebody else; the test in a process of its own does.
    monkeypatch.setattr("reviewbot.action.entrypoint.owner_to_become", lambda workspace: None)
    with FakeGitHub() as fake:
        monkeypatch.setenv("SSL_CERT_FILE", str(fake.ca_file))
        yield Bench(fake, sandbox, tmp_path)
        assert fake.refused == []


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data is not beside the checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def outside_ci(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """CI and credentials of the machine that runs the tests decide nothing in them."""
    for name in (
        "CI",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_FEDERATION_RULE_ID",
        "GITHUB_WORKSPACE",
    ):
        monkeypatch.delenv(name, raising=False)
    yield
