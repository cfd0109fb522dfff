"""The figures as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serving.bench.figures import OURS, Figures, ServerFigures, median

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RED = "#c0392b"
_OTHERS = ["#34495e", "#7f8c8d", "#2980b9", "#27ae60", "#8e44ad", "#d68910", "#16a085"]
_MARKS = "osv^Dx*"


def write_plots(figures: Figures, folder: Path) -> list[Path]:
    """Write the pictures of a benchmark; returns their files."""
    # Half a second, which whoever only asks for help need not wait for.
    from matplotlib.figure import Figure

    pictures = {
        "throughput.png": (Figure(figsize=(8, 0.42 * len(figures.servers) + 1.4)), _throughput),
        "at_once.png": (Figure(figsize=(8, 0.42 * len(figures.servers) + 1.4)), _at_once),
        "latency.png": (Figure(figsize=(9, 4.2)), _latency),
    }
    written = []
    for name, (picture, draw) in pictures.items():
        draw(picture, figures)
        written.append(save(picture, folder / name))
    return written


def save(picture: Figure, path: Path) -> Path:
    """Write a picture."""
    picture.savefig(path, dpi=120, bbox_inches="tight")
    return path


def _throughput(picture: Figure, figures: Figures) -> None:
    axes = picture.subplots()
    labels = [_label(server) for server in figures.servers]
    rates = [[load.per_second for load in server.saturated] for server in figures.servers]
    _bars(axes, labels, rates, [_colour(server, i) for i, server in enumerate(figures.servers)])
    for floor in figures.floors:
        bare = median(floor.per_second[floor.best_shape])
        axes.axvline(bare, color="black", linestyle="--", linewidth=1)
        axes.text(
            bare,
            -0.75,
            f"bare loop\n{', '.join(floor.engine)}",
            fontsize=7,
            ha="center",
            va="bottom",
        )
    axes.set_xlabel("images a second, saturated (median; line: middle half of the repetitions)")


def _at_once(picture: Figure, figures: Figures) -> None:
    axes = picture.subplots()
    labels = [_label(server) for server in figures.servers]
    seconds = [[load.seconds for load in server.concurrent] for server in figures.servers]
    _bars(axes, labels, seconds, [_colour(server, i) for i, server in enumerate(figures.servers)])
    axes.set_xlabel(
        f"seconds until the last of {figures.settings['calls']} calls at once is answered"
    )


def _bars(axes: Axes, labels: list[str], values: list[list[float]], colours: list[str]) -> None:
    places = np.arange(len(labels))
    low, middle, high = np.array([np.percentile(each, [25, 50, 75]) for each in values]).T
    axes.barh(places, middle, color=colours, xerr=[middle - low, high - middle], ecolor="#555555")
    for place, value, end in zip(places, middle, high, strict=True):
        axes.text(float(end), float(place), f" {value:.3g}", va="center", fontsize=8)
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)


def _latency(picture: Figure, figures: Figures) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    both = picture.subplots(1, 2, sharey=True)
    for axes, percent in zip(both, (50, 99), strict=True):
        for i, server in enumerate(figures.servers):
            if not server.rates:
                continue
            axes.plot(
                [float(rate) for rate in server.rates],
                [load.percentile_ms(percent) for load in server.rates.values()],
                label=_label(server),
                color=_colour(server, i),
                marker=_MARKS[i % len(_MARKS)],
                markersize=4,
                linewidth=2 if server.name.startswith("ours") else 1,
                linestyle="--" if server.name.endswith("as_peers") else "-",
            )
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"p{percent}", fontsize=10)
        axes.set_xlabel("requests a second (Poisson)")
        axes.grid(alpha=0.3)
    both[0].set_ylabel("milliseconds")
    both[1].legend(fontsize=7, bbox_to_anchor=(1.02, 1), loc="upper left")


def _label(server: ServerFigures) -> str:
    return server.title.replace("`", "")


def _colour(server: ServerFigures, place: int) -> str:
    if server.name.startswith("ours"):
        return _RED if server.name == OURS else "#e67e22"
    return _OTHERS[place % len(_OTHERS)]
