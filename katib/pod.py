"""The pod of a trial: that of the pipeline's step `train`, as a Job says it."""

from __future__ import annotations

from typing import Any

from cluster.settings import Cluster, Placement, Toleration, amount_of
from sub_module.errors import ConfigError

# Suffixes of an amount, each 1000 or 1024 times the one before it.
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def pod_values(cluster: Cluster) -> dict[str, Any]:
    """What the Experiment's template says of the pod.

    Raises:
        ConfigError: `cluster.components` has no `train`.
    """
    if "train" not in cluster.components:
        raise ConfigError("cluster.components has no `train`, whose pod is that of a trial")
    pod = cluster.components["train"]
    return {
        "pod": pod,
        "volume": cluster.volume,
        "secret": cluster.secret,
        "service_account": cluster.service_account,
        "image_pull_secrets": cluster.image_pull_secrets,
        "resources": _resources(pod),
        "tolerations": [_toleration(toleration) for toleration in pod.tolerations],
        "shared_memory": pod.shared_memory and canonical(pod.shared_memory),
    }


def canonical(amount: str) -> str:
    """An amount of memory as Kubernetes itself would write it: `1024Mi` is `1Gi`.

    Katib compares a trial's template with what Kubernetes makes of it, and refuses what was written
    otherwise, but for requests and limits.

    Args:
        amount: As `cluster.settings.Bytes`.
    """
    base, suffixes = (1024, _BINARY) if amount.endswith("i") else (1000, _DECIMAL)
    number, power = int(amount_of(amount)), 0
    while number % base == 0 and power + 1 < len(suffixes):
        number, power = number // base, power + 1
    return f"{number}{suffixes[power]}"


def _resources(pod: Placement) -> dict[str, dict[str, str]]:
    requests = {"cpu": pod.cpu_request, "memory": pod.memory_request}
    limits = {
        "cpu": pod.cpu_limit,
        "memory": pod.memory_limit,
        pod.gpu_type: str(pod.gpus) if pod.gpus else None,
    }
    amounts = {
        kind: {name: amount for name, amount in named.items() if amount is not None}
        for kind, named in (("requests", requests), ("limits", limits))
    }
    return {kind: named for kind, named in amounts.items() if named}


def _toleration(toleration: Toleration) -> dict[str, Any]:
    fields = toleration.model_dump(exclude_none=True)
    if "seconds" in fields:
        fields["tolerationSeconds"] = fields.pop("seconds")
    return fields
