"""Asking a cluster: what is asked again, what is never done twice, what errors say."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.api import AwayError, KubernetesApi, connect
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from tests.servers.kubernetes import NAMESPACE, Kubernetes, serve_kubernetes
from tests.servers.tls import Authority


def secret(name: str = "one") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque"}


def read(api: KubernetesApi, name: str = "one") -> Any:
    return api.call(f"secret {name}", api.core.read_namespaced_secret, name, api.namespace)


def make(api: KubernetesApi, name: str = "one") -> tuple[Any, bool]:
    return api.create(
        f"secret {name}",
        api.core.create_namespaced_secret,
        api.core.read_namespaced_secret,
        name=name,
        body=secret(name),
    )


@pytest.fixture
def api(kubernetes: Kubernetes) -> KubernetesApi:
    return connect(Settings())


def test_made_once_and_found(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    assert make(api)[1]
    found, is_new = make(api)
    assert (found.metadata.name, is_new) == ("one", False)
    assert [call[:3] for call in kubernetes.calls] == [
        ("get", "", "secrets"),
        ("create", "", "secrets"),
        ("get", "", "secrets"),
    ]
    assert api.call("version", api.version.get_code).git_version == kubernetes.version


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_a_question_is_asked_again(api: KubernetesApi, kubernetes: Kubernetes, status: int) -> None:
    make(api)
    kubernetes.fail(status, times=3, matching="get secrets")
    assert read(api).metadata.name == "one"
    kubernetes.fail(status, times=4, matching="get secrets")
    with pytest.raises(AwayError) as caught:
        read(api)
    assert caught.value.status == (status or None)
    says = f" says {status}: the server is away"
    if status == 0:
        says = ": the connection was cut: Remote end closed connection without response"
    assert str(caught.value) == f"secret one: the cluster at {kubernetes.url}{says}"


@pytest.mark.parametrize("status", [0, 500, 504])
def test_a_lost_answer_makes_nothing_twice(
    api: KubernetesApi, kubernetes: Kubernetes, status: int
) -> None:
    kubernetes.fail(status, matching="create secrets", acted=True)
    found, is_new = make(api)
    assert (found.metadata.name, is_new) == ("one", True)
    assert [call.status for call in kubernetes.calls] == [404, status, 200]


def test_somebody_is_faster(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    make(api)
    kubernetes.fail(404, matching="get secrets")
    assert not make(api)[1]
    assert [call.status for call in kubernetes.calls][2:] == [404, 409, 200]


def test_what_changes_something_is_sent_once(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    make(api)
    kubernetes.fail(503, times=9, matching="delete secrets")
    with pytest.raises(AwayError, match="says 503"):
        api.call("secret one", api.core.delete_namespaced_secret, "one", api.namespace)
    assert [call.verb for call in kubernetes.calls] == ["get", "create", "delete"]


@pytest.mark.parametrize("wish", ["0", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_the_pause_that_a_server_wants(
    api: KubernetesApi, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("cluster.api.time.sleep", slept.append)
    monkeypatch.setattr("cluster.api.PAUSES_SECONDS", (0.5, 0.5))
    # Too many requests: even what makes something was not done.
    kubernetes.fail(429, headers={"Retry-After": wish}, matching="create")
    assert make(api)[1]
    assert slept == [{"0": 0.0}.get(wish, 0.5)]


def test_server_that_wants_to_be_left_alone(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    kubernetes.fail(429, headers={"Retry-After": "3600"}, times=9)
    with pytest.raises(AwayError, match="try again in 3600 s"):
        read(api)
    assert len(kubernetes.calls) == 1


def test_what_a_cluster_refuses(api: KubernetesApi, kubernetes: Kubernetes, tmp_path: Path) -> None:
    at = f"secret one: the cluster at {kubernetes.url} says"
    with pytest.raises(ClusterError) as caught:
        read(api)
    assert (str(caught.value), caught.value.status) == (f'{at} 404: secrets "one" not found', 404)
    assert not isinstance(caught.value, AwayError)
    api.namespace = "elsewhere"
    with pytest.raises(ClusterError, match='404: namespaces "elsewhere" not found'):
        make(api)
    with pytest.raises(ClusterError, match="404: it knows no such kind of object"):
        api.call(
            "flow", api.custom.list_namespaced_custom_object, "x.org", "v1", NAMESPACE, "flows"
        )
    body = {**secret(), "dat": {}}
    if kubernetes.is_strict:
        with pytest.raises(
            ClusterError, match=r'400: .*strict decoding error: unknown field "dat"'
        ):
            api.call("secret one", api.core.create_namespaced_secret, NAMESPACE, body)


def test_who_may_not(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.allow("token-of-reader", "reader", rule)))
    api = connect(Settings())
    with pytest.raises(ClusterError, match="404"):
        read(api)
    with pytest.raises(ClusterError, match=r'403: .*reader" cannot create resource "secrets"'):
        make(api)
    file = kubernetes.write_kubeconfig(tmp_path / "wrong", "token-that-nobody-gave")
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(ClusterError, match="says 401: Unauthorized; log in again") as caught:
        read(connect(Settings()))
    assert "nobody-gave" not in str(caught.value)
    file = kubernetes.write_kubeconfig(tmp_path / "none", None)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(ClusterError, match=r'403: .*"system:anonymous" cannot get'):
        read(connect(Settings()))


def test_a_log_is_text(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    spec = {"containers": [{"name": "main", "image": "x"}]}
    kubernetes.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
    lines = json.dumps({"true": True})
    kubernetes.logs[NAMESPACE, "a", "main"] = lines
    logged = api.call("pod a", api.core.read_namespaced_pod_log, "a", NAMESPACE)
    assert logged == lines


def test_a_host_that_is_something_else(api: KubernetesApi, kubernetes: Kubernetes) -> None:
    kubernetes.fail(200, content=b"<html>log in</html>", matching="get secrets")
    with pytest.raises(ClusterError, match="answers with text/html where Kubernetes"):
        read(api)
    # A list without what the client's models require.
    kubernetes.fail(200, content=b"{}", matching="list secrets")
    with pytest.raises(ClusterError, match="answers, but not as Kubernetes does"):
        api.call("secrets", api.core.list_namespaced_secret, NAMESPACE)
    kubernetes.fail(502, content=b"<html>bad\ngateway</html>", matching="create")
    with pytest.raises(AwayError, match=r"says 502: Bad Gateway$"):
        api.call("secret one", api.core.create_namespaced_secret, NAMESPACE, secret())


def test_nobody_there(tmp_path: Path, kubernetes: Kubernetes, api: KubernetesApi) -> None:
    kubernetes.close()
    with pytest.raises(AwayError) as caught:
        make(api)
    at = f"secret one: the cluster at {kubernetes.url} cannot be reached: "
    assert str(caught.value) == f"{at}Connection refused"


@pytest.mark.parametrize(
    ("host", "hours", "trusted", "error"),
    [
        ("127.0.0.1", 1, True, None),
        ("127.0.0.1", 1, False, "unable to get local issuer certificate"),
        ("127.0.0.1", -1, True, "certificate has expired"),
        ("example.com", 1, True, "IP address mismatch, certificate is not valid for"),
    ],
)
def test_a_certificate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    hours: int,
    trusted: bool,
    error: str | None,
) -> None:
    authority = Authority(tmp_path)
    context = authority.server(host, valid_for=timedelta(hours=hours))
    with serve_kubernetes(tmp_path, context, authority.file if trusted else None) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        api = connect(Settings())
        if error is None:
            assert make(api)[1]
            return
        with pytest.raises(ClusterError) as caught:
            make(api)
    at = f"secret one: the cluster at {server.url} has a certificate that does not verify: "
    assert str(caught.value).startswith(at)
    assert error in str(caught.value)
    assert "_ssl" not in str(caught.value)
    assert not isinstance(caught.value, AwayError)
    assert server.calls == []


def test_a_host_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*args: Any, **named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    file = tmp_path / "kubeconfig"
    file.write_text(_kubeconfig("{server: http://cluster.invalid}", "{}"))
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("cluster.api.PAUSES_SECONDS", ())
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    with pytest.raises(AwayError, match=r"at http://cluster\.invalid cannot be reached: .*known"):
        read(connect(Settings()))


def _kubeconfig(cluster: str, user: str) -> str:
    return (
        "{apiVersion: v1, kind: Config, current-context: a, "
        f"clusters: [{{name: a, cluster: {cluster}}}], users: [{{name: a, user: {user}}}], "
        "contexts: [{name: a, context: {cluster: a, user: a}}]}"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, r"none is not there, and this is no pod of one; see docs/kubeflow\.md"),
        ("", "file is empty"),
        ("[", "while parsing a flow node"),
        ("{}", "Expected key current-context"),
        (
            _kubeconfig(
                "{server: http://127.0.0.1:9}",
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false'}}",
            ),
            "exec: process returned 1",
        ),
    ],
)
def test_no_cluster_is_configured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    content: str | None,
    reason: str,
) -> None:
    file = tmp_path / "none"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterError, match=f"^no cluster is configured: .*{reason}") as caught:
        connect(Settings())
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubernetes: Kubernetes) -> None:
    from kubernetes.config import incluster_config

    (tmp_path / "token").write_text("token")
    (tmp_path / "ca.crt").write_text("certificate")
    for name, file in (("TOKEN", "token"), ("CERT", "ca.crt")):
        monkeypatch.setattr(incluster_config, f"SERVICE_{name}_FILENAME", str(tmp_path / file))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert connect(Settings()).host == "https://10.0.0.1:443"
