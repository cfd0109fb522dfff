"""Curves of training, evaluation and reliability as inline SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from components.evaluate.curves import PrecisionCurve, curves_figure
from components.report.run_files import Curve
from sub_module.metrics.calibration import Reliability

_COLOURS = ("#1d6fb8", "#d9480f", "#0b7a75", "#7048e8", "#a61e4d", "#5c6b00", "#495057")
_STYLE: dict[Any, Any] = {
    # Text stays text: the page's fonts draw it, and it can be searched.
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": "#5b6470",
    "axes.edgecolor": "#c9ced6",
    "axes.labelcolor": "#5b6470",
    "xtick.color": "#5b6470",
    "ytick.color": "#5b6470",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#eceff3",
    "legend.frameon": False,
    "legend.labelcolor": "#24292f",
}


@dataclass(frozen=True)
class Chart:
    """One picture of the page."""

    title: str
    svg: Markup


@dataclass(frozen=True)
class _Kind:
    """Which curves share a chart, by the last part of their names, and how it is drawn."""

    title: str
    belongs: Callable[[str], bool]
    scale: str = "linear"
    limits: tuple[float | None, float | None] = (None, None)


_KINDS = (
    _Kind("Losses", lambda name: "loss" in name, scale="log"),
    _Kind(
        "Validation", lambda name: name in ("mAP", "dv_mAP", "EIR", "wrong_share"), limits=(0, 1.02)
    ),
    _Kind("Learning rate", lambda name: name == "lr"),
    _Kind("Memory", lambda name: "memory" in name, limits=(0, None)),
)


def training_charts(curves: Mapping[str, Curve]) -> list[Chart]:
    """A chart for each kind of curve that the run has, in a fixed order.

    Args:
        curves: By name, `loss` or `detector/loss`; names of no kind are left out.
    """
    charts = []
    for kind in _KINDS:
        drawn = {name: c for name, c in curves.items() if kind.belongs(name.split("/")[-1])}
        # What never moved from 0 says nothing: the memory of a GPU that is not there.
        drawn = {name: curve for name, curve in drawn.items() if any(curve.values())}
        if drawn:
            charts.append(Chart(kind.title, _svg(kind, drawn)))
    return charts


def precision_chart(curves: Sequence[PrecisionCurve]) -> Markup | None:
    """The precision-recall curves as one picture; None when there are none."""
    if not curves:
        return None
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": "precision"}):
        return _svg_of(curves_figure(curves))


def reliability_chart(curves: Mapping[str, Reliability]) -> Markup | None:
    """Share of right readings over their score, by name of a curve; None when there are none."""
    if not curves:
        return None
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": "reliability"}):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.plot((0, 1), (0, 1), "--", color="#adb5bd", linewidth=1.2, label="perfect")
        for number, (name, curve) in enumerate(curves.items()):
            colour, label = _COLOURS[number % len(_COLOURS)], f"{name}: ECE {curve.ece:.3f}"
            axes.plot(curve.scores, curve.right, "o-", color=colour, markersize=4, label=label)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.03), xlabel="mean score", ylabel="share right")
        axes.set_aspect("equal")
        figure.legend(loc="outside upper left", ncols=1, fontsize=8, handlelength=1.4)
        return _svg_of(figure)


def _svg(kind: _Kind, curves: Mapping[str, Curve]) -> Markup:
    # The salt keeps the ids of one page's pictures apart, and one run's page the same each time.
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": kind.title}):
        figure = Figure(figsize=(5.4, 3.0), layout="constrained")
        axes = figure.subplots()
        for number, (name, curve) in enumerate(curves.items()):
            axes.plot(
                list(curve),
                list(curve.values()),
                label=name,
                color=_COLOURS[number % len(_COLOURS)],
                linewidth=1.6,
                marker="o" if len(curve) < 30 else None,
                markersize=3,
            )
        positive = all(value > 0 for curve in curves.values() for value in curve.values())
        axes.set_yscale(kind.scale if positive else "linear")
        axes.set_ylim(*kind.limits)
        axes.set_xlabel("iteration")
        figure.legend(loc="outside upper left", ncols=3, fontsize=8, handlelength=1.4)
        return _svg_of(figure)


def _svg_of(figure: Figure) -> Markup:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])
