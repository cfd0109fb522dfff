"""Traces of requests, where the environment says to whom they go (OTEL_EXPORTER_OTLP_ENDPOINT)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serving.predictor.context import RequestContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

# W3C's, by which a client's span becomes the parent of ours.
TRACE_HEADERS = ("traceparent", "tracestate")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Tracing:
    """Spans of requests and of their stages; costs nothing where nobody wants them."""

    def __init__(self) -> None:
        """Sends spans if the environment names an endpoint, with OpenTelemetry's own settings."""
        self._tracer: Tracer | None = None
        if not any(map(os.environ.get, _ENDPOINTS)):
            return
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        os.environ.setdefault("OTEL_SERVICE_NAME", "plateflow-predictor")
        self._provider = TracerProvider(resource=Resource.create())
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("plateflow")

    @contextmanager
    def span(self, request: RequestContext, carrier: Mapping[str, str | None]) -> Iterator[None]:
        """A span of the request, with one of each stage of its first image.

        Args:
            request: What is answered inside of the context.
            carrier: The headers `traceparent` and `tracestate`, if the client sent them.
        """
        if self._tracer is None:
            yield
            return
        from opentelemetry import propagate

        sent = {name: value for name, value in carrier.items() if value is not None}
        with self._tracer.start_as_current_span(
            "plateflow.request",
            context=propagate.extract(sent),
            attributes={"request.id": request.id, "request.protocol": request.protocol},
        ):
            yield
            self._add_stages(self._tracer, request)

    def _add_stages(self, tracer: Tracer, request: RequestContext) -> None:
        """Stages follow each other, the last ends now."""
        end = time.time_ns()
        for stage, ms in reversed(request.timings_ms.items()):
            start = end - int(ms * 1e6)
            stage_span: Span = tracer.start_span(f"plateflow.{stage}", start_time=start)
            stage_span.end(end)
            end = start

    def close(self) -> None:
        """Send what is not sent yet."""
        if self._tracer is not None:
            self._provider.shutdown()
