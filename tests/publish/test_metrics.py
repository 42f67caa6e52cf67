import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.claims import Outcome, Stop, Task, Usage
from reviewbot.publish.metrics import render_metrics
from tests.publish import rich_review

REVIEW = rich_review()
parser = pytest.importorskip("prometheus_client.parser")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Samples:
    families = list(parser.text_string_to_metric_families(text))
    assert all(family.type == "gauge" and family.documentation for family in families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def at(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"reviewbot_{name}", frozenset(labels.items())]


def spent(agent: str, usd: float | None, seconds: float, stop: Stop = Stop.DONE) -> Outcome:
    usage = Usage(1, 2, 3, 4)
    task = Task(agent, ("a.py",))
    return Outcome(task, "m-1", "low", stop, usage=usage, usd=usd, seconds=seconds, tool_calls=5, denied_calls=2)  # fmt: skip


def test_every_number_of_a_run_is_in_it() -> None:
    review = replace(
        REVIEW,
        outcomes=(spent("security", 0.25, 1.5), spent("security", 0.5, 2.0, Stop.USD), spent("triage", None, 1)),
    )  # fmt: skip
    samples = parse(render_metrics(review))
    conclusion = review.verdict.conclusion.value
    assert at(samples, "verdict", conclusion=conclusion) == 1
    assert sum(value for (name, _), value in samples.items() if name == "reviewbot_verdict") == 1
    assert at(samples, "exit_code") == review.verdict.exit_code
    findings = [value for (name, _), value in samples.items() if name == "reviewbot_findings"]
    assert sum(findings) == len(review.findings)
    assert at(samples, "tasks", agent="security", stop="usd") == 1
    assert at(samples, "tokens", agent="security", model="m-1", type="cache_read") == 6
    assert at(samples, "cost_usd", agent="security", model="m-1") == 0.75
    assert math.isnan(at(samples, "cost_usd", agent="triage", model="m-1"))
    assert at(samples, "agent_seconds", agent="security") == 3.5
    assert at(samples, "tool_calls", agent="security", denied="true") == 4
    assert at(samples, "tool_calls", agent="security", denied="false") == 6


def test_the_findings_that_block_are_told_from_the_others() -> None:
    blocking = [
        value
        for (name, labels), value in parse(render_metrics(REVIEW)).items()
        if name == "reviewbot_findings" and ("blocking", "true") in labels
    ]
    assert sum(blocking) == len(REVIEW.verdict.blocking)


@given(st.text(st.characters(codec=None), max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_name_breaks_the_format(name: str) -> None:
    hostile = replace(REVIEW, trigger=replace(REVIEW.trigger, repository=name))
    text = render_metrics(hostile)
    text.encode()
    assert parse(text).keys() - parse(render_metrics(REVIEW)).keys() <= {
        key for key in parse(text) if key[0] == "reviewbot_run_info"
    }
