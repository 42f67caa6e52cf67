"""What a run on GitHub fetches: the commits, artifacts of another run, and what failed jobs said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reviewbot.action.inputs import Inputs, api_url, passed_on
from reviewbot.change.artifacts import choose_artifacts, unpack_artifacts
from reviewbot.change.fetch import fetch_store
from reviewbot.change.git import Repository
from reviewbot.change.job_logs import FailedJobs, fetch_failed_jobs
from reviewbot.core import Sha, Trigger
from reviewbot.github.api import GitHub
from reviewbot.github.files import download_artifact, download_log

LARGE_KIB = 100 * 1024
"""From this size on a repository's files are fetched one by one, as the review needs them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask, and for what: the repository, the action's inputs and its environment.

    ``size_kib`` is the repository's size, None where the event does not tell.
    """

    repository: str
    inputs: Inputs
    environment: Mapping[str, str]
    size_kib: int | None = None


def fetch_commits(place: Place, folder: Path, trigger: Trigger, wished: Sequence[Sha]) -> Repository:
    """The three commits of a run in a new store at ``folder`` and, if they can be had, those wished for.

    Raises FetchError.
    """
    server = place.environment.get("GITHUB_SERVER_URL") or "https://github.com"
    named = (trigger.head_sha, trigger.base_sha, trigger.policy_sha)
    large = place.size_kib is None or place.size_kib > LARGE_KIB
    store = fetch_store(
        folder,
        f"{server.rstrip('/')}/{trigger.repository}.git",
        place.inputs.token,
        tuple(dict.fromkeys(sha for sha in named if sha)),
        partial=large,
        environment=passed_on(place.environment),
        wished=wished,
    )
    return Repository(store.git_dir, fetch_missing=store.fetch_objects if large else None)


def fetch_artifacts(github: GitHub, place: Place, run_id: int, folder: Path) -> None:
    """Unpack into ``folder`` what the patterns name of the artifacts of a run.

    Raises ArtifactError and GitHubError.
    """
    inputs = place.inputs
    patterns = (*inputs.sarif, *inputs.junit, *inputs.logs)
    listing = github.read_artifacts(place.repository, run_id) if patterns else {}
    get = partial(download_artifact, api_url(place.environment), inputs.token, place.repository)
    unpack_artifacts(choose_artifacts(listing, patterns), get, folder)


def fetch_jobs(github: GitHub, place: Place, head_sha: Sha, followed: int | None) -> FailedJobs:
    """The failed jobs of the run that this one follows, else of this run and of others on the head."""
    own = place.environment.get("GITHUB_RUN_ID", "")
    this = [int(own)] if own.isascii() and own.isdigit() and len(own) < 19 else []
    get = partial(download_log, api_url(place.environment), place.inputs.token, place.repository)
    runs = this if followed is None else [followed]
    return fetch_failed_jobs(github, get, place.repository, head_sha, runs, is_whole=followed is not None)
