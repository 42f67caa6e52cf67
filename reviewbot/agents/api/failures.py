"""Calls of a model that failed: what the end of each means, and what it cost. Pure.

Codes from the API reference of version 2026-10-21 (errors).
"""

import re
from collections.abc import Mapping
from typing import Literal

from reviewbot.claims import Usage
from reviewbot.spend.prices import LIST, Terms
from reviewbot.text import one_line

ErrorCode = Literal[
    "provider_outage",
    "rate_limit",
    "bad_credentials",
    "unknown_model",
    "spend_limit",
    "context",
    "bad_request",
    "invalid_answer",
    "no_batches",
    "batch_pending",
    "outdated",
]

PASSING: frozenset[ErrorCode] = frozenset({"provider_outage", "rate_limit"})
"""Failures that may be over a little later.

They are two codes because they mean something else for a gate: an outage is nobody's fault and may be
neutral, while a rate limit of the account can be used up by whoever opens enough pull requests.
"""

_NOTHING = Usage()


class ModelError(Exception):
    """A call that gave no usable reply, and what it cost.

    ``detail`` is one sentence without secrets. ``usage`` is what was charged although the call failed:
    zero tokens where nothing was, None where nobody can know. ``model`` and ``terms`` say at
    which price, where the reply came far enough to tell.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        usage: Usage | None = None,
        *,
        model: str = "",
        request_id: str = "",
        terms: Terms = LIST,
    ) -> None:
        super().__init__(detail)
        self.code: ErrorCode = code
        self.detail = detail
        self.usage = usage
        self.model = model
        self.request_id = request_id
        self.terms = terms


def status_error(status: int, body: object, *, model: str, request_id: str = "") -> ModelError:
    """What an answer with an error status means. ``body`` is its JSON, or anything else.

    Nothing is charged for these. The wording of the provider decides only where no code does, and then
    between ends that are all final.
    """
    error = body.get("error") if isinstance(body, Mapping) else None
    error = error if isinstance(error, Mapping) else {}
    said = one_line(str(error.get("message") or ""), 300)
    code, what = _meaning(status, error, said, model)
    detail = f"{what} (HTTP {status}{f': {said}' if said else ''})."
    return ModelError(code, detail, _NOTHING, request_id=request_id)


def is_spend_limit(body: object) -> bool:
    """Whether an error body names a limit on spending, which no retry can lift."""
    error = body.get("error") if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    code = details.get("error_code") if isinstance(details, Mapping) else None
    return isinstance(code, str) and code.endswith(("spend_limit_reached", "billing_unavailable"))


def _meaning(status: int, error: Mapping[str, object], said: str, model: str) -> tuple[ErrorCode, str]:
    def says(pattern: str) -> bool:
        return status == 400 and re.search(pattern, said, re.IGNORECASE) is not None

    rows: tuple[tuple[bool, ErrorCode, str], ...] = (
        (
            status == 402
            or is_spend_limit({"error": error})
            or says("(spend(ing)?|usage) limits?|credit balance"),
            "spend_limit",
            "The provider's spending limit is reached",
        ),
        (status in (401, 403), "bad_credentials", "The provider refused the credentials"),
        (
            status == 404 and error.get("type") == "not_found_error",
            "unknown_model",
            f"The provider does not know the model {one_line(model, 80)}",
        ),
        (
            status == 413 or says("too long|context (window|length)|too many tokens"),
            "context",
            "The request is longer than the model's context",
        ),
        (status == 429, "rate_limit", "The provider's rate limit was still reached after retries"),
        (
            status in (408, 409) or status >= 500,
            "provider_outage",
            "The provider was not able to answer, also after retries",
        ),
        (
            status == 404 or 300 <= status < 400,
            "bad_request",
            "There is no Messages API at this address; check the base URL",
        ),
    )
    found = next(((code, what) for holds, code, what in rows if holds), None)
    return found or ("bad_request", "The provider refused the request")
