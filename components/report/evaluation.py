"""What the evaluate step left beside its figures, such as candidates and the hardest images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from components.evaluate.calibration import Calibration, read_calibration
from components.evaluate.curves import PrecisionCurve, curve_of
from sub_module.errors import DataError
from sub_module.files import read_json
from sub_module.plates import PlateReading

Row = TypeVar("Row")


@dataclass(frozen=True)
class CandidateRow:
    """One checkpoint that was compared.

    Attributes:
        checkpoint: Relative to the volume.
        family: The type of its model; empty in runs of before it was noted.
        epoch: None: the checkpoint does not say.
        metrics: Figures by name; without those that the model does not have.
        best: Whether it was chosen.
    """

    checkpoint: str
    family: str
    epoch: int | None
    metrics: dict[str, float]
    best: bool


@dataclass(frozen=True)
class HardImage:
    """One of the images that the best candidate read worst.

    Attributes:
        path: The image file.
        truth: Its plates.
        readings: What was read.
        problems: What went wrong, in words; empty when it was read right, but with little trust.
        score: The lowest of the readings; None when nothing was read.
    """

    path: Path
    truth: tuple[PlateReading, ...]
    readings: tuple[PlateReading, ...]
    problems: tuple[str, ...]
    score: float | None


@dataclass(frozen=True)
class EvaluationFiles:
    """Everything of the step that the report shows; each empty or None where the run has none."""

    candidates: tuple[CandidateRow, ...]
    curves: tuple[PrecisionCurve, ...]
    hardest: tuple[HardImage, ...]
    calibration: Calibration | None


def read_evaluation(run_dir: Path) -> EvaluationFiles:
    """Read the evaluate step's JSON files of a run.

    Raises:
        DataError: One of them is damaged.
    """
    folder = run_dir / "evaluate"
    return EvaluationFiles(
        candidates=_rows(folder / "candidates.json", _candidates),
        curves=_rows(
            folder / "pr_curves.json", lambda data: [curve_of(row) for row in data["curves"]]
        ),
        hardest=_rows(
            folder / "hardest.json",
            lambda data: [_hard_image(row, run_dir) for row in data["images"]],
        ),
        calibration=read_calibration(run_dir),
    )


def _rows(file: Path, rows_of: Callable[[Any], list[Row]]) -> tuple[Row, ...]:
    data = read_json(file)
    if data is None:
        return ()
    try:
        return tuple(rows_of(data))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file}: damaged: {error!r}") from error


def _candidates(data: Any) -> list[CandidateRow]:
    return [
        CandidateRow(
            checkpoint=str(row["checkpoint"]),
            family=str(row.get("family", "")),
            epoch=row.get("epoch"),
            metrics=dict(row["metrics"]),
            best=number == data["best"],
        )
        for number, row in enumerate(data["candidates"])
    ]


def _hard_image(row: Any, run_dir: Path) -> HardImage:
    return HardImage(
        path=run_dir / row["file"],
        truth=tuple(map(PlateReading.from_dict, row["truth"])),
        readings=tuple(map(PlateReading.from_dict, row["readings"])),
        problems=tuple(map(str, row["problems"])),
        score=None if row["score"] is None else float(row["score"]),
    )
