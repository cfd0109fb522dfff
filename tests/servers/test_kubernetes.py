"""The API server of the tests refuses what a real one refuses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cluster.api import KubernetesApi, connect
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.schemas import Refused, check_object, needs_schemas

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "a", "labels": {"of": "us", "in": "1"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
BOARD = {
    "apiVersion": "tensorboard.kubeflow.org/v1alpha1",
    "kind": "Tensorboard",
    "metadata": {"name": "a"},
    "spec": {"logspath": "pvc://a/runs"},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "a"},
    "spec": {"predictor": {"containers": [{"name": "kserve-container", "resources": {}}]}},
}
SCALED: dict[str, Any] = {
    "apiVersion": "keda.sh/v1alpha1",
    "kind": "ScaledObject",
    "metadata": {"name": "a"},
    "spec": {"scaleTargetRef": {"name": "a"}, "triggers": [{"type": "cpu", "metadata": {}}]},
}
BOARDS = {"group": "tensorboard.kubeflow.org", "version": "v1alpha1", "plural": "tensorboards"}


@pytest.fixture
def api(kubernetes: Kubernetes) -> KubernetesApi:
    return connect(Settings())


def ask(api: KubernetesApi, function: Any, **arguments: Any) -> Any:
    return api.call("it", function, namespace=NAMESPACE, **arguments)


def refused(api: KubernetesApi, status: int, function: Any, **arguments: Any) -> str:
    with pytest.raises(ClusterError) as caught:
        ask(api, function, **arguments)
    assert caught.value.status == status, caught.value
    return str(caught.value)


@needs_schemas
@pytest.mark.parametrize(
    ("item", "error"),
    [
        ({**CLAIM, "specs": {}}, 'unknown field "specs"'),
        ({**CLAIM, "spec": {"accessMode": []}}, 'unknown field "spec.accessMode"'),
        ({**CLAIM, "spec": {"accessModes": "ReadWriteOnce"}}, "spec.accessModes: "),
        ({**CLAIM, "apiVersion": "v2"}, 'no matches for kind "PersistentVolumeClaim"'),
        ({**BOARD, "spec": {}}, "'logspath' is a required property"),
        ({**BOARD, "spec": {"logspath": "a", "logs": "b"}}, 'unknown field "spec.logs"'),
        ({**SERVICE, "spec": {"canary": []}}, "'predictor' is a required property"),
        ({**SERVICE, "spec": {"predictor": {"model_": 1}}}, 'field "spec.predictor.model_"'),
        ({**SERVICE, "spec": {"predictor": {"minReplicas": "1"}}}, "spec.predictor.minReplicas"),
        ({**SERVICE, "apiVersion": "serving.kserve.io/v1"}, 'no matches for version "v1"'),
        ({**SCALED, "spec": {**SCALED["spec"], "pace": 1}}, 'unknown field "spec.pace"'),
        ({**SCALED, "spec": {"scaleTargetRef": {"name": "a"}}}, "'triggers' is a required"),
    ],
)
def test_the_schemas_are_closed(item: dict[str, Any], error: str) -> None:
    with pytest.raises(Refused) as caught:
        check_object(item)
    assert error in str(caught.value)
    for valid in (CLAIM, BOARD, SERVICE, SCALED):
        check_object(valid)


def test_changes(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    kubernetes.put(CLAIM)
    replace = api.core.replace_namespaced_persistent_volume_claim
    stale = {**CLAIM, "metadata": {"name": "a", "resourceVersion": "1"}}
    assert "has been modified" in refused(api, 409, replace, name="a", body=stale)
    other = {**CLAIM, "spec": {**CLAIM["spec"], "accessModes": ["ReadWriteMany"]}}
    assert "immutable after creation" in refused(api, 422, replace, name="a", body=other)
    grown = {**CLAIM["spec"], "resources": {"requests": {"storage": "2Gi"}}}
    ask(api, replace, name="a", body={**CLAIM, "spec": grown})
    assert kubernetes.get("persistentvolumeclaims", "a")["spec"]["resources"] == grown["resources"]
    ask(api, api.core.delete_namespaced_persistent_volume_claim, name="a")
    assert kubernetes.objects("persistentvolumeclaims") == []


def test_custom_objects(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    create = api.custom.create_namespaced_custom_object
    ask(api, create, **BOARDS, body={**BOARD, "status": {"readyReplicas": 1}})
    assert "status" not in kubernetes.get("tensorboards", "a")
    assert "already exists" in refused(api, 409, create, **BOARDS, body=BOARD)
    replace = api.custom.replace_namespaced_custom_object
    assert "resourceVersion" in refused(api, 422, replace, **BOARDS, name="a", body=BOARD)
    patch = api.custom.patch_namespaced_custom_object
    ask(api, patch, **BOARDS, name="a", body={"spec": {"logspath": "b"}})
    assert kubernetes.get("tensorboards", "a")["spec"] == {"logspath": "b"}
    kubernetes.withdraw("tensorboard.kubeflow.org")
    assert "no such kind" in refused(api, 404, patch, **BOARDS, name="a", body={})


@pytest.mark.parametrize(
    ("mode", "fields", "error"),
    [
        ("Standard", {"scaleMetric": "concurrency"}, "is not a supported metric"),
        ("Knative", {"terminationGracePeriodSeconds": 9}, "terminationGracePeriodSeconds"),
        ("Knative", {"scaleMetric": "concurrency"}, None),
        ("Standard", {"terminationGracePeriodSeconds": 9}, None),
    ],
)
def test_the_webhook_of_kserve(
    api: KubernetesApi, mode: str, fields: dict[str, Any], error: str | None
) -> None:
    create = api.custom.create_namespaced_custom_object
    named = {"group": "serving.kserve.io", "version": "v1beta1", "plural": "inferenceservices"}
    body = copy.deepcopy(SERVICE)
    body["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": mode}
    body["spec"]["predictor"].update(fields)
    if error is not None:
        assert error in refused(api, 400, create, **named, body=body)
        return
    made = ask(api, create, **named, body=body)
    (container,) = made["spec"]["predictor"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "1"}, "it fills in what is missing"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("of=us", ["a", "b"]),
        ("of=us,in=1", ["a"]),
        ("in=3", []),
    ],
)
def test_selectors(
    api: KubernetesApi, kubernetes: Kubernetes, selector: str, names: list[str]
) -> None:
    kubernetes.put(CLAIM)
    kubernetes.put({**CLAIM, "metadata": {"name": "b", "labels": {"of": "us", "in": "2"}}})
    kubernetes.put({**CLAIM, "metadata": {**CLAIM["metadata"], "namespace": "default"}})
    found = ask(api, api.core.list_namespaced_persistent_volume_claim, label_selector=selector)
    assert [item.metadata.name for item in found.items] == names


def test_rights(
    api: KubernetesApi, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {
        "apiGroups": [""],
        "resources": ["persistentvolumeclaims"],
        "verbs": ["get"],
        "resourceNames": ["a"],
    }
    kubernetes.put(CLAIM)
    file = kubernetes.allow("token-of-somebody", "somebody", rule)
    monkeypatch.setenv("KUBECONFIG", str(file))
    theirs = connect(Settings())
    read = theirs.core.read_namespaced_persistent_volume_claim
    assert ask(theirs, read, name="a").metadata.name == "a"
    refused(theirs, 403, read, name="b")
    refused(theirs, 403, theirs.core.list_namespaced_persistent_volume_claim)
    for name, namespace, is_allowed in (
        ("a", NAMESPACE, True),
        ("b", NAMESPACE, False),
        ("a", "default", False),
        (None, NAMESPACE, False),
    ):
        wish = {"verb": "get", "resource": "persistentvolumeclaims", "name": name}
        review = {"resourceAttributes": {**wish, "namespace": namespace}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        create = theirs.authorization.create_self_subject_access_review
        answer = theirs.call("review", create, {**body, "spec": review})
        assert answer.status.allowed is is_allowed, (name, namespace)
    assert kubernetes.calls[-1].user == f"system:serviceaccount:{NAMESPACE}:somebody"


@pytest.mark.parametrize(
    ("audiences", "is_let_in"), [(["pipelines.kubeflow.org"], False), ([], True)]
)
def test_tokens(
    api: KubernetesApi,
    kubernetes: Kubernetes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    audiences: list[str],
    is_let_in: bool,
) -> None:
    kubernetes.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}})
    made = ask(
        api,
        api.core.create_namespaced_service_account_token,
        name="runner",
        body={"spec": {"audiences": audiences}},
    )
    file = kubernetes.write_kubeconfig(tmp_path / "runner", made.status.token)
    monkeypatch.setenv("KUBECONFIG", str(file))
    theirs = connect(Settings())
    # Known but without any right, or unknown.
    refused(theirs, 403 if is_let_in else 401, theirs.core.list_namespaced_pod)


def test_the_proxy_of_services(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    proxy = api.core.connect_get_namespaced_service_proxy_with_path
    named = {"name": "ml-pipeline:8888", "path": "apis/v2beta1/healthz"}
    assert "no endpoints" in refused(api, 503, proxy, **named)
    with _echo() as url:
        kubernetes.services[NAMESPACE, "ml-pipeline"] = url
        assert ask(api, proxy, **named) == "GET /apis/v2beta1/healthz None"
    assert kubernetes.calls[-1][:5] == ("get", "", "services/proxy", True, NAMESPACE)


@contextmanager
def _echo() -> Iterator[str]:
    """A server that says what it was asked, and with which credentials."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = f"{self.command} {self.path} {self.headers.get('Authorization')}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
