"""What a place to run pipelines offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Protocol

from components.records import RunRecord
from pipelines.registry import Package


@dataclass(frozen=True)
class Version:
    """One uploaded version.

    Attributes:
        pipeline: Name of the pipeline.
        version: Name of the version.
        content: Hash of the compiled pipeline and its config.
        uploaded: Seconds since the epoch.
    """

    pipeline: str
    version: str
    content: str
    uploaded: float


class Backend(Protocol):
    """Where pipelines are uploaded and run."""

    def upload(self, package: Package) -> Version:
        """Add a version, and the pipeline if it is new.

        Uploading the same content again changes nothing.

        Raises:
            RunError: A version of that name has other content; it is never replaced.
        """

    def versions(self, pipeline: str | None = None) -> Sequence[Version]:
        """The uploaded versions, oldest first; of one pipeline, or of all."""

    def find(self, pipeline: str, version: str) -> Version | None:
        """One uploaded version; None: there is none of that name.

        Raises:
            RunError: A name cannot be one.
        """

    def latest(self, pipeline: str) -> Version | None:
        """The version that was uploaded last; None: the pipeline is not uploaded.

        Raises:
            RunError: The name cannot be one.
        """

    def run(self, pipeline: str, version: str, overrides: Mapping[str, Any]) -> RunRecord:
        """Start an uploaded version; a run that has succeeded already is not started again.

        Equal versions, overrides, data and code are the same run: started again, a killed one
        goes on.

        Returns:
            The run's record: `running`, or `succeeded` when there is nothing to do.

        Raises:
            RunError: There is no such version, or another run is under way.
            ConfigError: An override does not fit the version's config.
            DataError: There is no directory where the config says that the user's data are.
        """

    def wait(self, run: str, timeout_seconds: float | None = None) -> RunRecord:
        """Follow a run that `run` gave to its end, showing how far it is.

        Args:
            run: Its name.
            timeout_seconds: Follow it no longer; None: as long as it takes.

        Returns:
            The record: `succeeded`, or `failed` by a crash, which `error` tells of.

        Raises:
            RunError: A step failed through something that the user can mend, or the run has not
                ended in time.
        """

    def runs(self) -> Sequence[RunRecord]:
        """All runs, oldest first."""

    def delete(self, run: str) -> None:
        """Delete a run and its files; uploaded versions and deployed models stay.

        Raises:
            RunError: There is no such run, or it is under way.
        """

    def delete_version(self, pipeline: str, version: str) -> None:
        """Delete an uploaded version; its runs stay.

        Raises:
            RunError: There is no such version.
        """

    def delete_pipeline(self, pipeline: str) -> None:
        """Delete a pipeline with all its uploaded versions; their runs stay.

        Raises:
            RunError: There is no such pipeline.
        """


def task_order(tasks: Mapping[str, Any]) -> list[str]:
    """Names of the tasks of a compiled pipeline, each after those that it depends on.

    Args:
        tasks: `root.dag.tasks` of the pipeline.
    """
    graph = {name: task.get("dependentTasks", []) for name, task in tasks.items()}
    return list(TopologicalSorter(graph).static_order())
