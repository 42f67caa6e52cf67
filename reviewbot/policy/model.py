"""What a policy file may hold: its keys, their kinds, and the JSON Schema that says so to an editor.

Imported only where there is a policy: pydantic costs 0.1 s of CPU.
"""

from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reviewbot.core import Severity
from reviewbot.settings import (
    ANALYZERS,
    LARGEST_PRICE,
    LOGIN,
    MAXIMUM_BUDGET_USD,
    MODEL_ID,
    MOST_ROUNDS,
    Analyzer,
    Engine,
    OnIncomplete,
    Unproven,
)

# What pathspec takes and what can select something, in what the regular expressions of Python and of
# JSON Schema (ECMA-262) share; `(?![\s\S])` is the end of the text in both, where `$` is not.
_END = r"(?![\s\S])"
_BLANK = r"\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ATOM = rf"(?:[^{_BLANK}/\\\[]|\\[!-.:-@\[-`{{-~]|\[[!^]?(?:a-z|A-Z|0-9|[A-Za-z0-9_.])+\])"
_SEGMENTS = rf"/?(?:(?! |\.\.?(?:/|{_END}))(?: *{_ATOM})+(?:/|{_END}))+{_END}"
_PathPattern = Annotated[str, Field(pattern=rf"^(?![\s\S]{{257}})(?![#!]){_SEGMENTS}")]
_ExcludePattern = Annotated[str, Field(pattern=rf"^(?![\s\S]{{257}})(?!#)!?(?![#!]){_SEGMENTS}")]


def _each_once(names: list[Any]) -> list[Any]:
    if len(set(names)) != len(names):
        raise ValueError(names)
    return names


def _not_empty(rule: "PathEntry") -> "PathEntry":
    if not rule.model_fields_set:
        raise ValueError(rule)
    return rule


def _not_given() -> Any:
    return None  # never from the file, where a null is refused


_FailOn = Annotated[Severity, Field(strict=False)]
_Model = Annotated[str, Field(pattern=rf"^{MODEL_ID}(?![\s\S])")]
_Login = Annotated[str, Field(pattern=rf"^{LOGIN}(?![\s\S])")]
_Dollars = Annotated[float, Field(ge=0, le=MAXIMUM_BUDGET_USD)]
_Confidence = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        regex_engine="python-re",
        alias_generator=lambda name: name.replace("_", "-"),
    )


class PathEntry(_Strict):
    """The threshold of the paths that one pattern selects; it names at least one of the two keys."""

    model_config = ConfigDict(title="path rule", json_schema_extra={"minProperties": 1})

    fail_on: _FailOn = Field(
        default_factory=_not_given,
        description="The severity from which on a finding in these paths blocks; by default the general one.",
    )
    minimum_confidence: _Confidence = Field(
        default_factory=_not_given,
        description="The confidence below which no finding in these paths blocks; by default the general.",
    )


_Price = Annotated[float, Field(ge=0, le=LARGEST_PRICE)]


class PriceEntry(_Strict):
    """What one model costs, in dollars for a million tokens."""

    model_config = ConfigDict(title="price")

    input: _Price = Field(description="What tokens of a prompt cost that no cache had to do with.")
    output: _Price = Field(description="What tokens of an answer cost, its thinking included.")
    cache_read: _Price = Field(
        default_factory=_not_given, description="What tokens cost that a cache held; by default as `input`."
    )
    cache_write: _Price = Field(
        default_factory=_not_given,
        description="What tokens cost that a cache keeps for five minutes; by default 1.25 times `input`.",
    )
    cache_write_1h: _Price = Field(
        default_factory=_not_given,
        description="What tokens cost that a cache keeps for an hour; by default twice `input`.",
    )


_Fallbacks = Annotated[list[_Model], AfterValidator(_each_once)]


class FallbackEntry(_Strict):
    """The models that take the place of a tier's own where that cannot answer, in their order."""

    model_config = ConfigDict(title="fallback models")

    haiku: _Fallbacks = Field(
        default=[], json_schema_extra={"uniqueItems": True}, description="In the place of the triage model."
    )
    sonnet: _Fallbacks = Field(
        default=[], json_schema_extra={"uniqueItems": True}, description="In the place of the test-fix model."
    )
    opus: _Fallbacks = Field(
        default=[], json_schema_extra={"uniqueItems": True}, description="In the place of the security model."
    )


class PolicyFile(_Strict):
    """What `.github/reviewbot.yml` may hold; every key may be left out."""

    model_config = ConfigDict(title="reviewbot policy")

    engine: Engine = Field(
        default="auto",
        description="Who reviews: `claude`, only the `analyzers`, or `auto` (the default): Claude where "
        "credentials are found.",
    )
    fail_on: _FailOn = Field(
        default=Severity.HIGH,
        description="The severity from which on a finding on a changed line blocks; the default is `high`.",
    )
    minimum_confidence: _Confidence = Field(
        default=0.5,
        description="The confidence from 0 to 1 below which no finding blocks; the default is 0.5.",
    )
    fail_on_tests: bool = Field(
        default=False,
        description="Whether every failed test blocks; the default is false: they are advisory.",
    )
    on_incomplete: OnIncomplete = Field(
        default="neutral",
        description="What a review means that could not be complete by design, such as one without "
        "secrets: `fail` blocks, `neutral` (the default) lets merge.",
    )
    budget_usd: _Dollars = Field(
        default=2.0, description="The dollars that one run may spend on models at most; the default is 2."
    )
    budget_usd_per_pull_request: _Dollars = Field(
        default_factory=_not_given,
        description="The dollars that all runs on one pull request may spend on models together; by default "
        "there is no such cap.",
    )
    budget_usd_per_month: _Dollars = Field(
        default_factory=_not_given,
        description="The dollars that the runs which share one --state may spend on models in a calendar "
        "month (UTC); by default there is no such cap.",
    )
    triage_model: _Model = Field(
        default="claude-haiku-5-5", description="The model that triages; the default is `claude-haiku-5-5`."
    )
    test_fix_model: _Model = Field(
        default="claude-sonnet-5-5",
        description="The model that explains failed tests; the default is `claude-sonnet-5-5`.",
    )
    security_model: _Model = Field(
        default="claude-opus-5-5",
        description="The model that reviews security; the default is `claude-opus-5-5`.",
    )
    fallback_models: FallbackEntry = Field(
        default_factory=_not_given,
        description="Models by tier (`haiku`, `sonnet`, `opus`) that are asked in their order where the "
        "tier's own is retired, unknown, or overloaded after retries; the report marks it. By default none.",
    )
    verify: bool = Field(
        default=True,
        description="Whether each high or critical security finding is handed to a second agent that tries "
        "to refute it; the default is true. What is refuted is shown and does not block.",
    )
    suggestions: bool = Field(
        default=False,
        description="Whether a fix for a failed test is also offered as a suggestion that one click commits, "
        "where its lines are in the diff and the branch is the repository's own; the default is false.",
    )
    fix_rounds: Annotated[int, Field(ge=0, le=MOST_ROUNDS)] = Field(
        default=1,
        description="How often a fix that failed its proof (`review --prove`) goes back for another, within "
        "the budget; the default is 1.",
    )
    unproven_fixes: Unproven = Field(
        default="show",
        description="Whether a fix that nobody has proven is offered as an idea, `show` (the default), or "
        "not at all, `hide`; `fix.patch` is still written for the job that tries it.",
    )
    prices: dict[_Model, PriceEntry] = Field(
        default={},
        json_schema_extra={"additionalProperties": False},
        description="Prices by the id of a model, where they are not the provider's list prices; by default "
        "none. A model without a price costs `unknown`, and the budget cannot hold it.",
    )
    analyzers: Annotated[list[Analyzer], AfterValidator(_each_once)] = Field(
        default=list(ANALYZERS),
        json_schema_extra={"uniqueItems": True},
        description="The analyzers that run, each at most once; by default all four.",
    )
    skip_authors: Annotated[list[_Login], AfterValidator(_each_once)] = Field(
        default=[],
        json_schema_extra={"uniqueItems": True},
        description="The authors, such as `renovate[bot]`, whose pull requests are not reviewed unless "
        "somebody asks for it: no review was performed, which is never a pass. By default none.",
    )
    exclude: list[_ExcludePattern] = Field(
        default=[],
        description="Gitignore-style patterns of files that are not reviewed, of which the last that "
        "matches decides and `!` takes a file back in; by default none.",
    )
    paths: dict[_PathPattern, Annotated[PathEntry, AfterValidator(_not_empty)]] = Field(
        default={},
        json_schema_extra={"additionalProperties": False},
        description="Thresholds by gitignore-style pattern, the last match wins; by default none.",
    )


ROOT_KEYS = tuple(str(info.alias) for info in PolicyFile.model_fields.values())
PRICE_KEYS = tuple(str(info.alias) for info in PriceEntry.model_fields.values())
FALLBACK_KEYS = tuple(str(info.alias) for info in FallbackEntry.model_fields.values())
RULE_KEYS = tuple(str(info.alias) for info in PathEntry.model_fields.values())
PATTERN = (
    "a gitignore-style pattern of up to 256 characters (no `.`, `..` or empty folder, no "
    "blank at either end, in brackets only letters, digits, `.`, `_` and the ranges a-z, A-Z and 0-9)"
)
ALLOWED = {
    "engine": f"one of {', '.join(get_args(Engine))}",
    "fail-on": f"one of {', '.join(Severity)}",
    "minimum-confidence": "a number from 0 to 1",
    "fail-on-tests": "true or false",
    "on-incomplete": f"one of {', '.join(get_args(OnIncomplete))}",
    **dict.fromkeys(
        ("budget-usd", "budget-usd-per-pull-request", "budget-usd-per-month"),
        f"a number of dollars from 0 to {MAXIMUM_BUDGET_USD:.0f}",
    ),
    "triage-model": "the id of a model, such as claude-haiku-5-5",
    "test-fix-model": "the id of a model, such as claude-sonnet-5-5",
    "security-model": "the id of a model, such as claude-opus-5-5",
    "fallback-models": "a mapping from `haiku`, `sonnet` and `opus` to lists of ids of models",
    **dict.fromkeys(FALLBACK_KEYS, "a list of ids of models, each at most once"),
    "verify": "true or false",
    "suggestions": "true or false",
    "fix-rounds": f"a whole number from 0 to {MOST_ROUNDS}",
    "unproven-fixes": f"one of {', '.join(get_args(Unproven))}",
    "prices": "a mapping from ids of models to `input`, `output` and prices of the cache",
    **dict.fromkeys(PRICE_KEYS, f"the dollars for a million tokens, from 0 to {LARGEST_PRICE:.0f}"),
    "analyzers": f"a list of {', '.join(ANALYZERS)}, each at most once",
    "skip-authors": "a list of logins, such as renovate[bot], each at most once",
    "exclude": "a list of gitignore-style patterns",
    "paths": "a mapping from gitignore-style patterns to `fail-on` and `minimum-confidence`",
}


def policy_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) that accepts what ``parse_policy`` accepts, in the hyphenated spelling."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "$id": "urn:reviewbot:policy", **PolicyFile.model_json_schema(by_alias=True)}
