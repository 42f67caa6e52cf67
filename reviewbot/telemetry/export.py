"""The OpenTelemetry SDK and its exporters, which the extra ``otel`` installs: imported only to be used.

Addresses, headers, timeouts, sampling and resource attributes are the SDK's to read, from the standard
variables of the process's environment.
"""

from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from reviewbot import __version__


def make_tracers(environment: Mapping[str, str]) -> TracerProvider:
    """Spans to the collector, in batches from a thread of their own."""
    provider = TracerProvider(resource=_resource(environment), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def make_meters(environment: Mapping[str, str]) -> MeterProvider:
    """Metrics to the collector, now and then and at the end."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return MeterProvider([reader], resource=_resource(environment), shutdown_on_exit=False)


def _resource(environment: Mapping[str, str]) -> Resource:
    """Who tells: ``reviewbot``, unless the variables give the service another name."""
    named = environment.get("OTEL_SERVICE_NAME") or (
        "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    )
    return Resource.create(
        {"service.version": __version__, **({} if named else {"service.name": "reviewbot"})}
    )
