"""How routes describe themselves: bodies that FastAPI does not parse, and errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from serving.predictor import schemas

_WHY = {
    400: "The request is none, or its image is damaged.",
    401: "The token is missing or another one.",
    408: "The body did not come in time.",
    413: "The body, the number of images or an image is too large.",
    415: "An image is of a format that is not read.",
    503: "There is no room now, or the server is not ready; `Retry-After` says when to come again.",
    504: "There was no answer before the deadline.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for these statuses."""
    return {status: {"model": schemas.Error, "description": _WHY[status]} for status in statuses}


def reading_errors() -> dict[int | str, dict[str, Any]]:
    """The errors of every route that reads."""
    return errors(*_WHY)


def body_of(
    schemas_of: dict[str, dict[str, Any]], query: dict[str, str] | None = None
) -> dict[str, Any]:
    """FastAPI's `openapi_extra` for a body that the route parses itself, and for our headers.

    Args:
        schemas_of: Media type to the JSON schema of the body.
        query: The texts that the query may hold, by name, and what each says.
    """
    content = {media: {"schema": schema} for media, schema in schemas_of.items()}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [
            *(_text_in_query(name, text) for name, text in (query or {}).items()),
            _header("X-Request-Id", "Stands in the answer and in the log.", "string"),
            _header("X-Deadline-Ms", "How long an answer is of use; 504 after that.", "number"),
        ],
    }


def _text_in_query(name: str, text: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _header(name: str, text: str, kind: str) -> dict[str, Any]:
    limits = {"exclusiveMinimum": 0} if kind == "number" else {}
    schema = {"type": kind, **limits}
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema}


def inline(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema without references, as it stands apart from FastAPI's own."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(definitions[node["$ref"].rsplit("/", 1)[-1]])
            return {key: resolve(value) for key, value in node.items()}
        return [resolve(entry) for entry in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved
