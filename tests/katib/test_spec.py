"""What an Experiment is refused for; each message names the file and the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from katib.search import Wishes, prepare
from katib.spec import Objective
from sub_module.errors import ConfigError
from tests.katib.small_search import container_of, own_experiment, write

Change = Callable[[dict[str, Any]], None]


def spec(**fields: Any) -> Change:
    return lambda data: data["spec"].update(fields)


def parameter(**fields: Any) -> Change:
    return lambda data: data["spec"]["parameters"][0].update(fields)


def command(words: str) -> Change:
    return lambda data: container_of(data).update(command=words.split())


def formats(*texts: str) -> Change:
    source = {"filter": {"metricsFormat": list(texts)}}
    return lambda data: data["spec"]["metricsCollectorSpec"].update(source=source)


def algorithm(name: str, **settings: str) -> Change:
    pairs = [{"name": key, "value": value} for key, value in settings.items()]
    return spec(algorithm={"algorithmName": name, "algorithmSettings": pairs})


def early_stopping(name: str, **settings: str) -> Change:
    pairs = [{"name": key, "value": value} for key, value in settings.items()]
    return spec(earlyStopping={"algorithmName": name, "algorithmSettings": pairs})


def hyperband(**settings: str) -> Change:
    """With a resource of 1 to 3 epochs."""
    space = {"min": "1", "max": "3"}
    epochs = {"name": "epochs", "parameterType": "int", "feasibleSpace": space}

    def change(data: dict[str, Any]) -> None:
        algorithm("hyperband", resource_name="epochs", **settings)(data)
        data["spec"]["parameters"].append(epochs)

    return change


def double(low: str, high: str, **space: str) -> Change:
    return parameter(parameterType="double", feasibleSpace={"min": low, "max": high, **space})


def of_ours(objective: str, *additional: str) -> Change:
    """With `katib.trial` on platenet for a command."""

    def change(data: dict[str, Any]) -> None:
        command(f"python3 -m katib.trial --config tune_platenet {LR} {DECAY}")(data)
        names = {"objectiveMetricName": objective, "additionalMetricNames": list(additional)}
        spec(objective={"type": "maximize", **names})(data)

    return change


def trial_parameter(**fields: Any) -> Change:
    return lambda data: data["spec"]["trialTemplate"]["trialParameters"][0].update(fields)


LR = "--set train.lr=${trialParameters.lr}"
DECAY = "--set train.weight_decay=${trialParameters.weight_decay}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            algorithm("newton"),
            r"spec\.algorithm\.algorithmName: 'newton'; known .*random, grid",
            id="unknown algorithm",
        ),
        pytest.param(
            algorithm("cmaes"),
            r"algorithmName: cmaes runs on a cluster only",
            id="algorithm that Optuna does not have",
        ),
        pytest.param(
            algorithm("tpe", gama="1"),
            r"algorithmSettings: tpe has no setting 'gama'",
            id="unknown setting",
        ),
        pytest.param(
            algorithm("tpe", random_state="x"), r"random_state: 'x' is no number", id="no number"
        ),
        pytest.param(
            algorithm("hyperband", r_l="8"), r"hyperband needs resource_name", id="no resource"
        ),
        pytest.param(
            algorithm("hyperband", r_l="8", resource_name="lr"),
            r"resource_name: 'lr' is no int of spec\.parameters",
            id="a resource that is no number",
        ),
        pytest.param(
            algorithm("tpe", random_state="-1"), r"random_state: -1 is not from 0", id="seed"
        ),
        pytest.param(
            algorithm("tpe", n_EI_candidates="0"),
            r"n_EI_candidates: 0 is not from 1",
            id="0 of some",
        ),
        pytest.param(hyperband(r_l="nan"), r"r_l: nan is not finite", id="r_l that is none"),
        pytest.param(hyperband(r_l="inf"), r"r_l: inf is not finite", id="r_l without end"),
        pytest.param(hyperband(r_l="3", eta="inf"), r"eta: inf is not finite", id="eta"),
        pytest.param(
            hyperband(r_l="4"), r"r_l: 4 lies above epochs's max 3", id="r_l above the range"
        ),
        pytest.param(
            early_stopping("meanstop"),
            r"spec\.earlyStopping\.algorithmName: 'meanstop'; known",
            id="unknown early stopping",
        ),
        pytest.param(
            early_stopping("medianstop", start_step="0"),
            r"start_step: 0 is not from 1",
            id="step 0",
        ),
        pytest.param(
            parameter(parameterType="text"), r"spec\.parameters\.0\.parameterType", id="type"
        ),
        pytest.param(
            parameter(feasibleSpace={"min": "1", "max": "2"}),
            r"spec\.parameters\.0: feasibleSpace of a categorical needs `list`",
            id="a range for a list",
        ),
        pytest.param(
            parameter(feasibleSpace={"list": ["1", "1"]}), r"names a value twice", id="twice"
        ),
        pytest.param(
            parameter(parameterType="double", feasibleSpace={"min": "2", "max": "1"}),
            r"min lies above",
            id="an empty range",
        ),
        pytest.param(
            double("1e-3", "1e-2", step="0"), r"parameters\.0: .*step must be above 0", id="no step"
        ),
        pytest.param(
            double("1e-3", "1e-2", step="-1"), r"parameters\.0: .*step must be above", id="downward"
        ),
        pytest.param(double("1e-3", "inf"), r"parameters\.0: .*must be finite", id="endless"),
        pytest.param(
            double("1e-3", "1e-2", distribution="normal"),
            r"parameters\.0\.feasibleSpace\.distribution: normal runs on a cluster only",
            id="normal",
        ),
        pytest.param(
            double("1e-3", "1e-2", distribution="logNormal"),
            r"distribution: logNormal runs on a cluster only",
            id="log normal",
        ),
        pytest.param(
            double("0", "1e-2", distribution="logUniform"),
            r"parameters\.0\.feasibleSpace: logUniform here needs a min above 0",
            id="logarithm of 0",
        ),
        pytest.param(
            lambda data: data["spec"]["metricsCollectorSpec"].update(collector={"kind": "File"}),
            r"collector\.kind: File runs on a cluster only",
            id="another collector",
        ),
        pytest.param(
            of_ours("accuracy"), r"katib\.trial prints no metric 'accuracy'; known", id="objective"
        ),
        pytest.param(
            of_ours("mAP", "loss"), r"katib\.trial prints no metric 'loss'", id="additional"
        ),
        pytest.param(
            of_ours("mAP", "mAP"),
            r"additionalMetricNames: the objective is none of the additional",
            id="the objective twice",
        ),
        pytest.param(
            of_ours("dv_mAP"),
            r"objectiveMetricName: dv_mAP needs masks, which the model has not",
            id="no masks",
        ),
        pytest.param(
            parameter(feasibleSpace={"list": ["fast"]}),
            r"spec\.parameters\.0: lr=fast does not fit config tune_platenet: train\.lr: expected",
            id="a value that does not fit",
        ),
        pytest.param(
            command(f"python3 x.py --set train.rate=${{trialParameters.lr}} {DECAY}"),
            r"spec\.parameters\.0: lr=5e-4 does not fit .*unknown key 'train\.rate'",
            id="a config field that is not there",
        ),
        pytest.param(
            command(f"python3 x.py --lr ${{trialParameters.lr}} {DECAY}"),
            r"spec\.parameters\.0: lr fills no config field",
            id="a parameter that fills no config field",
        ),
        pytest.param(
            command(f"python3 x.py {LR} {DECAY} ${{trialParameters.epochs}}"),
            r"no trialParameters entry for 'epochs'",
            id="a placeholder for nothing",
        ),
        pytest.param(command("python3 'x.py"), r"command cannot be read", id="an open quote"),
        pytest.param(
            trial_parameter(reference="rate"), r"reference: 'rate' is no parameter", id="reference"
        ),
        pytest.param(formats("(mAP"), r"metricsFormat.*no regular expression", id="bad regex"),
        pytest.param(formats(r"mAP=(\d+)"), r"needs two groups", id="one group"),
        pytest.param(formats(r"(\w+)=(\d+);"), r"joins formats by `;`", id="semicolon"),
        pytest.param(spec(maxTrial=3), r"spec\.maxTrial: Extra inputs", id="unknown field"),
        pytest.param(spec(parallelTrialCount=0), r"spec\.parallelTrialCount", id="none at a time"),
        pytest.param(spec(maxTrialCount=1), r"maxFailedTrialCount lies above", id="more failures"),
        pytest.param(spec(objective=None), r"spec\.objective", id="no objective"),
        pytest.param(
            lambda data: data["metadata"].update(name="My_Search"), r"metadata\.name", id="name"
        ),
        pytest.param(lambda data: data.update(kind="Job"), r"kind is 'Job'", id="a Job"),
        pytest.param(
            lambda data: data["spec"]["trialTemplate"].update(primaryContainerName="x"),
            r"primaryContainerName: .* has no container x",
            id="another container",
        ),
        pytest.param(
            lambda data: data["spec"]["trialTemplate"]["trialSpec"].update(kind="TFJob"),
            r"expected a batch/v1 Job, not batch/v1 TFJob",
            id="no Job",
        ),
    ],
)
def test_refused(tmp_path: Path, change: Change, words: str) -> None:
    data = own_experiment(tmp_path)
    change(data)
    file = write(tmp_path, data)
    with pytest.raises(ConfigError, match=words) as caught:
        prepare(Wishes(file=file), tmp_path / "home", here=True)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home").exists(), "nothing is written before all is checked"


def test_a_model_with_masks_is_searched_by_them(tmp_path: Path) -> None:
    wishes = Wishes(config="tune_mask_rcnn", pairs=["search.objective=dv_mAP"])
    found = prepare(wishes, tmp_path, here=True)
    # Katib wants it once.
    assert found.experiment.spec.objective.metrics == ("dv_mAP", "EIR")


def test_cluster_takes_algorithms_that_do_not_run_here(tmp_path: Path) -> None:
    data = own_experiment(tmp_path, algorithm={"algorithmName": "pbt"})
    found = prepare(Wishes(file=write(tmp_path, data)), tmp_path, here=False)
    assert found.experiment.spec.algorithm.algorithm_name == "pbt"


@pytest.mark.parametrize(
    ("strategy", "kind", "expected"),
    [
        pytest.param("max", "maximize", 0.9, id="max"),
        pytest.param("min", "maximize", 0.1, id="min"),
        pytest.param("latest", "maximize", 0.5, id="latest"),
        pytest.param(None, "maximize", 0.9, id="as Katib: max where more is better"),
        pytest.param(None, "minimize", 0.1, id="as Katib: min where less is"),
    ],
)
def test_strategies(strategy: str | None, kind: str, expected: float) -> None:
    strategies = [{"name": "mAP", "value": strategy}] if strategy else []
    objective = Objective.model_validate(
        {"type": kind, "objectiveMetricName": "mAP", "metricStrategies": strategies}
    )
    assert objective.value_of("mAP", [0.1, 0.9, 0.5]) == expected


def test_goal() -> None:
    upward = Objective.model_validate({"type": "maximize", "objectiveMetricName": "m", "goal": 0.5})
    assert [upward.reaches_goal(value) for value in (0.4, 0.5, 0.6)] == [False, True, True]
    downward = Objective.model_validate(
        {"type": "minimize", "objectiveMetricName": "m", "goal": 0.5}
    )
    assert [downward.reaches_goal(value) for value in (0.4, 0.5, 0.6)] == [True, True, False]
    without = Objective.model_validate({"type": "minimize", "objectiveMetricName": "m"})
    assert not without.reaches_goal(0.0)
