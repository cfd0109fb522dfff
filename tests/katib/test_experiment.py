"""The rendered Experiment: the committed file, the issue's numbers, and what a cluster accepts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from katib.algorithms import ALGORITHMS, check_algorithms
from katib.command import check_keys, keys_of
from katib.experiment import COMMITTED, render
from katib.reading import parse_experiment, read_experiment
from sub_module.errors import ConfigError
from tests.katib.schemas import check_experiment, needs_schemas
from tests.katib.small_search import container_of
from tests.standards import REPOSITORY


def rendered(config: str = "tune_mask_rcnn", **search: Any) -> dict[str, Any]:
    overrides = {f"search.{name}": value for name, value in search.items()}
    data: dict[str, Any] = yaml.safe_load(render(config, overrides))
    return data


def test_committed_file_is_what_is_rendered() -> None:
    command = [sys.executable, "-m", "katib.experiment"]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout == COMMITTED.read_text(), "python -m katib.experiment > katib/..."


def test_committed_file_is_the_search_that_was_asked_for() -> None:
    data, experiment = read_experiment(COMMITTED)
    spec = data["spec"]
    assert spec["objective"] == {
        "type": "maximize",
        "goal": 0.99,
        "objectiveMetricName": "mAP",
        "additionalMetricNames": ["dv_mAP", "EIR"],
        "metricStrategies": [{"name": name, "value": "max"} for name in ("mAP", "dv_mAP", "EIR")],
    }
    assert spec["algorithm"]["algorithmName"] == "random"
    assert spec["parallelTrialCount"] == 1
    assert {p["name"]: p["feasibleSpace"]["list"] for p in spec["parameters"]} == {
        "lr": ["1e-4", "5e-4", "1e-3", "5e-5", "1e-5"],
        "swin_drop_rate": ["0.0", "0.1", "0.2", "0.3", "0.4"],
        "swin_window_size": ["3", "5", "7", "9", "11"],
        "swin_mlp_ratio": ["3", "4", "5"],
    }
    assert {p["parameterType"] for p in spec["parameters"]} == {"categorical"}
    pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]
    assert pod["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    assert spec["metricsCollectorSpec"]["collector"] == {"kind": "StdOut"}
    check_keys(experiment, "tune_mask_rcnn")


def test_cluster_of_the_config_is_the_cluster_of_the_experiment() -> None:
    data = rendered(
        namespace="plates",
        image="registry/train:7",
        volume_claim="disk",
        mount_path="/disk",
        gpus=2,
    )
    container = container_of(data)
    assert data["metadata"]["namespace"] == "plates"
    assert container["image"] == "registry/train:7"
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "2"}}
    assert container["env"] == [{"name": "PLATEFLOW_HOME", "value": "/disk"}]
    volumes = data["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "home", "persistentVolumeClaim": {"claimName": "disk"}}
    assert container["volumeMounts"][0] == {"name": "home", "mountPath": "/disk"}


def test_no_gpu_asks_for_none() -> None:
    assert "resources" not in container_of(rendered("tune_platenet"))


@needs_schemas
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("early_stopping", [None, "medianstop"])
@pytest.mark.parametrize("config", ["tune_mask_rcnn", "tune_platenet"])
def test_every_selectable_search_is_valid(
    algorithm: str, early_stopping: str | None, config: str
) -> None:
    text = render(config, {"search.algorithm": algorithm, "search.early_stopping": early_stopping})
    data, experiment = parse_experiment(text, "rendered")
    check_experiment(data)
    check_algorithms(experiment, here=True)
    keys_of(experiment)


@needs_schemas
def test_committed_file_is_valid() -> None:
    check_experiment(yaml.safe_load(COMMITTED.read_text()))


def unknown_field_of_experiment(data: dict[str, Any]) -> None:
    data["spec"]["maxTrials"] = 3


def unknown_field_of_job(data: dict[str, Any]) -> None:
    container_of(data)["gpus"] = 1


def number_for_a_list_entry(data: dict[str, Any]) -> None:
    data["spec"]["parameters"][0]["feasibleSpace"]["list"] = [1e-4]


@needs_schemas
@pytest.mark.parametrize(
    "spoil", [unknown_field_of_experiment, unknown_field_of_job, number_for_a_list_entry]
)
def test_the_schemas_are_strict(spoil: Callable[[dict[str, Any]], None]) -> None:
    data = rendered()
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        check_experiment(data)


def test_hyperband_has_what_katib_needs() -> None:
    spec = rendered(algorithm="hyperband")["spec"]
    settings = {s["name"]: s["value"] for s in spec["algorithm"]["algorithmSettings"]}
    assert settings == {"resource_name": "max_epochs", "r_l": "8", "eta": "3"}
    assert spec["parameters"][-1] == {
        "name": "max_epochs",
        "parameterType": "int",
        "feasibleSpace": {"min": "1", "max": "8"},
    }
    # Its first round's trials at once: eta to the power of the whole part of log(8) / log(3).
    assert spec["parallelTrialCount"] == 3


def test_fewer_trials_than_may_fail() -> None:
    spec = rendered(max_trials=2, parallel_trials=4)["spec"]
    assert [spec["maxFailedTrialCount"], spec["parallelTrialCount"]] == [2, 2]


def test_config_that_searches_nothing() -> None:
    with pytest.raises(ConfigError, match=r"plate_training: it has no `search`"):
        render("plate_training")
