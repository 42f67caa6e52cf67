from collections.abc import Iterator

import pytest

from tests.github.world import World, start_world
from tests.repositories import Sandbox


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    with start_world(sandbox) as started:
        yield started
