"""What the provider says about a model: the answer of ``GET /v1/models/{id}`` to ``ModelFacts``. Pure.

Shape from the API reference of version 2026-10-21 (models). A key that is missing says nothing, so it
becomes None and never a "yes".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.api.replies import parse_json
from reviewbot.text import one_line

LIFECYCLES = ("active", "deprecated", "retired")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as its provider describes it; None is what the answer does not say.

    ``lifecycle`` is one of LIFECYCLES, ``retires_on`` a day such as ``2026-11-30``, empty for none.
    ``efforts`` are the words that ``output_config.effort`` may hold. ``clears_tool_uses``: old tool results
    can be cleared from its requests.
    """

    lifecycle: str | None
    retires_on: str
    structured_outputs: bool | None
    efforts: frozenset[str] | None
    clears_tool_uses: bool | None = None


def parse_model(data: bytes) -> ModelFacts:
    """The facts in an answer of status 200.

    Raises:
        ModelError: ``invalid_answer`` for anything but a model object.
    """
    try:
        body = parse_json(data)
    except ValueError as error:
        raise ModelError(
            "invalid_answer", f"What the provider says of its model is unusable: {error}."
        ) from None
    if not isinstance(body, Mapping) or body.get("type") != "model":
        raise ModelError("invalid_answer", "What the provider says of its model is no model object.")
    lifecycle = body.get("lifecycle")
    capabilities = _mapping(body.get("capabilities"))
    edits = _mapping(capabilities.get("context_management"))
    return ModelFacts(
        lifecycle=lifecycle if lifecycle in LIFECYCLES else None,
        retires_on=_day(body.get("retires_at")),
        structured_outputs=_supported(capabilities.get("structured_outputs")),
        efforts=_efforts(capabilities.get("effort")),
        clears_tool_uses=_supported(edits.get("clear_tool_uses_20250919")),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _supported(value: object) -> bool | None:
    answer = _mapping(value).get("supported")
    return answer if isinstance(answer, bool) else None


def _efforts(value: object) -> frozenset[str] | None:
    if _supported(value) is None:
        return None
    return frozenset(name for name, each in _mapping(value).items() if _supported(each))


def _day(value: object) -> str:
    return one_line(value[:10], 10) if isinstance(value, str) and value[:4].isdigit() else ""
