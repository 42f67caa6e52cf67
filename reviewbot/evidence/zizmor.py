"""GitHub workflows, actions and Dependabot files through zizmor."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from reviewbot.core import Evidence, Location, Rejected, Severity
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
_CHECKOUT_TITLE = "Checks out the pull request's code where the base repository's rights and secrets are"
_TRIGGER_TITLE = (
    "This trigger runs with the base repository's rights; line {} checks out the pull request's code"
)
_HEAD_OF_PULL = re.compile(
    r"github\s*\.\s*event\s*\.\s*pull_request\s*\.\s*(head\s*\.\s*(sha|ref|repo)|merge_commit_sha)"
    r"|github\s*\.\s*event\s*\.\s*workflow_run\s*\.\s*(head_sha|head_branch|head_commit|head_repository|pull_requests)"
    r"|github\s*\.\s*head_ref"
    r"|refs/pull/|\bpull/\S{0,200}?/(head|merge)\b|\bgh\s+pr\s+checkout\b",
    re.IGNORECASE,
)
_CHECKS_OUT = re.compile(
    r"^\s*(-\s+)?[\"']?(ref|repository)[\"']?\s*:|\bgit\s+(fetch|checkout|clone|pull|switch|merge|worktree)\b"
    r"|\bgh\s+pr\s+checkout\b|[{,]\s*[\"']?(ref|repository)[\"']?\s*:",
)
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
_RUNS = re.compile(r"\bruns[\"']?\s*:")
_WARNING = re.compile(
    r"WARN collect_inputs: zizmor::registry::input: failed to (?:parse input|validate .* as \S+): (.*)"
)
_LONG = 20
"""Lines from which on a place is a whole job or file."""


def scan_zizmor(sources: Sequence[Source], bench: Bench) -> Report:
    """Run zizmor on the workflows, actions and Dependabot files, all with its ignores off."""
    files = [
        _place(source, layout, bench)
        for source in sources
        if not source.excluded and not source.change.is_symlink and (layout := layout_of(source)) is not None
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
        return replace(
            parse_results(rows, {str(placed.file): placed for placed in batch}, done), unread=unread
        )

    outcomes, failed, calls = in_batches("zizmor", files, scan)
    evidence = [item for outcome in outcomes for item in outcome.evidence]
    checkouts = _checkouts(files, evidence)
    covered = {item.location for item in checkouts}
    rest = (item for item in evidence if item.rule != "dangerous-triggers" or item.location not in covered)
    return Report(
        (*rest, *checkouts),
        frozenset(placed.source.path for placed in files) - set(failed),
        failed,
        tuple(item for outcome in outcomes for item in outcome.rejected),
        calls,
    )


def layout_of(source: Source) -> str | None:
    """The name under which zizmor takes a file for what it is, or None for a file that it does not read."""
    ending = PurePosixPath(source.path).suffix
    if _WORKFLOW.fullmatch(source.path):
        return f".github/workflows/x{ending}"
    if _DEPENDABOT.fullmatch(source.path):
        return f".github/dependabot{ending}"
    if _ACTION.fullmatch(source.path) and any(_RUNS.search(line) for line in source.lines):
        return f"action{ending}"
    return None


def _place(source: Source, layout: str, bench: Bench) -> Placed:
    text, ours = unfold(source.lines, _BREAKS)
    return Placed(source, bench.place(layout, text.translate(_NOT_YAML)), ours)


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


def parse_results(rows: Sequence[Any], files: Mapping[str, Placed], done: Completed) -> Outcome:
    """Zizmor's JSON v1 (rows count from 0) -> evidence; what is not of its form is rejected."""
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            evidence.append(_evidence(row, files))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            rejected.append(
                Rejected("analyzer", "zizmor/unknown", None, "zizmor printed a result of unknown form")
            )
    return Outcome(done, tuple(evidence), rejected=tuple(rejected))


def _evidence(row: Mapping[str, Any], files: Mapping[str, Placed]) -> Evidence:
    ident = str(row["ident"])
    confidence = _CONFIDENCE[row["determinations"]["confidence"]]
    places = sorted(row["locations"], key=_width)
    path, *_ = {place["symbolic"]["key"]["Local"]["verbatim_path"] for place in places}
    placed = files[path]
    found = [_location(placed, place["concrete"]["location"]) for place in places]
    primary = found[0]
    rule = RULES.get(ident, Rule(LOW, 0.5, None, "a rule without a row in our table"))
    if rule.severity is HIGH and ident == "template-injection" and not _is_workflow(placed.source):
        rule = replace(rule, severity=MEDIUM, reason="only as bad as what callers of the action pass in")
    if rule.severity is HIGH and row["determinations"]["severity"] in ("Low", "Informational", "Unknown"):
        rule = replace(rule, severity=MEDIUM, reason=f"{rule.reason}; zizmor rates this place low")
    if rule.severity is HIGH and confidence < 0.9:
        rule = replace(rule, severity=MEDIUM, reason=f"{rule.reason}; zizmor is not sure")
    annotation = clean(places[0]["symbolic"]["annotation"])
    title = f"{clean(row['desc'])}: {annotation}"
    item = make_evidence(
        "zizmor", ident, replace(rule, confidence=min(rule.confidence, confidence)), title, primary
    )
    return replace(item, related=tuple(dict.fromkeys(place for place in found[1:] if place != primary)))


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


def _is_workflow(source: Source) -> bool:
    return bool(_WORKFLOW.fullmatch(source.path))


def _checkouts(files: Sequence[Placed], evidence: Sequence[Evidence]) -> list[Evidence]:
    """Zizmor names the trigger only; we add the lines that fetch the pull request's code under it.

    The trigger gets a result of its own, so that either half, added later, blocks.
    """
    added: list[Evidence] = []
    for placed in files:
        path = placed.source.path
        triggers = [
            item.location
            for item in evidence
            if item.rule == "dangerous-triggers" and item.location and item.location.path == path
        ]
        fetches = [
            Location(path, number, number)
            for number, line in enumerate(placed.source.lines, 1)
            if _HEAD_OF_PULL.search(line) and _CHECKS_OUT.search(line) and not line.lstrip().startswith("#")
        ]
        if triggers and fetches:
            for place in (*fetches, *triggers):
                related = tuple(other for other in (*triggers, *fetches) if other != place)
                title = _CHECKOUT_TITLE if place in fetches else _TRIGGER_TITLE.format(fetches[0].start_line)
                item = make_evidence("zizmor", "dangerous-triggers", _CHECKOUT_RULE, title, place)
                added.append(replace(item, related=related))
    return added
