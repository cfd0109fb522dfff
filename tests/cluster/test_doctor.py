"""What doctor finds in a cluster, and that it says what to do about it."""

from __future__ import annotations

import base64
import socket
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from packaging.requirements import Requirement

from cluster.api import connect
from cluster.checks import Check
from cluster.doctor import TESTED, check_cluster
from cluster.inference_service import InferenceService
from cluster.permissions import of_pipelines, of_submitter
from cluster.settings import Cluster, cluster_of
from sub_module.engine.config import load_config
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from tests.servers.kserve import KServe
from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.kubernetes_access import rule_of
from tests.standards import REPOSITORY

_HOST = "http://pipelines.example.com"
_KATIB_LABEL = "katib.kubeflow.org/metrics-collector-injection"


@dataclass(frozen=True)
class _Said:
    version: str | None = "2.17.0"
    multi_user: bool = True
    host: str = _HOST


def _namespace(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {_KATIB_LABEL: "enabled"},
            "annotations": {"owner": "user@example.com"},
            **metadata,
        },
    }


def _claim(phase: str = "Bound", mode: str = "ReadWriteMany", size: str = "50Gi") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "plateflow"},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": size}}},
        "status": {"phase": phase},
    }


def _secret(**values: str) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": "plateflow"},
        "data": data,
    }


def _node(gpus: str = "2", **spec: Any) -> dict[str, Any]:
    labels = {"disk": "ssd"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node", "labels": labels},
        "spec": spec,
        "status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": gpus}},
    }


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return cluster_of(load_config("plate_training", {}))


