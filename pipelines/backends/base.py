"""What a place to run pipelines offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.registry import Package
from pipelines.runs import RunRecord


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

    def wait(self, run: str) -> RunRecord:
        """Follow a run that `run` gave to its end, showing how far it is.

        Returns:
            The record: `succeeded`, or `failed` by a crash, which `error` tells of.

        Raises:
            RunError: A step failed through something that the user can mend.
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
