"""The organisation's policy as `reviewbot config` shows it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest

from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        there = Sandbox(tmp_path / "shared")
        there.commit({".github/reviewbot.yml": "fail-on: medium\n"})
        fake.add_repository("octo/.github", there.folder)
        yield fake
        assert fake.refused == []


def config(sandbox: Sandbox, **environment: str) -> str:
    sandbox.commit({"a": "x\n"})
    command = [sys.executable, "-m", "reviewbot", "config"]
    given = {"PATH": os.environ["PATH"], **environment}
    done = run(command, cwd=sandbox.folder, env=given, capture_output=True, text=True, check=True)
    return done.stdout


def test_config_shows_it_where_a_token_is_set(sandbox: Sandbox, fake: FakeGitHub) -> None:
    shown = config(
        sandbox,
        GITHUB_REPOSITORY="octo/app",
        GITHUB_TOKEN=fake.token(),
        GITHUB_API_URL=fake.api_url,
        GITHUB_GRAPHQL_URL=fake.graphql_url,
        SSL_CERT_FILE=str(fake.ca_file),
    )
    assert "fail-on medium octo/.github/.github/reviewbot.yml:1 at " in " ".join(shown.split())
    assert "\nOrganisation's policy: octo/.github/.github/reviewbot.yml at " in shown
    assert len(fake.api_requests) == 1


def test_config_says_that_nobody_looked_without_one(sandbox: Sandbox) -> None:
    assert "\nOrganisation's policy: not read here" in config(sandbox)


def test_config_goes_on_where_github_cannot_be_asked(sandbox: Sandbox, fake: FakeGitHub) -> None:
    shown = config(
        sandbox,
        GITHUB_REPOSITORY="octo/app",
        GITHUB_TOKEN="of somebody else".replace(" ", ""),
        GITHUB_API_URL=fake.api_url,
        GITHUB_GRAPHQL_URL=fake.graphql_url,
        SSL_CERT_FILE=str(fake.ca_file),
    )
    assert "\nOrganisation's policy: octo/.github cannot be read (GitHub refused the token" in shown
