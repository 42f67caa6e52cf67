"""What goes wrong on the way to a model, as values: error answers, cut connections, broken bodies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Json = Mapping[str, Any]

Break = Literal[
    "",
    "reset",
    "early_end",
    "stream_error",
    "html",
    "broken_json",
    "no_usage",
    "no_stop_reason",
    "empty",
    "expired",
    "canceled",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with a request.

    With a ``status`` the request is answered by an error of that status and ``kind`` (``error.type``),
    and costs nothing. ``how`` breaks an answer that the model did write, and that is billed:
    ``reset`` cuts the connection, ``early_end`` ends the body halfway without an error, ``stream_error``
    sends an error event halfway (of a stream; else it is status 529), ``html`` is a page with status
    200, ``broken_json`` half a JSON, ``no_usage`` and ``no_stop_reason`` leave those out, ``empty`` has no
    content. ``expired`` and ``canceled`` are ends of an item of a batch, and cost nothing (for any other
    request they are status 529). ``behaviour`` lets another behaviour answer this request.
    """

    status: int = 0
    kind: str = "api_error"
    message: str = "the fault that was asked for"
    error_code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    how: Break = ""
    behaviour: str = ""

    def error(self, request_id: str) -> dict[str, Any]:
        """The error body."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return {"type": "error", "error": error, "request_id": request_id}


Faults = Mapping["int | Callable[[Json], bool]", Fault | str]
"""Which requests fail: by their number (the first is 1) or where a function of the body says so."""

FAULTS: Mapping[str, Fault] = {
    "rate_limit": Fault(429, "rate_limit_error", "too many requests"),
    "rate_limit_1s": Fault(429, "rate_limit_error", "too many requests", headers={"retry-after": "1"}),
    "rate_limit_1h": Fault(429, "rate_limit_error", "too many requests", headers={"retry-after": "3600"}),
    "spend_limit": Fault(
        429, "rate_limit_error", "monthly limit reached", error_code="enforced_spend_limit_reached"
    ),
    "own_spend_limit": Fault(
        400, "invalid_request_error", "You have reached your specified API usage limits."
    ),
    "billing": Fault(402, "billing_error", "no credit left"),
    "unauthorized": Fault(401, "authentication_error", "invalid bearer token"),
    "forbidden": Fault(403, "permission_error", "this key may not use this model"),
    "unknown_model": Fault(404, "not_found_error", "no such model"),
    "too_large": Fault(413, "request_too_large", "request exceeds the maximum size"),
    "context": Fault(400, "invalid_request_error", "prompt is too long: 1000001 tokens > 1000000 maximum"),
    "server_error": Fault(500, "api_error", "internal server error"),
    "overloaded": Fault(529, "overloaded_error", "overloaded"),
    "timeout": Fault(504, "timeout_error", "the request timed out"),
    **{how: Fault(how=how) for how in get_args(Break) if how},
}
"""Faults by name; a name that is a behaviour (``refuser``, ``truncator`` …) is also a fault."""


def find_fault(
    faults: Mapping["int | Callable[[Json], bool]", Fault], number: int, body: Json
) -> Fault | None:
    """The fault of one request: the first whose number it has or whose function claims it."""
    for when, fault in faults.items():
        if when == number or (callable(when) and when(body)):
            return fault
    return None
