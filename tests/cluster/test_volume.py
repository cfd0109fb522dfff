"""The claim of the shared volume: made once, never changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cluster.api import connect
from cluster.settings import Volume
from cluster.volume import claim_body, ensure_volume
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from tests.servers.kubernetes import Kubernetes

PLURAL = "persistentvolumeclaims"


def volume(**changes: Any) -> Volume:
    fields: dict[str, Any] = {
        "name": "plateflow",
        "size": "50Gi",
        "access_mode": "ReadWriteMany",
        "storage_class": None,
        "mount_path": "/mnt/plateflow",
    }
    return Volume(**{**fields, **changes})


def ensure(wanted: Volume) -> tuple[bool, list[str]]:
    told: list[str] = []
    return ensure_volume(connect(Settings()), wanted, told.append), told


def test_made_once(kubernetes: Kubernetes) -> None:
    assert ensure(volume()) == (True, [])
    made = kubernetes.get(PLURAL, "plateflow")
    assert made["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "50Gi"}},
        "volumeMode": "Filesystem",
    }
    assert made["metadata"]["labels"]["app.kubernetes.io/name"] == "plateflow"
    assert ensure(volume()) == (False, [])
    assert ensure(volume(name="fast", storage_class="ssd")) == (True, [])
    assert kubernetes.get(PLURAL, "fast")["spec"]["storageClassName"] == "ssd"


@pytest.mark.parametrize("status", [0, 504])
def test_a_lost_answer(kubernetes: Kubernetes, status: int) -> None:
    kubernetes.fail(status, matching="create persistent", acted=True)
    assert ensure(volume()) == (True, [])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"size": "50000Mi"}, []),
        ({"size": "51Gi"}, ["has 50Gi, not 51Gi"]),
        ({"size": "60G"}, ["has 50Gi, not 60G"]),
        ({"access_mode": "ReadWriteMany"}, ["has access mode ReadWriteOnce, not ReadWriteMany"]),
        ({"storage_class": "ssd"}, ["has storage class standard, not ssd"]),
        (
            {"storage_class": "ssd", "size": "1Ti"},
            ["has 50Gi, not 1Ti", "has storage class standard, not ssd"],
        ),
    ],
)
def test_one_that_is_there_is_not_changed(
    kubernetes: Kubernetes,
    changes: dict[str, Any],
    told: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = volume(access_mode="ReadWriteOnce", storage_class="standard")
    before = kubernetes.put({**claim_body(kept), "status": {"phase": "Bound"}})
    before = copy.deepcopy(before)
    wanted = volume(**{"access_mode": "ReadWriteOnce", **changes})
    lines = [
        f"volume claim plateflow in namespace plateflow {line}; it stays as it is" for line in told
    ]
    assert ensure(wanted) == (False, lines)
    assert kubernetes.get(PLURAL, "plateflow") == before
    assert not ensure_volume(connect(Settings()), wanted)
    assert capsys.readouterr().err.splitlines() == lines


@pytest.mark.parametrize(
    ("metadata", "phase", "error"),
    [
        ({"deletionTimestamp": "2026-11-21T10:00:00Z"}, "Bound", "is being deleted; wait"),
        ({}, "Lost", "has lost its volume; delete the claim"),
    ],
)
def test_one_that_cannot_be_used(
    kubernetes: Kubernetes, metadata: dict[str, str], phase: str, error: str
) -> None:
    claim = {**claim_body(volume()), "status": {"phase": phase}}
    claim["metadata"] = {**claim["metadata"], **metadata}
    kubernetes.put(claim)
    with pytest.raises(ClusterError, match=f"^volume claim plateflow in .* {error}"):
        ensure(volume())


def test_a_claim_without_a_storage_class(kubernetes: Kubernetes) -> None:
    kubernetes.put({**claim_body(volume()), "status": {"phase": "Bound"}})
    _, (line,) = ensure(volume(storage_class="ssd"))
    assert "has no storage class, not ssd" in line


def test_who_may_only_look(kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {"apiGroups": [""], "resources": [PLURAL], "verbs": ["get"]}
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.allow("token-of-reader", "reader", rule)))
    with pytest.raises(ClusterError, match=f'403: .*cannot create resource "{PLURAL}"'):
        ensure(volume())
    assert kubernetes.objects(PLURAL) == []
    kubernetes.put({**claim_body(volume()), "status": {"phase": "Pending"}})
    assert ensure(volume()) == (False, [])


def test_a_namespace_that_is_not_there(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_NAMESPACE", "nowhere")
    with pytest.raises(ClusterError, match='404: namespaces "nowhere" not found'):
        ensure(volume())
