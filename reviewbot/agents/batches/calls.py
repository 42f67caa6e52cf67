"""The Message Batches API: create, look at, list, collect and cancel; its JSON to values of ours.

Shapes from the API reference of version 2026-10-21. Answers are foreign: an id is checked before it becomes
part of a path, and the address of the results that an answer names is not followed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from reviewbot.agents.api.claude import Claude
from reviewbot.agents.api.failures import ModelError, status_error
from reviewbot.agents.api.replies import MAX_REPLY_BYTES, parse_json
from reviewbot.claims import Usage

CREATE_SECONDS = 300.0
LOOK_SECONDS = 60.0
COLLECT_SECONDS = 600.0
LISTED = 100
"""Batches that are looked through for one whose creation was not answered, the newest."""

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status that goes with an ``error.type``."""

_UNANSWERED = {"expired": "expired", "canceled": "was cancelled"}


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch as the provider describes it. ``created`` are seconds since 1970."""

    id: str
    is_ended: bool
    requests: int
    created: float


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request of a batch: ``message`` is its answer as JSON, else ``kind`` says why not.

    ``kind``: succeeded, errored, expired, canceled. ``error`` is the body of an errored one.
    """

    kind: str
    message: str = ""
    error: object = None

    def failure(self) -> ModelError:
        """Why there is no answer, which cost nothing."""
        if self.kind != "errored":
            detail = f"The request {_UNANSWERED[self.kind]} in its batch before it was answered."
            return ModelError("provider_outage", detail, Usage())
        error = self.error.get("error") if isinstance(self.error, Mapping) else None
        kind = error.get("type") if isinstance(error, Mapping) else None
        return status_error(_STATUS.get(str(kind), 500), self.error, model="that was asked")


class BatchCalls:
    """The requests about batches. Each raises ModelError where no usable answer came."""

    def __init__(self, claude: Claude) -> None:
        self._claude = claude

    async def create(self, requests: Sequence[Mapping[str, Any]]) -> BatchState:
        """Create a batch. It is sent once: ``provider_outage`` leaves open whether it exists."""
        data = await self._claude.exchange(
            CREATE_SECONDS,
            lambda client, timeout: client.messages.batches.with_raw_response.create(
                requests=cast(Any, requests), timeout=timeout
            ),
            once=True,
        )
        return parse_batch(data)

    async def retrieve(self, batch_id: str) -> BatchState:
        """One batch as it is now."""
        data = await self._claude.exchange(
            LOOK_SECONDS,
            lambda client, timeout: client.messages.batches.with_raw_response.retrieve(
                batch_id, timeout=timeout
            ),
        )
        return parse_batch(data)

    async def newest(self) -> list[BatchState]:
        """The newest batches of the workspace, the newest first."""
        data = await self._claude.exchange(
            LOOK_SECONDS,
            lambda client, timeout: client.messages.batches.with_raw_response.list(
                limit=LISTED, timeout=timeout
            ),
        )
        return parse_batches(data)

    async def results(self, batch_id: str) -> dict[str, Result]:
        """What became of each request, by its custom id; a line that cannot be read is left out."""

        async def call(client: Any, timeout: Any) -> Any:
            import httpx2  # noqa: PLC0415 - the SDK brings it

            path = f"/v1/messages/batches/{batch_id}/results"
            return await client.get(path, cast_to=httpx2.Response, options={"timeout": timeout})

        return parse_results(await self._claude.exchange(COLLECT_SECONDS, call))

    async def cancel(self, batch_id: str) -> None:
        """Ask the provider to stop a batch."""
        await self._claude.exchange(
            10.0,
            lambda client, timeout: client.messages.batches.with_raw_response.cancel(
                batch_id, timeout=timeout
            ),
        )


def parse_batch(data: bytes) -> BatchState:
    """A batch. Raises ModelError (``provider_outage``: nobody knows what became of the request)."""
    try:
        return _batch(parse_json(data))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unusable(error) from None


def parse_batches(data: bytes) -> list[BatchState]:
    """A page of batches. Raises ModelError."""
    try:
        return [_batch(each) for each in parse_json(data)["data"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unusable(error) from None


def parse_results(data: bytes) -> dict[str, Result]:
    """The lines of a results file by their custom id; what is no result is left out."""
    found = {}
    for line in data.split(b"\n"):
        try:
            if line.strip() and len(line) <= MAX_REPLY_BYTES:
                name, result = _result(parse_json(line))
                found[name] = result
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def _batch(body: Any) -> BatchState:
    counts = body["request_counts"].values()
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", body["id"]) or not all(type(each) is int for each in counts):
        raise ValueError("its id or its counts are of another form")
    if body["processing_status"] not in ("in_progress", "canceling", "ended"):
        raise ValueError("its status is none that is known")
    created = datetime.fromisoformat(body["created_at"]).timestamp()
    return BatchState(body["id"], body["processing_status"] == "ended", sum(counts), created)


def _result(body: Any) -> tuple[str, Result]:
    name, result = body["custom_id"], body["result"]
    kind = result["type"]
    if not isinstance(name, str) or kind not in ("succeeded", "errored", "expired", "canceled"):
        raise ValueError("no result")
    if kind == "succeeded":
        return name, Result(kind, json.dumps(result["message"], ensure_ascii=True))
    return name, Result(kind, error=result.get("error"))


def _unusable(error: Exception) -> ModelError:
    said = str(error) if type(error) is ValueError else "something is missing"
    detail = f"The provider's answer about a batch is not usable: {said}."
    return ModelError("provider_outage", detail)
