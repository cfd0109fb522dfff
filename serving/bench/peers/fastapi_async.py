"""FastAPI with an `async def` endpoint that gives each image to a pool with a thread a core."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import Body, FastAPI

from serving.bench.peers.image_reader import ImageReader
from sub_module.machine import num_cores


def create_app() -> FastAPI:
    """For `uvicorn --factory`."""
    app = FastAPI()
    reader = ImageReader()
    pool = ThreadPoolExecutor(num_cores())

    @app.post("/read")
    async def read(image: Annotated[bytes, Body()]) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(pool, reader.read, image)

    return app
