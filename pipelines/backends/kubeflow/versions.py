"""Pipelines and their versions on the server."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cluster.settings import Cluster
from pipelines.backends.base import Version, task_order
from pipelines.backends.kubeflow.server import Server, listed, named, seconds_of
from pipelines.backends.kubeflow.session import created, unless_gone
from pipelines.placement import uploaded_settings
from pipelines.registry import Package
from sub_module.errors import ClusterError, RunError

# What our versions say of themselves where people read it; the server keeps it as it is.
_DESCRIPTION = re.compile(r"plateflow content=(?P<content>\w+) commit=(?P<commit>\S*)")
# The only one that the SDK writes and servers read.
_SCHEMA_VERSION = "2.1.0"
_NOT_FOUND, _REFUSED = 404, 400


@dataclass(frozen=True)
class Stored:
    """A version as the server keeps it.

    Attributes:
        version: Its names, content and time.
        commit: Of the code that compiled it; empty: nobody knows.
        id: The server's name for it.
        pipeline_id: The server's name for its pipeline.
        spec: What was uploaded, as the server gives it back.
    """

    version: Version
    commit: str
    id: str
    pipeline_id: str
    spec: dict[str, Any]

    @cached_property
    def settings(self) -> tuple[dict[str, Any], Cluster]:
        """The config that it was uploaded with, and its `cluster`.

        Raises:
            RunError: It was not uploaded by Plateflow, or is in a later format.
        """
        name = f"version {self.version.version} of {self.version.pipeline}"
        found = _pipeline_of(self.spec).get("schemaVersion", "unknown")
        if found != _SCHEMA_VERSION:
            raise RunError(
                f"{name} was compiled for version {found} of Kubeflow's format; this Plateflow "
                f"knows {_SCHEMA_VERSION}: renew it, or upload the version with this one"
            )
        try:
            return uploaded_settings(self.spec)
        except RunError as error:
            raise RunError(f"{name}: {error}") from error


class Versions:
    """The pipelines of one namespace."""

    def __init__(self, server: Server) -> None:
        """Those of a server."""
        self._server = server

    def find(self, pipeline: str, version: str) -> Stored | None:
        """One version; None: there is none of that name."""
        pipeline_id = self._pipeline_id(pipeline)
        return None if pipeline_id is None else self._find(pipeline, pipeline_id, version)

    def latest(self, pipeline: str) -> Stored | None:
        """The version that was uploaded last; None: there is none."""
        pipeline_id = self._pipeline_id(pipeline)
        if pipeline_id is None:
            return None
        page = self._server.client.list_pipeline_versions(
            pipeline_id, page_size=1, sort_by="created_at desc"
        )
        return _stored(pipeline, page.pipeline_versions[0]) if page.pipeline_versions else None

    def listed(self, pipeline: str | None) -> list[Version]:
        """Versions, oldest first; of one pipeline, or of all."""
        client = self._server.client
        if pipeline is None:
            found = listed(client.list_pipelines, "pipelines", namespace=self._server.namespace)
            ids = {_name(one): one.pipeline_id for one in found}
        else:
            pipeline_id = self._pipeline_id(pipeline)
            ids = {} if pipeline_id is None else {pipeline: pipeline_id}
        versions = [
            _stored(name, one).version
            for name, pipeline_id in ids.items()
            for one in self._all(pipeline_id)
        ]
        return sorted(versions, key=lambda version: version.uploaded)

    def tasks_of(self, reference: Any) -> list[str]:
        """The tasks of the version that a run names, each after those that it depends on.

        Raises:
            ClusterError: It is deleted, or the server cannot be asked.
        """
        if reference is None:
            raise ClusterError("the run has no version", _NOT_FOUND)
        found = self._server.client.get_pipeline_version(
            reference.pipeline_id, reference.pipeline_version_id
        )
        return task_order(_pipeline_of(found.pipeline_spec or {})["root"]["dag"]["tasks"])

    def upload(self, package: Package) -> Stored:
        """Add a version, and its pipeline if that is new; both never twice.

        Raises:
            RunError: A version of that name has other content.
            ClusterError: The server refuses, or cannot be reached.
        """
        pipeline_id = self._pipeline_id(package.pipeline) or self._create_pipeline(package.pipeline)
        stored = self._find(package.pipeline, pipeline_id, package.version)
        if stored is None:
            stored = created(
                lambda: self._upload(package, pipeline_id),
                lambda: self._find(package.pipeline, pipeline_id, package.version),
            )
        if stored.version.content != package.content:
            raise RunError(
                f"version {package.version} of {package.pipeline} is uploaded already with other "
                "content, and is never replaced; give another --version"
            )
        return stored

    def delete(self, stored: Stored) -> None:
        """Delete a version; its runs stay."""
        unless_gone(self._server.client.delete_pipeline_version, stored.pipeline_id, stored.id)

    def delete_pipeline(self, pipeline: str) -> None:
        """Delete a pipeline with its versions; its runs stay.

        Raises:
            RunError: There is none.
        """
        pipeline_id = self._pipeline_id(pipeline)
        if pipeline_id is None:
            raise RunError(f"there is no pipeline {pipeline} at {self._server.host}")
        client = self._server.client
        # The documented method knows no `cascade`.
        delete = client.pipelines.pipeline_service_delete_pipeline
        try:
            unless_gone(delete, pipeline_id, cascade=True)
        except ClusterError as error:
            if error.status != _REFUSED:
                raise
            # Nor do servers before 2.14.
            for one in list(self._all(pipeline_id)):
                unless_gone(client.delete_pipeline_version, pipeline_id, one.pipeline_version_id)
            unless_gone(delete, pipeline_id)

    def _all(self, pipeline_id: str) -> Iterator[Any]:
        ask = self._server.client.list_pipeline_versions
        return listed(ask, "pipeline_versions", pipeline_id=pipeline_id, sort_by="created_at")

    def _pipeline_id(self, pipeline: str) -> str | None:
        page = self._server.client.list_pipelines(
            filter=named(pipeline), namespace=self._server.namespace
        )
        found = _exactly(pipeline, page.pipelines)
        return found and str(found.pipeline_id)

    def _find(self, pipeline: str, pipeline_id: str, version: str) -> Stored | None:
        page = self._server.client.list_pipeline_versions(pipeline_id, filter=named(version))
        found = _exactly(version, page.pipeline_versions)
        return found and _stored(pipeline, found)

    def _create_pipeline(self, name: str) -> str:
        client = self._server.client
        # Empty at first: uploaded with a version, that would be named like the pipeline. Servers
        # before 2.5 know no `name`; later ones take the display name for both.
        body = client.api_models.V2beta1Pipeline(
            display_name=name, namespace=self._server.namespace
        )
        return created(
            lambda: str(client.pipelines.pipeline_service_create_pipeline(body).pipeline_id),
            lambda: self._pipeline_id(name),
        )

    def _upload(self, package: Package, pipeline_id: str) -> Stored:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "pipeline.yaml")
            file.write_text(package.yaml, encoding="utf-8")
            made = self._server.client.pipeline_uploads.upload_pipeline_version(
                str(file),
                name=package.version,
                pipelineid=pipeline_id,
                description=f"plateflow content={package.content} commit={package.commit}",
            )
        return _stored(package.pipeline, made)


def _stored(pipeline: str, found: Any) -> Stored:
    described = _DESCRIPTION.match(found.description or "")
    content, commit = described.groups() if described else ("", "")
    return Stored(
        Version(pipeline, _name(found), content, seconds_of(found.created_at) or 0.0),
        commit,
        found.pipeline_version_id,
        found.pipeline_id,
        found.pipeline_spec or {},
    )


def _pipeline_of(spec: dict[str, Any]) -> dict[str, Any]:
    """The pipeline without the pods of its tasks, if it has any."""
    pipeline: dict[str, Any] = spec.get("pipeline_spec", spec)
    return pipeline


def _exactly(name: str, found: Sequence[Any] | None) -> Any:
    """The one of a name; None: there is none.

    Raises:
        RunError: There is one whose name differs in upper and lower case only.
    """
    for one in found or ():
        if _name(one) == name:
            return one
        raise RunError(
            f"Kubeflow Pipelines takes {name} and {_name(one)}, which is there, for the same name"
        )
    return None


def _name(found: Any) -> str:
    # Servers before 2.5 know the display name only; of a broken row they say no name at all.
    return str(found.name or found.display_name or "?")
