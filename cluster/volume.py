"""The claim of the volume that all steps share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from cluster.api import LABELS, KubernetesApi
from cluster.settings import Volume
from sub_module.errors import ClusterError


def ensure_volume(
    api: KubernetesApi, volume: Volume, say: Callable[[str], None] | None = None
) -> bool:
    """Make the PersistentVolumeClaim unless it is there; one that is there is never changed.

    Args:
        api: The cluster; the claim is in its namespace.
        volume: What is wanted.
        say: Takes a line where the claim that is there is not what is wanted; None: to standard
            error.

    Returns:
        Whether it was made.

    Raises:
        ClusterError: The cluster refuses, cannot be reached, or is deleting the claim or has lost
            its volume.
    """
    claim, is_new = api.create(
        f"volume claim {volume.name}",
        api.core.create_namespaced_persistent_volume_claim,
        api.core.read_namespaced_persistent_volume_claim,
        name=volume.name,
        body=claim_body(volume),
    )
    where = f"volume claim {volume.name} in namespace {api.namespace}"
    if claim.metadata.deletion_timestamp is not None:
        raise ClusterError(f"{where} is being deleted; wait until it is gone, then start again")
    if claim.status.phase == "Lost":
        raise ClusterError(f"{where} has lost its volume; delete the claim, then start again")
    for difference in differences(claim, volume):
        (say or _to_stderr)(f"{where} {difference}; it stays as it is")
    return is_new


def claim_body(volume: Volume) -> dict[str, Any]:
    """The PersistentVolumeClaim that is made."""
    spec: dict[str, Any] = {
        "accessModes": [volume.access_mode],
        "resources": {"requests": {"storage": volume.size}},
    }
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name, "labels": LABELS},
        "spec": spec,
    }


def differences(claim: Any, volume: Volume) -> list[str]:
    """In what a claim (a V1PersistentVolumeClaim) falls short of what is wanted, in words."""
    from kubernetes.utils.quantity import parse_quantity

    found = []
    modes = claim.spec.access_modes or []
    if volume.access_mode not in modes:
        found.append(f"has access mode {', '.join(modes)}, not {volume.access_mode}")
    size = claim.spec.resources.requests["storage"]
    if parse_quantity(size) < parse_quantity(volume.size):
        found.append(f"has {size}, not {volume.size}")
    wanted, present = volume.storage_class, claim.spec.storage_class_name
    if wanted is not None and present != wanted:
        has = f"storage class {present}" if present else "no storage class"
        found.append(f"has {has}, not {wanted}")
    return found


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
