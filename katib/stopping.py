"""Whether a running trial is worth going on with: median stopping, and hyperband's rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

import optuna

from katib.algorithms import MEDIANSTOP, hyperband_of
from katib.spec import Experiment
from katib.suggest import study_of
from katib.trials import Trial


def judged(experiment: Experiment, trials: Sequence[Trial], trial: Trial) -> tuple[bool, Trial]:
    """Whether a running trial is to be stopped, asked after each value of the objective.

    Args:
        experiment: Checked by `check_algorithms`.
        trials: All so far.
        trial: The one in question, as it is now.

    Returns:
        The answer, and the trial with what is to be remembered of it.
    """
    if experiment.spec.early_stopping is not None and _lies_below_median(experiment, trials, trial):
        return True, trial
    if experiment.spec.algorithm.algorithm_name == "hyperband":
        return _is_pruned(experiment, trials, trial)
    return False, trial


def _lies_below_median(experiment: Experiment, trials: Sequence[Trial], trial: Trial) -> bool:
    """Katib's rule: at one step, the trial's best against what others had on average until then."""
    stopping, objective = experiment.spec.early_stopping, experiment.spec.objective
    settings = {**MEDIANSTOP, **{k: int(v) for k, v in stopping.settings.items()}}  # type: ignore[union-attr]
    step, metric = settings["start_step"], objective.objective_metric_name
    values = trial.metrics.get(metric, [])
    done = [t.metrics[metric][:step] for t in trials if t.state == "succeeded"]
    if len(values) != step or len(done) < settings["min_trials_required"]:
        return False
    best = max(values) if objective.type == "maximize" else min(values)
    return objective.is_better(statistics.median(map(statistics.fmean, done)), best)


def _is_pruned(experiment: Experiment, trials: Sequence[Trial], trial: Trial) -> tuple[bool, Trial]:
    """Optuna's hyperband; a validation is a unit of the resource."""
    _, most, eta = hyperband_of(experiment)
    if len(trial.metrics[experiment.spec.objective.objective_metric_name]) >= most:
        # After the last round there is nothing to save.
        return False, trial
    all_trials = sorted(
        [*(t for t in trials if t.number != trial.number), trial], key=lambda t: t.number
    )
    study = study_of(experiment, all_trials)
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=most, reduction_factor=eta)
    place = all_trials.index(trial)
    stop = pruner.prune(study, study.trials[place])
    return stop, replace(trial, notes=dict(study.trials[place].system_attrs))
