"""What the server counts and times, for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from serving.predictor.answer import ImageAnswer
from serving.predictor.errors import (
    BusyError,
    DeadlineError,
    RequestError,
    SlowBodyError,
    TooLargeError,
    UnauthorizedError,
    UnsupportedImageError,
)

_REASONS: dict[type[Exception], str] = {
    RequestError: "invalid",
    TooLargeError: "too_large",
    UnsupportedImageError: "unsupported",
    UnauthorizedError: "unauthorized",
    SlowBodyError: "slow_body",
    DeadlineError: "deadline",
    BusyError: "busy",
}
# Seconds. An image takes some milliseconds; a full queue, or a large image, some seconds.
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_IMAGES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class PredictorMetrics:
    """The metrics of one server process.

    With `PROMETHEUS_MULTIPROC_DIR` set, prometheus_client adds those of several up.

    Attributes:
        registry: What `/metrics` shows.
    """

    def __init__(self) -> None:
        """All at zero."""
        self.registry = CollectorRegistry()
        # Memory and processor time; several processes have no such figures together.
        ProcessCollector(registry=self.registry)
        self._requests = self._counter(
            "requests", "Requests by their answer's status.", "protocol", "code"
        )
        self._request_seconds = self._histogram(
            "request_seconds", "From a request's head to its answer.", _SECONDS, "protocol"
        )
        self._rejected = self._counter("rejected", "Requests that got no readings.", "reason")
        self._stage_seconds = self._histogram(
            "stage_seconds",
            "Of one image: in the queue, decoded, read (with the others of its batch).",
            _SECONDS,
            "stage",
        )
        self._batch_images = self._histogram("batch_images", "Images read together.", _IMAGES)
        self._queued = self._gauge("queued_images", "Images that wait or are read.")
        self._capacity = self._gauge("queue_capacity_images", "Images that may wait or be read.")
        self._plates = self._counter("plates", "Plates read.", "layout")
        self._model = Gauge(
            "plateflow_model_info",
            "The model that reads; always 1.",
            ("name", "version"),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        # Shown at zero from the start: a rate needs a first value.
        for reason in (*_REASONS.values(), "fault"):
            self._rejected.labels(reason)
        self._stages = {
            stage: self._stage_seconds.labels(stage) for stage in ("queue", "decode", "read")
        }

    def model_loaded(self, name: str, version: str, capacity: int) -> None:
        """The server is about to be ready.

        Args:
            name: The model's.
            version: Likewise.
            capacity: Images that may wait or be read.
        """
        self._model.labels(name, version).set(1)
        self._capacity.set(capacity)
        self._queued.set(0)

    def queued(self, images: int) -> None:
        """So many images wait or are read now."""
        self._queued.set(images)

    def batch_read(self, answers: Sequence[ImageAnswer]) -> None:
        """Images were read together."""
        self._batch_images.observe(len(answers))
        for answer in answers:
            for stage, ms in answer.timings_ms.items():
                self._stages[stage].observe(ms / 1e3)
            for reading in answer.readings:
                self._plates.labels(reading.layout).inc()

    def stage(self, name: str, seconds: float) -> None:
        """Another stage of a request was done, such as `body` or `encode`."""
        self._stage_seconds.labels(name).observe(seconds)

    def answered(
        self, protocol: str, code: int | str, seconds: float, error: Exception | None = None
    ) -> None:
        """A request is over; to be called once for each, by who speaks its protocol.

        Args:
            protocol: `read`, `v1`, `v2` or `grpc`.
            code: HTTP's status, or the name of gRPC's; 499: the client left.
            seconds: Since its head came.
            error: Why it got no readings; those that are no RequestError are faults of ours.
        """
        self._requests.labels(protocol, str(code)).inc()
        self._request_seconds.labels(protocol).observe(seconds)
        if error is not None:
            self._rejected.labels(_REASONS.get(type(error), "fault")).inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"plateflow_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"plateflow_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"plateflow_{name}", text, registry=self.registry, multiprocess_mode="livesum")
