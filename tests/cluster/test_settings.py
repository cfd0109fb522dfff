"""What a config may say of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.settings import amount_of, cluster_of
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError

CONFIGS = ["plate_training", "platenet_kr", "mask_rcnn_nano", "mask_rcnn_tiny", "tune_mask_rcnn"]
TRAIN = "cluster.components.train"


def changed(key: str, value: Any) -> dict[str, Any]:
    """A config with one field changed, past the checks of overrides."""
    config = load_config("plate_training")
    table: Any = config
    *parents, last = key.split(".")
    for parent in parents:
        table = table[parent]
    table[last] = value
    return config


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_ship(name: str) -> None:
    cluster = cluster_of(load_config(name))
    assert set(cluster.components) == {
        *("fetch_code", "record", "train", "evaluate", "test", "deploy", "report")
    }
    for step in cluster.components.values():
        assert ("-cuda" in step.image) is (step.gpus > 0)


def test_no_cluster() -> None:
    with pytest.raises(ConfigError, match="no `cluster`"):
        cluster_of({"name": "mine"})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        pytest.param(
            "cluster.volume.name", "My Volume", ["a name", "My Volume"], id="no name of Kubernetes"
        ),
        pytest.param("cluster.volume.size", "0Gi", ["50Gi"], id="nothing"),
        pytest.param("cluster.volume.size", "1.5Gi", ["whole"], id="Kubeflow takes whole ones"),
        pytest.param("cluster.volume.access_mode", "ReadOnlyMany", ["Input"], id="no writing"),
        pytest.param("cluster.volume.mount_path", "mnt", ["absolute"], id="a relative path"),
        pytest.param("cluster.volume.mount_path", "/", ["absolute"], id="the whole disk"),
        pytest.param("cluster.volumes", {}, ["Extra"], id="a misspelt field"),
        pytest.param("cluster.registry", "https://x/y", ["without https://"], id="a URL"),
        pytest.param(f"{TRAIN}.image", "two words", ["an image"], id="no image"),
        pytest.param(f"{TRAIN}.gpu_type", "gpu", ["nvidia.com/gpu"], id="of no domain"),
        pytest.param(f"{TRAIN}.gpus", -1, ["greater"], id="less than none"),
        pytest.param(f"{TRAIN}.gpus", None, ["integer, got null"], id="null is no number"),
        pytest.param(f"{TRAIN}.cpu_request", "2Gi", ["cores"], id="bytes for cores"),
        pytest.param(f"{TRAIN}.node_selector", {"a": 1}, ["string"], id="a label is text"),
        pytest.param(f"{TRAIN}.timeout_seconds", 0, ["greater"], id="no time at all"),
        pytest.param(f"{TRAIN}.retries.factor", 1.5, ["integer"], id="Argo takes whole ones"),
        pytest.param(f"{TRAIN}.memory_limit", "4096Mi", ["request 8Gi", "limit 4096Mi"], id="low"),
        pytest.param(
            f"{TRAIN}.tolerations",
            [{"key": "gpu", "operator": "Exists", "value": "yes"}],
            ["operator Exists has no value"],
            id="a toleration that Kubernetes refuses",
        ),
        pytest.param(
            f"{TRAIN}.tolerations", [{"value": "x"}], ["without a key"], id="of what it is"
        ),
        pytest.param(
            f"{TRAIN}.tolerations",
            [{"key": "gpu", "operator": "Exists", "seconds": 3}],
            ["effect NoExecute"],
            id="Kubernetes refuses seconds of another effect",
        ),
    ],
)
def test_refused(key: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        cluster_of(changed(key, value))
    message = str(caught.value)
    assert "\n" not in message
    for word in [key.rpartition(".")[0], *words]:
        assert word in message


def test_images_of_a_registry() -> None:
    config = changed("cluster.registry", "registry.example.com:5000/team")
    config["cluster"]["components"]["train"]["image"] = "elsewhere/train:2"
    cluster = cluster_of(config)
    images = {name: step.image for name, step in cluster.components.items()}
    assert images.pop("train") == "elsewhere/train:2"
    assert set(images.values()) == {"registry.example.com:5000/team/plateflow-python:0.1.0"}
    assert cluster_of({"cluster": cluster.model_dump()}) == cluster


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("500m", 0.5),
        ("1500", 1500.0),
        ("3M", 3e6),
        ("2Ki", 2048.0),
        ("1Gi", 1 << 30),
    ],
)
def test_amounts(quantity: str, expected: float) -> None:
    assert amount_of(quantity) == expected
