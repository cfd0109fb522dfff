"""Kubeflow's Tensorboard: a server beside the volume that shows the curves of trainings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cluster.api import LABELS, KubernetesApi
from sub_module.errors import ClusterError

_GROUP, _VERSION, _PLURAL = "tensorboard.kubeflow.org", "v1alpha1", "tensorboards"
_LOCAL_PORT = 6006
# Kubeflow makes a Service of the board's name with a port `http-NAME`, of 63 characters.
_LONGEST_NAME = 58
_NOT_FOUND = 404


@dataclass(frozen=True)
class Board:
    """A Tensorboard on the cluster.

    Attributes:
        name: Its own, and that of the Deployment and the Service that Kubeflow makes of it.
        is_new: It was not there.
        commands: By what they are for: `wait`, `open`, `delete`.
        url: Where it is while the command `open` runs.
    """

    name: str
    is_new: bool
    commands: dict[str, str]
    url: str


def open_board(api: KubernetesApi, claim: str, run: str | None, port: int | None = None) -> Board:
    """Make the board of a run, or find it there; the cluster starts it in its own time.

    Args:
        api: The cluster.
        claim: The name of the volume's claim.
        run: A run's name; None: one board of all runs.
        port: Of this machine, for the command; None: 6006.

    Raises:
        ClusterError: The cluster refuses, has no TensorBoard, no such claim, or a board of that
            name that shows something else.
    """
    _check_claim(api, claim)
    name, logs = _name(run), f"pvc://{claim}/runs{f'/{run}/train' if run else ''}"
    board, is_new = api.create(
        f"tensorboard {name}",
        api.custom.create_namespaced_custom_object,
        api.custom.get_namespaced_custom_object,
        name=name,
        body=board_body(name, logs),
        group=_GROUP,
        version=_VERSION,
        plural=_PLURAL,
    )
    kubectl = f"kubectl -n {api.namespace}"
    delete = f"{kubectl} delete {_PLURAL}.{_GROUP} {name}"
    shown = board["spec"]["logspath"]
    if shown != logs:
        raise ClusterError(
            f"tensorboard {name} in namespace {api.namespace} shows {shown}, not {logs}; delete it "
            f"first: {delete}"
        )
    port = port or _LOCAL_PORT
    commands = {
        "wait": f"{kubectl} rollout status deployment/{name}",
        "open": f"{kubectl} port-forward service/{name} {port}:80",
        "delete": delete,
    }
    return Board(name, is_new, commands, f"http://localhost:{port}/")


def board_body(name: str, logs: str) -> dict[str, Any]:
    """The Tensorboard that is made; `logs` such as pvc://CLAIM/runs."""
    return {
        "apiVersion": f"{_GROUP}/{_VERSION}",
        "kind": "Tensorboard",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"logspath": logs},
    }


def _check_claim(api: KubernetesApi, claim: str) -> None:
    # A board without its claim waits for ever and says nothing.
    read = api.core.read_namespaced_persistent_volume_claim
    try:
        api.call(f"volume claim {claim}", read, claim, api.namespace)
    except ClusterError as error:
        if error.status == _NOT_FOUND:
            hint = "the first run makes it"
            raise ClusterError(f"{error}; {hint}", error.status) from None
        raise


def _name(run: str | None) -> str:
    """A name that a Service may have; a run's end, which is a hash, is always in it."""
    if run is None:
        return "tensorboard"
    plain = re.sub(r"[^a-z0-9]+", "-", run.lower())
    return f"tensorboard-{plain[-(_LONGEST_NAME - 12) :].strip('-')}"
