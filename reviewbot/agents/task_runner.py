"""One task of an agent in a run: let in, carried through to its end, and its end written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reviewbot.agents.admission import Admission
from reviewbot.agents.budget import Ledger, scale_bound
from reviewbot.agents.delivery import Delivery
from reviewbot.agents.gaps import explain_stop
from reviewbot.agents.history import Prompt
from reviewbot.agents.journal_lines import record_end
from reviewbot.agents.loop import Asker, Run, run_agent
from reviewbot.agents.prices import MODELS
from reviewbot.agents.results import Ended
from reviewbot.agents.spec import AgentSpec
from reviewbot.agents.tasks import restore_names
from reviewbot.agents.tools import Toolbox
from reviewbot.claims import Claim, Outcome, Stop, Task
from reviewbot.core import ChangeSet
from reviewbot.hooks import HookCalls
from reviewbot.journal import Journal
from reviewbot.telemetry import task_of


@dataclass(slots=True)
class TaskRunner:
    """What all tasks of a run share. ``ended`` are those that ended, in that order.

    ``models`` gives a model id by agent or, where the agent is not in it, by tier.
    """

    changes: ChangeSet
    toolbox: Toolbox
    claude: Asker
    delivery: Delivery
    ledger: Ledger
    models: Mapping[str, str]
    journal: Journal
    hooks: HookCalls
    ended: list[Ended] = field(default_factory=list)
    admission: Admission = field(init=False)

    def __post_init__(self) -> None:
        """One gate for all tasks."""
        self.admission = Admission(self.ledger, self.delivery.side_by_side)

    def model(self, spec: AgentSpec) -> str:
        """The model that an agent's tasks are for."""
        return self.models.get(spec.name) or self.models[spec.model_tier]

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
        model = self.model(spec)
        known = self.admission.refuse(model)
        try:
            run = known or await self._watch(spec, prompt, model, claude or self.claude)
        finally:
            await self.admission.leave()
        if known is None:
            self.admission.learn(model, run)
        return self.note_end(spec, task, run)

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
        )

    def note_end(self, spec: AgentSpec, task: Task, run: Run) -> Ended:
        """Write down how a task ended, also one that was not begun."""
        end = Ended(self._outcome(spec, task, run), run.error_code, run.answer)
        self.ended.append(end)
        self.hooks.task_ended(end.outcome)
        record_end(self.journal, end)
        return end

    def mark_redone(self, end: Ended) -> None:
        """Note that what a task did not finish is given to others, who now answer for its files."""
        place = next(number for number, known in enumerate(self.ended) if known is end)
        self.ended[place] = replace(end, redone=True)

    def _outcome(self, spec: AgentSpec, task: Task, run: Run) -> Outcome:
        claims: tuple[Claim, ...] = ()
        if run.stop is Stop.DONE:
            from reviewbot.agents.answers import to_claims  # noqa: PLC0415 - pydantic only where models run

            claims = tuple(
                restore_names(claim, self.changes, task) for claim in to_claims(spec.name, run.answer)
            )
        return Outcome(
            task=task,
            model=self.model(spec),
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
