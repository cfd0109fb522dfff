"""Calibration in a run: fitted on the validation readings, written into the exported model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluate.calibration import (
    FILE,
    Calibration,
    calibrate_exported,
    calibration_of,
    read_calibration,
    write_calibration,
)
from components.report import write_report
from components.step import Step
from sub_module.datasets.coco import PlateImage, load_image
from sub_module.engine.evaluate import Evaluation
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import DataError
from sub_module.metrics.calibration import calibrated
from sub_module.metrics.readings import score_readings
from sub_module.plates import PlateReading
from sub_module.plates.instances import Findings
from tests.components.finished_run import make_run, reading_of, write
from tests.components.html_page import Page


def _boastful(num_images: int = 200) -> Evaluation:
    """Every reading has a score of 0.9 and two in five are right."""
    truth = [[reading_of("12A3456", 0, 0, 1.0)] for _ in range(num_images)]
    read: list[list[PlateReading]] = [
        [reading_of("12A3456" if number % 5 < 2 else "12A3457", 0, 0, 0.9)]
        for number in range(num_images)
    ]
    images = [
        PlateImage(n, Path("a.jpg"), 300, 100, tuple(plates), (), ())
        for n, plates in enumerate(truth)
    ]
    findings = tuple(Findings(tuple(found)) for found in read)
    return Evaluation(0.5, None, score_readings(truth, read), tuple(images), findings)


def _step(volume: Path, **evaluate: Any) -> Step:
    step = Step("evaluate", str(volume), "r")
    write(step.run_dir / "config.json", {"evaluate": evaluate})
    return step


def test_it_is_fitted_on_the_readings_that_there_are() -> None:
    found = calibration_of(_boastful())
    assert found.num_readings == 200
    assert found.ece == pytest.approx(0.5)
    assert found.ece_after == pytest.approx(0, abs=0.01)
    nothing = score_readings([], [])
    assert calibration_of(Evaluation(0.5, None, nothing, (), ())) == Calibration(
        1, 0, 0, None, None
    )


def test_the_step_fits_it_only_where_the_config_says_so(tmp_path: Path) -> None:
    write_calibration(_step(tmp_path, calibrate=True), _boastful())
    run_dir = tmp_path / "runs" / "r"
    assert read_calibration(run_dir) == calibration_of(_boastful())
    write_calibration(_step(tmp_path), _boastful())
    assert read_calibration(run_dir) is None, "what an earlier attempt left is gone"
    write(run_dir / FILE, {"slope": 1})
    with pytest.raises(DataError, match=r"calibration\.json: damaged"):
        read_calibration(run_dir)


def test_it_goes_into_the_exported_models_settings(tmp_path: Path) -> None:
    reading: dict[str, Any] = {"min_score": 0.2, "calibration": None}
    settings = {"format": 1, "graphs": {}, "standard": {}, "model": {"type": "A"}}
    write(tmp_path / "settings.json", {**settings, "model": {"type": "A", "reading": reading}})

    def after(slope: float, offset: float) -> list[float]:
        assert calibrate_exported(tmp_path, Calibration(slope, offset, 9, None, None))
        written = json.loads((tmp_path / "settings.json").read_text())
        assert written["model"]["type"] == "A"
        assert written["graphs"] == {}
        result: list[float] = written["model"]["reading"]["calibration"]
        return result

    assert after(0.5, 1.0) == [0.5, 1.0]
    least = json.loads((tmp_path / "settings.json").read_text())["model"]["reading"]["min_score"]
    assert least == pytest.approx(1 / (1 + np.exp(-(0.5 * np.log(0.2 / 0.8) + 1))))
    # 3 (0.5 x + 1) - 2.
    assert after(3.0, -2.0) == [1.5, 1.0]
    reading["min_score"] = 0.0
    write(tmp_path / "settings.json", {**settings, "model": {"type": "A", "reading": reading}})
    after(0.1, 3.0)
    least = json.loads((tmp_path / "settings.json").read_text())["model"]["reading"]["min_score"]
    assert least == 0, "it leaves none out"


@pytest.mark.parametrize("offset", [-9.0, 9.0])
def test_the_corrected_model_reads_the_same(tmp_path: Path, offset: float) -> None:
    shutil.copytree(SHIPPED_MODEL, tmp_path / "model")
    settings = json.loads((tmp_path / "model" / "settings.json").read_text())
    settings["model"]["reading"]["calibration"] = None
    write(tmp_path / "model" / "settings.json", settings)
    image = load_image(SHIPPED_MODEL.parents[1] / "docs" / "samples" / "coffee.jpg")
    (before,) = load_detector(tmp_path / "model").predict([image])
    assert calibrate_exported(tmp_path / "model", Calibration(0.5, offset, 9, None, None))
    (after,) = load_detector(tmp_path / "model").predict([image])
    assert [plate.text for plate in after] == [plate.text for plate in before] != []
    corrected = calibrated([plate.score for plate in before], 0.5, offset)
    assert [plate.score for plate in after] == pytest.approx(corrected.tolist(), rel=1e-4)


def test_a_model_that_takes_none_stays_as_it_is(tmp_path: Path) -> None:
    model = {"type": "B", "reading": {"min_score": 0.1}}
    write(tmp_path / "settings.json", {"format": 1, "graphs": {}, "standard": {}, "model": model})
    before = (tmp_path / "settings.json").read_bytes()
    assert not calibrate_exported(tmp_path, Calibration(0.5, 1.0, 9, None, None))
    assert (tmp_path / "settings.json").read_bytes() == before


def test_the_report_shows_scores_before_and_after(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r", num_images=4)
    write(run_dir / FILE, vars(Calibration(1.0, float(np.log(4)), 300, 0.1, 0.02)))
    text = " ".join(Page(write_report(run_dir)).text.split())
    ece = json.loads((run_dir / "report.json").read_text())["ece"]
    assert set(ece) == {"scores", "corrected"}
    assert ece["scores"] != ece["corrected"]
    for name, value in ece.items():
        assert f"ECE, expected calibration error: {value:.3f} {name}" in text
