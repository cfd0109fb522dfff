"""The model server on a cluster: KServe's InferenceService made, changed and looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.api import AwayError, KubernetesApi
from cluster.served import Release, Served
from cluster.service_body import (
    GROUP,
    OWN_ANNOTATIONS,
    PLURAL,
    VERSION,
    is_as_wanted,
    newest_label,
    served_of,
    service_body,
)
from cluster.settings import Cluster, Serving
from sub_module.errors import ClusterError, ConfigError

_NOT_FOUND, _CONFLICT, _REFUSED = 404, 409, (400, 422)
_NUM_TRIES = 4
_KIND = {"group": GROUP, "version": VERSION, "plural": PLURAL}


@dataclass(frozen=True)
class Deployed:
    """What became of the service.

    Attributes:
        name: The service's.
        served: What it is to serve now.
        is_new: It was made.
        is_changed: It was made or changed.
        release: The label of the pods that are to be ready, see `RELEASE_LABEL`.
        min_replicas: So many of them.
        is_started: They start now; otherwise they were there, and Knative may have taken those away
            that nobody asked.
    """

    name: str
    served: Served
    is_new: bool
    is_changed: bool
    release: str
    min_replicas: int
    is_started: bool


class InferenceService:
    """The one service that a config names.

    Attributes:
        api: The cluster.
        serving: How it serves.
        name: Its name.
    """

    def __init__(self, api: KubernetesApi, cluster: Cluster) -> None:
        """Of a config; nothing is asked yet.

        Raises:
            ConfigError: The config has no service.
        """
        self.api, self._cluster = api, cluster
        self.serving = serving_of(cluster)
        self.name = self.serving.name

    def read(self) -> dict[str, Any] | None:
        """As the cluster has it; None: it has none.

        Raises:
            ClusterError: The cluster refuses, cannot be reached, or knows no such kind.
        """
        try:
            return read_service(self.api, self.name)
        except ClusterError as error:
            if error.status == _NOT_FOUND and f'"{self.name}" not found' in str(error):
                return None
            raise

    def deploy(self, model: str, percent: int | None = None) -> Deployed:
        """Serve a model, with the server of the config; the same again changes nothing.

        Args:
            model: Where it lies: pvc://CLAIM/PATH or gs://BUCKET/PATH.
            percent: Of the traffic, beside what is served; None: all. The first model of a service
                gets all anyway.

        Raises:
            ClusterError: The cluster refuses, cannot be reached, knows no such kind, has a service
                of that name that is not ours or is being deleted, or somebody else changes it.
        """
        release = Release(model, self.serving.image)
        return self._change(lambda seen: seen.with_model(release, percent), Served(release))

    def promote(self) -> Deployed:
        """All traffic to the canary; ClusterError as `deploy`, or there is none."""
        return self._change(Served.promoted)

    def roll_back(self) -> Deployed:
        """Back to before the canary, else to the model before; ClusterError: there is none."""
        return self._change(Served.rolled_back)

    def as_it_is(self) -> Deployed:
        """What it serves, unchanged; ClusterError: it is not there, or not ours."""
        present = self.read()
        if present is None:
            raise self._missing()
        return self._deployed(served_of(present), present, present, is_changed=False)

    def _change(self, step: Callable[[Served], Served], new: Served | None = None) -> Deployed:
        """From what it serves to what it is to serve; after a lost answer it is looked at.

        Args:
            step: From the one to the other.
            new: What a service serves that is made; None: none is made.
        """
        first: dict[str, Any] | None = None
        for number in range(1, _NUM_TRIES + 1):
            present = self.read()
            if present is None:
                if new is None:
                    raise self._missing()
                present, is_new = self._made(new)
                if is_as_wanted(present, self._body(new)):
                    return self._deployed(new, present, None, is_new=is_new)
            self._check_stays(present)
            seen = served_of(present)
            if first is None:
                first, was, served = present, seen, step(seen)
            body = self._body(served)
            if is_as_wanted(present, body):
                return self._deployed(served, body, first, is_changed=number > 1)
            if seen != was:
                raise ClusterError(
                    f"InferenceService {self.name}: somebody else changed it at the same time; look"
                    " at it, then start again"
                )
            try:
                self._replace(present, body)
            except ClusterError as error:
                is_lost = isinstance(error, AwayError) and error.acted
                # KServe notes the state of a service all the time, which is a conflict too.
                if number == _NUM_TRIES or not (is_lost or error.status == _CONFLICT):
                    raise self._explained(error) from error
            else:
                return self._deployed(served, body, first)
        raise AssertionError

    def _made(self, served: Served) -> tuple[dict[str, Any], bool]:
        custom = self.api.custom
        try:
            return self.api.create(
                self._what,
                custom.create_namespaced_custom_object,
                custom.get_namespaced_custom_object,
                name=self.name,
                body=self._body(served),
                **_KIND,
            )
        except ClusterError as error:
            raise self._explained(error) from error

    def _replace(self, present: dict[str, Any], body: dict[str, Any]) -> None:
        known = present["metadata"]
        others = {
            key: value for key, value in known["annotations"].items() if key not in OWN_ANNOTATIONS
        }
        metadata = {
            **body["metadata"],
            "labels": {**(known.get("labels") or {}), **body["metadata"]["labels"]},
            "annotations": {**others, **body["metadata"]["annotations"]},
            # A change since then is a conflict.
            "resourceVersion": known["resourceVersion"],
            "finalizers": known.get("finalizers") or [],
        }
        self.api.call(
            self._what,
            self.api.custom.replace_namespaced_custom_object,
            name=self.name,
            namespace=self.api.namespace,
            body={**body, "metadata": metadata},
            field_validation="Strict",
            **_KIND,
        )

    def _explained(self, error: ClusterError) -> ClusterError:
        if error.status in _REFUSED and 'unknown field "spec.canary"' in str(error):
            return ClusterError(
                f"{self._what}: this KServe has canaries with mode Knative only; with Standard from"
                " 0.20",
                error.status,
            )
        return error

    def _body(self, served: Served) -> dict[str, Any]:
        return service_body(served, self._cluster, self.serving, self.api.namespace)

    def _deployed(
        self,
        served: Served,
        service: Mapping[str, Any],
        before: Mapping[str, Any] | None,
        *,
        is_new: bool = False,
        is_changed: bool = True,
    ) -> Deployed:
        num_pods = int(service["spec"]["predictor"].get("minReplicas", 1))
        return Deployed(
            self.name,
            served,
            is_new,
            is_changed,
            release=newest_label(service),
            # A canary has its part of the pods, at least one.
            min_replicas=min(1, num_pods) if served.canary else num_pods,
            is_started=before is None or newest_label(before) != newest_label(service),
        )

    def _missing(self) -> ClusterError:
        return ClusterError(
            f"there is no InferenceService {self.name} in namespace {self.api.namespace}; `deploy "
            "MODEL` makes it"
        )

    def _check_stays(self, present: Mapping[str, Any]) -> None:
        if present["metadata"].get("deletionTimestamp") is not None:
            raise ClusterError(
                f"InferenceService {self.name} in namespace {self.api.namespace} is being deleted; "
                "wait until it is gone, then start again"
            )

    @property
    def _what(self) -> str:
        return f"InferenceService {self.name}"


def read_service(api: KubernetesApi, name: str) -> dict[str, Any]:
    """An InferenceService of the namespace.

    Raises:
        ClusterError: There is none, the cluster refuses, cannot be reached, or knows no such kind.
    """
    found: dict[str, Any] = api.call(
        f"InferenceService {name}",
        api.custom.get_namespaced_custom_object,
        name=name,
        namespace=api.namespace,
        **_KIND,
    )
    return found


def serving_of(cluster: Cluster) -> Serving:
    """A config's server; ConfigError: it has none."""
    if cluster.serving is None:
        raise ConfigError("cluster.serving: the config has none; see configs/cluster/kubeflow.py")
    return cluster.serving
