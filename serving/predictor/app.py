"""The HTTP side of the server: `/read`, KServe's V1 and V2, metrics, and a page that says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from serving.predictor import routes_read, routes_v1, routes_v2
from serving.predictor.gate import Gate
from serving.predictor.model import PlateModel
from serving.predictor.room import BodyRoom
from serving.predictor.settings import PredictorSettings
from serving.predictor.state import ServerState
from serving.predictor.tracing import Tracing
from sub_module.settings import Settings

_log = logging.getLogger(__name__)


def create_app(settings: PredictorSettings, model_dir: Path) -> FastAPI:
    """The server as an ASGI app; it loads the model when it starts, beside the event loop.

    Args:
        settings: Of `configs/serving/predictor.py`.
        model_dir: An exported model, or a checkpoint.

    Returns:
        The app; `app.state.server` is its `ServerState`.
    """
    token = Settings().serve_token
    model = PlateModel(settings, model_dir)
    limits = settings.limits
    room = BodyRoom(int(limits.all_bodies_megabytes * 1e6), limits.retry_after_seconds)
    state = ServerState(model, Tracing(), room, token.get_secret_value() if token else None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(_load(model))
        if settings.workers > 1:
            # Requests go to the others until then.
            await loading
        yield
        model.stop()
        await loading
        await asyncio.to_thread(model.reader.close)
        await asyncio.to_thread(state.tracing.close)

    app = FastAPI(
        title="Plateflow",
        summary="Reads number plates in images.",
        version=version("plateflow"),
        lifespan=lifespan,
        redoc_url=None,
        # Ours names the stages of a reading, and gRPC's requests too.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.server = state
    routes_read.register(app, model)
    routes_v1.register(app, model)
    routes_v2.register(app, model)
    reading = {
        routes_read.PATH: "read",
        routes_v1.predict_path(model.name): "v1",
        routes_v2.infer_path(model.name): "v2",
    }
    app.add_middleware(Gate, state=state, reading=reading)
    app.add_exception_handler(HTTPException, _http_error)
    return app


async def _load(model: PlateModel) -> None:
    try:
        await asyncio.to_thread(model.load)
    except Exception as error:
        # The server ends with it.
        model.failure = error
    else:
        _log.info("ready: model %(name)s, version %(version)s", model.reader.model)


async def _http_error(_: Request, error: Exception) -> Response:
    """What the router says (404, 405), in the shape of all errors."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
