"""platenet as a whole: size, losses, and readings with networks that know the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sub_module.datasets.coco import PlateImage, load_image, load_plate_images
from sub_module.engine.checkpoint import build_model
from sub_module.engine.config import load_config
from sub_module.models.platenet.model import PlateNet
from sub_module.models.platenet.reading import PlateNetReader
from sub_module.models.platenet.samples import (
    InputSizes,
    PlateTrainingSet,
    collate_samples,
    fit_scale,
)
from sub_module.models.platenet.settings import ReadingSettings
from sub_module.models.platenet.targets import column_labels, detector_targets
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import image_to_plate, map_points
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.small import SAMPLES, SIZES, drawn_set, small_config

STANDARDS = pytest.mark.parametrize(
    "standard", [kr_standard(), tiny_standard()], ids=lambda standard: standard.name
)


def test_the_shipped_model_is_compact() -> None:
    config = load_config("plate_training")
    model = build_model(config["model"], PlateStandard.from_config(config["plates"]))
    assert sum(parameter.numel() for parameter in model.parameters()) < 3_000_000


@STANDARDS
def test_losses_are_finite_and_reach_every_weight(standard: PlateStandard, tmp_path: Path) -> None:
    training_set = drawn_set(tmp_path, standard, 24)
    torch.manual_seed(0)
    np.random.seed(0)
    config = small_config(standard)
    model = build_model(config["model"], standard)
    samples = PlateTrainingSet(
        training_set / "train.json", standard, InputSizes.from_config(SIZES), SAMPLES
    )
    batch = collate_samples([samples[i] for i in range(8)])
    losses = model(mode="loss", **batch)
    assert len(losses) == 6
    total = sum(losses.values())
    assert torch.isfinite(total)
    total.backward()
    unreached = [name for name, p in model.named_parameters() if p.grad is None]
    assert unreached == []


class OracleNetworks:
    """Networks that answer from the ground truth of one image: what training strives for."""

    def __init__(self, truth: PlateImage, standard: PlateStandard, sizes: InputSizes) -> None:
        self.truth = truth
        self.standard = standard
        self.sizes = sizes
        # Strips are asked for in this order: best heat first is not known here, so one plate each.
        self.layout = standard.layout(truth.readings[0].layout)

    def run(self, graph: str, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        answers = {"detect": self.detect, "refine": self.refine, "read": self.read}
        return answers[graph]()

    def detect(self) -> tuple[np.ndarray, ...]:
        shape = (self.truth.height, self.truth.width)
        scale = fit_scale(shape, self.sizes.detector)
        quads = [np.array(r.corners) * scale for r in self.truth.readings]
        heat, corners, _ = detector_targets(quads, self.sizes.detector)
        return (heat == 1).astype(np.float32)[None], corners[None]

    def refine(self) -> tuple[np.ndarray, ...]:
        index = list(self.standard.layouts).index(self.layout)
        layouts = np.eye(len(self.standard.layouts), dtype=np.float32)[[index]]
        return np.zeros((1, 4, 2), np.float32), layouts, np.ones((1, 1), np.float32)

    def read(self) -> tuple[np.ndarray, ...]:
        to_plate = image_to_plate(np.array(self.truth.readings[0].corners))
        rows = []
        for row in self.layout.rows:
            x1, y1, x2, y2 = row.box
            inside = []
            for character, polygon in self.truth.characters[0]:
                points = map_points(to_plate, polygon)
                if y1 < points[:, 1].mean() < y2:
                    shares = ((points - (x1, y1)) / (x2 - x1, y2 - y1)).astype(np.float32)
                    inside.append((self.standard.alphabet.index(character), shares))
            labels = column_labels(inside, self.sizes.columns)
            rows.append(np.eye(1 + len(self.standard.alphabet), dtype=np.float32)[labels])
        return (np.stack(rows),)


@STANDARDS
def test_right_networks_give_right_readings(standard: PlateStandard, tmp_path: Path) -> None:
    """Labels, targets, geometry and decoding undo each other, for any standard."""
    training_set = drawn_set(tmp_path, standard, 60)
    sizes = InputSizes.from_config({**SIZES, "detector": [256, 192], "strip": [160, 32]})
    settings = ReadingSettings.from_config(small_config(standard)["model"])
    images = load_plate_images(training_set / "train.json", standard)
    single = [image for image in images if len(image.readings) == 1]
    assert len(single) > 10
    for truth in single:
        oracle = OracleNetworks(truth, standard, sizes)
        reader = PlateNetReader(standard, standard, sizes, oracle, settings)
        (findings,) = reader.find([load_image(truth.path)])
        (found,) = findings.readings
        (wanted,) = truth.readings
        assert (found.layout, found.text) == (wanted.layout, wanted.text)
        assert np.array(found.corners) == pytest.approx(np.array(wanted.corners), abs=0.05)


def test_nothing_to_read() -> None:
    model = build_model(small_config(kr_standard())["model"], kr_standard()).eval()
    assert isinstance(model, PlateNet)
    assert model.predict([]) == []
    for shape in ((1, 1, 3), (5, 400, 3), (480, 640, 3)):
        assert len(model.predict([np.zeros(shape, np.uint8)])) == 1
