"""Which values the algorithms try, and which trials are stopped."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from katib.algorithms import ALGORITHMS
from katib.spec import Experiment
from katib.stopping import judged
from katib.suggest import next_values
from katib.trials import Trial
from tests.katib.small_search import own_experiment

LR = ["5e-4", "1e-3", "2e-3", "4e-3", "8e-3"]
DECAY = ["0.0", "0.02", "0.05"]


def experiment(folder: Path, algorithm: str = "random", **spec: Any) -> Experiment:
    chosen: dict[str, Any] = {"algorithmName": algorithm}
    data = own_experiment(folder, algorithm=chosen, **spec)
    if algorithm == "hyperband":
        settings = {"resource_name": "epochs", "r_l": "8", "eta": "2"}
        chosen["algorithmSettings"] = [{"name": n, "value": v} for n, v in settings.items()]
        data["spec"]["algorithm"] = chosen
        data["spec"]["parameters"].append(
            {"name": "epochs", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "8"}}
        )
    return Experiment.model_validate(data)


def value(parameters: dict[str, str]) -> float:
    """The best is lr 2e-3 without decay."""
    return 0.9 - abs(float(parameters["lr"]) - 2e-3) * 50 - float(parameters["weight_decay"])


def searched(asked: Experiment, num_trials: int) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(num_trials):
        values = next_values(asked, trials)
        assert values is not None
        metrics = {"mAP": [value(values)]}
        trials.append(Trial(f"t{number}", number, values, "succeeded", metrics))
    return trials


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "hyperband"])
def test_values_are_of_the_lists_and_vary(tmp_path: Path, algorithm: str) -> None:
    trials = searched(experiment(tmp_path, algorithm), 8)
    assert {trial.parameters["lr"] for trial in trials} <= set(LR)
    assert {trial.parameters["weight_decay"] for trial in trials} <= set(DECAY)
    assert len({tuple(trial.parameters.items()) for trial in trials}) >= 5


def test_grid_tries_everything_once(tmp_path: Path) -> None:
    asked = experiment(tmp_path, "grid")
    trials = searched(asked, 15)
    tried = {(t.parameters["lr"], t.parameters["weight_decay"]) for t in trials}
    assert tried == set(itertools.product(LR, DECAY))
    assert next_values(asked, trials) is None


def test_tpe_comes_to_prefer_what_is_good(tmp_path: Path) -> None:
    late = searched(experiment(tmp_path, "tpe"), 40)[20:]
    mean = sum(value(trial.parameters) for trial in late) / len(late)
    everywhere = [
        value({"lr": lr, "weight_decay": decay}) for lr, decay in itertools.product(LR, DECAY)
    ]
    assert mean > sum(everywhere) / len(everywhere) + 0.03


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_resumed_search_goes_on_as_it_would_have(tmp_path: Path, algorithm: str) -> None:
    asked = experiment(tmp_path, algorithm)
    trials = searched(asked, 5)
    again = [next_values(asked, trials[:number]) for number in range(5)]
    assert again == [trial.parameters for trial in trials]


def test_seeds_differ(tmp_path: Path) -> None:
    found = []
    for seed in ("0", "1"):
        algorithm = {
            "algorithmName": "random",
            "algorithmSettings": [{"name": "random_state", "value": seed}],
        }
        asked = Experiment.model_validate(own_experiment(tmp_path, algorithm=algorithm))
        found.append([trial.parameters for trial in searched(asked, 5)])
    assert found[0] != found[1]


def test_ranges(tmp_path: Path) -> None:
    parameters = [
        {
            "name": "lr",
            "parameterType": "double",
            "feasibleSpace": {"min": "1e-5", "max": "1e-2", "distribution": "logUniform"},
        },
        {
            "name": "weight_decay",
            "parameterType": "double",
            "feasibleSpace": {"min": "0", "max": "0.1", "step": "0.05"},
        },
        {"name": "seed", "parameterType": "int", "feasibleSpace": {"min": "3", "max": "5"}},
    ]
    asked = experiment(tmp_path, parameters=parameters)
    trials = searched(asked, 20)
    rates = [float(trial.parameters["lr"]) for trial in trials]
    assert min(rates) >= 1e-5
    assert max(rates) <= 1e-2
    assert sum(rate < 1e-3 for rate in rates) > 8, "most of a logarithmic range is small"
    assert {trial.parameters["weight_decay"] for trial in trials} == {"0.0", "0.05", "0.1"}
    assert {trial.parameters["seed"] for trial in trials} == {"3", "4", "5"}


MEDIANSTOP = {
    "algorithmName": "medianstop",
    "algorithmSettings": [
        {"name": "min_trials_required", "value": "3"},
        {"name": "start_step", "value": "2"},
    ],
}
# On average over two steps: 0.2, 0.3 and 0.9; their median is 0.3.
DONE = ([0.1, 0.3, 0.9], [0.2, 0.4, 0.4], [0.9, 0.9, 0.9])


@pytest.mark.parametrize(
    ("done", "values", "stopped"),
    [
        pytest.param(DONE, [0.1, 0.29], True, id="below the median"),
        pytest.param(DONE, [0.1, 0.31], False, id="above it"),
        pytest.param(DONE, [0.31, 0.1], False, id="the best so far counts"),
        pytest.param(DONE, [0.1], False, id="before start_step"),
        pytest.param(DONE, [0.1, 0.1, 0.1], False, id="Katib asks once, at start_step"),
        pytest.param(DONE[:2], [0.0, 0.0], False, id="too few trials"),
    ],
)
def test_median_stopping(
    tmp_path: Path, done: tuple[list[float], ...], values: list[float], stopped: bool
) -> None:
    asked = experiment(tmp_path, earlyStopping=MEDIANSTOP)
    given = {"lr": "1e-3", "weight_decay": "0.0"}
    trials = [
        Trial(f"t{n}", n, given, "succeeded", {"mAP": reported}) for n, reported in enumerate(done)
    ]
    running = Trial("t9", 9, given, "running", {"mAP": values})
    assert judged(asked, [*trials, running], running)[0] is stopped


def test_median_stopping_of_what_is_to_be_small(tmp_path: Path) -> None:
    objective = {"type": "minimize", "objectiveMetricName": "mAP"}
    asked = experiment(tmp_path, earlyStopping=MEDIANSTOP, objective=objective)
    given = {"lr": "1e-3", "weight_decay": "0.0"}
    trials = [Trial(f"t{n}", n, given, "succeeded", {"mAP": [0.5, 0.5]}) for n in range(3)]
    for values, stopped in (([0.6, 0.6], True), ([0.6, 0.4], False)):
        running = Trial("t9", 9, given, "running", {"mAP": values})
        assert judged(asked, trials, running)[0] is stopped


def test_hyperband_stops_the_worse_ones_early(tmp_path: Path) -> None:
    asked = experiment(tmp_path, "hyperband")
    trials: list[Trial] = []
    for number in range(24):
        values = next_values(asked, trials)
        assert values is not None
        assert values["epochs"] == "8", "each may train as long as any"
        trial, stop = Trial(f"t{number}", number, values), False
        for step in range(8):
            reported = [*trial.metrics.get("mAP", ()), value(values) * (step + 1) / 8]
            trial = replace(trial, metrics={"mAP": reported})
            stop, trial = judged(asked, [*trials, trial], trial)
            if stop:
                break
        trials.append(replace(trial, state="early stopped" if stop else "succeeded"))
    lengths = {"early stopped": [], "succeeded": []}
    for trial in trials:
        lengths[trial.state].append(len(trial.metrics["mAP"]))
    assert set(lengths["succeeded"]) == {8}
    assert set(lengths["early stopped"]) <= {1, 2, 4}, "only at the ends of rounds"
    assert len(lengths["early stopped"]) >= 5
    means = {
        state: sum(value(t.parameters) for t in trials if t.state == state) / len(lengths[state])
        for state in lengths
    }
    assert means["succeeded"] > means["early stopped"]
