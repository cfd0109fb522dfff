"""Images of many requests, read together in threads beside the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from serving.predictor.answer import ImageAnswer
from serving.predictor.errors import (
    BusyError,
    DeadlineError,
    RequestError,
    TooLargeError,
    let_go,
)
from serving.predictor.images import DecodedImage, decode, in_full_size
from serving.predictor.jobs import Job, JobQueue, Outcome
from serving.predictor.metrics import PredictorMetrics
from serving.predictor.settings import PredictorSettings
from serving.predictor.standards import OtherStandards, StandardsReader
from sub_module.engine.infer import Detector, load_detector
from sub_module.export.runtime import OnnxDetector, read_settings
from sub_module.machine import num_cores
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.standards import load_standard

logger = logging.getLogger(__name__)
# Two plates, of two layouts.
_WARM_UP_IMAGE = Path(__file__).with_name("warm_up.jpg")


class PlateReader:
    """Reads images of requests: a bounded queue, and threads that take batches out of it.

    Each thread has a detector of its own, and decodes what it reads: OpenCV and the runtimes let go
    of the interpreter, so that the threads use all cores beside the event loop.

    Attributes:
        metrics: What it counts and times.
        model: `name`, `version` and `standard` of the model, once started.
    """

    def __init__(
        self,
        settings: PredictorSettings,
        model_dir: Path,
        metrics: PredictorMetrics | None = None,
    ) -> None:
        """A reader that is yet to be started.

        Args:
            settings: Of the server.
            model_dir: The exported model, or a checkpoint.
            metrics: Where it counts and times; None: metrics of its own.
        """
        self.metrics = metrics or PredictorMetrics()
        self.model: dict[str, str] = {}
        self._settings = settings
        self._model_dir = model_dir
        self._standards: OtherStandards | None = None
        self._queue = JobQueue(settings.limits.queued_images, self.metrics.queued)
        self._threads: list[threading.Thread] = []

    @property
    def queued(self) -> int:
        """Images that wait or are read."""
        return len(self._queue)

    def start(self) -> None:
        """Load the model and read with it once; blocks until requests can be read.

        Raises:
            ModelError: The model cannot be used.
            ConfigError: The plate standard cannot.
        """
        # Threads of OpenCV's own would only take the cores from the readers.
        cv2.setNumThreads(1)
        wanted = self._settings.standard
        standard = None if wanted is None else load_standard(wanted)
        # `models/current` may point at another one before all are loaded.
        path = self._model_dir.resolve()
        detectors = [self._detector(path, standard) for _ in range(num_readers(self._settings))]
        self._standards = OtherStandards(detectors[0])
        # A checkpoint has no version but its name.
        version = getattr(detectors[0], "version", self._model_dir.name)
        name = self._settings.model_name
        self.model = {
            "name": name,
            "version": version,
            "standard": detectors[0].standard.name,
        }
        self.metrics.model_loaded(name, version, self._queue.capacity)
        model_config = _model_config(path) if isinstance(detectors[0], OnnxDetector) else None
        readers = [StandardsReader(detector, model_config) for detector in detectors]
        self._threads = [
            threading.Thread(target=self._work, args=(reader,), name=f"reader-{n}", daemon=True)
            for n, reader in enumerate(readers)
        ]
        for thread in self._threads:
            thread.start()

    async def read(
        self, data: bytes, deadline: float | None = None, standard: str | None = None
    ) -> ImageAnswer:
        """Read one image; see `read_all`."""
        return (await self.read_all([data], deadline, standard))[0]

    async def read_all(
        self, images: Sequence[bytes], deadline: float | None = None, standard: str | None = None
    ) -> list[ImageAnswer]:
        """Read the images of one request.

        Who cancels this takes those out of the queue that are not being read yet.

        Args:
            images: Files; see `images.decode`.
            deadline: In seconds of `time.monotonic`; at the latest, and if None, the config's.
            standard: Name of the standard of the plates to read; None: the server's own.

        Raises:
            RequestError: One of them cannot be read, or all of them not now; see its kinds.
        """
        latest = time.monotonic() + self._settings.limits.deadline_seconds
        deadline = latest if deadline is None else min(deadline, latest)
        plates = None if self._standards is None else await self._standards.find(standard)
        jobs = self._admit(images, deadline, plates)
        answers: list[ImageAnswer] = []
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                for job in jobs:
                    outcome = await job.future
                    if isinstance(outcome, Exception):
                        raise _of_image(outcome, len(answers), len(jobs))
                    answers.append(outcome)
        except TimeoutError:
            raise _too_late() from None
        finally:
            if len(answers) < len(jobs):
                self._give_up(jobs)
        return answers

    def close(self) -> None:
        """Take no more, read what was taken, and stop; blocks, for `drain_seconds` at most."""
        self._queue.close()
        until = time.monotonic() + self._settings.drain_seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._queue.done([(job, self._stopping()) for job in self._queue.rest()])

    def _detector(self, path: Path, standard: PlateStandard | None) -> Detector:
        engine = self._settings.engine
        detector = load_detector(
            path, engine.threads_per_reader, engine.runtime, engine.precision, standard
        )
        # Runtimes take memory and choose their ways when a graph first runs; most graphs run only
        # where a plate is found.
        image = decode(_WARM_UP_IMAGE.read_bytes(), self._settings.limits.megapixels, None)
        for num_images in {1, self._settings.batching.max_images}:
            detector.predict([image.pixels] * num_images)
        return detector

    def _admit(
        self, images: Sequence[bytes], deadline: float, standard: PlateStandard | None
    ) -> list[Job]:
        limits = self._settings.limits
        most = min(limits.images_per_request, self._queue.capacity)
        if len(images) > most:
            raise TooLargeError(f"{len(images)} images in one request; at most {most}")
        if deadline <= time.monotonic():
            raise _too_late()
        if not self._threads or self._queue.closed:
            raise self._stopping()
        loop = asyncio.get_running_loop()
        jobs = [Job(data, deadline, loop, standard) for data in images]
        if not self._queue.put(jobs):
            raise BusyError(
                f"the queue is full: {self.queued} of {self._queue.capacity} images wait or are "
                f"read, and {len(images)} more do not fit",
                limits.retry_after_seconds,
            )
        return jobs

    def _give_up(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.future.cancel()
        self._queue.withdraw(jobs)

    def _stopping(self) -> BusyError:
        state = "the server is stopping" if self._queue.closed else "the model is not loaded yet"
        return BusyError(state, self._settings.limits.retry_after_seconds)

    def _work(self, reader: StandardsReader) -> None:
        """What a thread does, until the queue is closed."""
        batching = self._settings.batching
        max_images, max_wait = batching.max_images, batching.max_wait_ms / 1e3
        while jobs := self._queue.take(max_images, max_wait, len(self._threads)):
            try:
                outcomes = self._read_batch(reader, jobs)
            except Exception as error:
                # A thread that ended would leave its requests, and those after them, waiting.
                logger.exception("a batch could not be read")
                outcomes = [(job, let_go(error)) for job in jobs]
            self._queue.done(outcomes)

    def _read_batch(
        self, reader: StandardsReader, jobs: Sequence[Job]
    ) -> list[tuple[Job, Outcome]]:
        """Decode and read; what is wrong with one image is its own."""
        outcomes: list[tuple[Job, Outcome]] = []
        decoded: list[tuple[Job, DecodedImage, dict[str, float]]] = []
        for job in jobs:
            begin = time.monotonic()
            image = self._decode(job)
            if isinstance(image, Exception):
                outcomes.append((job, image))
                continue
            times = {"queue": begin - job.admitted, "decode": time.monotonic() - begin}
            decoded.append((job, image, times))
        # Decoding may have taken so long that somebody left.
        wanted = [of_job for of_job in decoded if of_job[0].wanted]
        outcomes += [(of_job[0], _too_late()) for of_job in decoded if of_job not in wanted]
        begin = time.monotonic()
        found = _predict_each(reader, [(job.standard, image.pixels) for job, image, _ in wanted])
        seconds = time.monotonic() - begin
        answers = []
        for (job, image, times), readings in zip(wanted, found, strict=True):
            if isinstance(readings, Exception):
                outcomes.append((job, readings))
                continue
            answers.append(self._answer(job, image, readings, times | {"read": seconds}))
            outcomes.append((job, answers[-1]))
        if answers:
            self.metrics.batch_read(answers)
        return outcomes

    def _decode(self, job: Job) -> DecodedImage | Exception:
        if not job.wanted:
            return _too_late()
        settings = self._settings
        try:
            return decode(job.data, settings.limits.megapixels, settings.decode_pixels)
        except RequestError as error:
            return let_go(error)
        except Exception as error:
            logger.exception("an image could not be decoded")
            return let_go(error)

    def _answer(
        self,
        job: Job,
        image: DecodedImage,
        readings: Sequence[PlateReading],
        seconds: dict[str, float],
    ) -> ImageAnswer:
        other = {} if job.standard is None else {"standard": job.standard.name}
        return ImageAnswer(
            width=image.width,
            height=image.height,
            readings=tuple(in_full_size(reading, image) for reading in readings),
            model=self.model | other,
            timings_ms={stage: 1e3 * of_stage for stage, of_stage in seconds.items()},
        )


def _model_config(path: Path) -> dict[str, Any]:
    """`model` of the settings of an exported model, which `path` may also be itself."""
    config: dict[str, Any] = read_settings(path if path.is_dir() else path.parent)["model"]
    return config


def num_readers(settings: PredictorSettings) -> int:
    """Threads that read in each of the server's processes."""
    engine = settings.engine
    if engine.readers is not None:
        return engine.readers
    return max(1, num_cores() // (settings.workers * engine.threads_per_reader))


def _predict_each(
    reader: StandardsReader, asked: Sequence[tuple[PlateStandard | None, NDArray[np.uint8]]]
) -> list[list[PlateReading] | Exception]:
    """The readings of each image, or why it has none; those of one standard are read together."""
    together: dict[str | None, list[int]] = {}
    for index, (standard, _) in enumerate(asked):
        together.setdefault(standard.name if standard else None, []).append(index)
    found: dict[int, list[PlateReading] | Exception] = {}
    for indices in together.values():
        standard = asked[indices[0]][0]
        outcomes = _predict(reader, [asked[index][1] for index in indices], standard)
        found.update(zip(indices, outcomes, strict=True))
    return [found[index] for index in range(len(asked))]


def _predict(
    reader: StandardsReader, images: list[NDArray[np.uint8]], standard: PlateStandard | None
) -> list[list[PlateReading] | Exception]:
    if not images:
        return []
    try:
        return list(reader.predict(images, standard))
    except Exception as error:
        if len(images) == 1:
            logger.exception("an image could not be read")
            return [let_go(error)]
        return [outcome for image in images for outcome in _predict(reader, [image], standard)]


def _of_image(error: Exception, index: int, num_images: int) -> Exception:
    """An error that says which image of its request it is about, where there are several."""
    if num_images == 1 or not isinstance(error, RequestError) or isinstance(error, BusyError):
        return error
    return type(error)(f"image {index}: {error}")


def _too_late() -> DeadlineError:
    return DeadlineError("not answered in time")
