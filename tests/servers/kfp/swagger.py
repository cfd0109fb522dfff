"""The swagger of KFP's REST API, closed to unknown fields: what may be asked and answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema

from tests.servers.kfp.answers import RefusedError, invalid
from tests.standards import REPOSITORY

SWAGGER = REPOSITORY.parent / "shared" / "schemas" / "kfp-api-v2beta1-swagger.json"

_INTEGER = re.compile(r"-?\d+")
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"


@dataclass(frozen=True)
class Operation:
    """One of the API's.

    Attributes:
        name: Its operationId without the service, such as `CreateRun`.
        query: Name -> the parameter's description.
        body: Pointer to the schema of the body; None: there is none.
        response: Pointer to the schema of the answer.
    """

    name: str
    query: dict[str, dict[str, Any]]
    body: str | None
    response: str
    is_upload: bool


def find_operation(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation of a request, and what its path names; None: there is none."""
    for pattern, operations in _routes():
        found = pattern.fullmatch(path)
        if found and method in operations:
            names = [re.sub(r".*\.", "", name) for name in operations["names"]]
            return operations[method], dict(zip(names, map(unquote, found.groups()), strict=True))
    return None


def knows_path(path: str) -> bool:
    """Whether another method would do."""
    return any(pattern.fullmatch(path) for pattern, _ in _routes())


def check_query(operation: Operation, query: dict[str, list[str]]) -> dict[str, str]:
    """The parameters of a query.

    Raises:
        RefusedError: One is unknown, given twice, or of a wrong type.
    """
    checked = {}
    for name, values in query.items():
        described = operation.query.get(name)
        if described is None:
            raise invalid(f"{operation.name} has no query parameter {name!r}")
        if len(values) > 1:
            raise invalid(f"{operation.name}: query parameter {name!r} is given twice")
        kind, value = described["type"], values[0]
        wrong = (
            (kind == "integer" and not _INTEGER.fullmatch(value))
            or (kind == "boolean" and value.lower() not in {"true", "false"})
            or ("enum" in described and value not in described["enum"])
        )
        if wrong:
            message = f"type mismatch, parameter: {name}, error: {value!r} is no {kind}"
            raise RefusedError("InvalidArgument", message)
        checked[name] = value
    return checked


def check_body(operation: Operation, body: Any) -> None:
    """Check the JSON of a request.

    Raises:
        RefusedError: It has an unknown field, or one of a wrong type.
    """
    if operation.body is None:
        if body is not None:
            raise invalid(f"{operation.name} takes no body")
        return
    error = next(_validator(operation.body, "request").iter_errors(body), None)
    if error is not None:
        where = ".".join(map(str, error.absolute_path))
        raise RefusedError("InvalidArgument", f"proto: syntax error: {where}: {error.message}")


def check_response(operation: Operation, status: int, data: Any) -> None:
    """Check an answer.

    Raises:
        jsonschema.ValidationError: The server would not say that.
    """
    pointer = operation.response if status == 200 else "#/definitions/googleRpcStatus"
    _validator(pointer, "response").validate(data)


@cache
def _swagger() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SWAGGER.read_text(encoding="utf-8"))
    return loaded


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    routes = []
    for path, methods in _swagger()["paths"].items():
        names = re.findall(r"\{([^}]+)\}", path)
        # What follows a colon is a verb, not a part of the name.
        pattern = re.sub(r"\\\{[^}]+\\\}", "([^/:]+)", re.escape(path))
        operations: dict[str, Any] = {"names": names}
        for method, described in methods.items():
            operations[method.upper()] = _operation(path, method, described)
        routes.append((len(names), re.compile(pattern), operations))
    # `pipelines/upload` before `pipelines/{pipeline_id}`.
    return [(pattern, operations) for _, pattern, operations in sorted(routes, key=_by_names)]


def _by_names(route: tuple[int, re.Pattern[str], Any]) -> int:
    return route[0]


def _operation(path: str, method: str, described: dict[str, Any]) -> Operation:
    parameters = described.get("parameters", [])
    # Of `~`: as a JSON pointer writes a slash.
    here = f"#/paths/{path.replace('/', '~1')}/{method}"
    body = next(
        (f"{here}/parameters/{n}/schema" for n, p in enumerate(parameters) if p["in"] == "body"),
        None,
    )
    return Operation(
        name=described["operationId"].rpartition("_")[2],
        query={p["name"]: p for p in parameters if p["in"] == "query"},
        body=body,
        response=f"{here}/responses/200/schema",
        is_upload=any(p["in"] == "formData" for p in parameters),
    )


@cache
def _validator(pointer: str, way: str) -> jsonschema.protocols.Validator:
    # Made once: to check the schemas themselves, as `jsonschema.validate` does, takes seconds.
    return jsonschema.Draft4Validator({**_closed(way), "$ref": pointer})


@cache
def _closed(way: str) -> dict[str, Any]:
    closed: dict[str, Any] = _close(_swagger(), way)
    return closed


def _close(schema: Any, way: str) -> Any:
    """A schema where an object that names its fields has no others, and formats are checked."""
    if isinstance(schema, list):
        return [_close(each, way) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _close(value, way) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    if closed.get("format") == "date-time":
        closed["pattern"] = _TIME
    if closed.get("format") == "int64" and closed.get("type") == "string":
        written = {"type": "string", "pattern": r"^-?\d+$"}
        # It writes 64 bits as a string, and reads numbers too.
        return {"anyOf": [written, {"type": "integer"}]} if way == "request" else written
    return closed
