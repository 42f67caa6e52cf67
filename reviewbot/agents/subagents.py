"""The agents over one change: triage, then security with its second look, and test_fix beside it.

Triage only adds attention: the floor claims what it claims whatever triage says. A task that did not
end as ``done`` leaves its files unread and takes nothing from what other tasks found (THREATS R33).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reviewbot.agents.admission import Warmth
from reviewbot.agents.api.claude import Claude
from reviewbot.agents.api.lifecycle import Describer, Lifecycles
from reviewbot.agents.batches.gathering import Batches, OnlyBegun
from reviewbot.agents.brief import Brief, Means
from reviewbot.agents.conversation.history import Prompt, tokens_of, weigh
from reviewbot.agents.conversation.loop import Asker
from reviewbot.agents.delivery import LIVE
from reviewbot.agents.journal_lines import record_routes
from reviewbot.agents.prompts import (
    Fence,
    build_security_prompt,
    draw_fence,
    foreign_texts,
    render_shared,
)
from reviewbot.agents.results import AgentsReview, Ended, Progress, Watch, readers_of, sum_up
from reviewbot.agents.rounds.second_look import Looked, look_again
from reviewbot.agents.rounds.security import SecurityRound
from reviewbot.agents.rounds.test_fix import FixingRound
from reviewbot.agents.rounds.triage import TriageRound
from reviewbot.agents.routes import Claimed, Routes, claim_every, claim_files, leave_unread, route_files
from reviewbot.agents.spec import SPECS, AgentSpec
from reviewbot.agents.task_runner import TaskRunner
from reviewbot.agents.tasks import Entry, Readable, failed_tests, plan_security, select_readable
from reviewbot.agents.view.failing_tests import look_at_tests
from reviewbot.agents.view.prefetch import Surroundings
from reviewbot.agents.view.tools import Toolbox
from reviewbot.change.git import Repository
from reviewbot.claims import Task
from reviewbot.core import FileChange
from reviewbot.hooks import HookCalls
from reviewbot.journal import Journal
from reviewbot.spend.budget import Ledger

Job = tuple[Task, Prompt]

_TRIAGE_SHARE = 1 / 3
"""So much of the money triage may use up: what it finds is only worth something if it is read."""


def review_with_agents(
    brief: Brief,
    means: Means,
    repository: Repository,
    claude: Claude,
    journal: Journal,
    *,
    watch: Watch | None = None,
) -> AgentsReview:
    """Let the agents review a change; runs an event loop of its own and closes ``claude`` at its end.

    ``watch`` is told what is finished as it comes, for as long as no fallback took part.
    """
    masker, batches = brief.masker, means.batches
    brief = brief.masked(repository.read_object)
    delivery = batches.delivery if batches else LIVE
    runner = TaskRunner(
        changes=brief.changes,
        toolbox=Toolbox(repository, brief.changes, masker),
        claude=batches or claude,
        delivery=delivery,
        ledger=Ledger(means.budget_usd, means.prices.at(delivery.terms)),
        models=means.models,
        journal=journal,
        hooks=HookCalls(means.hooks, journal),
        fallbacks=means.fallbacks,
        limited=_limit(batches, brief.still),
    )
    readable = select_readable(brief.changes, brief.excluded, repository.read_object)
    desk = _Desk(runner, claude, brief, readable, watch)
    return asyncio.run(_carry_through(desk, claude, batches))


async def _carry_through(desk: "_Desk", claude: Claude, batches: Batches | None) -> AgentsReview:
    try:
        if batches is None:
            return await desk.review()
        batches.attend(lambda: desk.runner.admission.running)
        review = await desk.review()
        # What was collected before, the run that collected it was charged for.
        charged_usd = max(0.0, review.charged_usd - batches.reused_usd)
        return replace(review, notes=(*batches.notes(), *review.notes), charged_usd=charged_usd)
    finally:
        await (batches or claude).aclose()


def _limit(batches: Batches | None, still: Collection[str] | None) -> Callable[[Task], Asker | None]:
    """What a task may ask that reads files which have changed since; None for one that may ask anything."""

    def choose(task: Task) -> Asker | None:
        if batches is None or still is None:
            return None
        same = sum(path in still for path in task.paths)
        return None if same == len(task.paths) else OnlyBegun(batches, goes_on=same > 0)

    return choose


@dataclass(slots=True)
class _Desk:
    """One review by agents under way."""

    runner: TaskRunner
    describer: Describer
    brief: Brief
    readable: Readable
    watch: Watch | None = None
    looked: Looked = field(default_factory=Looked)
    notes: list[str] = field(default_factory=list)
    fresh: tuple[FileChange, ...] = field(init=False)
    by_path: Mapping[str, FileChange] = field(init=False)
    fence: Fence = field(init=False)
    shared: str = field(init=False)
    surroundings: Surroundings = field(init=False)

    def __post_init__(self) -> None:
        changes = self.runner.changes
        shown = replace(changes, files=(*changes.files, *self.readable.files))
        reports = (text for item in self.brief.evidence for text in (item.title, item.message, item.trace))
        notes = (text for pair in self.brief.instructions for text in pair)
        self.fence = draw_fence(foreign_texts(shown, (*reports, *notes)), self.runner.delivery.draw)
        self.shared = render_shared(self.fence, changes, self.brief.instructions)
        toolbox = self.runner.toolbox
        self.surroundings = Surroundings(toolbox.find_lines, toolbox.show_line)
        settled = frozenset(self.brief.settled)
        self.fresh = tuple(change for change in self.readable.files if change.path not in settled)
        self.by_path = {change.path: change for change in self.fresh}

    async def review(self) -> AgentsReview:
        runner, ledger = self.runner, self.runner.ledger
        claimed = await asyncio.to_thread(
            claim_files, self.fresh, self.brief.evidence, runner.changes.head_sha
        )
        lifecycles = Lifecycles(self.describer, self._users(), runner.journal, runner.clearing.learn)
        entries: dict[str, Entry] = {}
        if self._asks("triage"):
            ledger.keep(ledger.limit_usd * (1 - _TRIAGE_SHARE))
            triage = TriageRound(
                fence=self.fence,
                failures=len(failed_tests(self.brief.evidence)),
                run=lambda task, prompt: runner.run(SPECS["triage"], task, prompt),
                tell=lambda said: self._tell_triaged(said, claimed),
            )
            reading = triage.read(self.fresh, claimed)
            entries, _ = await asyncio.gather(reading, self._look_ahead(claimed))
            ledger.keep(0)
        else:
            claimed = claim_every(self.fresh, claimed)
        routes = route_files(self.fresh, entries, claimed)
        routes = routes if self._asks("security") else leave_unread(routes, sorted(self.brief.only))
        record_routes(runner.journal, routes, entries)
        self._tell(Progress(triaged=routes.triaged))
        await asyncio.gather(self._review_security(routes, entries), self._fix_tests(entries))
        aging = await lifecycles.end()
        notes = (*self.notes, *runner.replacements(), *aging, *runner.hooks.notes())
        review = sum_up(runner.ended, routes, entries, self.readable, ledger, notes)
        looked = self.looked
        return replace(
            review,
            by_fallback=bool(runner.replaced),
            earlier=looked.earlier,
            unfinished=looked.unfinished,
        )

    def _asks(self, agent: str) -> bool:
        return not self.brief.only or agent in self.brief.only

    def _users(self) -> dict[str, list[str]]:
        """The agents that may ask each model in this run, fallbacks among the models."""
        agents = [name for name in ("triage", "security") if self._asks(name)]
        agents += ["test_fix"] if self._asks("test_fix") and failed_tests(self.brief.evidence) else []
        agents += ["verify"] if self._asks("security") and self._verifies() else []
        users: dict[str, list[str]] = {}
        for name in agents:
            for model in self.runner.models_of(SPECS[name]):
                users.setdefault(model, []).append(name)
        return users

    def _verifies(self) -> bool:
        spec, models = SPECS["verify"], self.runner.models
        return bool(models.get(spec.name) or models.get(spec.model_tier))

    def _tell(self, progress: Progress) -> None:
        if self.watch and not self.runner.replaced:
            self.watch(progress)

    def _tell_triaged(self, said: Mapping[str, Entry], claimed: Claimed) -> None:
        here = [self.by_path[path] for path in said]
        self._tell(Progress(triaged=route_files(here, said, claimed).triaged))

    async def _look_ahead(self, claimed: Claimed) -> None:
        """Search for what the first tasks will likely be given, while triage is asked."""
        files = [change for change in self.fresh if change.path in claimed]
        if files and self._asks("security"):
            batches = plan_security(files, SPECS["security"].bounds.context_tokens)
            for parts in batches[: self.runner.delivery.side_by_side]:
                await asyncio.to_thread(self.surroundings.look_around, parts)

    async def _review_security(self, routes: Routes, entries: Mapping[str, Entry]) -> None:
        """The tasks riskiest first, then the second look at what they say."""
        spec, runner = SPECS["security"], self.runner
        security = SecurityRound(
            admission=runner.admission,
            ledger=runner.ledger,
            model=lambda: runner.likely_model(spec),
            tools=tokens_of(weigh(runner.toolbox.definitions(spec.tools))),
            build=lambda parts, siblings, around: build_security_prompt(
                spec, self.fence, self.shared, parts, has_siblings=siblings, around=around
            ),
            look_around=self.surroundings.look_around,
            run=lambda task, prompt, claude: runner.run(spec, task, prompt, claude=claude, admitted=True),
            note=lambda task, run: runner.note_end(spec, task, run),
            redo=runner.mark_redone,
            tell=lambda end, paths: self._tell(
                Progress({path: readers_of(path, entries) for path in paths}, outcome=end.outcome)
            ),
            warms=runner.delivery.warms,
            fits=runner.delivery.fits,
            still=self.brief.still or (),
        )
        await security.read(routes, runner.claude)
        await self._verify()

    async def _verify(self) -> None:
        runner = self.runner
        if not self._verifies():
            self.looked = Looked(earlier=tuple(self.brief.earlier))
            return
        quoted = {quote.path for claim in self.brief.earlier for quote in claim.quotes}
        quoted -= {change.path for change in self.readable.files}
        again = (change for change in runner.changes.files if change.path in quoted)
        shown = replace(runner.changes, files=(*self.readable.files, *again))
        read = runner.toolbox.read_lines
        self.looked = await look_again(
            runner.ended, shown, read, self._fan_out, runner.journal, self.brief.earlier
        )
        self.notes += self.looked.notes

    async def _fan_out(self, spec: AgentSpec, jobs: Sequence[Job]) -> list[Ended]:
        """Tasks side by side; all but the first wait until the shared prefix is in the cache."""
        runner, running = self.runner, []
        warmth = Warmth(runner.claude, is_needed=runner.delivery.warms)
        for number, (task, prompt) in enumerate(jobs):
            if number:
                await warmth.wait()
            claude = runner.claude if number else warmth
            await runner.admission.enter(spec)
            running.append(asyncio.create_task(runner.run(spec, task, prompt, claude=claude, admitted=True)))
            if number == 0:
                running[0].add_done_callback(lambda _: warmth.release())
        return await asyncio.gather(*running)

    async def _fix_tests(self, entries: Mapping[str, Entry]) -> None:
        failures = failed_tests(self.brief.evidence)
        if not failures:
            return
        if not self._asks("test_fix"):
            self.notes.append("test_fix was not asked about the failed tests.")
            return
        fixing = FixingRound(
            files=self.readable.files,
            fence=self.fence,
            shared=self.shared,
            look=lambda shown, parts: look_at_tests(
                shown, parts, self.runner.toolbox.read_lines, self.runner.toolbox.has_in_head
            ),
            run=lambda task, prompt: self.runner.run(SPECS["test_fix"], task, prompt),
            redo=self.runner.mark_redone,
            note=self.notes.append,
        )
        await fixing.explain(failures, entries)
