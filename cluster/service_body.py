"""What a served model looks like as KServe's InferenceService, and back."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cluster.api import LABELS
from cluster.secret import SERVER_TOKEN
from cluster.served import LONGEST_HISTORY, Release, Served
from cluster.settings import Cluster, Serving, amount_of
from sub_module.errors import ClusterError

GROUP, VERSION, PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
# A pod's label with the hash of what it runs, and KServe's own with the service's name.
RELEASE_LABEL, SERVICE_LABEL = "plateflow/release", f"{GROUP}/inferenceservice"
_MODE, _AUTOSCALER = f"{GROUP}/deploymentMode", f"{GROUP}/autoscalerClass"
# As KServe's manifests call it, and as its Helm charts do.
_STORAGE_SECRETS = (f"{GROUP}/storageSecretName", f"{GROUP}/secretName")
# What was served before, the latest first. KServe hands annotations on to the pods: one that
# changes starts them anew, so it holds nothing that changes while a canary grows or is promoted.
_HISTORY = "plateflow/history"
OWN_ANNOTATIONS = (_MODE, _AUTOSCALER, *_STORAGE_SECRETS, _HISTORY)
_CONTAINER = "kserve-container"
# KServe puts the model there, and names its place in this variable.
_MODEL_DIR, _STORAGE_VARIABLE = "/mnt/models", "STORAGE_URI"
_HTTP_PORT, _GRPC_PORT = 8080, 8081
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|[kKMGTPE]i?)?")
# A pod that is to stop still answers for so long, before it gets the signal: those that send
# requests learn of its end only by and by, and a server that has the signal takes none.
_LEAVE_SECONDS = 5
# The server's own `drain_seconds`, and what Python takes to end.
_DRAIN_SECONDS, _SPARE_SECONDS = 25, 15


def service_body(
    served: Served, cluster: Cluster, serving: Serving, namespace: str
) -> dict[str, Any]:
    """The InferenceService that serves so."""
    is_knative = serving.mode == "Knative"
    front, history = served.stable, served.history
    if is_knative and served.canary is not None:
        # Knative's canary is the newest revision, and what was before it keeps the rest.
        front, history = served.canary, (served.stable, *served.history)[:LONGEST_HISTORY]
    predictor = {**_pod(front, cluster, serving), **_scaling(serving, namespace)}
    spec: dict[str, Any] = {"predictor": predictor}
    if is_knative and (served.canary is not None or served.is_held):
        predictor["canaryTrafficPercent"] = served.percent
    if not is_knative and served.canary is not None:
        # KServe gives it its part of `minReplicas`.
        canary = {**_pod(served.canary, cluster, serving), "name": "canary"}
        spec["canary"] = [{"predictor": canary, "trafficPercent": served.percent}]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "InferenceService",
        "metadata": {
            "name": serving.name,
            "labels": LABELS,
            "annotations": _annotations(history, serving),
        },
        "spec": spec,
    }


def newest_label(service: Mapping[str, Any]) -> str:
    """By which the newest pods of a service are found: a canary's, while there is one."""
    spec = service["spec"]
    newest = spec["canary"][0]["predictor"] if spec.get("canary") else spec["predictor"]
    return str((newest.get("labels") or {}).get(RELEASE_LABEL))


def served_of(service: Mapping[str, Any]) -> Served:
    """What an InferenceService of ours is to serve.

    Raises:
        ClusterError: It is not ours.
    """
    annotations = service["metadata"].get("annotations") or {}
    spec = service["spec"]
    try:
        history = tuple(Release(**each) for each in json.loads(annotations[_HISTORY]))
        front = _release_of(spec["predictor"])
        if spec.get("canary"):
            (other,) = spec["canary"]
            return Served(front, _release_of(other["predictor"]), other["trafficPercent"], history)
        percent = spec["predictor"].get("canaryTrafficPercent")
        if percent:
            return Served(history[0], front, percent, history[1:])
        return Served(front, history=history, is_held=percent == 0)
    except (KeyError, ValueError, TypeError, IndexError, StopIteration) as error:
        raise ClusterError(
            f"InferenceService {service['metadata']['name']} is there, but not Plateflow's; give "
            "another name: cluster.serving.name"
        ) from error


