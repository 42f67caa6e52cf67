"""GitHub workflows, actions and Dependabot files through zizmor."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from reviewbot.core import Evidence, Location, Rejected, Severity
from reviewbot.evidence import workflow_expressions
from reviewbot.evidence.sources import (
    Bench,
    Completed,
    Outcome,
    Placed,
    Report,
    Rule,
    Source,
    clean,
    in_batches,
    make_evidence,
    parse_json,
    unfold,
)

if TYPE_CHECKING:
    from reviewbot.evidence.checkouts import Workflow
    from reviewbot.evidence.workflow_scripts import Checkout

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO
_PIN = Rule(MEDIUM, 0.6, "CWE-829", "what the name stands for can change; common, so it does not block")
_MINOR = Rule(LOW, 0.6, None, "care more than a hole")
_SECRETS = Rule(MEDIUM, 0.6, "CWE-272", "more secrets than the job needs")

RULES: Mapping[str, Rule] = {
    "dangerous-triggers": Rule(
        MEDIUM,
        0.6,
        "CWE-829",
        "runs with the base repository's rights; safe while no code of the pull request runs",
    ),
    "template-injection": Rule(HIGH, 0.9, "CWE-94", "text of an outsider becomes part of a script"),
    "insecure-commands": Rule(HIGH, 0.9, "CWE-94", "lets any output line set environment variables"),
    "github-env": Rule(HIGH, 0.9, "CWE-94", "text of an outsider sets environment variables"),
    "hardcoded-container-credentials": Rule(HIGH, 0.9, "CWE-798", "a password in the workflow"),
    "dependabot-execution": Rule(
        HIGH, 0.9, "CWE-829", "lets dependencies run code where Dependabot's secrets are"
    ),
    "bot-conditions": Rule(MEDIUM, 0.6, "CWE-290", "the actor can be spoofed; widely used to merge updates"),
    "cache-poisoning": Rule(MEDIUM, 0.5, "CWE-349", "needs a foothold in another job first"),
    "unsound-contains": Rule(MEDIUM, 0.7, "CWE-697", "a substring passes the test too"),
    "unsound-condition": Rule(MEDIUM, 0.8, "CWE-697", "the condition is always true"),
    "typosquat-uses": Rule(
        MEDIUM, 0.5, "CWE-829", "a name close to a well-known one; may be a fork on purpose"
    ),
    "unredacted-secrets": Rule(MEDIUM, 0.7, "CWE-532", "parts of a secret are not masked in logs"),
    "github-app": Rule(MEDIUM, 0.6, "CWE-272", "a token of an App with more rights than needed"),
    "insecure-url-scheme": Rule(MEDIUM, 0.6, "CWE-319", "anyone on the way can change what is fetched"),
    "excessive-permissions": Rule(
        MEDIUM, 0.6, "CWE-272", "more rights than needed; the default of many repositories"
    ),
    "secrets-inherit": _SECRETS,
    "overprovisioned-secrets": _SECRETS,
    "secrets-outside-env": replace(_SECRETS, severity=LOW),
    "unpinned-uses": _PIN,
    "unpinned-images": replace(_PIN, severity=LOW),
    "unpinned-tools": replace(_PIN, severity=LOW),
    "adhoc-packages": replace(_PIN, severity=LOW),
    "artipacked": Rule(LOW, 0.4, "CWE-522", "the token stays on disk; matters where the folder is uploaded"),
    "self-hosted-runner": Rule(LOW, 0.5, None, "a risk in public repositories only"),
    "archived-uses": _MINOR,
    "dependabot-cooldown": _MINOR,
    "misfeature": _MINOR,
    "obfuscation": _MINOR,
    "use-trusted-publishing": _MINOR,
    "unsound-ternary": _MINOR,
    "self-repository": _MINOR,
    "superfluous-actions": replace(_MINOR, severity=INFO),
}
_CHECKOUT_RULE = Rule(
    HIGH, 0.9, "CWE-829", "code of the pull request meets the base repository's token, secrets and caches"
)
_GUARDED_RULE = replace(
    _CHECKOUT_RULE, severity=MEDIUM, reason=f"{_CHECKOUT_RULE.reason}; its condition keeps outsiders out"
)
_GUESSED_RULE = Rule(
    MEDIUM, 0.5, "CWE-829", "the revision is computed elsewhere; it may be the pull request's"
)
_CHECKOUT_TITLE = "Checks out the pull request's code where the base repository's rights and secrets are"
_TRIGGER_TITLE = (
    "This trigger runs with the base repository's rights; line {} checks out the pull request's code"
)
_UNJUDGED = "its checkouts and expressions could not be judged: {}"
_CONFIDENCE = {"High": 0.9, "Medium": 0.6, "Low": 0.3}
_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # YAML 1.1, which zizmor's parser and GitHub's follow
_NOT_YAML = str.maketrans("\x0b\x0c", "  ")
_OPTIONS = (
    "--offline --no-config --no-ignores --no-progress --no-exit-codes --collect=all --color never "
    "--format json-v1"
).split()
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_ACTION = re.compile(r"(.*/)?action\.ya?ml")
_DEPENDABOT = re.compile(r"\.github/dependabot\.ya?ml")
_WARNING = re.compile(
    r"WARN collect_inputs: zizmor::registry::input: failed to (?:parse input|validate .* as \S+): (.*)"
)
_TREE_CHARACTERS = 1024 * 1024
"""Text that is parsed as YAML in one run; PyYAML takes some seconds for it."""
_LONG = 20
"""Lines from which on a place is a whole job or file."""


def scan_zizmor(sources: Sequence[Source], bench: Bench) -> Report:
    """Run zizmor on the workflows, actions and Dependabot files, all with its ignores off."""
    trees = _Trees()
    files = [
        _place(source, layout, bench)
        for source in sources
        if not source.excluded
        and not source.change.is_symlink
        and (layout := _layout_of(source, trees)) is not None
    ]

    def scan(batch: Sequence[Placed]) -> Outcome:
        done = bench.call("zizmor", [*_OPTIONS, "--", *(str(placed.file) for placed in batch)])
        unread = _unread(done, batch)
        if done.exit_code == 3 and done.problem is None and len(unread) == len(batch):
            return Outcome(done, unread=unread)  # no input could be parsed, so there is no JSON
        rows, failure = parse_json("zizmor", done, (0,))
        if failure is None and not isinstance(rows, list):
            failure = "zizmor printed no list of results"
        if failure is not None:
            return Outcome(done, failure=failure)
        named = {str(placed.file): placed for placed in batch}
        return replace(parse_results(rows, named, done, trees), unread=unread)

    outcomes, failed, calls = in_batches("zizmor", files, scan)
    evidence = [item for outcome in outcomes for item in outcome.evidence]
    read = [placed for placed in files if placed.source.path not in failed]
    checkouts = [item for placed in read for item in _checkouts(placed, evidence, trees)]
    failed = trees.problems | failed  # what zizmor itself says of a file comes first
    covered = {item.location for item in checkouts}
    rest = (item for item in evidence if item.rule != "dangerous-triggers" or item.location not in covered)
    return Report(
        (*rest, *checkouts),
        frozenset(placed.source.path for placed in files) - set(failed),
        failed,
        tuple(item for outcome in outcomes for item in outcome.rejected),
        calls,
    )


def _layout_of(source: Source, trees: "_Trees") -> str | None:
    """The name under which zizmor takes a file for what it is, or None for a file that it does not read."""
    ending = PurePosixPath(source.path).suffix
    if _WORKFLOW.fullmatch(source.path):
        return f".github/workflows/x{ending}"
    if _DEPENDABOT.fullmatch(source.path):
        return f".github/dependabot{ending}"
    if _ACTION.fullmatch(source.path) and _is_action(source, trees):
        return f"action{ending}"
    return None


def _is_action(source: Source, trees: "_Trees") -> bool:
    """Whether an ``action.yml`` has ``runs`` at its root, or it cannot be told."""
    from reviewbot.evidence.checkouts import has_key  # noqa: PLC0415

    if all(not line.strip() or line.lstrip().startswith("#") for line in source.lines):
        return False
    tree = trees.get(source)
    return tree is None or has_key(tree, "runs")


def _place(source: Source, layout: str, bench: Bench) -> Placed:
    text, ours = _text(source)
    return Placed(source, bench.place(layout, text), ours)


def _text(source: Source) -> tuple[str, Sequence[int]]:
    """The file as YAML reads it, every line ended by a line feed, and the map back to our lines."""
    text, ours = unfold(source.lines, _BREAKS)
    return text.translate(_NOT_YAML), ours


class _Trees:
    """Files as YAML nodes, each parsed once and only when asked for; ``problems``: path to reason."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self._known: dict[str, Workflow | None] = {}
        self._left = _TREE_CHARACTERS

    def get(self, source: Source) -> "Workflow | None":
        """The root, or None where there is no reading it, which is then one of the problems."""
        if source.path not in self._known:
            self._known[source.path] = self._parse(source)
        return self._known[source.path]

    def _parse(self, source: Source) -> "Workflow | None":
        from reviewbot.evidence.checkouts import parse_workflow  # noqa: PLC0415 - needs PyYAML

        text, _ = _text(source)
        self._left -= len(text)
        try:
            if self._left < 0:
                raise ValueError("the workflows of this change are too large together")
            return parse_workflow(text)
        except ValueError as error:
            self.problems[source.path] = _UNJUDGED.format(clean(error, 200))
            return None


