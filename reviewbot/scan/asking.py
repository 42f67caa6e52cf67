"""The agents of a scan: what earlier scans know, what one left under way, then what is new of this tree."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.agents.batches.ledger import BatchLedger, ScanUnderWay
from reviewbot.agents.spec import SPECS
from reviewbot.change.instructions import read_instructions
from reviewbot.scan.earlier import Earlier, take_up
from reviewbot.scan.prepared import Asked, Prepared
from reviewbot.scan.progress import ReadingsUnderWay
from reviewbot.scan.readings import (
    Reading,
    add_readings,
    by_key,
    close_readings,
    explain,
    hash_recipe,
    make_readings,
    open_claims,
    recall,
)
from reviewbot.settings import Settings
from reviewbot.steps import Run, ask_agents, readers_of
from reviewbot.verdict.memory import ScanMemory

if TYPE_CHECKING:
    from reviewbot.agents.results import Watch


def ask(prepared: Prepared, memory: ScanMemory | None) -> Asked:
    """What agents say of the tree; files that ``memory`` knows are not read again, unless all are to be.

    Batches that a scan of another commit left are collected first, and what they say of files that are the
    same counts. Where they have not ended, nothing new is asked. Raises ReviewbotError.
    """
    run, settings, excluded = prepared.run, prepared.settings, prepared.excluded
    paths = [change.path for change in run.changes.files]
    read = read_instructions(run.repository, run.trigger.policy_sha, paths)
    instructions = (*run.request.told, *read)
    recipe = hash_recipe(settings.models, instructions)
    earlier = take_up(prepared, recipe, memory)
    reused = {**_recall(run, memory, recipe, excluded), **earlier.choose(recipe, run.changes, excluded)}
    run.journal.write("readings_reused", files=len(reused))
    run, settings = _after(earlier, run, settings, recipe, reused)
    watch = _keep_at_once(run, memory, recipe, settings.models) if memory else None
    unread, still_open = {*excluded, *reused}, open_claims(reused.values())
    agents = ask_agents(
        run,
        settings,
        prepared.collected,
        unread,
        prepared.masker,
        instructions,
        watch=watch,
        earlier=still_open,
    )
    reused = close_readings(reused, agents)
    said = (claim for outcome in agents.outcomes for claim in outcome.claims)
    new = {} if agents.by_fallback else make_readings(agents, run.changes)
    told = {reason.code for reason in agents.gaps}
    return Asked(
        claims=(*said, *(claim for reading in reused.values() for claim in reading.claims)),
        readers=add_readings(readers_of(agents), reused),
        outcomes=(*earlier.outcomes, *agents.outcomes),
        gaps=(*agents.gaps, *(reason for reason in earlier.gaps if reason.code not in told)),
        notes=(*earlier.notes, *agents.notes),
        reused={path: explain(reading) for path, reading in reused.items()},
        readings=by_key(recipe, run.changes, {**reused, **new}),
    )


def _recall(
    run: Run, memory: ScanMemory | None, recipe: str, excluded: Mapping[str, str]
) -> dict[str, Reading]:
    """What earlier scans made of files of this tree, by path."""
    return {} if memory is None or run.request.full else recall(memory, recipe, run.changes, excluded)


def _after(
    earlier: Earlier, run: Run, settings: Settings, recipe: str, reused: Mapping[str, Reading]
) -> tuple[Run, Settings]:
    """The run as it goes on: with what the earlier scan has left of the budget, noted in the ledger as the
    one under way; or, where that scan still is, with nothing new to ask.
    """
    settings = replace(settings, budget_usd=max(0.0, settings.budget_usd - earlier.new_usd))
    options, trigger = run.request.batches, run.trigger
    if options is None or options.state is None:
        return run, settings
    if earlier.gaps:
        held = replace(run.request, batches=replace(options, begins=False))
        return replace(run, request=held), settings
    full = run.request.full
    with BatchLedger(options.state, trigger.repository, options.key) as ledger:
        known = ledger.scan()
        if known is None or not known.asks_as(trigger.head_sha, recipe, full=full):
            ledger.note_scan(ScanUnderWay(trigger.head_sha, trigger.policy_sha, recipe, len(reused), full))
    return run, settings


def _keep_at_once(run: Run, memory: ScanMemory, recipe: str, models: Mapping[str, str]) -> "Watch | None":
    """What keeps readings while the agents work; None in batches, which the next run goes on with itself,
    and asks for that what this one did, to the letter.
    """
    if run.request.batches:
        return None
    verify = SPECS["verify"]
    has_second_look = bool(models.get(verify.name) or models.get(verify.model_tier))
    return ReadingsUnderWay(
        run.changes, recipe, memory.keep, run.journal, has_second_look=has_second_look
    ).watch
