"""FastAPI with a plain `def` endpoint: Starlette runs it in a pool of 40 threads."""

from typing import Annotated, Any

from fastapi import Body, FastAPI

from serving.bench.peers.image_reader import ImageReader


def create_app() -> FastAPI:
    """For `uvicorn --factory`."""
    app = FastAPI()
    reader = ImageReader()

    @app.post("/read")
    def read(image: Annotated[bytes, Body()]) -> dict[str, Any]:
        return reader.read(image)

    return app
