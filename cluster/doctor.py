"""Whether a cluster will do, and what to do where it will not."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib.metadata import version as installed_version
from typing import Any, TypeVar

from cluster.api import KubernetesApi, connect
from cluster.checks import CHECKS, NOT_FOUND, Case, Check, Pipelines, namespace_of_runs
from cluster.permissions import (
    Permission,
    of_login,
    of_nodes,
    of_pipelines,
    of_proxy,
    of_submitter,
)
from cluster.settings import Cluster
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from sub_module.urls import shown_url

_T = TypeVar("_T")

# The first version that has all that is used, and the last one that it was tried with.
TESTED = {
    "Kubernetes": ((1, 29), (1, 36)),
    "Kubeflow Pipelines": ((2, 15), (2, 17)),
    "kfp SDK": ((2, 16), (2, 17)),
}
_WHO_IS_IT, _FORBIDDEN = 401, 403
# For everything together: who takes a request and never answers keeps nobody waiting.
_PATIENCE_SECONDS = 7.0
# For what is asked only once Kubeflow Pipelines has answered.
_MORE_SECONDS = 2.0


def check_cluster(
    settings: Settings, cluster: Cluster, is_search: bool, ask_pipelines: Callable[[], Pipelines]
) -> list[Check]:
    """Ask the cluster about all that a run needs, at once; nothing is changed.

    Args:
        settings: Which cluster, and how to log in.
        cluster: A pipeline config's.
        is_search: Whether the config is that of a search, which needs Katib.
        ask_pipelines: Logs in to Kubeflow Pipelines; raises a ClusterError when it cannot.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    found = [_in_range("kfp SDK", installed_version("kfp"))]
    asked = _started(ask_pipelines)
    try:
        api = connect(settings)
        info = _answer(_started(api.call, "version", api.version.get_code), api.host, until)
    except ClusterError as error:
        remedy = "does `kubectl version` work? see KUBECONFIG"
        found.append(Check("Kubernetes", False, str(error), remedy))
        return [*found, *_pipelines(settings, asked, until)[1]]
    found.append(_in_range("Kubernetes", str(info.git_version)))
    case = Case(api, settings, cluster, is_search)
    begun = {what: _started(check, case) for what, check in CHECKS.items()}
    for role, permissions, namespace in _needed(case):
        begun[f"role {role}"] = _started(_permissions, api, role, permissions, namespace)
    pipelines, said = _pipelines(settings, asked, until)
    if pipelines is not None:
        begun["namespace of runs"] = _started(namespace_of_runs, case, pipelines)
        if pipelines.multi_user and _is_same_user(settings):
            role = "plateflow-pipelines"
            arguments = (api, role, of_pipelines(), settings.namespace)
            begun[f"role {role}"] = _started(_permissions, *arguments)
    until += _MORE_SECONDS
    checks = [_checked(what, check, api.host, until) for what, check in begun.items()]
    return [*found, *said, *checks]


def _started(function: Callable[..., _T], *arguments: Any) -> Future[_T]:
    """What a function will give, in a thread that the program's end need not wait for."""
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def _answer(asked: Future[_T], host: str, until: float) -> _T:
    """What was asked for; a ClusterError when it is not there at that time."""
    try:
        return asked.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        raise ClusterError(f"{host} does not answer in {_PATIENCE_SECONDS:g} s") from None


def _checked(what: str, check: Future[Check], host: str, until: float) -> Check:
    try:
        return _answer(check, host, until)
    except ClusterError as error:
        # Both have a line of their own: of the role, of the namespace.
        unknown = {_FORBIDDEN: "may not be looked at", NOT_FOUND: "is not there"}
        if error.status in unknown:
            return Check(what, None, unknown[error.status])
        remedy = "try again; if it lasts, ask who runs the cluster"
        if error.status == _WHO_IS_IT:
            remedy = "log in to the cluster anew; see KUBECONFIG"
        return Check(what, False, str(error), remedy)


