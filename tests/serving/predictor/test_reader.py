"""The reader: many requests at once, each fairly answered; nothing lost, nothing left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from serving.predictor import reader as reader_module
from serving.predictor.answer import ImageAnswer
from serving.predictor.errors import (
    BusyError,
    DeadlineError,
    RequestError,
    TooLargeError,
    UnsupportedImageError,
)
from serving.predictor.reader import PlateReader, num_readers
from serving.predictor.settings import predictor_settings
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import ModelError
from sub_module.plates.reading import texts_of
from tests.dataset_tools.drawn import draw
from tests.standards import kr_standard

SECONDS = 20.0  # no answer takes longer


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    directory = tmp_path_factory.mktemp("drawn") / "set"
    draw(directory, 8)
    return [path.read_bytes() for path in sorted(directory.rglob("*.jpg"))]


@pytest.fixture(scope="module")
def real() -> Iterator[PlateReader]:
    """The shipped model, read by two threads."""
    reader = PlateReader(predictor_settings({"engine.readers": 2}), SHIPPED_MODEL)
    reader.start()
    yield reader
    reader.close()


class SlowDetector:
    """Finds nothing, when it is let: what it was given, and when it was, can be looked at."""

    version = "slow"
    standard = kr_standard()

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[int] = []

    def predict(self, images: Any) -> list[list[Any]]:
        self.batches.append(len(images))
        assert self.go.wait(SECONDS)
        if any(image.shape[0] == 13 for image in images):
            raise RuntimeError("13 rows")
        return [[] for _ in images]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes a reader with one slow detector: `(reader, detector)`."""
    started: list[tuple[PlateReader, SlowDetector]] = []

    def make(**overrides: Any) -> tuple[PlateReader, SlowDetector]:
        detector = SlowDetector()
        detector.go.set()  # the warm-up
        monkeypatch.setattr(reader_module, "load_detector", lambda *_, **__: detector)
        keys = {"engine.readers": 1, "limits.queued_images": 4, "drain_seconds": 10.0}
        changed = {name.replace("__", "."): value for name, value in overrides.items()}
        reader = PlateReader(predictor_settings(keys | changed), SHIPPED_MODEL)
        reader.start()
        detector.go.clear()
        detector.batches.clear()
        started.append((reader, detector))
        return reader, detector

    yield make
    for reader, detector in started:
        detector.go.set()
        reader.close()


def jpeg(height: int = 40) -> bytes:
    return bytes(cv2.imencode(".jpg", np.zeros((height, 60, 3), np.uint8))[1])


def run(work: Any) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(work, SECONDS)

    return asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def value(reader: PlateReader, name: str, **labels: str) -> float:
    found = reader.metrics.registry.get_sample_value(f"plateflow_{name}", labels)
    assert found is not None, name
    return found


def test_reads_as_the_detector_does(real, images):
    engine = predictor_settings().engine
    detector = load_detector(SHIPPED_MODEL, 1, engine.runtime, engine.precision)
    answers = run(real.read_all(images))
    for data, answer in zip(images, answers, strict=True):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        (readings,) = detector.predict([pixels])
        assert texts_of(answer.readings) == texts_of(readings)
        assert (answer.width, answer.height) == (640, 480)
        assert answer.model == {
            "name": "plateflow",
            "version": detector.version,
            "standard": "kr",
        }
        assert list(answer.timings_ms) == ["queue", "decode", "read"]
        assert all(ms >= 0 for ms in answer.timings_ms.values())
    assert sum(len(answer.readings) for answer in answers) >= 4


def test_readings_of_a_reduced_photo_are_in_its_own_pixels(real, images):
    (small,) = run(real.read_all(images[:1]))
    pixels = cv2.imdecode(np.frombuffer(images[0], np.uint8), cv2.IMREAD_COLOR)
    data = bytes(cv2.imencode(".jpg", cv2.resize(pixels, None, fx=6, fy=6))[1])
    large = run(real.read(data))
    assert (large.width, large.height) == (3840, 2880)
    assert texts_of(large.readings) == texts_of(small.readings)
    assert large.readings
    # Of scores as high as these the order is a matter of digits.
    by_text = {reading.text: reading for reading in large.readings}
    for one in small.readings:
        other = by_text[one.text]
        width = one.box[2] - one.box[0]
        assert np.abs(np.array(one.corners) - np.array(other.corners) / 6).max() < 0.05 * width


