"""GitHub workflows, actions and Dependabot files through zizmor."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from reviewbot.core import Evidence, Location, Rejected
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
)
from reviewbot.evidence.workflow_trees import WorkflowTrees, yaml_text
from reviewbot.evidence.zizmor_rules import (
    CHECKOUT,
    GUARDED_CHECKOUT,
    GUESSED_CHECKOUT,
    HIGH,
    LOW,
    MEDIUM,
    RULES,
)

if TYPE_CHECKING:
    from reviewbot.evidence.workflow_scripts import Checkout

_CHECKOUT_TITLE = "Checks out the pull request's code where the base repository's rights and secrets are"
_TRIGGER_TITLE = (
    "This trigger runs with the base repository's rights; line {} checks out the pull request's code"
)
_CONFIDENCE = {"High": 0.9, "Medium": 0.6, "Low": 0.3}
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
_LONG = 20
"""Lines from which on a place is a whole job or file."""


def scan_zizmor(sources: Sequence[Source], bench: Bench) -> Report:
    """Run zizmor on the workflows, actions and Dependabot files, all with its ignores off."""
    trees = WorkflowTrees()
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


def _layout_of(source: Source, trees: WorkflowTrees) -> str | None:
    """The name under which zizmor takes a file for what it is, or None for a file that it does not read."""
    ending = PurePosixPath(source.path).suffix
    if _WORKFLOW.fullmatch(source.path):
        return f".github/workflows/x{ending}"
    if _DEPENDABOT.fullmatch(source.path):
        return f".github/dependabot{ending}"
    if _ACTION.fullmatch(source.path) and _is_action(source, trees):
        return f"action{ending}"
    return None


def _is_action(source: Source, trees: WorkflowTrees) -> bool:
    """Whether an ``action.yml`` has ``runs`` at its root, or it cannot be told."""
    from reviewbot.evidence.checkouts import has_key  # noqa: PLC0415

    if all(not line.strip() or line.lstrip().startswith("#") for line in source.lines):
        return False
    tree = trees.get(source)
    return tree is None or has_key(tree, "runs")


def _place(source: Source, layout: str, bench: Bench) -> Placed:
    text, ours = yaml_text(source)
    return Placed(source, bench.place(layout, text), ours)


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
    rows: Sequence[Any], files: Mapping[str, Placed], done: Completed, trees: WorkflowTrees
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


def _evidence(row: Mapping[str, Any], files: Mapping[str, Placed], trees: WorkflowTrees) -> Evidence:
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
    rule: Rule, symbolic: Mapping[str, Any], source: Source, trees: WorkflowTrees
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


def _is_called(source: Source, trees: WorkflowTrees) -> bool:
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


def _checkouts(placed: Placed, evidence: Sequence[Evidence], trees: WorkflowTrees) -> list[Evidence]:
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
    text, _ = yaml_text(source)
    try:
        fetches = checkouts.find_checkouts(tree) if tree is not None else None
    except ValueError as error:
        trees.refuse(source, error)
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
        if rule is CHECKOUT:  # a condition that went away may be what kept outsiders out
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
        return GUESSED_CHECKOUT
    return GUARDED_CHECKOUT if fetch.guarded else CHECKOUT


def _lines(placed: Placed, first: int, last: int) -> Location:
    location = placed.locate(first, last)
    assert location is not None  # PyYAML's lines are those of the text we placed
    return location
