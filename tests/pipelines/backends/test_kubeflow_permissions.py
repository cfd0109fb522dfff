"""What the backend asks of Kubeflow Pipelines needs just what is listed, and is reached so."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import pytest

from cluster.permissions import Permission, of_pipelines, of_proxy, of_submitter
from pipelines.registry import Package
from tests.pipelines.backends.conftest import AT_ONCE, Place
from tests.servers.kfp import Play, needs_swagger, serve_kfp
from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.kubernetes_access import rule_of

pytestmark = needs_swagger

_PLACE = "kubeflow"
_ID = "/[^/:]+"
# What the server asks the cluster for each request; the first that fits. No verb: by method.
_NEEDS = [
    (f"GET /pipelines({_ID}/versions)?", "pipelines", "list"),
    (f"GET /pipelines{_ID}(/versions{_ID})?", "pipelines", "get"),
    (f"POST /pipelines(/upload|/upload_version|{_ID}/versions)?", "pipelines", "create"),
    (f"DELETE /pipelines{_ID}(/versions{_ID})?", "pipelines", "delete"),
    ("(GET|POST) /(experiments|runs)", r"\2", ""),
    (f"GET /(experiments|runs){_ID}", r"\1", "get"),
    (f"POST /runs{_ID}:terminate", "runs", "terminate"),
    (f"DELETE /(experiments|runs){_ID}", r"\1", "delete"),
    ("(GET|POST) /recurringruns", "jobs", ""),
    (f"GET /recurringruns{_ID}", "jobs", "get"),
    (f"POST /recurringruns{_ID}:(enable|disable)", "jobs", r"\1"),
    (f"DELETE /recurringruns{_ID}", "jobs", "delete"),
]


def _needed(method: str, path: str) -> tuple[str, str]:
    asked = f"{method} {path.removeprefix('/apis/v2beta1')}"
    for pattern, resource, verb in _NEEDS:
        if found := re.fullmatch(pattern, asked):
            verb = found.expand(verb) or {"GET": "list", "POST": "create"}[method]
            return found.expand(resource), verb
    raise AssertionError(f"nobody knows what {asked} needs")


def _allow(kubernetes: Kubernetes, permissions: tuple[Permission, ...]) -> Path:
    """A kubeconfig of an account that may just these, in the namespace of Kubeflow Pipelines."""
    file = kubernetes.allow("submitter", "submitter")
    rbac = "rbac.authorization.k8s.io"
    head = {"apiVersion": f"{rbac}/v1", "metadata": {"name": "submitter", "namespace": _PLACE}}
    rules = [rule_of(permission) for permission in permissions]
    kubernetes.put({**deepcopy(head), "kind": "Role", "rules": rules})
    account = {"kind": "ServiceAccount", "name": "submitter", "namespace": NAMESPACE}
    role = {"apiGroup": rbac, "kind": "Role", "name": "submitter"}
    kubernetes.put({**head, "kind": "RoleBinding", "roleRef": role, "subjects": [account]})
    return file


def test_everything_through_the_proxy_with_just_these(
    kubernetes: Kubernetes, package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = (*of_submitter(_PLACE, "plateflow"), *of_proxy())
    monkeypatch.setenv("KUBECONFIG", str(_allow(kubernetes, allowed)))
    # Behind the proxy, one with many users would not learn who asks.
    with serve_kfp(tmp_path, multi_user=False) as kfp:
        kubernetes.services[_PLACE, "ml-pipeline"] = kfp.url
        _everything(Place(kfp, kubernetes), package)
    assert [call for call in kubernetes.calls if call.status == 403] == []
    proxied = {call[:3] for call in kubernetes.calls if call.resource == "services/proxy"}
    assert proxied == {(one.verb, one.group, one.resource) for one in of_proxy()}
    asked = [one for one in kfp.requests if not one.path.endswith("/healthz")]
    assert {_needed(one.method, one.path) for one in asked} == {
        (one.resource, one.verb) for one in of_pipelines()
    }


def _everything(place: Place, package: Package) -> None:
    kfp = place.kfp
    backend = place.backend(kfp_host=None, namespace=_PLACE)
    backend.upload(package)
    kfp.play = Play(fails={"train": "no"}, moves=AT_ONCE)
    failed = backend.run("plates", "v1", {})
    backend.wait(failed.name)
    place.pods(kfp.runs[failed.id], _PLACE)
    backend.logs(failed.name)
    kfp.play = Play(hangs={"train"}, moves=AT_ONCE)
    hanging = backend.run("plates", "v1", {})
    backend.terminate(hanging.name)
    backend.add_schedule("nightly", "0 3 * * *", "plates", "v1", {})
    backend.pause_schedule("nightly")
    backend.resume_schedule("nightly")
    backend.delete_schedule("nightly")
    kfp.play = Play(moves=AT_ONCE)
    done = backend.wait(backend.run("plates", "v1", {"train.max_epochs": 3}).name)
    backend.delete(done.name)
    backend.delete_version("plates", "v1")
    backend.delete_pipeline("plates")
    for run in kfp.runs.values():
        run.state = "FAILED"
    backend.delete_experiment("plates")