def contains(present: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; a server adds fields of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(present, Mapping) and all(
            contains(present.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(present, list)
            and len(present) == len(wanted)
            and all(map(contains, present, wanted))
        )
    return bool(present == wanted) or _is_same_amount(present, wanted)


def _is_same_amount(present: Any, wanted: Any) -> bool:
    """Kubernetes writes 0.5 as 500m, and 1024Mi as 1Gi."""
    amounts = (present, wanted)
    if not all(isinstance(each, str) and _QUANTITY.fullmatch(each) for each in amounts):
        return False
    return amount_of(present) == amount_of(wanted)


def is_as_wanted(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an InferenceService need not be changed."""
    old, new = present["spec"], wanted["spec"]
    percent = "canaryTrafficPercent"
    annotations = present["metadata"].get("annotations") or {}
    return (
        contains(present["metadata"], wanted["metadata"])
        and contains(old, new)
        # What is there and not wanted counts here.
        and set(annotations) & set(OWN_ANNOTATIONS) == set(wanted["metadata"]["annotations"])
        and old["predictor"].get(percent) == new["predictor"].get(percent)
        and bool(old.get("canary")) == bool(new.get("canary"))
    )


def _annotations(history: tuple[Release, ...], serving: Serving) -> dict[str, str]:
    annotations = {
        _MODE: serving.mode,
        _HISTORY: json.dumps([asdict(release) for release in history]),
    }
    if serving.mode == "Standard":
        annotations[_AUTOSCALER] = serving.autoscaler
    if serving.storage_secret is not None:
        annotations |= dict.fromkeys(_STORAGE_SECRETS, serving.storage_secret)
    return annotations


def _pod(release: Release, cluster: Cluster, serving: Serving) -> dict[str, Any]:
    """What its pods are made from, with a hash of that as a label."""
    pod: dict[str, Any] = {
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(_HTTP_PORT),
            "prometheus.io/path": "/metrics",
        },
        "containers": [_container(release, cluster, serving)],
        "timeout": serving.timeout_seconds,
    }
    if serving.mode == "Standard":
        # Knative gives a pod as long as a request may take.
        pod["terminationGracePeriodSeconds"] = _grace_seconds(serving)
    if serving.service_account is not None:
        pod["serviceAccountName"] = serving.service_account
    if cluster.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in cluster.image_pull_secrets]
    if serving.node_selector:
        pod["nodeSelector"] = dict(serving.node_selector)
    if serving.tolerations:
        pod["tolerations"] = [_toleration(each.model_dump()) for each in serving.tolerations]
    digest = hashlib.sha256(json.dumps(pod, sort_keys=True).encode()).hexdigest()
    return {**pod, "labels": {RELEASE_LABEL: digest[:12]}}


def _grace_seconds(serving: Serving) -> int:
    wanted = serving.predictor.get("drain_seconds")
    drain = wanted if isinstance(wanted, int | float) else 0
    return _LEAVE_SECONDS + math.ceil(max(drain, _DRAIN_SECONDS)) + _SPARE_SECONDS


def _container(release: Release, cluster: Cluster, serving: Serving) -> dict[str, Any]:
    settings = {
        "model_name": serving.name,
        "host": "0.0.0.0",
        "http_port": _HTTP_PORT,
        # Knative passes one port on.
        "grpc_port": _GRPC_PORT if serving.mode == "Standard" else None,
        **serving.predictor,
    }
    ports = [{"containerPort": _HTTP_PORT, "name": "http1", "protocol": "TCP"}]
    lifecycle = {}
    if serving.mode == "Standard":
        ports.append({"containerPort": _GRPC_PORT, "name": "h2c", "protocol": "TCP"})
        # Knative takes a pod out of its routes first.
        leave = {"exec": {"command": ["sleep", str(_LEAVE_SECONDS)]}}
        lifecycle = {"lifecycle": {"preStop": leave}}
    return {
        "name": _CONTAINER,
        "image": release.image,
        "args": [
            *("--model", _MODEL_DIR),
            *(
                part
                for key, value in settings.items()
                for part in ("--set", f"{key}={json.dumps(value)}")
            ),
        ],
        "env": _environment(release, cluster, serving),
        "ports": ports,
        **lifecycle,
        "resources": _resources(serving),
        "readinessProbe": _probe("ready", period=5, failures=2),
        "livenessProbe": _probe("live", period=10, failures=6),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _environment(release: Release, cluster: Cluster, serving: Serving) -> list[dict[str, Any]]:
    variables: list[dict[str, Any]] = [{"name": _STORAGE_VARIABLE, "value": release.model}]
    if cluster.secret is not None:
        reference = {"name": cluster.secret, "key": SERVER_TOKEN, "optional": True}
        variables.append({"name": SERVER_TOKEN, "valueFrom": {"secretKeyRef": reference}})
    named = sorted(serving.environment.items())
    return [*variables, *({"name": name, "value": value} for name, value in named)]


def _probe(what: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": f"/v2/health/{what}", "port": _HTTP_PORT},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 3,
    }


def _resources(serving: Serving) -> dict[str, Any]:
    # For what is missing KServe puts its own, and refuses pods whose request is above that limit.
    requests = {
        "cpu": serving.cpu_request or serving.cpu_limit,
        "memory": serving.memory_request or serving.memory_limit,
    }
    limits = {
        "cpu": serving.cpu_limit or serving.cpu_request,
        "memory": serving.memory_limit or serving.memory_request,
        serving.gpu_type: str(serving.gpus) if serving.gpus else None,
    }
    named = {
        what: {name: amount for name, amount in amounts.items() if amount is not None}
        for what, amounts in (("requests", requests), ("limits", limits))
    }
    # Of an empty one KServe keeps nothing.
    return {what: amounts for what, amounts in named.items() if amounts}


def _toleration(toleration: Mapping[str, Any]) -> dict[str, Any]:
    named = {**toleration, "tolerationSeconds": toleration["seconds"]}
    del named["seconds"]
    return {key: value for key, value in named.items() if value is not None}


def _scaling(serving: Serving, namespace: str) -> dict[str, Any]:
    scaling: dict[str, Any] = {
        "minReplicas": serving.min_replicas,
        "maxReplicas": serving.max_replicas,
    }
    if serving.mode == "Knative":
        return {
            **scaling, "scaleMetric": "concurrency", "scaleTarget": serving.images_per_replica
        }  # fmt: skip
    if serving.autoscaler == "keda":
        target = {"type": "Value", "value": str(serving.images_per_replica)}
        pods = f'namespace="{namespace}",pod=~"{serving.name}-predictor-.*"'
        query = f"sum(plateflow_queued_images{{{pods}}})"
        metric = {"backend": "prometheus", "serverAddress": serving.prometheus, "query": query}
        external = {"metric": metric, "target": target}
        scaling["autoScaling"] = {"metrics": [{"type": "External", "external": external}]}
    return scaling


def _release_of(predictor: Mapping[str, Any]) -> Release:
    container = next(each for each in predictor["containers"] if each["name"] == _CONTAINER)
    storage = next(each for each in container["env"] if each["name"] == _STORAGE_VARIABLE)
    return Release(storage["value"], container["image"])
