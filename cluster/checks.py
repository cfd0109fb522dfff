"""What a cluster has of what runs need, looked at one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cluster.api import KubernetesApi
from cluster.inference_service import InferenceService
from cluster.nodes import has_room
from cluster.secret import SECRET_KEYS, STEP_KEYS
from cluster.service_body import GROUP, PLURAL, VERSION, served_of
from cluster.service_ready import is_ready
from cluster.settings import Cluster, Pod
from cluster.volume import differences
from sub_module.errors import ClusterError
from sub_module.settings import Settings

MANIFESTS = "kubectl apply --server-side -k serving/manifests/overlays/dev"
NOT_FOUND = 404
_METRICS_LABEL = "katib.kubeflow.org/metrics-collector-injection"


@dataclass(frozen=True)
class Check:
    """What was found of one thing.

    Attributes:
        what: For people, such as `volume`.
        works: None: it cannot be known from here, or nothing that was asked for needs it.
        says: What there is, or what is wrong with it.
        remedy: What to do about it; empty: nothing is wrong.
    """

    what: str
    works: bool | None
    says: str
    remedy: str = ""


class Pipelines(Protocol):
    """What Kubeflow Pipelines' server says of itself after the login."""

    @property
    def version(self) -> str | None:
        """Its release."""

    @property
    def multi_user(self) -> bool:
        """Whether each namespace has its own runs."""

    @property
    def host(self) -> str:
        """Where it is."""


@dataclass(frozen=True)
class Case:
    """What is looked at."""

    api: KubernetesApi
    settings: Settings
    cluster: Cluster
    is_search: bool


def namespace_of_runs(case: Case, pipelines: Pipelines) -> Check:
    """Whether the pods of runs are where the volume and the secret are, and may be there."""
    what, settings = "namespace of runs", case.settings
    if not pipelines.multi_user:
        if settings.namespace == settings.kfp_namespace:
            return Check(what, True, settings.namespace)
        return Check(
            what,
            False,
            f"for one user they run in {settings.kfp_namespace}, not in {settings.namespace}",
            f"PLATEFLOW_NAMESPACE={settings.kfp_namespace}, or PLATEFLOW_KFP_NAMESPACE if Kubeflow "
            "Pipelines is elsewhere; manifests: serving/manifests/overlays/standalone",
        )
    annotations = _read_namespace(case.api).metadata.annotations or {}
    if case.cluster.service_account is None and "owner" not in annotations:
        return Check(
            what,
            False,
            f"{settings.namespace} is no Kubeflow profile's, so pods have no account there",
            "make a Profile of that name, or name an account: --set cluster.service_account=NAME",
        )
    return Check(what, True, settings.namespace)


def _namespace(case: Case) -> Check:
    api = case.api
    try:
        found = _read_namespace(api)
    except ClusterError as error:
        if error.status != NOT_FOUND:
            raise
        remedy = f"PLATEFLOW_NAMESPACE names another, or make it: {MANIFESTS}"
        return Check("namespace", False, f"there is no {api.namespace}", remedy)
    if found.metadata.deletion_timestamp is not None:
        return Check(
            "namespace", False, f"{api.namespace} is being deleted", "wait, and make it anew"
        )
    labels = found.metadata.labels or {}
    if case.is_search and labels.get(_METRICS_LABEL) != "enabled":
        return Check(
            "namespace",
            False,
            f"{api.namespace} lacks a label, so trials would report no metrics",
            f"kubectl label namespace {api.namespace} {_METRICS_LABEL}=enabled",
        )
    return Check("namespace", True, api.namespace)


def _read_namespace(api: KubernetesApi) -> Any:
    return api.call(f"namespace {api.namespace}", api.core.read_namespace, name=api.namespace)


def _katib(case: Case) -> Check:
    missing = _missing(case.api, "kubeflow.org", "v1beta1", ("experiments", "trials"))
    if not missing:
        return Check("Katib", True, "kubeflow.org/v1beta1")
    says = f"not installed: no {' and '.join(missing)}"
    if case.is_search:
        return Check("Katib", False, says, "install Katib, see docs/kubeflow.md")
    return Check("Katib", None, f"{says}; only searches need it")


def _tensorboard(case: Case) -> Check:
    if _missing(case.api, "tensorboard.kubeflow.org", "v1alpha1", ("tensorboards",)):
        return Check(
            "TensorBoard",
            None,
            "its controller is not installed; only `tensorboard --backend kubeflow` needs it",
        )
    return Check("TensorBoard", True, "tensorboard.kubeflow.org/v1alpha1")


def _kserve(case: Case) -> Check:
    serving = case.cluster.serving
    if serving is None:
        return Check("KServe", None, "the config serves nothing")
    if _missing(case.api, GROUP, VERSION, (PLURAL,)):
        says = "not installed"
        if serving.from_runs:
            return Check(
                "KServe", False, says, "install KServe, or cluster.serving.from_runs=False"
            )
        return Check("KServe", None, f"{says}; only `deploy --backend kubeflow` needs it")
    service = InferenceService(case.api, case.cluster).read()
    if service is None:
        return Check("KServe", True, f"{GROUP}/{VERSION}; no {serving.name} yet")
    served = served_of(service).stable.version
    if not is_ready(service):
        says = f"{serving.name} serves {served} and is not ready"
        return Check("KServe", None, f"{says}; `deploy --backend kubeflow --wait` says why")
    return Check("KServe", True, f"{serving.name} serves {served}: {service['status'].get('url')}")