@pytest.fixture(autouse=True)
def _healthy(kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name in ("STORE", "DATABASE_URL", "DATABASE_PASSWORD", "DATASETS", "NAMESPACE"):
        monkeypatch.delenv(f"PLATEFLOW_{name}", raising=False)
    monkeypatch.setenv("PLATEFLOW_KFP_HOST", _HOST)
    for item in (_namespace(), _claim(), _secret(PLATEFLOW_STORE="gs://bucket"), _node()):
        kubernetes.put(item)


def _ask(
    cluster: Cluster,
    said: _Said | ClusterError | Callable[[], _Said] | None = None,
    is_search: bool = True,
) -> dict[str, Check]:
    def probe() -> _Said:
        if callable(said):
            return said()
        if isinstance(said, ClusterError):
            raise said
        return said or _Said()

    found = check_cluster(Settings(), cluster, is_search, probe)
    for check in found:
        # What is wrong has a remedy, and nothing else has one.
        assert bool(check.remedy) == (check.works is False), check
    assert len({check.what for check in found}) == len(found)
    return {check.what: check for check in found}


def _with_gpus(cluster: Cluster, **changes: Any) -> Cluster:
    train = cluster.components["train"].model_copy(update={"gpus": 2, **changes})
    return cluster.model_copy(update={"components": {**cluster.components, "train": train}})


def test_a_healthy_cluster(kubernetes: Kubernetes, cluster: Cluster) -> None:
    began = time.monotonic()
    found = _ask(_with_gpus(cluster))
    assert time.monotonic() - began < 10
    assert {check.works for check in found.values()} == {True}
    assert found["Kubernetes"].says == kubernetes.version.lstrip("v")
    assert found["Kubeflow Pipelines"].says == f"2.17.0, several users, {_HOST}"
    assert found["volume"].says == "claim plateflow: Bound, 50Gi, ReadWriteMany"
    assert found["secret"].says == "plateflow: PLATEFLOW_STORE"
    assert found["GPUs"].says == "1 node for train"
    # It only looked.
    changing = {call.verb for call in kubernetes.calls} - {"get", "list"}
    assert changing == {"create"}
    assert {call.resource for call in kubernetes.calls if call.verb == "create"} == {
        "selfsubjectaccessreviews"
    }


def test_what_nothing_asks_for_does_not_fail(kubernetes: Kubernetes, cluster: Cluster) -> None:
    for group in ("kubeflow.org", "tensorboard.kubeflow.org", "serving.kserve.io"):
        kubernetes.withdraw(group)
    kubernetes.remove("persistentvolumeclaims", "plateflow")
    kubernetes.remove("secrets", "plateflow")
    found = _ask(cluster, is_search=False)
    for what in ("Katib", "TensorBoard", "KServe", "volume", "secret", "GPUs"):
        assert found[what].works is None, what
    assert "only searches" in found["Katib"].says
    assert "the first run makes it: 50Gi, ReadWriteMany" in found["volume"].says


_Break = Callable[[Kubernetes], object]


@pytest.mark.parametrize(
    ("spoil", "what", "says", "remedy"),
    [
        (
            lambda k: k.remove("namespaces", NAMESPACE, None),
            "namespace",
            "there is no plateflow",
            "kubectl apply --server-side -k serving/manifests/overlays/dev",
        ),
        (
            lambda k: k.put(_namespace(deletionTimestamp="2026-11-21T10:00:00Z")),
            "namespace",
            "is being deleted",
            "wait",
        ),
        (
            lambda k: k.put(_namespace(labels={})),
            "namespace",
            "no metrics",
            f"kubectl label namespace plateflow {_KATIB_LABEL}=enabled",
        ),
        (
            lambda k: k.put(_namespace(annotations={})),
            "namespace of runs",
            "no Kubeflow profile's",
            "make a Profile",
        ),
        (lambda k: k.withdraw("kubeflow.org"), "Katib", "experiments and trials", "install Katib"),
        (lambda k: k.put(_claim("Lost")), "volume", "Lost", "restore the data"),
        (
            lambda k: k.put(_claim(mode="ReadWriteOnce")),
            "volume",
            "has access mode ReadWriteOnce, not ReadWriteMany",
            "--set cluster.volume.access_mode=ReadWriteOnce",
        ),
        (lambda k: k.put(_claim(size="49Gi")), "volume", "has 49Gi, not 50Gi", "size=49Gi"),
        (lambda k: k.remove("nodes", "node", None), "GPUs", "train: 2 nvidia.com/gpu", "add nodes"),
        (lambda k: k.put(_node("1")), "GPUs", "no node", "node_selector"),
        (lambda k: k.put(_node(unschedulable=True)), "GPUs", "no node", "add nodes"),
        (
            lambda k: k.put(_node(taints=[{"key": "team", "value": "a", "effect": "NoSchedule"}])),
            "GPUs",
            "no node",
            "tolerations",
        ),
        (lambda k: setattr(k, "version", "v1.25.3"), "Kubernetes", "1.25.3 is too old", "1.29 to"),
        (lambda k: k.fail(500, times=9, matching="get secrets"), "secret", "500", "try again"),
    ],
)
def test_what_is_wrong_has_a_remedy(
    kubernetes: Kubernetes, cluster: Cluster, spoil: _Break, what: str, says: str, remedy: str
) -> None:
    spoil(kubernetes)
    found = _ask(_with_gpus(cluster))
    assert [check.what for check in found.values() if check.works is False] == [what]
    assert says in found[what].says
    assert remedy in found[what].remedy


def test_a_config_without_a_secret_needs_none(cluster: Cluster) -> None:
    found = _ask(cluster.model_copy(update={"secret": None}))
    assert (found["secret"].works, found["secret"].says) == (None, "the config has none")
    assert found["role plateflow"].says == "all that it allows: 16"


def test_the_model_server(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _ask(cluster)["KServe"].says == "serving.kserve.io/v1beta1; no plateflow yet"
    ours = InferenceService(connect(Settings()), cluster)
    ours.deploy("pvc://plateflow/models/m1")
    found = _ask(cluster)["KServe"]
    assert (found.works, found.says.partition(";")[0]) == (
        *(None, "plateflow serves m1 and is not ready"),
    )
    KServe(kubernetes, num_reads=1)
    url = "http://plateflow.plateflow.example.com"
    assert _ask(cluster)["KServe"].says == f"plateflow serves m1: {url}"
    nothing = _ask(cluster.model_copy(update={"serving": None}))["KServe"]
    assert (nothing.works, nothing.says) == (None, "the config serves nothing")
    kubernetes.withdraw("serving.kserve.io")
    wishing = cluster_of(load_config("plate_training", {"cluster.serving.from_runs": True}))
    missing = _ask(wishing)["KServe"]
    assert (missing.works, missing.says) == (False, "not installed")
    assert "install KServe" in missing.remedy


@pytest.mark.parametrize(
    ("present", "says", "remedy"),
    [
        ("slow", "has storage class slow, not fast", "--set cluster.volume.storage_class=slow"),
        (None, "has no storage class, not fast", "--set cluster.volume.storage_class=null"),
    ],
)
def test_a_claim_of_another_storage_class(
    kubernetes: Kubernetes, cluster: Cluster, present: str | None, says: str, remedy: str
) -> None:
    claim = _claim()
    if present:
        claim["spec"]["storageClassName"] = present
    kubernetes.put(claim)
    volume = cluster.volume.model_copy(update={"storage_class": "fast"})
    found = _ask(cluster.model_copy(update={"volume": volume}))["volume"]
    assert says in found.says
    assert found.remedy.endswith(remedy)


def test_a_claim_that_waits_for_a_pod_is_no_failure(
    kubernetes: Kubernetes, cluster: Cluster
) -> None:
    kubernetes.put(_claim("Pending"))
    assert _ask(cluster)["volume"].works is None


@pytest.mark.parametrize(
    ("taint", "changes"),
    [
        # Clusters let in whoever asks for the GPU.
        ({"key": "nvidia.com/gpu", "effect": "NoSchedule"}, {}),
        ({"key": "team", "value": "a", "effect": "PreferNoSchedule"}, {}),
        (
            {"key": "team", "value": "a", "effect": "NoSchedule"},
            {"tolerations": [{"key": "team", "value": "a"}]},
        ),
        (
            {"key": "team", "value": "a", "effect": "NoExecute"},
            {"tolerations": [{"operator": "Exists"}]},
        ),
    ],
)
def test_a_taint_that_lets_a_step_in(
    kubernetes: Kubernetes, cluster: Cluster, taint: dict[str, str], changes: dict[str, Any]
) -> None:
    data = cluster.model_dump()
    data["components"]["train"].update(gpus=1, node_selector={"disk": "ssd"}, **changes)
    kubernetes.put(_node(taints=[taint]))
    assert _ask(Cluster.model_validate(data))["GPUs"].works
    data["components"]["train"].update(node_selector={"disk": "hdd"})
    assert _ask(Cluster.model_validate(data))["GPUs"].works is False


def test_gpus_of_the_model_server(cluster: Cluster) -> None:
    data = cluster.model_dump()
    data["serving"]["gpus"] = 2
    assert _ask(Cluster.model_validate(data))["GPUs"].says == "1 node for serving"
    data["serving"]["gpus"] = 3
    assert "serving: 3 nvidia.com/gpu" in _ask(Cluster.model_validate(data))["GPUs"].says


def test_a_variable_of_this_machine_that_steps_would_lack(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_DATABASE_PASSWORD", "planted-wordpass")
    found = _ask(cluster)
    assert found["secret"].says == (
        "plateflow; steps would lack PLATEFLOW_DATABASE_PASSWORD, which is set here"
    )
    kubernetes.remove("secrets", "plateflow")
    found = _ask(cluster)
    assert found["secret"].says == (
        "there is no plateflow; steps would lack PLATEFLOW_DATABASE_PASSWORD, which is set here"
    )
    assert "secrets apply --from-env-file" in found["secret"].remedy
    monkeypatch.delenv("PLATEFLOW_DATABASE_PASSWORD")
    assert _ask(cluster)["secret"].works is None
    assert "planted" not in str(found)


def test_pipelines_for_one_user_run_elsewhere(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = _Said(multi_user=False)
    found = _ask(cluster, one)
    assert found["namespace of runs"].says == (
        "for one user they run in kubeflow, not in plateflow"
    )
    assert "PLATEFLOW_NAMESPACE=kubeflow" in found["namespace of runs"].remedy
    # There, nobody is asked whether somebody may.
    assert "role plateflow-pipelines" not in found
    monkeypatch.setenv("PLATEFLOW_KFP_NAMESPACE", NAMESPACE)
    assert _ask(cluster, one)["namespace of runs"].works


@pytest.mark.parametrize(
    ("version", "works", "says"),
    [
        ("2.14.3", False, "2.14.3 is too old, several users"),
        ("2.18.0", None, "2.18.0 is newer than what was tried: 2.15 to 2.17, several users"),
        (None, None, "does not say which version it is"),
        ("nightly", None, "does not say which version it is"),
    ],
)
def test_another_version(
    cluster: Cluster, version: str | None, works: bool | None, says: str
) -> None:
    found = _ask(cluster, replace(_Said(), version=version))["Kubeflow Pipelines"]
    assert found.works is works
    assert found.says.startswith(says)


def test_the_sdk_that_is_installed_is_one_that_was_tried() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = map(Requirement, project["dependencies"])
    (specifier,) = (wanted.specifier for wanted in named if wanted.name == "kfp")
    for minor in range(10, 25):
        is_tried = TESTED["kfp SDK"][0] <= (2, minor) <= TESTED["kfp SDK"][1]
        assert specifier.contains(f"2.{minor}.0") == is_tried


def test_pipelines_that_do_not_answer(cluster: Cluster) -> None:
    found = _ask(cluster, ClusterError(f"{_HOST} cannot be reached"))
    (failed,) = (check for check in found.values() if check.works is False)
    assert (failed.what, failed.says) == ("Kubeflow Pipelines", f"{_HOST} cannot be reached")
    assert "PLATEFLOW_KFP_HOST" in failed.remedy


@pytest.mark.parametrize("status", [401, 503, 0])
def test_a_cluster_that_does_not_answer(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    if status == 401:
        file = kubernetes.write_kubeconfig(kubernetes.kubeconfig.with_name("other"), "expired")
        monkeypatch.setenv("KUBECONFIG", str(file))
    elif status == 0:
        kubernetes.close()
    else:
        kubernetes.fail(status, times=99)
    found = _ask(cluster)
    # Pipelines are asked all the same.
    assert found["Kubeflow Pipelines"].works
    wrong = [check for check in found.values() if check.works is False]
    assert wrong
    assert all(kubernetes.url in check.says for check in wrong)
    if status == 401:
        assert all("log in" in check.remedy or "KUBECONFIG" in check.remedy for check in wrong)


def test_servers_that_never_answer(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.doctor._PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("KUBECONFIG", str(_kubeconfig_of(kubernetes, url)))
        began = time.monotonic()
        found = _ask(cluster, _never)
        assert time.monotonic() - began < 3
    assert found["Kubernetes"].says == f"{url} does not answer in 0.2 s"
    assert found["Kubeflow Pipelines"].says == f"{_HOST} does not answer in 0.2 s"


def _never() -> NoReturn:
    threading.Event().wait()
    raise AssertionError


def _kubeconfig_of(kubernetes: Kubernetes, url: str) -> Path:
    file = kubernetes.kubeconfig.with_name("elsewhere")
    file.write_text(kubernetes.kubeconfig.read_text().replace(kubernetes.url, url))
    return file


def test_no_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    found = _ask(cluster)["Kubernetes"]
    assert found.says.startswith("no cluster is configured: /nowhere/kubeconfig")


def test_somebody_who_may_nothing(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.allow("nobody", "nobody")))
    monkeypatch.delenv("PLATEFLOW_KFP_HOST")
    monkeypatch.setenv("PLATEFLOW_KFP_SERVICE_ACCOUNT", "plateflow")
    found = _ask(_with_gpus(cluster))
    wrong = [check.what for check in found.values() if check.works is False]
    assert wrong == ["role plateflow", "role plateflow-login", "role plateflow-proxy"]
    for what in ("namespace", "volume", "secret", "GPUs", "namespace of runs"):
        assert found[what].says == "may not be looked at"
    says = found["role plateflow"].says
    assert "get create persistentvolumeclaims, for the volume" in says
    assert "get update secrets plateflow, for the secret; create secrets" in says
    assert "create rolebinding plateflow-me --role=plateflow" in found["role plateflow"].remedy
    # Only doctor misses it.
    assert found["role plateflow-nodes"].works is None


def test_each_missing_permission_is_named(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = (*of_submitter(NAMESPACE, "plateflow"), *of_pipelines())
    lacking = next(one for one in wanted if one.resource == "pods/log")
    rules = [rule_of(one) for one in wanted if one != lacking]
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.allow("most", "most", *rules)))
    found = _ask(cluster)
    wrong = [check for check in found.values() if check.works is False]
    assert [check.says for check in wrong] == ["you may not get pods/log, for logs of steps"]
    assert found["role plateflow-pipelines"].works
