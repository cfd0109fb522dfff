"""The server: its sockets, its start, its stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from serving.predictor.settings import PredictorSettings
from sub_module.errors import ConfigError
from sub_module.machine import num_cores

# Of connections: a burst arrives before the event loop takes the first.
_BACKLOG = 2048


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
        http = open_sockets.enter_context(_listen(settings.host, settings.http_port, "http_port"))
        url = f"http://{_address_of(http)}"
        grpc_address = None
        if settings.grpc_port is not None:
            reserved = _reserve(settings.host, settings.grpc_port, "grpc_port")
            grpc_address = _address_of(open_sockets.enter_context(reserved))
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


def _listen(host: str, port: int, field: str) -> socket.socket:
    """A socket that listens; port 0: any that is free.

    Raises:
        ConfigError: It is not to be had; the message names the field of the config.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        # strerror of `create_server` says the address again.
        if error.errno is None or isinstance(error, socket.gaierror):
            reason = error.strerror or str(error)
        else:
            reason = os.strerror(error.errno)
        raise ConfigError(f"{field}: cannot listen at {host}:{port}: {reason}") from error


def _reserve(host: str, port: int, field: str) -> socket.socket:
    """A port for gRPC, which opens it itself, in each process; nobody else has it.

    Raises:
        ConfigError: It is not to be had.
    """
    # gRPC would share the port of any other program that shares its own.
    with _listen(host, port, field) as probe:
        family, address = probe.family, probe.getsockname()
    reserved = socket.socket(family)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(address)
    return reserved


def _address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
