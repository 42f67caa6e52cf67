"""OpenTelemetry: what a run does as spans and metrics, for those who configured a collector. Off otherwise.

Names are those of the GenAI semantic conventions (https://opentelemetry.io/docs/specs/semconv/gen-ai/,
status Development). No span, metric or status holds content: only names of ours, models, counts, seconds
and codes. Where anything of it cannot work, that is one sentence and the run goes on.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reviewbot import __version__
from reviewbot.claims import Usage
from reviewbot.core import Verdict
from reviewbot.text import one_line

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

Value = str | int | float | bool | Sequence[str]
Attributes = dict[str, Value]
Signal = Literal["TRACES", "METRICS"]

PROVIDER = "anthropic"
_OPERATION = "gen_ai.operation.name"
_ERROR = "error.type"

_TOKEN_BOUNDS = tuple(4**power for power in range(14))
_SECOND_BOUNDS = tuple(0.01 * 2**power for power in range(14))
"""Of the two histograms, as the conventions ask for them."""


@dataclass(slots=True)
class Operation:
    """Something that takes time; it is told of when it ends. ``error`` is a code, empty for none."""

    name: str
    attributes: Attributes
    is_client: bool = False
    error: str = ""
    tokens: dict[str, int] = field(default_factory=dict)


def run_of(workflow: str) -> Operation:
    """A run of reviewbot: a review, a scan, or the action."""
    name = "invoke_workflow"
    return Operation(f"{name} {workflow}", {_OPERATION: name, "gen_ai.workflow.name": workflow})


def tell_verdict(run: Operation, verdict: Verdict) -> None:
    """What a run came to."""
    run.attributes |= {
        "reviewbot.conclusion": verdict.conclusion.value,
        "reviewbot.exit_code": verdict.exit_code,
        "reviewbot.blocking": len(verdict.blocking),
    }


def task_of(agent: str, model: str) -> Operation:
    """One task of an agent."""
    name = "invoke_agent"
    about = {"gen_ai.provider.name": PROVIDER, "gen_ai.agent.name": agent, "gen_ai.request.model": model}
    return Operation(f"{name} {agent}", {_OPERATION: name, **about})


def chat_of(model: str, max_tokens: int) -> Operation:
    """One request to a model, with the retries of it."""
    about: Attributes = {
        _OPERATION: "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": one_line(model, 100),
        "gen_ai.request.max_tokens": max_tokens,
    }
    return Operation(f"chat {one_line(model, 100)}", about, is_client=True)


def tell_usage(chat: Operation, usage: Usage | None) -> None:
    """What a request was charged for; nothing where nobody knows."""
    if usage is None:
        return
    chat.tokens = {"input": usage.prompt, "output": usage.output}
    names = {"cache_read.input": usage.cache_read, "cache_write.input": usage.cache_write, **chat.tokens}
    chat.attributes |= {f"gen_ai.usage.{name}_tokens": tokens for name, tokens in names.items()}


def tell_answer(chat: Operation, model: str, stop_reason: str) -> None:
    """Who answered a request, and why the answer ended."""
    chat.attributes["gen_ai.response.model"] = one_line(model, 100)
    chat.attributes["gen_ai.response.finish_reasons"] = [one_line(stop_reason, 40)]


def tool_of(tool: str) -> Operation:
    """One call of a tool; ``tool`` is a name of ours, never a model's words."""
    name = "execute_tool"
    about = {"gen_ai.tool.name": tool, "gen_ai.tool.type": "function"}
    return Operation(f"{name} {tool}", {_OPERATION: name, **about})


class Telemetry:
    """Tells nobody: what a run has where no collector is configured."""

    @property
    def tracer_provider(self) -> "TracerProvider | None":
        """Where spans of others may be told, too."""
        return None

    @contextmanager
    def watch(self, operation: Operation) -> Iterator[Operation]:
        """Tell of an operation once the block ends; what it starts inside is a part of it."""
        yield operation

    def close(self) -> None:
        """Send what was not sent yet; takes as long as the exporters may (10 seconds unless set)."""


