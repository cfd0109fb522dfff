"""What mask_rcnn_swin's `nano` costs on a CPU: `python -m tests.measure_mask_rcnn`.

Nothing else should run on the machine meanwhile: threads that wait for each other turn the smallest
disturbance into a multiple. Prints one Markdown row a figure.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.optim import build_optim_wrapper

from dataset_tools.draw import draw_dataset
from dataset_tools.record import record
from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.checkpoint import build_model
from sub_module.engine.config import load_config
from sub_module.engine.optimisation import optimisation
from sub_module.plates import PlateStandard

IMAGES_A_STEP = 2


def main() -> None:
    """Measure a training step of two images, its memory, and reading."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = load_config("mask_rcnn_nano")
    model = build_model(config["model"], PlateStandard.from_config(config["plates"]))
    with tempfile.TemporaryDirectory() as folder:
        training_set = _data_set(Path(folder), config)
        width, height = config["model"]["input_size"]
        print(f"| {width}x{height}, {arguments.threads} threads | measured |\n|---|---|")
        for precision in ("float32", "bfloat16"):
            _training(model, training_set, config, precision, arguments.steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"| largest memory of the process | {peak:.2f} GB |")
        _reading(model, training_set)


def _data_set(folder: Path, config: dict[str, Any]) -> Path:
    dataset = config["dataset"]
    standard = PlateStandard.from_config(config["plates"])
    draw_dataset(folder / "drawn", 24, 1, standard, dataset["draw"], dataset["split"])
    record(folder / "drawn", folder / "set", standard, dataset)
    return folder / "set"


def _training(
    model: Any, training_set: Path, config: dict[str, Any], precision: str, num_steps: int
) -> None:
    """Steps as the Runner takes them; loading the samples is not a part."""
    samples = model.training_set(training_set / "train.json", config["train"]["samples"])
    np.random.seed(0)
    torch.manual_seed(0)
    wrapper = build_optim_wrapper(model, optimisation({**config["train"], "precision": precision}))
    wrapper.initialize_count_status(model, 0, num_steps + 3)
    model.train()
    batches = [
        model.collate([samples[(i * IMAGES_A_STEP + j) % len(samples)] for j in range(2)])
        for i in range(num_steps + 3)
    ]
    for batch in batches[:3]:
        model.train_step(batch, wrapper)
    wall, cpu = _timed([lambda b=batch: model.train_step(b, wrapper) for batch in batches[3:]])
    print(f"| a step of two images in {precision} | {wall:.3f} s, {cpu:.3f} s of the cores |")


def _reading(model: Any, training_set: Path) -> None:
    images = load_plate_images(training_set / "train.json", model.standard)[:12]
    pictures = [load_image(image.path) for image in images]
    model.eval()
    model.find(pictures[:2])
    wall, cpu = _timed([lambda p=picture: model.find([p]) for picture in pictures])
    print(f"| reading an image in torch, float32 | {wall:.3f} s, {cpu:.3f} s of the cores |")


def _timed(calls: list[Callable[[], Any]]) -> tuple[float, float]:
    """Median seconds of a call, and the mean seconds that the cores worked on one."""
    seconds = []
    before = os.times()
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    after = os.times()
    cores = (after.user + after.system - before.user - before.system) / len(calls)
    return statistics.median(seconds), cores


if __name__ == "__main__":
    main()
