"""Trials: one record a trial, and the directory of a search.

A search's directory is `<home>/searches/<name>`: `experiment.yaml`, `best.yaml`, `search.png`, and
for each trial `<trial>/trial.json` (`Trial`), `<trial>/trial.log` and what the trial itself leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from katib.spec import Experiment
from sub_module.errors import DataError
from sub_module.files import read_json, write_json

State = Literal[
    "running", "succeeded", "early stopped", "failed", "metrics unavailable", "killed", "pending"
]
FAILURES: tuple[State, ...] = ("failed", "metrics unavailable")


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        name: Also its directory's.
        number: From 0.
        parameters: Name to value, as the Experiment writes it.
        state: `running` is also what a killed search leaves.
        metrics: Name to every value that was reported, in order.
        started: Seconds since the epoch.
        finished: Seconds since the epoch; None: under way, or killed.
        error: Why it failed, one line.
        notes: What Optuna notes of it.
    """

    name: str
    number: int
    parameters: dict[str, str]
    state: State = "running"
    metrics: dict[str, list[float]] = field(default_factory=dict)
    started: float = 0.0
    finished: float | None = None
    error: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)


_TRIAL = TypeAdapter(Trial)


def objective_of(experiment: Experiment, trial: Trial) -> float | None:
    """The value by which a trial is judged; None: it reported none."""
    objective = experiment.spec.objective
    values = trial.metrics.get(objective.objective_metric_name)
    return objective.value_of(objective.objective_metric_name, values) if values else None


def best_of(experiment: Experiment, trials: Iterable[Trial]) -> Trial | None:
    """The best of those that ended well or were stopped early; None: none of them has a value."""
    best, best_value = None, None
    for trial in trials:
        value = objective_of(experiment, trial)
        if value is None or trial.state not in ("succeeded", "early stopped"):
            continue
        if best_value is None or experiment.spec.objective.is_better(value, best_value):
            best, best_value = trial, value
    return best


def write_trial(folder: Path, trial: Trial) -> None:
    """Put a record into its directory below the search's."""
    write_json(folder / trial.name / "trial.json", asdict(trial))


def read_trials(folder: Path) -> list[Trial]:
    """The records of a search's directory, in the order of their numbers.

    Raises:
        DataError: A record is damaged.
    """
    trials = []
    for file in folder.glob("*/trial.json"):
        try:
            trials.append(_TRIAL.validate_python(read_json(file)))
        except ValidationError as error:
            raise DataError(f"{file}: damaged: {error.errors()[0]['msg']}") from error
    return sorted(trials, key=lambda trial: trial.number)


def goal_reached(experiment: Experiment, trials: Sequence[Trial]) -> bool:
    """Whether a trial is as good as the objective's goal."""
    best = best_of(experiment, trials)
    value = None if best is None else objective_of(experiment, best)
    return value is not None and experiment.spec.objective.reaches_goal(value)


def has_enough(experiment: Experiment, trials: Sequence[Trial]) -> bool:
    """Whether no further trial is wanted: the goal is reached, or as many as may be are done."""
    most = experiment.spec.max_trial_count
    done = [trial for trial in trials if trial.state not in ("running", "killed")]
    return goal_reached(experiment, trials) or (most is not None and len(done) >= most)


def too_many_failed(experiment: Experiment, trials: Sequence[Trial]) -> bool:
    """Whether so many trials failed that, as in Katib, the search has failed."""
    most = experiment.spec.max_failed_trial_count
    failed = [trial for trial in trials if trial.state in FAILURES]
    return most is not None and len(failed) >= max(1, most)
