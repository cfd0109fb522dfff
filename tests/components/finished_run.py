"""A finished run, made by hand as the pipeline leaves it."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sub_module.plates import PlateReading
from tests.standards import kr_standard

STANDARD = kr_standard()
_FONT = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"
_SYMBOLS = "ABCDE"


def make_run(run_dir: Path, num_images: int = 24, seed: int = 1) -> Path:
    """A finished run as the pipeline leaves it.

    Of 24 images one is read wrongly, one in another layout, one missed; one has a false reading.
    """
    rng = random.Random(seed)
    images = [_image(run_dir, number, rng) for number in range(num_images)]
    write(
        run_dir / "config.json",
        {"name": "plate_training", "plates": STANDARD.to_config(), "dataset": _DATA},
    )
    write(run_dir / "run.json", _RECORD)
    figures = {"mAP": 0.871, "EIR": 0.875, "wrong_share": 0.125, "num_images": float(num_images)}
    write(run_dir / "test/readings.json", {"images": images, "metrics": figures})
    _write_evaluation(run_dir / "evaluate", images)
    sets = {"annotation_set": "ann-v3", "training_set": "train-v7"}
    published = {"record": sets, "deploy": {"model": "gs://plates/models/r/onnx-1"}}
    steps: list[tuple[str, float, dict[str, float], dict[str, str]]] = [
        ("record", 14.2, {"num_train": 2400, "num_val": 300, "num_rejected": 0}, {}),
        ("train", 371.9, {"EIR": 0.981}, {"model": "runs/r/train/best.pth"}),
        ("evaluate", 9.1, {"mAP": 0.883, "EIR": 0.9834}, {"best": "runs/r/train/best.pth"}),
        ("test", 8.7, figures, {"readings": "runs/r/test/readings.json"}),
        ("deploy", 6.4, {"EIR": 0.875}, {"deployed": "models/r"}),
    ]
    for number, (component, seconds, metrics, outputs) in enumerate(steps):
        state = {"component": component, "started": 1000.0 + number, "finished": 2000.0 + number}
        state |= {"seconds": seconds, "metrics": metrics, "outputs": outputs, "error": None}
        state |= {"published": published.get(component, {})}
        write(run_dir / f"steps/{component}.json", state)
    _write_scalars(run_dir / "train/20261121_020000/vis_data/scalars.json", rng)
    return run_dir


def _write_evaluation(folder: Path, images: list[dict[str, Any]]) -> None:
    """Two candidates, curves of boards and characters, and the images that the test shows too."""
    figures = {"mAP": 0.883, "EIR": 0.9834, "wrong_share": 0.01}
    rows = [
        {"checkpoint": "runs/r/train/best.pth", "family": "PlateNet", "epoch": None},
        {"checkpoint": "searches/t/4/best.pth", "family": "MaskRCNNSwin", "epoch": 7},
    ]
    metrics: list[dict[str, float]] = [figures, {**figures, "EIR": 0.97, "dv_mAP": 0.8125}]
    candidates = [row | {"metrics": m} for row, m in zip(rows, metrics, strict=True)]
    write(folder / "candidates.json", {"candidates": candidates, "best": 0, "keys": ["EIR"]})
    curves = [
        {"kind": "box", "group": group, "iou": iou, "average": 0.75, "precision": [1.0] * 101}
        for group in ("boards", "characters")
        for iou in (0.5, 0.75, None)
    ]
    write(folder / "pr_curves.json", {"recall": [n / 100 for n in range(101)], "curves": curves})
    problems = ["12A3456 missed", "a <b>sign</b> read where no plate is"]
    hard = [image | {"problems": problems, "score": None} for image in images[9:10]]
    hard += [image | {"problems": [], "score": 0.625} for image in images[:1]]
    write(folder / "hardest.json", {"images": hard})


_DATA = {"annotations": None, "draw": {"num_images": 3000, "seed": 7}}
_RECORD = {
    "name": "r",
    "pipeline": "plate_training",
    "version": "v1",
    "overrides": {"train.max_epochs": 3},
}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _image(run_dir: Path, number: int, rng: random.Random) -> dict[str, Any]:
    """A grey gradient with one plate; the fault is chosen by the number."""
    text = f"{rng.randrange(100):02d}{rng.choice(_SYMBOLS)}{rng.randrange(10_000):04d}"
    x, y = rng.randrange(40, 380), rng.randrange(40, 340)
    ramp = np.linspace(60, 200, 640, dtype=np.uint8)
    picture = Image.fromarray(np.broadcast_to(ramp[None, :, None], (480, 640, 3)).copy())
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x, y, x + 200, y + 42), fill=(250, 250, 250), outline=(20, 20, 20), width=2)
    draw.text((x + 8, y), text, fill=(25, 25, 30), font=ImageFont.truetype(_FONT, 36))
    file = run_dir / "record/images" / f"{number:06d}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
    truth = reading_of(text, x, y, 1.0)
    score = round(rng.uniform(0.6, 0.999), 4)
    other = text[:-1] + ("1" if text[-1] != "1" else "7")
    readings = {
        3: [reading_of(other, x, y, score)],
        6: [replace(reading_of(text, x, y, score), layout="two_line")],
        9: [],
        15: [reading_of(text, x, y, score), reading_of("00A0000", 5, 400, 0.31)],
    }.get(number % 24, [reading_of(text, x + 2, y - 1, score)])
    return {
        "file": str(file.relative_to(run_dir)),
        "truth": [truth.to_dict()],
        "readings": [reading.to_dict() for reading in readings],
    }


def reading_of(text: str, x: float, y: float, score: float) -> PlateReading:
    x2, y2 = x + 200, y + 42
    corners = ((x, y), (x2, y), (x2, y2), (x, y2))
    fields = (text[:2], text[2], text[3:])
    return PlateReading("one_line", (x, y, x2, y2), corners, *fields, text, score)


def _write_scalars(path: Path, rng: random.Random) -> None:
    lines: list[dict[str, float]] = []
    for iteration in range(20, 1201, 20):
        loss = 4 * 0.996**iteration + 0.05 * rng.uniform(0.8, 1.2)
        lr = 0.002 * (1 - iteration / 1250)
        line = {"lr": lr, "loss": loss, "loss_corner": loss * 0.4, "memory_mb": 900 + iteration / 9}
        lines.append({**line, "epoch": iteration // 200, "iter": iteration, "step": iteration})
        if iteration % 200 == 0:
            eir = 1 - 0.8 * 0.6 ** (iteration / 150)
            lines.append({"EIR": eir, "mAP": 0.9 * eir, "step": iteration // 200})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
