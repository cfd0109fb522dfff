"""What a pipeline config's `cluster` says: volume, secret, each step's pod, the model server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sub_module.errors import ConfigError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def _text(pattern: str, meaning: str, max_length: int = 253) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text) or len(text) > max_length:
            raise ValueError(f"expected {meaning}")
        return text

    return AfterValidator(check)


# As Kubernetes takes names (RFC 1123): one label, or several with dots between them.
Name = Annotated[
    str, _text(_LABEL, "a name of lower case letters, digits and dashes, at most 63", 63)
]
DottedName = Annotated[
    str,
    _text(rf"{_LABEL}(\.{_LABEL})*", "a name of lower case letters, digits, dashes and dots"),
]
# As Kubeflow Pipelines takes them, which refuses what Kubernetes takes besides; on a command line,
# 2 is a number.
Cores = Annotated[
    str,
    Field(coerce_numbers_to_str=True),
    _text(r"\d+(\.\d+)?|\d+m", "cores, such as 2, 0.5 or 500m"),
]
Bytes = Annotated[
    str,
    Field(coerce_numbers_to_str=True),
    _text(r"[1-9]\d*([MGTPE]|[KMGTPE]i)?", "bytes in whole numbers, such as 512Mi or 50Gi"),
]
# Strict: true is no number.
Count = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[int, Field(ge=1, strict=True)]

_Pod = TypeVar("_Pod", bound="Pod")


class _Part(BaseModel):
    # `extra`: a misspelt field is no field. `frozen`: settings are read, never changed.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Volume(_Part):
    """The claim of the volume that all steps share; made when it is not there."""

    name: Name
    size: Bytes
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
    storage_class: DottedName | None
    mount_path: Annotated[str, _text(r"(/[\w.-]+)+", "an absolute path, such as /mnt/plateflow")]


class Toleration(_Part):
    """See Kubernetes' Toleration."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    seconds: Count | None = None

    @model_validator(mode="after")
    def _is_one_of_kubernetes(self) -> Toleration:
        if self.operator == "Exists" and self.value:
            raise ValueError("a toleration with operator Exists has no value")
        if self.operator == "Equal" and not self.key:
            raise ValueError("a toleration without a key has operator Exists")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("a toleration with seconds has effect NoExecute")
        return self


class Retries(_Part):
    """How often a failed step is tried again.

    Attributes:
        count: At most so often; 0: never.
        backoff_seconds: What it waits before the first time.
        factor: By how much it waits longer each time; Argo takes whole numbers only.
        within_seconds: From the start of the first attempt; then Argo tries no more, and ends a
            second attempt. So it is the longest that the step may take in all.
    """

    count: Count
    backoff_seconds: Count
    factor: Positive
    within_seconds: Positive


class Pod(_Part):
    """The image of a pod's container, what it may use, and on which nodes."""

    image: Annotated[str, _text(r"\S+", "the name of an image")]
    cpu_request: Cores | None
    cpu_limit: Cores | None
    memory_request: Bytes | None
    memory_limit: Bytes | None
    gpu_type: Annotated[str, _text(r"[\w.-]+/[\w.-]+", "a resource, such as nvidia.com/gpu")]
    gpus: Count
    node_selector: dict[str, str]
    tolerations: tuple[Toleration, ...]

    @model_validator(mode="after")
    def _requests_are_within_limits(self) -> Self:
        for what, request, limit in (
            ("cpu", self.cpu_request, self.cpu_limit),
            ("memory", self.memory_request, self.memory_limit),
        ):
            if request is not None and limit is not None and amount_of(request) > amount_of(limit):
                raise ValueError(f"{what}_request {request} is above {what}_limit {limit}")
        return self


class Placement(Pod):
    """The pod of one step."""

    # Size of /dev/shm, which processes that load data hand it over in; None: a container's 64 MiB.
    shared_memory: Bytes | None
    retries: Retries
    caching: bool
    timeout_seconds: Positive | None


class Serving(Pod):
    """The InferenceService, and the pods of its predictor; what each field means stands in the
    config.
    """

    name: Annotated[
        str, _text(r"[a-z]([-a-z0-9]*[a-z0-9])?", "a letter, then letters, digits and dashes", 40)
    ]
    mode: Literal["Knative", "Standard"]
    from_runs: bool
    canary_percent: Annotated[int, Field(ge=1, le=99, strict=True)] | None
    storage: Literal["volume", "store"]
    storage_secret: DottedName | None
    service_account: DottedName | None
    min_replicas: Count
    max_replicas: Positive
    images_per_replica: Positive
    autoscaler: Literal["keda", "external"]
    prometheus: Annotated[str, _text(r"https?://\S+", "a URL, such as http://prometheus:9090")]
    timeout_seconds: Positive
    wait_seconds: Positive
    # Keys and values of configs/serving/predictor.py.
    predictor: dict[str, Any]
    environment: dict[str, str]

    @model_validator(mode="after")
    def _replicas_are_in_order(self) -> Serving:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"min_replicas {self.min_replicas} is above max_replicas {self.max_replicas}"
            )
        if self.mode == "Standard" and self.min_replicas == 0:
            # A queue that nobody keeps has no length.
            raise ValueError("min_replicas 0 needs mode Knative, whose gateway keeps requests")
        return self


class Cluster(_Part):
    """Everything of `cluster`."""

    volume: Volume
    # Put before the images whose name has no slash, such as registry.example.com/team; None: the
    # nodes have them, or know where they are.
    registry: Annotated[str, _text(r"[\w.:-]+(/[\w.-]+)*", "a registry, without https://")] | None
    # Its keys become environment variables of every step; None: no secret.
    secret: DottedName | None
    image_pull_secrets: tuple[DottedName, ...]
    # Of the steps' pods; None: the one that Kubeflow Pipelines gives them.
    service_account: DottedName | None
    # An archive of code that `--code volume` packs is at most so large.
    max_code_megabytes: Annotated[float, Field(gt=0)]
    components: dict[str, Placement]
    # None: nothing is served.
    serving: Serving | None = None

    @field_validator("components")
    @classmethod
    def _images_of_steps_are_of_the_registry(
        cls, components: dict[str, Placement], info: ValidationInfo
    ) -> dict[str, Placement]:
        return {name: _from(info.data.get("registry"), step) for name, step in components.items()}

    @field_validator("serving")
    @classmethod
    def _so_is_the_image_of_the_server(
        cls, serving: Serving | None, info: ValidationInfo
    ) -> Serving | None:
        return serving and _from(info.data.get("registry"), serving)


def _from(registry: str | None, pod: _Pod) -> _Pod:
    if registry is None or "/" in pod.image:
        return pod
    return pod.model_copy(update={"image": f"{registry}/{pod.image}"})


def amount_of(quantity: str) -> float:
    """Cores or bytes: `500m` is 0.5, `2Gi` is 2147483648."""
    number = quantity.rstrip("mkKMGTPEi")
    unit = quantity.removeprefix(number)
    if unit == "m":
        return float(number) / 1000
    power = "KMGTPE".index(unit[0].upper()) + 1 if unit else 0
    return float(number) * float(1024 if unit.endswith("i") else 1000) ** power


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
        reason = str(first.get("ctx", {}).get("error", first["msg"]))
        # A whole table says less than its name.
        given = first["input"]
        got = "" if isinstance(given, dict) else f", got {json.dumps(given, default=str)}"
        raise ConfigError(f"{field}: {reason}{got}") from error
