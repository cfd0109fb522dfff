"""The model server on a cluster: made, tried on a part of the traffic, promoted, rolled back."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from cluster.api import connect
from cluster.inference_service import Deployed, InferenceService
from cluster.served import Release, Served
from cluster.service_body import service_body
from cluster.service_ready import wait_ready
from cluster.settings import Cluster, cluster_of
from sub_module.engine.config import load_config
from sub_module.errors import ClusterError, ConfigError
from sub_module.settings import Settings
from tests.servers.kserve import KServe
from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.schemas import check_object, needs_schemas

ONE, TWO, THREE = (f"pvc://plateflow/models/m{number}" for number in (1, 2, 3))
IMAGE = "plateflow-serving:0.1.0"
EVERYTHING = {
    "cluster.registry": "registry.example.com/team",
    "cluster.image_pull_secrets": ["registry"],
    "cluster.serving.storage_secret": "models",
    "cluster.serving.service_account": "models",
    "cluster.serving.gpus": 1,
    "cluster.serving.cpu_limit": 2,
    "cluster.serving.node_selector": {"pool": "a100"},
    "cluster.serving.tolerations": [
        {"key": "a", "operator": "Exists", "effect": "NoExecute", "seconds": 3}
    ],
    "cluster.serving.environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"},
    "cluster.serving.predictor": {"engine.runtime": "openvino"},
}
MODES = ["Knative", "Standard"]


def cluster(mode: str = "Knative", **changes: Any) -> Cluster:
    config = shipped()
    return cluster_of(
        {"cluster": {**config, "serving": {**config["serving"], "mode": mode, **changes}}}
    )


@cache
def shipped() -> dict[str, Any]:
    """`cluster` of the config, never changed."""
    return dict(load_config("plate_training")["cluster"])


def service(mode: str = "Knative", **changes: Any) -> InferenceService:
    return InferenceService(connect(Settings()), cluster(mode, **changes))


def kept(kubernetes: Kubernetes) -> dict[str, Any]:
    return kubernetes.get("inferenceservices", "plateflow")


def say_nothing(_: str) -> None:
    """What is said is not looked at."""


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Callable[[InferenceService, Deployed], None]:
    monkeypatch.setattr("cluster.service_ready.POLL_SECONDS", 0.0)

    def wait(of: InferenceService, deployed: Deployed) -> None:
        wait_ready(of.api, deployed, 5, say_nothing)

    return wait


@needs_schemas
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["as it ships", "with everything"])
@pytest.mark.parametrize("percent", [0, 20])
def test_kserve_takes_it(mode: str, changes: dict[str, Any], percent: int) -> None:
    config = cluster_of(load_config("plate_training", {**changes, "cluster.serving.mode": mode}))
    assert config.serving
    first, second = Release(ONE, config.serving.image), Release(TWO, config.serving.image)
    served = Served(first, second if percent else None, percent, (second,))
    body = service_body(served, config, config.serving, NAMESPACE)
    check_object(body)
    predictor = body["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["args"][:2] == ["--model", "/mnt/models"]
    assert ("lifecycle" in container) is (mode == "Standard")
    assert ("canary" in body["spec"]) is (mode == "Standard" and percent > 0)
    assert ("canaryTrafficPercent" in predictor) is (mode == "Knative" and percent > 0)
    if changes:
        assert container["resources"] == {
            "requests": {"cpu": "2", "memory": "1Gi"},
            "limits": {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": "1"},
        }
        assert container["image"] == f"registry.example.com/team/{IMAGE}"
        assert 'engine.runtime="openvino"' in container["args"]
        assert predictor["tolerations"][0]["tolerationSeconds"] == 3


def test_what_scales_it() -> None:
    one = Served(Release(ONE, IMAGE))
    bodies = {}
    for mode, autoscaler in (("Knative", "keda"), ("Standard", "keda"), ("Standard", "external")):
        config = cluster(mode, autoscaler=autoscaler, images_per_replica=6)
        assert config.serving
        bodies[mode, autoscaler] = service_body(one, config, config.serving, "ours")
    knative = bodies["Knative", "keda"]["spec"]["predictor"]
    assert (knative["scaleMetric"], knative["scaleTarget"]) == ("concurrency", 6)
    (metric,) = bodies["Standard", "keda"]["spec"]["predictor"]["autoScaling"]["metrics"]
    assert metric["external"]["target"] == {"type": "Value", "value": "6"}
    assert metric["external"]["metric"]["query"] == (
        'sum(plateflow_queued_images{namespace="ours",pod=~"plateflow-predictor-.*"})'
    )
    external = bodies["Standard", "external"]
    assert "autoScaling" not in external["spec"]["predictor"]
    annotations = external["metadata"]["annotations"]
    assert annotations["serving.kserve.io/autoscalerClass"] == "external"


@pytest.mark.parametrize("mode", MODES)
def test_a_life(kubernetes: Kubernetes, mode: str) -> None:
    ours = service(mode)
    assert ours.read() is None
    made = ours.deploy(ONE, 20)
    with pytest.raises(ClusterError, match="nothing was served before"):
        ours.roll_back()
    assert (made.is_new, made.is_changed) == (True, True)
    assert made.served == Served(Release(ONE, IMAGE)), "the first gets all traffic"
    again = ours.deploy(ONE)
    assert (again.is_new, again.is_changed, again.release) == (False, False, made.release)
    tried = ours.deploy(TWO, 20).served
    assert (tried.stable.version, tried.newest.version, tried.percent) == ("m1", "m2", 20)
    assert ours.deploy(TWO, 50).served.percent == 50
    with pytest.raises(ClusterError, match=r"m2 is on trial with 50 %.*--promote"):
        ours.deploy(THREE)
    assert ours.promote().served == Served(Release(TWO, IMAGE), history=(Release(ONE, IMAGE),))
    with pytest.raises(ClusterError, match="no canary"):
        ours.promote()
    assert ours.deploy(THREE, 10).served.newest.version == "m3"
    assert ours.roll_back().served.newest.version == "m2"
    assert ours.deploy(THREE).served.stable.version == "m3"
    back = ours.roll_back().served
    assert back == Served(Release(TWO, IMAGE), history=(Release(THREE, IMAGE), Release(ONE, IMAGE)))
    assert ours.roll_back().served.stable.version == "m3", "twice is back again"
    assert ours.as_it_is().served.stable.version == "m3"


@pytest.mark.parametrize("mode", MODES)
def test_a_canary_never_gets_more_than_its_part(
    kubernetes: Kubernetes, mode: str, ready: Callable[[InferenceService, Deployed], None]
) -> None:
    kserve = KServe(kubernetes, num_reads=3)
    ours = service(mode)
    ready(ours, ours.deploy(ONE))
    kserve.traffic.clear()
    ready(ours, ours.deploy(TWO, 20))
    assert kserve.traffic[-1] == {ONE: 80, TWO: 20}
    ready(ours, ours.roll_back())
    assert kserve.traffic[-1] == {ONE: 100}
    ready(ours, ours.deploy(THREE, 30))
    assert all(shares.get(TWO, 0) <= 20 for shares in kserve.traffic)
    assert all(shares.get(ONE, 0) >= 70 for shares in kserve.traffic)
    ready(ours, ours.promote())
    assert kserve.traffic[-1] == {THREE: 100}


@pytest.mark.parametrize("mode", MODES)
def test_pods_are_not_started_anew_for_nothing(kubernetes: Kubernetes, mode: str) -> None:
    """KServe hands labels and annotations on to pods."""

    def front() -> tuple[Any, ...]:
        service = kept(kubernetes)
        predictor = service["spec"]["predictor"]
        return service["metadata"]["annotations"], predictor["containers"], predictor["labels"]

    ours = service(mode)
    ours.deploy(ONE)
    before = front()
    ours.deploy(TWO, 20)
    if mode == "Standard":
        assert front() == before, "the stable ones"
    tried = front()
    ours.deploy(TWO, 60)
    assert front() == tried
    if mode == "Knative":
        ours.promote()
        assert front() == tried
    more = service(mode, max_replicas=9).deploy(TWO, 60 if mode == "Standard" else None)
    assert more.is_changed
    assert front() == tried, "more replicas of the same"


def test_a_new_setting_is_a_new_release(kubernetes: Kubernetes) -> None:
    first = service().deploy(ONE)
    second = service(memory_limit="4Gi", storage_secret="models").deploy(ONE)
    assert second.is_changed
    assert second.release != first.release
    assert second.served.history == (), "the model is the same"
    annotations = kept(kubernetes)["metadata"]["annotations"]
    # KServe's manifests name the one, its Helm charts the other.
    names = {"serving.kserve.io/storageSecretName", "serving.kserve.io/secretName"}
    assert {annotations[name] for name in names} == {"models"}
    assert service(memory_limit="4Gi").deploy(ONE).is_changed
    assert not names & kept(kubernetes)["metadata"]["annotations"].keys()


def test_amounts_that_kubernetes_writes_otherwise(kubernetes: Kubernetes) -> None:
    """KServe's webhook reads a service and writes it again, as Go does."""
    ours = service(cpu_request="0.5", cpu_limit=None, memory_request="1024Mi", memory_limit=None)
    ours.deploy(ONE)
    present = kept(kubernetes)
    (container,) = present["spec"]["predictor"]["containers"]
    amounts = {"cpu": "0.5", "memory": "1024Mi"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    container["resources"]["requests"] = {"cpu": "500m", "memory": "1Gi"}
    kubernetes.put(present)
    assert not ours.deploy(ONE).is_changed
    container["resources"]["requests"]["cpu"] = "501m"
    kubernetes.put(present)
    assert ours.deploy(ONE).is_changed


def test_what_others_note_on_it_stays(kubernetes: Kubernetes) -> None:
    service().deploy(ONE)
    present = kept(kubernetes)
    present["metadata"]["annotations"]["example.com/owner"] = "team"
    present["metadata"]["finalizers"] = ["inferenceservice.finalizers"]
    kubernetes.put(present)
    service().deploy(TWO)
    metadata = kept(kubernetes)["metadata"]
    assert metadata["annotations"]["example.com/owner"] == "team"
    assert metadata["finalizers"] == ["inferenceservice.finalizers"]


def test_a_field_that_somebody_edited_is_set_again(kubernetes: Kubernetes) -> None:
    service().deploy(ONE)
    present = kept(kubernetes)
    present["spec"]["predictor"]["maxReplicas"] = 99
    present["spec"]["predictor"]["canaryTrafficPercent"] = 0
    kubernetes.put(present)
    assert service().deploy(ONE).is_changed
    predictor = kept(kubernetes)["spec"]["predictor"]
    assert predictor["maxReplicas"] == 5
    assert "canaryTrafficPercent" not in predictor


@pytest.mark.parametrize("acted", [True, False])
def test_lost_answers(kubernetes: Kubernetes, acted: bool) -> None:
    ours = service()
    kubernetes.fail(0, matching="create inferenceservices", acted=acted)
    assert ours.deploy(ONE).is_new
    ours.deploy(TWO)
    ours.deploy(THREE)
    kubernetes.fail(0, matching="update inferenceservices", acted=acted)
    back = ours.roll_back()
    assert back.is_changed
    assert back.served.stable.version == "m2", "once, not twice"
    assert ours.as_it_is().served == back.served


def test_kserve_notes_a_state_in_between(kubernetes: Kubernetes) -> None:
    ours = service()
    ours.deploy(ONE)
    kubernetes.fail(409, times=2, matching="update inferenceservices", message="modified")
    assert ours.deploy(TWO).served.stable.version == "m2"
    kubernetes.fail(409, times=9, matching="update inferenceservices", message="modified")
    with pytest.raises(ClusterError, match="409"):
        ours.deploy(THREE)


def test_somebody_else_at_the_same_time(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = service(), service()
    ours.deploy(ONE)
    ours.deploy(TWO)
    replace = ours.api.custom.replace_namespaced_custom_object

    def late(*args: Any, **arguments: Any) -> Any:
        monkeypatch.setattr(ours.api.custom, "replace_namespaced_custom_object", replace)
        others.deploy(THREE)
        return replace(*args, **arguments)

    monkeypatch.setattr(ours.api.custom, "replace_namespaced_custom_object", late)
    with pytest.raises(ClusterError, match="somebody else changed it"):
        ours.roll_back()
    assert ours.as_it_is().served.stable.version == "m3"


def test_what_stands_in_the_way(kubernetes: Kubernetes) -> None:
    ours = service()
    for ask in (ours.as_it_is, ours.promote, ours.roll_back):
        with pytest.raises(ClusterError, match=r"there is no InferenceService plateflow"):
            ask()
    ours.deploy(ONE)
    foreign = kept(kubernetes)
    del foreign["metadata"]["annotations"]["plateflow/history"]
    kubernetes.put(foreign)
    with pytest.raises(ClusterError, match=r"not Plateflow's.*cluster\.serving\.name"):
        ours.deploy(TWO)
    going = {**foreign["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    kubernetes.put({**foreign, "metadata": going})
    with pytest.raises(ClusterError, match="is being deleted"):
        ours.deploy(TWO)
    kubernetes.withdraw("serving.kserve.io")
    with pytest.raises(ClusterError, match="it knows no such kind of object: is its CRD install"):
        ours.deploy(ONE)
    no_service = cluster().model_copy(update={"serving": None})
    with pytest.raises(ConfigError, match=r"cluster\.serving"):
        InferenceService(ours.api, no_service)


def test_an_old_kserve_has_no_canaries_of_that_kind(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = service("Standard")
    ours.deploy(ONE)
    refusal = 'strict decoding error: unknown field "spec.canary"'
    kubernetes.fail(400, matching="update inferenceservices", message=refusal)
    with pytest.raises(ClusterError, match="canaries with mode Knative only; with Standard from 0"):
        ours.deploy(TWO, 20)


def test_the_settings() -> None:
    for changes, error in (
        ({"min_replicas": 7}, "min_replicas 7 is above max_replicas 5"),
        ({"mode": "Standard", "min_replicas": 0}, "min_replicas 0 needs mode Knative"),
        ({"canary_percent": 100}, r"canary_percent: .* less than or equal to 99"),
        ({"name": "1plates"}, "a letter, then"),
        ({"prometheus": "prometheus:9090"}, "expected a URL"),
        ({"cpu_request": "3", "cpu_limit": "2"}, "cpu_request 3 is above"),
    ):
        with pytest.raises(ConfigError, match=error):
            cluster(**changes)