def _in_range(what: str, release: str | None) -> Check:
    first, last = (".".join(map(str, end)) for end in TESTED[what])
    numbers = re.match(r"v?(\d+)\.(\d+)", release or "")
    if numbers is None:
        return Check(what, None, f"does not say which version it is; tried: {first} to {last}")
    text = str(release).removeprefix("v")
    number = (int(numbers[1]), int(numbers[2]))
    if number < TESTED[what][0]:
        return Check(what, False, f"{text} is too old", f"use {first} to {last}")
    if number > TESTED[what][1]:
        return Check(what, None, f"{text} is newer than what was tried: {first} to {last}")
    return Check(what, True, text)


def _pipelines(
    settings: Settings, asked: Future[Pipelines], until: float
) -> tuple[Pipelines | None, list[Check]]:
    host = shown_url(settings.kfp_host) if settings.kfp_host else "its service in the cluster"
    try:
        pipelines = _answer(asked, host, until)
    except ClusterError as error:
        remedy = "see PLATEFLOW_KFP_HOST and the ways to log in, docs/kubeflow.md"
        return None, [Check("Kubeflow Pipelines", False, str(error), remedy)]
    found = _in_range("Kubeflow Pipelines", pipelines.version)
    says = f"{found.says}, {'several users' if pipelines.multi_user else 'one user'}"
    return pipelines, [Check(found.what, found.works, f"{says}, {pipelines.host}", found.remedy)]


def _is_same_user(settings: Settings) -> bool:
    """Whether Kubeflow Pipelines takes us for whom the cluster does, so that we can ask for it."""
    others = (settings.kfp_token, settings.kfp_token_file, settings.kfp_user)
    return not any((*others, settings.kfp_service_account))


def _needed(case: Case) -> Iterator[tuple[str, tuple[Permission, ...], str | None]]:
    """Roles, what they allow, and in which namespace; None: everywhere."""
    settings, cluster = case.settings, case.cluster
    yield "plateflow", of_submitter(settings.namespace, cluster.secret), settings.namespace
    if settings.kfp_service_account:
        yield "plateflow-login", of_login(settings.kfp_service_account), settings.namespace
    if settings.kfp_host is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        yield "plateflow-proxy", of_proxy(), settings.kfp_namespace
    if any(step.gpus for step in cluster.components.values()):
        yield "plateflow-nodes", of_nodes(), None


def _permissions(
    api: KubernetesApi, role: str, permissions: tuple[Permission, ...], namespace: str | None
) -> Check:
    """Ask for each permission that a role gives whether we have it."""
    what = f"role {role}"
    try:
        missing = [wanted for wanted in permissions if not _is_allowed(api, wanted, namespace)]
    except ClusterError as error:
        return Check(what, False, str(error), "log in as somebody whom the cluster knows")
    if not missing:
        return Check(what, True, f"all that it allows: {len(permissions)}")
    verbs: dict[str, list[str]] = {}
    for wanted in missing:
        verbs.setdefault(f"{wanted.where}, for {wanted.why}", []).append(wanted.verb)
    says = "; ".join(f"{' '.join(those)} {where}" for where, those in verbs.items())
    if namespace is None:
        # Nodes are everybody's, and only doctor misses them.
        return Check(what, None, f"you may not {says}")
    remedy = (
        f"whoever runs the cluster applies serving/manifests, then `kubectl -n {namespace} create "
        f"rolebinding {role}-me --role={role} --user=YOU`"
    )
    return Check(what, False, f"you may not {says}", remedy)


def _is_allowed(api: KubernetesApi, wanted: Permission, namespace: str | None) -> bool:
    from kubernetes import client

    resource, _, subresource = wanted.resource.partition("/")
    attributes = client.V1ResourceAttributes(
        verb=wanted.verb,
        group=wanted.group,
        resource=resource,
        subresource=subresource or None,
        name=wanted.name,
        namespace=namespace,
    )
    review = client.V1SelfSubjectAccessReview(
        api_version="authorization.k8s.io/v1",
        kind="SelfSubjectAccessReview",
        spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes),
    )
    answer = api.call(
        "permissions", api.authorization.create_self_subject_access_review, body=review
    )
    return bool(answer.status and answer.status.allowed)
