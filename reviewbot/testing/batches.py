"""The Message Batches API of the scripted model: batches that end after a while, results out of order.

Limits and shapes from Anthropic's pages on batch processing and the API reference. The items of a batch are
answered when it is first looked at after its end, each at half the price; an item that the Messages API
would refuse becomes ``errored``, as there, and ``ScriptedModel.refused`` says why.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from reviewbot.testing.accounting import Charge, compact
from reviewbot.testing.checks import Refused
from reviewbot.testing.exchange import Served
from reviewbot.testing.faults import FAULTS, Fault

Json = Mapping[str, Any]

MAXIMUM_BATCH_REQUESTS = 100_000
MAXIMUM_BATCH_BYTES = 256_000_000
LIFETIME_SECONDS = 24 * 3_600.0
KEPT_SECONDS = 29 * 24 * 3_600.0
UNBILLED = ("errored", "expired", "canceled")


class Answerer(Protocol):
    """What a batch needs of ``server.ScriptedModel``."""

    def open_request(self) -> int:
        """The number of a new request."""

    def check(self, body: Any) -> None:
        """Raises Refused."""

    def find_fault(self, number: int, body: Json) -> Fault | None:
        """What goes wrong with a request."""

    def answer(self, number: int, body: Json, fault: Fault | None) -> tuple[dict[str, Any], Charge]:
        """The message, and what it costs."""

    def note(self, served: Served, problem: str = "") -> None:
        """Keep a request that is done with."""


@dataclass(slots=True)
class _Batch:
    id: str
    created: float
    items: Sequence[Json]
    canceled: float | None = None
    ended: float | None = None
    results: list[dict[str, Any]] = field(default_factory=list)


class Batches:
    """The batches of one scripted model; each method is one request, and may come from any thread.

    ``seconds``: how long a batch takes to end. ``clock``: seconds, that of the model.
    """

    def __init__(self, model: Answerer, seconds: float, clock: Callable[[], float]) -> None:
        self._model, self._seconds, self._clock = model, seconds, clock
        self._began = time.time() - clock()
        self._batches: dict[str, _Batch] = {}
        self._lock = threading.RLock()

    def create(self, body: Any) -> dict[str, Any]:
        """A new batch. Raises Refused for what the API looks at before it takes one."""
        items = check_batch(body)
        with self._lock:
            batch = _Batch(f"msgbatch_{len(self._batches) + 1:06d}", self._clock(), items)
            self._batches[batch.id] = batch
            return self._render(batch)

    def retrieve(self, batch_id: str, base_url: str = "") -> dict[str, Any]:
        """One batch as it is now. Raises Refused where there is none."""
        with self._lock:
            return self._render(self._find(batch_id), base_url)

    def list(self, query: Mapping[str, str], base_url: str = "") -> dict[str, Any]:
        """A page of batches, the newest first. Raises Refused."""
        limit, after = query.get("limit", "20"), query.get("after_id", "")
        if not limit.isdecimal() or not 1 <= int(limit) <= 1_000:
            raise Refused("limit: Input should be from 1 to 1000")
        with self._lock:
            names = sorted(self._batches, reverse=True)
            if after:
                names = names[names.index(self._find(after).id) + 1 :]
            page = [self._render(self._batches[name], base_url) for name in names[: int(limit)]]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return {
            "data": page,
            "has_more": len(names) > len(page),
            "first_id": None,
            "last_id": None,
            **ends,
        }

    def cancel(self, batch_id: str, base_url: str = "") -> dict[str, Any]:
        """Begin to cancel a batch; what it has not answered is canceled when it is next looked at."""
        with self._lock:
            batch = self._find(batch_id)
            shown = self._render(batch, base_url)
            if batch.ended is None:
                batch.canceled = self._clock()
                shown |= {"processing_status": "canceling", "cancel_initiated_at": self._time(batch.canceled)}
            return shown

    def results(self, batch_id: str) -> bytes:
        """The results, one JSON object a line, in another order than the requests. Raises Refused."""
        with self._lock:
            batch = self._find(batch_id)
            if batch.ended is None:
                raise Refused(f"{batch_id}: the batch has not ended, so there are no results")
            if self._is_archived(batch):
                raise Refused(f"{batch_id}: the results are no longer kept", 404, "not_found_error")
            return b"".join(compact(line) + b"\n" for line in reversed(batch.results))

    def _find(self, batch_id: str) -> _Batch:
        if batch_id not in self._batches:
            raise Refused(f"{batch_id}: no such batch", 404, "not_found_error")
        batch = self._batches[batch_id]
        self._settle(batch)
        return batch

    def _settle(self, batch: _Batch) -> None:
        """End a batch whose time has come."""
        if batch.ended is not None:
            return
        now, done = self._clock(), batch.created + self._seconds
        gone = batch.created + LIFETIME_SECONDS
        if batch.canceled is not None:
            batch.ended, kind = batch.canceled, "canceled"
        elif now >= gone and done > gone:
            batch.ended, kind = gone, "expired"
        elif now >= done:
            batch.ended, kind = done, ""
        else:
            return
        batch.results = [self._result(batch, item, kind) for item in batch.items]

    def _result(self, batch: _Batch, item: Json, kind: str) -> dict[str, Any]:
        number, body = self._model.open_request(), item["params"]
        request_id = f"req_{number:06d}"
        served = Served(number, body, compact(body), {}, 200, batch=batch.id)
        if kind:
            result: dict[str, Any] = {"type": kind}
            self._model.note(replace(served, status=0, stop_reason=kind))
        else:
            try:
                result = self._answer(served, body, request_id)
            except Refused as refusal:
                self._model.note(replace(served, status=refusal.status), str(refusal))
                result = _errored(Fault(refusal.status, refusal.kind, str(refusal)), request_id)
        return {"custom_id": item["custom_id"], "result": result}

    def _answer(self, served: Served, body: Json, request_id: str) -> dict[str, Any]:
        self._model.check(body)
        if body.get("stream") or body["max_tokens"] < 1:
            raise Refused("stream is not supported in a batch, and max_tokens is at least 1")
        fault = self._model.find_fault(served.number, body)
        served = replace(served, fault=fault)
        if fault and fault.how in ("expired", "canceled"):
            self._model.note(replace(served, status=0, stop_reason=fault.how))
            return {"type": fault.how}
        if fault and fault.how == "stream_error":
            fault = FAULTS["overloaded"]
        if fault and fault.status:
            self._model.note(replace(served, status=fault.status))
            return _errored(fault, request_id)
        message, charge = self._model.answer(served.number, body, fault)
        usage = {**charge.usage(), "service_tier": "batch"}
        message["usage"] = usage
        usd = charge.nano_usd(str(message["model"])) / 2 / 1_000_000_000
        self._model.note(replace(served, stop_reason=str(message["stop_reason"]), usage=usage, usd=usd))
        left_out = {"no_usage": "usage", "no_stop_reason": "stop_reason"}.get(fault.how if fault else "")
        return {
            "type": "succeeded",
            "message": {key: value for key, value in message.items() if key != left_out},
        }

    def _render(self, batch: _Batch, base_url: str = "") -> dict[str, Any]:
        self._settle(batch)
        counts = dict.fromkeys(("processing", "succeeded", *UNBILLED), 0)
        counts["processing"] = 0 if batch.results else len(batch.items)
        for line in batch.results:
            counts[line["result"]["type"]] += 1
        has_results = batch.ended is not None and not self._is_archived(batch)
        going = "canceling" if batch.canceled is not None else "in_progress"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": going if batch.ended is None else "ended",
            "request_counts": counts,
            "created_at": self._time(batch.created),
            "expires_at": self._time(batch.created + LIFETIME_SECONDS),
            "ended_at": self._time(batch.ended),
            "cancel_initiated_at": self._time(batch.canceled),
            "archived_at": self._time(batch.created + KEPT_SECONDS) if self._is_archived(batch) else None,
            "results_url": f"{base_url}/v1/messages/batches/{batch.id}/results" if has_results else None,
        }

    def _is_archived(self, batch: _Batch) -> bool:
        return self._clock() >= batch.created + KEPT_SECONDS

    def _time(self, seconds: float | None) -> str | None:
        return None if seconds is None else datetime.fromtimestamp(self._began + seconds, UTC).isoformat()


def check_batch(body: Any) -> Sequence[Json]:
    """The items of a body that creates a batch. Their ``params`` are looked at later. Raises Refused."""
    if not isinstance(body, dict) or set(body) != {"requests"} or not isinstance(body["requests"], list):
        raise Refused("requests: a list is required, and nothing beside it")
    items = body["requests"]
    if not 1 <= len(items) <= MAXIMUM_BATCH_REQUESTS:
        raise Refused(f"requests: {len(items)} requests; 1 to {MAXIMUM_BATCH_REQUESTS} are taken")
    for number, item in enumerate(items):
        if not isinstance(item, dict) or set(item) != {"custom_id", "params"}:
            raise Refused(f"requests.{number}: custom_id and params are required, and nothing beside them")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(item["custom_id"])):
            raise Refused(f"requests.{number}.custom_id: String should match '^[a-zA-Z0-9_-]{{1,64}}$'")
        if not isinstance(item["params"], dict):
            raise Refused(f"requests.{number}.params: Input should be a valid dictionary")
    if len({item["custom_id"] for item in items}) != len(items):
        raise Refused("requests: custom_id must be unique in a batch")
    return items


def _errored(fault: Fault, request_id: str) -> dict[str, Any]:
    return {"type": "errored", "error": fault.error(request_id)}
