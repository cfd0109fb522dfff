"""One process of the server: uvicorn for HTTP, gRPC beside it, and their end together."""

from __future__ import annotations

import gc
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from serving.predictor.app import create_app
from serving.predictor.grpc_server import GrpcServer
from serving.predictor.http import HeadTimeoutProtocol
from serving.predictor.model import PlateModel
from serving.predictor.settings import PredictorSettings


class PredictorServer(uvicorn.Server):
    """uvicorn with gRPC beside it, which ends what it began before it stops.

    Attributes:
        model: What it serves.
    """

    def __init__(
        self,
        app: FastAPI,
        grpc_address: str | None,
        on_ready: Callable[[], None],
    ) -> None:
        """A server that does not run yet.

        Args:
            app: Of `create_app`.
            grpc_address: Host and port; None: no gRPC.
            on_ready: Called once the model answers.
        """
        self.model: PlateModel = app.state.server.model
        limits = self.model.settings.limits
        super().__init__(
            uvicorn.Config(
                app,
                http=type("Http", (HeadTimeoutProtocol,), {"head_seconds": limits.head_seconds}),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                # Longer than proxies keep theirs (60 s), or they would use one that just ended.
                timeout_keep_alive=75,
                # What is in flight is waited for before; this is for answers on slow lines.
                timeout_graceful_shutdown=1,
            )
        )
        self._grpc = None if grpc_address is None else GrpcServer(app.state.server, grpc_address)
        self._on_ready = on_ready
        self._announced = False
        self._give_up_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start HTTP, then gRPC."""
        await super().startup(sockets)
        if self._grpc is not None:
            await self._grpc.start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal: take nothing new, end what there is; Ctrl-C again: stop at once."""
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + self.model.settings.drain_seconds
            self.model.stop()
        elif sig == signal.SIGINT:
            self.force_exit = self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop now."""
        if self.model.ready and not self._announced:
            self._announced = True
            # What is here stays: without this the garbage collector would look through all
            # libraries again and again, and who asks meanwhile would wait for it.
            gc.collect()
            gc.freeze()
            self._on_ready()
        if self.model.failure is not None:
            return True
        if self._give_up_at is not None and (
            not self.model.in_flight or time.monotonic() > self._give_up_at
        ):
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gRPC, then HTTP; then the app's lifespan ends the reader."""
        if self._grpc is not None:
            await self._grpc.stop()
        await super().shutdown(sockets)


def run_process(
    settings: PredictorSettings,
    model_dir: Path,
    http_socket: socket.socket,
    grpc_address: str | None,
    on_ready: Callable[[], None],
) -> None:
    """Serve in this process until it is told to stop.

    Raises:
        PlateflowError: The model cannot be used.
    """
    server = PredictorServer(create_app(settings, model_dir), grpc_address, on_ready)
    server.run([http_socket])
    if server.model.failure is not None:
        raise server.model.failure
