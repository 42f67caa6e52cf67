"""What the security agent has still to read, in tasks as large as the money allows. Pure.

As long as there is enough for all of it, files that belong together stand together. Where there is not, the
riskiest files come first, whatever folder they are in, and the large ones that would eat up the rest last.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from reviewbot.agents.tasks import MATERIAL_SHARE, TASK_FILES, plan_security, split_batch
from reviewbot.agents.view.excerpts import batch_files, estimate_tokens, render_file
from reviewbot.core import FileChange

Parts = tuple[FileChange, ...]

SMALLEST_TASK_TOKENS = 400
"""A task with less of the change in it is not worth the instructions that are sent with it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one task is to read. ``is_half``: it was part of a task that failed, and is not split again."""

    parts: Parts
    tokens: int
    is_half: bool = False


class Backlog:
    """The batches that wait; ``files`` come riskiest first and keep that order."""

    def __init__(self, files: Sequence[FileChange], context_tokens: int) -> None:
        self._rank = {change.path: place for place, change in enumerate(files)}
        self._waiting = deque(map(_batch, plan_security(files, context_tokens)))
        self._most = int(context_tokens * MATERIAL_SHARE)
        self._is_by_risk = False
        self.has_siblings = len(self._waiting) > 1
        self._unread = Counter(path for batch in self._waiting for path in _paths(batch.parts))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, room_tokens: float, tasks: int = 2) -> Batch | None:
        """The next batch, of at most so many tokens; None where so little is no task.

        ``tasks``: how many of this size can be paid. A file that needs more of them comes last.
        """
        if self._waiting and room_tokens >= SMALLEST_TASK_TOKENS:
            if self._waiting[0].tokens > room_tokens:
                self._pack(int(room_tokens), tasks)
            elif not self._is_by_risk and sum(batch.tokens for batch in self._waiting) > room_tokens:
                self._pack(min(self._most, int(room_tokens)), tasks, is_half=False)
        if not self._waiting or self._waiting[0].tokens > room_tokens:
            return None
        return self._waiting.popleft()

    def split(self, batch: Batch, *, again: bool = False) -> bool:
        """Put the halves of a batch behind all others; False where there is nothing to split.

        A half is split only ``again``: where it was not read at all, because it cost too much.
        """
        halves = [] if batch.is_half and not again else split_batch(batch.parts)
        if len(halves) < 2:
            return False
        self._waiting += [_batch(half, is_half=True) for half in halves]
        self._recount(batch.parts, halves)
        self.has_siblings = True
        return True

    def narrow(self, batch: Batch, paths: Collection[str]) -> bool:
        """Put the parts of these files behind all others, and drop those of others; False for none."""
        parts = tuple(part for part in batch.parts if part.path in paths)
        if not parts:
            return False
        self._waiting.append(_batch(parts, is_half=batch.is_half))
        self._recount(batch.parts, (parts,))
        self.has_siblings = True
        return True

    def finish(self, batch: Batch) -> tuple[str, ...]:
        """Note that a batch was read; the paths of its files of which no part is left to read."""
        self._recount(batch.parts, ())
        return tuple(path for path in dict.fromkeys(_paths(batch.parts)) if not self._unread[path])

    def give_up(self) -> Parts:
        """All that waits; nothing waits any more."""
        parts = tuple(part for batch in self._waiting for part in batch.parts)
        self._waiting.clear()
        return parts

    def _pack(self, room: int, tasks: int, *, is_half: bool = True) -> None:
        parts = sorted(self.give_up(), key=lambda part: self._rank[part.path])
        packed = pack_riskiest(parts, room, tasks)
        self._waiting = deque(_batch(some, is_half=is_half) for some in packed)
        self._recount(parts, packed)
        self._is_by_risk = True
        self.has_siblings |= len(self._waiting) > 1

    def _recount(self, before: Iterable[FileChange], after: Iterable[Parts]) -> None:
        self._unread.subtract(_paths(before))
        self._unread.update(path for parts in after for path in _paths(parts))


def _paths(parts: Iterable[FileChange]) -> Iterable[str]:
    return (part.path for part in parts)


def pack_riskiest(parts: Iterable[FileChange], room: int, tasks: int) -> list[Parts]:
    """Batches of at most ``room`` tokens in the order given; what needs more than ``tasks`` comes last."""
    sized = [(part, estimate_tokens(render_file(part))) for part in parts]
    fits = [part for part, tokens in sized if tokens <= tasks * room]
    large = [part for part, tokens in sized if tokens > tasks * room]
    packed: list[Parts] = []
    current: list[FileChange] = []
    left = 0
    pieces = (piece for part in (*fits, *large) for [piece] in _cut(part, room))
    for piece in pieces:
        tokens = estimate_tokens(render_file(piece))
        if current and (tokens > left or len(current) >= TASK_FILES):
            packed.append(tuple(current))
            current = []
        left = (left if current else room) - tokens
        current.append(piece)
    return [*packed, tuple(current)] if current else packed


def _cut(part: FileChange, room: int) -> list[Parts]:
    return batch_files((part,), room, 1)


def _batch(parts: Parts, *, is_half: bool = False) -> Batch:
    return Batch(parts, sum(estimate_tokens(render_file(part)) for part in parts), is_half)
