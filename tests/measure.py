"""The figures of docs/benchmarks.md: `make bench`, or `python -m tests.measure [--model DIR]`.

Nothing else should run on the machine meanwhile. Prints one Markdown row a figure.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch

from dataset_tools.draw import draw_dataset
from dataset_tools.draw.scenes.photos import find_photos, two_photos
from dataset_tools.draw.scenes.scene import draw_scene
from dataset_tools.record import record
from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.datasets.letterbox import letterbox
from sub_module.engine.checkpoint import build_model
from sub_module.engine.config import load_config
from sub_module.export.engines import OnnxNetworks
from sub_module.export.runtime import FLOAT32, OnnxDetector, read_settings
from sub_module.plates import PlateStandard

NUM_IMAGES = 2000
NUM_READ = 200
NUM_SCENES = 300
NUM_STEPS = 15
THREADS = 2


def main() -> None:
    """Measure everything that can be measured in a few minutes."""
    parser = argparse.ArgumentParser()
    home = Path(os.environ.get("PLATEFLOW_HOME", ".plateflow"))
    parser.add_argument("--model", type=Path, default=home / "models" / "current")
    model = parser.parse_args().model
    config = load_config("plate_training")
    standard = PlateStandard.from_config(config["plates"])
    print("| figure | measured |\n|---|---|")
    _scenes(load_config("plate_training_eu"))
    with tempfile.TemporaryDirectory() as folder:
        training_set = _data_set(Path(folder), config, standard)
        images = [
            load_image(image.path)
            for image in load_plate_images(training_set / "test.json", standard)[:NUM_READ]
        ]
        _reading(model, images)
        _runtimes(model, images)
        _memory_layouts(training_set / "val.json", config, standard)
    _view(images[0])


def _row(figure: str, measured: str) -> None:
    print(f"| {figure} | {measured} |", flush=True)


def _data_set(folder: Path, config: dict[str, Any], standard: PlateStandard) -> Path:
    dataset = config["dataset"]
    start = time.perf_counter()
    draw_dataset(folder / "drawn", NUM_IMAGES, 1, standard, dataset["draw"], dataset["split"])
    seconds = time.perf_counter() - start
    _row("drawing to disk with JSON", f"{NUM_IMAGES / seconds:.0f} images/s")
    start = time.perf_counter()
    record(folder / "drawn", folder / "set", standard, dataset)
    seconds = time.perf_counter() - start
    _row("record", f"{NUM_IMAGES / seconds:.0f} images/s")
    return folder / "set"


def _scenes(config: dict[str, Any]) -> None:
    """Drawing in memory, as on the fly while training: one core, every image of the same size."""
    standard = PlateStandard.from_config(config["plates"])
    settings = {**config["dataset"]["draw"], "image_sizes": [[640, 480]]}
    files, threads = find_photos(None), cv2.getNumThreads()
    cv2.setNumThreads(1)
    seconds = []
    for index in range(NUM_SCENES):
        rng = np.random.default_rng([1, index])
        photos = two_photos(files, settings["image_sizes"], rng)
        start = time.perf_counter()
        draw_scene(*photos, "scene.jpg", standard, settings, rng)
        seconds.append(time.perf_counter() - start)
    cv2.setNumThreads(threads)
    _row("drawing scenes of eu in memory, one core", f"{1 / np.mean(seconds):.0f} images/s")


def _memory_layouts(coco_file: Path, config: dict[str, Any], standard: PlateStandard) -> None:
    """A training step of platenet with weights in the usual order, over one in its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    models = [build_model(config["model"], standard) for _ in range(2)]
    models[0].to(memory_format=torch.contiguous_format)
    samples = models[0].training_set(coco_file, config["train"]["samples"])
    batch = models[0].collate([samples[index] for index in range(8)])
    seconds: list[list[float]] = [[], []]
    for _ in range(NUM_STEPS):
        for model, own in zip(models, seconds, strict=True):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16):
                loss = torch.stack(list(model.losses(**batch).values())).sum()
            loss.backward()
            own.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    usual, channels_last = (float(np.median(own)) for own in seconds)
    _row("a training step of 8 images in bfloat16, one core", f"{channels_last:.2f} s")
    _row("with channels apart in memory: time over ours", f"{usual / channels_last:.2f}")


