"""An annotation set as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from dataset_tools.show import BOARD, CHARACTER, GROUP, SetSummary
from sub_module.plates.standard import PlateStandard

# A page with more is slow to open, and nobody reads on.
_MAX_PROBLEMS = 500
_NUM_BINS = 40
_COLOURS = ("#1d6fb8", "#e8a33d", "#26845a", "#7048e8", "#a61e4d", "#495057")
_STYLE: dict[Any, Any] = {
    # Text stays text: the page's fonts draw it, and it can be searched.
    "svg.fonttype": "none",
    # The same set gives the same page.
    "svg.hashsalt": "plateflow",
    "font.size": 9,
    "text.color": "#5b6470",
    "axes.edgecolor": "#c9ced6",
    "axes.labelcolor": "#5b6470",
    "xtick.color": "#5b6470",
    "ytick.color": "#5b6470",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class _Classes:
    """Classes of one kind, each with the number of its shapes."""

    title: str
    colour: str
    counts: dict[str, int]


def set_page(name: str, summary: SetSummary, sheet_jpeg: bytes, standard: PlateStandard) -> str:
    """The page.

    Args:
        name: What it calls the set.
        summary: The set's figures.
        sheet_jpeg: The contact sheet.
        standard: Gives the classes their kinds.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("show.html.j2")
    sizes = {layout: s for layout, s in summary.plate_sizes_px.items() if s}
    charts = [
        (title, _histogram({layout: [size[axis] for size in s] for layout, s in sizes.items()}))
        for axis, title in enumerate(("Width", "Height") if sizes else ())
    ]
    return page.render(
        name=name,
        standard=standard.name,
        summary=summary,
        sheet=base64.b64encode(sheet_jpeg).decode(),
        kinds=_kinds(summary.class_counts, standard),
        layouts={layout: len(s) for layout, s in sizes.items()},
        charts=charts,
        problems=summary.problems[:_MAX_PROBLEMS],
        num_more=max(0, len(summary.problems) - _MAX_PROBLEMS),
    )


def _kinds(class_counts: Mapping[str, int], standard: PlateStandard) -> list[_Classes]:
    labels: dict[str, list[str]] = {"Boards": [], "Groups": [], "Characters": []}
    for label in class_counts:
        if label in standard.board_labels:
            labels["Boards"].append(label)
        else:
            labels["Groups" if label in standard.group_labels else "Characters"].append(label)
    colours = [f"rgb{colour}" for colour in (BOARD, GROUP, CHARACTER)]
    return [
        _Classes(title, colour, {label: class_counts[label] for label in of_kind})
        for (title, of_kind), colour in zip(labels.items(), colours, strict=True)
    ]


def _histogram(values_px: Mapping[str, Sequence[float]]) -> Markup:
    """How often each size occurs, the layouts upon each other, as SVG."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 2.3), layout="constrained")
        axes = figure.subplots()
        axes.hist(
            list(values_px.values()),
            bins=_NUM_BINS,
            stacked=True,
            label=list(values_px),
            color=[_COLOURS[i % len(_COLOURS)] for i in range(len(values_px))],
        )
        axes.set_xlabel("px")
        axes.set_ylabel("plates")
        axes.legend(loc="upper right")
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    text = svg.getvalue()
    # matplotlib escapes what it writes into it.
    return Markup(text[text.index("<svg") :])
