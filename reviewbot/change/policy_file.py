"""The policy of a run, read at the policy commit and never from head (THREATS R06)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reviewbot.change.git import Repository
from reviewbot.core import Sha
from reviewbot.errors import PolicyError
from reviewbot.settings import POLICY_PATH, Settings, resolve_settings
from reviewbot.tighten import tighten_settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says about settings.

    ``file`` is a policy on disk that takes the place of the repository's; ``path`` is another place for
    the policy within the repository. ``overrides`` are arguments by the field names of Settings; with
    ``tighten`` they count only where they make the policy stricter.
    """

    file: Path | None = None
    path: str = POLICY_PATH
    overrides: Mapping[str, object] = field(default_factory=dict)
    tighten: bool = False


def read_settings(repository: Repository, policy_sha: Sha, asked: Asked) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a run, and sentences that name the policy and the arguments that did not count.

    Raises:
        PolicyError: the policy cannot be read. UsageError: an override has a wrong value.
    """
    found = _find_policy(repository, policy_sha, asked)
    policies = []
    notes: tuple[str, ...] = ()
    if found is not None:
        from reviewbot.policy import parse_policy  # noqa: PLC0415 - pydantic and yaml only where there is one

        data, where = found
        policies.append(parse_policy(data, where))
        notes = (f"Policy: {where}.",)
    if not asked.tighten:
        return resolve_settings(policies, asked.overrides), notes
    settings, ignored = tighten_settings(policies, asked.overrides)
    return settings, (*notes, *ignored)


def _find_policy(repository: Repository, policy_sha: Sha, asked: Asked) -> tuple[bytes, str] | None:
    if asked.file is not None:
        try:
            return asked.file.read_bytes(), ascii(str(asked.file))[1:-1]
        except OSError as error:
            why = (error.strerror or "unreadable").lower()
            raise PolicyError(
                f"The policy file {str(asked.file)!a} cannot be read: {why}.",
                help="Name another with --policy.",
            ) from None
    where = f"{ascii(asked.path)[1:-1]} at {policy_sha[:12]}"
    if asked.tighten and asked.path != POLICY_PATH and repository.entry_at(policy_sha, POLICY_PATH):
        raise PolicyError(
            f"The input `policy` names {ascii(asked.path)[:200]}, but the repository has {POLICY_PATH}.",
            help="Leave the input out: a workflow may come with the change and cannot choose another policy.",
        )
    entry = repository.entry_at(policy_sha, asked.path)
    if entry is None and asked.path == POLICY_PATH:
        return None
    if entry is None:
        raise PolicyError(f"There is no {where}.", help="Correct the input `policy`, or leave it out.")
    if entry.kind != "blob" or entry.mode == "120000":
        raise PolicyError(f"{where} is not a regular file.", help="Make it a file; links are not followed.")
    return repository.read_object(entry.sha), where
