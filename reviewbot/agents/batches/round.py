"""One round: requests to batches, and their results back, whatever happens in between.

A row of the ledger stands before a batch is created. Where the answer to the creation is lost, the batch is
looked for in the provider's list before another one is created.
"""

import asyncio
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reviewbot.agents.api.failures import PASSING, ModelError
from reviewbot.agents.batches.calls import BatchCalls, Result
from reviewbot.agents.batches.ledger import BatchLedger, OpenBatch
from reviewbot.agents.batches.wait import BatchWait
from reviewbot.claims import Usage
from reviewbot.journal import Journal

BATCH_REQUESTS = 1_000
BATCH_BYTES = 32_000_000
"""One batch of ours: far under the provider's 100,000 requests and 256 MB, so that it fits our memory."""

TRIES = 2
"""How often a request is put in a batch that does not answer it."""

CREATIONS = 3
DOWNLOADS = 3
PAUSE_SECONDS = 1.0

EARLIER_SECONDS = 300.0
LATER_SECONDS = 900.0
"""A batch that was created so long before or after we began to, by the provider's clock, may be ours."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a round: its custom id, the model it asks, its JSON body.

    Without ``begins`` it is put into no new batch: only one that is under way may answer it.
    """

    key: str
    model: str
    body: Mapping[str, Any]
    begins: bool = True


class BatchRound:
    """One round of a run; ``number`` is for the reader."""

    def __init__(
        self, calls: BatchCalls, ledger: BatchLedger, wait: BatchWait, journal: Journal, number: int
    ) -> None:
        self._calls, self._ledger, self._wait = calls, ledger, wait
        self._journal, self._number = journal, number
        self._foreign: set[str] = set()

    async def ask(self, requests: Sequence[Request]) -> dict[str, str | ModelError]:
        """The answer to each request by its key, as JSON, or why there is none."""
        found: dict[str, str | ModelError] = {}
        left = {request.key: request for request in requests}
        for attempt in range(TRIES):
            ended = await self._try(list(left.values()))
            found |= ended
            again = [key for key, end in ended.items() if isinstance(end, _Again)]
            left = {key: left[key] for key in again}
            if not left:
                break
            self._journal.write("batch_items_failed", items=len(left), attempt=attempt + 1)
        return found

    async def _try(self, requests: Sequence[Request]) -> "dict[str, str | ModelError]":
        wanted = {request.key for request in requests}
        found: dict[str, str | ModelError] = {}
        under_way: set[str] = set()
        batches = []
        for batch in self._ledger.open_batches():
            if batch.keys & wanted:
                under_way |= batch.keys
                try:
                    known = await self._identify(batch)
                except ModelError as error:
                    found |= dict.fromkeys(batch.keys & wanted, error)
                    continue
                if known is None:
                    under_way -= batch.keys
                else:
                    batches.append(known)
        new = [request for request in requests if request.key not in under_way and request.key not in found]
        found |= {request.key: _outdated() for request in new if not request.begins}
        for chunk in cut([request for request in new if request.begins]):
            try:
                batches.append(await self._create(chunk))
            except ModelError as error:
                found |= {request.key: error for request in chunk}
        for batch in batches:
            found |= await self._finish(batch, wanted)
        return found

    async def _create(self, requests: Sequence[Request]) -> OpenBatch:
        """A new batch. Raises ModelError where none could be created, or nobody knows whether one was."""
        if self._wait.is_over:
            raise self._wait.pending()
        batch = self._ledger.begin([request.key for request in requests], time.time())
        body = [{"custom_id": request.key, "params": request.body} for request in requests]
        for attempt in range(CREATIONS):
            try:
                state = await self._calls.create(body)
            except ModelError as error:
                if error.code not in PASSING:
                    self._ledger.close_batch(batch.number, {})
                    raise _explain_refusal(error) from None
                failure = error
                await asyncio.sleep(PAUSE_SECONDS * attempt)
                known = await self._look_for(batch)
                if known is not None:
                    return known
                continue
            self._ledger.opened(batch.number, state.id, is_sure=True)
            self._journal.write("batch_created", id=state.id, requests=len(requests), round=self._number)
            return replace(batch, id=state.id, is_sure=True)
        raise failure

    async def _identify(self, batch: OpenBatch) -> OpenBatch | None:
        """The batch with its id; None where it was never created, and then it is forgotten."""
        if batch.id is not None:
            return batch
        known = await self._look_for(batch)
        if known is None:
            self._ledger.close_batch(batch.number, {})
        return known

    async def _look_for(self, batch: OpenBatch) -> OpenBatch | None:
        """What looks like the batch in the provider's list: created at that time, with as many requests."""
        taken = {each.id for each in self._ledger.open_batches()} | self._foreign
        for state in await self._calls.newest():
            since = state.created - batch.begun
            is_then = -EARLIER_SECONDS <= since <= LATER_SECONDS
            if is_then and state.requests == len(batch.keys) and state.id not in taken:
                self._ledger.opened(batch.number, state.id, is_sure=False)
                self._journal.write("batch_found", id=state.id, requests=state.requests, round=self._number)
                return replace(batch, id=state.id)
        return None

    async def _finish(self, batch: OpenBatch, wanted: Collection[str]) -> "dict[str, str | ModelError]":
        """Wait for a batch and collect it; what is wanted of it by key."""
        keys = batch.keys & set(wanted)
        what = f"{len(batch.keys)} answer{'s' * (len(batch.keys) != 1)} of round {self._number} in a batch"
        try:
            await self._wait.until(lambda: self._is_ended(batch), what)
            results = await self._collect(batch)
        except ModelError as error:
            if error.code != "unknown_model":
                return dict.fromkeys(keys, error)
            self._ledger.close_batch(batch.number, {})
            return dict.fromkeys(keys, _Again(_outage("The provider no longer has the batch.")))
        if not batch.is_sure and not batch.keys & results.keys():
            self._foreign.add(batch.id or "")
            self._ledger.opened(batch.number, None, is_sure=False)
            other = await self._identify(replace(batch, id=None))
            lost = _Again(_outage("The batch was not created."))
            return await self._finish(other, wanted) if other else dict.fromkeys(keys, lost)
        answers = {key: result.message for key, result in results.items() if result.kind == "succeeded"}
        self._ledger.close_batch(batch.number, {key: answers[key] for key in answers.keys() & batch.keys})
        self._journal.write("batch_collected", id=batch.id, requests=len(batch.keys), answers=len(answers))
        return {key: _end(results.get(key)) for key in keys}

    async def _is_ended(self, batch: OpenBatch) -> bool:
        try:
            return (await self._calls.retrieve(batch.id or "")).is_ended
        except ModelError as error:
            if error.code not in PASSING:
                raise
            return False  # the batch goes on although nobody can look at it now

    async def _collect(self, batch: OpenBatch) -> dict[str, Result]:
        """The results; again where the connection was lost or lines are missing, which costs nothing."""
        results: dict[str, Result] = {}
        for attempt in range(DOWNLOADS):
            await asyncio.sleep(PAUSE_SECONDS * attempt)
            try:
                results |= await self._calls.results(batch.id or "")
            except ModelError as error:
                if error.code not in PASSING or (attempt + 1 == DOWNLOADS and not results):
                    raise
            if batch.keys <= results.keys() or (results and not batch.keys & results.keys()):
                break
        return results