class OpenTelemetry(Telemetry):
    """Tells the collectors that the ``OTEL_`` variables name; ``say`` takes a sentence about what fails."""

    def __init__(
        self,
        traces: "TracerProvider | None",
        metrics: "MeterProvider | None",
        say: Callable[[str], object],
    ) -> None:
        from opentelemetry import metrics as no_metrics  # noqa: PLC0415 - only where telemetry is on
        from opentelemetry import trace as no_traces  # noqa: PLC0415

        self._traces, self._metrics, self._say = traces, metrics, say
        tracers = traces or no_traces.NoOpTracerProvider()
        self._tracer = tracers.get_tracer("reviewbot", __version__)
        meter = (metrics or no_metrics.NoOpMeterProvider()).get_meter("reviewbot", __version__)
        self._tokens: Histogram = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BOUNDS,
        )
        self._seconds: Histogram = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECOND_BOUNDS,
        )
        self._faults = _Faults()
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._faults)
        logger.propagate = False

    @property
    def tracer_provider(self) -> "TracerProvider | None":
        """The provider of our spans; None where only metrics are wanted."""
        return self._traces

    @contextmanager
    def watch(self, operation: Operation) -> Iterator[Operation]:
        """As the base says. An exception is told by the name of its type alone."""
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - loaded by now

        started = time.monotonic()
        with self._tracer.start_as_current_span(
            operation.name,
            kind=SpanKind.CLIENT if operation.is_client else SpanKind.INTERNAL,
            attributes=operation.attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield operation
            except BaseException as error:
                operation.error = operation.error or type(error).__name__
                raise
            finally:
                if operation.error:
                    operation.attributes[_ERROR] = operation.error
                    span.set_status(Status(StatusCode.ERROR))
                span.set_attributes(operation.attributes)
                if operation.is_client:
                    self._measure(operation, time.monotonic() - started)

    def _measure(self, operation: Operation, seconds: float) -> None:
        names = (_OPERATION, "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model")
        about = {name: operation.attributes[name] for name in names if name in operation.attributes}
        for kind, tokens in operation.tokens.items():
            self._tokens.record(tokens, {**about, "gen_ai.token.type": kind})
        self._seconds.record(seconds, {**about, **({_ERROR: operation.error} if operation.error else {})})

    def close(self) -> None:
        """Send the rest, both signals side by side."""
        ends = [each.shutdown for each in (self._traces, self._metrics) if each is not None]
        with ThreadPoolExecutor(2) as pool:
            for ended in [pool.submit(end) for end in ends]:
                if ended.exception() is not None:
                    self._faults.count += 1
        logging.getLogger("opentelemetry").removeHandler(self._faults)
        if self._faults.count:
            self._say("telemetry was not taken, or not all of it: see OTEL_EXPORTER_OTLP_ENDPOINT.")


class _Faults(logging.Handler):
    """Counts what the SDK complains of; its own words may hold an address with a password."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self.count += 1


@contextmanager
def open_telemetry(environment: Mapping[str, str], say: Callable[[str], object]) -> Iterator[Telemetry]:
    """What the standard ``OTEL_`` variables ask for, sent whole when the block ends.

    The SDK reads the same variables from the process's own environment. ``say`` takes sentences about
    what is asked for and cannot be had.
    """
    telemetry = _connect(environment, say)
    try:
        yield telemetry
    finally:
        telemetry.close()


def _connect(environment: Mapping[str, str], say: Callable[[str], object]) -> Telemetry:
    asked = [signal for signal in ("TRACES", "METRICS") if _is_asked(environment, signal, say)]
    if not asked:
        return Telemetry()
    try:
        from reviewbot.telemetry.export import make_meters, make_tracers  # noqa: PLC0415 - an extra
    except ImportError:
        say("OTEL_ variables ask for telemetry, and its packages are missing: install `reviewbot[otel]`.")
        return Telemetry()
    try:
        traces = make_tracers(environment) if "TRACES" in asked else None
        metrics = make_meters(environment) if "METRICS" in asked else None
        return OpenTelemetry(traces, metrics, say)
    except Exception as error:  # the SDK's, about values of the user's variables
        say(f"telemetry is off: an OTEL_ variable cannot be used ({type(error).__name__}).")
        return Telemetry()


def _is_asked(environment: Mapping[str, str], signal: Signal, say: Callable[[str], object]) -> bool:
    """Whether a signal is to be exported; an exporter or protocol that we do not have is said."""

    def value(name: str) -> str:
        return environment.get(name, "").strip().lower()

    exporter = value(f"OTEL_{signal}_EXPORTER")
    address = value(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or value("OTEL_EXPORTER_OTLP_ENDPOINT")
    if value("OTEL_SDK_DISABLED") == "true" or exporter == "none" or not (exporter or address):
        return False
    protocol = value(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or value("OTEL_EXPORTER_OTLP_PROTOCOL")
    if exporter in ("", "otlp") and protocol in ("", "http/protobuf"):
        return True
    say(f"no {signal.lower()} are sent: only the exporter `otlp` over `http/protobuf` is here.")
    return False
