"""Pipelines on a cluster: Kubeflow Pipelines, and the Kubernetes API beside it."""

from pipelines.backends.kubeflow.backend import KubeflowBackend
from pipelines.backends.kubeflow.runs import KubeflowRun
from pipelines.backends.kubeflow.schedules import Schedule
from pipelines.backends.kubeflow.server import Probe, probe

__all__ = ["KubeflowBackend", "KubeflowRun", "Probe", "Schedule", "probe"]
