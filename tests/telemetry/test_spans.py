"""Spans and metrics at a collector: OTLP over HTTP through a real socket, decoded with OpenTelemetry's own types."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reviewbot.spend.prices import MODELS
from reviewbot.telemetry.spans import OpenTelemetry, chat_of, open_telemetry, tool_of
from reviewbot.testing import BEHAVIOURS, ScriptedModel, ToolCall, Turn
from tests.agents.test_subagents import behave
from tests.repositories import Sandbox
from tests.test_cli import run

SECRET = "needle"
BAD = f"import os\n\n\ndef run(name):\n    os.system('ls ' + name)  # {SECRET}\n"


class Collector:
    """Takes what is exported; ``status`` is what it answers."""

    def __init__(self, status: int = 200) -> None:
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                data = gzip.decompress(data) if self.headers["content-encoding"] == "gzip" else data
                collector.take(self.path, data, {key.lower(): value for key, value in self.headers.items()})
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, path: str, data: bytes, headers: dict[str, str]) -> None:
        assert headers["content-type"] == "application/x-protobuf"
        self.raw.append(data)
        self.headers.append(headers)
        if path == "/v1/traces":
            self.traces.append(ExportTraceServiceRequest.FromString(data))
        else:
            assert path == "/v1/metrics"
            self.metrics.append(ExportMetricsServiceRequest.FromString(data))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.traces
            for each in request.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        ]

    def named(self, start: str) -> list[Any]:
        return [span for span in self.spans() if span.name.startswith(start)]

    def points(self, name: str) -> list[Any]:
        return [
            point
            for request in self.metrics
            for each in request.resource_metrics
            for scope in each.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.histogram.data_points
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@dataclass(frozen=True)
class Told:
    """A review that a collector was told of."""

    collector: Collector
    model: ScriptedModel
    report: Mapping[str, Any]
    stderr: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The SDK is asked for its own spans, with content."""
    sandbox = Sandbox(tmp_path_factory.mktemp("told") / "repository")
    change(sandbox)
    collector = Collector()
    with ScriptedModel("reader") as model:
        done = review(
            sandbox, model, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            ANTHROPIC_OPEN_TELEMETRY="true", ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE="content",
        )  # fmt: skip
        yield Told(collector, model, json.loads(done.stdout), done.stderr)
    collector.close()


def change(sandbox: Sandbox) -> None:
    sandbox.commit({"README.md": "# A\n"})
    sandbox.commit({"app/run.py": BAD})


@pytest.fixture
def changed(sandbox: Sandbox) -> Sandbox:
    change(sandbox)
    return sandbox


