"""What the workflow gave to the action: ``INPUT_…`` variables to one frozen value.

The runner spells an input in capitals and keeps its hyphens (``INPUT_FAIL-ON``); one that is not given
arrives empty. https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax#inputs
"""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, get_args

from reviewbot.change.policy_file import Asked
from reviewbot.core import Severity
from reviewbot.credentials import JOB_TOKEN, JOB_URL, RULE, is_set
from reviewbot.errors import UsageError
from reviewbot.github.answers import SharedPolicy
from reviewbot.policy.patterns import parse_patterns
from reviewbot.request import AGENTS, parse_agents
from reviewbot.scan.options import WAIT_SECONDS, parse_duration
from reviewbot.settings import MAXIMUM_BUDGET_USD, POLICY_PATH, Engine, OnIncomplete
from reviewbot.text import printable

Mode = Literal["auto", "review", "scan"]

DEFAULT_COMMENTS = 25
MAXIMUM_COMMENTS = 100
"""Inline comments of one review: more is nothing that anybody reads."""

SHORTEST_KEY = 16
"""Characters of a ``state-key``: fewer can be guessed by trying."""

NAMES = (
    "mode",
    "anthropic-api-key",
    "federation-rule-id",
    "organization-id",
    "service-account-id",
    "workspace-id",
    "github-token",
    "base-url",
    "engine",
    "fail-on",
    "fail-on-tests",
    "on-incomplete",
    "budget-usd",
    "sarif",
    "junit",
    "logs",
    "job-logs",
    "policy",
    "pull-request",
    "base",
    "head",
    "max-comments",
    "state-key",
    "upload-sarif",
    "state",
    "batch",
    "max-wait",
    "paths",
    "agents",
    "dry-run",
    "proof",
)
"""The inputs of action.yml, in its order."""

_SECRET = frozenset({"anthropic-api-key", "github-token", "state-key"})
_PREFIX = "INPUT_"


_WITHHELD = (
    *("INPUT_", "ACTIONS_", "GITHUB_TOKEN", "GH_TOKEN"),
    *("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"),
)
"""Beginnings of the names of variables that nothing below may see: inputs, tokens, the runner's files."""


