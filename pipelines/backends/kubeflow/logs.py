"""What the pods of a run's tasks printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cluster.api import KubernetesApi
from pipelines.backends.kubeflow.follow import task_details
from sub_module.errors import ClusterError, RunError

# Labels and annotations that Kubeflow Pipelines and its engine put on pods.
_RUN_LABEL = "pipeline/runid"
_NODE_ANNOTATION = "workflows.argoproj.io/node-name"
_CONTAINER = "main"
# Of a container that waits for its image, and of a pod that went just now.
_NO_LOG = (400, 404)


def log_of(
    api: KubernetesApi, namespace: str, run: Any, task: str, lines: int | None = None
) -> str:
    """What the newest pod of a task printed; its driver's, where the task never came to a pod.

    Args:
        api: The cluster.
        namespace: Of the pods.
        run: As Kubeflow Pipelines says it.
        task: Its name.
        lines: The last so many; None: all.

    Raises:
        RunError: There is no pod any more, or not yet; or its container has not begun.
        ClusterError: The cluster refuses, or cannot be reached.
    """
    found = api.call(
        f"pods of run {run.display_name}",
        api.core.list_namespaced_pod,
        namespace,
        label_selector=f"{_RUN_LABEL}={run.run_id}",
    ).items
    pods = sorted(found, key=lambda pod: str(pod.metadata.creation_timestamp))
    names = [
        pod.metadata.name
        for step in (f"{task}-driver", task)
        for pod in pods
        if _is_of(pod, run, step)
    ]
    if not names:
        raise RunError(f"{task} has no pod in namespace {namespace}: it is gone, or not there yet")
    try:
        return str(
            api.call(
                f"log of pod {names[-1]}",
                api.core.read_namespaced_pod_log,
                names[-1],
                namespace,
                container=_CONTAINER,
                **({} if lines is None else {"tail_lines": lines}),
            )
        )
    except ClusterError as error:
        if error.status not in _NO_LOG:
            raise
        raise RunError(str(error)) from error


def where_logs_are(namespace: str, run_id: str) -> str:
    """A command that shows those of all pods of a run."""
    return f"kubectl -n {namespace} logs -l {_RUN_LABEL}={run_id} -c {_CONTAINER} --tail=-1"


def failed_tasks(run: Any, tasks: Sequence[str]) -> list[str]:
    """Those of a run's tasks that failed, with those whose driver made no pod for them."""
    details = task_details(run)
    failed = {detail.display_name for detail in details if detail.state == "FAILED"}
    return [task for task in tasks if failed & {task, f"{task}-driver"}]


def begun_tasks(run: Any) -> list[str]:
    """Tasks that have begun, in that order: whoever has a driver is one."""
    names = [detail.display_name for detail in task_details(run)]
    return [
        name.removesuffix("-driver")
        for name in dict.fromkeys(names)
        if name.endswith("-driver") and name != "root-driver"
    ]


def _is_of(pod: Any, run: Any, step: str) -> bool:
    path = (pod.metadata.annotations or {}).get(_NODE_ANNOTATION)
    if path is not None:
        # Such as plate-training-x7k2p.root.train.executor(1); or, of a step that follows another
        # however that one ended, plate-training-x7k2p.root.deploy.onExit.report.executor.
        return step in re.split(r"[.(]", path.rpartition(".onExit.")[2])
    details = [detail for detail in task_details(run) if detail.display_name == step]
    children = [child for detail in details for child in detail.child_tasks or ()]
    return pod.metadata.name in {one.pod_name for one in (*details, *children)}