class _Again(ModelError):
    """A failure after which a request may be put in another batch."""

    def __init__(self, failure: ModelError) -> None:
        super().__init__(failure.code, failure.detail, failure.usage)


def cut(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """The requests in batches that are not too large."""
    chunk: list[Request] = []
    room = BATCH_BYTES
    for request in requests:
        size = len(json.dumps(request.body, ensure_ascii=True)) + len(request.key)
        if chunk and (size > room or len(chunk) >= BATCH_REQUESTS):
            yield chunk
            chunk, room = [], BATCH_BYTES
        chunk.append(request)
        room -= size
    if chunk:
        yield chunk


def _end(result: Result | None) -> "str | ModelError":
    """The answer, or why there is none; what failed on the provider's side may be asked again."""
    if result is None:
        return ModelError("invalid_answer", "The results of the batch leave this request out.")
    if result.kind == "succeeded":
        return result.message
    failure = result.failure()
    return _Again(failure) if failure.code in PASSING else failure


def _outdated() -> ModelError:
    return ModelError("outdated", "What it asks about has changed since the scan began.", Usage())


def _outage(detail: str) -> ModelError:
    return ModelError("provider_outage", detail, Usage())


def _explain_refusal(error: ModelError) -> ModelError:
    """What a refused creation means: where there is no such page, there are no batches."""
    if "(HTTP 404" not in error.detail:
        return error
    detail = "There is no Batch API at the address of the provider (HTTP 404)."
    return ModelError("no_batches", detail, Usage())
