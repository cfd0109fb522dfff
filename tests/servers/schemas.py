"""What a cluster would accept: schemas of the API server's types, closed to unknown fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml

from tests.standards import REPOSITORY

SCHEMAS = REPOSITORY.parent / "shared" / "schemas"
_KUBERNETES = "kubernetes-1.36-openapi-v2.json"
_KATIB = "katib-v1beta1-openapi.json"
_CRDS = {
    "InferenceService": "kserve-inferenceservice-crd.yaml",
    "ScaledObject": "keda-scaledobject-crd.yaml",
}
_JOB = ("batch/v1", "Job")
# The published types say `string` where the API server takes numbers too.
_ALSO_NUMBERS = (
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
)
_QUANTITY = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_TENSORBOARD = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"enum": ["tensorboard.kubeflow.org/v1alpha1"]},
        "kind": {"enum": ["Tensorboard"]},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["logspath"],
            "additionalProperties": False,
            "properties": {"logspath": {"type": "string"}},
        },
        "status": {"type": "object"},
    },
}

needs_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason=f"the schemas of Katib and Kubernetes are not in {SCHEMAS}"
)


class Refused(Exception):  # noqa: N818 - an answer, not an error of the tests
    """What the API server would say of an object.

    Attributes:
        is_unknown: It has a field that its kind does not have.
    """

    is_unknown = False


def check_object(data: Any) -> None:
    """Validate an object of any kind that Plateflow makes, strictly.

    Raises:
        Refused: A field is unknown, missing or of a wrong type; with the server's words.
    """
    version, kind = data.get("apiVersion"), data.get("kind")
    validator = _validator_of(version, kind)
    _check(validator, data, f'{kind} in version "{str(version).rpartition("/")[2]}"')
    if kind == "Experiment":
        job = data["spec"]["trialTemplate"]["trialSpec"]
        _check(_validator_of(job.get("apiVersion"), job.get("kind")), job, "trialSpec")


def check_experiment(data: Any) -> None:
    """Validate an Experiment, and the Job in it, strictly.

    Raises:
        Refused: As `check_object`; or it is something else.
    """
    job = data["spec"]["trialTemplate"]["trialSpec"]
    if data["kind"] != "Experiment" or (job.get("apiVersion"), job.get("kind")) != _JOB:
        raise Refused(f"an Experiment with a Job, not {data['kind']} with {job.get('kind')}")
    check_object(data)


def _check(validator: jsonschema.protocols.Validator, data: Any, what: str) -> None:
    error = jsonschema.exceptions.best_match(validator.iter_errors(data))
    if error is None:
        return
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
        fields = ", ".join(f'unknown field "{f"{path}.{name}".lstrip(".")}"' for name in unknown)
        kind = what.partition(" ")[0]
        refused = Refused(f"{what} cannot be handled as a {kind}: strict decoding error: {fields}")
        refused.is_unknown = True
        raise refused
    raise Refused(f"{what} is invalid: {path.lstrip('.') or 'it'}: {error.message}")


@cache
def _validator_of(version: str | None, kind: str | None) -> jsonschema.protocols.Validator:
    # Made once: to check the schemas themselves, as `jsonschema.validate` does, takes seconds.
    group, _, bare = str(version).rpartition("/")
    if kind == "Tensorboard":
        return jsonschema.Draft4Validator(_TENSORBOARD)
    if kind == "Experiment":
        schemas, reference = _closed(_KATIB), "components/schemas/v1beta1.Experiment"
    elif kind in _CRDS:
        return jsonschema.Draft4Validator(_crd(_CRDS[kind], bare))
    else:
        schemas = _closed(_KUBERNETES)
        name = _definitions().get((group, bare, str(kind)))
        if name is None:
            raise Refused(f'no matches for kind "{kind}" in version "{version}"')
        reference = f"definitions/{name}"
    return jsonschema.Draft4Validator({**schemas, "$ref": f"#/{reference}"})


@cache
def _definitions() -> dict[tuple[str, str, str], str]:
    return {
        (named["group"], named["version"], named["kind"]): name
        for name, schema in _closed(_KUBERNETES)["definitions"].items()
        for named in schema.get("x-kubernetes-group-version-kind", ())
    }


@cache
def _closed(name: str) -> dict[str, Any]:
    """A file of schemas; an object that names its fields has no others."""
    schemas: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    tables = schemas.get("definitions") or schemas["components"]["schemas"]
    for schema in tables.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    for number in _ALSO_NUMBERS:
        if number in tables:
            tables[number] = {"type": ["string", "number"]}
    if _ALSO_NUMBERS[1] in tables:
        tables[_ALSO_NUMBERS[1]]["pattern"] = _QUANTITY
    return schemas


@cache
def _crd_file(name: str) -> Any:
    # The C loader: 39,000 lines.
    text = (SCHEMAS / name).read_bytes()
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _crd(name: str, version: str) -> dict[str, Any]:
    """The schema of a CRD's version, closed."""
    crd = _crd_file(name)
    for served in crd["spec"]["versions"]:
        if served["name"] == version:
            schema: dict[str, Any] = _closed_crd(served["schema"]["openAPIV3Schema"])
            # The API server's own check of it comes before the CRD's.
            schema["properties"]["metadata"] = {"type": "object"}
            return schema
    raise Refused(f'no matches for version "{version}" of {crd["spec"]["names"]["kind"]}')


def _closed_crd(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed_crd(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {key: _closed_crd(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    # A field of the name `properties` is a schema, and no list of fields.
    names_fields = isinstance(schema.get("properties"), Mapping) and schema.get("type") == "object"
    if names_fields and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed
