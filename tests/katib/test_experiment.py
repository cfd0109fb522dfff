"""The rendered Experiment: the committed file, the issue's numbers, and what a cluster accepts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.settings import cluster_of
from katib.algorithms import ALGORITHMS, check_algorithms
from katib.command import check_keys, keys_of
from katib.experiment import COMMITTED, render
from katib.pod import canonical, pod_values
from katib.reading import parse_experiment, read_experiment
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError
from tests.katib.small_search import container_of
from tests.servers.schemas import Refused, check_experiment, needs_schemas
from tests.standards import REPOSITORY


def rendered(config: str = "tune_mask_rcnn", **search: Any) -> dict[str, Any]:
    overrides = {f"search.{name}": value for name, value in search.items()}
    data: dict[str, Any] = yaml.safe_load(render(config, overrides))
    return data


def test_committed_file_is_what_is_rendered() -> None:
    command = [sys.executable, "-m", "katib.experiment"]
    found = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PLATEFLOW_NAMESPACE": "plateflow"},
        capture_output=True,
        text=True,
        check=True,
    )
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
    assert spec["resumePolicy"] == "LongRunning"
    check_keys(experiment, "tune_mask_rcnn")


def pod_of(data: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = data["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    return pod


@needs_schemas
def test_the_pod_is_that_of_the_step_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_NAMESPACE", "plates")
    train = {
        "image": "registry/train:7",
        "cpu_request": "2",
        "cpu_limit": "4",
        "memory_request": "8Gi",
        "memory_limit": "16Gi",
        "gpu_type": "amd.com/gpu",
        "gpus": 2,
        "node_selector": {"disk": "true", "example.com/zone": "a"},
        "tolerations": [
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "seconds": 60},
            {"key": "team", "value": "plates"},
        ],
        "shared_memory": "2048Mi",
        "timeout_seconds": 3600,
    }
    overrides: dict[str, Any] = {
        "cluster.volume.name": "disk",
        "cluster.volume.mount_path": "/disk",
        "cluster.secret": "keys",
        "cluster.service_account": "trainer",
        # Read as YAML, it would be a number.
        "cluster.image_pull_secrets": ["2024"],
        **{f"cluster.components.train.{name}": value for name, value in train.items()},
    }
    data = yaml.safe_load(render("tune_mask_rcnn", overrides))
    check_experiment(data)
    assert data["metadata"]["namespace"] == "plates"
    assert data["spec"]["trialTemplate"]["trialSpec"]["spec"]["activeDeadlineSeconds"] == 3600
    container, pod = container_of(data), pod_of(data)
    assert container["image"] == "registry/train:7"
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "8Gi"},
        "limits": {"cpu": "4", "memory": "16Gi", "amd.com/gpu": "2"},
    }
    assert container["env"] == [{"name": "PLATEFLOW_HOME", "value": "/disk"}]
    assert container["envFrom"] == [{"secretRef": {"name": "keys", "optional": True}}]
    assert container["volumeMounts"] == [
        {"name": "home", "mountPath": "/disk"},
        {"name": "shared-memory", "mountPath": "/dev/shm"},
    ]
    assert pod["volumes"] == [
        {"name": "home", "persistentVolumeClaim": {"claimName": "disk"}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
    ]
    assert pod["nodeSelector"] == {"disk": "true", "example.com/zone": "a"}
    assert pod["tolerations"] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        {"key": "team", "operator": "Equal", "value": "plates"},
    ]
    assert pod["serviceAccountName"] == "trainer"
    assert pod["imagePullSecrets"] == [{"name": "2024"}]


def test_what_is_not_asked_for_is_left_to_the_cluster(tmp_path: Path) -> None:
    config = load_config("tune_platenet")
    config["cluster"]["secret"] = None
    train = config["cluster"]["components"]["train"]
    train.update(dict.fromkeys(("cpu_request", "memory_request", "shared_memory")))
    file = tmp_path / "bare.json"
    file.write_text(json.dumps(config))
    data = yaml.safe_load(render(str(file)))
    assert set(container_of(data)) == {
        "name",
        "image",
        "command",
        "env",
        "securityContext",
        "volumeMounts",
    }
    assert set(pod_of(data)) == {"restartPolicy", "securityContext", "containers", "volumes"}
    assert [volume["name"] for volume in pod_of(data)["volumes"]] == ["home"]
    assert "activeDeadlineSeconds" not in data["spec"]["trialTemplate"]["trialSpec"]["spec"]


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("2Gi", "2Gi"),
        ("512Mi", "512Mi"),
        ("1024Mi", "1Gi"),
        ("3072Mi", "3Gi"),
        ("1048576Ki", "1Gi"),
        ("1000M", "1G"),
        ("1500M", "1500M"),
        ("64000000", "64M"),
        ("8E", "8E"),
    ],
)
def test_amounts_as_kubernetes_writes_them(amount: str, written: str) -> None:
    assert canonical(amount) == written


def test_a_config_without_the_step() -> None:
    config = load_config("tune_platenet")
    del config["cluster"]["components"]["train"]
    with pytest.raises(ConfigError, match=r"cluster\.components has no `train`"):
        pod_values(cluster_of(config))


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
    with pytest.raises(Refused):
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
