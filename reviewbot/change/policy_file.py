"""The policy of a run, read at the policy commit and never from head (THREATS R06)."""

from collections.abc import Mapping
from pathlib import Path

from reviewbot.change.git import Repository
from reviewbot.core import Sha
from reviewbot.errors import PolicyError
from reviewbot.settings import POLICY_PATH, Settings, resolve_settings


def read_settings(
    repository: Repository, policy_sha: Sha, file: Path | None, overrides: Mapping[str, object]
) -> tuple[Settings, str]:
    """The settings of a run, and a sentence that names the policy they come from.

    ``file`` is a policy on disk that takes the place of the one at ``policy_sha``; ``overrides`` are
    the arguments of the command line, by the field names of Settings.

    Raises:
        PolicyError: the policy cannot be read. UsageError: an override has a wrong value.
    """
    found = _find_policy(repository, policy_sha, file)
    if found is None:
        return resolve_settings([], overrides), ""
    data, where = found
    from reviewbot.policy import parse_policy  # noqa: PLC0415 - pydantic and yaml only where there is a policy

    return resolve_settings([parse_policy(data, where)], overrides), f"Policy: {where}."


def _find_policy(repository: Repository, policy_sha: Sha, file: Path | None) -> tuple[bytes, str] | None:
    if file is not None:
        try:
            return file.read_bytes(), ascii(str(file))[1:-1]
        except OSError as error:
            why = (error.strerror or "unreadable").lower()
            raise PolicyError(
                f"The policy file {str(file)!a} cannot be read: {why}.", help="Name another with --policy."
            ) from None
    entry = repository.entry_at(policy_sha, POLICY_PATH)
    if entry is None:
        return None
    where = f"{POLICY_PATH} at {policy_sha[:12]}"
    if entry.kind != "blob" or entry.mode == "120000":
        raise PolicyError(f"{where} is not a regular file.", help="Make it a file; links are not followed.")
    return repository.read_object(entry.sha), where
