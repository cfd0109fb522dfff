"""What the tasks of a version that runs on a cluster ask of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from cluster.secret import STEP_KEYS
from cluster.settings import cluster_of
from components.deploy.service import VARIABLE as SERVING_VARIABLE
from components.parameters import CONFIG_VARIABLE, compiled_config
from pipelines.code import Code
from pipelines.placement import Placing, uploaded_settings
from pipelines.registry import Package, cluster_settings, compiled, make_package, split_overrides
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError, RunError
from tests.pipelines.tiny import tiny

CODE = Code("c0de" * 16, "store", "a1b2c3d-dirty")
CHANGES = {
    "cluster.volume.name": "shared",
    "cluster.volume.mount_path": "/mnt/shared",
    "cluster.secret": "mine",
    "cluster.image_pull_secrets": ["one", "two"],
    "cluster.components.train.image": "images.example/plateflow:1",
    "cluster.components.train.cpu_request": 4,
    "cluster.components.train.cpu_limit": "8",
    "cluster.components.train.memory_limit": "64Gi",
    "cluster.components.train.gpu_type": "amd.com/gpu",
    "cluster.components.train.gpus": 2,
    "cluster.components.train.node_selector.example.com/disk.kind": "ssd",
    "cluster.components.train.tolerations": [
        {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "seconds": 60}
    ],
    "cluster.components.train.timeout_seconds": 3600,
    "cluster.components.train.caching": True,
    "cluster.components.deploy.retries.count": 0,
}


@pytest.fixture(scope="module")
def package() -> Package:
    return make_package("plate_training", "mine", "v1", CHANGES, CODE, for_cluster=True)


@pytest.fixture(scope="module")
def spec(package: Package) -> dict[str, Any]:
    return next(document for document in yaml.safe_load_all(package.yaml) if "root" in document)


@pytest.fixture(scope="module")
def pods(package: Package) -> dict[str, dict[str, Any]]:
    """Each task's part of the platform's spec."""
    *_, platform = yaml.safe_load_all(package.yaml)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): pod for name, pod in executors.items()}


def container_of(spec: dict[str, Any], task: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]
    return found


def env_of(spec: dict[str, Any], task: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container_of(spec, task).get("env", [])}


def test_resources_and_image(spec: dict[str, Any]) -> None:
    container = container_of(spec, "train")
    assert container["image"] == "images.example/plateflow:1"
    resources = container["resources"]
    assert resources["resourceCpuRequest"] == "4"
    assert resources["resourceCpuLimit"] == "8"
    assert resources["resourceMemoryRequest"] == "8Gi"
    assert resources["resourceMemoryLimit"] == "64Gi"
    assert resources["accelerator"]["resourceType"] == "amd.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    assert "accelerator" not in container_of(spec, "test")["resources"]
    assert "resourceCpuLimit" not in container_of(spec, "test")["resources"]


def test_node(pods: dict[str, Any]) -> None:
    assert pods["train"]["nodeSelector"] == {"labels": {"example.com/disk.kind": "ssd"}}
    assert pods["train"]["tolerations"] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "60"}
    ]
    assert pods["train"]["activeDeadlineSeconds"] == "3600"
    assert not {"nodeSelector", "tolerations", "activeDeadlineSeconds"} & set(pods["test"])


def test_shared_memory(pods: dict[str, Any]) -> None:
    (mount,) = pods["train"]["emptyDirMounts"]
    assert mount == {
        "volumeName": "shared-memory",
        "mountPath": "/dev/shm",
        "medium": "Memory",
        "sizeLimit": "2Gi",
    }
    assert "emptyDirMounts" not in pods["test"]


def test_every_task_has_volume_and_secrets(spec: dict[str, Any], pods: dict[str, Any]) -> None:
    assert set(pods) == set(spec["root"]["dag"]["tasks"])
    for pod in pods.values():
        (volume,) = pod["pvcMount"]
        assert volume["pvcNameParameter"]["runtimeValue"]["constant"] == "shared"
        assert volume["mountPath"] == "/mnt/shared"
        (secret,) = pod["secretAsEnv"]
        assert secret["secretNameParameter"]["runtimeValue"]["constant"] == "mine"
        # A secret has few of them, and may not be there.
        assert secret["optional"] is True
        mapped = {each["secretKey"]: each["envVar"] for each in secret["keyToEnv"]}
        assert mapped == dict(STEP_KEYS)
        pulled = [each["secretName"] for each in pod["imagePullSecret"]]
        assert pulled == ["one", "two"]


def test_retries_and_caching(spec: dict[str, Any]) -> None:
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["train"]["retryPolicy"] == {
        "maxRetryCount": 2,
        "backoffDuration": "10s",
        "backoffFactor": 2.0,
        # Argo counts it from the start of the first attempt: shorter than a training, it is none.
        "backoffMaxDuration": "604800s",
    }
    assert "retryPolicy" not in tasks["deploy"]
    cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
    assert cached == {"train"}


def test_code_is_fetched_first(spec: dict[str, Any]) -> None:
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["record"]["dependentTasks"] == ["fetch-code"]
    given = tasks["fetch-code"]["inputs"]["parameters"]
    assert given["digest"]["runtimeValue"]["constant"] == CODE.digest
    assert given["place"]["runtimeValue"]["constant"] == "store"
    assert "PYTHONPATH" not in env_of(spec, "fetch-code"), "its code is the image's"
    for task in set(tasks) - {"fetch-code"}:
        env = env_of(spec, task)
        assert env["PYTHONPATH"] == f"/mnt/shared/code/{CODE.digest[:12]}"
        assert env["PLATEFLOW_COMMIT"] == "a1b2c3d-dirty"


def test_code_of_the_image() -> None:
    package = make_package("plate_training", None, None, for_cluster=True)
    assert "fetch-code" not in package.yaml
    assert "PYTHONPATH" not in package.yaml
    assert "PLATEFLOW_COMMIT" not in package.yaml


def test_config_travels_in_the_version(
    package: Package, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = spec["root"]["dag"]["tasks"]
    assert [task for task in tasks if CONFIG_VARIABLE in env_of(spec, task)] == ["record"]
    monkeypatch.setenv(CONFIG_VARIABLE, env_of(spec, "record")[CONFIG_VARIABLE])
    assert compiled_config() == {**package.config, "name": "mine"}
    assert "cluster" not in package.config
    assert package.commit == "a1b2c3d-dirty"


def test_settings_of_an_uploaded_version(package: Package, spec: dict[str, Any]) -> None:
    assert package.cluster is not None
    for given in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        config, cluster = uploaded_settings(given)
        assert config == {**package.config, "name": "mine"}
        # How a model is served stands with the step that deploys it.
        assert cluster == package.cluster.model_copy(update={"components": {}, "serving": None})
        assert cluster.volume.mount_path == "/mnt/shared"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"deploymentSpec": {"executors": {}}}, id="of no steps"),
        pytest.param(yaml.safe_load(compiled(tiny)), id="for this machine"),
        pytest.param(
            {
                "deploymentSpec": {
                    "executors": {
                        "exec-record": {
                            "container": {"env": [{"name": CONFIG_VARIABLE, "value": '{"a": 1}'}]}
                        }
                    }
                }
            },
            id="of another release",
        ),
    ],
)
def test_version_of_others(spec: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="not uploaded by this release"):
        uploaded_settings(spec)


def test_nothing_is_asked_for_where_the_config_says_null() -> None:
    step = "cluster.components.deploy"
    resources = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
    changes: dict[str, Any] = dict.fromkeys([f"{step}.{name}" for name in resources])
    changes |= dict.fromkeys([f"{step}.shared_memory", f"{step}.timeout_seconds"])
    changes |= dict.fromkeys(["cluster.secret", "cluster.registry", "cluster.service_account"])
    changes["cluster.volume.storage_class"] = None
    package = make_package("plate_training", None, None, changes, for_cluster=True)
    spec, platform = yaml.safe_load_all(package.yaml)
    assert "resources" not in container_of(spec, "deploy")
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors["exec-deploy"]) == {"pvcMount"}


def test_step_without_a_place() -> None:
    config = load_config("plate_training")
    del config["cluster"]["components"]["deploy"]
    placed = cluster_settings("plate_training")
    rest = {name: step for name, step in placed.components.items() if name != "deploy"}
    from pipelines.plate_training import plate_training

    with pytest.raises(ConfigError, match=r"cluster\.components has no deploy"):
        plate_training(Placing(placed.model_copy(update={"components": rest}), {}))


def test_split() -> None:
    changes = {"train.lr": 1.0, "cluster.secret": None, "cluster": {}, "clusters.x": 1}
    of_run, of_cluster = split_overrides(changes)
    assert of_run == {"train.lr": 1.0, "clusters.x": 1}
    assert of_cluster == {"cluster.secret": None, "cluster": {}}
    assert split_overrides({}) == ({}, {})


def test_changes_of_a_cluster_need_one() -> None:
    with pytest.raises(ConfigError, match=r"cluster\.secret: counts with --backend kubeflow only"):
        make_package("plate_training", None, None, {"cluster.secret": None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cluster.components.train.gpu": 1}, r"train\.gpus'?$|train\.gpu"),
        ({"cluster.components.train.cpu_request": True}, r"cpu_request: .* string, got true"),
        ({"cluster.components.train.gpus": True}, r"gpus: .* integer, got true"),
        ({"cluster.components.train.gpus": "two"}, r'gpus: .* integer, .*got "two"'),
        ({"cluster.volume.name": None}, r"volume\.name: .* string, got null"),
        ({"cluster.volume.size": "much"}, r"cluster\.volume\.size"),
    ],
    ids=["a typo", "a truth value", "no count", "text", "nothing", "no quantity"],
)
def test_refused_changes(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_package("plate_training", None, None, changes, for_cluster=True)


def test_what_runs_differently_is_another_version() -> None:
    versions = [
        make_package("plate_training", None, None, changes, code, for_cluster=True).version
        for changes, code in (
            ({}, None),
            ({"cluster.components.train.gpus": 1}, None),
            ({}, CODE),
        )
    ]
    versions.append(make_package("plate_training", None, None).version)
    assert len(set(versions)) == len(versions)


def test_a_run_serves_its_model_where_that_is_wished() -> None:
    served = {"cluster.serving.from_runs": True, "cluster.serving.canary_percent": 10}
    for changes, is_wished in (({}, False), (served, True)):
        package = make_package("plate_training", None, None, changes, for_cluster=True)
        spec, platform = yaml.safe_load_all(package.yaml)
        variables = env_of(spec, "deploy")
        executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert (SERVING_VARIABLE in variables) is is_wished
        assert ("fieldPathAsEnv" in executors["exec-deploy"]) is is_wished
        assert "fieldPathAsEnv" not in executors["exec-train"]
    told = cluster_of({"cluster": json.loads(variables[SERVING_VARIABLE])})
    assert package.cluster is not None
    assert told == package.cluster.model_copy(update={"components": {}})
    wrong = served | {"cluster.serving.predictor": {"engine.speed": 9}}
    with pytest.raises(ConfigError, match=r"engine\.speed"):
        make_package("plate_training", None, None, wrong, for_cluster=True)
