"""A deployed model put in service: the cluster's InferenceService gets it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cluster.api import KubernetesApi, connect
from cluster.inference_service import InferenceService, read_service, serving_of
from cluster.service_ready import wait_ready
from cluster.settings import Cluster, cluster_of
from sub_module.errors import ConfigError
from sub_module.settings import Settings

# What a config says of the cluster, as JSON, in the pod of a step that puts models in service.
VARIABLE = "PLATEFLOW_SERVING"
# Of the settings, which in a pod are those of its own namespace.
NAMESPACE_VARIABLE = "PLATEFLOW_NAMESPACE"


def put_in_service(model: Path, url: str) -> dict[str, str]:
    """Serve a run's model, where the config wishes that, and wait until it is ready.

    Args:
        model: Its directory, in `models` of the volume.
        url: Its place in the store.

    Returns:
        `service` to the URL of the service; empty: nobody wishes it.

    Raises:
        ConfigError: The service takes its models from the store, and that is no bucket.
        ClusterError: As `InferenceService.deploy` and `wait_ready`.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return {}
    cluster = cluster_of({"cluster": json.loads(text)})
    serving, api = serving_of(cluster), connect(Settings())
    source = url if serving.storage == "store" else on_claim(cluster, model.name)
    deployed = InferenceService(api, cluster).deploy(checked_source(source), serving.canary_percent)
    wait_ready(api, deployed, serving.wait_seconds, print)
    return {"service": address_of(api, serving.name)}


def on_claim(cluster: Cluster, version: str) -> str:
    """The URL, for KServe, of a model in `models` of the volume."""
    return f"pvc://{cluster.volume.name}/models/{version}"


def checked_source(url: str) -> str:
    """The URL, if KServe can fetch a model from there.

    Raises:
        ConfigError: It is on this machine only.
    """
    if not url.startswith(("gs://", "pvc://")):
        raise ConfigError(
            f"{url}: pods cannot fetch a model from there; with cluster.serving.storage=store "
            "PLATEFLOW_STORE has to be gs://"
        )
    return url


def address_of(api: KubernetesApi, name: str) -> str:
    """The URL that KServe gives a service."""
    return str((read_service(api, name).get("status") or {}).get("url") or "")
