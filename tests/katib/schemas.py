"""What a cluster would accept: JSON schemas of the API server's types, closed to unknown fields."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.standards import REPOSITORY

SCHEMAS = REPOSITORY.parent / "shared" / "schemas"
_JOB = "io.k8s.api.batch.v1.Job"

needs_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason=f"the schemas of Katib and Kubernetes are not in {SCHEMAS}"
)


def check_experiment(data: Any) -> None:
    """Validate an Experiment, and the Job in it, strictly.

    Raises:
        jsonschema.ValidationError: A field is unknown, missing or of a wrong type.
    """
    _validator("katib-v1beta1-openapi.json", "components/schemas/v1beta1.Experiment").validate(data)
    job = data["spec"]["trialTemplate"]["trialSpec"]
    _validator("kubernetes-1.36-openapi-v2.json", f"definitions/{_JOB}").validate(job)


@cache
def _validator(name: str, reference: str) -> jsonschema.protocols.Validator:
    # Made once: to check the schemas themselves, as `jsonschema.validate` does, takes seconds.
    return jsonschema.Draft4Validator({**_closed(SCHEMAS / name), "$ref": f"#/{reference}"})


@cache
def _closed(file: Path) -> dict[str, Any]:
    """A file of schemas; an object that names its fields has no others."""
    schemas: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    tables = schemas.get("definitions") or schemas["components"]["schemas"]
    for schema in tables.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return schemas
