"""Which nodes of a cluster a step's pod could run on."""

from __future__ import annotations

from typing import Any

from cluster.settings import Pod, Toleration


def has_room(node: Any, step: Pod) -> bool:
    """Whether a step's GPUs could ever be on a node, were it empty.

    Args:
        node: As the `kubernetes` package has it (V1Node).
        step: Its GPUs, node selector and tolerations count.
    """
    spec, status = node.spec, node.status
    if spec is None or status is None or spec.unschedulable:
        return False
    return (
        int((status.allocatable or {}).get(step.gpu_type, "0")) >= step.gpus
        and step.node_selector.items() <= (node.metadata.labels or {}).items()
        and all(_lets_in(taint, step) for taint in spec.taints or ())
    )


def _lets_in(taint: Any, step: Pod) -> bool:
    # Clusters add the toleration of a GPU's own taint to the pods that ask for the GPU.
    is_harmless = taint.effect == "PreferNoSchedule" or taint.key == step.gpu_type
    return is_harmless or any(_tolerates(toleration, taint) for toleration in step.tolerations)


def _tolerates(toleration: Toleration, taint: Any) -> bool:
    return (
        toleration.effect in (None, taint.effect)
        and toleration.key in (None, taint.key)
        and (toleration.operator == "Exists" or (toleration.value or "") == (taint.value or ""))
    )
