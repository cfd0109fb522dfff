"""The bare loop: decode and read in one process, without any server.

A process of its own, as the servers are: `python -m serving.bench.floor` reads what to do from
standard input, one JSON object a line, and answers each with one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.bench.protocol import texts
from serving.bench.server import ROOT, BenchError
from serving.predictor.answer import plate_dict
from serving.predictor.images import decode
from sub_module.engine.infer import Detector, load_detector
from sub_module.machine import num_cores

_MEGAPIXELS = 100.0


@dataclass(frozen=True)
class Shape:
    """How the bare loop uses the cores.

    Attributes:
        loops: Threads that each read images of their own.
        threads: Of each graph.
    """

    loops: int
    threads: int

    def __str__(self) -> str:
        """For people."""
        return f"{self.loops} x {self.threads}"


def shapes() -> list[Shape]:
    """The two ways to use all cores, and one core alone."""
    cores = num_cores()
    return [Shape(1, 1)] if cores == 1 else [Shape(1, cores), Shape(cores, 1), Shape(1, 1)]


class Floor:
    """The bare loop with one engine, in a process that waits while others are measured."""

    def __init__(self, model_dir: Path, engine: tuple[str, str], jpegs: Sequence[Path]) -> None:
        """Start it and wait until it has read each image once.

        Args:
            model_dir: The exported model.
            engine: Runtime and precision.
            jpegs: The images' files.
        """
        runtime, precision = engine
        argv = [sys.executable, "-m", "serving.bench.floor", str(model_dir.resolve())]
        argv += [runtime, precision, *map(str, jpegs)]
        self._process = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.texts: list[tuple[str, ...]] = [tuple(each) for each in self._answer()]

    def run(self, shape: Shape, num_images: int) -> float:
        """Seconds that so many images take."""
        return float(self._ask({"run": [shape.loops, shape.threads], "images": num_images}))

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the bare loop ended with exit code {self._process.wait()}")
        return json.loads(line)


def main() -> None:
    """The process of a `Floor`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("runtime")
    parser.add_argument("precision")
    parser.add_argument("jpegs", type=Path, nargs="+")
    options = parser.parse_args()
    import cv2

    # Threads of OpenCV's own would only take the cores from the loops.
    cv2.setNumThreads(1)
    jpegs = [path.read_bytes() for path in options.jpegs]

    def load(threads: int) -> Detector:
        return load_detector(options.model, threads, options.runtime, options.precision)

    detectors = {
        threads: [
            load(threads) for _ in range(max(s.loops for s in shapes() if s.threads == threads))
        ]
        for threads in {shape.threads for shape in shapes()}
    }
    print(json.dumps([_texts(detectors[1][0], jpeg) for jpeg in jpegs]), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        loops, threads = order["run"]
        print(_seconds(detectors[threads][:loops], jpegs, order["images"]), flush=True)


def _texts(detector: Detector, jpeg: bytes) -> tuple[str, ...]:
    return texts({"plates": [plate_dict(reading) for reading in _read(detector, jpeg)]})


def _read(detector: Detector, jpeg: bytes) -> Any:
    return detector.predict([decode(jpeg, _MEGAPIXELS, None).pixels])[0]


def _seconds(detectors: Sequence[Detector], jpegs: Sequence[bytes], num_images: int) -> float:
    """Of all loops together; whoever is free takes the next image."""
    places = iter(range(num_images))
    lock = threading.Lock()

    def loop(detector: Detector) -> None:
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                return
            _read(detector, jpegs[place % len(jpegs)])

    threads = [threading.Thread(target=loop, args=(detector,)) for detector in detectors]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
