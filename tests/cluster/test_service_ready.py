"""Waiting until pods of a served model answer, and the way to them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.api import KubernetesApi, connect
from cluster.inference_service import Deployed, InferenceService, serving_of
from cluster.permissions import GATEWAY_NAMESPACE, GATEWAY_SERVICE, of_gateway
from cluster.service_address import ServiceAddress, url_of
from cluster.service_ready import wait_ready
from cluster.settings import Cluster
from pipeline_utils import app
from pipelines.registry import cluster_settings
from sub_module.errors import ClusterError, PlateflowError
from sub_module.settings import Settings
from tests.factories import record_samples
from tests.servers.kserve import KServe
from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.kubernetes_access import rule_of

ONE, TWO = "pvc://plateflow/models/m1", "pvc://plateflow/models/m2"
URL = "http://plateflow.plateflow.example.com"


@pytest.fixture
def kserve(kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> KServe:
    monkeypatch.setattr("cluster.service_ready.POLL_SECONDS", 0.0)
    return KServe(kubernetes, num_reads=3)


def service(**changes: Any) -> InferenceService:
    serving = serving_of(shipped()).model_copy(update=changes)
    return InferenceService(connect(Settings()), shipped().model_copy(update={"serving": serving}))


@cache
def shipped() -> Cluster:
    return cluster_settings("plate_training")


def waited(of: InferenceService, deployed: Deployed, seconds: float = 5) -> list[str]:
    lines: list[str] = []
    wait_ready(of.api, deployed, seconds, lines.append)
    return lines


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_each_change_is_said_once(kserve: KServe, mode: str) -> None:
    ours = service(mode=mode, min_replicas=2)
    first = waited(ours, ours.deploy(ONE))
    assert first == [
        "InferenceService plateflow: 0 of 2 pods ready; kserve-container: ContainerCreating"
    ]
    # KServe says that it is ready all the time: that are the pods of before.
    assert kserve.kubernetes.get("inferenceservices", "plateflow")["status"]["url"] == URL
    assert waited(ours, ours.deploy(TWO)) == first
    assert waited(ours, ours.as_it_is()) == []
    others = service(cpu_limit="3", min_replicas=4)
    assert waited(others, others.as_it_is()) == [], "whatever the config says by now"


def test_it_is_asleep(kserve: KServe) -> None:
    """Knative takes pods away that nobody asks for, and starts none for another share."""
    ours = service(min_replicas=0)
    deployed = ours.deploy(ONE)
    waited(ours, deployed)
    tried = ours.deploy(TWO, 20)
    waited(ours, tried)
    kserve.kubernetes.on_read("inferenceservices", lambda _: None)
    for pod in kserve.kubernetes.objects("pods"):
        kserve.kubernetes.remove("pods", pod["metadata"]["name"])
    for quiet in (ours.as_it_is(), ours.deploy(TWO, 50), ours.promote()):
        assert waited(ours, quiet) == []
    with pytest.raises(ClusterError, match="0 of 1 pods ready"):
        waited(ours, tried, seconds=0)
    with pytest.raises(ClusterError, match="0 of 1 pods ready"):
        waited(ours, ours.roll_back(), seconds=0)


@pytest.mark.parametrize(
    ("reason", "log", "words"),
    [
        (
            "CrashLoopBackOff",
            "error: no model\n",
            r"CrashLoopBackOff: error: no model; traffic stays",
        ),
        ("ImagePullBackOff", None, "ImagePullBackOff; traffic stays"),
    ],
)
def test_a_pod_that_fails(kserve: KServe, reason: str, log: str | None, words: str) -> None:
    ours = service()
    waited(ours, ours.deploy(ONE))
    kserve.broken[TWO] = reason
    deployed = ours.deploy(TWO)
    pod = f"plateflow-{deployed.release}-0"
    if log is not None:
        kserve.kubernetes.logs[NAMESPACE, pod, "kserve-container"] = log
    with pytest.raises(ClusterError, match=f"kserve-container of pod {pod} is in {words}"):
        waited(ours, deployed)
    assert kserve.traffic[-1] == {ONE: 100}
    assert waited(ours, ours.roll_back())


def test_it_takes_too_long(kserve: KServe) -> None:
    kserve.num_reads = 1_000_000
    ours = service()
    with pytest.raises(ClusterError, match=r"not ready after 0\.05 s: 0 of 1 pods.*--rollback"):
        waited(ours, ours.deploy(ONE), seconds=0.05)


@pytest.fixture
def api(kserve: KServe, monkeypatch: pytest.MonkeyPatch) -> KubernetesApi:
    """Of a cluster where a model is served."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    ours = service()
    waited(ours, ours.deploy(ONE))
    return ours.api


def gateway(kubernetes: Kubernetes, **ingress: str) -> None:
    kubernetes.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}})
    metadata = {"name": GATEWAY_SERVICE, "namespace": GATEWAY_NAMESPACE}
    status = {"loadBalancer": {"ingress": [ingress] if ingress else []}}
    kubernetes.put({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "status": status})


@pytest.mark.parametrize("ingress", [{"ip": "192.0.2.7"}, {"hostname": "192.0.2.7"}])
def test_through_the_gateway(
    api: KubernetesApi, kubernetes: Kubernetes, ingress: dict[str, str]
) -> None:
    gateway(kubernetes, **ingress)
    assert url_of(api, "plateflow") == ServiceAddress(
        "http://192.0.2.7", URL.removeprefix("http://")
    )


