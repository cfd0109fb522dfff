"""Where pipelines run."""

from __future__ import annotations

from enum import StrEnum

from pipelines.backends.base import Backend, Version
from sub_module.settings import Settings

__all__ = ["Backend", "BackendName", "Version", "open_backend"]


class BackendName(StrEnum):
    """The places there are."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"


def open_backend(name: BackendName, settings: Settings) -> Backend:
    """The backend of that name."""
    match name:
        case BackendName.LOCAL:
            from pipelines.backends.local import LocalBackend

            return LocalBackend(settings.home)
        case BackendName.KUBEFLOW:
            from pipelines.backends.kubeflow import KubeflowBackend

            return KubeflowBackend(settings)
