"""A run as Argo and the server's tables show it: a workflow of nodes, some of which are pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from tests.servers.kfp.rows import filled, moment, new_id
from tests.servers.kfp.spec import Spec

# The zero of Go's times, seconds: a node that has not ended.
_NEVER = -62_135_596_800
_OVER = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


@dataclass
class Node:
    """One of a workflow's nodes.

    Attributes:
        path: Its whole name, such as `w.root.train.executor`.
        template: Of a pod; "": it is none.
        task: The pipeline's, whose container it runs; "": none.
    """

    path: str
    template: str = ""
    task: str = ""
    children: list[Node] = field(default_factory=list)
    state: str = ""
    started: int = _NEVER
    ended: int = _NEVER
    history: list[tuple[int, str]] = field(default_factory=list)
    task_id: str = field(default_factory=new_id)

    @property
    def workflow(self) -> str:
        """Its name."""
        return self.path.split(".")[0]

    @property
    def key(self) -> str:
        """The node's id, which is not its pod's name."""
        return f"{self.workflow}-{_fnv1a(self.path)}" if "." in self.path else self.path

    @property
    def pod(self) -> str:
        """Name of its pod."""
        return f"{self.workflow}-{self.template}-{_fnv1a(self.path)}"

    def turn(self, state: str, now: int) -> None:
        """Take a state."""
        if not self.state:
            self.started = now
        if state in _OVER:
            self.ended = now
        self.state = state
        self.history.append((now, state))


@dataclass
class Run:
    """A row of runs, and the workflow behind it."""

    display_name: str
    description: str
    experiment_id: str
    namespace: str
    service_account: str
    runtime_config: dict[str, Any]
    source: dict[str, Any]
    spec: Spec
    yaml: bytes
    created_at: int
    recurring_run_id: str = ""
    id: str = field(default_factory=new_id)
    scheduled_at: int = 0
    finished_at: int = 0
    state: str = "PENDING"
    storage_state: str = "AVAILABLE"
    history: list[tuple[int, str]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scheduled_at = self.scheduled_at or self.created_at
        self.history.append((self.created_at, self.state))
        self.workflow = f"{self.spec.pipeline['pipelineInfo']['name']}-{self.id[:5]}"
        tasks = self.spec.tasks
        after = {name: task.get("dependentTasks", []) for name, task in tasks.items()}
        self.order = list(TopologicalSorter(after).static_order())
        # What runs even after another task has failed hangs on that one as its exit hook.
        self.hooked = {
            name: task["dependentTasks"][-1]
            for name, task in tasks.items()
            if task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
        }
        self.nodes = _nodes(self.workflow, self.order, tasks, self.hooked)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in _OVER

    def turn(self, state: str, now: int) -> None:
        """Take a state."""
        if state != self.state:
            self.history.append((now, state))
        self.state = state
        self.finished_at = now if state in _OVER else 0

    def node(self, *names: str) -> Node:
        """A node by the parts of its path below the workflow."""
        path = ".".join((self.workflow, *names))
        return next(node for node in self.nodes if node.path == path)

    def task(self, name: str, *below: str) -> Node:
        """A task's node, or one below it."""
        hook = [f"{self.hooked[name]}.onExit"] if name in self.hooked else []
        return self.node("root", *hook, ".".join((name, *below)))

    def attempts(self, task: str) -> list[Node]:
        """The pods of a task: more than one where it is tried again."""
        return [node for node in self.nodes if node.task == task]

    def begin(self, now: int) -> None:
        """The workflow starts."""
        self.turn("RUNNING", now)
        self.nodes[0].turn("RUNNING", now)
        self.node("root-driver").turn("SUCCEEDED", now)
        self.node("root").turn("RUNNING", now)

    def begin_task(self, task: str, now: int) -> None:
        """Its driver has ended, and its pod runs."""
        driver = f"{self.task(task).path}-driver"
        next(node for node in self.nodes if node.path == driver).turn("SUCCEEDED", now)
        for node in (self.task(task), self.task(task, "executor")):
            node.turn("RUNNING", now)
        if not self.attempts(task)[0].state:
            self.attempts(task)[0].turn("RUNNING", now)

    def end_task(self, task: str, state: str, now: int) -> None:
        """Its pod, or its last attempt, has ended so."""
        for attempt in self.attempts(task)[: None if state == "FAILED" else 1]:
            attempt.turn(state, now)
        executor = self.task(task, "executor")
        if executor.state != state:
            executor.turn(state, now)
        self.task(task).turn(state, now)

    def finish(self, state: str, now: int) -> None:
        """All that still runs ends so, and with it the run."""
        for node in self.nodes:
            if node.state == "RUNNING":
                node.turn(state, now)
        self.turn(state, now)

    def shown(self) -> dict[str, Any]:
        """See the API's Run."""
        # In no order that means anything.
        tasks = [self._task(node) for node in sorted(self.nodes, key=_key) if node.state]
        return filled(
            run_id=self.id,
            experiment_id=self.experiment_id,
            recurring_run_id=self.recurring_run_id,
            display_name=self.display_name,
            description=self.description,
            service_account=self.service_account,
            runtime_config=self.runtime_config,
            storage_state=self.storage_state,
            state=self.state,
            state_history=_history(self.history),
            created_at=moment(self.created_at),
            scheduled_at=moment(self.scheduled_at),
            # Not yet: 1970.
            finished_at=moment(self.finished_at),
            run_details={"task_details": tasks} if tasks else None,
            **self.source,
        )

    def _task(self, node: Node) -> dict[str, Any]:
        # The server gives no pod's name, and names the children by their nodes' ids.
        return filled(
            run_id=self.id,
            task_id=node.task_id,
            display_name=node.path.rpartition(".")[2],
            create_time=moment(self.created_at),
            start_time=moment(node.started),
            end_time=moment(node.ended),
            state=node.state,
            state_history=_history(node.history),
            child_tasks=[{"pod_name": child.key} for child in node.children],
        )

    def pods(self, namespace: str) -> Iterator[dict[str, Any]]:
        """Manifests of the pods that there have been, as a cluster holds them."""
        phases = {"RUNNING": "Running", "SUCCEEDED": "Succeeded", "FAILED": "Failed"}
        for node in self.nodes:
            if not node.template or not node.state:
                continue
            labels = {
                "pipeline/runid": self.id,
                "workflows.argoproj.io/workflow": self.workflow,
                "workflows.argoproj.io/completed": str(node.state in _OVER).lower(),
            }
            notes = {
                "workflows.argoproj.io/node-id": node.key,
                "workflows.argoproj.io/node-name": node.path,
            }
            containers = [{"name": name, "image": "image"} for name in ("main", "wait")]
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": node.pod,
                    "namespace": namespace,
                    "labels": labels,
                    "annotations": notes,
                },
                "spec": {"containers": containers, "restartPolicy": "Never"},
                "status": {"phase": phases[node.state]},
            }