def _unread(done: Completed, batch: Sequence[Placed]) -> dict[str, str]:
    """Zizmor skips what it cannot parse: the files it does not call completed, each with the reason.

    The warnings name no file, but come in the order of the arguments.
    """
    paths = [placed.source.path for placed in batch if f"completed {placed.file}" not in done.stderr]
    reasons = _WARNING.findall(done.stderr)
    if len(reasons) != len(paths):
        reasons = ["it gave no reason"] * len(paths)
    return {
        path: f"zizmor could not parse the file: {clean(why, 200)}"
        for path, why in zip(paths, reasons, strict=True)
    }


def parse_results(
    rows: Sequence[Any], files: Mapping[str, Placed], done: Completed, trees: "_Trees"
) -> Outcome:
    """Zizmor's JSON v1 (rows count from 0) -> evidence; what is not of its form is rejected."""
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            evidence.append(_evidence(row, files, trees))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            rejected.append(
                Rejected("analyzer", "zizmor/unknown", None, "zizmor printed a result of unknown form")
            )
    return Outcome(done, tuple(evidence), rejected=tuple(rejected))


def _evidence(row: Mapping[str, Any], files: Mapping[str, Placed], trees: _Trees) -> Evidence:
    ident = str(row["ident"])
    confidence = _CONFIDENCE[row["determinations"]["confidence"]]
    places = sorted(row["locations"], key=_width)
    path, *_ = {place["symbolic"]["key"]["Local"]["verbatim_path"] for place in places}
    placed = files[path]
    found = [_location(placed, place["concrete"]["location"]) for place in places]
    primary = found[0]
    rule = RULES.get(ident, Rule(LOW, 0.5, None, "a rule without a row in our table"))
    if rule.severity is HIGH and row["determinations"]["severity"] in ("Low", "Informational", "Unknown"):
        rule = replace(rule, severity=MEDIUM, reason=f"{rule.reason}; zizmor rates this place low")
    if rule.severity is HIGH and confidence < 0.9:
        rule = replace(rule, severity=MEDIUM, reason=f"{rule.reason}; zizmor is not sure")
    origin = None
    if ident == "template-injection":
        rule, origin = _judge_injection(rule, places[0]["symbolic"], placed.source, trees)
        if origin is not None and (place := placed.locate(origin, origin)):
            found.append(place)
            confidence = rule.confidence
    annotation = clean(places[0]["symbolic"]["annotation"])
    title = f"{clean(row['desc'])}: {annotation}"
    item = make_evidence(
        "zizmor", ident, replace(rule, confidence=min(rule.confidence, confidence)), title, primary
    )
    return replace(item, related=tuple(dict.fromkeys(place for place in found[1:] if place != primary)))