def _missing(api: KubernetesApi, group: str, version: str, plurals: Iterable[str]) -> list[str]:
    """Which kinds of object the cluster does not have; by discovery, which everybody may ask."""
    try:
        found = api.call(
            f"resources of {group}", api.custom.get_api_resources, group=group, version=version
        )
    except ClusterError as error:
        if error.status != NOT_FOUND:
            raise
        return list(plurals)
    present = {resource.name for resource in found.resources}
    return [plural for plural in plurals if plural not in present]


def _volume(case: Case) -> Check:
    api, wanted = case.api, case.cluster.volume
    try:
        claim = api.call(
            f"claim {wanted.name}",
            api.core.read_namespaced_persistent_volume_claim,
            name=wanted.name,
            namespace=api.namespace,
        )
    except ClusterError as error:
        if error.status != NOT_FOUND:
            raise
        says = f"no claim {wanted.name} yet; the first run makes it: {wanted.size}"
        return Check("volume", None, f"{says}, {wanted.access_mode}")
    # A claim that nobody has looked at yet has no status.
    phase = claim.status.phase if claim.status else "Pending"
    size = claim.spec.resources.requests["storage"]
    modes = claim.spec.access_modes
    says = f"claim {wanted.name}: {phase}, {size}, {', '.join(modes)}"
    if claim.metadata.deletion_timestamp is not None:
        return Check("volume", False, f"{says}, is being deleted", "wait until it is gone")
    if phase == "Lost":
        return Check("volume", False, says, "its disk is gone: delete the claim, restore the data")
    if different := differences(claim, wanted):
        as_it_is = {"size": size, "access_mode": modes[0]}
        if wanted.storage_class is not None:
            as_it_is["storage_class"] = claim.spec.storage_class_name or "null"
        sets = " ".join(f"--set cluster.volume.{key}={value}" for key, value in as_it_is.items())
        remedy = f"another claim, or take this one as it is: {sets}"
        return Check("volume", False, f"claim {wanted.name} {'; '.join(different)}", remedy)
    if phase == "Pending":
        return Check(
            "volume",
            None,
            f"{says}; some storage classes wait for the first pod, for others see `kubectl -n "
            f"{api.namespace} describe pvc {wanted.name}`",
        )
    return Check("volume", True, says)


def _secret(case: Case) -> Check:
    api, name = case.api, case.cluster.secret
    if name is None:
        return Check("secret", None, "the config has none")
    data = None
    try:
        read = api.core.read_namespaced_secret
        data = api.call(f"secret {name}", read, name=name, namespace=api.namespace).data or {}
    except ClusterError as error:
        if error.status != NOT_FOUND:
            raise
    says = f"there is no {name}" if data is None else name
    missing = [key for key in _set_here() if key not in (data or {})]
    apply = "python pipeline_utils.py secrets apply --from-env-file FILE"
    if missing:
        says = f"{says}; steps would lack {', '.join(missing)}, which is set here"
        return Check("secret", False, says, f"{apply}, with these in the file")
    if data is None:
        # Steps start without it.
        return Check("secret", None, f"{says}; catalog and store would be on the volume ({apply})")
    used = sorted(set(data) & set(SECRET_KEYS))
    return Check("secret", True, f"{says}: {', '.join(used) or 'no key that steps read'}")


def _set_here() -> list[str]:
    """Keys of the secret that this machine has as variables: steps would do without them."""
    return [key for key, variable in STEP_KEYS.items() if os.environ.get(variable)]


def _gpus(case: Case) -> Check:
    pods: dict[str, Pod] = {**case.cluster.components}
    if case.cluster.serving is not None:
        pods["serving"] = case.cluster.serving
    steps = {name: pod for name, pod in pods.items() if pod.gpus}
    if not steps:
        return Check("GPUs", None, "no step asks for any")
    nodes = case.api.call("nodes", case.api.core.list_node).items
    lacking = [
        name for name, step in steps.items() if not any(has_room(node, step) for node in nodes)
    ]
    wishes = "; ".join(
        f"{name}: {step.gpus} {step.gpu_type}" for name, step in steps.items() if name in lacking
    )
    if lacking:
        return Check(
            "GPUs",
            False,
            f"no node has what a step asks for ({wishes})",
            "add nodes, or see gpu_type, node_selector and tolerations under `cluster`; "
            "nodes that a cluster adds by itself are not seen before a step asks for them",
        )
    fitting = sum(any(has_room(node, step) for step in steps.values()) for node in nodes)
    return Check("GPUs", True, f"{fitting} node{'s'[: fitting != 1]} for {', '.join(steps)}")


# By what each looks at.
CHECKS: Mapping[str, Callable[[Case], Check]] = {
    "namespace": _namespace,
    "Katib": _katib,
    "TensorBoard": _tensorboard,
    "KServe": _kserve,
    "volume": _volume,
    "secret": _secret,
    "GPUs": _gpus,
}
