"""A cluster: Kubeflow Pipelines and the Kubernetes API, both over HTTP, and the backend on them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.backends.kubeflow import KubeflowBackend
from pipelines.registry import Package, make_package
from sub_module.settings import Settings
from tests.servers.kfp import KfpServer, Play, Run, serve_kfp
from tests.servers.kubernetes import Kubernetes

# More moves than any run has: it is over at the first look.
AT_ONCE = 50


@dataclass
class Place:
    """The two servers, and what the backend says."""

    kfp: KfpServer
    kubernetes: Kubernetes
    shown: io.StringIO = field(default_factory=io.StringIO)

    def backend(self, **settings: Any) -> KubeflowBackend:
        console = Console(file=self.shown, width=200, _environ={})
        return KubeflowBackend(Settings(**{"kfp_host": self.kfp.url, **settings}), console)

    def pods(self, run: Run, namespace: str = "plateflow") -> None:
        """Let Kubernetes know the pods of a run as it is now, with their logs."""
        for pod in self.kfp.pods(run):
            pod["metadata"]["namespace"] = namespace
            self.kubernetes.put(pod)
        for name, text in self.kfp.pod_logs(run).items():
            self.kubernetes.logs[namespace, name, "main"] = text


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and nobody's own settings count."""
    monkeypatch.setattr("cluster.api.PAUSES_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("pipelines.backends.kubeflow.follow.POLL_SECONDS", 0.0)
    monkeypatch.setattr("pipelines.backends.kubeflow.session.SETTLE_SECONDS", 0.0)
    for name in ("KUBERNETES_SERVICE_HOST", "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place(tmp_path: Path, kubernetes: Kubernetes) -> Iterator[Place]:
    """A Kubeflow of many users, in which the namespace plateflow is ours."""
    with serve_kfp(tmp_path, multi_user=True) as kfp:
        kfp.play = Play(moves=AT_ONCE)
        yield Place(kfp, kubernetes)


@pytest.fixture(scope="session")
def package() -> Package:
    """The main job as version v1 of the pipeline plates."""
    return make_package("plate_training", "plates", "v1", for_cluster=True)


@pytest.fixture
def other(package: Package) -> Package:
    """Other content under the same name."""
    return replace(package, config={**package.config, "name": "other"})
