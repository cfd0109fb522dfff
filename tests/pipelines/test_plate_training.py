"""The main pipeline, compiled."""

from __future__ import annotations

import inspect
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec, PlatformSpec

from pipelines.backends.local import component_order
from pipelines.plate_training import print_compiled
from pipelines.registry import make_package

GOLDEN = Path(__file__).parent / "golden"
COMPONENTS = ["record", "train", "evaluate", "test", "deploy", "report"]
# A golden file's name, and what `python -m pipelines.plate_training` prints it for.
PRINTED = {
    "plate_training.yaml": ["plate_training"],
    "plate_training.kubeflow.yaml": ["plate_training", "--backend", "kubeflow"],
    "plate_training.kubeflow.code.yaml": [
        *("plate_training", "--backend", "kubeflow", "--code", "volume"),
    ],
    "mask_rcnn_tiny.kubeflow.yaml": ["mask_rcnn_tiny", "--backend", "kubeflow"],
}


@pytest.fixture(scope="module")
def text() -> str:
    return (GOLDEN / "plate_training.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PRINTED)
def test_golden(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    def without_sdk(yaml_text: str) -> list[str]:
        return re.sub(r"sdkVersion: .*", "", yaml_text).splitlines()

    arguments = PRINTED[name]
    print_compiled(*arguments)
    golden = (GOLDEN / name).read_text(encoding="utf-8")
    renew = (
        f"python -m pipelines.plate_training {' '.join(arguments)} > tests/pipelines/golden/{name}"
    )
    printed = capsys.readouterr().out
    assert without_sdk(printed) == without_sdk(golden), f"if the change is meant: {renew}"


@pytest.mark.parametrize("name", PRINTED)
def test_servers_read_it(name: str) -> None:
    """By the messages of their own language, which refuse a field that they do not have."""
    spec, *platforms = yaml.safe_load_all((GOLDEN / name).read_text(encoding="utf-8"))
    read = ParseDict(spec, PipelineSpec())
    ParseDict(spec["deploymentSpec"], PipelineDeploymentConfig())
    fetching = ["fetch-code"] if "code" in name else []
    assert set(read.root.dag.tasks) == {*COMPONENTS, *fetching}
    assert len(platforms) == ("kubeflow" in name)
    for platform in platforms:
        ParseDict(platform, PlatformSpec())
        pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert set(pods) == {f"exec-{component}" for component in [*COMPONENTS, *fetching]}
        for pod in pods.values():
            assert ParseDict(pod, KubernetesExecutorConfig()).pvc_mount


def test_it_compiles_fast() -> None:
    # Of this process: the figure is in docs/benchmarks.md, and a busy machine fails no test.
    began = time.process_time()
    make_package("mask_rcnn_tiny", None, None, for_cluster=True)
    assert time.process_time() - began < 5


def test_order() -> None:
    assert component_order(GOLDEN / "plate_training.yaml") == COMPONENTS


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_runs_locally_without_installing(text: str, component: str) -> None:
    executor: dict[str, Any] = yaml.safe_load(text)["deploymentSpec"]["executors"][
        f"exec-{component}"
    ]["container"]
    assert "python" in executor["image"], "kfp.local warns of other images"
    assert not any("pip install" in part for part in executor["command"])


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_is_thin(component: str) -> None:
    module = __import__(f"components.{component}.component", fromlist=[component])
    function = getattr(module, component).python_func
    body = inspect.getsource(function).split('"""')[2]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) <= 20, "imports, a step, and about ten lines"
