"""The picture of a search: its objective over the trials, and over each parameter."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from katib.spec import Experiment, Parameter
from katib.trials import Trial, best_of, objective_of
from sub_module.files import write_bytes

_BLUE, _ORANGE, _GREY = "#1f5fa8", "#d1700f", "#9a9a9a"
_PANELS_A_ROW = 4


def plot(experiment: Experiment, trials: Sequence[Trial], file: Path) -> None:
    """Write a PNG; trials without a value of the objective are left out."""
    # Half a second to import. The figure is drawn without a screen, whatever the backend is.
    from matplotlib.figure import Figure

    done = [t for t in trials if objective_of(experiment, t) is not None and t.state != "running"]
    parameters = experiment.spec.parameters
    columns = min(_PANELS_A_ROW, len(parameters))
    rows = -(-len(parameters) // columns)
    figure = Figure(figsize=(2.6 * max(columns, 3), 3.0 + 2.4 * rows), layout="constrained")
    figure.suptitle(f"{experiment.name}: {len(done)} of {len(trials)} trials with a value")
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.3] + [1.0] * rows)
    _over_trials(figure.add_subplot(grid[0, :]), experiment, done)
    first = None
    for index, parameter in enumerate(parameters):
        place = grid[1 + index // columns, index % columns]
        axes = figure.add_subplot(place, sharey=first)
        first = first or axes
        _over_parameter(axes, experiment, parameter, done)
        if index % columns == 0:
            axes.set_ylabel(experiment.spec.objective.objective_metric_name)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_bytes(file, picture.getvalue())


def _values(experiment: Experiment, trials: Sequence[Trial]) -> list[float]:
    return [value for t in trials if (value := objective_of(experiment, t)) is not None]


def _over_trials(axes, experiment: Experiment, trials: Sequence[Trial]) -> None:  # type: ignore[no-untyped-def]
    objective = experiment.spec.objective
    numbers, values = [trial.number + 1 for trial in trials], _values(experiment, trials)
    whole = [trial.state == "succeeded" for trial in trials]
    for state, colour, label in ((True, _BLUE, "trial"), (False, _GREY, "stopped early or failed")):
        chosen = [i for i, is_whole in enumerate(whole) if is_whole is state]
        if chosen:
            points = [numbers[i] for i in chosen], [values[i] for i in chosen]
            axes.scatter(*points, color=colour, label=label, zorder=3)
    best: list[float] = []
    for value, is_whole in zip(values, whole, strict=True):
        counts = is_whole and (not best or objective.is_better(value, best[-1]))
        best.append(value if counts else best[-1] if best else float("nan"))
    axes.step(numbers, best, where="post", color=_ORANGE, label="best so far")
    if objective.goal is not None:
        axes.axhline(objective.goal, color=_GREY, linestyle=":", label="goal")
    axes.set(xlabel="trial", ylabel=objective.objective_metric_name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small", loc="best")
    axes.grid(alpha=0.3)


def _over_parameter(  # type: ignore[no-untyped-def]
    axes, experiment: Experiment, parameter: Parameter, trials: Sequence[Trial]
) -> None:
    texts = [trial.parameters[parameter.name] for trial in trials]
    values, best = _values(experiment, trials), best_of(experiment, trials)
    if parameter.is_list:
        order = _sorted(parameter.feasible_space.list)
        places = [float(order.index(text)) for text in texts]
        axes.set_xticks(range(len(order)), order)
        axes.set_xlim(-0.5, len(order) - 0.5)
    else:
        places = [float(text) for text in texts]
        if parameter.feasible_space.distribution.startswith("log"):
            axes.set_xscale("log")
    colours = [_ORANGE if trial is best else _BLUE for trial in trials]
    axes.scatter(places, values, c=colours, alpha=0.75, zorder=3)
    axes.set_xlabel(parameter.name)
    axes.grid(alpha=0.3)


def _sorted(texts: Sequence[str]) -> list[str]:
    """By number where all are numbers; else as listed."""
    try:
        return sorted(texts, key=float)
    except ValueError:
        return list(texts)
