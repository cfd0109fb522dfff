"""How far a run on the cluster is, shown until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from rich.console import Console

from cluster.api import AwayError
from pipelines.backends.display import StepState, open_display
from pipelines.backends.kubeflow.runs import KubeflowRun, Runs
from pipelines.backends.kubeflow.server import seconds_of
from sub_module.errors import RunError

POLL_SECONDS = 5.0
# Runs take hours.
_PLAIN_SECONDS = 60.0
# A control plane that is renewed is away for some minutes; runs go on meanwhile.
_PATIENCE_SECONDS = 300.0
_STATUS: dict[str, Literal["running", "done", "failed"]] = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "SKIPPED": "done",
    "FAILED": "failed",
    "CANCELED": "failed",
}


def follow(
    runs: Runs,
    run: KubeflowRun,
    tasks_of: Callable[[Any], Sequence[str]],
    console: Console,
    timeout_seconds: float | None,
) -> tuple[KubeflowRun, Any]:
    """Show a run until it ends.

    Args:
        runs: Of the server.
        run: Which one.
        tasks_of: Gives the names of its tasks, in order, from what the server says of it.
        console: Where to show it.
        timeout_seconds: Look no longer than this; the run goes on.

    Returns:
        What has become of it, and the same as the server says it, with its tasks.

    Raises:
        RunError: It has not ended in time.
        ClusterError: The server cannot be asked.
    """
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    display = open_display(console, _PLAIN_SECONDS)
    tasks: Sequence[str] = ()
    try:
        while True:
            found = _asked_patiently(runs, run, console, end)
            tasks = tasks or tasks_of(found)
            display.show(states_of(found, tasks))
            record = runs.record(found)
            if record.state != "running":
                return record, found
            if end is not None and time.monotonic() >= end:
                raise RunError(
                    f"run {run.name} has not ended after {(timeout_seconds or 0) / 60:g} minutes, "
                    "and goes on; the same command follows it, `terminate` ends it"
                )
            time.sleep(POLL_SECONDS)
    finally:
        display.close()


def states_of(run: Any, tasks: Sequence[str]) -> list[StepState]:
    """The state of each task, as displays show it.

    Args:
        run: As the server says it.
        tasks: Names, in order.
    """
    details = {detail.display_name: detail for detail in task_details(run)}
    return [_state(name, details.get(name)) for name in tasks]


def task_details(run: Any) -> list[Any]:
    """What the server says of tasks, drivers and pods: in the order in which they started."""
    details = (run.run_details and run.run_details.task_details) or []
    return sorted(details, key=lambda detail: seconds_of(detail.start_time) or 0.0)


def _state(name: str, detail: Any) -> StepState:
    status = _STATUS.get(detail.state) if detail else None
    if status is None:
        return StepState(name)
    started = seconds_of(detail.start_time)
    ended = seconds_of(detail.end_time) if status != "running" else time.time()
    seconds = ended - started if started and ended else 0.0
    return StepState(name, status, seconds=max(seconds, 0.0))


def _asked_patiently(runs: Runs, run: KubeflowRun, console: Console, end: float | None) -> Any:
    """What the server says of a run; one that is away is asked again, for some minutes."""
    away_since: float | None = None
    while True:
        try:
            return runs.get(run.id)
        except AwayError as error:
            if away_since is None:
                away_since = time.monotonic()
                line = f"{error}; asking again"
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            now = time.monotonic()
            if now - away_since > _PATIENCE_SECONDS or (end is not None and now >= end):
                raise
            time.sleep(POLL_SECONDS)
