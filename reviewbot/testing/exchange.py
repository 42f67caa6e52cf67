"""One request to the scripted model, as tests see it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewbot.testing.checks import Refused
from reviewbot.testing.faults import Fault


@dataclass(frozen=True, slots=True)
class Served:
    """One ``POST /v1/messages``, or one item of a batch, and what came of it.

    ``raw`` are the bytes as they came, ``headers`` lower-case names without credentials. ``usage`` and
    ``usd`` are what the answer cost (empty and 0 for an error), also where a fault kept it from the client.
    ``batch`` is the id of the batch it was an item of: then ``status`` is 0 where nobody answered it.
    """

    number: int
    body: Mapping[str, Any]
    raw: bytes
    headers: Mapping[str, str]
    status: int
    stop_reason: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    usd: float = 0.0
    fault: Fault | None = None
    batch: str = ""


def parse_body(raw: bytes) -> Any:
    """A request body. Raises Refused where it is no JSON."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the request body is not valid JSON: {error}") from error
