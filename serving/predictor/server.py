"""The server: its sockets, its start, its stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from serving.listening import address_of, listen
from serving.predictor.settings import PredictorSettings
from sub_module.machine import num_cores


def serve(
    settings: PredictorSettings, model_dir: Path, on_ready: Callable[[str, str | None], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        settings: Of `configs/serving/predictor.py`.
        model_dir: An exported model, or a checkpoint.
        on_ready: Called once requests are answered, with the URL of HTTP and the address of gRPC.

    Raises:
        ConfigError: A port is taken.
        ModelError: The model cannot be used.
    """
    with ExitStack() as open_sockets:
        http = open_sockets.enter_context(listen(settings.host, settings.http_port, "http_port"))
        url = f"http://{address_of(http)}"
        grpc_address = None
        if settings.grpc_port is not None:
            reserved = _reserve(settings.host, settings.grpc_port, "grpc_port")
            grpc_address = address_of(open_sockets.enter_context(reserved))
        announce = partial(on_ready, url, grpc_address)
        run = partial(_run, _shared_out(settings), model_dir, http, grpc_address)
        if settings.workers == 1:
            run(announce)
        else:
            from serving.predictor.workers import Workers

            Workers(settings.workers, run, announce).run()


def _run(
    settings: PredictorSettings,
    model_dir: Path,
    http: socket.socket,
    grpc_address: str | None,
    on_ready: Callable[[], None],
) -> None:
    # The parent of several processes does not need what this imports: it takes 150 MB.
    from serving.predictor.process import run_process

    run_process(settings, model_dir, http, grpc_address, on_ready)


def _shared_out(settings: PredictorSettings) -> PredictorSettings:
    """The settings of one of several workers: the cores are divided among them."""
    if settings.workers == 1 or settings.engine.readers is not None:
        return settings
    readers = max(1, num_cores() // settings.workers)
    return settings.model_copy(
        update={"engine": settings.engine.model_copy(update={"readers": readers})}
    )


def _reserve(host: str, port: int, field: str) -> socket.socket:
    """A port for gRPC, which opens it itself, in each process; nobody else has it.

    Raises:
        ConfigError: It is not to be had.
    """
    # gRPC would share the port of any other program that shares its own.
    with listen(host, port, field) as probe:
        family, address = probe.family, probe.getsockname()
    reserved = socket.socket(family)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(address)
    return reserved
