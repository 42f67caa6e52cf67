"""The review for programs: ``report.json``, schema_version 1, and its JSON Schema.

The types below are the contract of DESIGN.md section 5; the schema is generated from them, so the
two cannot differ. Text is shown by the sanitiser's ``visible``; paths are exact: bytes that are not
UTF-8 come out as the escapes ``\\udc80`` to ``\\udcff`` (Python's ``surrogateescape``).
"""

import inspect
import json
from types import NoneType
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from reviewbot import __version__
from reviewbot.core import CoverageRow, Finding, Outcome, Rejected, Review
from reviewbot.publish.patch import without_edits
from reviewbot.publish.sanitize import visible
from reviewbot.publish.summary import explanation, remarks
from reviewbot.text import show_surrogates


class Tool(TypedDict):
    """The program that wrote the report."""

    name: str
    version: str


class TriggerReport(TypedDict):
    """Who asked for a review of what. `base_sha` is the merge base, `head_sha` what was reviewed."""

    kind: Literal[
        "pull_request",
        "schedule",
        "workflow_dispatch",
        "issue_comment",
        "workflow_run",
        "merge_group",
        "push",
        "local",
    ]
    actor: str
    repository: str
    pull_number: int | None
    base_sha: str
    policy_sha: str
    head_sha: str
    is_fork: bool


class ReasonReport(TypedDict):
    """Why the verdict is what it is: a code from a closed list and one sentence."""

    code: str
    detail: str


class VerdictReport(TypedDict):
    """The decision and the fingerprints of the findings that block."""

    conclusion: Literal["pass", "fail", "incomplete"]
    exit_code: int
    blocking: list[str]
    reasons: list[ReasonReport]


class EditReport(TypedDict):
    """A replacement of exact text in one file."""

    path: str
    find: str
    replace: str


class FindingReport(TypedDict):
    """One finding. The place is null where it has none; lines count from 1 and include both ends."""

    fingerprint: str
    source: Literal["sarif", "junit", "analyzer", "agent"]
    rule: str
    severity: Literal["critical", "high", "medium", "low", "info"]
    confidence: float
    cwe: list[str]
    title: str
    body: str
    path: str | None
    start_line: int | None
    end_line: int | None
    side: Literal["RIGHT", "LEFT"] | None
    in_diff: bool
    blocking: bool
    status: Literal["new", "known", "dismissed", "deferred"]
    quote: str
    edits: list[EditReport] | None


class RejectedReport(TypedDict):
    """Something said that did not become a finding, and why."""

    source: str
    rule: str
    path: str | None
    why: str


class CoverageFile(TypedDict):
    """One changed file, what became of it, who read it, and the rule or failure behind that."""

    path: str
    status: Literal["reviewed", "triaged", "excluded", "unreviewed"]
    by: list[str]
    reason: str
    added_lines: int
    deleted_lines: int


class CoverageReport(TypedDict):
    """The ledger of every changed file. `reviewed_lines` counts added lines."""

    files: list[CoverageFile]
    added_lines: int
    deleted_lines: int
    reviewed_lines: int


class Usage(TypedDict):
    """Tokens."""

    input: int
    output: int
    cache_read: int
    cache_write: int


class AgentReport(TypedDict):
    """One task of a model agent, of which a large change has several. `usd` is null where unknown."""

    name: str
    model: str
    effort: str
    degraded: bool
    stop: str
    turns: int
    tool_calls: int
    denied_calls: int
    usage: Usage
    usd: float | None
    seconds: float


class Cost(TypedDict):
    """Dollars spent, allowed and saved by caching (may be < 0); `complete`: no cost is unknown."""

    usd: float
    budget_usd: float
    complete: bool
    cache_saved_usd: float


class Report(TypedDict):
    """The outcome of one review by reviewbot."""

    schema_version: Literal[1]
    run_id: str
    tool: Tool
    trigger: TriggerReport
    verdict: VerdictReport
    findings: list[FindingReport]
    rejected: list[RejectedReport]
    coverage: CoverageReport
    agents: list[AgentReport]
    cost: Cost
    started_at: str
    seconds: float


