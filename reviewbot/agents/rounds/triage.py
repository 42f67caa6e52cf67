"""The triage of a run: every file in batches, and what was left out once more in smaller ones."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.prompts import Fence, build_triage_prompt
from reviewbot.agents.results import Ended
from reviewbot.agents.routes import Claimed
from reviewbot.agents.spec import SPECS
from reviewbot.agents.tasks import Entry, plan_triage, read_entries, tell_of_tests
from reviewbot.claims import Stop, Task
from reviewbot.core import FileChange

Batch = tuple[FileChange, ...]

_ASKED_AGAIN = (Stop.DONE, Stop.TOKENS, Stop.CONTEXT, Stop.INVALID, Stop.REFUSED)
"""Ends of a batch after which a smaller one may do better."""


@dataclass(frozen=True, slots=True)
class TriageRound:
    """What the batches need of the run they belong to.

    ``failures``: how many tests failed. ``run`` carries a task through to its end. ``tell`` is given what
    a task says of the files that it was shown whole.
    """

    fence: Fence
    failures: int
    run: Callable[[Task, Prompt], Awaitable[Ended]]
    tell: Callable[[Mapping[str, Entry]], None]

    async def read(self, changes: Sequence[FileChange], claimed: Claimed) -> dict[str, Entry]:
        """What triage says of each file, claimed ones first; one that it left out is asked for once more."""
        files = sorted(changes, key=lambda change: -len(claimed.get(change.path, ())))
        entries: dict[str, Entry] = {}
        unanswered = await self._ask(plan_triage(files), entries, again=False)
        left = [change for change in files if change.path in unanswered]
        if left:
            await self._ask(plan_triage(left, smaller=True), entries, again=True)
        return entries

    async def _ask(self, batches: Sequence[Batch], entries: dict[str, Entry], *, again: bool) -> set[str]:
        """Fill in ``entries``; returns the paths worth asking for again."""
        parts = Counter(part.path for batch in batches for part in batch)
        ends = await asyncio.gather(*(self._run(batch, parts, again=again) for batch in batches))
        missing: set[str] = set()
        retry: set[str] = set()
        found: dict[str, list[Entry]] = {}
        for batch, (end, said) in zip(batches, ends, strict=True):
            for path, entry in said.items():
                found.setdefault(path, []).append(entry)
            left = {part.path for part in batch} - set(said)
            missing |= left
            retry |= left if end.outcome.stop in _ASKED_AGAIN else set()
        # A file whose parts were in several batches counts as read only if each part was answered.
        for path in set(found) - missing:
            first, *others = found[path]
            for other in others:
                first = first.merged(other)
            entries[path] = first
        return retry

    async def _run(
        self, batch: Batch, parts: Mapping[str, int], *, again: bool
    ) -> tuple[Ended, dict[str, Entry]]:
        prompt = build_triage_prompt(SPECS["triage"], self.fence, batch, again=again)
        task = Task("triage", tuple(dict.fromkeys(part.path for part in batch)))
        end = await self.run(task, tell_of_tests(prompt, self.failures))
        said = read_entries(end.answer, batch)
        self.tell({path: entry for path, entry in said.items() if parts[path] == 1})
        return end, said
