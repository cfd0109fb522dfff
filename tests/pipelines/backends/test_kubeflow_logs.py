"""Whose a pod is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cluster.api import connect
from pipelines.backends.kubeflow.logs import log_of
from sub_module.settings import Settings
from tests.servers.kubernetes import Kubernetes

ROOT = "plate-training-x7k2p.root"
# In the order in which they come, by what they are of.
PODS = {
    f"{ROOT}.deploy-driver": "driver of deploy",
    f"{ROOT}.deploy.executor(0)": "first try",
    f"{ROOT}.deploy.executor(1)": "error: not deployed",
    f"{ROOT}.deploy.onExit.report-driver": "driver of report",
    f"{ROOT}.deploy.onExit.report.executor(0)": "report of a refused model",
}


@pytest.mark.parametrize(
    ("task", "said"),
    [("deploy", "error: not deployed"), ("report", "report of a refused model")],
)
def test_a_step_that_follows_a_failed_one(kubernetes: Kubernetes, task: str, said: str) -> None:
    for number, (path, text) in enumerate(PODS.items()):
        metadata = {
            "name": f"pod-{number}",
            "namespace": "plateflow",
            "labels": {"pipeline/runid": "r"},
            "annotations": {"workflows.argoproj.io/node-name": path},
            "creationTimestamp": f"2026-11-21T10:00:0{number}Z",
        }
        containers = [{"name": "main", "image": "image"}]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        kubernetes.put({**pod, "spec": {"containers": containers}})
        kubernetes.logs["plateflow", f"pod-{number}", "main"] = text
    run = SimpleNamespace(display_name="plates-v1-abcdef12", run_id="r")
    assert log_of(connect(Settings()), "plateflow", run, task) == said
