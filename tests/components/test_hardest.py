"""The images that were read worst, and the curves, from evaluations made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.evaluate.curves import curve_of, precision_curves, write_curves
from components.evaluate.hardest import hardest_images, write_hardest
from components.step import Step
from sub_module.datasets.coco import PlateImage
from sub_module.engine.evaluate import Evaluation
from sub_module.metrics.average_precision import Precisions
from sub_module.metrics.readings import score_readings
from sub_module.plates import PlateReading
from sub_module.plates.instances import Findings
from tests.standards import kr_standard

_STANDARD = kr_standard()


def _plate(text: str, x: float = 0.0, score: float = 1.0) -> PlateReading:
    corners = ((x, 0.0), (x + 100, 0.0), (x + 100, 50.0), (x, 50.0))
    fields = (text[:2], text[2], text[3:])
    return PlateReading("one_line", (x, 0.0, x + 100, 50.0), corners, *fields, text, score)


def _evaluation(
    images: dict[str, tuple[list[PlateReading], list[PlateReading]]],
    precisions: dict[str, Precisions] | None = None,
) -> Evaluation:
    truth = [plates for plates, _ in images.values()]
    read = [readings for _, readings in images.values()]
    return Evaluation(
        0.5,
        None,
        score_readings(truth, read),
        tuple(
            PlateImage(n, Path("/home/runs/r1/record") / f"{name}.jpg", 640, 480, tuple(t), (), ())
            for n, (name, t) in enumerate(zip(images, truth, strict=True))
        ),
        tuple(Findings(tuple(readings)) for readings in read),
        precisions or {},
    )


_A, _B = _plate("12A3456"), _plate("34B5678", 200)
_IMAGES = {
    "right": ([_A], [replace(_A, score=0.9)]),
    "nothing there": ([], []),
    "doubtful": ([_A], [replace(_A, score=0.4)]),
    "false": ([_A], [replace(_A, score=0.9), _plate("00A0000", 400, 0.2)]),
    "wrong": ([_A], [_plate("12A3457", 0, 0.8)]),
    "layout": ([_A], [replace(_A, layout="two_line", score=0.7)]),
    "missed": ([_A], []),
    "missed and wrong": ([_A, _B], [_plate("12A3457", 0, 0.9)]),
    "both missed": ([_A, _B], []),
}


def test_order_and_words() -> None:
    rows = hardest_images(_evaluation(_IMAGES), 20)
    assert [(Path(row["file"]).stem, row["problems"]) for row in rows] == [
        ("both missed", ["12A3456 missed", "34B5678 missed"]),
        ("missed and wrong", ["12A3456 read as 12A3457", "34B5678 missed"]),
        ("missed", ["12A3456 missed"]),
        ("layout", ["12A3456: layout one_line read as two_line"]),
        ("wrong", ["12A3456 read as 12A3457"]),
        ("false", ["00A0000 read where no plate is, or twice"]),
        ("doubtful", []),
        ("right", []),
    ]
    assert [row["score"] for row in rows[:4]] == [None, 0.9, None, 0.7]
    assert [rows[1][outcome] for outcome in ("missed", "wrong", "false")] == [1, 1, 0]
    assert PlateReading.from_dict(rows[1]["readings"][0]).text == "12A3457"


@pytest.mark.parametrize(("number", "num_rows"), [(0, 0), (2, 2), (99, 8)])
def test_how_many(number: int, num_rows: int) -> None:
    assert len(hardest_images(_evaluation(_IMAGES), number)) == num_rows


def test_file_of_the_run(tmp_path: Path) -> None:
    step = Step("evaluate", str(tmp_path), "r1")
    step.run_dir.mkdir(parents=True)
    (step.run_dir / "config.json").write_text(json.dumps({"evaluate": {"num_hardest": 1}}))
    evaluation = _evaluation({"missed": ([_A], [])})
    image = replace(evaluation.images[0], path=step.run_dir / "record/images/1.jpg")
    write_hardest(step, replace(evaluation, images=(image,)))
    (row,) = json.loads((step.folder / "hardest.json").read_text())["images"]
    assert row["file"] == "record/images/1.jpg", "a run can be moved"


def _precisions(labels: tuple[str, ...]) -> Precisions:
    """Precision 1 up to recall 0.5 at IoU 0.50, a little less with every further step."""
    falls = np.linspace(1, 0.1, 10)[:, None, None] * (np.arange(101) <= 50)[None, :, None]
    return Precisions(labels, np.repeat(falls, len(labels), axis=2))


def test_curves_of_a_model_with_masks(tmp_path: Path) -> None:
    characters = tuple(map(_STANDARD.label_of, _STANDARD.alphabet))
    labels = (*_STANDARD.board_labels[:1], *characters)
    both = {"box": _precisions(labels), "divided": _precisions(labels)}
    curves = precision_curves(_evaluation({}, both), _STANDARD)
    assert [(curve.kind, curve.group, curve.iou) for curve in curves] == [
        (kind, group, iou)
        for kind in ("box", "divided")
        for group in ("boards", "characters")
        for iou in (0.5, 0.75, None)
    ], "groups of the plate have no ground truth"
    assert [curve.average for curve in curves[:3]] == pytest.approx(
        [51 / 101, 0.5 * 51 / 101, 0.55 * 51 / 101], abs=1e-6
    )
    write_curves(tmp_path, curves)
    noted = json.loads((tmp_path / "pr_curves.json").read_text())
    assert [curve_of(row) for row in noted["curves"]] == curves
    assert noted["recall"] == [round(n / 100, 2) for n in range(101)]
    with Image.open(tmp_path / "pr_curves.png") as picture:
        assert min(picture.size) > 300
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50, "not an empty page"
