"""The nouns of the model agents: what they are asked, what they say, what it cost.

A ``Claim`` is only what a model said. It becomes a ``Finding`` in ``verdict`` alone, and only where
its quotes stand in the blobs.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from reviewbot.severity import Severity


class Stop(StrEnum):
    """How a task of an agent ended. Only ``done`` means that its paths were read."""

    DONE = "done"
    STEPS = "steps"
    TOKENS = "tokens"
    USD = "usd"
    SECONDS = "seconds"
    CONTEXT = "context"
    REFUSED = "refused"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Task:
    """What one agent is to look at. ``reason`` says why it was chosen, for the ledger."""

    agent: str
    paths: tuple[str, ...]
    evidence_ids: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Text that a model says stands in a file. The lines are its guess; the text decides."""

    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement of text that stands exactly once in one file of head."""

    path: str
    find: str
    replace: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a model said about the change: ``quotes[0]`` is the place it speaks of.

    ``rule`` is from the closed list of its agent, without the agent's name; ``confidence`` is 0 to 1.
    What is ``advisory`` never blocks, whatever its severity: an explanation of a failed test, say. What is
    ``surplus`` came after as many findings as one answer may hold: it has no quotes and is only counted.
    """

    agent: str
    rule: str
    severity: Severity
    confidence: float
    title: str
    body: str
    quotes: tuple[Quote, ...]
    edits: tuple[Edit, ...] = ()
    evidence_ids: tuple[str, ...] = ()
    cwe: tuple[str, ...] = ()
    advisory: bool = False
    surplus: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls. ``input`` is what was neither read from nor written to a cache.

    ``cache_write_1h`` is the part of ``cache_write`` whose entries live for an hour instead of five minutes.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0

    @property
    def prompt(self) -> int:
        """All tokens that were sent."""
        return self.input + self.cache_read + self.cache_write

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task.

    ``usd`` is None where the price of the model is unknown: a cost is never guessed to be 0.
    ``detail`` is a sentence for the reader, empty where the task simply is done. ``saved_usd`` is what
    caching saved, less than 0 where more was written than read.
    """

    task: Task
    model: str
    effort: str
    stop: Stop
    claims: tuple[Claim, ...] = ()
    usage: Usage = field(default_factory=Usage)
    usd: float | None = 0.0
    turns: int = 0
    tool_calls: int = 0
    denied_calls: int = 0
    seconds: float = 0.0
    detail: str = ""
    degraded: bool = False
    saved_usd: float = 0.0
