"""One task of an agent in a run: let in, carried through to its end, and its end written down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reviewbot.agents.admission import Admission
from reviewbot.agents.api.failures import PASSING
from reviewbot.agents.conversation.clearing import Clearing
from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.conversation.loop import Asker, run_agent
from reviewbot.agents.conversation.run import Run
from reviewbot.agents.delivery import Delivery
from reviewbot.agents.gaps import explain_stop, short_reason, stop_code
from reviewbot.agents.journal_lines import record_end
from reviewbot.agents.results import Ended
from reviewbot.agents.spec import AgentSpec
from reviewbot.agents.tasks import restore_names
from reviewbot.agents.view.tools import Toolbox
from reviewbot.claims import Claim, Outcome, Stop, Task
from reviewbot.core import ChangeSet
from reviewbot.hooks import HookCalls
from reviewbot.journal import Journal
from reviewbot.spend.budget import Ledger, scale_bound
from reviewbot.spend.prices import MODELS
from reviewbot.telemetry.spans import task_of
from reviewbot.text import one_line

NO_FALLBACKS: Mapping[str, Sequence[str]] = MappingProxyType({})


@dataclass(slots=True)
class TaskRunner:
    """What all tasks of a run share. ``ended`` are those that ended, in that order.

    ``models`` gives a model id by agent or, where the agent is not in it, by tier; ``fallbacks`` those that
    take its place by tier, in their order. ``limited`` is what a task asks that may not begin anything, None
    for all others. ``replaced`` counts the tasks in which one did: (the agent's own,
    the fallback, the reason code).
    """

    changes: ChangeSet
    toolbox: Toolbox
    claude: Asker
    delivery: Delivery
    ledger: Ledger
    models: Mapping[str, str]
    journal: Journal
    hooks: HookCalls
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=lambda: NO_FALLBACKS)
    limited: Callable[[Task], Asker | None] = lambda _: None
    ended: list[Ended] = field(default_factory=list)
    replaced: dict[tuple[str, str, str], int] = field(default_factory=dict)
    clearing: Clearing = field(default_factory=Clearing)
    admission: Admission = field(init=False)

    def __post_init__(self) -> None:
        """One gate for all tasks."""
        self.admission = Admission(self.ledger, self.delivery.side_by_side)

    def models_of(self, spec: AgentSpec) -> tuple[str, ...]:
        """The models that an agent's tasks may ask, in their order; the first is its own."""
        own = self.models.get(spec.name) or self.models[spec.model_tier]
        return tuple(dict.fromkeys((own, *self.fallbacks.get(spec.model_tier, ()))))

    def likely_model(self, spec: AgentSpec) -> str:
        """The model that the next task of an agent will likely ask."""
        models = self.models_of(spec)
        return next((model for model in models if not self.admission.is_closed(model)), models[0])

    async def run(
        self,
        spec: AgentSpec,
        task: Task,
        prompt: Prompt,
        *,
        claude: Asker | None = None,
        admitted: bool = False,
    ) -> Ended:
        """Carry a task through to its end; ``admitted``: it was let in before."""
        if not admitted:
            await self.admission.enter(spec)
        try:
            asker = self.limited(task) or claude or self.claude
            return await self._ask_in_order(spec, task, prompt, asker)
        finally:
            await self.admission.leave()

    async def _ask_in_order(self, spec: AgentSpec, task: Task, prompt: Prompt, claude: Asker) -> Ended:
        """Let the first model that can answer do a task. What the others cost has an end of its own.

        Where none can, the end is that of the agent's own model: a fallback makes no failure milder.
        """
        own, *others = self.models_of(spec)
        first = run = await self._try(spec, prompt, own, claude)
        model = own
        for other in others:
            if not _is_replaceable(run):
                break
            if run.turns:
                self.mark_redone(self.note_end(spec, task, run, model))
            model, run = other, replace(await self._try(spec, prompt, other, claude), degraded=True)
        if model == own:
            return self.note_end(spec, task, run, own)
        if _is_replaceable(run):
            if run.turns:
                self.mark_redone(self.note_end(spec, task, run, model))
            run = Run(stop=first.stop, detail=first.detail, error_code=first.error_code)
            return self.note_end(spec, task, run, own)
        cause = stop_code(first.stop, first.error_code)
        self.replaced[own, model, cause] = self.replaced.get((own, model, cause), 0) + 1
        self.journal.write("model_replaced", agent=spec.name, model=own, by=model, error=cause)
        return self.note_end(spec, task, run, model)

    def replacements(self) -> tuple[str, ...]:
        """A sentence for each fallback model that was asked in the place of another."""
        return tuple(
            f"Degraded: {one_line(own, 80)} was not there ({short_reason(cause)}), so "
            f"{one_line(other, 80)} did {tasks} {'task' if tasks == 1 else 'tasks'} in its place."
            for (own, other, cause), tasks in self.replaced.items()
        )

    async def _try(self, spec: AgentSpec, prompt: Prompt, model: str, claude: Asker) -> Run:
        known = self.admission.refuse(model)
        if known is not None:
            return known
        run = await self._watch(spec, prompt, model, claude)
        self.admission.learn(model, run)
        return run

    async def _watch(self, spec: AgentSpec, prompt: Prompt, model: str, claude: Asker) -> Run:
        with self.journal.telemetry.watch(task_of(spec.name, model)) as operation:
            run = await self._converse(spec, prompt, model, claude)
            operation.error = "" if run.stop is Stop.DONE else run.error_code or run.stop.value
            return run

    async def _converse(self, spec: AgentSpec, prompt: Prompt, model: str, claude: Asker) -> Run:
        usd = scale_bound(self.ledger.prices, spec.bounds.usd, model, MODELS[spec.model_tier])
        return await run_agent(
            self.delivery.bound(replace(spec, bounds=replace(spec.bounds, usd=usd))),
            prompt,
            self.toolbox if spec.tools else None,
            claude,
            self.ledger,
            self.journal,
            model=model,
            hooks=self.hooks,
            fits=self.delivery.fits,
            clearing=self.clearing if self.delivery.clears else None,
        )

    def note_end(self, spec: AgentSpec, task: Task, run: Run, model: str = "") -> Ended:
        """Write down how a task ended, also one that was not begun; ``model`` is the one that was asked."""
        outcome = self._outcome(spec, task, run, model or self.likely_model(spec))
        end = Ended(outcome, run.error_code, run.answer)
        self.ended.append(end)
        self.hooks.task_ended(end.outcome)
        record_end(self.journal, end)
        return end

    def mark_redone(self, end: Ended) -> None:
        """Note that what a task did not finish is given to others, who now answer for its files."""
        place = next(number for number, known in enumerate(self.ended) if known is end)
        self.ended[place] = replace(end, redone=True)

    def _outcome(self, spec: AgentSpec, task: Task, run: Run, model: str) -> Outcome:
        claims: tuple[Claim, ...] = ()
        if run.stop is Stop.DONE:
            from reviewbot.agents.answers import to_claims  # noqa: PLC0415 - pydantic only where models run

            claims = tuple(
                restore_names(claim, self.changes, task) for claim in to_claims(spec.name, run.answer)
            )
        return Outcome(
            task=task,
            model=model,
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


def _is_replaceable(run: Run) -> bool:
    """Whether another model may do better: this one is gone, or did not answer also after retries."""
    return run.stop is Stop.UNAVAILABLE and run.error_code in (*PASSING, "unknown_model")
