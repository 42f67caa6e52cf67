"""What a review needs, looked at one by one before anybody relies on it: one line each, with the remedy.

It costs no tokens and writes nothing anywhere. A line says ``ok``, ``note`` (nothing is missing, but
somebody should know), or ``FAIL``: with that a review here would not be what was asked for.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from reviewbot.agents.api.claude import Claude, ModelError, connect
from reviewbot.agents.api.model_facts import ModelFacts
from reviewbot.agents.spec import SPECS
from reviewbot.change.events import local_trigger
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import Asked, read_settings
from reviewbot.core import ChangeSet, ChangeStatus, FileChange, Hunk
from reviewbot.credentials import KEY, URL, Kind, find_credentials
from reviewbot.engine import choose_engine
from reviewbot.errors import ReviewbotError
from reviewbot.evidence.analyzers import run_analyzers
from reviewbot.github.api import GitHub, GitHubDenied, GitHubNotFound
from reviewbot.github.here import connect_here, token_here
from reviewbot.publish.sanitize import one_line, terminal_text
from reviewbot.settings import POLICY_PATH, Settings
from reviewbot.spend.caps import MONTH_HOLDS

State = Literal["ok", "note", "FAIL"]

EXIT_MISSING = 2
LINE_CHARACTERS = 500


UNTOLD = (
    "Its rights to write are told by no API: the job needs `pull-requests: write`, and `checks: write` "
    "where a check run is the gate."
)
INSTALL = "Install reviewbot again with its dependencies, or leave it out of `analyzers` in the policy."
BATCHES = (
    "Scans ask in batches, which zero data retention does not cover: the provider keeps them for 29 days. "
    "`reviewbot scan --no-batch` asks live."
)
ANALYZER_SECONDS = 60.0
_NO_RUN = 1

_USED: Mapping[Kind, str] = {
    "helper": "The program that {} names is asked for tokens",
    "key": "{}",
    "token": "{}",
    "profile": "The profile that {} names",
    "federation": "This job's identity is exchanged for tokens under the rule of {}",
    "proxy": "None of ours: what stands at {} has to add them",
}

# What each analyzer must at least be able to read, under a name that is its business.
_SAMPLES = {
    "ruff": ("a.py", "print(1)"),
    "zizmor": (
        ".github/workflows/a.yml",
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: date",
    ),
    "hadolint": ("Dockerfile", "FROM scratch"),
    "detect-secrets": ("a.txt", "nothing"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the answer: ``said`` is a sentence, ``remedy`` one more where there is something to do."""

    state: State
    name: str
    said: str
    remedy: str = ""

    def render(self) -> str:
        """The line, without its line feed."""
        text = " ".join(filter(None, (self.said, self.remedy)))
        return terminal_text(f"{self.state:4}  {self.name:11}  {one_line(text, LINE_CHARACTERS)}")


def run_doctor(environment: Mapping[str, str], folder: Path, out: TextIO) -> int:
    """Check repository, policy, credentials, models, GitHub token and analyzers; print a line for each.

    ``environment`` is the process's, ``folder`` the repository that would be reviewed. Returns 0, or 2
    where something that a review here requires is missing. Nothing that is checked makes it raise.
    """
    missing = False
    for check in _examine(environment, folder):
        missing |= check.state == "FAIL"
        out.write(check.render() + "\n")
        out.flush()
    return EXIT_MISSING if missing else 0


def _examine(environment: Mapping[str, str], folder: Path) -> Iterator[Check]:
    settings, found = _read_policies(folder)
    yield from found
    credentials = list(_check_credentials(environment, settings))
    yield from credentials
    if credentials[0].state == "ok":
        yield from _check_models(environment, settings)
    if settings.budget_usd_per_month is not None:
        yield Check("note", "budget", MONTH_HOLDS)
    yield from _check_github(environment)
    yield from map(_check_analyzer, settings.analyzers)


def _failed(name: str, error: ReviewbotError) -> Check:
    return Check("FAIL", name, _sentence(str(error)), error.remedy)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


