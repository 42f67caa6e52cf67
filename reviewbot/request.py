"""What the user asked for, from argv or from an action's inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reviewbot.change.job_logs import FailedJobs
from reviewbot.change.policy_file import Asked
from reviewbot.earlier import Round
from reviewbot.hooks import NO_HOOKS, Hooks

AGENTS = ("triage", "security", "test_fix")
"""The agents that a run of a part may choose from; what security says is looked at twice as always."""


def parse_agents(text: str) -> tuple[str, ...] | None:
    """Names of agents between commas or blanks, each once; None where there is no such agent."""
    names = tuple(dict.fromkeys(text.replace(",", " ").lower().split()))
    return names if set(names) <= set(AGENTS) else None


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The agents are asked in batches. ``state``: the folder in which a later run finds those under way.

    ``wait_seconds``: how long one run waits for batches in all. ``key`` signs the answers that are kept.
    Without ``begins`` nothing new is asked: what is under way has to end first. ``is_part``: only what
    changed since a revision is scanned.
    """

    state: Path | None
    wait_seconds: float
    key: bytes | None = field(default=None, repr=False)
    begins: bool = True
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for.

    ``jobs`` are failed jobs of the head commit.
    ``environment`` is the process's. ``secrets_possible`` is False for a fork's or Dependabot's run. A scan
    reads a whole tree and gates nothing: all that it finds was there before.
    ``last`` is what the round before this one left; ``state_key`` (None: none) shows that we wrote it.
    ``dismissed``: a sentence by fingerprint that says who dismissed the finding and why; only people with
    write access are to be believed here.
    ``full``: nothing counts as read because an earlier round read it. ``agents`` are those that are asked,
    by name; empty for all of them.
    ``told`` are (who, text) of notes for the agents, data that decides nothing.
    ``secrets`` are the run's own (tokens and keys beyond the environment's), which nothing may repeat.
    ``hooks`` look on at the agents. ``batches`` is None where the agents are asked live.
    ``state`` is the folder in which it is kept what each month has cost; None where there is none.
    ``paths`` are patterns of the files that are asked for; empty for all of them.
    """

    folder: Path = Path()
    base: str | None = None
    head: str | None = None
    sarif: tuple[str, ...] = ()
    junit: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    jobs: FailedJobs = field(default_factory=FailedJobs)
    asked: Asked = field(default_factory=Asked)
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets_possible: bool = True
    is_scan: bool = False
    last: Round | None = None
    state_key: bytes | None = field(default=None, repr=False)
    dismissed: Mapping[str, str] = field(default_factory=dict)
    told: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    full: bool = False
    agents: tuple[str, ...] = ()
    state: Path | None = None
    paths: tuple[str, ...] = ()
    hooks: Hooks = field(default=NO_HOOKS, repr=False)
    batches: BatchOptions | None = None
