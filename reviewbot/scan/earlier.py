"""A scan of another commit that was left with batches under way: its answers count for what is the same.

It is gone through once more, to the letter: then it asks what it asked, and is answered from the ledger.
What it had not asked yet it asks only about files that are the same in the newer commit. What nobody goes
on with is cancelled, counted and told.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from reviewbot.agents.batches.ledger import BatchLedger, ScanUnderWay
from reviewbot.agents.batches.rest import ENDS_SECONDS, Rest, count_rest, drop_batches
from reviewbot.agents.batches.wait import BatchWait
from reviewbot.agents.results import AgentsReview
from reviewbot.change.changeset import load_change_set
from reviewbot.change.instructions import read_instructions
from reviewbot.change.policy_file import read_settings
from reviewbot.claims import Outcome, Stop, Task
from reviewbot.core import ChangeSet, Reason
from reviewbot.errors import RepositoryError
from reviewbot.scan.prepared import Prepared, prepare
from reviewbot.scan.readings import (
    Reading,
    by_key,
    choose_readings,
    close_readings,
    make_readings,
    open_claims,
    recall,
)
from reviewbot.settings import Settings
from reviewbot.steps import LEFT_TO_THE_NEXT_RUN, Run, ask_agents
from reviewbot.verdict.memory import ScanMemory

AGENT = "earlier scan"
"""Under this name the report tells what answers cost that nobody asks for any more."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of an earlier scan in this run.

    ``readings`` by their keys are for the tree of this run, too. ``gaps``: why the scan is still under way;
    empty where it is over. ``new_usd`` is what this run was charged for it. ``was_kept``: a run that was
    killed has kept what it says.
    """

    readings: Mapping[str, str] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    gaps: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    new_usd: float = 0.0
    was_kept: bool = False

    def choose(self, recipe: str, changes: ChangeSet, excluded: Collection[str]) -> dict[str, Reading]:
        """Its readings that hold for files of a tree, by path."""
        return choose_readings(self.readings, recipe, changes, excluded)


NOTHING = Earlier()


def take_up(prepared: Prepared, recipe: str, memory: ScanMemory | None) -> Earlier:
    """Go on with the scan of another commit, or another recipe, that the state holds.

    Raises ReviewbotError.
    """
    run = prepared.run
    options = run.request.batches
    if memory is None or options is None or options.state is None:
        return NOTHING
    with BatchLedger(options.state, run.trigger.repository, options.key) as ledger:
        found = ledger.scan()
    if found is None or found.asks_as(run.trigger.head_sha, recipe, full=run.request.full):
        return NOTHING
    with run.step(f"going on with the scan of {found.head_sha[:12]}"):
        gone_through = _go_through(prepared, found, recipe, memory)
    if gone_through.gaps:
        return gone_through
    memory.keep(gone_through.readings)
    return _let_go(prepared, found, gone_through)


def _go_through(prepared: Prepared, found: ScanUnderWay, recipe: str, memory: ScanMemory) -> Earlier:
    """The scan once more, as far as it can be used."""
    run = prepared.run
    if found.recipe != recipe or run.request.full or not _is_there(run, found):
        return NOTHING
    trigger = replace(run.trigger, head_sha=found.head_sha, policy_sha=found.policy_sha)
    changes = load_change_set(run.repository, run.repository.empty_tree, found.head_sha)
    before, excluded = replace(run, trigger=trigger, changes=changes), prepared.excluded
    settings, _ = read_settings(run.repository, found.policy_sha, run.request.asked)
    then = prepare(before, settings)
    reused = {} if found.full else recall(memory, recipe, then.run.changes, then.excluded)
    if len(reused) > found.reused:
        return Earlier(was_kept=True)
    paths = [change.path for change in then.run.changes.files]
    instructions = (*run.request.told, *read_instructions(run.repository, found.policy_sha, paths))
    now = {(each.head_mode, each.head_blob) for each in run.changes.files if each.path not in excluded}
    still = {each.path for each in then.run.changes.files if (each.head_mode, each.head_blob) in now}
    agents = ask_agents(
        then.run,
        settings,
        then.collected,
        {*then.excluded, *reused},
        then.masker,
        instructions,
        earlier=open_claims(reused.values()),
        still=still,
    )
    return _sum_up(agents, then, close_readings(reused, agents), still, recipe)


def _is_there(run: Run, found: ScanUnderWay) -> bool:
    try:
        return all(run.repository.resolve(sha, "commit") for sha in (found.head_sha, found.policy_sha))
    except RepositoryError:
        return False


def _sum_up(
    agents: AgentsReview, then: Prepared, reused: Mapping[str, Reading], still: Collection[str], recipe: str
) -> Earlier:
    new = {} if agents.by_fallback else make_readings(agents, then.run.changes)
    kept = {path: reading for path, reading in {**reused, **new}.items() if path in still}
    asked = [outcome for outcome in agents.outcomes if outcome.turns and (outcome.usd or outcome.usd is None)]
    usd = sum(outcome.usd or 0.0 for outcome in asked)
    unfit = sum((outcome.usd or 0.0) * _share_gone(outcome, kept) for outcome in asked)
    gaps = tuple(reason for reason in agents.gaps if reason.code in LEFT_TO_THE_NEXT_RUN)
    read = sum(path in kept for path in new)
    files = f"{read} file{'s' * (read != 1)}"
    note = (
        f"A scan of {then.run.trigger.head_sha[:12]} had batches under way: what it says of {files} that are "
        f"the same counts here, and ${unfit:.4f} of its ${usd:.4f} went to what does not."
    )
    return Earlier(
        readings={} if gaps else by_key(recipe, then.run.changes, kept),
        outcomes=tuple(replace(outcome, claims=()) for outcome in asked),
        gaps=gaps,
        notes=() if gaps else (note,),
        new_usd=agents.charged_usd,
    )


def _share_gone(outcome: Outcome, kept: Collection[str]) -> float:
    paths = outcome.task.paths
    return sum(path not in kept for path in paths) / max(1, len(paths))


def _let_go(prepared: Prepared, found: ScanUnderWay, earlier: Earlier) -> Earlier:
    """Cancel and count what nobody asks for any more, and forget the scan."""
    run = prepared.run
    options = run.request.batches
    if options is None:
        return earlier
    with BatchLedger(options.state, run.trigger.repository, options.key) as ledger:
        rest = _count(run, prepared.settings, ledger)
        if earlier.was_kept:
            rest = replace(rest, answers=0, usd=rest.new_usd)
        ledger.clear()
    if not (rest.answers or rest.cancelled or rest.unknown):
        return earlier
    outcome = Outcome(
        Task(AGENT, ()), "several", "", Stop.DONE, usd=None if rest.unknown else rest.usd, turns=rest.answers
    )
    return replace(
        earlier,
        outcomes=(*earlier.outcomes, outcome),
        notes=(*earlier.notes, _tell(found, rest)),
        new_usd=earlier.new_usd + rest.new_usd,
    )


def _count(run: Run, settings: Settings, ledger: BatchLedger) -> Rest:
    from reviewbot.agents.api.claude import connect  # noqa: PLC0415 - anthropic costs 1.6 s of CPU
    from reviewbot.spend.prices import own_prices  # noqa: PLC0415 - as above

    prices = own_prices(settings.prices)
    known = count_rest(ledger, run.batch_keys, prices)
    if not any(batch.keys.isdisjoint(run.batch_keys) for batch in ledger.open_batches()):
        return known
    wait = BatchWait(ENDS_SECONDS, run.step, is_kept=False)
    claude = connect(run.request.environment)
    dropping = drop_batches(ledger, run.batch_keys, claude, wait=wait, prices=prices, journal=run.journal)
    dropped = asyncio.run(dropping)
    with run.purse.opened(run.request, run.trigger, settings) as draw:
        draw.settle(dropped.new_usd)
    return replace(dropped, answers=known.answers + dropped.answers, usd=known.usd + dropped.usd)


def _tell(found: ScanUnderWay, rest: Rest) -> str:
    answers = f"{rest.answers} answer{'s' * (rest.answers != 1)}"
    said = (
        f"{answers} of the scan of {found.head_sha[:12]} (${rest.usd:.4f}) no longer fit and count as spent"
    )
    more = [f"{rest.cancelled} of its requests were cancelled"] if rest.cancelled else []
    more += [f"what {rest.unknown} more cost is not known"] if rest.unknown else []
    return "; ".join((said, *more)) + "."
