from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.repositories import SHARED_DATA, Sandbox

# The same examples in every run: a red test must be the change's fault. `make fuzz` looks for new ones.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2_000, deadline=None)
settings.load_profile("suite")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "repository")


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
