"""What the tasks of a run come to: which file was read by whom, which by nobody, and why. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reviewbot.agents.gaps import explain_gaps, short_reason, stop_code, withheld_note
from reviewbot.agents.routes import Routes
from reviewbot.agents.tasks import Entry, Readable, hidden_lines
from reviewbot.claims import Claim, Outcome, Stop, Usage
from reviewbot.core import Reason
from reviewbot.earlier import READERS
from reviewbot.spend.budget import Ledger
from reviewbot.spend.prices import PriceList
from reviewbot.text import one_line


@dataclass(frozen=True, slots=True)
class AgentsReview:
    """What the agents made of a change; every path is git's.

    ``reviewed``: path to the agents that finished it. ``triaged``: path to triage's reason, for files
    that triage alone read. ``failed``: path to why nobody read it, ``causes``: to the code of that.
    ``withheld``: files that no model is shown, so only programs read them. A file in none of the four
    has no lines to read. ``charged_usd`` is the most that this run may have cost. What a batch under way
    costs is left to the run that collects it. ``by_fallback``: a fallback model answered, so that what was
    read does not count as read by the agents' own. ``earlier`` are the claims of earlier scans that were
    looked at again, ``unfinished`` all claims whose second look did not finish.
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
    charged_usd: float = 0.0
    by_fallback: bool = False
    earlier: tuple[Claim, ...] = ()
    unfinished: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What was finished just now, as in ``AgentsReview``, before any second look.

    ``outcome`` is the task by whose end; it is told also where no file of it is finished yet.
    """

    reviewed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    triaged: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome | None = None


Watch = Callable[[Progress], None]
"""Is told on the agents' event loop, so it must be quick."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that ended. ``redone``: its work was given to other tasks, so only its cost still counts."""

    outcome: Outcome
    error_code: str
    answer: object = None
    redone: bool = False

    @property
    def cause(self) -> str:
        """The reason code of an end other than ``done``, else empty."""
        return "" if self.outcome.stop is Stop.DONE else stop_code(self.outcome.stop, self.error_code)


def sum_up(  # noqa: PLR0917 - what a run knows at its end, as its one caller has it
    ended: Sequence[Ended],
    routes: Routes,
    entries: Mapping[str, Entry],
    readable: Readable,
    ledger: Ledger,
    notes: Sequence[str],
) -> AgentsReview:
    """The review by agents. ``entries`` are triage's answers; every task's cost is in ``outcomes``."""
    counted = [end for end in ended if not end.redone]
    failed = dict(readable.failed)
    for path in routes.unread:
        failed[path] = _why_unread(counted, "triage", path) or routes.unread_why
    reviewed: dict[str, tuple[str, ...]] = {}
    for change in routes.security:
        why = _why_unread(counted, "security", change.path)
        if not why and change.path not in entries and (hidden := hidden_lines(change)):
            why = f"{hidden:,} of {change.deleted_lines:,} deleted lines were shown to no agent"
        if why:
            failed[change.path] = why
        else:
            reviewed[change.path] = readers_of(change.path, entries)
    withheld = (withheld_note(readable.withheld),) if readable.withheld else ()
    causes = {path: _cause(counted, path) for path in failed}
    is_pending = any(end.error_code == "batch_pending" for end in ended)
    return AgentsReview(
        outcomes=tuple(end.outcome for end in ended),
        reviewed=reviewed,
        triaged=routes.triaged,
        failed=failed,
        gaps=explain_gaps(((end.outcome, end.error_code) for end in counted), failed),
        notes=(*notes, *withheld, *_tails(routes, reviewed), *_unpriced(ended, ledger.prices)),
        spent_usd=ledger.spent_usd,
        cost_complete=ledger.is_complete,
        withheld=readable.withheld,
        causes={path: cause for path, cause in causes.items() if cause},
        charged_usd=ledger.spent_usd if is_pending else ledger.charged_usd,
    )


def readers_of(path: str, entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """Who read a file that the security agent was asked to read."""
    return READERS if path in entries else ("security",)


def _unpriced(ended: Sequence[Ended], prices: PriceList) -> tuple[str, ...]:
    """A sentence for each model that was asked and whose price nobody knows."""
    asked = dict.fromkeys(end.outcome.model for end in ended if end.outcome.turns)
    unknown = [model for model in asked if prices.price_usd(model, Usage()) is None]
    return tuple(
        f"The price of {one_line(model, 80)} is not known, so the budget does not hold its calls; "
        "name it under `prices` in the policy."
        for model in unknown
    )


def _why_unread(ended: Sequence[Ended], agent: str, path: str) -> str:
    """Why the last task of an agent that was about a path and did not end as ``done`` did not, or ""."""
    about = (end for end in ended if end.outcome.task.agent == agent and path in end.outcome.task.paths)
    causes = [end.cause for end in about if end.cause]
    return f"{agent}: {short_reason(causes[-1])}" if causes else ""


def _tails(routes: Routes, reviewed: Mapping[str, object]) -> tuple[str, ...]:
    """A sentence about deleted lines that triage alone was shown, or none."""
    tails = [hidden_lines(change) for change in routes.security if change.path in reviewed]
    files = sum(map(bool, tails))
    noun = "a deleted file" if files == 1 else f"{files} deleted files"
    told = f"The last {sum(tails):,} lines of {noun} were read by triage and not by security."
    return (told,) if files else ()


def _cause(ended: Sequence[Ended], path: str) -> str:
    """The code of the last task about a path that did not end as ``done``."""
    readers = (end for end in ended if end.outcome.task.agent in READERS)
    codes = [end.cause for end in readers if end.cause and path in end.outcome.task.paths]
    return codes[-1] if codes else ""
