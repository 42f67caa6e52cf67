"""What a scan knows of a tree before agents are asked, and what they said of it in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reviewbot.change.moved import settle_exclusions
from reviewbot.claims import Claim, Outcome
from reviewbot.core import Reason
from reviewbot.evidence.collect import Collected
from reviewbot.evidence.held import hide_secrets, make_masker
from reviewbot.secrets.masking import Masker
from reviewbot.settings import Settings
from reviewbot.steps import Run, collect
from reviewbot.verdict.baseline import BASELINE_PATH
from reviewbot.verdict.coverage import Readers

OWN_FILE = "the baseline of reviewbot itself"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tree whose evidence is collected; ``excluded`` gives the rule by path."""

    run: Run
    settings: Settings
    excluded: Mapping[str, str]
    collected: Collected
    masker: Masker


@dataclass(frozen=True, slots=True)
class Asked:
    """What the agents of this scan and of earlier ones said; ``readers`` is None where none were asked.

    ``reused``: why a file that rests on an earlier reading counts as read, by path.
    """

    claims: tuple[Claim, ...] = ()
    readers: Readers | None = None
    outcomes: tuple[Outcome, ...] = ()
    gaps: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    reused: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, str] = field(default_factory=dict)


NOBODY = Asked()


def prepare(run: Run, settings: Settings) -> Prepared:
    """Settle what is left out, run the analyzers, find what is to be hidden. Raises ReviewbotError."""
    request, repository = run.request, run.repository
    changes, excluded = settle_exclusions(
        repository, run.trigger.policy_sha, run.changes, settings, request.paths
    )
    # Its hashes look like secrets, and to read it anew would cost something in every scan.
    excluded = {**excluded, **{c.path: OWN_FILE for c in changes.files if c.path == BASELINE_PATH}}
    run = replace(run, changes=changes)
    collected = collect(run, settings, excluded, is_scan=True)
    masker = make_masker(request, changes, repository.read_object, collected)
    return Prepared(run, settings, excluded, hide_secrets(collected, masker), masker)
