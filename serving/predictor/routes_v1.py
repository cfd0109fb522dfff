"""Routes of KServe's V1 protocol."""

from __future__ import annotations

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response

from serving.predictor import schemas
from serving.predictor.context import parsed
from serving.predictor.model import PlateModel
from serving.predictor.openapi import body_of, errors, inline, reading_errors
from serving.predictor.v1 import parse_json


def predict_path(model_name: str) -> str:
    """Where images go."""
    return f"/v1/models/{model_name}:predict"


def register(app: FastAPI, model: PlateModel) -> None:
    """Add the routes."""

    async def models() -> schemas.Models:
        """The models that there are."""
        return schemas.Models(models=[model.name])

    async def ready() -> schemas.ModelReady:
        """Whether the model answers."""
        model.check_ready()
        return schemas.ModelReady(name=model.name, ready=True)

    async def predict(request: Request) -> Response:
        """Read images that stand in JSON as base64."""
        response, _ = await model(await parsed(parse_json, await request.body()))
        return Response(orjson.dumps(response), media_type="application/json")

    body = {"anyOf": [inline(schemas.Instances), inline(schemas.OneImage)]}
    app.add_api_route("/v1/models", models, tags=["V1"])
    app.add_api_route(f"/v1/models/{model.name}", ready, responses=errors(503), tags=["V1"])
    app.add_api_route(
        predict_path(model.name),
        predict,
        methods=["POST"],
        response_model=schemas.Predictions,
        responses=reading_errors(),
        openapi_extra=body_of({"application/json": body}),
        tags=["V1"],
    )
