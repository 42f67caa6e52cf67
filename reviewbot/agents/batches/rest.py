"""What is left of a scan that nobody goes on with: its batches are cancelled, its answers counted."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from reviewbot.agents.api.claude import Claude
from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.replies import parse_reply
from reviewbot.agents.batches.calls import BatchCalls
from reviewbot.agents.batches.ledger import BatchLedger, OpenBatch
from reviewbot.agents.batches.wait import BatchWait
from reviewbot.journal import Journal
from reviewbot.spend.prices import PriceList

ENDS_SECONDS = 60.0
"""So long is waited for a batch that was cancelled; then nobody knows what it cost."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Answers that nobody asks for any more.

    ``usd`` is what they cost, ``new_usd`` the part of it that no run was charged for yet; ``unknown`` counts
    requests of batches of which nobody can tell what they cost.
    """

    answers: int = 0
    usd: float = 0.0
    new_usd: float = 0.0
    cancelled: int = 0
    unknown: int = 0


def count_rest(ledger: BatchLedger, asked: Collection[str], prices: PriceList) -> Rest:
    """The answers in the ledger that were not ``asked`` for. Raises StateError."""
    keys = [key for key in ledger.answered() if key not in asked]
    usd = sum(price_answer(message, prices) for message in ledger.answers(keys).values())
    return Rest(len(keys), usd)


async def drop_batches(
    ledger: BatchLedger,
    asked: Collection[str],
    claude: Claude,
    *,
    wait: BatchWait,
    prices: PriceList,
    journal: Journal,
) -> Rest:
    """Cancel the batches without an ask that was ``asked`` for, and count what they have answered.

    Closes ``claude``. Raises StateError.
    """
    calls = BatchCalls(claude)
    answers, usd, cancelled, unknown = 0, 0.0, 0, 0
    try:
        for batch in ledger.open_batches():
            if batch.keys & set(asked):
                continue
            try:
                was_ended = await _end(calls, batch, wait)
                results = (await calls.results(batch.id or "")).values()
            except ModelError as error:
                unknown += 0 if error.code == "unknown_model" else len(batch.keys)
                continue
            messages = [result.message for result in results if result.kind == "succeeded"]
            cancelled += 0 if was_ended else len(batch.keys) - len(messages)
            answers += len(messages)
            usd += sum(price_answer(message, prices) for message in messages)
    finally:
        await claude.aclose()
    rest = Rest(answers, usd, usd, cancelled, unknown)
    journal.write("batches_dropped", answers=answers, usd=usd, cancelled=cancelled, unknown=unknown)
    return rest


async def _end(calls: BatchCalls, batch: OpenBatch, wait: BatchWait) -> bool:
    """Whether a batch had ended; one that had not is cancelled and waited for. Raises ModelError."""
    if batch.id is None:
        raise ModelError("provider_outage", "Nobody knows whether the batch exists.")
    if (await calls.retrieve(batch.id)).is_ended:
        return True
    await calls.cancel(batch.id)

    async def is_ended() -> bool:
        return (await calls.retrieve(batch.id or "")).is_ended

    await wait.until(is_ended, "batches that were cancelled")
    return False


def price_answer(message: str, prices: PriceList) -> float:
    """Dollars of one answer of a batch; 0 where nobody knows the price."""
    try:
        model = str(json.loads(message).get("model", ""))
        reply = parse_reply(message.encode(), model, request_id="", seconds=0.0)
    except (ModelError, ValueError, AttributeError):
        return 0.0
    return prices.price_usd(reply.model, reply.usage, replace(reply.terms, batch=True)) or 0.0
