"""Where an InferenceService answers: inside of the cluster, by name, or through its gateway."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cluster.api import KubernetesApi
from cluster.inference_service import read_service
from cluster.permissions import GATEWAY_NAMESPACE, GATEWAY_SERVICE
from sub_module.errors import ClusterError


@dataclass(frozen=True)
class ServiceAddress:
    """How to ask a model server.

    Attributes:
        url: Without a path, such as http://192.0.2.7.
        host_header: By which the gateway knows the service; None: the URL's own.
    """

    url: str
    host_header: str | None = None


def url_of(api: KubernetesApi, name: str, gateway: str | None = None) -> ServiceAddress:
    """Where to reach a service from here.

    In a pod that is its address inside of the cluster. Elsewhere it is its URL where the name is
    known, else the cluster's gateway, which is told the name in the header `Host`.

    Args:
        api: The cluster.
        name: The InferenceService's.
        gateway: The gateway's URL from here, such as http://localhost:8080 of a port-forward; None:
            found.

    Raises:
        ClusterError: There is no such service, it has no URL yet, or no way leads to it; the
            message says which.
    """
    status = read_service(api, name).get("status") or {}
    public, inside = status.get("url"), (status.get("address") or {}).get("url")
    if not public:
        raise ClusterError(f"InferenceService {name} has no URL yet: it is not ready")
    if gateway is not None:
        return ServiceAddress(gateway.rstrip("/"), urlsplit(public).netloc)
    if "KUBERNETES_SERVICE_HOST" in os.environ and inside:
        return ServiceAddress(_root(inside))
    host = urlsplit(public).hostname or ""
    if _is_known(host):
        return ServiceAddress(_root(public))
    if (address := _address(api, GATEWAY_NAMESPACE, GATEWAY_SERVICE)) is not None:
        return ServiceAddress(f"{urlsplit(public).scheme}://{address}", urlsplit(public).netloc)
    raise ClusterError(
        f"InferenceService {name}: nobody here knows the name {host}, and the gateway has no "
        f"address that we may see; `kubectl -n {GATEWAY_NAMESPACE} port-forward "
        f"service/{GATEWAY_SERVICE} 8080:80`, then PLATEFLOW_GATEWAY=http://localhost:8080"
    )


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_known(host: str) -> bool:
    # KServe's own default, which is nobody's.
    if host.endswith(".example.com"):
        return False
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _address(api: KubernetesApi, namespace: str, name: str) -> str | None:
    """Of a Service of type LoadBalancer; None: there is none, or we may not look."""
    with suppress(ClusterError):
        read = api.core.read_namespaced_service
        service: Any = api.call(f"service {name}", read, name, namespace)
        balancer = service.status.load_balancer if service.status else None
        for ingress in (balancer and balancer.ingress) or []:
            if ingress.ip or ingress.hostname:
                return str(ingress.ip or ingress.hostname)
    return None
