"""What agents read in earlier scans, by content: a file that is unchanged or moved is not paid for again.

A reading counts for the same blob under the same prompts, models and maintainers' notes. Its claims are
held against the blobs again like all others, so a reading can add no finding that is not there.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from reviewbot import __version__
from reviewbot.agents.floor.risk import risk_signals
from reviewbot.agents.results import AgentsReview
from reviewbot.agents.spec import SPECS
from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import ChangeSet, FileChange, Severity, Sha
from reviewbot.json_rules import read_json
from reviewbot.templates import read_template
from reviewbot.verdict.coverage import Readers
from reviewbot.verdict.memory import ScanMemory

FOLLOWS_THE_RUN = "test_fix"
"""The agent whose claims are about failed tests of one run, not about a file."""


_MOST_CHARACTERS = 16_000_000
_MOST_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """What agents made of a file at the commit ``sha``.

    ``by`` finished it; or ``triaged`` is triage's reason why none had to. ``others`` are the blobs of
    further files that its claims quote, by path. ``is_open``: a claim still has its second look before it.
    """

    path: str
    sha: Sha
    by: tuple[str, ...]
    triaged: str = ""
    claims: tuple[Claim, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False


def hash_recipe(models: Mapping[str, str], instructions: Sequence[tuple[str, str]]) -> str:
    """A name for everything but the files that an agent's answer depends on: 32 hex digits."""
    agents = [
        (name, spec.effort, spec.tools, asdict(spec.bounds), read_template(spec.prompt))
        for name, spec in sorted(SPECS.items())
    ]
    whole = json.dumps([__version__, agents, sorted(models.items()), list(instructions)])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def key_of(recipe: str, change: FileChange) -> str:
    """Under what a reading is kept; a link and a file of the same content are two things."""
    return f"{recipe}.{change.head_mode}.{change.head_blob}"


def choose_readings(
    kept: Mapping[str, str], recipe: str, changes: ChangeSet, excluded: Collection[str]
) -> dict[str, Reading]:
    """The readings that hold for files of the change, by path; ``kept`` are those under its keys.

    A file that is quoted beside it must be the same, too; and one that nobody but triage had to read may
    have moved to where somebody has to.
    """
    blobs = {change.path: change.head_blob for change in changes.files}
    found = {}
    for change in changes.files:
        text = kept.get(key_of(recipe, change)) if change.head_blob and change.path not in excluded else None
        reading = parse_reading(text) if text is not None else None
        if reading is None or any(blobs.get(path) != blob for path, blob in reading.others.items()):
            continue
        if reading.path != change.path:
            if reading.triaged and risk_signals(change):
                continue
            reading = _moved(reading, change.path)
        found[change.path] = reading
    return found


def recall(
    memory: ScanMemory, recipe: str, changes: ChangeSet, excluded: Collection[str]
) -> dict[str, Reading]:
    """What earlier scans made of files of a tree, by path. Raises StateError."""
    kept = memory.recall({key_of(recipe, change) for change in changes.files})
    return choose_readings(kept, recipe, changes, excluded)


def by_key(recipe: str, changes: ChangeSet, readings: Mapping[str, Reading]) -> dict[str, str]:
    """The readings as they are kept; of two files with the same content that count which more agents read."""
    files = [change for change in changes.files if change.path in readings]
    files.sort(key=lambda change: rank_of(readings[change.path]))
    return {key_of(recipe, change): render_reading(readings[change.path]) for change in files}


def make_readings(agents: AgentsReview, changes: ChangeSet) -> dict[str, Reading]:
    """A reading of each file that the agents finished, by path."""
    blobs = {change.path: change.head_blob for change in changes.files}
    read = {**agents.reviewed, **dict.fromkeys(agents.triaged, ("triage",))}
    claims: dict[str, list[Claim]] = {}
    for outcome in agents.outcomes:
        for claim in outcome.claims if outcome.task.agent != FOLLOWS_THE_RUN else ():
            owner = _owner(claim, outcome.task.paths, read)
            if owner is not None and all(blobs.get(quote.path) for quote in claim.quotes):
                claims.setdefault(owner, []).append(claim)
    made = {
        path: make_reading(
            path, changes.head_sha, by, agents.triaged.get(path, ""), tuple(claims.get(path, ())), blobs
        )
        for path, by in read.items()
    }
    return {path: replace(each, is_open=_is_open(each, agents)) for path, each in made.items()}


def open_claims(readings: Iterable[Reading]) -> tuple[Claim, ...]:
    """The claims of open readings, which all may have their second look before them."""
    return tuple(claim for reading in readings if reading.is_open for claim in reading.claims)


