"""The command `doctor`: what it prints, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from commands.doctor import register
from sub_module.errors import ConfigError
from tests.servers.kfp import KfpServer, Token, needs_swagger, serve_kfp
from tests.servers.kubernetes import Kubernetes

_APP = typer.Typer()
register(_APP)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_PASSWORD", "STORE", "DATASETS", "NAMESPACE"):
        monkeypatch.delenv(f"PLATEFLOW_{name}", raising=False)
    for name in ("KUBERNETES_SERVICE_HOST", "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("cluster.api.PAUSES_SECONDS", (0.0, 0.0, 0.0))


@pytest.fixture
def kfp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpServer]:
    with serve_kfp(tmp_path, multi_user=True, login=Token("right")) as server:
        monkeypatch.setenv("PLATEFLOW_KFP_HOST", server.url)
        yield server


def _doctor(*arguments: str) -> Result:
    return CliRunner().invoke(_APP, list(arguments))


def _lines(done: Result) -> dict[str, list[str]]:
    """Cells by the first."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in
            done.stdout.splitlines()]  # fmt: skip
    return {row[0]: row[1:] for row in rows if row}


@needs_swagger
def test_a_cluster_that_will_do(
    kubernetes: Kubernetes, kfp: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_KFP_TOKEN", "right")
    kubernetes.put(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "plateflow", "annotations": {"owner": "user@example.com"}},
        }
    )
    began = time.monotonic()
    done = _doctor("--backend", "kubeflow", "--set", "cluster.volume.size=1Ti")
    assert time.monotonic() - began < 10
    assert done.exit_code == 0, done.output
    lines = _lines(done)
    assert lines["Kubernetes"] == ["yes", kubernetes.version.lstrip("v")]
    assert lines["Kubeflow Pipelines"] == ["yes", f"2.17.0, several users, {kfp.url}"]
    assert lines["volume"][0] == "-"
    assert "1Ti" in lines["volume"][1]
    # Katib's label is missing, which counts for a search only.
    assert lines["namespace"] == ["yes", "plateflow"]
    assert "namespace of runs" in lines
    # Whom the token is of, the cluster is not asked.
    assert "role plateflow-pipelines" not in lines


@needs_swagger
def test_a_cluster_that_will_not_do(
    kubernetes: Kubernetes, kfp: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_KFP_TOKEN", "planted-wrong-token")
    done = _doctor("--backend", "kubeflow", "--config", "tune_platenet")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "Kubeflow Pipelines, namespace: does not work"
    lines = _lines(done)
    assert lines["Kubeflow Pipelines"][0] == lines["namespace"][0] == "NO"
    assert "does not take the token of PLATEFLOW_KFP_TOKEN" in lines["Kubeflow Pipelines"][1]
    assert any(line.startswith("namespace: kubectl label") for line in done.stdout.splitlines())
    assert "planted" not in f"{done.output}{done.exception}"


def test_overrides_that_are_not_for_doctor() -> None:
    done = _doctor("--backend", "kubeflow", "--set", "train.max_epochs=3")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "train.max_epochs: doctor takes only keys of `cluster`"
    done = _doctor("--set", "cluster.registry=host/owner")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "cluster.registry: counts with --backend kubeflow only"


def test_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _doctor()
    assert done.exit_code == 0, done.output
    lines = _lines(done)
    for what in ("Python", "disk", "git", "database", "store", "data set repository"):
        assert lines[what][0] == "yes", what
    monkeypatch.setattr("cluster.machine._LEAST_FREE_BYTES", 2**60)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATEFLOW_STORE", "ftp://nowhere")
    done = _doctor()
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "disk, git, store: does not work"
    assert "store: see PLATEFLOW_STORE" in done.stdout.splitlines()
