"""What each part of the European model is worth: `python -m tests.measure_ablations`.

What is drawn counts for the reader (furniture, stroke alphabet) or for the detector (cars): each
arm trains that one network anew, for the same number of steps over drawings without the part, and
puts it among the other networks of `models/platenet-eu`. What is done in reading (refiner, vote,
grammar) is turned off in that model as it is. All are measured on drawn images that no arm has
seen, and on photographs where a directory of them is given. Two arms run at a time, each on one
core; nothing else should run meanwhile. Prints a Markdown row an arm and a seed, then means.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.evaluate.photographs import evaluate_photographs
from dataset_tools.draw import draw_dataset
from dataset_tools.record import record
from sub_module.engine.checkpoint import build_model
from sub_module.engine.config import load_config
from sub_module.engine.evaluate import evaluate
from sub_module.export.runtime import OnnxDetector, read_settings
from sub_module.models.platenet.losses import classes_loss, corner_loss, heat_loss
from sub_module.models.platenet.model import PlateNet
from sub_module.models.reader import Networks, build_reader
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.instances import Findings

Config = dict[str, Any]
CONFIG = "plate_training_eu"
MODEL = Path(__file__).parents[1] / "models" / "platenet-eu"
NUM_TEST_IMAGES = 240
TEST_SEED = 777
# An arm trains one network, so it makes only what that one sees, and more of it of each image.
_OF_CROPS = ("crops_per_plate", "empty_crops_per_image", "turned_crops")
_OF_STRIPS = ("strips_per_row", "no_plates_per_image", "empty_strips_per_image", "turned_strips")
SAMPLES: dict[str, Config] = {
    "read": {**dict.fromkeys(_OF_CROPS, 0), "strips_per_row": 6},
    "detect": dict.fromkeys((*_OF_CROPS, *_OF_STRIPS), 0),
}
BATCH_SIZE = {"read": 8, "detect": 16}


def _no_furniture(config: Config) -> None:
    for layout in config["plates"]["layouts"]:
        # With none named, plates would be painted plainly, in a font and from random characters.
        layout["furniture"] = dict.fromkeys(layout["furniture"], 0.0)


def _fonts_only(config: Config) -> None:
    config["dataset"]["draw"]["strokes"] = 0.0


def _no_cars(config: Config) -> None:
    config["dataset"]["draw"]["cars"] = 0.0


# Which network an arm trains anew, and what its drawings lack.
TRAINED: dict[str, tuple[str, Callable[[Config], None]]] = {
    "reader, all parts": ("read", lambda _: None),
    "reader, no furniture": ("read", _no_furniture),
    "reader, fonts in place of the stroke alphabet": ("read", _fonts_only),
    "detector, all parts": ("detect", lambda _: None),
    "detector, no cars": ("detect", _no_cars),
}
# What the whole model's reading does without.
READING: dict[str, Config] = {
    "the model": {},
    "no refinement": {"num_refinements": 0},
    "one refinement": {"num_refinements": 1},
    "no vote": {"margins": [0.0], "min_agreeing": 1},
    "no grammar": {"follows_grammar": 0.0},
    "no look at it turned": {"max_turned": None},
}


class _Networks:
    """The model's networks, one of them replaced by one that torch runs."""

    def __init__(self, others: Networks, graph: str, model: PlateNet) -> None:
        self._others, self._graph, self._model = others, graph, model

    def run(self, graph: str, inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        if graph != self._graph:
            return self._others.run(graph, inputs)
        with torch.inference_mode():
            out = getattr(self._model, graph)(torch.from_numpy(inputs))
        return tuple(tensor.numpy() for tensor in (out if isinstance(out, tuple) else (out,)))


class _Detector:
    """The model with other networks or another way of reading; no reading is too doubtful."""

    has_masks = False

    def __init__(self, reading: Config, graph: str = "", model: PlateNet | None = None) -> None:
        settings = read_settings(MODEL)
        whole = OnnxDetector(MODEL, num_threads=1)
        self.standard, self.categories = whole.standard, whole.categories
        config = {**settings["model"]}
        unbounded = {"min_score": 0.0, "calibration": None}
        config["reading"] = {**config["reading"], **unbounded, **reading}
        networks = whole.networks if model is None else _Networks(whole.networks, graph, model)
        self._reader = build_reader(config, self.standard, networks)

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[Findings]:
        return self._reader.find(images)

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        return [list(found.readings) for found in self.find(images)]


@dataclass(frozen=True)
class _Task:
    arm: str
    seed: int
    folder: Path
    images: int
    steps: int
    photographs: Path | None


def main() -> None:
    """Train and measure every arm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1500, help="drawn for each training")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--photographs", type=Path, help="as `evaluate` takes them")
    given = parser.parse_args()
    columns = ["drawn: found", "drawn: exact"]
    columns += ["photographs: found", "photographs: exact, O = 0"] if given.photographs else []
    rows: dict[str, list[list[float]]] = {}
    print(f"| arm | seed | {' | '.join(columns)} |\n|{'---|' * (2 + len(columns))}")
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(2, get_context("spawn"), initializer=_one_core) as pool,
    ):
        folder = Path(name)
        _data_set(folder / "test", load_config(CONFIG), NUM_TEST_IMAGES, TEST_SEED)
        tasks = [_Task(arm, 1, folder, 0, 0, given.photographs) for arm in READING]
        for seed in range(1, 1 + given.seeds):
            sizes = given.images, given.steps
            tasks += [_Task(arm, seed, folder, *sizes, given.photographs) for arm in TRAINED]
        for task, figures in zip(tasks, pool.map(_figures, tasks), strict=True):
            rows.setdefault(task.arm, []).append(figures)
            print(f"| {task.arm} | {task.seed} | {_percent(figures)} |", flush=True)
    print(f"\n| mean | seeds | {' | '.join(columns)} |\n|{'---|' * (2 + len(columns))}")
    for arm, found in rows.items():
        means = [statistics.mean(column) for column in zip(*found, strict=True)]
        print(f"| {arm} | {len(found)} | {_percent(means)} |")


def _one_core() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _data_set(folder: Path, config: Config, num_images: int, seed: int) -> Path:
    """Draw and record; everything goes to `train.json`."""
    standard = PlateStandard.from_config(config["plates"])
    dataset = {**config["dataset"], "split": {"train": 1.0}}
    drawn, recorded = folder / "drawn", folder / "set"
    draw_dataset(drawn, num_images, seed, standard, dataset["draw"], dataset["split"], None, 1)
    record(drawn, recorded, standard, dataset)
    return recorded / "train.json"


def _figures(task: _Task) -> list[float]:
    if task.arm in READING:
        detector = _Detector(READING[task.arm])
    else:
        graph, change = TRAINED[task.arm]
        config = load_config(CONFIG)
        change(config)
        folder = task.folder / f"{task.arm}-{task.seed}"
        coco_file = _data_set(folder, config, task.images, task.seed)
        detector = _Detector({}, graph, _trained(config, coco_file, graph, task))
    scores = evaluate(detector, task.folder / "test" / "set" / "train.json").scores
    found = sum(match.outcome in ("right", "wrong") for match in scores.matches)
    figures = [found / scores.num_plates, scores.EIR]
    if task.photographs is not None:
        estimates = evaluate_photographs(detector, task.photographs).scores.estimates
        figures += [e.value if e else 0.0 for e in map(estimates.get, ("recall", "exact_o0"))]
    return figures


def _trained(config: Config, coco_file: Path, graph: str, task: _Task) -> PlateNet:
    """One network, trained alone."""
    torch.manual_seed(task.seed)
    np.random.seed(task.seed)
    model = build_model(config["model"], PlateStandard.from_config(config["plates"]))
    assert isinstance(model, PlateNet)
    samples = model.training_set(coco_file, config["train"]["samples"] | SAMPLES[graph])
    network = model.column_reader if graph == "read" else model.detector
    lr, decay = config["train"]["lr"], config["train"]["weight_decay"]
    optimiser = torch.optim.AdamW(network.parameters(), lr, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=task.steps)
    order = np.random.default_rng(task.seed)
    model.train()
    for _ in range(task.steps):
        chosen = order.integers(len(samples), size=BATCH_SIZE[graph])
        batch = model.collate([samples[int(index)] for index in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            loss = _loss(model, graph, batch, config["model"]["loss_weights"])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config["train"]["max_grad_norm"])
        optimiser.step()
        schedule.step()
    return model.eval()


def _loss(
    model: PlateNet, graph: str, batch: dict[str, Tensor], weights: dict[str, float]
) -> Tensor:
    if graph == "read":
        return classes_loss(model.column_reader(batch["strips"]), batch["labels"])
    heat, corners = model.detector(batch["images"])
    distance = corner_loss(corners, batch["corners"], batch["corner_weights"])
    return weights["heat"] * heat_loss(heat, batch["heat"]) + weights["corners"] * distance


def _percent(figures: list[float]) -> str:
    return " | ".join(f"{100 * figure:.1f}" for figure in figures)


if __name__ == "__main__":
    main()
