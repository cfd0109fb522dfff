"""What a pipeline config's `cluster` says: the shared volume, the secret, and each step's pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sub_module.errors import ConfigError

# A name as Kubernetes takes it (RFC 1123, label), and a quantity such as 500m or 50Gi.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?([munkKMGTPE]|[KMGTPE]i)?$")]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    # `extra`: a misspelt field is no field. `frozen`: settings are read, never changed.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Volume(_Part):
    """The claim of the volume that all steps share; made when it is not there."""

    name: Name
    size: Quantity
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
    storage_class: Name | None
    mount_path: Annotated[str, Field(pattern=r"^/.+[^/]$")]


class Toleration(_Part):
    """See Kubernetes' Toleration."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    seconds: Count | None = None


class Retries(_Part):
    """How often a failed step is tried again, and the seconds before each time."""

    count: Count
    backoff_seconds: Count
    factor: Annotated[float, Field(ge=1)]
    max_seconds: Count


class Placement(_Part):
    """The pod of one step."""

    image: Annotated[str, Field(min_length=1)]
    cpu_request: Quantity | None
    cpu_limit: Quantity | None
    memory_request: Quantity | None
    memory_limit: Quantity | None
    gpu_type: Annotated[str, Field(min_length=1)]
    gpus: Count
    node_selector: dict[str, str]
    tolerations: tuple[Toleration, ...]
    # Size of /dev/shm, which processes that load data hand it over in; None: a container's 64 MiB.
    shared_memory: Quantity | None
    retries: Retries
    caching: bool
    timeout_seconds: Annotated[int, Field(ge=1)] | None


class Cluster(_Part):
    """Everything of `cluster`."""

    volume: Volume
    # Its keys become environment variables of every step; None: no secret.
    secret: Name | None
    image_pull_secrets: tuple[Name, ...]
    # Of the steps' pods; None: the one that Kubeflow Pipelines gives them.
    service_account: Name | None
    components: dict[str, Placement]


def cluster_of(config: Mapping[str, Any]) -> Cluster:
    """The `cluster` of a pipeline config.

    Raises:
        ConfigError: There is none, or a field cannot be used; the message names it.
    """
    if "cluster" not in config:
        raise ConfigError("the config has no `cluster`; see configs/cluster/kubeflow.py")
    try:
        return Cluster.model_validate(config["cluster"])
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, ("cluster", *first["loc"])))
        raise ConfigError(f"{field}: {first['msg']}, got {first['input']!r}") from error
