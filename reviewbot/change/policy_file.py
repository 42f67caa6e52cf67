"""The policy of a run, read at the policy commit and never from head (THREATS R06)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reviewbot.change.git import Repository
from reviewbot.core import Sha
from reviewbot.errors import PolicyError
from reviewbot.github.answers import SharedPolicy
from reviewbot.policy.cascade import resolve_settings
from reviewbot.policy.tighten import tighten_settings
from reviewbot.settings import POLICY_PATH, Policy, Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says about settings.

    ``file`` is a policy on disk that takes the place of the repository's; ``path`` is another place for
    the policy within the repository. ``shared`` is what the organisation holds for all of its repositories
    (None: nobody looked); the repository's beats it. ``overrides`` are arguments by the field names of
    Settings; with ``tighten`` they count only where they make the policy stricter.
    """

    file: Path | None = None
    path: str = POLICY_PATH
    shared: SharedPolicy | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    tighten: bool = False


def read_settings(repository: Repository, policy_sha: Sha, asked: Asked) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a run, and sentences that name the policy and the arguments that did not count.

    Raises:
        PolicyError: the policy cannot be read. UsageError: an override has a wrong value.
    """
    found = _find_policy(repository, policy_sha, asked)
    notes: tuple[str, ...] = (asked.shared.said,) if asked.shared else ()
    notes += (f"Policy: {found[1]}.",) if found else ()
    policies = [_parse(*each) for each in (_shared_policy(asked.shared), found) if each is not None]
    if not asked.tighten:
        return resolve_settings(policies, asked.overrides), notes
    settings, ignored = tighten_settings(policies, asked.overrides)
    return settings, (*notes, *ignored)


def _parse(data: bytes, where: str) -> Policy:
    from reviewbot.policy.file import parse_policy  # noqa: PLC0415 - pydantic and yaml only where there is one

    return parse_policy(data, where)


def _shared_policy(shared: SharedPolicy | None) -> tuple[bytes, str] | None:
    if shared is not None and shared.fault:
        raise PolicyError(
            f"{shared.where}: {shared.fault}.",
            help="Whoever keeps that file must correct it.",
        )
    if shared is None or shared.text is None:
        return None
    return shared.text.encode("utf-8", "surrogatepass"), shared.where


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
