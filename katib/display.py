"""The trials of a search, on a terminal as a live table, elsewhere as plain lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from katib.spec import Experiment
from katib.trials import Trial, best_of, objective_of

_STYLES = {
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "metrics unavailable": "red",
    "early stopped": "yellow",
}
# Rows of the table: a terminal's last ones are seen.
_MAX_ROWS = 24


class Display(Protocol):
    """Shows trials as they come."""

    def show(self, trials: Sequence[Trial], texts: Mapping[str, str]) -> None:
        """Show all trials.

        Args:
            trials: By number.
            texts: Name of a running trial to the last line that it printed.
        """

    def close(self) -> None:
        """End the display; what it showed stays."""


def open_display(experiment: Experiment, console: Console) -> Display:
    """The display that fits the console."""
    return _Live(experiment, console) if console.is_terminal else _Lines(experiment, console)


def table_of(experiment: Experiment, trials: Sequence[Trial], texts: Mapping[str, str]) -> Group:
    """A row for each trial, the best one marked; below it, what running and failed ones say."""
    objective = experiment.spec.objective
    best = best_of(experiment, trials)
    most = experiment.spec.max_trial_count
    title = f"{experiment.name}: {len(trials)}{f' of {most}' if most else ''} trials"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("", "trial", "state", *_parameters(experiment)):
        table.add_column(name, overflow="fold")
    for name in (*objective.metrics, "time"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = trials[-_MAX_ROWS:]
    for trial in shown:
        figures = [
            f"{objective.value_of(name, trial.metrics[name]):.4f}" if name in trial.metrics else ""
            for name in objective.metrics
        ]
        table.add_row(
            "★" if trial is best else "",
            _short(experiment, trial),
            Text(trial.state, style=_STYLES.get(trial.state, "dim")),
            *(trial.parameters.get(name, "") for name in _parameters(experiment)),
            *figures,
            _clock(trial),
        )
    notes = [(trial, trial.error or texts.get(trial.name)) for trial in shown]
    return Group(
        table,
        *(
            Text(f"{_short(experiment, trial)}: {note}", "dim", no_wrap=True, overflow="ellipsis")
            for trial, note in notes
            if note
        ),
    )


def _short(experiment: Experiment, trial: Trial) -> str:
    return trial.name.removeprefix(f"{experiment.name}-")


def _parameters(experiment: Experiment) -> list[str]:
    return [parameter.name for parameter in experiment.spec.parameters]


def _clock(trial: Trial) -> str:
    if not trial.started:
        return ""
    seconds = int((trial.finished or time.time()) - trial.started)
    return f"{seconds // 60}:{seconds % 60:02d}"


class _Lines:
    """A line when a trial begins, at each of its values, and when it ends."""

    def __init__(self, experiment: Experiment, console: Console) -> None:
        self._experiment = experiment
        self._console = console
        self._seen: dict[str, tuple[str, int]] = {}

    def show(self, trials: Sequence[Trial], texts: Mapping[str, str]) -> None:
        objective = self._experiment.spec.objective.objective_metric_name
        for trial in trials:
            values = trial.metrics.get(objective, [])
            now = (trial.state, len(values))
            before = self._seen.get(trial.name)
            if now == before or trial.state == "pending":
                continue
            self._seen[trial.name] = now
            value = objective_of(self._experiment, trial)
            figure = "" if value is None else f", {objective} {value:.4f}"
            if before is None:
                given = " ".join(f"{name}={text}" for name, text in trial.parameters.items())
                self._print(trial, f"{trial.state}: {given}{figure}")
            elif before[1] != len(values):
                self._print(trial, f"{objective} {values[-1]:.4f} (value {len(values)})")
            if before is not None and before[0] != trial.state:
                self._print(trial, f"{trial.state} after {_clock(trial)}{figure}")
            if trial.error and (before is None or before[0] != trial.state):
                self._print(trial, trial.error)

    def close(self) -> None:
        """Nothing is left to do."""

    def _print(self, trial: Trial, text: str) -> None:
        line = f"[{trial.name}] {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Live:
    """The table, renewed in place."""

    def __init__(self, experiment: Experiment, console: Console) -> None:
        self._experiment = experiment
        self._live = Live(console=console, auto_refresh=False)
        self._next_refresh = 0.0
        self._shown: tuple[Sequence[Trial], Mapping[str, str]] = ((), {})
        self._live.start()

    def show(self, trials: Sequence[Trial], texts: Mapping[str, str]) -> None:
        self._shown = trials, texts
        if time.monotonic() >= self._next_refresh:
            self._next_refresh = time.monotonic() + 0.25
            self._refresh()

    def close(self) -> None:
        self._refresh()
        self._live.stop()

    def _refresh(self) -> None:
        self._live.update(table_of(self._experiment, *self._shown), refresh=True)
