"""Where each file goes after triage: to the security agent, to nobody, or unread. Pure.

What triage names goes to the security agent, and what the code alone claims goes there whatever triage
says: the floor, and a result of an analyzer or of a SARIF file on a line that the change touches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reviewbot.agents.floor.risk import Signal, risk_signals
from reviewbot.agents.tasks import CLOSE_LOOK, RISKS, Entry
from reviewbot.agents.view.excerpts import estimate_tokens, render_file
from reviewbot.core import Evidence, FileChange, Sha, Side
from reviewbot.severity import Severity
from reviewbot.text import cut_middle, visible_line

PATH_CHARACTERS = 100

READING_TOKENS = 1_500
"""What reading a file costs beside its text: its share of the instructions, of what tools bring, and its
findings. So a short file goes before a long one with as many signals, but not before every longer one."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Where each file goes. ``security`` has the riskiest first.

    ``why`` has the reason for each file of ``security``, in words of ours alone; ``triaged`` has triage's
    own words for each file that nobody else reads; ``unread`` are files that nobody reads, ``unread_why``
    the reason where no task of theirs has one.
    """

    security: tuple[FileChange, ...]
    why: Mapping[str, str]
    triaged: Mapping[str, str]
    unread: tuple[str, ...]
    signals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread_why: str = "triage did not answer for it"


Claimed = Mapping[str, tuple[Signal, ...]]
"""Path to the signals by which the code claims it; a path without any is not in it."""


def claim_files(
    files: Iterable[FileChange], evidence: Sequence[Evidence] = (), head_sha: Sha | None = None
) -> Claimed:
    """The files that the security agent must read. ``evidence`` of another commit than head has lines
    that cannot be compared, so there the path decides.
    """
    reports: dict[str, list[Evidence]] = {}
    for item in evidence:
        if item.location is not None and _speaks_of_security(item):
            reports.setdefault(item.location.path, []).append(item)
    claimed = {}
    for change in files:
        signals = risk_signals(change)
        here = (item for path in {change.path, change.old_path or ""} for item in reports.get(path, ()))
        if any(_touches(item, change, head_sha) for item in here):
            reason = "a program reported something on a changed line"
            signals = (*signals, Signal("reported", reason))
        if signals:
            claimed[change.path] = signals
    return claimed


def claim_every(files: Iterable[FileChange], claimed: Claimed) -> Claimed:
    """The same, and every other file too, because somebody asked for the security agent alone."""
    asked = Signal("asked", "somebody asked for it")
    return {change.path: claimed.get(change.path, (asked,)) for change in files}


def leave_unread(routes: Routes, asked: Sequence[str]) -> Routes:
    """The same without the security agent: what it would have read nobody reads."""
    left = tuple(change.path for change in routes.security)
    why = f"only {' and '.join(asked)} was asked"
    return replace(routes, security=(), why={}, unread=(*routes.unread, *left), unread_why=why)


def _speaks_of_security(item: Evidence) -> bool:
    """What counts from medium on, and what a report that was handed in ties to a weakness.

    Our own notices call for a person, test reports for test_fix. Our analyzers call much low that has a
    CWE number (an assert in a test), so for them the severity decides alone; and of the secret scan only
    known formats count, for nobody has to read a file because a word in it looks random.
    """
    if item.source not in ("analyzer", "sarif") or item.tool == "reviewbot":
        return False
    is_weakness = item.source == "sarif" and bool(item.cwe)
    least = Severity.HIGH if item.tool == "detect-secrets" else Severity.MEDIUM
    return is_weakness or item.severity.rank >= least.rank


def _touches(item: Evidence, change: FileChange, head_sha: Sha | None) -> bool:
    place = item.location
    assert place is not None
    if item.revision not in (None, head_sha):
        return True
    is_left = place.side is Side.LEFT
    if place.path != (change.old_path or change.path if is_left else change.path):
        return False
    lines = change.deleted if is_left else change.added
    return any(first <= place.end_line and place.start_line <= last for first, last in lines)


def route_files(
    files: Iterable[FileChange], entries: Mapping[str, Entry], claimed: Claimed | None = None
) -> Routes:
    """Every file to one of the three. ``claimed`` are the files that the code claims (``claim_files``)."""
    files = list(files)
    claimed = claim_files(files) if claimed is None else claimed
    security: list[tuple[tuple[int, float], FileChange]] = []
    why: dict[str, str] = {}
    triaged: dict[str, str] = {}
    unread: list[str] = []
    for change in files:
        entry, signals = entries.get(change.path), claimed.get(change.path, ())
        named = entry is not None and (entry.risk in CLOSE_LOOK or "security" in entry.agents)
        if named or signals:
            security.append((_rank(entry, signals, change), change))
            why[change.path] = _explain(entry if named else None, signals)
        elif entry:
            triaged[change.path] = entry.reason
        else:
            unread.append(change.path)
    ordered = sorted(security, key=lambda pair: pair[0], reverse=True)
    names = {path: tuple(signal.name for signal in signals) for path, signals in claimed.items()}
    return Routes(tuple(change for _, change in ordered), why, triaged, tuple(unread), names)


def _rank(entry: Entry | None, signals: Sequence[Signal], change: FileChange) -> tuple[int, float]:
    """What comes first: triage's risk, or what the code claims if that is more, then signals for the money.

    A claimed file counts at least as medium, one of which triage said nothing as between low and medium.
    """
    risk = 2 * RISKS.index(entry.risk) if entry else 3
    price = estimate_tokens(render_file(change)) + READING_TOKENS
    return max(risk, 2 * RISKS.index("medium") if signals else 0), (1 + len(signals)) / price


def _explain(entry: Entry | None, signals: Sequence[Signal]) -> str:
    """The risk and the names of the signals: triage's own words may repeat a secret of the change."""
    triage = f"triage: {entry.risk}" if entry else ""
    floor = "floor: " + ", ".join(signal.name for signal in signals) if signals else ""
    return "; ".join(filter(None, (triage, floor)))


def summarise(parts: Iterable[FileChange], why: Mapping[str, str]) -> str:
    """Why a security task was made: its riskiest file and how many more there are."""
    paths = list(dict.fromkeys(part.path for part in parts))
    more = f" (and {len(paths) - 1} more files)" if len(paths) > 1 else ""
    return f"{cut_middle(visible_line(paths[0]), PATH_CHARACTERS)}: {why[paths[0]]}{more}"
