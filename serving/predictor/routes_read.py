"""Routes of our own: `/read` for one image as it is, metrics, and a page that says what this is."""

from __future__ import annotations

import os

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.datastructures import UploadFile

from serving.predictor import schemas
from serving.predictor.errors import RequestError
from serving.predictor.metrics import PredictorMetrics
from serving.predictor.model import PlateModel
from serving.predictor.openapi import body_of, reading_errors

PATH = "/read"
_PAGE = """Plateflow reads number plates. Send it an image:

    curl --data-binary @photo.jpg {url}read

/docs             what can be asked, also in KServe's protocols V1 and V2
/metrics          counts and times, for Prometheus
/v2/health/ready  whether it is ready: {ready}
"""
_BINARY = {"type": "string", "format": "binary"}
_UPLOAD = {
    "type": "object",
    "properties": {"file": _BINARY},
    "required": ["file"],
    "additionalProperties": False,
}


def register(app: FastAPI, model: PlateModel) -> None:
    """Add the routes."""

    async def read(request: Request) -> Response:
        """Read one image: its bytes as the body, whatever the content type, or a form's file."""
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            data = await _uploaded(request)
        else:
            data = await request.body()
        (answer,) = await model.read([data], request.query_params.get("standard"))
        return Response(orjson.dumps(answer.to_dict()), media_type="application/json")

    async def metrics() -> Response:
        """Counts and times of all processes of this server, in Prometheus' format."""
        return Response(exposition(model.reader.metrics), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def page(request: Request) -> PlainTextResponse:
        """What this server is."""
        ready = "yes" if model.ready else "no"
        return PlainTextResponse(_PAGE.format(url=request.base_url, ready=ready))

    media = ("image/jpeg", "image/png", "image/bmp", "image/webp", "image/tiff")
    app.add_api_route(
        PATH,
        read,
        methods=["POST"],
        response_model=schemas.Answer,
        responses=reading_errors(),
        openapi_extra=body_of(
            dict.fromkeys((*media, "application/octet-stream"), _BINARY)
            | {"multipart/form-data": _UPLOAD},
            query={"standard": schemas.STANDARD},
        ),
    )
    app.add_api_route("/metrics", metrics, response_class=PlainTextResponse)
    app.add_api_route("/", page, response_class=PlainTextResponse)


def exposition(metrics: PredictorMetrics) -> bytes:
    """What Prometheus reads: of all processes of the server, where there are several."""
    registry = metrics.registry
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


async def _uploaded(request: Request) -> bytes:
    # Fields that are no files do no harm: a form may have some.
    async with request.form(max_files=2, max_fields=20) as form:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if len(files) != 1:
            raise RequestError(f"the form has {len(files)} files; expected one, the image")
        return await files[0].read()
