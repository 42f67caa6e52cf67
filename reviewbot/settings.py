"""What a run was told to do: one frozen value that knows where each of its parts came from.

``policy.cascade`` makes it of the policies and the command line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from reviewbot.core import GateRules, Severity, Threshold
from reviewbot.policy.patterns import matching
from reviewbot.text import printable

Engine = Literal["auto", "claude", "analyzers"]
OnIncomplete = Literal["fail", "neutral"]
Unproven = Literal["show", "hide"]
Analyzer = Literal["ruff", "zizmor", "hadolint", "detect-secrets"]

ANALYZERS: tuple[Analyzer, ...] = get_args(Analyzer)
"""The analyzers that may run, in the order they are listed everywhere."""

MODEL_ID = r"[a-zA-Z0-9][a-zA-Z0-9._:@/-]{0,199}"
"""What may be a model's id, at Anthropic or behind another door (Bedrock's hold dots and colons)."""

LOGIN = r"[A-Za-z0-9_-]{1,100}(?:\[bot\])?"
"""The name of a person or, with its end, of an app."""

MOST_ROUNDS = 5
"""How often a fix that failed its proof may go back at most."""

MAXIMUM_BUDGET_USD = 1_000_000.0
"""No run costs this much: a larger number is a slip of the keyboard."""


LARGEST_PRICE = 1_000_000.0
"""Dollars for a million tokens: no model is as dear."""


class ModelPrice(NamedTuple):
    """What a model costs here, in dollars for a million tokens."""

    model: str
    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float

    def __str__(self) -> str:
        """As ``reviewbot config`` shows it."""
        reads = f"cache {self.cache_read:g} read, {self.cache_write:g} and {self.cache_write_1h:g} written"
        return f"{self.model}: {self.input:g} in, {self.output:g} out, {reads}"


class Fallback(NamedTuple):
    """The models that take the place of a tier's own, in their order."""

    tier: str
    models: tuple[str, ...]

    def __str__(self) -> str:
        """As ``reviewbot config`` shows it."""
        return f"{self.tier}: {', then '.join(self.models) or '(none)'}"


class PathRule(NamedTuple):
    """A threshold for the paths that a gitignore-style pattern selects; None leaves a part as it is."""

    pattern: str
    fail_on: Severity | None
    minimum_confidence: float | None


@dataclass(frozen=True, slots=True)
class Policy:
    """One parsed policy file.

    ``where`` names the file. ``values`` holds, by the field names of ``Settings``, only what the file
    says; every value, pattern and rule stands beside its origin, such as ``.github/reviewbot.yml:3``.
    """

    where: str
    values: Mapping[str, tuple[object, str]] = field(default_factory=dict)
    exclude: tuple[tuple[str, str], ...] = ()
    path_rules: tuple[tuple[PathRule, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, resolved.

    ``origins`` names the origin of each field by its name, and of each pattern and path rule as
    ``exclude[0]`` and ``path_rules[0]``. ``policies`` are the files that were read, weakest first.
    ``from_argv`` are the fields that the command line set: they beat ``path_rules``, or with
    ``only_tightened`` hold together with them.
    """

    engine: Engine = "auto"
    fail_on: Severity = Severity.HIGH
    minimum_confidence: float = 0.5
    fail_on_tests: bool = False
    on_incomplete: OnIncomplete = "neutral"
    budget_usd: float = 2.00
    budget_usd_per_pull_request: float | None = None
    budget_usd_per_month: float | None = None
    triage_model: str = "claude-haiku-5-5"
    test_fix_model: str = "claude-sonnet-5-5"
    security_model: str = "claude-opus-5-5"
    fallback_models: tuple[Fallback, ...] = ()
    verify: bool = True
    suggestions: bool = False
    fix_rounds: int = 1
    unproven_fixes: Unproven = "show"
    prices: tuple[ModelPrice, ...] = ()
    analyzers: tuple[Analyzer, ...] = ANALYZERS
    skip_authors: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    path_rules: tuple[PathRule, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    from_argv: frozenset[str] = frozenset()
    only_tightened: bool = False

    @property
    def models(self) -> Mapping[str, str]:
        """The model of each agent by the agent's name; an agent that is not in it does not run."""
        return {
            "triage": self.triage_model,
            "test_fix": self.test_fix_model,
            "security": self.security_model,
            **({"verify": self.security_model} if self.verify else {}),
        }


POLICY_PATH = ".github/reviewbot.yml"
"""Where the policy stands in a repository; read at the policy commit only."""


def gate_rules(settings: Settings, paths: Iterable[str], *, is_scan: bool = False) -> GateRules:
    """What the gate needs: ``by_path`` holds those of ``paths`` whose threshold is not the general one."""
    general = Threshold(settings.fail_on, settings.minimum_confidence)
    thresholds = {path: _threshold(settings, path) for path in paths} if settings.path_rules else {}
    return GateRules(
        threshold=general,
        by_path={path: threshold for path, threshold in thresholds.items() if threshold != general},
        fail_on_tests=settings.fail_on_tests,
        on_incomplete=settings.on_incomplete,
        is_scan=is_scan,
    )


def _threshold(settings: Settings, path: str) -> Threshold:
    fail_on, confidence = settings.fail_on, settings.minimum_confidence
    for rule in settings.path_rules:
        if matching((rule.pattern,), path) is None:
            continue
        if rule.fail_on is not None and _rules(settings, "fail_on"):
            fail_on = rule.fail_on
        if rule.minimum_confidence is not None and _rules(settings, "minimum_confidence"):
            confidence = rule.minimum_confidence
    if settings.only_tightened and "fail_on" in settings.from_argv:
        fail_on = min(fail_on, settings.fail_on, key=lambda severity: severity.rank)
    if settings.only_tightened and "minimum_confidence" in settings.from_argv:
        confidence = min(confidence, settings.minimum_confidence)
    return Threshold(fail_on, confidence)


def _rules(settings: Settings, name: str) -> bool:
    """Whether a path rule has a say in a field: not where the command line has set it."""
    return settings.only_tightened or name not in settings.from_argv


def excluded_by(settings: Settings, path: str) -> str | None:
    """The pattern that excludes ``path`` and where it stands, such as ``vendor/ (FILE:7)``; else None.

    As in a gitignore file the last pattern that matches decides, and one that begins with ``!`` takes
    a path back in.
    """
    if not settings.exclude:
        return None
    number = matching(settings.exclude, path)
    if number is None:
        return None
    return f"{printable(settings.exclude[number])} ({settings.origins.get(f'exclude[{number}]', 'built-in')})"


def hyphenated(field_name: str) -> str:
    """The name of a setting as the policy and the command line spell it."""
    return field_name.replace("_", "-")


def shown_value(value: object) -> str:
    """A value of a setting as people read it."""
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.2f}" if round(value, 2) == value else repr(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "(none)"
    return str(value)
