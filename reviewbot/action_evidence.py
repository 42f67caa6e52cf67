"""What a run on GitHub fetches beside the commits: artifacts of another run, and what failed jobs said."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reviewbot.action_inputs import Inputs, api_url
from reviewbot.change.artifacts import choose_artifacts, unpack_artifacts
from reviewbot.change.job_logs import FailedJobs, fetch_failed_jobs
from reviewbot.core import Sha
from reviewbot.github_api import GitHub
from reviewbot.github_files import download_artifact, download_log


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask, and for what: the repository, the action's inputs and its environment."""

    repository: str
    inputs: Inputs
    environment: Mapping[str, str]


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
