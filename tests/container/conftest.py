"""What every test of the container needs: the image, built once a session, and the folders of a job."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container import image
from tests.container.runner import Runner


@pytest.fixture(scope="session")
def built() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        return image.build(Path(scratch))


@pytest.fixture
def runner() -> Iterator[Runner]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Runner(Path(folder))
