"""Uploaded pipelines in a directory.

A version is `<pipeline>/<version>/` with `pipeline.yaml`, `config.json` and `version.json`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from pipelines.backends.base import Version
from pipelines.registry import Package
from sub_module.errors import RunError
from sub_module.files import read_json, write_json, write_text


class DirectoryRegistry:
    """The local backend's registry."""

    def __init__(self, root: Path) -> None:
        """Versions lie below `root`, which need not exist."""
        self._root = root

    def upload(self, package: Package) -> Version:
        """Add the version; see `Backend.upload`."""
        folder = self._root / package.pipeline / package.version
        uploaded = Version(package.pipeline, package.version, package.content, time.time())
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
        try:
            write_text(partial / "pipeline.yaml", package.yaml)
            write_json(partial / "config.json", package.config)
            write_json(partial / "version.json", asdict(uploaded))
            partial.chmod(0o755)
            try:
                # Fails when the version is there: its directory is not empty.
                os.rename(partial, folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        present = self.version(package.pipeline, package.version)
        if present.content != package.content:
            raise RunError(
                f"version {package.version} of {package.pipeline} is uploaded already with other "
                "content, and is never replaced; give another --version"
            )
        return present

    def versions(self, pipeline: str | None = None) -> list[Version]:
        """Oldest first; of one pipeline, or of all."""
        files = self._root.glob(f"{pipeline or '[!.]*'}/[!.]*/version.json")
        return sorted((_read(file) for file in files), key=lambda version: version.uploaded)

    def version(self, pipeline: str, version: str) -> Version:
        """One version.

        Raises:
            RunError: There is none of that name.
        """
        file = self.folder(pipeline, version) / "version.json"
        if not file.is_file():
            known = ", ".join(found.version for found in self.versions(pipeline)[-5:]) or "none"
            raise RunError(f"pipeline {pipeline} has no version {version}; the latest are: {known}")
        return _read(file)

    def delete(self, pipeline: str, version: str) -> None:
        """Delete one version.

        Raises:
            RunError: There is none of that name.
        """
        self.version(pipeline, version)
        folder = self.folder(pipeline, version)
        doomed = Path(tempfile.mkdtemp(prefix=".deleted-", dir=folder.parent))
        os.rename(folder, doomed)
        shutil.rmtree(doomed)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()

    def folder(self, pipeline: str, version: str) -> Path:
        """Where a version's files lie."""
        return self._root / pipeline / version


def _read(file: Path) -> Version:
    return Version(**read_json(file))
