"""Real git over real https: tests/github serves a sandbox through git http-backend."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from reviewbot.change import fetch, partial
from reviewbot.change.changeset import load_change_set
from reviewbot.change.fetch import FetchError, fetch_store
from reviewbot.change.git import Repository, SearchError
from reviewbot.errors import RepositoryError, UnknownRevision, UsageError
from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox

NAME = "octo/app"
LINES = "".join(f"line {number}\n" for number in range(40))


class World:
    """A served repository: a base and a head with every kind of change, and the way to it."""

    def __init__(self, fake: FakeGitHub, sandbox: Sandbox, folder: Path) -> None:
        self.fake, self.sandbox, self.folder = fake, sandbox, folder
        sandbox.commit({"history.txt": "long ago\n"})
        self.base = sandbox.commit(
            {
                "moved.py": LINES,
                "changed.py": "a\nb\n",
                "gone.py": "x\n",
                "blob.bin": b"\0\1",
                "sub/same.py": "q = 1\n",
            }
        )
        os.rename(sandbox.folder / "moved.py", sandbox.folder / "sub" / "here.py")
        sandbox.remove("gone.py")
        files: dict[str, str | bytes] = {
            "sub/here.py": LINES + "more\n", "changed.py": "a\nc\n", "copy.py": "a\nb\n", "blob.bin": b"\0\2",
            "sub/.gitattributes": "*.py linguist-generated\n", "odd\nname:1": "q = 2\n",
        }  # fmt: skip
        self.head = sandbox.commit(files)
        fake.add_repository(NAME, sandbox.folder)
        self.url = f"{fake.server_url}/{NAME}.git"
        self.token = fake.token()
        self.environment: Mapping[str, str] = {"SSL_CERT_FILE": str(fake.ca_file)}

    def fetch(self, name: str = "store", **changes: object) -> fetch.FetchedStore:
        asked = {
            "folder": self.folder / name, "url": self.url, "token": self.token,
            "commits": [self.base, self.head], "partial": False, "environment": self.environment,
        }  # fmt: skip
        return fetch_store(**(asked | changes))  # type: ignore[arg-type]

    @property
    def fetches(self) -> int:
        """How often git asked for objects."""
        return sum(each.method == "POST" for each in self.fake.requests)


@pytest.fixture
def world(sandbox: Sandbox, tmp_path: Path) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, sandbox, tmp_path / "fetched")


def test_exactly_the_commits_come_without_history_tags_or_refs(world: World) -> None:
    world.sandbox.git("tag", "v1")
    store = world.fetch()
    with Repository(store.git_dir) as repository, Repository(world.sandbox.folder) as original:
        assert load_change_set(repository, world.base, world.head) == load_change_set(
            original, world.base, world.head
        )
        assert not repository.has(original.parents(world.base)[0])
        assert repository.is_shallow
    assert list((store.git_dir / "refs").rglob("*")) == []
    assert not (store.git_dir / "packed-refs").exists()
    assert not (store.git_dir / "FETCH_HEAD").exists()


def test_a_partial_store_gets_the_blobs_of_a_change_in_one_fetch(world: World) -> None:
    store = world.fetch(partial=True)
    with Repository(store.git_dir) as bare, pytest.raises(RepositoryError):
        load_change_set(bare, world.base, world.head)
    before = world.fetches
    with (
        Repository(store.git_dir, store.fetch_objects) as repository,
        Repository(world.sandbox.folder) as original,
    ):
        assert load_change_set(repository, world.base, world.head) == load_change_set(
            original, world.base, world.head
        )
        assert world.fetches == before + 1
        same = original.entries_at(world.head, ["sub/same.py"])["sub/same.py"].sha
        assert not repository.has(same)
        assert repository.read_object(same) == b"q = 1\n"
        assert repository.sizes([same]) == {same: 6}
        assert world.fetches == before + 2


def test_a_partial_store_reads_attributes(world: World) -> None:
    store = world.fetch(partial=True)
    with Repository(store.git_dir, store.fetch_objects) as repository:
        found = repository.attributes(world.head, ["sub/here.py"], ["linguist-generated"])
    assert found == {"sub/here.py": {"linguist-generated": "set"}}


def test_a_search_in_a_partial_store_finds_what_a_full_one_finds(world: World) -> None:
    store = world.fetch(partial=True)
    before = world.fetches
    with (
        Repository(store.git_dir, store.fetch_objects) as repository,
        Repository(world.sandbox.folder) as original,
    ):
        found = repository.grep(world.head, "q = ", max_count=9)
        assert found == original.grep(world.head, "q = ", max_count=9)
        assert {hit.path for hit in found} == {"sub/same.py", "odd\nname:1"}
    assert world.fetches == before + 1


def test_a_search_that_would_fetch_too_much_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "MAX_SEARCHED_FILES", 2)
    store = world.fetch(partial=True)
    with Repository(store.git_dir, store.fetch_objects) as repository:
        with pytest.raises(SearchError, match="would have to fetch 8 files; 2 is the limit"):
            repository.grep(world.head, "q", max_count=9)
        assert [hit.path for hit in repository.grep(world.head, "b", pathspec=["copy.py"], max_count=9)] == [
            "copy.py"
        ]


def test_an_object_that_the_server_does_not_have_is_an_error_every_time(world: World) -> None:
    store = world.fetch(partial=True)
    with Repository(store.git_dir, store.fetch_objects) as repository:
        for _ in range(2):
            with pytest.raises(FetchError, match="not in the repository any more"):
                repository.read_object("1" * 40)
        assert repository.read_object(world.base)


def test_the_token_is_in_the_environment_of_git_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, shim, log = shutil.which("git"), tmp_path / "bin" / "git", tmp_path / "log"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\n{{ printf "%s\\n" "$@"; echo; }} >> {log}\nenv >> {log}.env\n'
        f'GIT_TRACE={log}.trace exec {real} "$@"\n'
    )
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    store = world.fetch(partial=True)
    with Repository(store.git_dir, store.fetch_objects) as repository:
        load_change_set(repository, world.base, world.head)
    secrets = [world.token.encode(), base64.b64encode(f"x-access-token:{world.token}".encode())]
    assert secrets[1] in (tmp_path / "log.env").read_bytes()
    assert b"fetch" in log.read_bytes()
    assert b"remote-https" in (tmp_path / "log.trace").read_bytes()
    written = [path for path in world.folder.rglob("*") if path.is_file()]
    assert len(written) > 5
    for path in (*written, log, tmp_path / "log.trace"):
        data = path.read_bytes()
        assert not any(secret in data for secret in secrets), path


def test_the_users_configuration_takes_no_part(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "somebody"
    (home / ".config").mkdir(parents=True)
    marker = tmp_path / "marker"
    config = f'[url "https://127.0.0.1:1/"]\n\tinsteadOf = {world.fake.server_url}/\n[credential]\n\thelper = !touch {marker}\n'
    (home / ".gitconfig").write_text(config)
    (home / ".netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    monkeypatch.setenv("GIT_ASKPASS", f"touch {marker}")
    world.fetch()
    with pytest.raises(FetchError, match="certificate"):
        world.fetch("other", environment={})
    with pytest.raises(FetchError):
        world.fetch("nobody", token="")
    assert not marker.exists()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/o/r.git", "git://127.0.0.1/o/r", "ssh://git@127.0.0.1/o/r", "git@127.0.0.1:o/r", "/tmp/r",
     "file:///tmp/r", "ext::sh -c id", "https::https://x/", "--upload-pack=id", "https://u:p@127.0.0.1/o/r",
     "https://127.0.0.1/o/r?x=1", "https://127.0.0.1/o r", "https://127.0.0.1/o\n/r", ""],
)  # fmt: skip
def test_only_https_is_spoken(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="repository is not an https address"):
        fetch_store(tmp_path / "s", url, "t", ["a" * 40], partial=False, environment={})
    assert not (tmp_path / "s").exists()


def test_a_git_server_that_speaks_http_or_a_path_is_refused_by_git_too(world: World) -> None:
    store = world.fetch()
    for url in (f"file://{world.sandbox.folder}", str(world.sandbox.folder), "http://127.0.0.1:1/x"):
        with pytest.raises(FetchError, match=r"transport '\w+' not allowed"):
            store._remote.run(store.git_dir, "fetch", url, world.head)


def test_a_wrong_authority_is_refused(world: World, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(FetchError, match="certificate of the git server could not be verified") as caught:
        world.fetch(environment={"SSL_CERT_FILE": str(tmp_path / "other.pem")})
    assert "SSL_CERT_FILE" in caught.value.sentences
    assert world.fake.requests == []


def test_the_authority_may_be_named_as_for_requests(world: World) -> None:
    assert world.fetch(environment={"REQUESTS_CA_BUNDLE": str(world.fake.ca_file)}).git_dir.is_dir()


def test_a_commit_that_is_not_there_is_said(world: World) -> None:
    with pytest.raises(FetchError, match="not in the repository any more") as caught:
        world.fetch(commits=[world.base, "1" * 40])
    assert caught.value.exit_code == 3
    with pytest.raises(UnknownRevision, match="not a full object id"):
        world.fetch("other", commits=["--all"])


def test_a_commit_that_is_only_wished_for_comes_along_or_is_missed_by_nobody(world: World) -> None:
    old = world.sandbox.git("rev-parse", f"{world.base}~")
    with Repository(world.fetch(wished=(old,)).git_dir) as repository:
        assert repository.has(old)
    assert world.fetches == 1
    store = world.fetch("another", wished=("d" * 40, "e" * 64))
    with Repository(store.git_dir) as repository:
        assert [repository.has(sha) for sha in (world.base, world.head, old)] == [True, True, False]


def test_a_repository_that_is_not_there_is_said(world: World) -> None:
    with pytest.raises(FetchError, match="does not exist, or the token may not read it"):
        world.fetch(url=f"{world.fake.server_url}/octo/absent.git")


@pytest.mark.parametrize("token", ["", "ghs_wrong"])
def test_a_token_that_may_not_read_is_said_and_not_shown(world: World, token: str) -> None:
    with pytest.raises(FetchError, match=r"refused the token|may not read it") as caught:
        world.fetch(token=token)
    assert "ghs_wrong" not in caught.value.sentences


@pytest.mark.parametrize("status", [301, 302, 307])
def test_no_redirect_is_followed(world: World, status: int) -> None:
    place = f"{world.fake.server_url}/octo/app.git/info/refs?service=git-upload-pack"
    world.fake.fail_next("GET", "info/refs", status, "", {"Location": place})
    with pytest.raises(FetchError, match="redirected to another address"):
        world.fetch()
    assert len(world.fake.requests) == 1


def test_a_fault_of_the_network_is_tried_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0.0)
    world.fake.fail_next("GET", "info/refs", 502, "")
    assert world.fetch().git_dir.is_dir()
    world.fake.fail_next("GET", "info/refs", 502, "", times=2)
    with pytest.raises(FetchError, match="could not be fetched"):
        world.fetch("other")


def test_a_connection_that_is_cut_is_tried_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0.0)
    world.fake.fail_next("GET", "info/refs", 0)
    assert world.fetch().git_dir.is_dir()
    world.fake.fail_next("GET", "info/refs", 0, times=2)
    with pytest.raises(FetchError, match="could not be fetched"):
        world.fetch("other")


def test_a_proxy_is_used_and_may_be_exempt(world: World) -> None:
    proxied = {**world.environment, "HTTPS_PROXY": "http://127.0.0.1:1"}
    with pytest.raises(FetchError, match="could not be fetched"):
        world.fetch(environment=proxied)
    assert world.fetch("exempt", environment={**proxied, "NO_PROXY": "127.0.0.1"}).git_dir.is_dir()


def test_a_fetch_that_takes_too_long_is_stopped_with_its_helpers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.0)
    with pytest.raises(FetchError, match="took longer than 0.0 seconds and was stopped"):
        world.fetch()
    helpers = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert world.url not in helpers


def test_a_folder_that_is_taken_is_named(world: World) -> None:
    world.fetch()
    with pytest.raises(FetchError, match="cannot take the commits: file exists"):
        world.fetch()


def test_no_commit_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="git would fetch HEAD"):
        world.fetch(commits=[])
