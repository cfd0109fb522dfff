"""Katib's algorithms by Optuna: the values that the next trial takes.

Everything is computed from the records of the trials so far, as Katib's own services do, so a
killed search goes on as if nothing had happened.
"""

from __future__ import annotations

import itertools
import random
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from katib.algorithms import SETTINGS, hyperband_of, points_of, settings_of
from katib.spec import Experiment, Parameter
from katib.trials import Trial, objective_of

# Those that do not look at what earlier trials reached: the same seed gives the same sequence.
_SEQUENCES = ("random", "sobol", "hyperband")
_STATES = {
    "running": TrialState.RUNNING,
    "succeeded": TrialState.COMPLETE,
    "early stopped": TrialState.PRUNED,
}


def next_values(experiment: Experiment, trials: Sequence[Trial]) -> dict[str, str] | None:
    """The parameters of the next trial; None: a grid has no more.

    Args:
        experiment: Checked by `check_algorithms`.
        trials: All so far, running ones too.
    """
    algorithm = experiment.spec.algorithm.algorithm_name
    if algorithm == "grid":
        return _next_of_grid(experiment, trials)
    study = study_of(experiment, () if algorithm in _SEQUENCES else trials, len(trials))
    distributions = _distributions(experiment)
    for _ in range(len(trials) if algorithm in _SEQUENCES else 0):
        study.ask(distributions)
    found = study.ask(distributions).params
    values = {}
    for parameter in experiment.spec.parameters:
        value = found[parameter.name]
        of_list = parameter.is_list and isinstance(value, int)
        values[parameter.name] = parameter.feasible_space.list[value] if of_list else str(value)
    if algorithm == "hyperband":
        name, most, _ = hyperband_of(experiment)
        # It begins with as much as a trial can get; what it does with less decides on the rest.
        values[name] = str(most)
    return values


def study_of(experiment: Experiment, trials: Sequence[Trial], num_asked: int = 0) -> optuna.Study:
    """An Optuna study that knows the trials.

    Args:
        experiment: The Experiment.
        trials: In the order of their numbers.
        num_asked: How many trials have got their parameters.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=experiment.name,
        direction=experiment.spec.objective.type,
        sampler=_sampler(experiment, num_asked),
    )
    distributions = _distributions(experiment)
    for trial in trials:
        study.add_trial(_frozen(experiment, trial, distributions))
    return study


def _next_of_grid(experiment: Experiment, trials: Sequence[Trial]) -> dict[str, str] | None:
    """A point that no trial has. (Optuna's GridSampler does not know points of a rebuilt study.)"""
    names = [parameter.name for parameter in experiment.spec.parameters]
    points = list(itertools.product(*map(points_of, experiment.spec.parameters)))
    random.Random(_seed(experiment)).shuffle(points)
    tried = [trial.parameters for trial in trials]
    left = (dict(zip(names, point, strict=True)) for point in points)
    return next((values for values in left if values not in tried), None)


def _seed(experiment: Experiment) -> int:
    """The Experiment's; without one, its name's, so that a resumed search goes on as it began."""
    text = experiment.spec.algorithm.settings.get("random_state")
    return zlib.crc32(experiment.name.encode()) if text is None else int(text)


def _sampler(experiment: Experiment, num_asked: int) -> optuna.samplers.BaseSampler:
    algorithm = experiment.spec.algorithm
    settings = settings_of(algorithm, SETTINGS[algorithm.algorithm_name], "spec.algorithm")
    # A sampler is made anew for each trial, and would begin with the same random numbers.
    seed = _seed(experiment)
    if algorithm.algorithm_name not in _SEQUENCES:
        seed += num_asked
    with warnings.catch_warnings():
        # Some samplers and arguments count as experimental.
        warnings.simplefilter("ignore")
        if algorithm.algorithm_name in ("tpe", "multivariate-tpe"):
            candidates = settings.get("n_EI_candidates", settings.get("n_ei_candidates", 24))
            return optuna.samplers.TPESampler(
                n_startup_trials=settings.get("n_startup_trials", 10),
                n_ei_candidates=candidates,
                multivariate=algorithm.algorithm_name == "multivariate-tpe",
                constant_liar=True,
                seed=seed,
            )
        if algorithm.algorithm_name == "bayesianoptimization":
            initial = settings.get("n_initial_points", 10)
            return optuna.samplers.GPSampler(n_startup_trials=initial, seed=seed)
        if algorithm.algorithm_name == "sobol":
            return optuna.samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=seed)
        return optuna.samplers.RandomSampler(seed=seed)


def _distributions(experiment: Experiment) -> dict[str, BaseDistribution]:
    algorithm = experiment.spec.algorithm.algorithm_name
    return {p.name: _distribution(p, algorithm) for p in experiment.spec.parameters}


def _distribution(parameter: Parameter, algorithm: str) -> BaseDistribution:
    space = parameter.feasible_space
    if parameter.is_list:
        # Sobol's points lie in numbers; those of a list are its places.
        if algorithm == "sobol":
            return IntDistribution(0, len(space.list) - 1)
        return CategoricalDistribution(space.list)
    log = space.distribution.startswith("log")
    if parameter.parameter_type == "int":
        step = int(space.step or 1)
        return IntDistribution(int(space.min), int(space.max), log=log, step=step)
    step_size = float(space.step) if space.step else None
    return FloatDistribution(float(space.min), float(space.max), log=log, step=step_size)


def _frozen(
    experiment: Experiment, trial: Trial, distributions: dict[str, BaseDistribution]
) -> FrozenTrial:
    """A record as Optuna's."""
    state = _STATES.get(trial.state, TrialState.FAIL)
    reported = trial.metrics.get(experiment.spec.objective.objective_metric_name, [])
    values: dict[str, Any] = {
        p.name: _typed(p, trial.parameters[p.name]) for p in experiment.spec.parameters
    }
    return optuna.trial.create_trial(
        state=state,
        value=objective_of(experiment, trial) if state is TrialState.COMPLETE else None,
        params=values,
        distributions=distributions,
        intermediate_values=dict(enumerate(reported, start=1)),
        system_attrs=dict(trial.notes),
    )


def _typed(parameter: Parameter, text: str) -> str | int | float:
    if parameter.is_list:
        return text
    return int(text) if parameter.parameter_type == "int" else float(text)
