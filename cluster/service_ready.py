"""Whether the pods of a served model are ready, and what keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from cluster.api import KubernetesApi
from cluster.inference_service import Deployed, read_service
from cluster.service_body import RELEASE_LABEL, SERVICE_LABEL
from sub_module.errors import ClusterError

POLL_SECONDS = 2.0
# Reasons of a container that waits in vain; others pass.
_HOPELESS = (
    *("CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
    *("CreateContainerConfigError", "RunContainerError"),
)
_LOG_LINES = 3


def wait_ready(
    api: KubernetesApi, deployed: Deployed, seconds: float, say: Callable[[str], None]
) -> None:
    """Wait until pods of the release answer, and traffic goes to them.

    KServe's own `Ready` is that of the pods before, until it has looked at a change; so pods of the
    release itself are looked for.

    Args:
        api: The cluster.
        deployed: What is waited for.
        seconds: At most so long.
        say: Takes a line whenever something has changed.

    Raises:
        ClusterError: A pod fails and will not get better by itself, the time is over, or the
            cluster cannot be asked.
    """
    until = time.monotonic() + seconds
    last = ""
    while True:
        service = read_service(api, deployed.name)
        pods = _pods(api, deployed)
        state = _state(service, pods, deployed)
        if state is None:
            return
        if state != last:
            say(f"InferenceService {deployed.name}: {state}")
            last = state
        _check_hopeless(api, deployed, pods)
        if time.monotonic() + POLL_SECONDS > until:
            raise ClusterError(
                f"InferenceService {deployed.name} is not ready after {seconds:g} s: {state}. It "
                "goes on, and traffic stays where it was; `deploy --backend kubeflow` follows it, "
                "`--rollback` takes it back"
            )
        time.sleep(POLL_SECONDS)


def is_ready(service: Mapping[str, Any]) -> bool:
    """Whether KServe says so."""
    return _condition(service, "Ready").get("status") == "True"


def _pods(api: KubernetesApi, deployed: Deployed) -> list[Any]:
    labels = f"{SERVICE_LABEL}={deployed.name},{RELEASE_LABEL}={deployed.release}"
    found = api.call(
        f"pods of InferenceService {deployed.name}",
        api.core.list_namespaced_pod,
        api.namespace,
        label_selector=labels,
    )
    return [pod for pod in found.items if pod.metadata.deletion_timestamp is None]


def _state(service: Mapping[str, Any], pods: list[Any], deployed: Deployed) -> str | None:
    """What is waited for, in words; None: nothing more."""
    num_ready = sum(map(_is_pod_ready, pods))
    # Knative takes pods away that nobody asks for; what was ready once, is.
    is_asleep = not pods and deployed.min_replicas == 0 and not deployed.is_started
    if num_ready < max(deployed.min_replicas, 1) and not is_asleep:
        doing = sorted({words for pod in pods for words in _doing(pod)})
        words = f"; {', '.join(doing)}" if doing else ""
        return f"{num_ready} of {max(deployed.min_replicas, 1)} pods ready{words}"
    predictor = ((service.get("status") or {}).get("components") or {}).get("predictor") or {}
    if predictor.get("latestReadyRevision") != predictor.get("latestCreatedRevision"):
        return f"revision {predictor.get('latestCreatedRevision')} takes over"
    if is_ready(service):
        return None
    for kind in ("PredictorReady", "CanaryPredictorReady", "IngressReady", "Ready"):
        condition = _condition(service, kind)
        if condition and condition.get("status") != "True":
            why = condition.get("message") or condition.get("reason") or "no reason given"
            return f"{kind} is {condition.get('status')}: {why}"
    return "KServe has not looked at it yet"


def _condition(service: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = (service.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})


def _is_pod_ready(pod: Any) -> bool:
    conditions = (pod.status and pod.status.conditions) or []
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def _containers(pod: Any) -> list[Any]:
    status = pod.status
    if status is None:
        return []
    return [*(status.init_container_statuses or []), *(status.container_statuses or [])]


def _doing(pod: Any) -> Iterator[str]:
    """Why a pod is not ready, where it says."""
    for container in _containers(pod):
        if container.state and container.state.waiting and container.state.waiting.reason:
            yield f"{container.name}: {container.state.waiting.reason}"
        elif container.state and container.state.running and not container.ready:
            yield f"{container.name}: running"
    for condition in (pod.status and pod.status.conditions) or []:
        if condition.type == "PodScheduled" and condition.status == "False" and condition.message:
            yield condition.message


def _check_hopeless(api: KubernetesApi, deployed: Deployed, pods: list[Any]) -> None:
    for pod in pods:
        for container in _containers(pod):
            waiting = container.state.waiting if container.state else None
            if waiting is None or waiting.reason not in _HOPELESS:
                continue
            why = _last_lines(api, pod.metadata.name, container.name) or waiting.message or ""
            raise ClusterError(
                f"InferenceService {deployed.name}: {container.name} of pod {pod.metadata.name} is "
                f"in {waiting.reason}{': ' if why else ''}{why}; traffic stays where it was, "
                "`deploy --backend kubeflow --rollback` takes this back"
            )


def _last_lines(api: KubernetesApi, pod: str, container: str) -> str:
    """What a container said before it ended; empty: nothing, or it never ran."""
    with suppress(ClusterError):
        log = api.call(
            f"log of pod {pod}",
            api.core.read_namespaced_pod_log,
            pod,
            api.namespace,
            container=container,
            previous=True,
            tail_lines=_LOG_LINES,
        )
        return " ".join(str(log if isinstance(log, str) else log.decode(errors="replace")).split())
    return ""
