"""The three agents over one change: triage, then security and test_fix side by side.

Triage only adds attention: the floor claims what it claims whatever triage says. A task that did not
end as ``done`` leaves its files unread and takes nothing from what other tasks found (THREATS R33).
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reviewbot.agents.admission import Admission, Warmth
from reviewbot.agents.budget import Ledger
from reviewbot.agents.claude import Claude
from reviewbot.agents.excerpts import is_withheld
from reviewbot.agents.gaps import explain_gaps, explain_stop, stop_code, why_unread, withheld_note
from reviewbot.agents.history import Prompt
from reviewbot.agents.loop import Asker, Run, run_agent
from reviewbot.agents.prompts import (
    Fence,
    build_security_prompt,
    build_test_fix_prompt,
    build_triage_prompt,
    draw_fence,
    foreign_texts,
    render_shared,
)
from reviewbot.agents.spec import SPECS, AgentSpec
from reviewbot.agents.tasks import (
    MATERIAL_SHARE,
    Entry,
    Readable,
    Routes,
    failed_tests,
    plan_security,
    plan_test_fix,
    plan_triage,
    read_entries,
    render_failures,
    restore_names,
    route_files,
    select_readable,
    summarise,
)
from reviewbot.agents.tools import Toolbox
from reviewbot.change.git import Repository
from reviewbot.claims import Claim, Outcome, Stop, Task
from reviewbot.core import ChangeSet, Evidence, FileChange, Reason
from reviewbot.journal import Journal
from reviewbot.text import visible_line

_ASKED_AGAIN = (Stop.DONE, Stop.TOKENS, Stop.CONTEXT, Stop.INVALID, Stop.REFUSED)
"""Ends of a triage batch after which a smaller one may do better."""


@dataclass(frozen=True, slots=True)
class AgentsReview:
    """What the agents made of a change; every path is git's.

    ``reviewed``: path to the agents that finished it. ``triaged``: path to triage's reason, for files
    that triage alone read. ``failed``: path to why nobody read it, ``causes``: to the code of that.
    ``withheld``: files that no model is shown, so only programs read them. A file in none of the four
    has no lines to read.
    """

    outcomes: tuple[Outcome, ...]
    reviewed: Mapping[str, tuple[str, ...]]
    triaged: Mapping[str, str]
    failed: Mapping[str, str]
    gaps: tuple[Reason, ...]
    notes: tuple[str, ...]
    spent_usd: float
    cost_complete: bool
    withheld: tuple[str, ...] = ()
    causes: Mapping[str, str] = field(default_factory=dict)


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
) -> AgentsReview:
    """Let the agents review a change; runs an event loop of its own and closes ``claude`` at its end.

    ``excluded`` are paths that nobody has to read. ``models`` gives a model id by agent or, where the
    agent is not in it, by tier. ``instructions`` are (path, text) of the maintainers' notes.
    """
    desk = _Desk(
        changes=changes,
        evidence=evidence,
        readable=select_readable(changes, excluded, repository.read_object),
        toolbox=Toolbox(repository, changes, is_withheld),
        claude=claude,
        ledger=Ledger(budget_usd),
        models=models,
        journal=journal,
        instructions=instructions,
    )

    async def run() -> AgentsReview:
        try:
            return await desk.review()
        finally:
            await claude.aclose()

    return asyncio.run(run())


@dataclass(frozen=True, slots=True)
class _Ended:
    """A task that ended, with the parts of files that it was about."""

    outcome: Outcome
    error_code: str
    answer: object = None

    @property
    def cause(self) -> str:
        """The reason code of an end other than ``done``, else empty."""
        return "" if self.outcome.stop is Stop.DONE else stop_code(self.outcome.stop, self.error_code)


@dataclass(slots=True)
class _Desk:
    """One review by agents under way."""

    changes: ChangeSet
    evidence: Sequence[Evidence]
    readable: Readable
    toolbox: Toolbox
    claude: Asker
    ledger: Ledger
    models: Mapping[str, str]
    journal: Journal
    instructions: Sequence[tuple[str, str]]
    ended: list[_Ended] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    admission: Admission = field(init=False)
    fence: Fence = field(init=False)
    shared: str = field(init=False)

    def __post_init__(self) -> None:
        shown = replace(self.changes, files=(*self.changes.files, *self.readable.files))
        reports = (text for item in self.evidence for text in (item.title, item.message, item.trace))
        notes = (text for pair in self.instructions for text in pair)
        self.fence = draw_fence(foreign_texts(shown, (*reports, *notes)))
        self.shared = render_shared(self.fence, self.changes, self.instructions)
        self.admission = Admission(self.ledger)

    async def review(self) -> AgentsReview:
        entries = await self._triage()
        routes = route_files(self.readable.files, entries)
        self._record_routes(routes, entries)
        await asyncio.gather(self._review_security(routes), self._fix_tests(entries))
        return self._report(routes, entries)

    # Triage.

    async def _triage(self) -> dict[str, Entry]:
        """What triage says of each file; one that it left out is asked for once more."""
        files = self.readable.files
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
        tasks = [
            self._run(spec, _task(spec, batch), build_triage_prompt(spec, self.fence, batch, again=again))
            for batch in batches
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

    def _record_routes(self, routes: Routes, entries: Mapping[str, Entry]) -> None:
        for path, why in routes.why.items():
            self.journal.write("routed", path=visible_line(path), to="security", why=why)
        for path, entry in entries.items():
            if path in routes.triaged:
                why = f"triage: {entry.risk}, {entry.reason}"
                self.journal.write("routed", path=visible_line(path), to="nobody", why=why)

    # Security.

    async def _review_security(self, routes: Routes) -> None:
        """The tasks riskiest first; all but the first wait until the shared prefix is in the cache."""
        spec = SPECS["security"]
        batches = plan_security(routes.security, spec.bounds.context_tokens)
        warmth = Warmth(self.claude)
        running = []
        for number, batch in enumerate(batches):
            prompt = build_security_prompt(
                spec, self.fence, self.shared, batch, has_siblings=len(batches) > 1
            )
            if number:
                await warmth.wait()
            task = replace(_task(spec, batch), reason=summarise(batch, routes.why))
            claude = self.claude if number else warmth
            await self.admission.enter(spec)
            running.append(asyncio.create_task(self._run(spec, task, prompt, claude=claude, admitted=True)))
            if number == 0:
                running[0].add_done_callback(lambda _: warmth.release())
        await asyncio.gather(*running)

    # Failing tests.

    async def _fix_tests(self, entries: Mapping[str, Entry]) -> None:
        failures = failed_tests(self.evidence)
        if not failures:
            return
        spec = SPECS["test_fix"]
        text, shown = render_failures(failures)
        if len(shown) < len(failures):
            left = len(failures) - len(shown)
            self.notes.append(
                f"test_fix was shown {len(shown)} of {len(failures)} failed tests: {left} found no room."
            )
        room = int(spec.bounds.context_tokens * MATERIAL_SHARE) - len(text) // 3
        files = plan_test_fix(self.readable.files, shown, entries, room)
        prompt = build_test_fix_prompt(spec, self.fence, self.shared, (text, len(shown)), files)
        ids = tuple(item.id for item in shown)
        await self._run(spec, replace(_task(spec, files), evidence_ids=ids, reason="tests failed"), prompt)

    # One task.

    async def _run(
        self,
        spec: AgentSpec,
        task: Task,
        prompt: Prompt,
        *,
        claude: Asker | None = None,
        admitted: bool = False,
    ) -> _Ended:
        if not admitted:
            await self.admission.enter(spec)
        model = self.models.get(spec.name) or self.models[spec.model_tier]
        toolbox = self.toolbox if spec.tools else None
        try:
            run = self.admission.refuse(model) or await run_agent(
                spec, prompt, toolbox, claude or self.claude, self.ledger, self.journal, model=model
            )
            self.admission.learn(model, run)
        finally:
            await self.admission.leave()
        end = _Ended(self._outcome(spec, task, model, run), run.error_code, run.answer)
        self.ended.append(end)
        self._record(end)
        return end

    def _outcome(self, spec: AgentSpec, task: Task, model: str, run: Run) -> Outcome:
        claims: tuple[Claim, ...] = ()
        if run.stop is Stop.DONE:
            from reviewbot.agents.answers import to_claims  # noqa: PLC0415 - pydantic only where models run

            claims = tuple(
                restore_names(claim, self.changes, task) for claim in to_claims(spec.name, run.answer)
            )
        return Outcome(
            task=task,
            model=model,
            effort=spec.effort,
            stop=run.stop,
            claims=claims,
            usage=run.usage,
            usd=run.usd,
            turns=run.turns,
            tool_calls=run.tool_calls,
            denied_calls=run.denied_calls,
            seconds=run.seconds,
            detail="" if run.stop is Stop.DONE else explain_stop(spec.name, run),
        )

    def _record(self, end: _Ended) -> None:
        outcome = end.outcome
        self.journal.write(
            "task_ended",
            agent=outcome.task.agent,
            stop=outcome.stop.value,
            error=end.error_code,
            files=len(outcome.task.paths),
            claims=len(outcome.claims),
            turns=outcome.turns,
            usd=outcome.usd,
        )

    # What it comes to.

    def _report(self, routes: Routes, entries: Mapping[str, Entry]) -> AgentsReview:
        failed = dict(self.readable.failed)
        outcomes = tuple(end.outcome for end in self.ended)
        for path in routes.unread:
            failed[path] = why_unread(outcomes, "triage", path) or "triage did not answer for it"
        reviewed: dict[str, tuple[str, ...]] = {}
        for change in routes.security:
            why = why_unread(outcomes, "security", change.path)
            if why:
                failed[change.path] = why
            else:
                by = ("triage", "security") if change.path in entries else ("security",)
                reviewed[change.path] = by
        if self.readable.withheld:
            self.notes.append(withheld_note(self.readable.withheld))
        return AgentsReview(
            outcomes=outcomes,
            reviewed=reviewed,
            triaged=routes.triaged,
            failed=failed,
            gaps=explain_gaps(((end.outcome, end.error_code) for end in self.ended), failed),
            notes=tuple(self.notes),
            spent_usd=self.ledger.spent_usd,
            cost_complete=self.ledger.is_complete,
            withheld=self.readable.withheld,
            causes={path: cause for path in failed if (cause := self._cause(path))},
        )

    def _cause(self, path: str) -> str:
        """The code of the last task about a path that did not end as ``done``."""
        readers = (end for end in self.ended if end.outcome.task.agent != "test_fix")
        codes = [end.cause for end in readers if end.cause and path in end.outcome.task.paths]
        return codes[-1] if codes else ""


def _task(spec: AgentSpec, parts: Iterable[FileChange]) -> Task:
    return Task(spec.name, tuple(dict.fromkeys(part.path for part in parts)))
