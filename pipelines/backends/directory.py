"""Uploaded pipelines in a directory.

A version is `<pipeline>/<version>/` with `pipeline.yaml`, `config.json` and `version.json`.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from components.records import read_record
from pipelines.backends.base import Version
from pipelines.registry import Package, checked_name
from sub_module.errors import RunError
from sub_module.files import appearing, remove, write_json, write_text

_VERSION = TypeAdapter(Version)


class DirectoryRegistry:
    """The local backend's registry."""

    def __init__(self, root: Path) -> None:
        """Versions lie below `root`, which need not exist."""
        self._root = root

    def upload(self, package: Package) -> Version:
        """Add the version; see `Backend.upload`."""
        folder = self.folder(package.pipeline, package.version)
        uploaded = Version(package.pipeline, package.version, package.content, time.time())
        try:
            # Fails when the version is there: its directory is not empty.
            with appearing(folder) as partial:
                write_text(partial / "pipeline.yaml", package.yaml)
                write_json(partial / "config.json", package.config)
                write_json(partial / "version.json", asdict(uploaded))
        except OSError:
            if not folder.is_dir():
                raise
        present = self.version(package.pipeline, package.version)
        if present.content != package.content:
            raise RunError(
                f"version {package.version} of {package.pipeline} is uploaded already with other "
                "content, and is never replaced; give another --version"
            )
        return present

    def versions(self, pipeline: str | None = None) -> list[Version]:
        """Oldest first; of one pipeline, or of all.

        Raises:
            RunError: The pipeline's name cannot be one.
            DataError: A version is damaged; it can still be deleted.
        """
        name = "[!.]*" if pipeline is None else checked_name("pipeline", pipeline)
        files = self._root.glob(f"{name}/[!.]*/version.json")
        found = [version for file in files if (version := read_record(_VERSION, file))]
        return sorted(found, key=lambda version: version.uploaded)

    def version(self, pipeline: str, version: str) -> Version:
        """One version.

        Raises:
            RunError: There is none of that name.
            DataError: It is damaged.
        """
        found = self.find(pipeline, version)
        if found is None:
            known = ", ".join(found.version for found in self.versions(pipeline)[-5:]) or "none"
            raise RunError(f"pipeline {pipeline} has no version {version}; the latest are: {known}")
        return found

    def find(self, pipeline: str, version: str) -> Version | None:
        """One version; None: there is none of that name.

        Raises:
            RunError: A name cannot be one.
            DataError: It is damaged.
        """
        return read_record(_VERSION, self.folder(pipeline, version) / "version.json")

    def delete_pipeline(self, pipeline: str) -> None:
        """Delete a pipeline with its versions.

        Raises:
            RunError: There is none of that name.
        """
        folder = self._root / checked_name("pipeline", pipeline)
        if not folder.is_dir():
            raise RunError(f"there is no pipeline {pipeline} in {self._root}")
        remove(folder)

    def delete(self, pipeline: str, version: str) -> None:
        """Delete one version.

        Raises:
            RunError: There is none of that name.
        """
        folder = self.folder(pipeline, version)
        if not folder.is_dir():
            raise RunError(f"pipeline {pipeline} has no version {version}")
        remove(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()

    def folder(self, pipeline: str, version: str) -> Path:
        """Where a version's files lie.

        Raises:
            RunError: A name cannot be one.
        """
        return self._root / checked_name("pipeline", pipeline) / checked_name("version", version)