def test_burst_is_answered_or_told_that_the_queue_is_full(real, images):
    async def ask(n: int) -> ImageAnswer | None:
        try:
            return await real.read(images[n % len(images)])
        except BusyError:
            return None

    async def all_of_them() -> list[ImageAnswer | None]:
        return list(await asyncio.gather(*(ask(n) for n in range(200))))

    answers = run(all_of_them())
    # As many as the queue holds are taken; those that come in the meantime may be too.
    assert 64 <= sum(answer is not None for answer in answers) <= 200
    alone = run(real.read_all(images))
    for n, answer in enumerate(answers):
        if answer is not None:
            wanted = alone[n % len(images)]
            assert texts_of(answer.readings) == texts_of(wanted.readings)
    assert real.queued == 0


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", RequestError),
        (b"plate", RequestError),
        (jpeg()[:200], RequestError),
        (b"\0\0\0\x18ftypheic", UnsupportedImageError),
    ],
)
def test_bad_image_fails_alone(slow, data, kind):
    reader, detector = slow(batching__max_images=4)

    async def ask() -> list[Any]:
        first = asyncio.create_task(reader.read(jpeg()))
        await until(lambda: detector.batches == [1])
        others = [asyncio.create_task(reader.read(d)) for d in (jpeg(), data, jpeg())]
        await until(lambda: reader.queued == 4)
        detector.go.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    first, one, bad, other = run(ask())
    assert type(bad) is kind
    assert "image 0" not in str(bad)
    assert {type(answer) for answer in (first, one, other)} == {ImageAnswer}
    assert detector.batches == [1, 2]
    assert reader.queued == 0


def test_bad_image_of_several_is_named(slow):
    reader, detector = slow()
    detector.go.set()
    with pytest.raises(RequestError, match=r"^image 1: it is no image"):
        run(reader.read_all([jpeg(), b"text", jpeg(), b""]))
    assert run(reader.read_all([jpeg()] * 4))


def test_fault_of_the_detector_is_its_image_s_alone(slow, caplog):
    reader, detector = slow(batching__max_images=4)
    detector.go.set()

    async def ask() -> list[Any]:
        asked = (reader.read(jpeg(height)) for height in (40, 13, 40, 40))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = run(ask())
    assert [type(answer).__name__ for answer in answers].count("ImageAnswer") == 3
    assert str(answers[1]) == "13 rows"
    assert "could not be read" in caplog.text
    assert run(reader.read(jpeg())).width == 60


def test_queue_is_full_for_all_of_a_request_or_none(slow):
    reader, detector = slow()

    async def ask() -> None:
        taken = asyncio.create_task(reader.read_all([jpeg()] * 3))
        await until(lambda: reader.queued == 3)
        with pytest.raises(BusyError, match="3 of 4 images wait or are read, and 2 more") as caught:
            await reader.read_all([jpeg()] * 2)
        assert caught.value.retry_after_seconds == 1.0
        assert reader.queued == value(reader, "queued_images") == 3
        more = asyncio.create_task(reader.read(jpeg()))
        await until(lambda: reader.queued == 4)
        detector.go.set()
        assert len(await taken) == 3
        await more

    run(ask())
    assert reader.queued == value(reader, "queued_images") == 0


def test_more_than_ever_fit_is_too_large_rather_than_busy(slow):
    reader, _ = slow()
    with pytest.raises(TooLargeError, match="5 images in one request; at most 4"):
        run(reader.read_all([jpeg()] * 5))
    assert run(reader.read_all([])) == []


def test_deadline_is_kept_and_what_waits_is_not_read(slow):
    reader, detector = slow(batching__max_images=1)

    async def ask() -> None:
        first = asyncio.create_task(reader.read(jpeg()))
        await until(lambda: detector.batches == [1])
        begin = time.monotonic()
        with pytest.raises(DeadlineError):
            await reader.read_all([jpeg()] * 3, deadline=begin + 0.05)
        assert 0.04 < time.monotonic() - begin < 5
        # Their places are free at once.
        assert reader.queued == 1
        detector.go.set()
        await first

    run(ask())
    assert detector.batches == [1]


def test_deadline_that_has_passed_or_is_the_config_s(slow):
    reader, _ = slow(limits__deadline_seconds=0.05)
    with pytest.raises(DeadlineError):
        run(reader.read(jpeg(), deadline=time.monotonic() - 1))
    assert reader.queued == 0
    with pytest.raises(DeadlineError):
        run(reader.read(jpeg()))
    # A client may ask for less, not for more.
    with pytest.raises(DeadlineError):
        run(reader.read(jpeg(), deadline=time.monotonic() + 1000))


def test_client_that_leaves_takes_its_images_along(slow):
    reader, detector = slow(batching__max_images=1)

    async def ask() -> None:
        tasks = [asyncio.create_task(reader.read_all([jpeg()] * 2)) for _ in range(2)]
        await until(lambda: reader.queued == 4 and detector.batches == [1])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        # The one that is being read; the other three are gone.
        assert reader.queued == 1
        detector.go.set()
        await until(lambda: reader.queued == 0)
        await reader.read(jpeg())

    run(ask())
    assert detector.batches == [1, 1]