def attributes(span: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        kind = value.WhichOneof("value")
        if kind == "array_value":
            return [plain(each) for each in value.array_value.values]
        return getattr(value, kind)

    return {pair.key: plain(pair.value) for pair in span.attributes}


def review(sandbox: Sandbox, model: ScriptedModel, *options: str, **environment: str) -> Any:
    return run(
        "review", "--format", "json", *options, cwd=sandbox.folder,
        ANTHROPIC_BASE_URL=model.base_url, ANTHROPIC_API_KEY="sk-ant-key-needle", **environment,
    )  # fmt: skip


def test_a_run_is_told_as_one_tree_of_spans_with_the_published_names(told: Told) -> None:
    collector, report = told.collector, told.report
    assert "telemetry" not in told.stderr
    spans = {span.span_id: span for span in collector.spans()}
    assert len({span.trace_id for span in spans.values()}) == 1
    [whole] = [span for span in spans.values() if not span.parent_span_id]
    assert whole.name == "invoke_workflow review"
    assert attributes(whole)["reviewbot.conclusion"] == report["verdict"]["conclusion"] == "fail"
    tasks = collector.named("invoke_agent ")
    assert (
        {span.name for span in tasks}
        == {f"invoke_agent {agent['name']}" for agent in report["agents"]}
        >= {"invoke_agent triage", "invoke_agent security", "invoke_agent verify"}
    )
    assert {span.parent_span_id for span in tasks} == {whole.span_id}
    for inner in (*collector.named("chat "), *collector.named("execute_tool ")):
        assert spans[inner.parent_span_id].name.startswith("invoke_agent ")
    tools = [attributes(span) for span in collector.named("execute_tool ")]
    assert len(tools) == sum(agent["tool_calls"] for agent in report["agents"]) > 0
    assert {tool["gen_ai.tool.name"] for tool in tools} <= {"read_file", "search", "list_files", "show_diff"}
    others = [span for span in spans.values() if span.name.startswith("anthropic.")]
    assert len(spans) == 1 + len(tasks) + len(collector.named("chat ")) + len(tools) + len(others)


def test_each_request_to_a_model_is_a_span_with_its_usage_and_the_metrics_agree(told: Told) -> None:
    collector, model = told.collector, told.model
    chats = [attributes(span) for span in collector.named("chat ")]
    assert len(chats) == len(model.requests)
    for chat in chats:
        assert chat["gen_ai.operation.name"] == "chat"
        assert chat["gen_ai.provider.name"] == "anthropic"
        assert chat["gen_ai.request.model"] == chat["gen_ai.response.model"]
        assert chat["gen_ai.response.finish_reasons"] in (["end_turn"], ["tool_use"])
        assert "error.type" not in chat
    charged = {
        kind: sum(
            count
            for served in model.requests
            for name, count in served.usage.items()
            if name.endswith(f"{kind}_tokens")
        )
        for kind in ("input", "output")
    }

    def total(name: str) -> int:
        return sum(chat[f"gen_ai.usage.{name}_tokens"] for chat in chats)

    for kind in ("input", "output"):
        points = [
            point
            for point in collector.points("gen_ai.client.token.usage")
            if attributes(point)["gen_ai.token.type"] == kind
        ]
        assert sum(point.sum for point in points) == total(kind) == charged[kind] > 0
        assert sum(point.count for point in points) == len(chats)
        assert list(points[0].explicit_bounds[:4]) == [1, 4, 16, 64]
    durations = collector.points("gen_ai.client.operation.duration")
    assert sum(point.count for point in durations) == len(chats)
    assert {attributes(point)["gen_ai.request.model"] for point in durations} <= set(MODELS.values())


def test_no_content_no_path_and_no_secret_is_told(told: Told) -> None:
    raw = b"".join(told.collector.raw)
    for word in (SECRET, "os.system", "app/run.py", "sk-ant", "command-injection"):
        assert word.encode() not in raw
    assert b"invoke_agent security" in raw


def test_the_sdks_own_spans_are_children_of_ours_where_they_are_asked_for(told: Told) -> None:
    collector, model = told.collector, told.model
    spans = {span.span_id: span for span in collector.spans()}
    theirs = collector.named("anthropic.messages.create")
    assert len(theirs) == len(collector.named("chat "))
    assert {spans[span.parent_span_id].name.partition(" ")[0] for span in theirs} == {"chat"}
    assert not any("traceparent" in served.headers for served in model.requests)


def test_a_refusal_and_an_outage_are_told_by_their_codes(changed: Sandbox, collector: Collector) -> None:
    with ScriptedModel(
        "reader", faults={lambda body: body["model"] == MODELS["opus"]: "spend_limit"}
    ) as model:
        review(changed, model, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    [failed] = [span for span in collector.named("chat ") if span.status.code]
    assert attributes(failed)["error.type"] == "spend_limit"
    assert failed.status.message == ""
    assert not failed.events
    [task] = collector.named("invoke_agent security")
    assert attributes(task)["error.type"] == "spend_limit"
    errors = [attributes(p).get("error.type") for p in collector.points("gen_ai.client.operation.duration")]
    assert errors.count("spend_limit") == 1


@pytest.mark.parametrize(
    ("variables", "traces", "metrics"),
    [
        ({}, False, False),
        ({"OTEL_SERVICE_NAME": "ci"}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "true"}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "URL/v1/metrics"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, False),
    ],
)
def test_nothing_is_sent_unless_an_exporter_is_configured(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    traces: bool,
    metrics: bool,
) -> None:
    told = tell(monkeypatch, {name: value.replace("URL", collector.url) for name, value in variables.items()})
    assert told == []
    assert (bool(collector.spans()), bool(collector.metrics)) == (traces, metrics)


def tell(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> list[str]:
    """Tell of two operations in an environment; returns the sentences that were said."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    with open_telemetry(environment, said.append) as telemetry, telemetry.watch(chat_of("m", 1)) as chat:
        chat.tokens = {"input": 1, "output": 1}
        with telemetry.watch(tool_of("search")):
            pass
    return said


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_TRACES_EXPORTER": "zipkin,otlp"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_an_exporter_that_is_not_here_is_one_sentence(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    said = tell(monkeypatch, {name: value.replace("URL", collector.url) for name, value in variables.items()})
    assert said == ["no traces are sent: only the exporter `otlp` over `http/protobuf` is here."]
    assert collector.raw == []


def test_without_the_extra_there_is_one_sentence_and_the_review_goes_on(
    changed: Sandbox, collector: Collector, tmp_path: Path
) -> None:
    without = "import sys; sys.modules['opentelemetry.sdk'] = None; from reviewbot.cli import run; run()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", without, "review", "--engine", "analyzers", "--format", "json"],
        cwd=changed.folder, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
    )  # fmt: skip
    assert done.stderr == (
        "reviewbot: OTEL_ variables ask for telemetry, and its packages are missing: "
        "install `reviewbot[otel]`.\n"
        "reviewbot: fail: 1 finding blocks this change.\n"
    )
    assert json.loads(done.stdout)["verdict"]["conclusion"] == "fail"
    assert collector.raw == []


def test_a_collector_that_takes_nothing_is_one_sentence_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    refusing = Collector(status=400)
    url = refusing.url.replace("http://", "http://me:needle@")
    said = tell(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    refusing.close()
    assert said == ["telemetry was not taken, or not all of it: see OTEL_EXPORTER_OTLP_ENDPOINT."]
    assert refusing.raw
    assert "needle" not in "".join(capfd.readouterr())


def test_the_variables_name_the_service_and_the_headers(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=ci")
    url, headers = collector.url, "x-token=abc"
    tell(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": headers})
    assert {sent["x-token"] for sent in collector.headers} == {"abc"}
    resource = attributes(collector.traces[0].resource_spans[0].resource)
    assert resource["service.name"] == "reviewbot"
    assert resource["deployment.environment.name"] == "ci"
    tell(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": "our-ci"})
    assert attributes(collector.traces[-1].resource_spans[0].resource)["service.name"] == "our-ci"


def test_an_exception_is_told_by_its_type_and_goes_on(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with (
        pytest.raises(ValueError, match="needle"),
        open_telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, print) as telemetry,
        telemetry.watch(tool_of("search")),
    ):
        assert isinstance(telemetry, OpenTelemetry)
        raise ValueError("needle")
    [span] = collector.spans()
    assert attributes(span)["error.type"] == "ValueError"
    assert b"needle" not in b"".join(collector.raw)


def test_a_tool_that_a_model_made_up_is_told_by_no_name_of_its_own(
    changed: Sandbox, collector: Collector
) -> None:
    def invents(body: Mapping[str, Any]) -> Turn:
        made = any("tool_result" in str(message["content"]) for message in body["messages"])
        return BEHAVIOURS["reader"](body) if made else Turn(calls=(ToolCall("needle_tool", {}),))

    with ScriptedModel(behave(opus=invents)) as model:
        review(changed, model, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert not collector.named("anthropic.")
    told = [attributes(span) for span in collector.named("execute_tool unknown")]
    assert told and {each["error.type"] for each in told} == {"denied_by_not_allowed"}
    assert b"needle" not in b"".join(collector.raw)


def test_where_nothing_is_configured_nothing_of_opentelemetry_is_imported() -> None:
    code = """
import sys
from reviewbot.telemetry.spans import Telemetry, open_telemetry, tool_of
with open_telemetry({"OTEL_SERVICE_NAME": "ci"}, print) as telemetry, telemetry.watch(tool_of("search")):
    assert type(telemetry) is Telemetry and telemetry.tracer_provider is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
