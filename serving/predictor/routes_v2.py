"""Routes of KServe's V2 protocol, the open inference protocol, with its binary data extension."""

from __future__ import annotations

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response

from serving.predictor import schemas, v2
from serving.predictor.context import parsed
from serving.predictor.model import PlateModel
from serving.predictor.openapi import body_of, errors, inline, reading_errors


def infer_path(model_name: str) -> str:
    """Where images go."""
    return f"/v2/models/{model_name}/infer"


def register(app: FastAPI, model: PlateModel) -> None:
    """Add the routes."""
    model_path = f"/v2/models/{model.name}"

    async def server() -> schemas.ServerMetadata:
        """What the server is."""
        return schemas.ServerMetadata(
            name=v2.SERVER_NAME, version=app.version, extensions=v2.EXTENSIONS
        )

    async def live() -> schemas.Live:
        """Whether the process answers."""
        return schemas.Live(live=True)

    async def ready() -> schemas.Ready:
        """Whether requests are answered."""
        model.check_ready()
        return schemas.Ready(ready=True)

    async def models() -> schemas.Models:
        """The models that there are."""
        return schemas.Models(models=[model.name])

    async def metadata() -> schemas.ModelMetadata:
        """What the model takes and gives."""
        return schemas.ModelMetadata.model_validate(model.metadata())

    async def model_ready() -> schemas.ModelReady:
        """Whether the model answers."""
        model.check_ready()
        return schemas.ModelReady(name=model.name, ready=True)

    async def infer(request: Request) -> Response:
        """Read images: a tensor of base64 in JSON, or (binary data extension) of bytes behind it.

        With the extension the header `Inference-Header-Content-Length` says where the JSON ends.
        """
        json_length = request.headers.get(v2.JSON_LENGTH_HEADER)
        body = await request.body()
        asked = await parsed(v2.request_from_body, body, json_length, model.name)
        response, _ = await model(asked)
        content, json_size = response.to_rest()
        if json_size is None:
            return Response(orjson.dumps(content), media_type="application/json")
        headers = {v2.JSON_LENGTH_HEADER: str(json_size)}
        return Response(content, media_type="application/octet-stream", headers=headers)

    shape = inline(schemas.InferRequest)
    app.add_api_route("/v2", server, tags=["V2"])
    app.add_api_route("/v2/health/live", live, tags=["V2"])
    app.add_api_route("/v2/health/ready", ready, responses=errors(503), tags=["V2"])
    app.add_api_route("/v2/models", models, tags=["V2"])
    app.add_api_route(model_path, metadata, tags=["V2"])
    app.add_api_route(f"{model_path}/ready", model_ready, responses=errors(503), tags=["V2"])
    app.add_api_route(
        infer_path(model.name),
        infer,
        methods=["POST"],
        response_model=schemas.InferResponse,
        responses=reading_errors() | {200: {"content": {"application/octet-stream": {}}}},
        openapi_extra=body_of({"application/json": shape}),
        tags=["V2"],
    )
