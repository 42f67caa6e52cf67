"""A review again, from what a full journal holds: grounding, gate and publishing, with no model asked.

The journal is a file like any other: what it says is checked, and the code it speaks of comes from the
repository. A model's claims are held against the blobs once more, so a journal that was changed can say
no more than a model could.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from reviewbot.agents.results import AgentsReview
from reviewbot.change.git import Repository
from reviewbot.core import Review, Trigger
from reviewbot.errors import UnknownRevision, UsageError
from reviewbot.evidence.collect import Collected
from reviewbot.journal import PROVING, VERSION, Journal
from reviewbot.json_rules import BadJson, read_json
from reviewbot.pipeline import review_repository
from reviewbot.records import from_plain
from reviewbot.request import Request
from reviewbot.steps import Recorded, Settled, Step

NAME = "journal.jsonl"
MOST_BYTES = 512 * 1024 * 1024
_MOST_LEVELS = 64
_HELP = "Make one with `reviewbot review --journal full --out DIR`."

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_Value = TypeVar("_Value")


class JournalError(UsageError):
    """A journal that cannot be replayed."""

    help = _HELP


@dataclass(frozen=True, slots=True)
class Replayed:
    """A review of an earlier run; ``decided`` is the conclusion that it came to then.

    ``was_proving``: the run then went on to try its fix.
    """

    trigger: Trigger
    recorded: Recorded
    decided: str
    was_proving: bool = False


def read_journal(folder: Path) -> bytes:
    """The journal in a folder of reports. Raises JournalError."""
    try:
        with (folder / NAME).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise JournalError(f"{NAME} in {str(folder)!a} cannot be read: {why}.") from None
    if len(data) > MOST_BYTES:
        raise JournalError(f"{NAME} in {str(folder)!a} is larger than {MOST_BYTES:,} bytes.")
    return data


def parse_journal(data: bytes) -> Replayed:
    """What a full journal holds of its one review.

    Raises:
        JournalError: it is not full, not whole, of another version, or no journal of a review.
    """
    whole = _parse_lines(data)
    records = list(takewhile(lambda record: record["event"] != PROVING, whole))
    events = [record["event"] for record in records]
    if "run_started" not in events:
        raise JournalError(f"{NAME} is no journal of a review.")
    settled = _find(records, "settled")
    if settled is None:
        raise JournalError(f"{NAME} is not full: it holds counts and decisions, not what was said.")
    if settled.get("version") != VERSION:
        raise _other_version()
    if "review_failed" in events:
        raise JournalError("The review that the journal tells of failed, so there is nothing to replay.")
    decided, collected = _find(records, "decided"), _find(records, "collected")
    if decided is None or collected is None:
        raise JournalError(f"{NAME} ends before its review did.")
    said = [record for record in records if record["event"] == "agents_said"]
    built = _build(Settled, settled.get("settled"))
    trigger = _build(Trigger, settled.get("trigger"))
    agents = {str(record.get("head")): _build(AgentsReview, record.get("agents")) for record in said}
    if built.engine.name == "claude" and trigger.head_sha not in agents:
        raise JournalError(f"{NAME} lacks what the agents said.")
    recorded = Recorded(built, _build(Collected, collected.get("collected")), agents)
    return Replayed(trigger, recorded, str(decided.get("conclusion")), len(whole) > len(records))


def replay_review(
    folder: Path, repo: Path, environment: Mapping[str, str], journal: Journal, step: Step
) -> tuple[Review, str]:
    """The review of the journal in ``folder`` again, and what the run itself had decided.

    Raises:
        JournalError: the journal cannot be replayed. ReviewbotError: the repository lacks its commits.
    """
    told = parse_journal(read_journal(folder))
    request = Request(folder=repo, environment=dict(environment))
    with Repository(repo) as repository:
        for sha in (told.trigger.base_sha, told.trigger.policy_sha, told.trigger.head_sha):
            if not _SHA.fullmatch(sha):
                raise _other_version()
            if repository.resolve(sha) is None:
                raise UnknownRevision(f"The repository lacks {sha[:12]}, which the journal speaks of.")
        review = review_repository(repository, told.trigger, request, journal, step, told.recorded)
    notes = ["Replayed from a journal: no model was asked."]
    if told.was_proving:
        notes.append("The run then tried its fix. A replay runs no test and shows the first fix, unproven.")
    return replace(review, notes=(*notes, *review.notes)), told.decided


def _parse_lines(data: bytes) -> list[dict[str, Any]]:
    """Every record; each is an object with an event. Raises JournalError."""
    if data and not data.endswith(b"\n"):
        raise JournalError(f"The last line of {NAME} is cut off.")
    records = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            record = read_json(line, most=MOST_BYTES, levels=_MOST_LEVELS)
        except BadJson as error:
            raise JournalError(f"Line {number} of {NAME} is no record: it {error}.") from None
        if not isinstance(record, dict) or not isinstance(record.get("event"), str):
            raise JournalError(f"Line {number} of {NAME} is no record.")
        records.append(record)
    return records


def _find(records: Sequence[dict[str, Any]], event: str) -> dict[str, Any] | None:
    found = [record for record in records if record["event"] == event]
    if len(found) > 1:
        raise JournalError(f"{NAME} holds several reviews; a replay takes one.")
    return found[0] if found else None


def _build(kind: type[_Value], plain: object) -> _Value:
    try:
        return from_plain(kind, plain)
    except (ValueError, RecursionError):
        raise _other_version() from None


def _other_version() -> JournalError:
    return JournalError(
        f"{NAME} was written by another version of reviewbot, or changed since.",
        help="Replay it with the version that wrote it.",
    )