def _judge_injection(
    rule: Rule, symbolic: Mapping[str, Any], source: Source, trees: _Trees
) -> tuple[Rule, int | None]:
    """The rule for this expression, and the line of the ``env`` value that it stands for, if that matters."""
    from reviewbot.evidence.checkouts import find_env  # noqa: PLC0415

    kind = symbolic["feature_kind"]
    fragment = kind["Subfeature"]["fragment"] if isinstance(kind, Mapping) else {}
    spaced = str(fragment.get("Regex", "")).replace(r"\s+", "")  # a context with blanks comes as a pattern
    context = workflow_expressions.fold_context(fragment.get("Raw") or re.sub(r"\\(.)", r"\1", spaced))
    if context.startswith("env.") and (tree := trees.get(source)) is not None:
        route = [next(iter(step.values())) for step in symbolic["route"]["route"]]
        value = find_env(tree, route, context.removeprefix("env."))
        if value and workflow_expressions.is_outsiders(value[0]):
            return RULES["template-injection"], value[1]
    if rule.severity is HIGH and workflow_expressions.is_writers(context):
        rule = replace(rule, severity=MEDIUM, reason="only people with write access choose this text")
    elif rule.severity is HIGH and context.startswith("inputs."):
        if not _WORKFLOW.fullmatch(source.path):
            rule = replace(rule, severity=MEDIUM, reason="only as bad as what callers of the action pass in")
        elif not _is_called(source, trees):
            rule = replace(rule, severity=MEDIUM, reason="only people with write access start it by hand")
    return rule, None


