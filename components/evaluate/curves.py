"""Precision-recall curves of boards, groups and characters: numbers, and a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from sub_module.files import write_bytes, write_json
from sub_module.metrics.average_precision import RECALLS
from sub_module.plates import PlateStandard

if TYPE_CHECKING:
    # The report reads curves and need not wait for onnxruntime.
    from sub_module.engine.evaluate import Evaluation

# IoU from which a detection counts; None: the mean over 0.50, 0.55, ... 0.95, as mAP takes it.
_IOUS = (0.5, 0.75, None)
# Colour, line, and width in points: the first shows under the second where they are one.
_STYLES = {
    0.5: ("#1d6fb8", "-", 2.6),
    0.75: ("#d9480f", "-", 1.5),
    None: ("#24292f", "--", 1.5),
}
_TITLES = {"box": "boxes", "divided": "masks, divided IoU"}


@dataclass(frozen=True)
class PrecisionCurve:
    """Precision over recall (0, 0.01, ... 1), the mean over a group of categories.

    Attributes:
        kind: What overlap means: `box` or `divided`.
        group: Of categories: `boards`, `groups` or `characters`.
        iou: From which a detection counts; None: the mean over 0.50:0.05:0.95.
        average: Mean over the curve, from 0 to 1: the average precision.
        precision: 101 values from 0 to 1.
    """

    kind: str
    group: str
    iou: float | None
    average: float
    precision: tuple[float, ...]


def precision_curves(evaluation: Evaluation, standard: PlateStandard) -> list[PrecisionCurve]:
    """The curves of every group of categories that the model finds and the images show."""
    characters = tuple(map(standard.label_of, standard.alphabet))
    groups = {
        "boards": standard.board_labels,
        "groups": standard.group_labels,
        "characters": characters,
    }
    curves = []
    for kind, precisions in evaluation.precisions.items():
        for group, labels in groups.items():
            for iou in _IOUS:
                values = precisions.curve(labels, iou)
                if values is not None:
                    precision = tuple(values.round(6).tolist())
                    average = round(float(values.mean()), 6)
                    curves.append(PrecisionCurve(kind, group, iou, average, precision))
    return curves


def curve_of(row: Mapping[str, Any]) -> PrecisionCurve:
    """A curve as `write_curves` put it into the JSON file.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    return PrecisionCurve(
        kind=str(row["kind"]),
        group=str(row["group"]),
        iou=None if row["iou"] is None else float(row["iou"]),
        average=float(row["average"]),
        precision=tuple(map(float, row["precision"])),
    )


def write_curves(folder: Path, curves: Sequence[PrecisionCurve]) -> None:
    """Write `pr_curves.json` (`recall` and `curves`) and `pr_curves.png`."""
    rows = [asdict(curve) for curve in curves]
    write_json(folder / "pr_curves.json", {"recall": RECALLS.round(2).tolist(), "curves": rows})
    picture = io.BytesIO()
    curves_figure(curves).savefig(picture, format="png", dpi=130)
    write_bytes(folder / "pr_curves.png", picture.getvalue())


def curves_figure(curves: Sequence[PrecisionCurve]) -> Figure:
    """A row for each kind of overlap, in it a chart for each group of categories."""
    kinds = list(dict.fromkeys(curve.kind for curve in curves))
    groups = list(dict.fromkeys(curve.group for curve in curves))
    size = (max(4.2, 3.4 * len(groups)), 3.3 * max(1, len(kinds)))
    figure = Figure(figsize=size, layout="constrained")
    charts = figure.subplots(max(1, len(kinds)), max(1, len(groups)), squeeze=False)
    for row, kind in enumerate(kinds):
        for column, group in enumerate(groups):
            axes = charts[row, column]
            for curve in curves:
                if (curve.kind, curve.group) == (kind, group):
                    colour, line, width = _STYLES.get(curve.iou, ("#868e96", "-", 1.5))
                    name = "0.50:0.95" if curve.iou is None else f"{curve.iou:.2f}"
                    recall = RECALLS[: len(curve.precision)]
                    label = f"IoU {name}: AP {curve.average:.3f}"
                    style = {"color": colour, "linewidth": width, "label": label}
                    axes.plot(recall, curve.precision, line, **style)
            axes.set(xlim=(0, 1.01), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
            axes.set_title(f"{group} ({_TITLES.get(kind, kind)})", fontsize=10)
            axes.legend(loc="lower left", fontsize=8, edgecolor="none")
            axes.grid(alpha=0.3)
    return figure
