"""What commands of a cluster share: its backend, and what is said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.backends import BackendName
from sub_module.errors import ConfigError
from sub_module.settings import Settings

if TYPE_CHECKING:
    from pipelines.backends.kubeflow import KubeflowBackend


def kubeflow(backend: BackendName, what: str) -> KubeflowBackend:
    """The cluster's backend, with what no other one has.

    Args:
        backend: Where the user wants it.
        what: The command or option, for the error.

    Raises:
        ConfigError: That is this machine.
        ClusterError: It cannot be told where the cluster is.
    """
    if backend is BackendName.LOCAL:
        raise cluster_only(what)
    # kfp takes two seconds to import.
    from pipelines.backends.kubeflow import KubeflowBackend

    return KubeflowBackend(Settings())


def cluster_only(what: str) -> ConfigError:
    """The error of a command or option that has no meaning on this machine."""
    return ConfigError(f"{what}: counts with --backend kubeflow only")