class _TimedNetworks:
    """A runtime's networks, with the time that their graphs take."""

    def __init__(self, networks: OnnxNetworks) -> None:
        self.seconds = 0.0
        self._networks = networks

    def run(self, graph: str, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        start = time.perf_counter()
        outputs = self._networks.run(graph, inputs)
        self.seconds += time.perf_counter() - start
        return outputs


def _reading(model: Path, images: list[np.ndarray]) -> None:
    detector = OnnxDetector(model, THREADS)
    reader: Any = detector._reader
    timed = _TimedNetworks(reader._networks)
    reader._networks = timed
    whole, graphs = [], []
    for _ in range(3):
        timed.seconds = 0.0
        whole.append(_seconds_each(detector, images) * 1000)
        graphs.append(timed.seconds / len(images) * 1000)
    milliseconds, graph = min(whole), graphs[int(np.argmin(whole))]
    _row("reading 640x480, pixels to readings, 2 threads", f"{milliseconds:.1f} ms an image")
    _row("of that inside the ONNX graphs", f"{graph:.1f} ms")
    _row("reading over bare graphs", f"{milliseconds / graph:.2f}")
    photo = cv2.resize(images[0], (4032, 3024), interpolation=cv2.INTER_CUBIC)
    _row("reading 4032x3024", f"{_seconds_each(detector, [photo] * 20) * 1000:.1f} ms")
    _row("spinning graph threads: time over ours", f"{_spinning(model, images) / min(whole):.2f}")


def _spinning(model: Path, images: list[np.ndarray]) -> float:
    """Milliseconds an image when the threads of each graph go on spinning after its run."""
    plain = onnxruntime.SessionOptions.add_session_config_entry
    onnxruntime.SessionOptions.add_session_config_entry = lambda *_: None
    try:
        detector = OnnxDetector(model, THREADS)
    finally:
        onnxruntime.SessionOptions.add_session_config_entry = plain
    return _seconds_each(detector, images) * 1000


def _runtimes(model: Path, images: list[np.ndarray]) -> None:
    """What else can run the model, and in which precisions that it has; in turn, one thread."""
    precisions = [FLOAT32, *read_settings(model).get("variants", {})]
    detectors = {
        (runtime, precision): OnnxDetector(model, 1, runtime, precision)
        for runtime in ("onnxruntime", "openvino")
        for precision in precisions
    }
    seconds = dict.fromkeys(detectors, float("inf"))
    for _ in range(3):
        for key, detector in detectors.items():
            seconds[key] = min(seconds[key], _seconds_each(detector, images))
    default = seconds["onnxruntime", FLOAT32]
    _row("reading 640x480, onnxruntime float32, 1 thread", f"{default * 1000:.1f} ms an image")
    for (runtime, precision), found in seconds.items():
        if found != default:
            _row(f"{runtime} {precision}: times as fast", f"{default / found:.2f}")


def _seconds_each(detector: OnnxDetector, images: list[np.ndarray]) -> float:
    for image in images[:5]:
        detector.predict([image])
    start = time.perf_counter()
    for image in images:
        detector.predict([image])
    return (time.perf_counter() - start) / len(images)


def _view(image: np.ndarray) -> None:
    """The detector's view by halves against OpenCV's averaging at any scale."""

    def seconds(shrink: Callable[[], object]) -> float:
        shrink()
        start = time.perf_counter()
        for _ in range(200):
            shrink()
        return time.perf_counter() - start

    ours = seconds(lambda: letterbox(image, (256, 192)))
    averaged = seconds(lambda: cv2.resize(image, (256, 192), interpolation=cv2.INTER_AREA))
    _row("INTER_AREA at 2/5: time over shrinking by halves", f"{averaged / ours:.1f}")


if __name__ == "__main__":
    main()
