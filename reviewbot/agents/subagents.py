"""The agents over one change: triage, then security with its second look, and test_fix beside it.

Triage only adds attention: the floor claims what it claims whatever triage says. A task that did not
end as ``done`` leaves its files unread and takes nothing from what other tasks found (THREATS R33).
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reviewbot.agents.admission import Admission, Warmth
from reviewbot.agents.batches import Batches
from reviewbot.agents.budget import Ledger, scale_bound
from reviewbot.agents.claude import Claude
from reviewbot.agents.delivery import LIVE, Delivery
from reviewbot.agents.excerpts import mask_changes, mask_evidence
from reviewbot.agents.fixing import FixingRound
from reviewbot.agents.gaps import explain_stop
from reviewbot.agents.history import Prompt, tokens_of, weigh
from reviewbot.agents.journal_lines import record_end, record_routes
from reviewbot.agents.loop import Asker, Run, run_agent
from reviewbot.agents.prefetch import look_around
from reviewbot.agents.prices import LIST_PRICES, MODELS, PriceList
from reviewbot.agents.prompts import (
    Fence,
    build_security_prompt,
    build_triage_prompt,
    draw_fence,
    foreign_texts,
    render_shared,
)
from reviewbot.agents.results import AgentsReview as AgentsReview  # noqa: PLC0414 - had from here by all
from reviewbot.agents.results import Ended, sum_up
from reviewbot.agents.rounds import SecurityRound
from reviewbot.agents.routes import Claimed, Routes, claim_every, claim_files, leave_unread, route_files
from reviewbot.agents.second_look import look_again
from reviewbot.agents.spec import SPECS, AgentSpec
from reviewbot.agents.tasks import (
    Entry,
    Readable,
    failed_tests,
    plan_triage,
    read_entries,
    restore_names,
    select_readable,
    tell_of_tests,
)
from reviewbot.agents.tools import Toolbox
from reviewbot.change.git import Repository
from reviewbot.claims import Claim, Outcome, Stop, Task
from reviewbot.core import ChangeSet, Evidence, FileChange
from reviewbot.hooks import NO_HOOKS, HookCalls, Hooks
from reviewbot.journal import Journal
from reviewbot.masking import Masker

Job = tuple[Task, Prompt]

_ASKED_AGAIN = (Stop.DONE, Stop.TOKENS, Stop.CONTEXT, Stop.INVALID, Stop.REFUSED)
"""Ends of a triage batch after which a smaller one may do better."""

_TRIAGE_SHARE = 1 / 3
"""So much of the money triage may use up: what it finds is only worth something if it is read."""


def review_with_agents(
    changes: ChangeSet,
    evidence: Sequence[Evidence],
    excluded: Collection[str],
    repository: Repository,
    claude: Claude,
    *,
    budget_usd: float,
    models: Mapping[str, str],
    journal: Journal,
    instructions: Sequence[tuple[str, str]] = (),
    masker: Masker | None = None,
    only: Collection[str] = (),
    settled: Collection[str] = (),
    hooks: Hooks = NO_HOOKS,
    prices: PriceList = LIST_PRICES,
    batches: Batches | None = None,
) -> AgentsReview:
    """Let the agents review a change; runs an event loop of its own and closes ``claude`` at its end.

    ``excluded`` are paths that nobody has to read. ``models`` gives a model id by agent or, where the
    agent is not in it, by tier; without either for ``verify`` there is no second look. ``instructions``
    are (path, text) of the maintainers' notes. ``masker`` hides secrets from all that models are shown.
    ``only`` names the agents that are asked (empty: all). Without triage security reads every file; what
    nobody was asked to read is unread, what an earlier round read is ``settled``. ``hooks`` look on.
    ``prices`` are what the budget reckons with. ``batches`` ask in the place of ``claude``.
    """
    masker = masker or Masker()
    changes = mask_changes(changes, masker, repository.read_object)
    delivery = batches.delivery if batches else LIVE
    desk = _Desk(
        changes=changes,
        evidence=mask_evidence(evidence, masker),
        readable=select_readable(changes, excluded, repository.read_object),
        toolbox=Toolbox(repository, changes, masker),
        claude=batches or claude,
        delivery=delivery,
        ledger=Ledger(budget_usd, prices.at(delivery.terms)),
        models=models,
        journal=journal,
        hooks=HookCalls(hooks, journal),
        instructions=[(path, masker.mask_text(text)) for path, text in instructions],
        only=frozenset(only),
        settled=frozenset(settled),
    )

    async def run() -> AgentsReview:
        try:
            if batches is None:
                return await desk.review()
            batches.attend(lambda: desk.admission.running)
            review = await desk.review()
            return replace(review, notes=(*batches.notes(), *review.notes))
        finally:
            await (batches or claude).aclose()

    return asyncio.run(run())


@dataclass(slots=True)
class _Desk:
    """One review by agents under way."""

    changes: ChangeSet
    evidence: Sequence[Evidence]
    readable: Readable
    toolbox: Toolbox
    claude: Asker
    delivery: Delivery
    ledger: Ledger
    models: Mapping[str, str]
    journal: Journal
    hooks: HookCalls
    instructions: Sequence[tuple[str, str]]
    only: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    ended: list[Ended] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    admission: Admission = field(init=False)
    fresh: tuple[FileChange, ...] = field(init=False)
    fence: Fence = field(init=False)
    shared: str = field(init=False)

    def __post_init__(self) -> None:
        shown = replace(self.changes, files=(*self.changes.files, *self.readable.files))
        reports = (text for item in self.evidence for text in (item.title, item.message, item.trace))
        notes = (text for pair in self.instructions for text in pair)
        self.fence = draw_fence(foreign_texts(shown, (*reports, *notes)), self.delivery.draw)
        self.shared = render_shared(self.fence, self.changes, self.instructions)
        self.admission = Admission(self.ledger, self.delivery.side_by_side)
        self.fresh = tuple(change for change in self.readable.files if change.path not in self.settled)

    async def review(self) -> AgentsReview:
        claimed = await asyncio.to_thread(claim_files, self.fresh, self.evidence, self.changes.head_sha)
        entries: dict[str, Entry] = {}
        if self._asks("triage"):
            self.ledger.keep(self.ledger.limit_usd * (1 - _TRIAGE_SHARE))
            entries = await self._triage(claimed)
            self.ledger.keep(0)
        else:
            claimed = claim_every(self.fresh, claimed)
        routes = route_files(self.fresh, entries, claimed)
        routes = routes if self._asks("security") else leave_unread(routes, sorted(self.only))
        record_routes(self.journal, routes, entries)
        await asyncio.gather(self._review_security(routes), self._fix_tests(entries))
        return sum_up(
            self.ended, routes, entries, self.readable, self.ledger, (*self.notes, *self.hooks.notes())
        )

    def _asks(self, agent: str) -> bool:
        return not self.only or agent in self.only

    # Triage.

    async def _triage(self, claimed: Claimed) -> dict[str, Entry]:
        """What triage says of each file, claimed ones first; one that it left out is asked for once more."""
        files = sorted(self.fresh, key=lambda change: -len(claimed.get(change.path, ())))
        entries: dict[str, Entry] = {}
        unanswered = await self._triage_batches(plan_triage(files), entries, again=False)
        left = [change for change in files if change.path in unanswered]
        if left:
            await self._triage_batches(plan_triage(left, smaller=True), entries, again=True)
        return entries

    async def _triage_batches(
        self, batches: Sequence[tuple[FileChange, ...]], entries: dict[str, Entry], *, again: bool
    ) -> set[str]:
        """Fill in ``entries``; returns the paths worth asking for again."""
        spec = SPECS["triage"]
        failures = len(failed_tests(self.evidence))
        prompts = [build_triage_prompt(spec, self.fence, batch, again=again) for batch in batches]
        tasks = [
            self._run(spec, _task(spec, batch), tell_of_tests(prompt, failures))
            for batch, prompt in zip(batches, prompts, strict=True)
        ]
        missing: set[str] = set()
        retry: set[str] = set()
        found: dict[str, list[Entry]] = {}
        for batch, end in zip(batches, await asyncio.gather(*tasks), strict=True):
            said = read_entries(end.answer, batch)
            for path, entry in said.items():
                found.setdefault(path, []).append(entry)
            left = {part.path for part in batch} - set(said)
            missing |= left
            retry |= left if end.outcome.stop in _ASKED_AGAIN else set()
        # A file whose parts were in several batches counts as read only if each part was answered.
        for path in set(found) - missing:
            first, *others = found[path]
            for other in others:
                first = first.merged(other)
            entries[path] = first
        return retry

    # Security.

    async def _review_security(self, routes: Routes) -> None:
        """The tasks riskiest first, then the second look at what they say."""
        spec = SPECS["security"]
        security = SecurityRound(
            admission=self.admission,
            ledger=self.ledger,
            model=self._model(spec),
            tools=tokens_of(weigh(self.toolbox.definitions(spec.tools))),
            build=lambda parts, siblings, around: build_security_prompt(
                spec, self.fence, self.shared, parts, has_siblings=siblings, around=around
            ),
            look_around=lambda parts: look_around(parts, self.toolbox.find_lines),
            run=lambda task, prompt, claude: self._run(spec, task, prompt, claude=claude, admitted=True),
            note=lambda task, run: self._note_end(spec, task, run),
            redo=self._mark_redone,
            warms=self.delivery.warms,
        )
        await security.read(routes, self.claude)
        await self._verify()

    async def _fan_out(self, spec: AgentSpec, jobs: Sequence[Job]) -> list[Ended]:
        """Tasks side by side; all but the first wait until the shared prefix is in the cache."""
        warmth = Warmth(self.claude, is_needed=self.delivery.warms)
        running = []
        for number, (task, prompt) in enumerate(jobs):
            if number:
                await warmth.wait()
            claude = self.claude if number else warmth
            await self.admission.enter(spec)
            running.append(asyncio.create_task(self._run(spec, task, prompt, claude=claude, admitted=True)))
            if number == 0:
                running[0].add_done_callback(lambda _: warmth.release())
        return await asyncio.gather(*running)

    def _mark_redone(self, end: Ended) -> None:
        """Note that what a task did not finish is given to others, who now answer for its files."""
        place = next(number for number, known in enumerate(self.ended) if known is end)
        self.ended[place] = replace(end, redone=True)

    # The second look.

    async def _verify(self) -> None:
        spec = SPECS["verify"]
        if self.models.get(spec.name) or self.models.get(spec.model_tier):
            shown = replace(self.changes, files=self.readable.files)
            read = self.toolbox.read_lines
            self.notes += await look_again(self.ended, shown, read, self._fan_out, self.journal)

    # Failing tests.

    async def _fix_tests(self, entries: Mapping[str, Entry]) -> None:
        failures = failed_tests(self.evidence)
        if not failures:
            return
        if not self._asks("test_fix"):
            self.notes.append("test_fix was not asked about the failed tests.")
            return
        fixing = FixingRound(
            files=self.readable.files,
            fence=self.fence,
            shared=self.shared,
            run=lambda task, prompt: self._run(SPECS["test_fix"], task, prompt),
            redo=self._mark_redone,
            note=self.notes.append,
        )
        await fixing.explain(failures, entries)

    # One task.

    async def _run(
        self,
        spec: AgentSpec,
        task: Task,
        prompt: Prompt,
        *,
        claude: Asker | None = None,
        admitted: bool = False,
    ) -> Ended:
        if not admitted:
            await self.admission.enter(spec)
        model = self._model(spec)
        usd = scale_bound(self.ledger.prices, spec.bounds.usd, model, MODELS[spec.model_tier])
        spec = self.delivery.bound(replace(spec, bounds=replace(spec.bounds, usd=usd)))
        known = self.admission.refuse(model)
        toolbox = self.toolbox if spec.tools else None
        try:
            run = known or await run_agent(
                spec,
                prompt,
                toolbox,
                claude or self.claude,
                self.ledger,
                self.journal,
                model=model,
                hooks=self.hooks,
            )
        finally:
            await self.admission.leave()
        if known is None:
            self.admission.learn(model, run)
        return self._note_end(spec, task, run)

    def _model(self, spec: AgentSpec) -> str:
        return self.models.get(spec.name) or self.models[spec.model_tier]

    def _note_end(self, spec: AgentSpec, task: Task, run: Run) -> Ended:
        end = Ended(self._outcome(spec, task, run), run.error_code, run.answer)
        self.ended.append(end)
        self.hooks.task_ended(end.outcome)
        record_end(self.journal, end)
        return end

    def _outcome(self, spec: AgentSpec, task: Task, run: Run) -> Outcome:
        claims: tuple[Claim, ...] = ()
        if run.stop is Stop.DONE:
            from reviewbot.agents.answers import to_claims  # noqa: PLC0415 - pydantic only where models run

            claims = tuple(
                restore_names(claim, self.changes, task) for claim in to_claims(spec.name, run.answer)
            )
        return Outcome(
            task=task,
            model=self._model(spec),
            effort=run.effort or spec.effort,
            stop=run.stop,
            claims=claims,
            usage=run.usage,
            usd=run.usd,
            turns=run.turns,
            tool_calls=run.tool_calls,
            denied_calls=run.denied_calls,
            seconds=run.seconds,
            detail="" if run.stop is Stop.DONE else explain_stop(spec.name, run),
            degraded=run.degraded,
            saved_usd=run.saved_usd,
        )


def _task(spec: AgentSpec, parts: Iterable[FileChange]) -> Task:
    return Task(spec.name, tuple(dict.fromkeys(part.path for part in parts)))