class InputError(UsageError):
    """An input of the action that does not exist or has a value it cannot take."""

    help = "Correct the `with:` block of the step in the workflow file."


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs, parsed. ``overrides`` are settings by the field names of ``Settings``.

    ``federation`` holds the variables of workload identity federation by their names.

    ``sarif``, ``junit`` and ``logs`` are patterns, one a line in the workflow file; ``job_logs``: what failed
    jobs say is read from GitHub. ``proof`` is a path: the run tells of that and reviews nothing. Empty text
    means not given.
    """

    mode: Mode = "auto"
    token: str = field(default="", repr=False)
    anthropic_key: str = field(default="", repr=False)
    federation: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""
    overrides: Mapping[str, object] = field(default_factory=dict)
    sarif: tuple[str, ...] = ()
    junit: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    job_logs: bool = False
    policy: str = ""
    pull_request: int | None = None
    base: str = ""
    head: str = ""
    max_comments: int = DEFAULT_COMMENTS
    state_key: bytes | None = field(default=None, repr=False)
    upload_sarif: bool = False
    state: str = ""
    batch: bool = True
    wait_seconds: float = WAIT_SECONDS
    paths: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    dry_run: bool = False
    proof: str = ""

    @property
    def for_scans(self) -> tuple[str, ...]:
        """The names of the inputs that only mean something for a scan, where they were given."""
        given = {
            "state": bool(self.state),
            "batch": not self.batch,
            "max-wait": self.wait_seconds != WAIT_SECONDS,
        }
        return tuple(name for name, is_given in given.items() if is_given)

    @property
    def is_part(self) -> bool:
        """Whether only a part is reviewed, which must not be taken for the whole."""
        return bool(self.paths or self.agents)

    @property
    def is_quiet(self) -> bool:
        """Whether the run posts nothing and keeps nothing."""
        return self.dry_run or self.is_part

    def asked(self, shared: SharedPolicy | None) -> Asked:
        """What they say about settings: only what is stricter counts."""
        return Asked(path=self.policy or POLICY_PATH, shared=shared, overrides=self.overrides, tighten=True)


def parse_inputs(environment: Mapping[str, str]) -> Inputs:
    """Read every input from the environment of the step.

    Raises InputError for an input that action.yml does not have, and for a value of the wrong kind.
    """
    given = _given(environment)
    value = given.get
    overrides = {
        "engine": _one_of("engine", given, get_args(Engine)),
        "fail_on": _one_of("fail-on", given, [str(severity) for severity in Severity]),
        "fail_on_tests": _one_of("fail-on-tests", given, ("true", "false")) == "true" or None,
        "on_incomplete": _one_of("on-incomplete", given, get_args(OnIncomplete)),
        "budget_usd": _number("budget-usd", given, float, MAXIMUM_BUDGET_USD),
    }
    comments = _number("max-comments", given, int, MAXIMUM_COMMENTS)
    mode = _one_of("mode", given, get_args(Mode))
    return Inputs(
        mode="scan" if mode == "scan" else "review" if mode == "review" else "auto",
        token=value("github-token", ""),
        anthropic_key=value("anthropic-api-key", ""),
        federation=_federation(given),
        base_url=_address(value("base-url", "")),
        overrides={name: each for name, each in overrides.items() if each is not None},
        sarif=_lines(value("sarif", "")),
        junit=_lines(value("junit", "")),
        logs=_lines(value("logs", "")),
        job_logs=_one_of("job-logs", given, ("true", "false")) == "true",
        policy=value("policy", ""),
        pull_request=_pull_number(given),
        base=value("base", ""),
        head=value("head", ""),
        max_comments=DEFAULT_COMMENTS if comments is None else int(comments),
        state_key=_key(value("state-key", "")),
        upload_sarif=_one_of("upload-sarif", given, ("auto", "never")) == "auto",
        state=value("state", ""),
        batch=_one_of("batch", given, ("true", "false")) != "false",
        wait_seconds=_wait(given),
        paths=parse_patterns(_lines(value("paths", "")), "The input `paths`:"),
        agents=_agents(given),
        dry_run=_one_of("dry-run", given, ("true", "false")) == "true",
        proof=value("proof", ""),
    )


def refuse_choices(inputs: Inputs) -> None:
    """Raise InputError for inputs that choose what is reviewed: here the event says that.

    On a pull request the workflow file, and so the inputs, may come from the change itself.
    """
    chosen = {
        "mode": inputs.mode != "auto",
        "pull-request": inputs.pull_request is not None,
        "base": bool(inputs.base),
        "head": bool(inputs.head),
        **dict.fromkeys(inputs.for_scans, True),
        "paths": bool(inputs.paths),
        "agents": bool(inputs.agents),
        "dry-run": inputs.dry_run,
    }
    for name, given in chosen.items():
        if given:
            raise InputError(
                f"The input `{name}` cannot be used on this event, which says itself what is reviewed.",
                help="Leave it out here; it is for `workflow_dispatch` and `schedule`.",
            )


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    given = {}
    for variable, text in environment.items():
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX):
            continue
        if name not in NAMES:
            near = get_close_matches(name.replace("_", "-"), NAMES, 1)
            meant = f"Did you mean `{near[0]}`?" if near else f"The inputs are {', '.join(NAMES)}."
            raise InputError(f"The action has no input `{printable(name)}`.", help=meant)
        if text.strip():
            given[name] = text.strip()
    return given


def _refused(name: str, text: str, allowed: str) -> InputError:
    shown = "has a value that" if name in _SECRET else f"is {printable(text)!r}, which"
    return InputError(f"The input `{name}` {shown} cannot be used.", help=f"Give {allowed}.")


def _one_of(name: str, given: Mapping[str, str], allowed: tuple[str, ...] | list[str]) -> str | None:
    text = given.get(name)
    if text is None:
        return None
    if text.lower() not in allowed:
        raise _refused(name, text, f"one of {', '.join(allowed)}")
    return text.lower()


def _number(
    name: str, given: Mapping[str, str], kind: Callable[[str], float], largest: float
) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        number = kind(text) if text.isascii() and "_" not in text else -1
    except ValueError:
        number = -1
    if not 0 <= number <= largest:  # NaN is not within
        what = "a whole number" if kind is int else "a number"
        raise _refused(name, text, f"{what} from 0 to {largest:.0f}")
    return number


def _pull_number(given: Mapping[str, str]) -> int | None:
    number = _number("pull-request", given, int, 2**31 - 1)
    if number == 0:
        raise _refused("pull-request", "0", "the number of a pull request")
    return None if number is None else int(number)


def _agents(given: Mapping[str, str]) -> tuple[str, ...]:
    names = parse_agents(given.get("agents", ""))
    if names is None:
        raise _refused("agents", given["agents"], f"some of {', '.join(AGENTS)}")
    return names


def _wait(given: Mapping[str, str]) -> float:
    try:
        return parse_duration(given["max-wait"]) if "max-wait" in given else WAIT_SECONDS
    except ArgumentTypeError:
        raise _refused(
            "max-wait", given["max-wait"], "a duration up to 24h, such as 90s, 15m or 2h"
        ) from None


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _address(text: str) -> str:
    if text and not (text.startswith(("https://", "http://")) and text.isprintable() and " " not in text):
        raise _refused("base-url", text, "an address that begins with https://")
    return text


_FEDERATION = {
    "federation-rule-id": RULE,
    "organization-id": "ANTHROPIC_ORGANIZATION_ID",
    "service-account-id": "ANTHROPIC_SERVICE_ACCOUNT_ID",
    "workspace-id": "ANTHROPIC_WORKSPACE_ID",
}


def _federation(given: Mapping[str, str]) -> dict[str, str]:
    named = {variable: given[name] for name, variable in _FEDERATION.items() if name in given}
    if named and RULE not in named:
        raise InputError(
            "The inputs of the federation lack `federation-rule-id`.",
            help="Give the rule, or leave the others out.",
        )
    return named


def _key(text: str) -> bytes | None:
    if text and len(text) < SHORTEST_KEY:
        raise _refused("state-key", text, f"a random secret of at least {SHORTEST_KEY} characters")
    return text.encode("utf-8", "surrogateescape") if text else None


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the inputs, the tokens and the runner's files."""
    return {name: value for name, value in environment.items() if not name.startswith(_WITHHELD)}


def api_url(environment: Mapping[str, str]) -> str:
    """The address of GitHub's REST API."""
    return environment.get("GITHUB_API_URL") or "https://api.github.com"


def reviewed_environment(environment: Mapping[str, str], inputs: Inputs) -> dict[str, str]:
    """What the review may see of the environment, with the credentials of the model."""
    given = {"ANTHROPIC_API_KEY": inputs.anthropic_key, "ANTHROPIC_BASE_URL": inputs.base_url}
    federates = bool(inputs.federation) or is_set(environment, RULE)
    job = {name: environment[name] for name in (JOB_URL, JOB_TOKEN) if federates and name in environment}
    return {
        **passed_on(environment),
        **inputs.federation,
        **job,
        "CI": "true",
        **{name: value for name, value in given.items() if value},
    }
