"""Runs and experiments on the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.records import RunRecord, State
from pipelines.backends.kubeflow.server import Server, listed, named, seconds_of
from pipelines.backends.kubeflow.session import created, first_of_name, unless_gone
from pipelines.backends.kubeflow.versions import Stored
from sub_module.errors import ClusterError, RunError

# Kubeflow's words for what a run is at; those that are not here are on their way.
_ENDED: dict[str, State] = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "stopped",
}
_CANCELING = "CANCELING"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_FOUND, _REFUSED = 404, 400


@dataclass(frozen=True)
class KubeflowRun(RunRecord):
    """A run of Kubeflow Pipelines.

    Attributes:
        id: The server's name for it; runs of the same name are attempts at the same work.
        link: Where a person sees it.
        is_canceling: Whether it was told to end, and has not yet.
    """

    id: str = ""
    link: str = ""
    is_canceling: bool = False


class Runs:
    """The runs and experiments of one namespace."""

    def __init__(self, server: Server) -> None:
        """Those of a server."""
        self._server = server

    def listed(self) -> list[KubeflowRun]:
        """All, oldest first."""
        found = listed(self._server.client.list_runs, "runs", sort_by="created_at")
        return [self.record(run) for run in found]

    def attempts(self, name: str) -> list[KubeflowRun]:
        """Those of one name, newest first."""
        return [self.record(run) for run in self._attempts(name)]

    def find(self, name: str) -> KubeflowRun:
        """The newest of a name, or the one with an id.

        Raises:
            RunError: There is none.
        """
        if _ID.fullmatch(name):
            return self.record(self.get(name))
        found = self.attempts(name)
        if not found:
            raise RunError(f"there is no run {name} at {self._server.host}")
        return found[0]

    def get(self, run_id: str) -> Any:
        """A run with its tasks, as the server says it.

        Raises:
            RunError: There is none of that id.
        """
        try:
            return self._server.client.get_run(run_id)
        except ClusterError as error:
            if error.status != _NOT_FOUND:
                raise
            raise RunError(f"there is no run {run_id} at {self._server.host}") from error

    def start(
        self,
        name: str,
        stored: Stored,
        parameters: Mapping[str, Any],
        service_account: str | None,
        earlier: Iterable[KubeflowRun],
    ) -> KubeflowRun:
        """Start a version; never twice, though the answer be lost or somebody else start it too.

        Args:
            name: Of the run.
            stored: The version.
            parameters: Of the pipeline.
            service_account: Of the pods; None: the server's.
            earlier: The runs that have this name already.

        Raises:
            ClusterError: The server refuses, or cannot be reached.
        """
        models = self._server.client.api_models
        experiment = self.experiment(stored.version.pipeline)
        body = models.V2beta1Run(
            display_name=name,
            description=f"code {stored.commit or 'unknown'}",
            experiment_id=experiment,
            pipeline_version_reference=models.V2beta1PipelineVersionReference(
                pipeline_id=stored.pipeline_id, pipeline_version_id=stored.id
            ),
            runtime_config=models.V2beta1RuntimeConfig(parameters=dict(parameters)),
            service_account=service_account,
        )
        before = {run.id for run in earlier}

        def new() -> list[Any]:
            return [run for run in self._attempts(name) if run.run_id not in before]

        made = created(
            lambda: self._server.client.runs.run_service_create_run(body),
            lambda: next(iter(new()), None),
        )
        first = first_of_name(
            made,
            lambda: [run for run in new() if self.record(run).state == "running"],
            lambda run: (run.created_at, run.run_id),
            lambda run: self.delete(self.record(run)),
        )
        return self.record(first)

    def terminate(self, run: KubeflowRun) -> None:
        """Tell a run to end.

        Raises:
            RunError: It has ended, or was told so already.
        """
        try:
            self._server.client.terminate_run(run.id)
        except ClusterError as error:
            now = self.record(self.get(run.id))
            if error.status == _REFUSED and now.state != "running":
                raise RunError(f"run {run.name} has ended: {now.state}") from error
            # Its answer may have been lost.
            if not (now.is_canceling or now.state == "stopped"):
                raise

    def delete(self, run: KubeflowRun) -> None:
        """Delete a run; its files on the volume stay."""
        unless_gone(self._server.client.delete_run, run.id)

    def experiment(self, name: str) -> str:
        """The id of an experiment, made when it is not there."""
        client = self._server.client
        body = client.api_models.V2beta1Experiment(
            display_name=name, namespace=self._server.namespace
        )
        return self._experiment_id(name) or created(
            lambda: str(
                client.experiments.experiment_service_create_experiment(body).experiment_id
            ),
            lambda: self._experiment_id(name),
        )

    def delete_experiment(self, name: str) -> None:
        """Delete an experiment with its runs and schedules.

        Raises:
            RunError: There is none, or a run of it is under way; nothing is deleted.
        """
        client = self._server.client
        experiment = self._experiment_id(name)
        if experiment is None:
            raise RunError(f"there is no experiment {name} at {self._server.host}")
        inside = {"experiment_id": experiment}
        runs = [self.record(run) for run in listed(client.list_runs, "runs", **inside)]
        for run in runs:
            refuse_under_way(run)
        # They would start others.
        for schedule in list(listed(client.list_recurring_runs, "recurring_runs", **inside)):
            unless_gone(client.delete_recurring_run, schedule.recurring_run_id)
        for run in runs:
            self.delete(run)
        unless_gone(client.delete_experiment, experiment)

    def record(self, run: Any) -> KubeflowRun:
        """What the server says of a run, as all backends say it."""
        # Of a broken row the server says nothing but what is wrong with it.
        state = _ENDED.get(run.state, "failed" if run.error and not run.state else "running")
        if state == "failed" and any(past.state == _CANCELING for past in run.state_history or ()):
            # The engine of the server knows no word for it.
            state = "stopped"
        given = parameters_of(run)
        error = {"failed": (run.error and run.error.message) or "failed", "stopped": "terminated"}
        return KubeflowRun(
            name=run.display_name or run.run_id,
            pipeline="",
            version="",
            overrides=given["overrides"],
            started=seconds_of(run.created_at) or 0.0,
            finished=None if state == "running" else seconds_of(run.finished_at),
            state=state,
            error=error.get(state),
            report=f"runs/{given['run']}/report.html" if state == "succeeded" else None,
            id=run.run_id,
            link=self._server.link(f"runs/details/{run.run_id}"),
            is_canceling=run.state == _CANCELING,
        )

    def _attempts(self, name: str) -> Iterator[Any]:
        found = listed(
            self._server.client.list_runs,
            "runs",
            filter=named(name, "display_name"),
            sort_by="created_at desc",
        )
        return (run for run in found if run.display_name == name)

    def _experiment_id(self, name: str) -> str | None:
        page = self._server.client.list_experiments(filter=named(name))
        found = [one for one in page.experiments or () if one.display_name == name]
        return str(found[0].experiment_id) if found else None


def parameters_of(found: Any) -> dict[str, Any]:
    """`run` and `overrides` of a run or schedule; empty where it is of another's pipeline."""
    given = (found.runtime_config and found.runtime_config.parameters) or {}
    overrides = given.get("overrides")
    return {
        "run": given.get("run", ""),
        "overrides": overrides if isinstance(overrides, dict) else {},
    }


def refuse_under_way(run: KubeflowRun) -> None:
    """Let only runs pass that have ended, or were told to: some never come to it.

    Raises:
        RunError: It has not.
    """
    if run.state == "running" and not run.is_canceling:
        raise RunError(f"run {run.name} is under way; `terminate` it first")
