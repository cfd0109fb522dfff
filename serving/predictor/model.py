"""The model that the server serves: load, preprocess, predict, postprocess."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kserve import InferRequest, InferResponse, Model

from serving.predictor import v1, v2
from serving.predictor.answer import ImageAnswer
from serving.predictor.context import current_request, parsed
from serving.predictor.errors import BusyError, TooLargeError
from serving.predictor.reader import PlateReader
from serving.predictor.settings import PredictorSettings


@dataclass(frozen=True)
class Asked:
    """A request's images and whose plates to read, and the request, which says how to answer."""

    request: dict[str, Any] | InferRequest
    images: list[bytes]
    standard: str | None


@dataclass(frozen=True)
class Answered:
    """A request with the answers, one an image."""

    request: dict[str, Any] | InferRequest
    answers: list[ImageAnswer]


# kserve has no types.
class PlateModel(Model):  # type: ignore[misc]
    """A plate reader as kserve's `Model`.

    Attributes:
        ready: Whether it answers: it is loaded and warm, and the server is not stopping.
        stopping: Whether `stop` was called.
        in_flight: Requests that are being answered, from their first byte on.
        failure: Why `load` failed, once it did.
    """

    def __init__(self, settings: PredictorSettings, model_dir: Path) -> None:
        """A model that is not loaded yet."""
        super().__init__(settings.model_name)
        self.settings = settings
        self.reader = PlateReader(settings, model_dir)
        self.stopping = False
        self.in_flight = 0
        self.failure: Exception | None = None

    def load(self) -> bool:
        """Load and warm up; takes seconds.

        Raises:
            ModelError: The model cannot be used.
        """
        self.reader.start()
        self.ready = not self.stopping
        return bool(self.ready)

    def stop(self) -> None:
        """Answer no new requests."""
        self.stopping = True
        self.ready = False

    def check_ready(self) -> None:
        """Refuse a new request that cannot be answered now; those that are there are finished.

        Raises:
            BusyError: The model is not loaded yet, or the server is stopping.
        """
        if not self.ready:
            reason = "the server is stopping" if self.stopping else "the model is not loaded yet"
            raise BusyError(reason, self.settings.limits.retry_after_seconds)

    async def read(self, images: Sequence[bytes], standard: str | None = None) -> list[ImageAnswer]:
        """Read images within the current request's deadline.

        Args:
            images: Files.
            standard: Name of the standard of the plates to read; None: the server's own.

        Raises:
            RequestError: There are too many, one is none, there is no such standard, there is no
                room, or it takes too long.
        """
        limit = self.settings.limits.images_per_request
        if len(images) > limit:
            raise TooLargeError(f"{len(images)} images in one request; at most {limit}")
        request = current_request.get()
        deadline = (
            time.monotonic() + self.settings.limits.deadline_seconds
            if request is None
            else request.deadline
        )
        if len(images) == 1:
            answers = [await self.reader.read(images[0], deadline, standard)]
        else:
            answers = await self.reader.read_all(images, deadline, standard)
        if request is not None:
            request.timings_ms = answers[0].timings_ms
        return answers

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Asked:
        """The images of a V1 body or of a V2 request.

        Raises:
            RequestError: It has none.
        """
        protocol = v2 if isinstance(payload, InferRequest) else v1
        images = await parsed(protocol.images_of, payload)
        return Asked(payload, images, protocol.standard_of(payload))

    async def predict(self, asked: Asked, headers: dict[str, str] | None = None) -> Answered:
        """Read the images."""
        return Answered(asked.request, await self.read(asked.images, asked.standard))

    def postprocess(
        self, answered: Answered, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | InferResponse:
        """The answer in the protocol of the request."""
        if isinstance(answered.request, InferRequest):
            request = current_request.get()
            default_id = "" if request is None else request.id
            return v2.response_of(answered.request, answered.answers, default_id)
        return v1.response_of(answered.answers)

    def metadata(self) -> dict[str, Any]:
        """What V2 says of the model."""
        return {
            "name": self.name,
            "versions": [self.reader.model["version"]] if self.reader.model else [],
            "platform": self.settings.engine.runtime,
            "inputs": self.get_input_types(),
            "outputs": self.get_output_types(),
        }

    def get_input_types(self) -> list[dict[str, Any]]:
        """What V2's metadata says of the input."""
        return [{"name": v2.INPUT, "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """What V2's metadata says of the output."""
        return [{"name": v2.OUTPUT, "datatype": "BYTES", "shape": [-1]}]
