"""What a live scan keeps while it is under way, so that one that is killed is not paid for twice.

A file is kept once all of it was read. Where a claim still has its second look before it, the reading says
so: a later scan then pays for that look, and not for the reading.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

from reviewbot.agents.results import Progress
from reviewbot.agents.rounds.verification import is_checked
from reviewbot.claims import Claim, Outcome
from reviewbot.core import ChangeSet
from reviewbot.errors import ReviewbotError
from reviewbot.journal import Journal
from reviewbot.scan.readings import FOLLOWS_THE_RUN, Reading, key_of, make_reading, rank_of, render_reading

Keep = Callable[[Mapping[str, str]], None]
"""Keeps readings by their keys; may raise ReviewbotError."""


class ReadingsUnderWay:
    """Makes readings of what agents finish and keeps them at once, by key.

    ``has_second_look``: high and critical claims may still change. All that is kept here the end of the
    scan writes again, so after a fault of ``keep`` it is left to that end, which tells of it.
    """

    def __init__(
        self, changes: ChangeSet, recipe: str, keep: Keep, journal: Journal, *, has_second_look: bool
    ) -> None:
        self._sha, self._recipe = changes.head_sha, recipe
        self._keep: Keep | None = keep
        self._journal = journal
        self._files = {change.path: change for change in changes.files if change.head_blob}
        self._blobs = {path: change.head_blob or "" for path, change in self._files.items()}
        self._has_second_look = has_second_look
        self._claims: dict[str, list[Claim]] = defaultdict(list)
        self._open: set[Claim] = set()
        self._held: set[str] = set()
        self._kept: dict[str, tuple[bool, int]] = {}

    def watch(self, progress: Progress) -> None:
        """Keep what was finished."""
        if self._keep is None:
            return
        if progress.outcome and progress.outcome.task.agent != FOLLOWS_THE_RUN:
            self._sort_claims(progress.outcome, progress.reviewed)
        made = [self._make(path, ("triage",), why) for path, why in progress.triaged.items()]
        made += [self._make(path, by) for path, by in progress.reviewed.items() if path not in self._held]
        new: dict[str, str] = {}
        for reading in made:
            key, rank = key_of(self._recipe, self._files[reading.path]), rank_of(reading)
            if key not in self._kept or self._kept[key] < rank:
                self._kept[key], new[key] = rank, render_reading(reading)
        if not new:
            return
        try:
            self._keep(new)
        except ReviewbotError as error:
            self._keep = None
            self._journal.write("readings_not_kept", detail=ascii(str(error))[1:-1])

    def _make(self, path: str, by: tuple[str, ...], triaged: str = "") -> Reading:
        claims = tuple(() if triaged else self._claims.pop(path, ()))
        reading = make_reading(path, self._sha, by, triaged, claims, self._blobs)
        return replace(reading, is_open=not self._open.isdisjoint(claims))

    def _sort_claims(self, outcome: Outcome, finished: Mapping[str, object]) -> None:
        """Each claim to the file it speaks of. One about a file of another task must be kept with a file
        that goes with this one: without such a file all of the task waits.
        """
        paths = outcome.task.paths
        for claim in outcome.claims:
            if not all(quote.path in self._files for quote in claim.quotes):
                continue
            if self._has_second_look and is_checked(claim):
                self._open.add(claim)
            first = claim.quotes[0].path if claim.quotes else ""
            free = (path for path in paths if path in finished and path not in self._held)
            owner = first if first in paths else next(free, None)
            if owner is None:
                self._held.update(paths)
            else:
                self._claims[owner].append(claim)
