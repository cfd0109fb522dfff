"""Pipelines on a cluster, through Kubeflow Pipelines and the Kubernetes API."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rich.console import Console

from cluster.settings import Cluster
from cluster.volume import ensure_volume
from components.parameters import COMPILED
from components.run_config import run_config
from components.user_data import WEIGHTS
from pipelines.backends.base import Version
from pipelines.backends.kubeflow.follow import follow, states_of
from pipelines.backends.kubeflow.logs import begun_tasks, failed_tasks, log_of, where_logs_are
from pipelines.backends.kubeflow.runs import (
    KubeflowRun,
    Runs,
    parameters_of,
    refuse_under_way,
)
from pipelines.backends.kubeflow.schedules import Schedule, Schedules
from pipelines.backends.kubeflow.server import Server
from pipelines.backends.kubeflow.versions import Stored, Versions
from pipelines.by_reference import overrides_by_reference
from pipelines.registry import Package, checked_name
from sub_module.errors import ClusterError, RunError
from sub_module.settings import Settings

# Of a failed task's log; the whole one has a command.
_LINES_READ, _LINES_SHOWN = 100, 20
# How components say what the user can mend.
_MENDABLE = "error: "
_NOT_ASKED = (None, 401, 403)
_NOT_FOUND = 404


class KubeflowBackend:
    """Versions, runs and schedules of one namespace."""

    def __init__(self, settings: Settings, console: Console | None = None) -> None:
        """The server that the settings name; show progress on `console`.

        Raises:
            ClusterError: It cannot be told where the server is, or who asks.
        """
        self._settings = settings
        self._console = console or Console(stderr=True)
        self._server = Server(settings)
        self._versions, self._runs = Versions(self._server), Runs(self._server)
        self._schedules = Schedules(self._server)

    def upload(self, package: Package) -> Version:
        """See `Backend`."""
        self._check_namespace()
        return self._versions.upload(package).version

    def versions(self, pipeline: str | None = None) -> list[Version]:
        """See `Backend`."""
        return self._versions.listed(pipeline)

    def find(self, pipeline: str, version: str) -> Version | None:
        """See `Backend`."""
        stored = self._versions.find(pipeline, version)
        return stored.version if stored else None

    def latest(self, pipeline: str) -> Version | None:
        """See `Backend`."""
        stored = self._versions.latest(pipeline)
        return stored.version if stored else None

    def run(self, pipeline: str, version: str, overrides: Mapping[str, Any]) -> KubeflowRun:
        """See `Backend`.

        Of a name that has succeeded a new run is started only where the config names files on the
        volume: nobody knows from here whether they are the same. One that is under way is given
        back as it is.
        """
        stored = self._existing(pipeline, version)
        config, cluster = stored.settings
        resolved = run_config(config, overrides)
        name = _name_of(stored, resolved)
        attempts = self._runs.attempts(name)
        for earlier in attempts:
            if earlier.is_canceling:
                raise RunError(f"run {name} is about to end; try again in a minute, or delete it")
            if earlier.state == "running":
                self._say(f"run {name} is under way already: {earlier.link}")
            elif earlier.state != "succeeded" or _names_files(resolved):
                continue
            return replace(earlier, pipeline=pipeline, version=version)
        # Before anything is made.
        self._check_namespace()
        parameters = self._parameters(name, cluster, overrides)
        self._ensure_volume(cluster)
        account = cluster.service_account
        started = self._runs.start(name, stored, parameters, account, attempts)
        self._say(started.link)
        return replace(started, pipeline=pipeline, version=version)

    def wait(self, run: str, timeout_seconds: float | None = None) -> KubeflowRun:
        """See `Backend`.

        Args:
            run: Its name, for the newest of it, or its id.
            timeout_seconds: Wait no longer; None: as long as it takes.

        Raises:
            RunError: Also when it has not ended in time; it goes on.
        """
        record = self._runs.find(run)
        record, found = follow(self._runs, record, self._tasks, self._console, timeout_seconds)
        return self._failed(record, found) if record.state == "failed" else record

    def runs(self) -> list[KubeflowRun]:
        """See `Backend`."""
        return self._runs.listed()

    def delete(self, run: str) -> None:
        """Delete all runs of a name, or the one with an id; their files on the volume stay."""
        first = self._runs.find(run)
        doomed = [first] if first.id == run else self._runs.attempts(run)
        for one in doomed:
            refuse_under_way(one)
        for one in doomed:
            self._runs.delete(one)

    def delete_version(self, pipeline: str, version: str) -> None:
        """See `Backend`."""
        self._versions.delete(self._existing(pipeline, version))

    def delete_pipeline(self, pipeline: str) -> None:
        """See `Backend`."""
        self._versions.delete_pipeline(pipeline)

    def delete_experiment(self, name: str) -> None:
        """Delete an experiment with its runs and schedules; their files on the volume stay.

        Raises:
            RunError: There is none, or a run of it is under way.
        """
        self._runs.delete_experiment(name)

    def terminate(self, run: str) -> None:
        """Tell a run to end.

        Raises:
            RunError: There is none, or it has ended.
        """
        self._runs.terminate(self._runs.find(run))

    def logs(self, run: str, step: str | None = None) -> dict[str, str]:
        """What the pods of a run's steps printed, by step; of one step, or of all that have pods.

        Raises:
            RunError: There is no such run or step, or the step has no pod.
            ClusterError: The cluster's Kubernetes API cannot be asked.
        """
        found = self._runs.get(self._runs.find(run).id)
        tasks = self._tasks(found)
        if step is not None and step not in tasks:
            raise RunError(f"run {found.display_name} has no step {step}, but {', '.join(tasks)}")
        try:
            api = self._server.kubernetes
        except ClusterError as error:
            command = where_logs_are(self._server.pods_namespace, found.run_id)
            raise ClusterError(f"{error}; where there is one: {command}") from error
        if step is not None:
            return {step: log_of(api, self._server.pods_namespace, found, step)}
        texts = {}
        for task in tasks:
            # Others have not begun.
            with suppress(RunError):
                texts[task] = log_of(api, self._server.pods_namespace, found, task)
        if not texts:
            raise RunError(f"run {found.display_name} has no pods: they are gone, or not there yet")
        return texts

    def schedules(self) -> list[Schedule]:
        """All, oldest first."""
        return self._schedules.listed()

    def add_schedule(
        self, name: str, cron: str, pipeline: str, version: str, overrides: Mapping[str, Any]
    ) -> bool:
        """Let the cluster start a version again and again.

        Args:
            name: Of the schedule; its runs share `runs/<name>` on the volume, where each goes on
                with what has changed since the last.
            cron: Five fields, or six with the seconds before them.
            pipeline: Name of the pipeline.
            version: Name of the version.
            overrides: Dotted config key to value.

        Returns:
            Whether it was added; False: it is there already.

        Raises:
            RunError: There is no such version, or another schedule of that name.
            ConfigError: An override does not fit the version's config.
            ClusterError: The server refuses, such as a `cron` that is none.
        """
        stored = self._existing(pipeline, version)
        config, cluster = stored.settings
        run_config(config, overrides)
        self._check_namespace()
        parameters = self._parameters(checked_name("schedule", name), cluster, overrides)
        self._ensure_volume(cluster)
        account = cluster.service_account
        return self._schedules.add(self._runs, name, cron, stored, parameters, account)[1]

    def pause_schedule(self, name: str) -> None:
        """Let a schedule start no runs.

        Raises:
            RunError: There is none.
        """
        self._schedules.pause(name)

    def resume_schedule(self, name: str) -> None:
        """Let a schedule start runs again.

        Raises:
            RunError: There is none.
        """
        self._schedules.resume(name)

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs stay.

        Raises:
            RunError: There is none.
        """
        self._schedules.delete(name)

    def _existing(self, pipeline: str, version: str) -> Stored:
        stored = self._versions.find(pipeline, version)
        if stored is None:
            latest = self._versions.latest(pipeline)
            known = latest.version.version if latest else "none"
            raise RunError(f"pipeline {pipeline} has no version {version}; the latest is: {known}")
        return stored

    def _parameters(
        self, run: str, cluster: Cluster, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        others = {"run": run, "volume": cluster.volume.mount_path, "config": COMPILED}
        given, note = overrides_by_reference(overrides, others, self._settings)
        if note is not None:
            self._say(note)
        return {**others, "overrides": given}

    def _check_namespace(self) -> None:
        """Let only settings pass that name the namespace in which pods will run.

        Without a Kubernetes API nothing is looked for there.

        Raises:
            RunError: They name another.
        """
        namespace = self._server.pods_namespace
        if self._settings.namespace == namespace:
            return
        try:
            given = self._server.kubernetes.namespace
        except ClusterError:
            return
        raise RunError(
            f"PLATEFLOW_NAMESPACE is {given}, but this Kubeflow Pipelines is for one user and "
            f"runs its pods in its own: set PLATEFLOW_NAMESPACE={namespace}"
        )

    def _ensure_volume(self, cluster: Cluster) -> None:
        """Make the claim of the volume where it is not there, if that can be asked for here."""
        volume, namespace = cluster.volume, self._server.pods_namespace
        try:
            is_new = ensure_volume(self._server.kubernetes, volume)
        except ClusterError as error:
            if error.status not in _NOT_ASKED:
                raise
            self._say(f"whether there is a claim {volume.name} was not checked: {error}")
            return
        if is_new:
            self._say(f"made the claim {volume.name} of {volume.size} in namespace {namespace}")

    def _tasks(self, found: Any) -> list[str]:
        """The tasks of a run, in order; of a version that is deleted, those that have begun."""
        try:
            return self._versions.tasks_of(found.pipeline_version_reference)
        except ClusterError as error:
            if error.status != _NOT_FOUND:
                raise
        return begun_tasks(found)

    def _failed(self, record: KubeflowRun, found: Any) -> KubeflowRun:
        """The record of a failed run, with what its first failed task said last.

        Raises:
            RunError: It is something that the user can mend.
        """
        failed = failed_tasks(found, self._tasks(found))
        if not failed:
            return replace(record, error=f"{record.error}; see {record.link}")
        task, namespace = failed[0], self._server.pods_namespace
        try:
            log = log_of(self._server.kubernetes, namespace, found, task, _LINES_READ)
        except (ClusterError, RunError) as error:
            command = where_logs_are(namespace, record.id)
            line = f"step {task} failed; its log cannot be read: {error}; try {command}"
            return replace(record, error=line)
        lines = log.splitlines()
        for line in lines[-_LINES_SHOWN:]:
            self._say(f"[{task}] {line}")
        report = _report_of(found)
        said = [line.strip() for line in lines if line.strip().startswith(_MENDABLE)]
        if said:
            raise RunError(f"{task}: {said[-1].removeprefix(_MENDABLE)}{report}")
        line = f"step {task} failed; all of its log: `logs {record.name}`{report}"
        return replace(record, error=line)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _name_of(stored: Stored, config: Mapping[str, Any]) -> str:
    """The same name for the same work: the version brings images and code, the config the rest."""
    text = json.dumps([config, stored.version.content], sort_keys=True)
    short = hashlib.sha256(text.encode()).hexdigest()[:8]
    # A directory on the volume too; others than us may have put any character into a name.
    return re.sub(r"[^\w.-]", "-", f"{stored.version.pipeline}-{stored.version.version}-{short}")


def _report_of(found: Any) -> str:
    """Where the report of a failed run is, such as of one whose model was refused; else nothing."""
    (state,) = states_of(found, ["report"])
    if state.status != "done":
        return ""
    return f"; report: runs/{parameters_of(found)['run']}/report.html on the volume"


def _names_files(config: Mapping[str, Any]) -> bool:
    """Whether a run reads files that the config only names, and that may be others by now."""
    dataset, train = config.get("dataset", {}), config.get("train", {})
    named = [train.get(key.rpartition(".")[2]) for key in WEIGHTS]
    if dataset.get("version") is None:
        named += [dataset.get("annotations"), dataset.get("draw", {}).get("photos")]
    return any(named)
