"""What a Kubernetes API server knows of its resources: names, patches, selectors, validation."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.servers.schemas import SCHEMAS, Refused, check_object

Object = dict[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LARGEST_SECRET = 1 << 20


class Resource(NamedTuple):
    """One row of the API server's discovery."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    # Defined by a CRD.
    is_custom: bool = False

    @property
    def api_version(self) -> str:
        """As objects name it."""
        return f"{self.group}/{self.version}".lstrip("/")


RESOURCES = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False),
    Resource("", "v1", "nodes", "Node", namespaced=False),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "pods", "Pod"),
    Resource("", "v1", "services", "Service"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        namespaced=False,
    ),
    Resource(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        namespaced=False,
    ),
    Resource("kubeflow.org", "v1beta1", "experiments", "Experiment", is_custom=True),
    Resource("kubeflow.org", "v1beta1", "trials", "Trial", is_custom=True),
    Resource("tensorboard.kubeflow.org", "v1alpha1", "tensorboards", "Tensorboard", is_custom=True),
    Resource(
        "serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService", is_custom=True
    ),
)


class Problem(Exception):  # noqa: N818 - an answer, not an error of the tests
    """An answer that is no success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        """The HTTP status, Kubernetes' word for it, and the sentence."""
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    def to_status(self) -> Object:
        """The Status object of the answer."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }


def check_new(resource: Resource, body: Object, namespace: str | None) -> None:
    """Whether an object may be made; raises the Problem that a real server would answer."""
    if (body.get("apiVersion"), body.get("kind")) != (resource.api_version, resource.kind):
        raise Problem(
            400,
            "BadRequest",
            f"the API version in the data ({body.get('apiVersion')}) does not match the expected "
            f"API version ({resource.api_version})",
        )
    metadata = body.get("metadata") or {}
    if namespace is not None and metadata.get("namespace", namespace) != namespace:
        raise Problem(
            400,
            "BadRequest",
            f"the namespace of the provided object does not match the namespace sent on the "
            f"request ({namespace})",
        )
    check_valid(resource, body)


def check_valid(resource: Resource, body: Object) -> None:
    """Schema, name and labels, and the rules of some kinds."""
    if SCHEMAS.is_dir():
        try:
            check_object(body)
        except Refused as refused:
            # Of a CRD's schema, what is wrong comes after what is unknown.
            if resource.is_custom and not refused.is_unknown:
                raise Problem(422, "Invalid", str(refused)) from None
            raise Problem(400, "BadRequest", str(refused)) from None
    metadata = body.get("metadata") or {}
    name = metadata.get("name", "")
    if not _NAME.fullmatch(name):
        raise _invalid(resource, name, f'metadata.name: Invalid value: "{name}"')
    for key, value in (metadata.get("labels") or {}).items():
        if not _LABEL_VALUE.fullmatch(value):
            raise _invalid(resource, name, f'metadata.labels: Invalid value: "{value}" of {key}')
    if (rule := _RULES.get(resource.kind)) is not None:
        rule(resource, body)


def check_change(resource: Resource, old: Object, new: Object) -> None:
    """Whether an object may become another."""
    name = old["metadata"]["name"]
    sent = (new.get("metadata") or {}).get("resourceVersion")
    if sent not in (None, "", old["metadata"]["resourceVersion"]):
        raise Problem(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {resource.plural} "{name}": the object has been '
            "modified; please apply your changes to the latest version and try again",
        )
    if resource.kind == "Secret":
        if new.get("type", old.get("type")) != old.get("type"):
            raise _invalid(resource, name, "type: Invalid value: field is immutable")
        if old.get("immutable") and new.get("data") != old.get("data"):
            raise _invalid(
                resource, name, "data: Forbidden: field is immutable when `immutable` is set"
            )
    if resource.kind == "PersistentVolumeClaim":
        before, after = copy.deepcopy(old["spec"]), copy.deepcopy(new["spec"])
        before.pop("resources"), after.pop("resources")
        if before != after:
            raise _invalid(
                resource,
                name,
                "spec: Forbidden: spec is immutable after creation except resources.requests",
            )


def fill_in(resource: Resource, item: Object) -> None:
    """What the API server adds by itself."""
    if resource.kind == "Secret":
        plain: Mapping[str, str] = item.pop("stringData", None) or {}
        coded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        item["data"] = {**(item.get("data") or {}), **coded}
        item.setdefault("type", "Opaque")
    if resource.kind == "PersistentVolumeClaim":
        item["spec"].setdefault("volumeMode", "Filesystem")
    if resource.kind == "InferenceService":
        # KServe's webhook fills in what a container asks for.
        resources = item["spec"]["predictor"]["containers"][0]["resources"]
        for what in ("requests", "limits"):
            resources.setdefault(what, {}).setdefault("cpu", "1")


def _invalid(resource: Resource, name: str, why: str) -> Problem:
    return Problem(422, "Invalid", f'{resource.kind} "{name}" is invalid: {why}')


def _secret(resource: Resource, body: Object) -> None:
    name = body["metadata"]["name"]
    data, size = body.get("data") or {}, 0
    for key, value in data.items():
        if not _SECRET_KEY.fullmatch(key):
            raise _invalid(resource, name, f'data[{key}]: Invalid value: "{key}": a valid key')
        try:
            size += len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            raise Problem(
                400,
                "BadRequest",
                'Secret in version "v1" cannot be handled as a Secret: illegal base64 data',
            ) from None
    if size > _LARGEST_SECRET:
        raise _invalid(resource, name, "data: Too long: may not be more than 1048576 bytes")


def _claim(resource: Resource, body: Object) -> None:
    name, spec = body["metadata"]["name"], body.get("spec") or {}
    if not spec.get("accessModes"):
        raise _invalid(resource, name, "spec.accessModes: Required value: at least 1 access mode")
    modes = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"}
    if unknown := set(spec["accessModes"]) - modes:
        raise _invalid(resource, name, f"spec.accessModes: Unsupported value: {unknown}")
    if "storage" not in (spec.get("resources") or {}).get("requests", {}):
        raise _invalid(resource, name, "spec.resources[storage]: Required value")


def _tensorboard(resource: Resource, body: Object) -> None:
    # Its controller makes a Service of the same name, with a port `http-NAME`.
    name = body["metadata"]["name"]
    if not re.fullmatch(r"[a-z]([-a-z0-9]{0,56}[a-z0-9])?", name):
        raise _invalid(resource, name, "metadata.name: no Service can have this name")


def _inference_service(resource: Resource, body: Object) -> None:
    # What KServe's webhook says.
    name, predictor = body["metadata"]["name"], body["spec"]["predictor"]
    annotations = body["metadata"].get("annotations") or {}
    is_standard = annotations.get("serving.kserve.io/deploymentMode") == "Standard"
    metric = predictor.get("scaleMetric")
    canaries = body["spec"].get("canary") or []
    problems = {
        "metadata.name: no letter in front": not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name),
        "canary is only supported in Standard deployment mode": canaries and not is_standard,
        "canary must not set maxReplicas": any("maxReplicas" in c["predictor"] for c in canaries),
        f"[{metric}] is not a supported metric": is_standard and metric in ("concurrency", "rps"),
        "one port": not is_standard and len(predictor["containers"][0].get("ports", ())) > 1,
        "terminationGracePeriodSeconds": not is_standard
        and "terminationGracePeriodSeconds" in predictor,
    }
    for why, is_so in problems.items():
        if is_so:
            webhook = "inferenceservice.kserve-webhook-server.validator"
            message = f'admission webhook "{webhook}" denied the request: {why}'
            raise Problem(400, "BadRequest", message)


_RULES: dict[str, Callable[[Resource, Object], None]] = {
    "InferenceService": _inference_service,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "Tensorboard": _tensorboard,
}


def patched(content_type: str, resource: Resource, old: Object, patch: Any) -> Object:
    """An object after a patch of the content type that was sent."""
    kind = content_type.partition(";")[0]
    if kind == "application/merge-patch+json" or (
        kind == "application/strategic-merge-patch+json" and not resource.is_custom
    ):
        merged: Object = _merged(old, patch)
        return merged
    raise Problem(
        415, "UnsupportedMediaType", f"this server of the tests knows no patches of type {kind}"
    )


def _merged(old: Any, patch: Any) -> Any:
    # RFC 7386. A strategic merge differs for lists, which nothing of ours patches.
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def selected(item: Object, labels: str) -> bool:
    """Whether an object is one that a list's selector means: `key=value`, with commas between."""
    own = (item.get("metadata") or {}).get("labels") or {}
    for part in filter(None, labels.split(",")):
        key, is_equal, value = part.partition("=")
        if not is_equal or re.search(r"[!=\s()]", key + value):
            raise Problem(400, "BadRequest", f"this server of the tests cannot select by {part}")
        if own.get(key) != value:
            return False
    return True


def now(moment: datetime | None = None) -> str:
    """A moment, or this one, as Kubernetes writes it."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