def test_event_loop_that_ends_early_leaves_the_reader_alive(slow):
    reader, detector = slow()

    async def leave() -> None:
        asyncio.create_task(reader.read(jpeg()))  # noqa: RUF006 - it is to be lost
        await until(lambda: reader.queued == 1 and detector.batches == [1])

    asyncio.run(leave())
    detector.go.set()
    assert run(reader.read(jpeg())).width == 60
    assert reader.queued == 0


def test_waiting_images_are_shared_among_readers_and_read_together(slow):
    reader, detector = slow(batching__max_images=3, limits__queued_images=8)

    async def ask() -> None:
        first = asyncio.create_task(reader.read(jpeg()))
        await until(lambda: detector.batches == [1])
        rest = asyncio.create_task(reader.read_all([jpeg()] * 5))
        await until(lambda: reader.queued == 6)
        detector.go.set()
        await asyncio.gather(first, rest)

    run(ask())
    assert detector.batches == [1, 3, 2]
    assert value(reader, "batch_images_count") == 3
    assert value(reader, "batch_images_sum") == 6


def test_reader_waits_for_more_where_the_config_says_so(slow):
    reader, detector = slow(batching__max_images=2, batching__max_wait_ms=10_000.0)
    detector.go.set()

    async def ask() -> None:
        first = asyncio.create_task(reader.read(jpeg()))
        await until(lambda: reader.queued == 1)
        await asyncio.sleep(0.02)
        assert detector.batches == []
        await asyncio.gather(first, reader.read(jpeg()))

    run(ask())
    assert detector.batches == [2]


def test_close_reads_what_was_taken_and_takes_no_more(slow):
    reader, detector = slow()

    async def ask() -> list[ImageAnswer]:
        taken = asyncio.create_task(reader.read_all([jpeg()] * 4))
        await until(lambda: detector.batches != [])
        closing = asyncio.create_task(asyncio.to_thread(reader.close))
        await asyncio.sleep(0.01)
        with pytest.raises(BusyError, match="stopping"):
            await reader.read(jpeg())
        detector.go.set()
        await closing
        return await taken

    assert len(run(ask())) == 4
    assert reader.queued == 0


def test_close_gives_up_in_the_end(slow):
    reader, detector = slow(drain_seconds=0.05, batching__max_images=1)

    async def ask() -> list[Any]:
        tasks = [asyncio.create_task(reader.read(jpeg())) for _ in range(2)]
        await until(lambda: reader.queued == 2 and detector.batches == [1])
        await asyncio.to_thread(reader.close)
        with pytest.raises(BusyError, match="stopping"):
            await tasks[1]
        detector.go.set()
        return await tasks[0]

    assert run(ask()).width == 60


def test_reader_that_is_not_started(images):
    with pytest.raises(BusyError, match="not loaded yet"):
        run(PlateReader(predictor_settings(), SHIPPED_MODEL).read(images[0]))


def test_model_that_cannot_be_used(tmp_path):
    reader = PlateReader(predictor_settings(), Path(tmp_path))
    with pytest.raises(ModelError, match=str(tmp_path)):
        reader.start()


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ({}, 8),
        ({"workers": 2}, 4),
        ({"engine.threads_per_reader": 3}, 2),
        ({"workers": 100}, 1),
        ({"workers": 2, "engine.readers": 7}, 7),
    ],
)
def test_readers_of_all_workers_share_the_cores(monkeypatch, overrides, wanted):
    monkeypatch.setattr(reader_module, "num_cores", lambda: 8)
    assert num_readers(predictor_settings(overrides)) == wanted


def test_event_loop_stays_free_while_all_threads_read(real, images):
    """It has turns while images are read, and seldom waits for one, however busy the machine is."""

    async def lags() -> list[float]:
        done = asyncio.create_task(real.read_all(images * 4))
        found = []
        while not done.done():
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            found.append(time.perf_counter() - begin - 0.001)
        await done
        return found

    found = run(lags())
    assert len(found) > 10
    assert np.median(found) < 0.05


def test_warm_up_runs_every_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request must not wait for a runtime that meets a graph for the first time."""
    ran: set[str] = set()

    def load(*arguments: Any) -> Any:
        detector: Any = load_detector(*arguments)
        run = detector.networks.run
        detector.networks.run = lambda graph, inputs: ran.add(graph) or run(graph, inputs)
        return detector

    monkeypatch.setattr(reader_module, "load_detector", load)
    reader = PlateReader(predictor_settings({"engine.readers": 1}), SHIPPED_MODEL)
    reader.start()
    reader.close()
    assert ran == {"detect", "refine", "read"}


def test_thread_outlives_a_fault_of_ours(
    slow: Callable[..., Any], images: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, detector = slow()
    detector.go.set()

    async def ask() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(reader.metrics, "batch_read", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await reader.read(images[0])
        assert (await reader.read(images[0])).readings == ()

    asyncio.run(ask())
    assert reader.queued == 0
