"""The review as numbers: ``metrics.prom``, Prometheus' text exposition format, for those who scrape files.

All are gauges: a file tells of one run. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isnan

from reviewbot import __version__
from reviewbot.core import Conclusion, CoverageStatus, Outcome, Review, Severity
from reviewbot.text import visible_line

Labels = tuple[tuple[str, str], ...]
Rows = Mapping[Labels, object]


def render_metrics(review: Review) -> str:
    """Every number under its help and type; a cost that nobody knows is ``NaN``, never 0."""
    lines: list[str] = []
    for name, says, rows in _families(review):
        lines += [f"# HELP reviewbot_{name} {says}", f"# TYPE reviewbot_{name} gauge"]
        lines += [f"reviewbot_{name}{_render_labels(labels)} {value}" for labels, value in rows.items()]
    return "\n".join(lines) + "\n"


def _families(review: Review) -> Iterator[tuple[str, str, Rows]]:
    verdict, trigger = review.verdict, review.trigger
    about = (("version", __version__), ("kind", trigger.kind.value), ("repository", trigger.repository))
    yield "run_info", "The run that this file tells of.", {about: 1}
    yield "run_started_timestamp_seconds", "When the run began.", {(): _timestamp(review.started_at)}
    yield "run_seconds", "How long the run took.", {(): review.seconds}
    conclusions: Rows = {
        (("conclusion", each.value),): int(each is verdict.conclusion) for each in Conclusion
    }
    yield "verdict", "1 for the conclusion that the run came to.", conclusions
    yield "exit_code", "The exit code of the run.", {(): verdict.exit_code}
    yield "findings", "Findings, by severity and by whether they block.", _count_findings(review)
    yield "rejected", "What was said and not taken.", {(): len(review.rejected)}
    statuses: Rows = {(("status", each.value),): review.coverage.count(each) for each in CoverageStatus}
    yield "files", "Changed files, by what became of them.", statuses
    yield "budget_usd", "What model calls might cost.", {(): review.budget_usd}
    yield from _agent_families(review.outcomes)


def _agent_families(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, str, Rows]]:
    tasks: Counter[Labels] = Counter()
    tokens: Counter[Labels] = Counter()
    calls: Counter[Labels] = Counter()
    usd: dict[Labels, float] = {}
    seconds: dict[Labels, float] = {}
    for outcome in outcomes:
        agent = ("agent", outcome.task.agent)
        who = (agent, ("model", outcome.model))
        tasks[agent, ("stop", outcome.stop.value)] += 1
        for kind in ("input", "output", "cache_read", "cache_write"):
            tokens[*who, ("type", kind)] += getattr(outcome.usage, kind)
        calls[agent, ("denied", "true")] += outcome.denied_calls
        calls[agent, ("denied", "false")] += outcome.tool_calls - outcome.denied_calls
        usd[who] = usd.get(who, 0.0) + (float("nan") if outcome.usd is None else outcome.usd)
        seconds[(agent,)] = seconds.get((agent,), 0.0) + outcome.seconds
    yield "tasks", "Tasks of the agents, by how they ended.", tasks
    yield "tokens", "Tokens of model calls.", tokens
    yield "cost_usd", "Dollars that model calls cost.", {who: _number(value) for who, value in usd.items()}
    yield "agent_seconds", "Seconds of all tasks of an agent.", seconds
    yield "tool_calls", "Calls of tools that models made.", calls


def _count_findings(review: Review) -> Mapping[Labels, int]:
    blocking = set(review.verdict.blocking)
    counts: dict[Labels, int] = {
        (("severity", severity.value), ("blocking", said)): 0
        for severity in Severity
        for said in ("true", "false")
    }
    for finding in review.findings:
        said = "true" if finding.fingerprint in blocking else "false"
        counts[("severity", finding.severity.value), ("blocking", said)] += 1
    return counts


def _timestamp(started_at: str) -> float:
    try:
        return datetime.fromisoformat(started_at).timestamp()
    except ValueError:
        return 0.0


def _number(value: float) -> object:
    return "NaN" if isnan(value) else round(value, 9)


def _render_labels(labels: Labels) -> str:
    escaped = ((name, visible_line(value).replace("\\", r"\\").replace('"', r"\"")) for name, value in labels)
    pairs = ",".join(f'{name}="{value}"' for name, value in escaped)
    return f"{{{pairs}}}" if pairs else ""
