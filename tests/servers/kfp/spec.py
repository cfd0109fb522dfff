"""What the server makes of a pipeline's YAML and of the parameters of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from tests.servers.kfp.answers import RefusedError, invalid

_SCHEMA_VERSION = "2.1.0"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
# Of all parameters of a run together, as JSON. 2.17 holds its first API to it; here all are.
_MAX_PARAMETER_BYTES = 10_000

# Of a parameter -> what its JSON must be.
_TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "NUMBER_DOUBLE": ("double or integer", (int, float)),
    "NUMBER_INTEGER": ("double or integer", (int, float)),
    "STRING": ("string", str),
    "BOOLEAN": ("bool", bool),
    "LIST": ("list", list),
    "STRUCT": ("struct", dict),
}


@dataclass(frozen=True)
class Spec:
    """A pipeline as protobuf's JSON: its spec, and its platforms' if it has one."""

    pipeline: dict[str, Any]
    platform: dict[str, Any] | None

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        if self.platform is None:
            return self.pipeline
        return {"pipeline_spec": self.pipeline, "platform_spec": self.platform}

    @property
    def tasks(self) -> dict[str, Any]:
        """Those of the root."""
        found: dict[str, Any] = self.pipeline["root"].get("dag", {}).get("tasks", {})
        return found

    @property
    def parameters(self) -> dict[str, Any]:
        """Those that the pipeline takes."""
        definitions = self.pipeline["root"].get("inputDefinitions", {})
        found: dict[str, Any] = definitions.get("parameters", {})
        return found


def spec_of(shown: Mapping[str, Any]) -> Spec:
    """The spec that the API shows."""
    if "pipeline_spec" in shown:
        return Spec(shown["pipeline_spec"], shown.get("platform_spec"))
    return Spec(dict(shown), None)


@lru_cache(maxsize=32)
def parse_yaml(content: bytes) -> Spec:
    """A compiled pipeline.

    Raises:
        RefusedError: It is none, or a newer one; as the server says it.
    """
    try:
        documents = list(yaml.load_all(content, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise _broken(f"failed to parse pipeline spec YAML: {line}") from error
    return parse_documents(documents)


def parse_documents(documents: list[Any]) -> Spec:
    """A compiled pipeline from the documents of its file.

    Raises:
        RefusedError: See `parse_yaml`.
    """
    # Slow to import.
    from google.protobuf.json_format import MessageToDict, ParseError

    from kfp.pipeline_spec import pipeline_spec_pb2

    spec = platform = None
    for document in filter(lambda each: isinstance(each, dict), documents):
        try:
            parsed = _parsed(document, pipeline_spec_pb2.PipelineSpec())
        except ParseError:
            parsed = None
        if parsed is not None and parsed.pipeline_info.name and parsed.HasField("root"):
            if spec is not None:
                raise _broken("multiple pipeline specs provided")
            spec = parsed
        elif "platforms" in document:
            platform = _platform(document)
    if spec is None:
        raise _broken("unknown template format")
    if spec.schema_version != _SCHEMA_VERSION:
        raise _broken(
            f"KFP only supports schema version {_SCHEMA_VERSION}, "
            f"but the pipeline spec has version {spec.schema_version}"
        )
    if not _NAME.fullmatch(spec.pipeline_info.name):
        raise invalid(
            "pipeline's name must contain only lowercase alphanumeric characters or '-' and must "
            "start with alphanumeric characters"
        )
    return Spec(MessageToDict(spec), platform and MessageToDict(platform))


def check_parameters(spec: Spec, given: Mapping[str, Any] | None) -> None:
    """Check the parameters of a run.

    Raises:
        RefusedError: One is missing, unknown, or of a wrong type, or they are too long together.
    """
    given = given or {}
    if len(json.dumps(given, separators=(",", ":")).encode()) > _MAX_PARAMETER_BYTES:
        raise invalid(f"The input parameter length exceed maximum size of {_MAX_PARAMETER_BYTES}")
    for name, described in spec.parameters.items():
        if name not in given:
            if not described.get("isOptional") and "defaultValue" not in described:
                raise invalid(
                    f"parameter {name} is not optional, yet has neither default value nor user "
                    "provided value"
                )
            continue
        kind, types = _TYPES[described["parameterType"]]
        value = given[name]
        is_wrong_bool = isinstance(value, bool) and types is not bool
        if is_wrong_bool or not isinstance(value, types):
            raise invalid(
                f"input parameter {name} requires type {kind}, but the parameter value is not of "
                f"{kind} value type"
            )
    unknown = [name for name in given if name not in spec.parameters]
    if unknown:
        raise invalid(
            f"parameter(s) provided are not required by pipeline: {', '.join(sorted(unknown))}"
        )


def mount_paths(spec: Spec) -> Iterator[str]:
    """Where the tasks' claims are mounted."""
    for executor in _executors(spec.platform):
        for mount in executor.get("pvcMount", []):
            yield mount["mountPath"]


def _platform(document: dict[str, Any]) -> Any:
    from google.protobuf.json_format import ParseError

    from kfp.kubernetes import kubernetes_executor_config_pb2
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        parsed = _parsed(document, pipeline_spec_pb2.PlatformSpec())
        # The server looks at these when it makes the workflow of a run; here it is told at once.
        for executor in _executors(document):
            _parsed(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    except ParseError as error:
        raise _broken(f"cannot unmarshal platform specific configs: {error}") from error
    return parsed


def _executors(platform: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    kubernetes = (platform or {}).get("platforms", {}).get("kubernetes", {})
    yield from kubernetes.get("deploymentSpec", {}).get("executors", {}).values()


def _parsed(document: dict[str, Any], message: Any) -> Any:
    from google.protobuf.json_format import ParseDict

    return ParseDict(document, message)


def _broken(reason: str) -> RefusedError:
    return RefusedError(
        "InvalidArgument", f"InvalidInputError: {reason}: pipeline spec is invalid", reason
    )