def report_document(review: Review) -> Report:
    """The review as plain data, ready for ``json.dumps``."""
    blocking = frozenset(review.verdict.blocking)
    return {
        "schema_version": 1,
        "run_id": review.trigger.run_id,
        "tool": {"name": "reviewbot", "version": __version__},
        "trigger": _trigger(review),
        "verdict": {
            "conclusion": review.verdict.conclusion.value,
            "exit_code": review.verdict.exit_code,
            "blocking": list(review.verdict.blocking),
            "reasons": [{"code": r.code, "detail": visible(r.detail)} for r in review.verdict.reasons],
        },
        "findings": [
            _finding(finding if review.shows_fix else without_edits(finding), finding.fingerprint in blocking)
            for finding in review.findings
        ],
        "rejected": [_rejected(rejected) for rejected in review.rejected],
        "coverage": {
            "files": [_file(row) for row in review.coverage.files],
            "added_lines": review.coverage.added_lines,
            "deleted_lines": review.coverage.deleted_lines,
            "reviewed_lines": review.coverage.reviewed_lines,
        },
        "agents": [_agent(outcome) for outcome in review.outcomes],
        "cost": {
            "usd": round(review.cost_usd, 9),
            "budget_usd": review.budget_usd,
            "complete": review.cost_is_complete,
            "cache_saved_usd": round(sum(outcome.saved_usd for outcome in review.outcomes), 9),
        },
        "started_at": review.started_at,
        "seconds": review.seconds,
    }


def _trigger(review: Review) -> TriggerReport:
    trigger = review.trigger
    return {
        "kind": trigger.kind.value,
        "actor": visible(trigger.actor),
        "repository": visible(trigger.repository),
        "pull_number": trigger.pull_number,
        "base_sha": trigger.base_sha,
        "policy_sha": trigger.policy_sha,
        "head_sha": trigger.head_sha,
        "is_fork": trigger.is_fork,
    }


def _finding(finding: Finding, blocking: bool) -> FindingReport:
    evidence, at = finding.evidence, finding.location
    return {
        "fingerprint": finding.fingerprint,
        "source": evidence.source,
        "rule": visible(finding.rule),
        "severity": finding.severity.value,
        "confidence": evidence.confidence,
        "cwe": [visible(cwe) for cwe in evidence.cwe],
        "title": visible(evidence.title),
        "body": visible(
            "\n\n".join(filter(None, (explanation(finding), finding.evidence.trace, *remarks(finding))))
        ),
        "path": at.path if at else None,
        "start_line": at.start_line if at else None,
        "end_line": at.end_line if at else None,
        "side": at.side.value if at else None,
        "in_diff": finding.in_diff,
        "blocking": blocking,
        "status": finding.status,
        "quote": visible(finding.quote),
        "edits": [
            {"path": edit.path, "find": show_surrogates(edit.find), "replace": show_surrogates(edit.replace)}
            for edit in evidence.edits
        ]
        or None,
    }


def _agent(outcome: Outcome) -> AgentReport:
    usage = outcome.usage
    return {
        "name": outcome.task.agent,
        "model": visible(outcome.model),
        "effort": outcome.effort,
        "degraded": outcome.degraded,
        "stop": outcome.stop.value,
        "turns": outcome.turns,
        "tool_calls": outcome.tool_calls,
        "denied_calls": outcome.denied_calls,
        "usage": {
            "input": usage.input,
            "output": usage.output,
            "cache_read": usage.cache_read,
            "cache_write": usage.cache_write,
        },
        "usd": outcome.usd if outcome.usd is None else round(outcome.usd, 9),
        "seconds": round(outcome.seconds, 3),
    }


def _rejected(rejected: Rejected) -> RejectedReport:
    return {
        "source": visible(rejected.source),
        "rule": visible(rejected.rule),
        "path": rejected.path,
        "why": visible(rejected.why),
    }


def _file(row: CoverageRow) -> CoverageFile:
    return {
        "path": row.path,
        "status": row.status.value,
        "by": list(row.by),
        "reason": visible(row.reason),
        "added_lines": row.added_lines,
        "deleted_lines": row.deleted_lines,
    }


def render_json(review: Review) -> str:
    """``report.json``: ASCII only, indented, with a final line feed."""
    return json.dumps(report_document(review), ensure_ascii=True, indent=2, allow_nan=False) + "\n"


def report_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``report.json``. Unknown keys are refused, every key is required."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "reviewbot report",
        **_schema(Report),
    }


_SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def _schema(kind: Any) -> dict[str, Any]:
    """The schema of one of the types this module uses.

    Not by pydantic: below Python 3.12 it takes only ``typing_extensions.TypedDict``, whose import
    every run would pay.
    """
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if is_typeddict(kind):
        fields = get_type_hints(kind)
        properties = {name: _schema(field) for name, field in fields.items()}
        shape = {"type": "object", "properties": properties, "required": list(fields)}
        return {"description": inspect.getdoc(kind), **shape, "additionalProperties": False}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    return {"anyOf": [_schema(option) for option in get_args(kind)]}