# The repository and its policy.


def _read_policies(folder: Path) -> tuple[Settings, list[Check]]:
    """The settings that a review would run with (the built-in ones where they cannot be read)."""
    settings, checks = Settings(), []
    try:
        with Repository(folder) as repository:
            trigger, _ = local_trigger(repository, None, None)
            checks.append(Check("ok", "repository", f"{trigger.repository} at {trigger.head_sha[:12]}."))
            for which, sha in (("Head", trigger.head_sha), ("Base, which reviews read", trigger.policy_sha)):
                if sha == repository.empty_tree:  # head is the first commit
                    continue
                try:
                    settings, notes = read_settings(repository, sha, Asked())
                    said = (
                        notes[0] if notes else f"no {POLICY_PATH} at {sha[:12]}, so the built-in values hold."
                    )
                    checks.append(Check("ok", "policy", f"{which}: {said}"))
                except ReviewbotError as error:
                    checks.append(_failed("policy", error))
    except ReviewbotError as error:
        checks.append(_failed("repository", error))
    return settings, checks


# Anthropic.


def _check_credentials(environment: Mapping[str, str], settings: Settings) -> Iterator[Check]:
    """First what the engine will be; ``ok`` there means that the models are asked."""
    try:
        engine = choose_engine(settings.engine, environment)
    except ReviewbotError as error:
        yield _failed("credentials", error)
        return
    if engine.name == "analyzers":
        said = engine.reason.detail if engine.reason else "Not needed: the engine is `analyzers`."
        yield Check("note", "credentials", said, f"Set {KEY} for the model agents." if engine.reason else "")
        return
    found = find_credentials(environment)
    if found is not None:
        yield Check("ok", "credentials", f"{_USED[found.kind].format(found.name)}.")
        if found.warning:
            yield Check("note", "credentials", found.warning)
    yield Check("note", "batches", BATCHES)


def _check_models(environment: Mapping[str, str], settings: Settings) -> Iterator[Check]:
    users: dict[str, list[str]] = {}
    for agent, model in settings.models.items():
        users.setdefault(model, []).append(agent)
    try:
        answers = asyncio.run(_ask_about(environment, list(users)))
    except ReviewbotError as error:
        yield _failed("credentials", error)
        return
    for model, answer in answers.items():
        who = f"{model} ({', '.join(users[model])})"
        if isinstance(answer, ModelError):
            yield _judge_silence(who, users[model], answer)
        else:
            yield _judge_model(who, users[model], answer)


async def _ask_about(
    environment: Mapping[str, str], models: Sequence[str]
) -> dict[str, ModelFacts | ModelError]:
    """What the provider says about each model, or why it says nothing."""
    claude = connect(environment)
    try:
        answers = await asyncio.gather(*(_describe(claude, model) for model in models))
    finally:
        await claude.aclose()
    return dict(zip(models, answers, strict=True))


async def _describe(claude: Claude, model: str) -> ModelFacts | ModelError:
    try:
        return await claude.describe(model)
    except ModelError as error:
        return error


def _judge_silence(who: str, agents: Sequence[str], error: ModelError) -> Check:
    """A model of which the provider says nothing. Not every proxy has the page that is asked for."""
    setting = " and ".join(f"`{agent.replace('_', '-')}-model`" for agent in agents if agent != "verify")
    remedies = {
        "unknown_model": f"Name a model that this key may use in {setting} of the policy.",
        "bad_credentials": f"Check {KEY}, or what takes its place.",
        "provider_outage": f"Check the network and {URL}, then run this again.",
    }
    state: State = "FAIL" if error.code in remedies else "note"
    remedy = remedies.get(error.code, "A first review will tell.")
    return Check(state, "model", f"{who}: {_sentence(error.detail)}", remedy)


