"""The fix for failed tests, reviewed like any change before it is offered.

Its edits are applied to the blobs of head in memory; what comes out is read by the analyzers and, where
models are asked, by the security agent. What would block in a change withholds the fix.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.patched import patched
from reviewbot.core import ChangeSet, Evidence, Finding, Outcome
from reviewbot.errors import ReviewbotError
from reviewbot.evidence.collect import HandedIn, collect_evidence
from reviewbot.publish.patch import Patch, build_patch, head_reader
from reviewbot.secrets.masking import Masker
from reviewbot.settings import Settings, gate_rules
from reviewbot.steps import Run, ask_agents
from reviewbot.text import one_line
from reviewbot.verdict.gate import blocks
from reviewbot.verdict.grounding import ground_evidence
from reviewbot.verdict.quotes import ground_claims

AGENT = "security"

_STEERING = ("reviewbot/policy-changed", "reviewbot/agent-config-changed")
"""Rules of notices about files that steer later reviews: no fix of a test has business there."""


@dataclass(frozen=True, slots=True)
class OfferedPatch:
    """The patch as it may be offered (empty: not at all), sentences about it, and what its review cost."""

    data: bytes = b""
    notes: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def offer_patch(
    run: Run, settings: Settings, findings: Sequence[Finding], masker: Masker, *, ask_models: bool
) -> OfferedPatch:
    """The patch of the findings' edits, if its own review finds nothing that would block.

    A patch that could not be reviewed whole is not offered either.
    """
    patch = build_patch(findings, head_reader(run.repository, run.changes.head_sha))
    if not patch.data:
        return OfferedPatch(notes=patch.left_out)
    outcomes: list[Outcome] = []
    try:
        with run.step("reviewing the fix"):
            why = _review(run, settings, patch, masker, outcomes, ask_models=ask_models)
    except ReviewbotError as problem:
        why = f"it could not be reviewed ({one_line(str(problem), 200)})"
    run.journal.write("patch_reviewed", paths=len(patch.paths), withheld=bool(why))
    if why:
        notes = (*patch.left_out, f"The fix for the failed tests was withheld: {why}.")
        return OfferedPatch(notes=notes, outcomes=tuple(outcomes))
    return OfferedPatch(patch.data, patch.left_out, tuple(outcomes))


def _review(
    run: Run, settings: Settings, patch: Patch, masker: Masker, outcomes: list[Outcome], *, ask_models: bool
) -> str:
    """Why the patch must not be offered, or nothing."""
    head = run.changes.head_sha
    with patched(run.repository, head, dict(patch.files)) as (repository, tree):
        changes = load_change_set(repository, head, tree)
        collected = collect_evidence(
            repository, changes, HandedIn(), analyzers=settings.analyzers, excluded=()
        )
        if unread := [*collected.failed, *(each.path for each in changes.files if each.omitted)]:
            return f"{one_line(unread[0], 200)} in it could not be read"
        said: tuple[Evidence, ...] = ()
        if ask_models:
            why, said = _ask(run, settings, changes, repository, masker, outcomes)
            if why:
                return why
        evidence = (*collected.evidence, *said)
        findings, _ = ground_evidence(evidence, changes, repository, collected.masks)
        return _find_reason(findings, settings)


def _ask(  # noqa: PLR0917 - as above
    run: Run,
    settings: Settings,
    changes: ChangeSet,
    repository: Repository,
    masker: Masker,
    outcomes: list[Outcome],
) -> tuple[str, tuple[Evidence, ...]]:
    """What keeps the security agent from reading the patch whole, and what it says."""
    left = settings.budget_usd - sum(outcome.usd or 0.0 for outcome in run.spent)
    here = replace(run, repository=repository, changes=changes, request=replace(run.request, agents=(AGENT,)))
    nothing = collect_evidence(repository, changes, HandedIn(), analyzers=(), excluded=())
    agents = ask_agents(here, replace(settings, budget_usd=max(0.0, left)), nothing, (), masker, ())
    outcomes += agents.outcomes
    if agents.failed or agents.gaps:
        why = next(iter([gap.detail for gap in agents.gaps] or agents.failed.values()))
        return f"the security agent could not read it ({one_line(why.rstrip('.'), 200)})", ()
    claims = [claim for outcome in agents.outcomes for claim in outcome.claims]
    return "", ground_claims(claims, changes, repository, masker)[0]


def _find_reason(findings: Sequence[Finding], settings: Settings) -> str:
    paths = {finding.location.path for finding in findings if finding.location}
    rules = gate_rules(settings, paths)
    grave = [finding for finding in findings if blocks(finding, rules) or finding.rule in _STEERING]
    if not grave:
        return ""
    first = grave[0]
    at = f" at {one_line(first.location.path, 200)}:{first.location.start_line}" if first.location else ""
    more = f", and {len(grave) - 1} more" if len(grave) > 1 else ""
    return f"its own review found {one_line(first.rule, 80)}{at} ({first.severity}){more}"