def _is_called(source: Source, trees: _Trees) -> bool:
    """Whether other workflows can call this one, or it cannot be told."""
    from reviewbot.evidence.checkouts import find_triggers  # noqa: PLC0415

    tree = trees.get(source)
    triggers = find_triggers(tree) if tree is not None else {}
    return "workflow_call" in triggers or "workflow_dispatch" not in triggers


def _width(place: Mapping[str, Any]) -> tuple[bool, int]:
    """Primary places first, the most specific of them at the front."""
    where = place["concrete"]["location"]
    return place["symbolic"]["kind"] != "Primary", where["end_point"]["row"] - where["start_point"]["row"]


def _location(placed: Placed, where: Mapping[str, Any]) -> Location:
    first, last = where["start_point"]["row"], where["end_point"]["row"]
    if last > first and where["end_point"]["column"] == 0:
        last -= 1  # the range ends before that line begins
    if last - first > _LONG:
        last = first  # a whole job or file: its first line stands for it
    location = placed.locate(first + 1, last + 1)
    if location is None:
        raise ValueError("no line of the file")
    return location


def _checkouts(placed: Placed, evidence: Sequence[Evidence], trees: _Trees) -> list[Evidence]:
    """Zizmor names the trigger only; we add the lines that fetch the pull request's code under it.

    The trigger gets a result of its own, so that either half, added later, blocks.
    """
    source = placed.source
    triggers = [
        item.location
        for item in evidence
        if item.rule == "dangerous-triggers" and item.location and item.location.path == source.path
    ]
    if not triggers:
        return []
    from reviewbot.evidence import checkouts  # noqa: PLC0415 - needs PyYAML

    tree = trees.get(source)
    text, _ = _text(source)
    try:
        fetches = checkouts.find_checkouts(tree) if tree is not None else None
    except ValueError as error:
        trees.problems[source.path] = _UNJUDGED.format(clean(error, 200))
        fetches = None
    if fetches is None:
        fetches = checkouts.find_checkout_lines(text)
    rated = [(_rule_of(fetch), _lines(placed, fetch.first, fetch.last), fetch.origins) for fetch in fetches]
    if not rated:
        return []
    deleted = workflow_expressions.find_deleted_conditions(source.change)
    added = []
    for rule, place, origins in rated:
        related = (*triggers, *(_lines(placed, line, line) for line in origins))
        if rule is _CHECKOUT_RULE:  # a condition that went away may be what kept outsiders out
            related += tuple(deleted)
        item = make_evidence("zizmor", "dangerous-triggers", rule, _CHECKOUT_TITLE, place)
        added.append(replace(item, related=related))
    worst, first, _ = min(rated, key=lambda row: (-row[0].severity.rank, row[1].start_line))
    for place in dict.fromkeys(triggers):
        title = _TRIGGER_TITLE.format(first.start_line)
        item = make_evidence("zizmor", "dangerous-triggers", worst, title, place)
        added.append(
            replace(item, related=tuple(row[1] for row in rated if row[0].severity is worst.severity))
        )
    return added


def _rule_of(fetch: "Checkout") -> Rule:
    if not fetch.certain:
        return _GUESSED_RULE
    return _GUARDED_RULE if fetch.guarded else _CHECKOUT_RULE


def _lines(placed: Placed, first: int, last: int) -> Location:
    location = placed.locate(first, last)
    assert location is not None  # PyYAML's lines are those of the text we placed
    return location
