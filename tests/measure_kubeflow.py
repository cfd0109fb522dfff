"""What the Kubeflow backend costs a person: `python -m tests.measure_kubeflow`.

Kubeflow Pipelines is the double, Kubernetes the emulator, both on this machine: what is measured is
our side, without a network. Commands are new processes, imports included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.backends.kubeflow import KubeflowBackend
from pipelines.registry import make_package
from sub_module.settings import Settings
from tests.servers.kfp import KfpServer, serve_kfp
from tests.servers.kubernetes import serve_kubernetes

_VERSIONS = 1000


def main() -> None:
    """Print a line for each figure."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_kfp(Path(folder), multi_user=True) as kfp,
        serve_kubernetes(Path(folder)) as kubernetes,
    ):
        _timed(
            "compile", "-m", "pipelines.plate_training", "plate_training", "--backend", "kubeflow"
        )
        os.environ |= {"KUBECONFIG": str(kubernetes.kubeconfig), "PLATEFLOW_KFP_HOST": kfp.url}
        _timed("doctor", "pipeline_utils.py", "doctor", "--backend", "kubeflow")
        _versions(kfp)


def _timed(what: str, *arguments: str) -> None:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    seconds = time.perf_counter() - began
    print(f"{what}: {seconds:.1f} s, {len(done.stdout.splitlines())} lines")


def _versions(kfp: KfpServer) -> None:
    pipeline = kfp.add_pipeline("plates", "plateflow")
    spec = make_package("plate_training", None, None, for_cluster=True).yaml.encode()
    for number in range(_VERSIONS):
        kfp.add_version(pipeline, f"v{number}", spec)
    for what, ask in (
        ("list", lambda backend: backend.versions("plates")),
        ("find one by name of", lambda backend: backend.find("plates", "v500")),
    ):
        backend, before, began = KubeflowBackend(Settings()), len(kfp.requests), time.perf_counter()
        assert ask(backend)
        seconds = time.perf_counter() - began
        print(
            f"{what} {_VERSIONS} versions: {len(kfp.requests) - before} requests, {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
