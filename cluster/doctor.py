"""Whether a cluster will do, and what to do where it will not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version as installed_version

from cluster.api import KubernetesApi, connect
from cluster.parts import CHECKS, NOT_FOUND, Case, Check, Pipelines, namespace_of_runs
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

# The first version that has all that is used, and the last one that it was tried with.
TESTED = {
    "Kubernetes": ((1, 29), (1, 36)),
    "Kubeflow Pipelines": ((2, 15), (2, 17)),
    "kfp SDK": ((2, 16), (2, 17)),
}
_FORBIDDEN = 403
# Questions are short, and most of the time is spent waiting.
_THREADS = 8


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
    found = [_in_range("kfp SDK", installed_version("kfp"))]
    with ThreadPoolExecutor(_THREADS) as pool:
        asked = pool.submit(_pipelines, settings, ask_pipelines)
        try:
            api = connect(settings)
            info = api.call("version", api.version.get_code)
        except ClusterError as error:
            remedy = "does `kubectl version` work? see KUBECONFIG"
            found.append(Check("Kubernetes", False, str(error), remedy))
            return [*found, *asked.result()[1]]
        found.append(_in_range("Kubernetes", str(info.git_version)))
        case = Case(api, settings, cluster, is_search)
        answers = [pool.submit(_tried, what, check, case) for what, check in CHECKS.items()]
        allowed = [
            pool.submit(_permissions, api, role, permissions, namespace)
            for role, permissions, namespace in _needed(case)
        ]
        pipelines, said = asked.result()
        found += said
        if pipelines is not None:
            runs = partial(namespace_of_runs, pipelines=pipelines)
            answers.append(pool.submit(_tried, "namespace of runs", runs, case))
            if pipelines.multi_user and _is_same_user(settings):
                arguments = (api, "plateflow-pipelines", of_pipelines(), settings.namespace)
                allowed.append(pool.submit(_permissions, *arguments))
        return [*found, *(answer.result() for answer in (*answers, *allowed))]


def _tried(what: str, check: Callable[[Case], Check], case: Case) -> Check:
    try:
        return check(case)
    except ClusterError as error:
        # Both have a line of their own: of the role, of the namespace.
        unknown = {_FORBIDDEN: "may not be looked at", NOT_FOUND: "is not there"}
        if error.status in unknown:
            return Check(what, None, unknown[error.status])
        return Check(what, False, str(error), "try again; if it lasts, ask who runs the cluster")


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
    settings: Settings, ask: Callable[[], Pipelines]
) -> tuple[Pipelines | None, list[Check]]:
    try:
        pipelines = ask()
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
