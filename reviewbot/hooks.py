"""Hooks: how code that embeds reviewbot looks on at the agents' work and may forbid a tool call.

A hook can only narrow: no hook lets a call through that a rule denies. All of them are called on the
agents' event loop, one at a time, so they must be quick. A hook that fails never ends a review: a
``before_tool`` that raises counts as a no, and every failure is in the journal and in the report's notes.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from reviewbot.claims import Outcome
from reviewbot.journal import Journal
from reviewbot.text import one_line

Risk = Literal["low", "medium", "high"]
"""``low``: shows what the request itself lists. ``medium``: reads any file of the two commits. ``high``:
would write or run something; there is no such tool, and a call of one is denied by rule."""

_WHY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model wants to make. The arguments are a model's words, not checked yet."""

    agent: str
    tool: str
    risk: Risk
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ToolEnd:
    """How a call ended. ``bytes`` is the size of what the model is told; ``denied``: it was not run."""

    call: ToolCall
    bytes: int
    denied: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong under way; ``code`` is that of a failed model call, or a type's name."""

    agent: str
    where: Literal["model", "tool", "hook"]
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Hooks:
    """What to call, each in its order, and the tools that are never run.

    ``before_tool`` returns why the call must not be made, or None for no objection. ``task_ended`` is
    given the outcome of every agent's task, ``failed`` every failed model call, tool and hook.
    """

    before_tool: tuple[Callable[[ToolCall], str | None], ...] = ()
    after_tool: tuple[Callable[[ToolEnd], None], ...] = ()
    task_ended: tuple[Callable[[Outcome], None], ...] = ()
    failed: tuple[Callable[[Failure], None], ...] = ()
    deny: frozenset[str] = field(default_factory=frozenset)


NO_HOOKS = Hooks()

_Told = TypeVar("_Told")


class HookCalls:
    """Calls the hooks of a run and outlives their faults."""

    def __init__(self, hooks: Hooks, journal: Journal) -> None:
        self.hooks = hooks
        self._journal = journal
        self._faults: Counter[tuple[str, str]] = Counter()

    def object_to(self, call: ToolCall) -> str:
        """Why one of the hooks forbids a call, or nothing; every hook sees every call."""
        reasons = [self._ask(hook, call) for hook in self.hooks.before_tool]
        return next(filter(None, reasons), "")

    def tool_ended(self, end: ToolEnd) -> None:
        """Tell of a call that was made, or denied."""
        self._tell("after_tool", self.hooks.after_tool, end, end.call.agent)

    def task_ended(self, outcome: Outcome) -> None:
        """Tell of a task's end."""
        self._tell("task_ended", self.hooks.task_ended, outcome, outcome.task.agent)

    def failed(self, failure: Failure) -> None:
        """Tell of a failure."""
        self._tell("failed", self.hooks.failed, failure, failure.agent)

    def notes(self) -> tuple[str, ...]:
        """A sentence about each kind of hook that failed, for the reader of the report."""
        return tuple(
            f"A {kind} hook failed {count} time{'s' * (count > 1)} ({error})"
            + (": the calls it was to judge were denied." if kind == "before_tool" else ".")
            for (kind, error), count in self._faults.items()
        )

    def _ask(self, hook: Callable[[ToolCall], str | None], call: ToolCall) -> str:
        try:
            said = hook(deepcopy(call))
            if said is not None and not isinstance(said, str):
                raise TypeError("a before_tool hook must return a text or None")
        except Exception as error:  # code of others: whatever it dies of, the call is not made
            self._note("before_tool", error, call.agent)
            return "a check of this call failed"
        return "" if said is None else one_line(said, _WHY_CHARACTERS) or "forbidden here"

    def _tell(self, kind: str, hooks: tuple[Callable[[_Told], None], ...], told: _Told, agent: str) -> None:
        for hook in hooks:
            try:
                hook(told)
            except Exception as error:  # code of others must not end a review
                self._note(kind, error, agent)

    def _note(self, kind: str, error: Exception, agent: str) -> None:
        name = one_line(type(error).__name__, 80)
        self._faults[kind, name] += 1
        self._journal.write("hook_failed", hook=kind, error=name)
        if kind != "failed":
            self.failed(Failure(agent, "hook", name, f"A {kind} hook failed."))