def test_the_role_lets_see_the_gateway(
    api: KubernetesApi, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(kubernetes, ip="192.0.2.7")
    read = {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"]}
    file = kubernetes.allow("caller", "caller", {**read, "verbs": ["get"]})
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(ClusterError, match="PLATEFLOW_GATEWAY=http://localhost:8080"):
        url_of(connect(Settings()), "plateflow")
    (permission,) = of_gateway()
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": "plateflow-gateway", "namespace": GATEWAY_NAMESPACE}
    head = {"apiVersion": f"{rbac}/v1", "metadata": metadata}
    kubernetes.put({**head, "kind": "Role", "rules": [rule_of(permission)]})
    reference = {"apiGroup": rbac, "kind": "Role", "name": "plateflow-gateway"}
    subject = {"kind": "ServiceAccount", "name": "caller", "namespace": NAMESPACE}
    kubernetes.put({**head, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]})
    assert url_of(connect(Settings()), "plateflow").url == "http://192.0.2.7"


def test_other_ways(
    api: KubernetesApi, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(kubernetes)
    with pytest.raises(ClusterError, match=r"the name plateflow\.plateflow\.example\.com, and"):
        url_of(api, "plateflow")
    host = URL.removeprefix("http://")
    assert url_of(api, "plateflow", "http://localhost:80/") == ServiceAddress(
        "http://localhost:80", host
    )
    known = kubernetes.get("inferenceservices", "plateflow")
    kubernetes.on_read("inferenceservices", lambda _: None)
    kubernetes.put({**known, "status": {**known["status"], "url": "https://localhost/plates"}})
    assert url_of(api, "plateflow") == ServiceAddress("https://localhost")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert url_of(api, "plateflow") == ServiceAddress("http://inside.svc.cluster.local")
    kubernetes.put({**known, "status": {}})
    with pytest.raises(ClusterError, match="no URL yet"):
        url_of(api, "plateflow")
    with pytest.raises(ClusterError, match='"other" not found'):
        url_of(api, "other")


def deploy(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["deploy", *arguments, "--backend", "kubeflow"])


def refused(*arguments: str) -> str:
    failed = deploy(*arguments)
    assert isinstance(failed.exception, PlateflowError), failed.output
    return str(failed.exception)


def test_the_command(kserve: KServe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("PLATEFLOW_VOLUME", raising=False)
    assert "there is no InferenceService plateflow" in refused()
    done = deploy("m1")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{URL}\n"
    assert done.stderr.splitlines() == [
        "m1: taken as it is, not compared with the model in use",
        "InferenceService plateflow: made; serves m1",
        "InferenceService plateflow: 0 of 1 pods ready; kserve-container: ContainerCreating",
    ]
    tried = deploy("gs://bucket/models/m2", "--canary", "25", "--no-wait")
    assert tried.stderr.splitlines() == [
        "gs://bucket/models/m2: taken as it is, not compared with the model in use",
        "InferenceService plateflow: changed; serves m1, 25 % m2",
    ]
    assert "changed; serves m2\n" in deploy("--promote").stderr
    assert "changed; serves m1\n" in deploy("--rollback").stderr
    seen = deploy()
    assert (seen.stdout, seen.stderr) == (
        f"{URL}\n",
        "InferenceService plateflow: as it was; serves m1\n",
    )
    named = deploy("m3", "--set", "cluster.serving.name=other", "--no-wait")
    assert "InferenceService other: made; serves m3" in named.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["m1", "--promote"], "MODEL and --promote: give one"),
        (["--canary", "20"], "--canary: which MODEL?"),
        (["m1", "--set", "train.max_epochs=1"], "only keys of `deploy` and `cluster`"),
        (["m1", "--test-set", "x.json"], "--test-set: m1 is not here"),
        (["--test-set", "x.json"], "--test-set: which MODEL?"),
        (["file:///x"], "pods cannot fetch a model from there"),
        (["a model"], "neither a model's directory, nor a version, nor a URL"),
        (["models/platenet-kr"], "no pod sees it; PLATEFLOW_VOLUME"),
        (["m1", "--set", "cluster.serving.storage=store"], "give its gs:// URL"),
        (["m1", "--set", "cluster.serving.predictor={engine.speed: 9}"], "engine.speed"),
    ],
)
def test_what_the_command_refuses(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    monkeypatch.delenv("PLATEFLOW_VOLUME", raising=False)
    assert error in refused(*arguments)
    assert kubernetes.objects("inferenceservices") == []


def test_a_model_from_here(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It passes the same gate as on a machine."""
    volume = tmp_path / "volume"
    monkeypatch.setenv("PLATEFLOW_VOLUME", str(volume))
    assert "there is no such model in" in refused("m1")
    here = ("models/platenet-kr", "--no-wait", "--test-set", str(record_samples(tmp_path)))
    assert "below deploy.min_eir" in refused(*here, "--set", "deploy.min_eir=1.1")
    assert not volume.exists()
    assert "settings.json" in refused("docs", *here[1:])
    done = deploy(*here)
    compared = f"not compared with the model in use: there is none in {volume / 'models'}\n"
    assert done.stderr.startswith(f"{compared}EIR 1.000, EIR_int8 1.000\n"), done.output
    (copy,) = (volume / "models").iterdir()
    (container,) = kubernetes.get("inferenceservices", "plateflow")["spec"]["predictor"][
        "containers"
    ]
    assert container["env"][0]["value"] == f"pvc://plateflow/models/{copy.name}"
    assert (copy / "settings.json").is_file()
    assert "as it was" in deploy(str(copy), *here[1:]).stderr, "a version is not copied again"
