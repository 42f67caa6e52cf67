"""Real git fetches from the fake over HTTPS, trusting its authority only."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from tests.github.world import World

URL = "/octo/app.git"


class Store:
    """A bare repository that fetches; nobody's configuration, nobody's certificates."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.world = world
        self.run("init", "-q", "--bare", str(folder))

    def run(self, *arguments: str, ca: bool = True) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }
        if ca:
            environment["GIT_SSL_CAINFO"] = str(self.world.fake.ca_file)
        return subprocess.run(
            ["git", *arguments], env=environment, capture_output=True, text=True, check=False
        )

    def fetch(
        self,
        *arguments: str,
        token: str | None = None,
        url: str = URL,
        scheme: str = "basic",
        ca: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        header = f"Authorization: {scheme} {secret if scheme == 'basic' else token}"
        options = ("-c", f"http.extraHeader={header}") if token else ()
        address = f"{self.world.fake.server_url}{url}"
        return self.run(
            "-C", str(self.folder), *options, "fetch", "-q", *arguments[:-1], address, arguments[-1], ca=ca
        )

    def objects(self, sha: str) -> str:
        return self.run("-C", str(self.folder), "rev-list", "--objects", "--missing=print", sha).stdout


@pytest.fixture
def store(tmp_path: Path, world: World) -> Store:
    return Store(tmp_path / "store.git", world)


@pytest.mark.parametrize("url", [URL, "/octo/app", "/Octo/App.git"])
def test_git_fetches_one_commit_by_its_id(world: World, store: Store, url: str) -> None:
    done = store.fetch("--depth=1", "--no-tags", world.head, token=world.fake.token(), url=url)
    assert done.returncode == 0, done.stderr
    assert len(store.run("-C", str(store.folder), "rev-list", world.head).stdout.split()) == 1
    assert all(each.is_git and each.status == 200 for each in world.fake.requests)
    assert world.fake.api_requests == []


def test_git_fetches_without_blobs_and_then_one_blob(world: World, store: Store) -> None:
    token = world.fake.token()
    assert store.fetch("--depth=1", "--filter=blob:none", world.head, token=token).returncode == 0
    blob = world.sandbox.git("rev-parse", f"{world.head}:new.py")
    assert f"?{blob}" in store.objects(world.head)
    assert store.fetch("--filter=blob:none", blob, token=token).returncode == 0
    assert f"?{blob}" not in store.objects(world.head)


def test_a_commit_that_no_branch_holds_can_be_fetched_by_its_id(world: World, store: Store) -> None:
    world.sandbox.git("checkout", "-q", "--detach")
    lost = world.sandbox.commit({"lost.py": "x\n"})
    world.sandbox.git("checkout", "-q", "main")
    assert store.fetch("--depth=1", lost, token=world.fake.token()).returncode == 0


def test_an_unknown_commit_is_an_error(world: World, store: Store) -> None:
    done = store.fetch("--depth=1", "1" * 40, token=world.fake.token())
    assert done.returncode != 0
    assert "not our ref" in done.stderr


@pytest.mark.parametrize(
    ("permissions", "scheme", "url", "status"),
    [
        (None, "basic", URL, 401),
        ({"contents": "read"}, "bearer", URL, 401),
        ({"pull-requests": "write"}, "basic", URL, 404),
        ({"contents": "read"}, "basic", "/octo/other.git", 404),
        ({"contents": "read"}, "basic", "/octo/app.git/deeper", 404),
    ],
)
def test_git_needs_a_token_that_may_read(
    world: World, store: Store, permissions: dict[str, str] | None, scheme: str, url: str, status: int
) -> None:
    token = world.fake.token(permissions=permissions) if permissions is not None else None
    assert store.fetch("--depth=1", world.head, token=token, scheme=scheme, url=url).returncode != 0
    assert {each.status for each in world.fake.requests} == {status}


def test_git_that_does_not_know_the_authority_sends_nothing(world: World, store: Store) -> None:
    done = store.fetch("--depth=1", world.head, token=world.fake.token(), ca=False)
    assert "certificate" in done.stderr
    assert world.fake.requests == []


def test_nobody_pushes(world: World, store: Store) -> None:
    token = world.fake.token(permissions={"contents": "write"})
    assert store.fetch("--depth=1", world.head, token=token).returncode == 0
    secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    header = f"http.extraHeader=Authorization: basic {secret}"
    address = f"{world.fake.server_url}{URL}"
    done = store.run("-C", str(store.folder), "-c", header, "push", address, f"{world.head}:refs/heads/new")
    assert done.returncode != 0
    assert world.fake.requests[-1].status == 403


def test_a_fault_can_meet_git_as_well(world: World, store: Store) -> None:
    world.fake.fail_next("GET", "/octo/app", 503, "unavailable")
    token = world.fake.token()
    assert "503" in store.fetch("--depth=1", world.head, token=token).stderr
    assert store.fetch("--depth=1", world.head, token=token).returncode == 0