def _judge_model(who: str, agents: Sequence[str], facts: ModelFacts) -> Check:
    when = f" on {facts.retires_on}" if facts.retires_on else ""
    if facts.lifecycle == "retired":
        return Check("FAIL", "model", f"{who}: it is retired.", "Name another model in the policy.")
    if facts.structured_outputs is False:
        said = f"{who}: it has no structured output, which every agent needs."
        return Check("FAIL", "model", said, "Name another model in the policy.")
    efforts = {SPECS[agent].effort for agent in agents}
    if facts.efforts is not None and efforts - facts.efforts:
        said = f"{who}: it does not take the effort {', '.join(sorted(efforts - facts.efforts))}."
        return Check("FAIL", "model", said, "Name another model in the policy.")
    if facts.lifecycle == "deprecated":
        return Check(
            "note", "model", f"{who}: it will be retired{when}.", "Name its successor in the policy."
        )
    known = "active" if facts.lifecycle else "known, its lifecycle is not told"
    told = "structured output" if facts.structured_outputs else "structured output is not told"
    return Check("ok", "model", f"{who}: {known}, {told}.")


# GitHub.


def _check_github(environment: Mapping[str, str]) -> Iterator[Check]:
    token = token_here(environment)
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not token or not repository:
        absent = "GITHUB_REPOSITORY" if token else "GITHUB_TOKEN"
        said = f"Not checked: {absent} is not set. Only `reviewbot action` needs it."
        yield Check("note", "github", said)
        return
    try:
        github = connect_here(environment, token)
        facts = github.read_repository(repository)
        yield Check("ok", "github", f"The token reads {repository} ({facts.size_kib:,} KiB).")
        yield _check_contents(github, repository, facts.default_branch)
        yield from _check_rights(github, repository, facts.default_branch)
        yield Check("ok", "policy", github.read_shared_policy(repository).said)
    except ReviewbotError as error:
        yield _failed("github", error)


def _check_contents(github: GitHub, repository: str, branch: str) -> Check:
    try:
        tip = github.resolve_commit(repository, branch)
    except GitHubNotFound:
        return Check("note", "github", f"The branch {branch} has no commit yet.")
    return Check("ok", "github", f"It reads commits ({branch} is at {tip[:12]}).", UNTOLD)


def _check_rights(github: GitHub, repository: str, branch: str) -> Iterator[Check]:
    """What else a token must read. Nothing is written to try it."""
    try:
        github.read_open_heads(repository, branch)
        yield Check("ok", "github", "It reads pull requests.")
    except GitHubDenied as error:
        said = f"It does not read pull requests: {_sentence(str(error))}"
        yield Check("FAIL", "github", said, "Give the job `pull-requests: write`.")
    try:
        github.read_artifacts(repository, _NO_RUN)
    except GitHubNotFound:
        pass
    except GitHubDenied:
        said = "It does not read the runs of workflows, so no report of another workflow."
        yield Check("note", "github", said, "Where a review follows one, give the job `actions: read`.")
        return
    yield Check("ok", "github", "It reads the runs of workflows and their reports.")


# The analyzers.


def _check_analyzer(name: str) -> Check:
    """Let an analyzer read a file of ours in the way it reads a change."""
    path, text = _SAMPLES[name]
    lines = tuple(f"+{line}" for line in text.split("\n"))
    blob = f"{text}\n".encode()
    change = FileChange(
        path=path,
        old_path=None,
        status=ChangeStatus.ADDED,
        base_mode="000000",
        head_mode="100644",
        base_blob=None,
        head_blob="0" * 40,
        added_lines=len(lines),
        hunks=(Hunk(0, 0, 1, len(lines), lines),),
        added=((1, len(lines)),),
    )
    changes = ChangeSet("0" * 40, "0" * 40, (change,))
    try:
        run = run_analyzers(changes, lambda _: blob, names=(name,), seconds=ANALYZER_SECONDS)
    except ReviewbotError as error:
        return _failed("analyzer", error)
    if name in run.scanned.get(path, ()):
        return Check("ok", "analyzer", f"{name} runs.")
    why = run.failed.get(path, f"{name} did not read its sample")
    return Check("FAIL", "analyzer", _sentence(why), INSTALL)
