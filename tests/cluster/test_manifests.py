"""The manifests, as kubectl renders them, are what a cluster takes and what the code needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.inference_service import serving_of
from cluster.permissions import (
    GATEWAY_NAMESPACE,
    Permission,
    of_gateway,
    of_login,
    of_nodes,
    of_pipelines,
    of_proxy,
    of_submitter,
)
from cluster.served import Release, Served
from cluster.service_body import service_body
from cluster.settings import cluster_of
from sub_module.engine.config import load_config
from sub_module.settings import Settings
from tests.servers.schemas import check_object, needs_schemas
from tests.standards import REPOSITORY

_MANIFESTS = REPOSITORY / "serving" / "manifests"
_OVERLAYS = sorted(folder.name for folder in (_MANIFESTS / "overlays").iterdir())
# Beside the interpreter, as the wheel installs it.
_KUBECTL = Path(sys.executable).with_name("kubectl")


@cache
def _rendered(overlay: str) -> tuple[dict[str, Any], ...]:
    command = [str(_KUBECTL), "kustomize", str(_MANIFESTS / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A field that is deprecated is said there.
    assert done.stderr == ""
    return tuple(yaml.safe_load_all(done.stdout))


def _named(overlay: str, kind: str, name: str = "plateflow") -> dict[str, Any]:
    (found,) = (
        item
        for item in _rendered(overlay)
        if (item["kind"], item["metadata"]["name"]) == (kind, name)
    )
    return found


def _granted(role: Mapping[str, Any]) -> set[tuple[str, str, str, str | None]]:
    return {
        (verb, group, resource, name)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [None])
    }


def _wanted(permissions: tuple[Permission, ...]) -> set[tuple[str, str, str, str | None]]:
    return {(each.verb, each.group, each.resource, each.name) for each in permissions}


def test_there_are_overlays() -> None:
    assert _OVERLAYS == ["dev", "prod", "standalone"]


@needs_schemas
@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_every_object_is_valid(overlay: str) -> None:
    for item in _rendered(overlay):
        check_object(item)


def _component(name: str) -> list[dict[str, Any]]:
    """The objects of a component that no overlay has."""
    files = sorted((_MANIFESTS / "components" / name).glob("*.yaml"))
    (file,) = (file for file in files if file.name != "kustomization.yaml")
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


@needs_schemas
@pytest.mark.parametrize("name", ["gateway", "google_identity", "queue_hpa", "queue_keda"])
def test_components_that_no_overlay_has_are_valid_too(name: str) -> None:
    for item in _component(name):
        check_object(item)
        assert item["metadata"]["labels"]["app.kubernetes.io/name"] == "plateflow"


def test_the_queue_scales_what_the_config_serves() -> None:
    """By the metric that the server has, as often as KServe's own ScaledObject would."""
    config = {"cluster.serving.mode": "Standard"}
    cluster = cluster_of(load_config("plate_training", config))
    serving = serving_of(cluster)
    served = Served(Release("pvc://plateflow/models/m", serving.image))
    own = service_body(served, cluster, serving, "plateflow")["spec"]["predictor"]
    (metric,) = own["autoScaling"]["metrics"]
    external = metric["external"]["metric"]
    (keda,), (hpa,) = _component("queue_keda"), _component("queue_hpa")
    (trigger,) = keda["spec"]["triggers"]
    assert trigger["metadata"] == {
        "serverAddress": external["serverAddress"],
        "query": external["query"],
        "threshold": str(serving.images_per_replica),
    }
    (pods,) = hpa["spec"]["metrics"]
    assert f"sum({pods['pods']['metric']['name']}{{" in external["query"]
    assert pods["pods"]["target"]["averageValue"] == str(serving.images_per_replica)
    for spec, names in (
        (keda["spec"], ("minReplicaCount", "maxReplicaCount")),
        (hpa["spec"], ("minReplicas", "maxReplicas")),
    ):
        assert spec["scaleTargetRef"]["name"] == f"{serving.name}-predictor"
        replicas = (serving.min_replicas, serving.max_replicas)
        assert tuple(spec[name] for name in names) == replicas
    behavior = keda["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == hpa["spec"]["behavior"]


def test_the_gateway_s_role() -> None:
    role, binding = _component("gateway")
    assert _granted(role) == _wanted(of_gateway())
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == GATEWAY_NAMESPACE


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_every_object_is_known_as_ours(overlay: str) -> None:
    for item in _rendered(overlay):
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "plateflow", item["metadata"]["name"]


@pytest.mark.parametrize(
    ("overlay", "namespace"),
    [
        ("dev", Settings().namespace),
        ("prod", Settings().namespace),
        # The pods of all runs are where Kubeflow Pipelines is.
        ("standalone", Settings().kfp_namespace),
    ],
)
def test_all_is_in_the_namespace_of_the_settings(overlay: str, namespace: str) -> None:
    items = _rendered(overlay)
    of_cluster = ("Namespace", "ClusterRole", "ClusterRoleBinding")
    places = {item["metadata"].get("namespace") for item in items if item["kind"] not in of_cluster}
    assert places == {namespace}
    accounts = [subject for item in items for subject in item.get("subjects", ())]
    assert accounts
    for account in accounts:
        expected = {"kind": "ServiceAccount", "name": "plateflow", "namespace": namespace}
        assert account == expected


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_the_namespace_lets_katib_and_pipelines_in(overlay: str) -> None:
    labels = _named(overlay, "Namespace")["metadata"]["labels"]
    assert labels["katib.kubeflow.org/metrics-collector-injection"] == "enabled"
    assert labels["app.kubernetes.io/part-of"] == "kubeflow-profile"
    # `restricted` refuses pods of Kubeflow Pipelines and of Katib.
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_the_roles_allow_exactly_what_the_code_calls() -> None:
    secret = cluster_of(load_config("plate_training", {})).secret
    for overlay, namespace in (("dev", "plateflow"), ("standalone", "kubeflow")):
        role = _named(overlay, "Role")
        assert _granted(role) == _wanted(of_submitter(namespace, secret))
    assert _granted(_named("dev", "Role", "plateflow-pipelines")) == _wanted(of_pipelines())
    assert _granted(_named("dev", "Role", "plateflow-login")) == _wanted(of_login("plateflow"))
    assert _granted(_named("standalone", "Role", "plateflow-proxy")) == _wanted(of_proxy())
    assert _granted(_named("dev", "ClusterRole", "plateflow-nodes")) == _wanted(of_nodes())


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_every_role_is_bound_but_the_one_for_tokens(overlay: str) -> None:
    """An account that could make tokens of its own would never end."""
    items = _rendered(overlay)
    roles = {item["metadata"]["name"] for item in items if item["kind"].endswith("Role")}
    bound = {item["roleRef"]["name"] for item in items if item["kind"].endswith("Binding")}
    assert roles - bound == {"plateflow-login"}


def test_the_claim_is_the_config_s() -> None:
    wanted = cluster_of(load_config("plate_training", {})).volume
    text = (_MANIFESTS / "base" / "volume.yaml").read_text(encoding="utf-8")
    claim, _ = yaml.safe_load_all(text)
    assert claim["metadata"]["name"] == wanted.name
    assert claim["spec"]["accessModes"] == [wanted.access_mode]
    assert claim["spec"]["resources"]["requests"]["storage"] == wanted.size
    # A production's is larger, so that nothing that the config asks for is refused.
    prod = _named("prod", "PersistentVolumeClaim")["spec"]
    assert prod["accessModes"] == [wanted.access_mode]
    assert prod["resources"]["requests"]["storage"] == "500Gi"
    assert _named("dev", "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_the_volume_is_given_to_the_user_of_the_image(overlay: str) -> None:
    cluster = cluster_of(load_config("plate_training", {}))
    template = _named(overlay, "Job", "plateflow-volume")["spec"]["template"]
    for where in ("labels", "annotations"):
        # A profile's namespace would give it a sidecar, with which it never ends.
        assert template["metadata"][where]["sidecar.istio.io/inject"] == "false"
    pod = template["spec"]
    dockerfile = (REPOSITORY / "components" / "Dockerfile").read_text(encoding="utf-8")
    context = pod["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile.splitlines()
    # Kubernetes gives the volume to this group.
    assert context["fsGroup"] == context["runAsGroup"]
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == container["command"][-1] == cluster.volume.mount_path
    assert container["image"] == cluster.components["record"].image
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == cluster.volume.name


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_all_traffic_is_denied_but_what_is_named(overlay: str) -> None:
    policies = [item["spec"] for item in _rendered(overlay) if item["kind"] == "NetworkPolicy"]
    deny = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert deny in policies
    open_rules = [
        rule
        for policy in policies
        for rule in (*policy.get("ingress", ()), *policy.get("egress", ()))
        if not rule.get("from") and not rule.get("to")
    ]
    # Names are asked for wherever the cluster answers for them.
    assert open_rules == [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}]


def test_a_shared_namespace_keeps_its_own_policies() -> None:
    """A denial there would cut off Kubeflow Pipelines itself."""
    kinds = {item["kind"] for item in _rendered("standalone")}
    assert not kinds & {"NetworkPolicy", "Namespace"}


def test_a_quota_does_not_refuse_pods_without_requests() -> None:
    quota = _named("prod", "ResourceQuota")["spec"]["hard"]
    (limit,) = _named("prod", "LimitRange")["spec"]["limits"]
    counted = {key.removeprefix("requests.") for key in quota if key.startswith("requests.")}
    assert counted & {"cpu", "memory"} <= set(limit["defaultRequest"])
    # A limit that nobody asked for would kill trainings.
    assert "default" not in limit
