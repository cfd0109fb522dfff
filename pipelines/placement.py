"""Where each step of a pipeline runs on a cluster: its pod, as the config's `cluster` says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.secret import STEP_KEYS
from cluster.settings import Cluster, Placement, Serving, cluster_of
from components.commit import VARIABLE as COMMIT_VARIABLE
from components.deploy.service import NAMESPACE_VARIABLE
from components.deploy.service import VARIABLE as SERVING_VARIABLE
from components.fetch_code.unpack import code_folder
from components.parameters import CONFIG_VARIABLE, as_variable
from pipelines.code import Code
from serving.predictor.settings import predictor_settings
from sub_module.errors import ConfigError, RunError

if TYPE_CHECKING:
    from kfp.dsl import PipelineTask

# Where Linux expects memory that processes share.
_SHARED_MEMORY = "/dev/shm"


@dataclass(frozen=True)
class Placing:
    """What a pipeline's tasks get on a cluster.

    Attributes:
        cluster: Pods, volume and secret.
        config: What runs start from, without `cluster`; its `name` is the pipeline's.
        code: What steps run instead of their image's code; None: that.
    """

    cluster: Cluster
    config: Mapping[str, Any]
    code: Code | None = None

    def place(self, tasks: Sequence[PipelineTask], volume: Any) -> None:
        """Give each task its pod; called inside of a `@dsl.pipeline` function.

        Args:
            tasks: All of the pipeline; the first, which all others follow, takes the config.
            volume: The pipeline's parameter of that name.

        Raises:
            ConfigError: `cluster.components` lacks one of them.
        """
        for task in tasks:
            self._place(task)
        tasks[0].set_env_variable(CONFIG_VARIABLE, self.variable())
        if self.code is None:
            return
        from components.fetch_code.component import fetch_code

        fetched = fetch_code(volume=volume, digest=self.code.digest, place=self.code.place)
        self._place(fetched)
        tasks[0].after(fetched)
        folder = f"{self.cluster.volume.mount_path}/{code_folder(self.code.digest)}"
        for task in tasks:
            task.set_env_variable("PYTHONPATH", folder)
            task.set_env_variable(COMMIT_VARIABLE, self.code.commit)

    def variable(self) -> str:
        """The config as the first task's environment holds it: JSON."""
        # Of `cluster`, a run needs the volume and the account; pods stand in the tasks, and how its
        # model is served in the one that deploys it.
        shared = self.cluster.model_copy(update={"components": {}})
        return as_variable({**self.config, "cluster": shared.model_dump(exclude={"serving"})})

    def _place(self, task: PipelineTask) -> None:
        name = task.name.replace("-", "_")
        if name not in self.cluster.components:
            raise ConfigError(f"cluster.components has no {name}; see configs/cluster/kubeflow.py")
        placement = self.cluster.components[name]
        _set_resources(task, placement)
        _set_node(task, placement)
        self._mount(task, placement)
        task.set_container_image(placement.image)
        task.set_caching_options(placement.caching)
        if name == "deploy" and self.cluster.serving and self.cluster.serving.from_runs:
            self._let_serve(task, self.cluster.serving)
        if placement.retries.count:
            retries = placement.retries
            task.set_retry(
                retries.count,
                f"{retries.backoff_seconds}s",
                retries.factor,
                f"{retries.within_seconds}s",
            )

    def _let_serve(self, task: PipelineTask, serving: Serving) -> None:
        from kfp import kubernetes

        # After a training is late to hear of a misspelt key.
        predictor_settings(serving.predictor)
        shared = self.cluster.model_copy(update={"components": {}})
        task.set_env_variable(SERVING_VARIABLE, as_variable(shared.model_dump()))
        # The service is made where the run is.
        kubernetes.use_field_path_as_env(task, NAMESPACE_VARIABLE, "metadata.namespace")

    def _mount(self, task: PipelineTask, placement: Placement) -> None:
        from kfp import kubernetes

        volume = self.cluster.volume
        kubernetes.mount_pvc(task, volume.name, volume.mount_path)
        if placement.shared_memory is not None:
            size = placement.shared_memory
            kubernetes.empty_dir_mount(task, "shared-memory", _SHARED_MEMORY, "Memory", size)
        if self.cluster.secret is not None:
            # A secret holds what its cluster needs, never all.
            kubernetes.use_secret_as_env(task, self.cluster.secret, dict(STEP_KEYS), optional=True)
        if self.cluster.image_pull_secrets:
            kubernetes.set_image_pull_secrets(task, list(self.cluster.image_pull_secrets))


def uploaded_settings(spec: Mapping[str, Any]) -> tuple[dict[str, Any], Cluster]:
    """The config that a version was uploaded with, and its `cluster` without the steps' pods.

    Args:
        spec: The compiled pipeline, as the server gives it back: with or without a platform's
            part beside it.

    Raises:
        RunError: It is no pipeline of Plateflow's, or of another release.
    """
    try:
        executors = spec.get("pipeline_spec", spec)["deploymentSpec"]["executors"]
        variables = [
            variable["value"]
            for executor in executors.values()
            for variable in executor["container"].get("env", [])
            if variable["name"] == CONFIG_VARIABLE
        ]
        config = json.loads(variables[0])
        return config, cluster_of({"cluster": config.pop("cluster")})
    except (ConfigError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            "this version was not uploaded by this release of Plateflow with --backend kubeflow"
        ) from error


def _set_resources(task: PipelineTask, placement: Placement) -> None:
    for value, set_resource in (
        (placement.cpu_request, task.set_cpu_request),
        (placement.cpu_limit, task.set_cpu_limit),
        (placement.memory_request, task.set_memory_request),
        (placement.memory_limit, task.set_memory_limit),
    ):
        if value is not None:
            set_resource(value)
    if placement.gpus:
        task.set_accelerator_type(placement.gpu_type)
        task.set_accelerator_limit(placement.gpus)


def _set_node(task: PipelineTask, placement: Placement) -> None:
    from kfp import kubernetes

    for label, value in placement.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in placement.tolerations:
        kubernetes.add_toleration(
            task,
            key=toleration.key,
            operator=toleration.operator,
            value=toleration.value,
            effect=toleration.effect,
            toleration_seconds=toleration.seconds,
        )
    if placement.timeout_seconds is not None:
        kubernetes.set_timeout(task, placement.timeout_seconds)