def close_readings(readings: Mapping[str, Reading], agents: AgentsReview) -> dict[str, Reading]:
    """The readings after the second look at their ``open_claims``; one that did not finish leaves it open."""
    looked, closed = iter(agents.earlier), dict[str, Reading]()
    for path, reading in readings.items():
        closed[path] = reading
        if reading.is_open:
            claims = tuple(next(looked, claim) for claim in reading.claims)
            closed[path] = replace(reading, claims=claims, is_open=_is_open(reading, agents))
    return closed


def _is_open(reading: Reading, agents: AgentsReview) -> bool:
    return any(claim in agents.unfinished for claim in reading.claims)


def make_reading(  # noqa: PLR0917 - the parts of a reading, and the blobs by path
    path: str,
    sha: Sha,
    by: tuple[str, ...],
    triaged: str,
    claims: tuple[Claim, ...],
    blobs: Mapping[str, str | None],
) -> Reading:
    """The reading of one file; every file that a claim quotes has a blob."""
    quoted = dict.fromkeys(quote.path for claim in claims for quote in claim.quotes)
    others = {other: blobs[other] or "" for other in quoted if other != path}
    return Reading(path, sha, by, triaged, claims, others)


def rank_of(reading: Reading) -> tuple[bool, int]:
    """Of two readings of the same content that of the higher rank is kept: more agents, more claims."""
    return not reading.triaged, len(reading.claims)


def add_readings(readers: Readers, readings: Mapping[str, Reading]) -> Readers:
    """What this scan's agents read, and what earlier ones did."""
    return replace(
        readers,
        reviewed={
            **readers.reviewed,
            **{path: each.by for path, each in readings.items() if not each.triaged},
        },
        triaged={
            **readers.triaged,
            **{path: each.triaged for path, each in readings.items() if each.triaged},
        },
    )


def explain(reading: Reading) -> str:
    """Why a file that rests on an earlier reading counts as read."""
    return f"unchanged since it was read at {reading.sha[:12]}"


def render_reading(reading: Reading) -> str:
    """The reading as ASCII JSON."""
    return json.dumps(asdict(reading), separators=(",", ":"))


def parse_reading(text: str) -> Reading | None:
    """A reading as ``render_reading`` writes it; None for anything else: the file is then read again."""
    try:
        whole = read_json(text, most=_MOST_CHARACTERS, levels=_MOST_LEVELS)
        claims = tuple(_claim(node) for node in whole.pop("claims"))
        made = Reading(**{**whole, "by": tuple(whole["by"])}, claims=claims)
        texts = (made.path, made.sha, made.triaged, *made.by, *made.others, *made.others.values())
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    is_sound = type(made.is_open) is bool and all(isinstance(each, str) for each in texts)
    return made if made.by and is_sound else None


def _owner(claim: Claim, paths: Iterable[str], read: Collection[str]) -> str | None:
    """The file with whose reading a claim is kept: the one it speaks of, or else one of its task."""
    first = claim.quotes[0].path if claim.quotes else ""
    return first if first in read else next((path for path in paths if path in read), None)


def _moved(reading: Reading, path: str) -> Reading:
    def move(claim: Claim) -> Claim:
        quotes = (replace(each, path=path) if each.path == reading.path else each for each in claim.quotes)
        edits = (replace(each, path=path) if each.path == reading.path else each for each in claim.edits)
        return replace(claim, quotes=tuple(quotes), edits=tuple(edits))

    return replace(reading, path=path, claims=tuple(map(move, reading.claims)))


def _claim(node: Any) -> Claim:
    """A claim of ``asdict``. Raises ValueError, TypeError or KeyError."""
    made = Claim(
        **{
            **node,
            "severity": Severity(node["severity"]),
            "quotes": tuple(Quote(**each) for each in node["quotes"]),
            "edits": tuple(Edit(**each) for each in node["edits"]),
            "evidence_ids": (),
            "cwe": tuple(node["cwe"]),
        }
    )
    quoted = (text for quote in made.quotes for text in (quote.path, quote.text))
    edited = (text for edit in made.edits for text in (edit.path, edit.find, edit.replace))
    texts = (made.agent, made.rule, made.title, made.body, *quoted, *edited, *made.cwe)
    lines = (line for quote in made.quotes for line in (quote.start_line, quote.end_line))
    if not all(isinstance(text, str) for text in texts) or not all(type(line) is int for line in lines):
        raise TypeError("a claim of another form")
    if type(made.advisory) is not bool or not 0 <= made.confidence <= 1:
        raise ValueError("confidence")
    return made