def _nodes(
    workflow: str, order: list[str], tasks: dict[str, Any], hooked: dict[str, str]
) -> list[Node]:
    top, root = Node(workflow), Node(f"{workflow}.root")
    driver = Node(f"{workflow}.root-driver", "system-dag-driver")
    driver.children.append(root)
    top.children.append(driver)
    nodes = [top, driver, root]
    for name in order:
        retries = int(tasks[name].get("retryPolicy", {}).get("maxRetryCount", 0))
        again = "retry-" if "retryPolicy" in tasks[name] else ""
        path = f"{root.path}.{name}"
        if name in hooked:
            path = f"{root.path}.{hooked[name]}.onExit.{name}"
        prepares = Node(f"{path}-driver", "system-container-driver")
        whole, executor = Node(path), Node(f"{path}.executor")
        attempts = [executor]
        if again:
            attempts = [Node(f"{executor.path}({number})") for number in range(retries + 1)]
            executor.children.extend(attempts)
        for attempt in attempts:
            attempt.template, attempt.task = f"{again}system-container-impl", name
        whole.children.append(executor)
        prepares.children.append(whole)
        root.children.append(prepares)
        nodes += [prepares, whole, executor, *(attempts if again else [])]
    return nodes


def _history(entries: list[tuple[int, str]]) -> list[dict[str, str]]:
    return [{"update_time": moment(when), "state": state} for when, state in entries]


def _key(node: Node) -> str:
    return node.key


def _fnv1a(text: str) -> int:
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
