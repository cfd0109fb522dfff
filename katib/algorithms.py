"""Which of Katib's algorithms run here, and what settings each takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from katib.spec import Algorithm, Experiment, Parameter
from sub_module.errors import ConfigError

_MOST = 2**31 - 1


def _whole(low: int) -> Callable[[str], int]:
    """Reads a whole number of at least `low`."""

    def read(text: str) -> int:
        if not low <= int(text) <= _MOST:
            raise ConfigError(f"{text} is not from {low} to {_MOST}")
        return int(text)

    return read


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ConfigError(f"{text} is not finite")
    return float(text)


# Algorithms that run here: the settings that each takes, and how a setting is read.
SETTINGS: dict[str, dict[str, Callable[[str], Any]]] = {
    "random": {"random_state": _whole(0)},
    "grid": {"random_state": _whole(0)},
    "tpe": {"random_state": _whole(0), "n_startup_trials": _whole(0), "n_EI_candidates": _whole(1)},
    "multivariate-tpe": {
        "random_state": _whole(0),
        "n_startup_trials": _whole(0),
        "n_ei_candidates": _whole(1),
    },
    "bayesianoptimization": {"random_state": _whole(0), "n_initial_points": _whole(1)},
    "sobol": {"random_state": _whole(0)},
    "hyperband": {"resource_name": str, "r_l": _finite, "eta": _finite, "random_state": _whole(0)},
}
ALGORITHMS = tuple(SETTINGS)
# Katib has them too; Optuna has nothing that does the same with lists of values.
_ONLY_ON_A_CLUSTER = ("cmaes", "pbt", "enas", "darts")
# The defaults are Katib's.
MEDIANSTOP = {"min_trials_required": 3, "start_step": 4}
EARLY_STOPPINGS = ("medianstop",)


def check_algorithms(experiment: Experiment, here: bool) -> None:
    """Refuse an algorithm or a setting that is unknown.

    Args:
        experiment: The Experiment.
        here: Whether Optuna is to run it; a cluster knows more algorithms and checks settings.

    Raises:
        ConfigError: Something is unknown; the message names it and what there is.
    """
    algorithm, stopping = experiment.spec.algorithm, experiment.spec.early_stopping
    name = algorithm.algorithm_name
    if name not in (ALGORITHMS if here else (*ALGORITHMS, *_ONLY_ON_A_CLUSTER)):
        only = f"{name} runs on a cluster only" if name in _ONLY_ON_A_CLUSTER else f"{name!r}"
        raise ConfigError(
            f"spec.algorithm.algorithmName: {only}; known here: {', '.join(ALGORITHMS)}"
        )
    if stopping is not None and stopping.algorithm_name not in EARLY_STOPPINGS:
        raise ConfigError(
            f"spec.earlyStopping.algorithmName: {stopping.algorithm_name!r}; known: "
            f"{', '.join(EARLY_STOPPINGS)}"
        )
    if here:
        settings_of(algorithm, SETTINGS[name], "spec.algorithm")
        for index, parameter in enumerate(experiment.spec.parameters):
            _check_range(f"spec.parameters.{index}.feasibleSpace", parameter, name)
    if stopping is not None:
        settings_of(stopping, dict.fromkeys(MEDIANSTOP, _whole(1)), "spec.earlyStopping")
    if name == "hyperband":
        _check_hyperband(experiment)


def settings_of(
    algorithm: Algorithm, known: dict[str, Callable[[str], Any]], where: str
) -> dict[str, Any]:
    """An algorithm's settings, read.

    Raises:
        ConfigError: One is not known, no number where one is needed, or out of its range.
    """
    values = {}
    for name, text in algorithm.settings.items():
        if name not in known:
            raise ConfigError(
                f"{where}.algorithmSettings: {algorithm.algorithm_name} has no setting {name!r}; "
                f"known: {', '.join(known)}"
            )
        try:
            values[name] = known[name](text)
        except ValueError as error:
            raise ConfigError(
                f"{where}.algorithmSettings: {name}: {text!r} is no number"
            ) from error
        except ConfigError as error:
            raise ConfigError(f"{where}.algorithmSettings: {name}: {error}") from error
    return values


def hyperband_of(experiment: Experiment) -> tuple[str, int, int]:
    """The parameter that says how long a trial trains, its largest value, and eta."""
    settings = settings_of(experiment.spec.algorithm, SETTINGS["hyperband"], "spec.algorithm")
    return settings["resource_name"], int(settings["r_l"]), int(settings.get("eta", 3))


def points_of(parameter: Parameter) -> tuple[str, ...]:
    """Every value of a list or of a range with a step; empty: a range without."""
    space = parameter.feasible_space
    if parameter.is_list:
        return space.list
    if parameter.parameter_type == "int":
        return tuple(
            str(n) for n in range(int(space.min), int(space.max) + 1, int(space.step or 1))
        )
    if not space.step:
        return ()
    low, high, step = float(space.min), float(space.max), float(space.step)
    return tuple(str(low + n * step) for n in range(math.floor((high - low) / step + 1e-9) + 1))


def _check_hyperband(experiment: Experiment) -> None:
    settings = experiment.spec.algorithm.settings
    where = "spec.algorithm.algorithmSettings"
    for name in ("resource_name", "r_l"):
        if name not in settings:
            raise ConfigError(f"{where}: hyperband needs {name}")
    resource, most, eta = hyperband_of(experiment)
    ints = {
        p.name: p.feasible_space for p in experiment.spec.parameters if p.parameter_type == "int"
    }
    if resource not in ints:
        raise ConfigError(f"{where}: resource_name: {resource!r} is no int of spec.parameters")
    if most < 1 or eta < 2:
        raise ConfigError(f"{where}: hyperband needs an r_l of at least 1 and an eta of at least 2")
    if most > int(ints[resource].max):
        raise ConfigError(f"{where}: r_l: {most} lies above {resource}'s max {ints[resource].max}")


def _check_range(where: str, parameter: Parameter, algorithm: str) -> None:
    """Refuse a range that Optuna does not draw from as Katib would."""
    space = parameter.feasible_space
    if parameter.is_list:
        return
    if algorithm == "grid" and not points_of(parameter):
        raise ConfigError(f"{where}: {parameter.name}: grid needs a list, or a range with a step")
    if space.distribution in ("normal", "logNormal"):
        raise ConfigError(f"{where}.distribution: {space.distribution} runs on a cluster only")
    if space.distribution == "logUniform" and (float(space.min) <= 0 or space.step):
        raise ConfigError(f"{where}: logUniform here needs a min above 0, and no step")
