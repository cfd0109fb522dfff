"""The server of Kubeflow Pipelines: where it is, who asks, and what it says of itself."""

from __future__ import annotations

import json
import os
import ssl
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

import certifi
import urllib3
from urllib3.exceptions import LocationParseError

from cluster.api import KubernetesApi, connect
from pipelines.backends.kubeflow.login import ClusterLogin, Login, login_of
from pipelines.backends.kubeflow.session import Session
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from sub_module.urls import shown_url

_PAGE_SIZE = 200
_EPOCH_YEAR = 1970


@dataclass(frozen=True)
class Probe:
    """What a server says of itself.

    Attributes:
        host: Its URL, without a password.
        version: Such as `2.17.0`; None: it does not say.
        multi_user: Whether users have a namespace each; otherwise all runs are in the server's.
    """

    host: str
    version: str | None
    multi_user: bool


def probe(settings: Settings) -> Probe:
    """Log in and ask the server what it is; also whether this user may list experiments.

    Raises:
        ClusterError: It cannot be reached, refuses the login, or is no Kubeflow Pipelines.
    """
    server = Server(settings)
    found = server.health
    server.client.list_experiments(page_size=1)
    return found


class Server:
    """The server of Kubeflow Pipelines that the settings name; nothing is asked yet.

    Attributes:
        host: Its URL, without a password.
    """

    def __init__(self, settings: Settings) -> None:
        """Find it: the settings' host, the pod's neighbour, or behind the Kubernetes API.

        Raises:
            ClusterError: It cannot be told where it is, or who asks.
        """
        self._settings = settings
        self._url, login, pool = _place(settings)
        self._is_behind_kubernetes = isinstance(login, ClusterLogin)
        self.host = shown_url(self._url)
        self._session = Session(self.host, login, pool)

    @cached_property
    def health(self) -> Probe:
        """What the server says of itself.

        Raises:
            ClusterError: It cannot be asked.
        """
        answer = self._session.request("GET", f"{self._url}/apis/v2beta1/healthz")
        said = json.loads(answer.data or b"null")
        if not isinstance(said, dict):
            raise ClusterError(f"{self.host} does not answer as Kubeflow Pipelines")
        tag = said.get("tag_name")
        version = None if tag in (None, "", "unknown") else str(tag)
        # What is false may be left out.
        return Probe(self.host, version, bool(said.get("multi_user")))

    @cached_property
    def client(self) -> Any:
        """kfp's client, which asks for what is in our namespace.

        Raises:
            ClusterError: The server cannot be asked whether it has namespaces.
        """
        health = self.health
        if health.multi_user and self._is_behind_kubernetes:
            raise ClusterError(
                f"Kubeflow Pipelines at {self.host} has many users, and behind the Kubernetes API "
                "it does not learn who asks: set PLATEFLOW_KFP_HOST"
            )
        with warnings.catch_warnings():
            # That it works with versions from 2.0 on.
            warnings.simplefilter("ignore")
            # kfp takes two seconds to import.
            from pipelines.backends.kubeflow.client import QuietClient

            client = QuietClient(self._url, self._session)
        client.set_user_namespace(self._settings.namespace if health.multi_user else "")
        return client

    @property
    def namespace(self) -> str | None:
        """Ours, where the server has several."""
        return self._settings.namespace if self.health.multi_user else None

    @property
    def pods_namespace(self) -> str:
        """Where the steps of runs are pods: with one user, where the server itself is."""
        return self.namespace or self._settings.kfp_namespace

    @cached_property
    def kubernetes(self) -> KubernetesApi:
        """The Kubernetes API.

        Raises:
            ClusterError: No cluster is configured.
        """
        return connect(self._settings)

    def link(self, place: str) -> str:
        """Where a person sees something.

        Args:
            place: Of the web interface, such as `runs/details/<id>`.
        """
        if self._settings.kfp_host:
            return f"{self.host}/#/{place}"
        forward = (
            f"kubectl -n {self._settings.kfp_namespace} port-forward svc/ml-pipeline-ui 8080:80"
        )
        return f"http://localhost:8080/#/{place} with `{forward}`"


def listed(ask: Callable[..., Any], field: str, **arguments: Any) -> Iterator[Any]:
    """Everything that pages of a list hold.

    Args:
        ask: A method that takes `page_token` and `page_size`.
        field: Where its answer has the page.
        arguments: Of the method.

    Raises:
        ClusterError: The server refuses, or cannot be reached.
    """
    token = ""
    while True:
        page = ask(page_token=token, page_size=_PAGE_SIZE, **arguments)
        yield from getattr(page, field) or ()
        token = page.next_page_token
        if not token:
            return


def named(name: str, key: str = "name") -> str:
    """The filter of a list: those of one name, and those that a database takes for the same."""
    predicate = {"key": key, "operation": "EQUALS", "string_value": name}
    # The server decodes it once more than it was encoded on its way.
    return quote(json.dumps({"predicates": [predicate]}))


def seconds_of(moment: datetime | None) -> float | None:
    """Since the epoch; None: no time, which the server says in years that are long ago."""
    if moment is None:
        return None
    return moment.timestamp() if moment.year > _EPOCH_YEAR else None


def _place(settings: Settings) -> tuple[str, Login, urllib3.PoolManager]:
    """The server's URL, who asks, and whose certificates are trusted."""
    if settings.kfp_host is None and not os.environ.get("KUBERNETES_SERVICE_HOST"):
        # As the SDK does: the Kubernetes API passes requests on to services.
        api = connect(settings)
        service = f"namespaces/{settings.kfp_namespace}/services/ml-pipeline:http/proxy"
        pool = api.client.rest_client.pool_manager
        return f"{api.host}/api/v1/{service}", ClusterLogin(api.client.configuration), pool
    url = settings.kfp_host or (
        f"http://ml-pipeline.{settings.kfp_namespace}.svc.cluster.local:8888"
    )
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        # Without them nobody can tell what of it is a password.
        raise ClusterError("PLATEFLOW_KFP_HOST: expected http:// or https:// before the host")
    try:
        urllib3.util.parse_url(url)
    except LocationParseError:
        # Its cause would show the password.
        raise ClusterError(f"PLATEFLOW_KFP_HOST: {shown_url(url)} is no URL") from None
    tls = _tls(settings)
    return url, login_of(settings, tls), urllib3.PoolManager(ssl_context=tls)


def _tls(settings: Settings) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=certifi.where())
    if settings.kfp_ca is not None:
        try:
            tls.load_verify_locations(settings.kfp_ca)
        except ssl.SSLError as error:
            raise ClusterError(f"PLATEFLOW_KFP_CA: {settings.kfp_ca}: no certificates") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise ClusterError(f"PLATEFLOW_KFP_CA: {settings.kfp_ca}: {reason}") from error
    return tls
